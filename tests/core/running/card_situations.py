"""Machines with and without cards, and what is to be said of each whose card is not used."""

from pipelines.core.running.cards import Card, CardFacts

GB = 10**9
T4 = Card("Tesla T4", (7, 5), 16 * GB)
V100 = Card("Tesla V100-SXM2-16GB", (7, 0), 16 * GB)
L4 = Card("NVIDIA L4", (8, 9), 24 * GB)
GTX_1080 = Card("NVIDIA GeForce GTX 1080", (6, 1), 8 * GB)
RTX_5090 = Card("NVIDIA GeForce RTX 5090", (12, 0), 32 * GB)

TORCH = ("2.15.0+cu132", "13.2")
ARCHS = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
"""torch 2.15.0 of PyPI, as it says itself."""

# What torch raises, in its own words: c10/cuda/CUDAFunctions.cpp of pytorch/pytorch; the errors are CUDA's.
TOO_OLD = (
    "The NVIDIA driver on your system is too old (found version 12020). Please update your GPU driver by downloading "
    "and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx Alternatively, go to: "
    "https://pytorch.org to install a PyTorch version that has been compiled with your version of the CUDA driver."
)
NO_DRIVER = (
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from "
    "http://www.nvidia.com/Download/index.aspx"
)
NO_GPU = "No CUDA GPUs are available"
UNKNOWN = (
    "CUDA unknown error - this may be due to an incorrectly set up environment, e.g. changing env variable "
    "CUDA_VISIBLE_DEVICES after program start. Setting the available devices to be zero."
)
UNEXPECTED = (
    "Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices() that "
    "might have already set an error? Error "
)
MISMATCH = UNEXPECTED + "804: forward compatibility was attempted on non supported HW"
NOT_READY = UNEXPECTED + "802: system not yet initialized"
BUSY = (
    "CUDA call failed lazily at initialization with error: CUDA error: out of memory\n\nCUDA call was originally "
    "invoked at:\n\n  File ..."
)

ON_THE_CPU = {
    "no card": (CardFacts("2.15.0", None), None),
    "no card, and a torch with CUDA": (CardFacts(*TORCH, archs=ARCHS), None),
    "an Apple": (CardFacts("2.15.0", None), None),
    "an AMD card, and a torch for it": (CardFacts("2.15.0+rocm7.2", None, hip="7.2", archs=("gfx942",)), None),
    "a torch for AMD's cards, an NVIDIA card": (CardFacts("2.15.0+rocm7.2", None, hip="7.2", driver="580.1"), None),
    "a torch without CUDA": (
        CardFacts("2.15.0+cpu", None, driver="580.95.05"),
        "torch 2.15.0+cpu was built without CUDA, which the NVIDIA card here needs; `make clean setup` installs the "
        "build that has it",
    ),
    "a torch without CUDA, no driver": (
        CardFacts("2.15.0+cpu", None, on_bus=True),
        "torch 2.15.0+cpu was built without CUDA, which the NVIDIA card here needs; `make clean setup` installs the "
        "build that has it",
    ),
    "no driver": (
        CardFacts(*TORCH, archs=ARCHS, on_bus=True),
        "no driver is loaded for the NVIDIA card here; install NVIDIA's, version 580 or newer",
    ),
    "no driver, and a CUDA that came after this was written": (
        CardFacts("3.4.0", "19.1", archs=ARCHS, on_bus=True),
        "no driver is loaded for the NVIDIA card here; install NVIDIA's, the newest",
    ),
    "a driver that is too old": (
        CardFacts(*TORCH, archs=ARCHS, driver="535.104.05", failure=TOO_OLD),
        "the NVIDIA driver 535.104.05 (for CUDA 12.2) is too old for torch 2.15.0+cu132, which was built for CUDA "
        "13.2; update it to version 580 or newer, or install the torch that suits it: "
        "`uv pip install --reinstall --torch-backend=auto torch torchvision`",
    ),
    "a driver that is too old, in Windows": (
        CardFacts(*TORCH, archs=ARCHS, driver="", failure=TOO_OLD),
        "the NVIDIA driver (for CUDA 12.2) is too old for torch 2.15.0+cu132, which was built for CUDA 13.2; update "
        "it to version 580 or newer, or install the torch that suits it: "
        "`uv pip install --reinstall --torch-backend=auto torch torchvision`",
    ),
    "a driver that is too old by its version": (
        CardFacts("2.7.1+cu128", "12.8", archs=ARCHS, driver="470.256.02", failure="CUDA error: 35"),
        "the NVIDIA driver 470.256.02 is too old for torch 2.7.1+cu128, which was built for CUDA 12.8; update it to "
        "version 525 or newer, or install the torch that suits it: "
        "`uv pip install --reinstall --torch-backend=auto torch torchvision`",
    ),
    "a card that came before torch's code": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", found=(GTX_1080,)),
        "torch 2.15.0+cu132 has no code for NVIDIA GeForce GTX 1080 (sm_61), only for sm_75, sm_80, sm_86, sm_90, "
        "sm_100, sm_120; install an older torch or its build for an older CUDA, such as "
        "`uv pip install --reinstall --torch-backend=cu126 torch torchvision`",
    ),
    "a card that came after torch's code": (
        CardFacts("2.6.0+cu124", "12.4", archs=("sm_80", "sm_90"), driver="580.95.05", found=(RTX_5090,)),
        "torch 2.6.0+cu124 has no code for NVIDIA GeForce RTX 5090 (sm_120), only for sm_80, sm_90; install a newer "
        "torch",
    ),
    "a card that was hidden on purpose": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", failure=NO_GPU, visible=""), None),
    "a card that was hidden on purpose, otherwise": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", failure=NO_GPU, visible="-1"), None),
    "a card that was hidden by mistake": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", failure=NO_GPU, visible="1"),
        "CUDA_VISIBLE_DEVICES='1' names no card of this machine; unset it, or name one such as 0",
    ),
    "a container that was not given the card": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", failure=NO_DRIVER),
        "the NVIDIA driver 580.95.05 is loaded, but its libcuda.so.1 is not here; start a container with `--gpus "
        "all`, or install what of the driver is for computing",
    ),
    "a machine that has slept": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", failure=UNKNOWN),
        "CUDA does not start (unknown error), as happens once a machine has slept; restart it, or reload the module: "
        "`sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm`",
    ),
    "a driver that was updated under way": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.126.09", failure=MISMATCH),
        "CUDA does not start (Error 804: forward compatibility was attempted on non supported HW), for the driver's "
        "libraries and its kernel module are of two versions; restart the machine, as after an update of the driver",
    ),
    "another error of CUDA": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", failure=NOT_READY),
        "CUDA does not start (Error 802: system not yet initialized); see what `nvidia-smi` says, or restart the "
        "machine",
    ),
    "an error of several lines": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", failure=BUSY),
        "CUDA does not start (CUDA error: out of memory); see what `nvidia-smi` says, or restart the machine",
    ),
    "a driver without a card": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", failure=NO_GPU),
        "CUDA does not start (No CUDA GPUs are available); see what `nvidia-smi` says, or restart the machine",
    ),
    "no reason at all": (
        CardFacts(*TORCH, archs=ARCHS, driver="580.95.05"),
        "CUDA does not start; see what `nvidia-smi` says, or restart the machine",
    ),
}  # fmt: skip
"""Situation -> what there is, and what is said of it; None where it is nothing."""
