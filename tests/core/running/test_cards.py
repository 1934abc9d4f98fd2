"""What torch and the system say of a machine's cards, read from files such as drivers write them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipelines.core.running.cards import Card, CardFacts, driver_version, look, memory_bytes, ram_bytes, runs
from pipelines.core.running.device import choose

PYPI = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
"""torch 2.15.0 of PyPI for x86-64, as torch.cuda.get_arch_list() gives it."""
CU126 = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")
"""The same for CUDA 12.6, as torch.cuda.PYTORCH_RELEASES_CODE_CC says."""


@pytest.mark.parametrize(
    ("capability", "archs", "expected"),
    [
        ((7, 5), PYPI, True),  # T4
        ((8, 0), PYPI, True),  # A100
        ((8, 6), PYPI, True),  # RTX 3090
        ((8, 9), PYPI, True),  # L4, RTX 4090: by the code for 8.6
        ((9, 0), PYPI, True),  # H100, H200
        ((10, 3), PYPI, True),  # B300
        ((12, 0), PYPI, True),  # RTX 5090
        ((12, 1), PYPI, True),  # GB10
        ((7, 0), PYPI, False),  # V100
        ((7, 0), CU126, True),
        ((6, 1), PYPI, False),  # GTX 1080
        ((6, 1), CU126, True),
        ((12, 0), CU126, False),
        ((12, 0), (*CU126, "compute_90"), True),  # PTX is translated for what came later
        ((8, 9), ("compute_90",), False),
        ((8, 0), ("sm_86",), False),
        ((9, 0), ("sm_90a",), True),
        ((12, 0), ("compute_90a",), False),
        ((10, 3), ("sm_100f",), True),
        ((12, 0), ("compute_100f",), False),
        ((7, 5), (), True),  # nothing is known
        ((9, 0), ("gfx942",), True),
    ],
)
def test_which_code_runs_on_which_card(capability, archs, expected):
    assert runs(capability, archs) == expected


@pytest.mark.parametrize(
    ("text", "version"),
    [
        # Of the driver whose kernel module is closed, of the open one, and of one for Arm, as people publish them.
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
         "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n", "535.104.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  "
         "(dvs-builder@U22-I3-B17-02-5)  Tue Sep 23 09:55:41 UTC 2025\n", "580.95.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.65.06  Release Build\n", "580.65.06"),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.135  Fri Jan 10 20:00:00 UTC 2025", "550.135"),
        ("something else", ""),
    ],
)  # fmt: skip
def test_the_driver_tells_its_version(tmp_path, text, version):
    write(tmp_path / "proc/driver/nvidia/version", text)
    assert driver_version(tmp_path) == version


def test_a_driver_that_windows_lends_and_none_at_all(tmp_path):
    assert driver_version(tmp_path) is None
    write(tmp_path / "usr/lib/wsl/lib/libcuda.so.1", "")
    assert driver_version(tmp_path) == ""


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine's card is found by torch")
@pytest.mark.parametrize(
    ("vendor", "kind", "expected"),
    [("0x10de", "0x030000", True), ("0x10de", "0x030200", True), ("0x10de", "0x040300", False),
     ("0x1002", "0x030000", False)],
)  # fmt: skip
def test_a_card_without_a_driver_is_seen_on_the_bus(tmp_path, vendor, kind, expected):
    """A card with and without a monitor, a card's sound, and an AMD card."""
    write(tmp_path / "sys/bus/pci/devices/0000:01:00.0/vendor", f"{vendor}\n")
    write(tmp_path / "sys/bus/pci/devices/0000:01:00.0/class", f"{kind}\n")
    write(tmp_path / "sys/bus/pci/devices/0000:00:01.0/vendor", "0x8086\n")
    assert look(tmp_path).on_bus is expected


@pytest.mark.parametrize(("limit", "size"), [("max\n", None), ("8000000000\n", 8_000_000_000), (None, None)])
def test_a_container_has_the_memory_that_it_may_have(tmp_path, limit, size):
    if limit:
        write(tmp_path / "sys/fs/cgroup/memory.max", limit)
    whole = ram_bytes(tmp_path / "nowhere")
    assert whole > 10**9
    assert ram_bytes(tmp_path) == min(whole, size or whole)
    assert memory_bytes(torch.device("cpu")) == ram_bytes()


@pytest.mark.skipif(
    torch.cuda.is_available() or torch.version.cuda is None, reason="torch's CUDA would start, or is none"
)
def test_what_torch_itself_says_is_understood(tmp_path):
    """A driver's file, as a container shows that of its host, and no libcuda beside it."""
    write(tmp_path / "proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  999.1  Mon Jan 1")
    (word,) = choose("auto", facts=replace(look(tmp_path), visible=None)).words
    assert word.startswith("this runs on the CPU: the NVIDIA driver 999.1 is loaded, but its libcuda.so.1 is not here")


def test_amd_cards_are_all_usable_and_have_bfloat16():
    card = Card("AMD Instinct MI300X", (9, 4), 192 * 10**9)
    facts = CardFacts("2.15.0+rocm7.2", None, hip="7.2", archs=("gfx90a", "gfx942"), found=(card,))
    assert facts.usable == [0]
    assert facts.native_bf16(card)


def test_looking_warns_of_nothing_and_makes_no_context():
    """torch's own words for a card that it cannot use are many lines, and are said in one here."""
    program = (
        "import warnings; warnings.simplefilter('error')\n"
        "from pipelines.core.running.cards import look\n"
        "import torch; look(); print(torch.cuda.memory_allocated() if torch.cuda.is_available() else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
