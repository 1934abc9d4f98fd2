"""What graphics cards a machine has, as torch and the system see them."""

import os
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

NVIDIA = "0x10de"
"""Its number on the PCI bus."""
DISPLAY = "0x03"
"""How the class of a PCI device begins that is a graphics card, with or without a monitor."""


@dataclass(frozen=True)
class Card:
    """A card that torch sees."""

    name: str
    capability: tuple[int, int]
    """NVIDIA's compute capability, such as (7, 5) for a T4; of other makers' cards it says nothing."""
    memory: int
    """In bytes."""


@dataclass(frozen=True)
class CardFacts:
    """All that decides whether torch can use a card; where nothing else is said, a machine without one."""

    version: str
    """Of torch."""
    cuda: str | None
    """The CUDA that torch was built for; None where for none."""
    hip: str | None = None
    """The same of AMD's ROCm."""
    archs: tuple[str, ...] = ()
    """What torch has code for: `sm_80` is for cards of 8.0 to 8.9, `compute_80` can be translated for all from 8.0."""
    found: tuple[Card, ...] = ()
    """The cards that torch sees, in its order: the first is `cuda:0`."""
    failure: str = ""
    """What torch says of why it sees none; empty where there is no driver to ask about."""
    driver: str | None = None
    """The version of the NVIDIA driver that is loaded, empty where it is not told; None where none is loaded."""
    on_bus: bool = False
    """Whether an NVIDIA card is on the PCI bus."""
    visible: str | None = None
    """The variable CUDA_VISIBLE_DEVICES; None where it is not set."""

    @property
    def usable(self) -> list[int]:
        """The numbers of the cards for which torch has code."""
        return [number for number, card in enumerate(self.found) if self.hip or runs(card.capability, self.archs)]

    def native_bf16(self, card: Card) -> bool:
        """Whether the card multiplies bfloat16 itself; CUDA emulates it on others, slower than float32."""
        return self.hip is not None or card.capability >= (8, 0)


def runs(capability: tuple[int, int], archs: tuple[str, ...]) -> bool:
    """Whether code for `archs` runs on a card of that compute capability; True where nothing is known of the code.

    Binaries run on later cards of the same major version, PTX on all later ones, and neither on any but its own where
    its name ends with `a`: https://docs.nvidia.com/cuda/cuda-c-programming-guide/#binary-compatibility.
    """
    card = 10 * capability[0] + capability[1]
    codes = [found for arch in archs if (found := re.fullmatch(r"(sm|compute)_(\d+)([af]?)", arch))]
    for kind, number, only in (code.groups() for code in codes):
        of_code = int(number)
        if only == "a":
            fits = card == of_code
        elif kind == "compute" and not only:
            fits = card >= of_code
        else:
            fits = card // 10 == of_code // 10 and card >= of_code
        if fits:
            return True
    return not codes


@cache
def look(root: Path = Path("/")) -> CardFacts:
    """What this machine has; asks torch once a process, and the system by its files below `root` alone."""
    built = torch.version.cuda is not None or torch.version.hip is not None
    found = _found() if built else ()
    driver = driver_version(root)
    return CardFacts(
        version=torch.__version__,
        cuda=torch.version.cuda,
        hip=torch.version.hip,
        archs=tuple(torch.cuda.get_arch_list()),
        found=found,
        failure=_failure() if built and not found and driver is not None else "",
        driver=driver,
        on_bus=not found and driver is None and _on_bus(root),
        visible=os.environ.get("CUDA_VISIBLE_DEVICES"),
    )


def driver_version(root: Path) -> str | None:
    """The NVIDIA driver's version, empty where it is loaded and does not tell, None where none is loaded."""
    with suppress(OSError):
        told = re.search(r"Module(?: for \S+)?\s+(\d+(?:\.\d+)+)", (root / "proc/driver/nvidia/version").read_text())
        return told.group(1) if told else ""
    # Windows lends its driver to Linux, which then has no kernel module.
    return "" if (root / "usr/lib/wsl/lib/libcuda.so.1").exists() else None


def memory_bytes(device: torch.device) -> int:
    """All memory of a device: of a card its own, of anything else the machine's, or what this container may have."""
    if device.type == "cuda":
        return look().found[device.index or 0].memory
    return ram_bytes()


def ram_bytes(root: Path = Path("/")) -> int:
    """The machine's memory, or what this container may have of it."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # of control groups, version 2 and 1
        with suppress(OSError, ValueError):  # ValueError: `max`
            sizes.append(int((root / "sys/fs/cgroup" / name).read_text()))
    return min(sizes)


def _found() -> tuple[Card, ...]:
    """The cards that torch can start; it says in warnings of its own what `explain` says in one sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Without the first question, a driver that is too old would still count its cards.
        if not torch.cuda.is_available():
            return ()
        try:
            all_of = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
        except Exception:  # what CUDA's start may raise; `_failure` asks again
            return ()
    return tuple(Card(each.name, (each.major, each.minor), each.total_memory) for each in all_of)


def _failure() -> str:
    """What torch says when it is made to start CUDA; empty where that works."""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except Exception as error:
        return str(error)
    return ""


def _on_bus(root: Path) -> bool:
    for device in (root / "sys/bus/pci/devices").glob("*"):
        with suppress(OSError):
            if (device / "vendor").read_text().strip() == NVIDIA and (device / "class").read_text().startswith(DISPLAY):
                return True
    return False
