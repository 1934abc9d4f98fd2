"""Tables that a visitor takes away."""

from typing import TYPE_CHECKING

import streamlit as st

from pipelines.demo.language import say

if TYPE_CHECKING:  # the first page does without
    import pandas as pd


def download_csv(table: "pd.DataFrame", name: str) -> None:
    """A button that gives the table as a submission: UTF-8 without BOM, LF, as the commands write it."""
    st.download_button(
        say("CSV 받기", "Download the CSV"),
        table.to_csv(index=False, lineterminator="\n").encode(),
        file_name=name,
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"download-{name}",
    )
