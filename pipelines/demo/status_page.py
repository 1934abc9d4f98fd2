"""What the demo runs on: the device, the models in memory, how fast they are, who waits."""

import streamlit as st

from pipelines.demo.language import say


def page() -> None:
    """The figures, as they are now."""
    from pipelines.demo.serving import serving

    shared = serving()
    st.metric(say("장치", "Device"), shared.runner.device_name)
