"""Find and count: words and photos in, boxes and counts out, counted again at once wherever the score slider goes."""

import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pipelines.core.errors import InputError
from pipelines.core.images.samples import Sample
from pipelines.demo.detect.counting import LOWEST, Found, split_prompts
from pipelines.demo.language import plain, say
from pipelines.demo.pictures import choose_pictures, data_url, smaller, thumbnail
from pipelines.demo.serving import task_config
from pipelines.demo.settings import demo_config
from pipelines.demo.tables import download_csv
from pipelines.demo.working import reason_of, show_refused, working

if TYPE_CHECKING:  # they import torch
    from pipelines.detect.boxes.detections import Detections
    from pipelines.detect.settings import DetectConfig

FOUND, FAILED, RUN = "detections", "detections-failed", "detections-run"
"""Session state: the Found, name -> reason, and the number of the run, which names its pages."""
DRAWN = (640, 1024)
"""Longer side of a drawn photo, at least and at most (px): a small one is made larger, so that labels are legible."""
IN_TABLE = 128
"""Longer side of a photo in the table (px): all of them are sent anew with each move of a slider."""
A_PAGE = 8
"""Drawn photos shown at once."""


def page() -> None:
    """The widgets, and what the latest run found."""
    pictures = choose_pictures("detect", demo_config().samples / "detect" / "images")
    # In a form Enter starts it, too.
    with st.form("detect-form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input(
            say("찾을 것 (쉼표로 여러 가지)", "What to find (commas between)"),
            say("강아지, 고양이, 새", "dog, cat, bird"),
            max_chars=200,
            placeholder=say("예: 강아지, 빨간 우산", "such as: dog, red umbrella"),
            key="detect-prompts",
        )
        start = st.form_submit_button(
            say("찾고 세기", "Find and count"), type="primary", icon=":material/search:", disabled=not pictures
        )
    prompts = split_prompts(typed)
    if start and not prompts:
        st.info(say("무엇을 찾을지 적어 주세요.", "Say what to find."), icon=":material/edit:")
    elif start:
        look(pictures, prompts)
    show()


def look(pictures: Sequence[Sample], prompts: Sequence[str]) -> None:
    """Runs the detector once; what is finished is kept, also where the visitor stops it."""
    failed: dict[str, str] = {}
    st.session_state.update({FOUND: None, FAILED: failed, RUN: st.session_state.get(RUN, 0) + 1})
    with working("detect") as runner:
        from pipelines.core.networks.checkpoints import resolve
        from pipelines.detect.pipeline import DetectPipeline, settled

        config = _config()
        _, threshold = settled(config, runner.keep(partial(resolve, config.checkpoint)))
        low = replace(
            config, prompts=list(prompts), prompt_column=None, box_threshold=min(LOWEST, threshold), boxes=None,
            save_images=None,
        )  # fmt: skip
        try:
            pipeline = DetectPipeline(low, runner)
        except InputError as error:
            st.error(plain(_advice(prompts, config, error)), icon=":material/translate:")
            return
        found = Found(
            dict(pipeline.english), pipeline.classes, list(pipeline.fields), pipeline.places,
            config.nms_across_classes, [], threshold, config.drop_groups,
        )  # fmt: skip
        st.session_state[FOUND] = found
        for outcome in pipeline.detect(pictures):
            found.photos.append((outcome.item, outcome.result))
            if outcome.result is None:
                failed[outcome.item.id] = reason_of(outcome)


@st.fragment
def show() -> None:
    """The counts and the drawn photos, as the sliders say, and the CSV."""
    show_refused(
        st.session_state.get(FAILED, {}),
        say("보지 못한 사진 (CSV에는 0)", "Photos that could not be looked at (0 in the CSV)"),
    )
    found: Found | None = st.session_state.get(FOUND)
    if found is None or not found.photos:
        return
    threshold, iou = _sliders(found.threshold)
    counted = found.counted(threshold, iou)
    table = found.submission(counted)
    st.html(legend(found, table))
    if full := found.full(threshold):
        st.caption(
            say(
                f"사진 {full}장은 모델이 한 번에 찾을 수 있는 만큼 다 찾아서, 실제로는 더 많을 수 있습니다.",
                f"In {full} photos the model found as many as it can at once; there may be more.",
            )
        )
    _gallery(found, counted, table)
    if len(found.photos) > 1:
        _table(found, table)
    download_csv(table, "detect.csv")


def legend(found: Found, table: pd.DataFrame) -> str:
    """A card a prompt, as HTML: its colour, the English that the detector got, where that is from, and the count."""
    from pipelines.detect.boxes.drawing import colour

    sources = {
        "lexicon": say("사전", "lexicon"),
        "translation": say("번역", "translated"),
        "as given": say("그대로", "as is"),
        "own name": say("모델의 이름", "the model's name"),
    }
    cards = []
    for number, ((prompt, english), place) in enumerate(zip(found.prompts.items(), found.places, strict=True), start=1):
        red, green, blue = colour(place)
        cards.append(
            f'<div style="border-left: 0.375rem solid rgb({red}, {green}, {blue}); padding: 0 1.25rem 0 0.75rem">'
            f"<b>{html.escape(prompt)}</b> → {html.escape(english.text)} "
            f'<small style="opacity: 0.65" title="{html.escape(english.note)}">{sources[english.source]}'
            f"{' *' if english.note else ''}</small>"
            f'<div style="font-size: 1.75rem; line-height: 1.3">{int(table.iloc[:, number].sum())}</div></div>'
        )
    return f'<div style="display: flex; flex-wrap: wrap; gap: 1rem; margin: 0.5rem 0">{"".join(cards)}</div>'


@st.cache_data(
    show_spinner=False,
    max_entries=300,
    hash_funcs={
        "pipelines.detect.boxes.detections.Detections": lambda found: (
            found.xyxy.numpy().tobytes(), found.scores.numpy().tobytes(), found.class_ids.numpy().tobytes()
        )
    },
)  # fmt: skip
def drawn(path: Path, classes: tuple[str, ...], words: Mapping[str, str], objects: "Detections") -> bytes | None:
    """A JPEG of a photo, small enough to be shown, with its boxes; None where the photo is damaged."""
    from PIL import Image

    from pipelines.core.images.decode import image_size
    from pipelines.detect.boxes.detections import Detections
    from pipelines.detect.boxes.drawing import draw_boxes

    jpeg = _undrawn(path)
    if jpeg is None:
        return None
    picture: Image.Image = Image.open(io.BytesIO(jpeg))
    if (larger := DRAWN[0] / max(picture.size)) > 1:
        picture = picture.resize((max(1, round(picture.width * larger)), max(1, round(picture.height * larger))))
    side = max(picture.size)
    scaled = objects.xyxy * (side / max(image_size(path)))
    draw_boxes(picture, classes, Detections(scaled, objects.scores, objects.class_ids), words, font_px=side // 24)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=90, subsampling=0)
    return data.getvalue()


@st.cache_data(show_spinner=False, max_entries=200)
def _undrawn(path: Path) -> bytes | None:
    """Kept beside `drawn`, for large photos take long to decode."""
    return smaller(path, DRAWN[1])


def _sliders(usual: float) -> tuple[float, float]:
    """The score threshold, which begins at the usual one, and the IoU of NMS, which begins at the task's setting."""
    config = _config()
    row = st.container(horizontal=True)
    threshold = row.slider(
        say("점수", "Score"), min(LOWEST, usual), 0.95, usual, 0.01,
        width=360,
        help=say(
            "모델이 이 점수보다 확신하는 상자만 셉니다. 내리면 놓친 것을 더 찾지만 잘못 본 것도 섞이고, 올리면 확실한 "
            "것만 남습니다. 모델은 다시 돌지 않습니다.",
            "Only boxes that the model is surer of than this count. Lower finds more, wrong ones among them; higher "
            "leaves the sure ones. The model does not run again.",
        ),
        key="detect-score",
    )  # fmt: skip
    with row.expander(say("자세히", "Details"), icon=":material/tune:", width=360):
        iou = st.slider(
            say("겹침 (NMS IoU)", "Overlap (NMS IoU)"), 0.0, 1.0, config.nms_iou, 0.05,
            help=say(
                "같은 것을 가리키는 상자 둘이 이보다 많이 겹치면 점수가 높은 하나만 셉니다. 하나를 두 번 세면 내리고, "
                "붙어 있는 것을 빠뜨리면 올려 보세요.",
                "Of two boxes of one prompt that overlap by more than this, the better one counts. Lower it where one "
                "thing counts twice; raise it where neighbours are missed.",
            ),
            key="detect-iou",
        )  # fmt: skip
    return threshold, iou


def _gallery(found: Found, counted: "Sequence[Detections | None]", table: pd.DataFrame) -> None:
    """The photos with their boxes, some at a time, each with its counts."""
    seen = [
        (sample, objects, row[1:])
        for (sample, _), objects, row in zip(found.photos, counted, table.itertuples(index=False), strict=True)
        if objects is not None
    ]
    pages = -(-len(seen) // A_PAGE)
    place = st.container()
    chosen = st.pagination(pages, key=f"detect-pages-{st.session_state[RUN]}") if pages > 1 else 1
    words = {english.text: prompt for prompt, english in found.prompts.items()}
    with place, st.grid(min_column_width=256 if len(seen) > 2 else 512, gap="small"):
        for sample, objects, counts in seen[(chosen - 1) * A_PAGE : chosen * A_PAGE]:
            said = [f"{prompt} {count}" for prompt, count in zip(found.prompts, counts, strict=True) if count]
            picture = drawn(sample.path, found.classes, words, objects)
            if picture is not None:
                caption = f"{sample.id} · {', '.join(said) or say('없음', 'none')}"
                st.image(picture, plain(caption), width="stretch", alt=caption)


def _table(found: Found, table: pd.DataFrame) -> None:
    """The counts of all photos. Columns have names of our own, for visitors may ask for a `photo`, too."""
    names = [f"count-{number}" for number in range(len(found.columns))]
    shown = pd.DataFrame(table.iloc[:, 1:].to_numpy(), columns=names)
    shown.insert(0, "photo", [data_url(thumbnail(sample.path, IN_TABLE)) for sample, _ in found.photos])
    shown["image"] = table.iloc[:, 0]
    st.dataframe(
        shown,
        hide_index=True,
        row_height=64,
        column_config={
            "photo": st.column_config.ImageColumn(say("사진", "Photo"), width=88),
            **{
                name: st.column_config.NumberColumn(prompt)
                for name, prompt in zip(names, found.prompts, strict=True)
            },
            "image": st.column_config.TextColumn(say("파일", "File")),
        },
    )  # fmt: skip


def _advice(prompts: Sequence[str], config: "DetectConfig", error: InputError) -> str:
    """Why the prompts cannot be used, for a visitor, who has no command line."""
    from pipelines.detect.prompts import unknown_words
    from pipelines.detect.settings import vocabulary

    words = vocabulary(config)
    if wrong := [prompt for prompt in prompts if not words.usable(prompt)]:
        return say(
            f"찾을 수 없는 말: {', '.join(wrong)}. 한 가지를 가리키는 한국어나 영어 낱말로 적어 주세요.",
            f"These cannot be looked for: {', '.join(wrong)}. Give words for one thing each, in Korean or English.",
        )
    if unknown := unknown_words(prompts, words):
        return say(
            f"영어로 옮기지 못한 말: {', '.join(unknown)}. 더 흔한 말이나 영어로 적어 주세요.",
            f"No English found for: {', '.join(unknown)}. Try a commoner word, or English.",
        )
    return say(f"모델이 모르는 말입니다. 다른 말로 적어 주세요. ({error})", f"The model cannot read this: {error}")


def _config() -> "DetectConfig":
    from pipelines.detect.settings import DetectConfig

    config: DetectConfig = task_config(demo_config().detect, DetectConfig)
    return config
