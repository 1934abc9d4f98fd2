"""Photo search: an album's photos by words, by a photo or by both, with the query in the address bar."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pipelines.core.errors import SuiteError
from pipelines.demo.language import plain, say
from pipelines.demo.pictures import thumbnail
from pipelines.demo.search.gallery import show_found
from pipelines.demo.search.query import Facts, Query, answer, facts
from pipelines.demo.search.state import (
    ALBUM,
    LIKE,
    PUT_AWAY,
    WEIGHT,
    WHERE,
    WORDS,
    add_condition,
    ask_words,
    first_page,
    other_album,
    put_photo_away,
)  # fmt: skip
from pipelines.demo.search.texts import between, in_folder, in_one_language
from pipelines.demo.search.work import NEXT, OWN, add_texts, index_folder, index_uploads, own_albums, show_notice
from pipelines.demo.serving import task_config
from pipelines.demo.settings import demo_config
from pipelines.demo.uploads import accept, visitors_folder
from pipelines.demo.working import show_refused, working

if TYPE_CHECKING:  # they import torch
    from pipelines.search.album.album import Album
    from pipelines.search.album.place import Place
    from pipelines.search.settings import SearchConfig

FOUND = "search-found"
"""Session state: (album, query, answer)."""
OLDEST = date(1900, 1, 1)
EXAMPLES = ("강아지", "자전거와 나무", "고양이 네 마리", "꽃 -펭귄", "a train and a book")
"""Of the bundled photos."""
WHERE_HELP = (
    """
`year = 2024`, `date between 2024-05 and 2024-07-15`, `folder = "여행/부산"`, `name ~ IMG`, `camera ~ canon`,
`colour = 파랑`, `orientation = 세로`, `size > 3MB`, `near(35.1, 129.0, 20km)`, `caption ~ 강아지`, 센 물체는
`강아지 >= 2`. `and`, `or`, `not`과 괄호로 잇습니다.
""",
    """
`year = 2024`, `date between 2024-05 and 2024-07-15`, `folder = "trip/Busan"`, `name ~ IMG`, `camera ~ canon`,
`colour = blue`, `orientation = portrait`, `size > 3MB`, `near(35.1, 129.0, 20km)`, `caption ~ dog`, and what was
counted: `dog >= 2`. Joined by `and`, `or`, `not` and parentheses.
""",
)


def page() -> None:
    """The widgets, and what the latest query found."""
    with st.spinner(say("앨범을 여는 중…", "Opening the albums…")):  # for the first visitor that imports torch
        from pipelines.search.settings import SearchConfig

        config = task_config(demo_config().search, SearchConfig)
        albums = _albums(config)
    show_notice()
    if not albums:
        _first_album(config)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if NEXT in st.session_state:
            st.session_state[ALBUM] = st.session_state.pop(NEXT)
            st.session_state.pop(FOUND, None)
        name = st.selectbox(
            say("앨범", "Album"), list(albums), key=ALBUM, bind="query-params", on_change=other_album, width=210,
            format_func=lambda name: say(OWN, "My photos") if name == OWN else name,
        )  # fmt: skip
        chosen = albums[name]
        album = _opened(chosen)
        with st.popover(say("앨범 관리", "Manage albums"), icon=":material/photo_library:"):
            work = _choose_work(config, chosen, album)
    with st.container():  # always there, so that the widgets below keep their places while the work goes on
        if work is not None:
            work()
    if album is not None:
        _search(album, chosen)


def _search(album: "Album", config: "SearchConfig") -> None:
    """Asks, where that was not done, and shows the answer."""
    query, again = _choose_query(album, config)
    key = (str(album.path), album.about.fingerprint, query)
    if again or st.session_state.get(FOUND, ("",))[0] != key:
        st.session_state.pop(FOUND, None)
    if FOUND not in st.session_state and not st.session_state.get("stop-search"):
        with working("search") as runner:
            from pipelines.search.query.asking import Asking

            asking = Asking(album, replace(config, photo_weight=query.weight / 100), runner)
            st.session_state[FOUND] = key, answer(asking, query)
    if FOUND in st.session_state:
        show_found(st.session_state[FOUND][1], album, query)
    elif st.session_state.get("stop-search"):
        st.caption(say("멈췄습니다. '찾기'를 누르면 다시 찾습니다.", "Stopped. Press Search to search again."))


# Albums


def _albums(config: "SearchConfig") -> dict[str, "SearchConfig"]:
    """Name -> settings of each album, the visitor's own among them; a sentence where they cannot be asked for."""
    from pipelines.search.album.album import album_names
    from pipelines.search.album.place import place

    try:
        names = album_names(place(config.albums))
    except SuiteError as error:
        st.error(plain(str(error)), icon=":material/error:")
        names = []
    return {name: replace(config, album=name) for name in names} | own_albums(config)


def _opened(config: "SearchConfig") -> "Album | None":
    """The album that the settings name, one for all visitors; None, and a sentence, where it cannot be read."""
    from pipelines.search.album.place import place

    try:
        album = kept_album(place(config.albums) / str(config.album))
    except SuiteError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    if album is None:
        st.warning(say("이 앨범은 이제 없습니다.", "This album is not there any more."))
    return album


def _same(album: "Album | None") -> bool:
    """Whether an album is still what is kept of it; to look takes 2 ms. Raises InputError."""
    from pipelines.search.album.album import open_album

    now = None if album is None else open_album(album.path)
    return album is not None and now is not None and now.about == album.about


@st.cache_resource(show_spinner=False, max_entries=16, validate=_same)
def kept_album(path: "Place") -> "Album | None":
    """An open album, which keeps its vectors. Raises InputError."""
    from pipelines.search.album.album import open_album

    return open_album(path)


@st.cache_data(show_spinner=False, max_entries=64)
def _facts(path: str, version: int, _album: "Album") -> Facts:
    return facts(_album)


def _facts_now(album: "Album") -> Facts:
    return _facts(str(album.path), album.photos.version, album)


def _first_album(config: "SearchConfig") -> None:
    """What there is to do where no album is yet."""
    st.info(
        say(
            "아직 앨범이 없습니다. 예시 사진으로 앨범을 만들면 몇 초 뒤에 찾아볼 수 있습니다.",
            "There is no album yet. Make one of the sample photos, and in some seconds you can search it.",
        ),
        icon=":material/photo_library:",
    )
    label = say("예시 사진으로 앨범 만들기", "Make an album of the sample photos")
    if st.button(label, type="primary", icon=":material/add_photo_alternate:"):
        index_folder(_bundled(), config)
    if work := _choose_folder(config):
        work()


def _choose_work(config: "SearchConfig", chosen: "SearchConfig", album: "Album | None") -> Callable[[], None] | None:
    """The widgets for work on albums, and the work that was asked for; only their owners change albums."""
    work = None
    if album is not None:
        known = _facts_now(album)
        st.markdown(
            say(
                f"사진 {known.photos}장, 캡션 {known.captioned}장, 개수 {known.counted}장",
                f"{known.photos} photos, {known.captioned} with captions, {known.counted} with counts",
            )
        )
    if album is not None and (demo_config().local or chosen.albums != config.albums):
        if st.button(
            say("캡션과 개수 넣기", "Add captions and counts"), icon=":material/subtitles:", width="stretch",
            help=say(
                "사진마다 캡션을 쓰고 물체를 세어, 낱말과 개수로도 찾게 합니다. 오래 걸리며, 멈춰도 한 만큼 남습니다.",
                "Writes a caption for each photo and counts objects; both can then be searched. It takes a while; what "
                "is done stays where you stop it.",
            ),
        ):  # fmt: skip
            work = partial(add_texts, chosen)
        label = say("폴더에서 바뀐 것 반영", "Take in what has changed")
        if chosen.albums == config.albums and st.button(label, icon=":material/sync:", width="stretch"):
            work = partial(index_folder, Path(album.about.folder), chosen)
    return _choose_folder(config) or work


def _choose_folder(config: "SearchConfig") -> Callable[[], None] | None:
    """The widgets for a new album, of the visitor's photos or of a folder of this computer, and what was asked for."""
    work = None
    with st.form("search-own", border=False):
        files = st.file_uploader(
            say("내 사진으로 앨범 만들기", "An album of your photos"),
            accept_multiple_files=True,
            max_upload_size=demo_config().limits.megabytes,
        )
        if st.form_submit_button(say("올린 사진 넣기", "Take them in"), icon=":material/upload:") and files:
            work = partial(index_uploads, files, config)
    if demo_config().local:
        with st.form("search-folder", border=False):
            folder = st.text_input(say("이 컴퓨터의 폴더", "A folder of this computer"), placeholder="~/Pictures")
            if st.form_submit_button(say("앨범으로 만들기", "Make an album"), icon=":material/folder:") and folder:
                work = partial(index_folder, Path(folder), config)
    return work


def _bundled() -> Path:
    return demo_config().samples / "search" / "images"


# The query


def _choose_query(album: "Album", config: "SearchConfig") -> tuple[Query, bool]:
    """The query as the widgets and the address have it, and whether it is to be asked again."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            say("무엇이 보이는 사진인가요?", "What do the photos show?"), key=WORDS, bind="query-params", max_chars=500,
            placeholder=say('바다 -사람 -"빨간 차"', 'sea -person -"red car"'), on_change=first_page,
            help=say(
                '앞에 -를 붙이면 그것이 없는 사진을, 따옴표로 묶으면 한 낱말처럼 찾습니다.',
                "A minus takes a word away, quotes keep words together.",
            ),
        )  # fmt: skip
        again = st.button(say("찾기", "Search"), type="primary", icon=":material/search:", on_click=first_page)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        where = st.text_input(
            say("조건", "Condition"), key=WHERE, bind="query-params", on_change=first_page,
            placeholder=say("year = 2024 and colour = 파랑", "year = 2024 and colour = blue"), help=say(*WHERE_HELP),
        )  # fmt: skip
        with st.popover(say("조건 더하기", "Add one"), icon=":material/filter_alt:"):
            _offer_conditions(_facts_now(album))
        with st.popover(say("사진으로 찾기", "By a photo"), icon=":material/image_search:"):
            upload = _uploaded()
    query = Query(words or "", where or "", "" if upload else st.query_params.get(LIKE, ""), upload)
    if query.like or query.upload:
        query = replace(query, weight=_show_photo(album, query, config))
    elif not query.asks and not query.where and album.about.folder == str(_bundled().resolve()):
        with st.container(horizontal=True, gap="small"):
            for example in EXAMPLES:
                st.button(example, on_click=ask_words, args=(example,), key=f"example-{example}")
    return query, again


def _offer_conditions(known: Facts) -> None:
    """Widgets that write into the condition."""
    from pipelines.search.where.conditions import Compare, Counted
    from pipelines.search.where.filters import spelled_out

    add = say("더하기", "Add")
    if known.kinds:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            kinds = in_one_language(known.kinds, say("ko", "en") == "ko")
            kind = st.selectbox(say("물체", "Object"), kinds, width=150)
            number = st.number_input(say("몇 개 이상", "At least"), 1, 99, 1, width=110)
            counted = spelled_out(Compare(Counted(kind), ">=", number))
            st.button(add, on_click=add_condition, args=(counted,), key="add-count")
    if known.dated:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            days = st.date_input(say("찍은 날", "Taken"), [], min_value=OLDEST, width=270)
            # Between the two clicks on a range there is only the first day.
            taken = between(min(days), max(days)) if isinstance(days, tuple) and days else ""
            st.button(add, on_click=add_condition, args=(taken,), key="add-date", disabled=not taken)
    if known.folders:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            folder = st.selectbox(say("폴더", "Folder"), known.folders, width=270)
            st.button(add, on_click=add_condition, args=(in_folder(folder),), key="add-folder")
    if not (known.kinds or known.dated or known.folders):
        st.caption(
            say(
                "이 앨범에는 날짜도 폴더도 센 물체도 없습니다. '캡션과 개수 넣기'를 하면 개수로 고를 수 있습니다.",
                "This album has neither dates nor folders nor counts. Add captions and counts to choose by numbers.",
            )
        )


def _uploaded() -> Path | None:
    """The visitor's picture, if there is one."""
    limits = demo_config().limits
    file = st.file_uploader(
        say("이 사진과 비슷한 사진을 찾습니다", "Finds photos that look like it"),
        max_upload_size=limits.megabytes,
        key=f"upload-search-{st.session_state.get(PUT_AWAY, 0)}",
    )
    if file is None:
        return None
    accepted = accept([file], visitors_folder(), limits)
    show_refused(accepted.refused, say("받지 않은 파일", "A file that was not taken"))
    return accepted.samples[0].path if accepted.samples else None


def _show_photo(album: "Album", query: Query, config: "SearchConfig") -> int:
    """The photo that others are to look like, a way to put it away, and how much it counts beside words, in percent."""
    picture = thumbnail(query.upload) if query.upload else _thumbnail(album, query.like)
    weight = round(config.photo_weight * 100)
    with st.container(horizontal=True, vertical_alignment="center"):
        if picture is not None:
            st.image(picture, width=72, alt=say("찾는 사진", "The photo that is searched by"))
        name = plain(query.like)
        like = say(f"**{name}**과(와) 비슷한 사진", f"Photos like **{name}**")
        st.markdown(say("올린 사진과 비슷한 사진", "Photos like yours") if query.upload else like, width="content")
        if query.words.strip():
            weight = st.slider(
                say("낱말보다 사진을", "Photo rather than words"), 5, 95, weight, 5, "%d %%", key=WEIGHT,
                bind="query-params", width=220, on_change=first_page,
            )  # fmt: skip
        st.button(say("사진 빼기", "Without it"), icon=":material/close:", on_click=put_photo_away, type="tertiary")
    return int(weight)


def _thumbnail(album: "Album", key: str) -> bytes | None:
    """A photo's thumbnail; None for what is no photo of the album."""
    key = key.encode(errors="replace").decode()
    row = album.rows([key], ["thumbnail"]).get(key)
    return None if row is None else row["thumbnail"]
