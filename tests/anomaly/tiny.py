"""Makes small checkpoint folders of timm's networks with random weights, as the hub has such folders."""

from pathlib import Path

import timm
import torch
from timm.models import save_for_hf


def resnet(folder: Path) -> Path:
    """timm's smallest ResNet."""
    torch.manual_seed(7)
    save_for_hf(timm.create_model("test_resnet", num_classes=5), folder, safe_serialization=True)
    return folder
