"""Anomalies: photos held against normal ones, with where and how much they differ."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pipelines.core.images.samples import Sample
from pipelines.demo.anomaly.inspection import (
    Inspection,
    Model,
    example_models,
    example_photos,
    inspect,
    kept_models,
    likelihood,
    own_model,
)
from pipelines.demo.anomaly.score_chart import score_chart
from pipelines.demo.language import plain, say
from pipelines.demo.pictures import data_url, preview, show_examples, thumbnail, upload_pictures
from pipelines.demo.serving import task_config
from pipelines.demo.settings import DemoConfig, demo_config
from pipelines.demo.tables import download_csv
from pipelines.demo.uploads import visitors_folder
from pipelines.demo.working import show_refused, working

if TYPE_CHECKING:  # it imports torch
    from pipelines.anomaly.models.detector import Anomaly

FOUND, OWN, RUN = "anomaly", "anomaly-own", "anomaly-run"
"""Session state: the latest inspection, the visitor's own models, and the run's number, which names its widgets."""
NEW = "new"
"""The choice to learn from one's own normal photos."""
EXAMPLES = {"weave": ("천", "Cloth"), "leather": ("가죽", "Leather")}
"""What the bundled categories are called; others have their folder's name."""
LARGE = 960
"""Longer side in pixels of the photo under the heatmap."""
NORMALS_SHOWN = 4
ROW, ROWS = 72, 8
"""Pixels of a row of the table, and how many are seen at once."""


def page() -> None:
    """The widgets, and what the latest inspection found."""
    settings = demo_config()
    normal, test = st.columns(2, gap="large")
    with normal:
        st.subheader(say("1. 정상 사진", "1. Normal photos"), anchor=False)
        model = choose_model(settings)
    with test:
        st.subheader(say("2. 검사할 사진", "2. Photos to inspect"), anchor=False)
        photos = choose_photos(settings, model)
    start = st.button(
        say("이상 찾기", "Look for anomalies"), type="primary", icon=":material/troubleshoot:",
        disabled=model is None or not photos,
    )  # fmt: skip
    if start and model:
        look(model, photos)
    show()


def choose_model(settings: DemoConfig) -> Model | None:
    """A kept model, a bundled one, or one of the visitor's own normal photos; None while those are too few."""
    examples = example_models(settings.samples / "anomaly", settings.fitted)
    folders = {model.folder for model in examples}
    kept = [model for model in kept_models(settings.fitted) if model.folder not in folders]
    own: list[Model] = st.session_state.setdefault(OWN, [])
    labels = {model.key: say(*EXAMPLES.get(model.category, (model.category,) * 2)) for model in examples}
    labels |= {model.key: " · ".join(dict.fromkeys([model.folder.name, model.category])) for model in kept}
    labels |= {model.key: say(f"내 모델 {number}", f"My model {number}") for number, model in enumerate(own, start=1)}
    labels[NEW] = say("내 정상 사진으로", "Normal photos of mine")
    models = {model.key: model for model in [*examples, *kept, *own]}
    chosen = st.pills(
        say("모델", "Model"), list(labels), default=next(iter(labels)), required=True, key="anomaly-model",
        format_func=lambda key: f":material/add_photo_alternate: {labels[key]}" if key == NEW else plain(labels[key]),
        label_visibility="collapsed",
    )  # fmt: skip
    if chosen == NEW:
        return _of_uploads()
    model = models[chosen]
    count = len(model.normals)
    if not count:
        st.caption(say("전에 배워 둔 모델입니다.", "This model was fitted before."))
    elif model.kept:
        st.caption(
            say(f"이 정상 사진 {count}장을 배워 두었습니다.", f"These {count} normal photos are learned already.")
        )
    else:
        st.caption(say(
            f"처음 누를 때 이 정상 사진 {count}장을 배웁니다. 그다음부터는 바로 봅니다.",
            f"The first click learns these {count} normal photos; after that, photos are scored at once.",
        ))  # fmt: skip
    preview({sample.id: sample.path for sample in model.normals[:NORMALS_SHOWN]}, count)
    return model


def _of_uploads() -> Model | None:
    normals = upload_pictures(
        "anomaly-normal", say("정상 사진만 끌어다 놓으세요 (2장 이상)", "Drop normal photos only (two or more)")
    )
    st.caption(say(
        "같은 물건을 같은 거리에서 찍은 정상 사진 20장쯤이 좋습니다. 많을수록 판정이 정확해집니다.",
        "Some 20 normal photos of the same thing from the same distance are good; more make a better verdict.",
    ))  # fmt: skip
    return own_model(normals, visitors_folder()) if normals and len(normals) >= 2 else None


def choose_photos(settings: DemoConfig, model: Model | None) -> list[Sample]:
    """The visitor's photos once there are any, else bundled ones of the model's category, where it is a bundled one."""
    photos = upload_pictures("anomaly")
    if photos is not None:
        return photos
    bundled = model is not None and model.folder.parent == settings.fitted and model.normals
    examples = example_photos(settings.samples / "anomaly" / model.category) if model and bundled else []
    if examples:
        show_examples(examples)
    else:
        st.caption(say("이 모델로 검사할 사진을 올려 주세요.", "Drop photos for this model to inspect."))
    return examples


def look(model: Model, photos: Sequence[Sample]) -> None:
    """Scores the photos; what is finished is kept, also where the visitor stops it."""
    inspection = Inspection(model)
    st.session_state.update({FOUND: inspection, RUN: st.session_state.get(RUN, 0) + 1})
    with working("anomaly") as runner:
        from pipelines.anomaly.settings import AnomalyConfig

        inspect(photos, task_config(demo_config().anomaly, AnomalyConfig), runner, visitors_folder(), inspection)
    own: list[Model] = st.session_state[OWN]
    if model.folder.parent == visitors_folder() and model.kept and model.key not in {each.key for each in own}:
        own.append(model)


@st.fragment
def show() -> None:
    """The photo that was chosen in the table, worst first, and the table; runs by itself, without the model."""
    inspection: Inspection | None = st.session_state.get(FOUND)
    if inspection is None:
        return
    show_refused(inspection.left_out, say("배우지 못한 정상 사진", "Normal photos that were not learned from"))
    show_refused(inspection.failed, say("검사하지 못한 사진", "Photos without a score"))
    if not inspection.found:
        return
    ordered, run = inspection.worst_first(), st.session_state[RUN]
    summary = st.empty()
    picture, facts = st.columns([5, 6], gap="large")
    with facts:
        verdict = st.container()
        threshold = choose_threshold(inspection, run)
    anomalous = sum(anomaly.score > threshold for _, anomaly in ordered)
    summary.subheader(
        say(f"사진 {len(ordered)}장 중 이상 {anomalous}장", f"{anomalous} of {len(ordered)} photos are anomalous"),
        anchor=False,
    )
    sample, anomaly = ordered[choose_row(ordered, threshold, run)]
    with picture:
        show_heatmap(sample, anomaly, inspection, threshold)
    with verdict:
        show_verdict(sample, anomaly, inspection, threshold)
    download_csv(inspection.submission(threshold), "anomaly.csv")


def choose_threshold(inspection: Inspection, run: int) -> float:
    """The score above which a photo is called anomalous: that of the normal photos until the visitor moves it."""
    key, fitted = f"anomaly-threshold-{run}", inspection.threshold
    scores = [anomaly.score for _, anomaly in inspection.found]
    highest = 1.05 * max([*scores, *inspection.held_out, fitted, 1e-6])
    threshold: float = st.slider(
        say("문턱값", "Threshold"), 0.0, highest, fitted, step=highest / 500, format="%.2f", key=key,
        help=say("점수가 이보다 높으면 이상입니다. 모델을 다시 돌리지 않습니다.",
                 "A photo that scores higher is anomalous; the model does not run again."),
    )  # fmt: skip
    over, count = sum(score > threshold for score in inspection.held_out), len(inspection.held_out)
    st.caption(say(
        f"정상 사진 {count}장 중 {over}장이 이 문턱값을 넘습니다.",
        f"{over} of {count} normal photos score above this threshold.",
    ))  # fmt: skip
    return threshold


def choose_row(ordered: "Sequence[tuple[Sample, Anomaly]]", threshold: float, run: int) -> int:
    """The table; the place in it of the photo to look at, at first the worst."""
    words = {True: say("이상", "Anomalous"), False: say("정상", "Normal")}
    table = pd.DataFrame(
        {
            "photo": [data_url(thumbnail(sample.path)) for sample, _ in ordered],
            "score": [anomaly.score for _, anomaly in ordered],
            "label": [words[anomaly.score > threshold] for _, anomaly in ordered],
            "image": [sample.id for sample, _ in ordered],
        }
    )
    st.caption(say("줄을 누르면 위에서 그 사진을 크게 봅니다.", "Press a row to see its photo above."))
    state = st.dataframe(
        table,
        hide_index=True,
        height="content" if len(table) <= ROWS else ROW * ROWS,
        row_height=ROW,
        column_config={
            "photo": st.column_config.ImageColumn(say("사진", "Photo"), width="small"),
            "score": st.column_config.ProgressColumn(
                say("점수", "Score"), format="%.2f", min_value=0.0, max_value=float(table["score"].max()) or 1.0
            ),
            "label": st.column_config.TextColumn(say("판정", "Verdict"), width="small"),
            "image": st.column_config.TextColumn(say("파일", "File"), width="medium"),
        },
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0]}},
        key=f"anomaly-table-{run}",
    )
    rows = state["selection"]["rows"]
    return int(rows[0]) if rows else 0


def show_heatmap(sample: Sample, anomaly: "Anomaly", inspection: Inspection, threshold: float) -> None:
    """The photo under its heatmap, as opaque as the visitor wants it."""
    place = st.empty()
    opacity = st.slider(
        say("히트맵 진하기", "Heatmap opacity"), 0, 100, 60, step=5, format="%d %%", key="anomaly-opacity"
    )
    photo = thumbnail(sample.path, LARGE)
    if photo is None or anomaly.map is None:
        return
    import numpy as np
    import torch
    from PIL import Image

    from pipelines.anomaly.maps.heatmap import draw, smooth

    pixels = torch.from_numpy(np.array(Image.open(io.BytesIO(photo)))).permute(2, 0, 1)
    drawn = draw(pixels, smooth(anomaly.map, inspection.size_hw), threshold, opacity / 100)
    place.image(drawn, channels="BGR", width="stretch", alt=sample.id)


def show_verdict(sample: Sample, anomaly: "Anomaly", inspection: Inspection, threshold: float) -> None:
    """The label, the score among those of normal photos, and the p-value in words."""
    from pipelines.anomaly.threshold import p_value

    with st.container(horizontal=True, vertical_alignment="center"):
        if anomaly.score > threshold:
            st.badge(say("이상", "Anomalous"), icon=":material/warning:", color="red")
        else:
            st.badge(say("정상", "Normal"), icon=":material/check:", color="green")
        st.markdown(f"**{plain(sample.id)}**", width="content")
        st.markdown(say("점수", "Score") + f" **{anomaly.score:.2f}**", width="content")
    if inspection.held_out:
        normals = inspection.held_out
        st.write(likelihood(p_value(anomaly.score, normals), len(normals)))
        st.altair_chart(score_chart(normals, threshold, anomaly.score))
