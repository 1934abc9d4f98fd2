"""What the demo runs on: the device, the models in memory, how fast they are, who waits."""

import resource
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pipelines.demo.language import say
from pipelines.demo.working import stage_name

if TYPE_CHECKING:  # torch takes seconds
    from pipelines.core.running.runner import Runner
    from pipelines.core.running.serving import Network


@st.fragment(run_every=3)
def page() -> None:
    """The figures, as they are now; looked at again every few seconds."""
    from pipelines.demo.serving import serving

    shared = serving()
    with st.grid(min_column_width=180):
        st.metric(say("장치", "Device"), _device(shared.runner), border=True)
        st.metric(say("기다리는 방문자", "Visitors waiting"), shared.waiting, border=True)
        st.metric(say("프로그램 메모리 (최대)", "Memory of the program (peak)"), _gigabytes(_peak()), border=True)
        for name, size in _device_memory(shared.runner).items():
            st.metric(name, _gigabytes(size), border=True)
    st.subheader(say("메모리에 있는 모델", "Models in memory"), anchor=False)
    _show_models(shared.networks)
    st.subheader(say("빠르기", "Speed"), anchor=False)
    _show_speed(shared.runner)


def _show_models(networks: "Sequence[Network]") -> None:
    models = [
        {
            "model": each.model,
            "checkpoint": each.checkpoint,
            "million": sum(weights.numel() for weights in each.module.parameters()) / 1e6,
            "dtype": str(next(each.module.parameters()).dtype).removeprefix("torch."),
        }
        for each in networks
    ]
    if not models:
        st.caption(say("아직 없습니다. 쓰는 쪽에서 열립니다.", "None yet: they load when a page needs them."))
        return
    st.dataframe(
        pd.DataFrame(models), hide_index=True,
        column_config={
            "model": say("모델", "Model"), "checkpoint": say("체크포인트", "Checkpoint"),
            "million": st.column_config.NumberColumn(say("매개변수 (백만)", "Million weights"), format="%.1f"),
            "dtype": say("수의 형식", "Precision"),
        },
    )  # fmt: skip


def _show_speed(runner: "Runner") -> None:
    stages = [
        {"stage": stage_name(each.name), "items": each.items, "speed": each.items_per_second, "failed": each.failed}
        for each in runner.reports
        if each.items
    ]
    if not stages:
        st.caption(say("아직 한 일이 없습니다.", "Nothing was done yet."))
        return
    st.dataframe(
        pd.DataFrame(stages), hide_index=True,
        column_config={
            "stage": say("일", "Work"), "items": say("개수", "Items"),
            "speed": st.column_config.NumberColumn(say("초당", "A second"), format="%.1f"),
            "failed": say("실패", "Failed"),
        },
    )  # fmt: skip


def _device(runner: "Runner") -> str:
    if runner.device.type == "cuda":
        return runner.device_name
    threads = runner.device_name.partition(",")[2].split()[0]
    return say(f"CPU, 스레드 {threads}개", f"CPU, {threads} threads")


def _device_memory(runner: "Runner") -> dict[str, int]:
    """What the networks hold of a GPU's memory, in bytes, and what is free of it; nothing on a CPU."""
    import torch

    if runner.device.type != "cuda":
        return {}
    free, total = torch.cuda.mem_get_info(runner.device)
    return {
        say("GPU 메모리 (사용)", "GPU memory (used)"): total - free,
        say("GPU 메모리 (남음)", "GPU memory (free)"): free,
    }


def _peak() -> int:
    """The most memory that the process had, in bytes; macOS counts it so, Linux in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
