"""Draws where a photo's score lies among those of normal photos."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from pipelines.demo.language import say

GREY, RED, BLUE = "#8a8f98", "#d64545", "#2f86d6"  # each at least 3:1 on the light and on the dark background
BINS = 20
HEIGHT = 280
"""Pixels."""


def score_chart(held_out: Sequence[float], threshold: float, score: float) -> alt.LayerChart | alt.FacetChart:
    """A histogram of the normal photos' held-out scores, with a line at the threshold and one at the photo's score."""
    normal, limit = say("정상 사진", "Normal photos"), say("문턱값", "Threshold")
    this = say("이 사진", "This photo")
    colour = alt.Color(
        "what:N",
        title=None,
        scale=alt.Scale(domain=[normal, limit, this], range=[GREY, RED, BLUE]),
        legend=alt.Legend(orient="top", symbolType="square", symbolStrokeWidth=0),
    )
    dashes = alt.Scale(domain=[limit, this], range=[[6, 4], [1, 0]])
    title = say("점수 (높을수록 이상)", "Score (higher is more anomalous)")
    counts, edges = np.histogram(held_out, BINS if len(held_out) > BINS else "auto")
    histogram = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "photos": counts, "what": normal})
    bars = (
        alt.Chart(histogram[histogram["photos"] > 0])
        .mark_bar(opacity=0.75, binSpacing=1)
        .encode(
            x=alt.X("from:Q", bin="binned", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(grid=False)),
            x2="to:Q",
            y=alt.Y("photos:Q", title=say("정상 사진 수", "Normal photos"), axis=alt.Axis(format="d", tickMinStep=1)),
            color=colour,
            tooltip=[alt.Tooltip("photos:Q", title=normal)],
        )
    )
    lines = (
        alt.Chart(pd.DataFrame({"score": [threshold, score], "what": [limit, this]}))
        .mark_rule(strokeWidth=3)
        .encode(
            x=alt.X("score:Q", title=title),
            color=colour,
            strokeDash=alt.StrokeDash("what:N", scale=dashes, legend=None),
            tooltip=[alt.Tooltip("what:N", title=" "), alt.Tooltip("score:Q", title=title, format=".2f")],
        )
    )
    return alt.layer(bars, lines).properties(height=HEIGHT)
