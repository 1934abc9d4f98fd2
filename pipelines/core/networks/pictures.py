"""What a network takes of pictures: by a PreprocessSpec where one gives it, else by the checkpoint's own processor."""

import sys
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from pipelines.core.errors import CheckpointError
from pipelines.core.images.decode import decode, image_size
from pipelines.core.images.preprocess import PreprocessSpec, bucket, normalise, pad, resize, spec_of_processor
from pipelines.core.images.samples import Sample
from pipelines.core.running.batch_model import Batch

TRIAL_SIZES = ((61, 37), (37, 61))
"""(height, width) of the pictures that tell whether a processor gives all pictures one shape."""


class Pictures(Protocol):
    """How a network's pictures are prepared: `one` by a worker on the CPU, `inputs` on the device."""

    @property
    def spec(self) -> PreprocessSpec | None:
        """What is done, where it can be said; None where the checkpoint's own processor does it."""
        ...

    def shape_key(self, path: Path) -> Hashable:
        """Equal for files whose pictures may share a batch. Raises ImageError."""
        ...

    def one(self, image: Tensor) -> Batch:
        """CPU tensors (1, ...) of a picture, uint8 (3, H, W). Raises ImageError."""
        ...

    def inputs(self, batch: Batch, dtype: torch.dtype) -> dict[str, Tensor]:
        """What the network is called with, by its own names, of a batch of which `one`'s tensors are a part."""
        ...


@dataclass(frozen=True)
class SpecPictures:
    """By a spec: uint8 to the device, normalised there. `pixels` (B, 3, H, W), and `mask` (B, H, W) where padded."""

    spec: PreprocessSpec

    def shape_key(self, path: Path) -> Hashable:
        """None where all pictures get one size, else the size that this one gets."""
        return None if self.spec.fixed else bucket(image_size(path), self.spec)

    def one(self, image: Tensor) -> Batch:
        """The picture, resized and padded."""
        resized = resize(image, self.spec)
        if self.spec.pad_multiple is None:
            return {"pixels": resized.unsqueeze(0)}
        pixels, mask = pad([resized], self.spec)
        return {"pixels": pixels, "mask": mask}

    def inputs(self, batch: Batch, dtype: torch.dtype) -> dict[str, Tensor]:
        """`pixel_values`, and `pixel_mask` (int64, 1: picture) where padded."""
        mask: Tensor | None = batch.get("mask") if self.spec.pad_multiple is not None else None
        values = {"pixel_values": normalise(batch["pixels"], self.spec, dtype, mask)}
        return values if mask is None else values | {"pixel_mask": mask.long()}


@dataclass(frozen=True)
class ProcessorPictures:
    """By a Hugging Face image processor, one picture at a time, so that no picture's result depends on its batch."""

    processor: Any
    names: tuple[str, ...]
    """Of the tensors that it gives."""
    fixed: bool
    """Whether pictures of any size get tensors of one shape."""
    spec: None = None

    def shape_key(self, path: Path) -> Hashable:
        """None where all get one shape, else the file's own size, which decides the shape."""
        return None if self.fixed else image_size(path)

    def one(self, image: Tensor) -> Batch:
        """What the processor gives of the picture, floats as float32."""
        found = self.processor(images=[image], return_tensors="pt")
        return {name: found[name] for name in self.names}

    def inputs(self, batch: Batch, dtype: torch.dtype) -> dict[str, Tensor]:
        """The processor's tensors, floats in `dtype`."""
        own = {name: batch[name] for name in self.names}
        return {name: value.to(dtype) if value.is_floating_point() else value for name, value in own.items()}


def pictures_of(image_processor: Any, folder: Path, pad_multiple: int | None = None) -> Pictures:  # noqa: ANN401
    """How the pictures of the checkpoint in `folder` are prepared as its loaded image processor does it.

    A spec where it gives what the processor gives (`pad_multiple`: see `spec_of_processor`), else the processor itself,
    with a line on standard error. Raises CheckpointError for a processor that gives nothing of a picture.
    """
    try:
        return SpecPictures(spec_of_processor(image_processor, pad_multiple))
    except (CheckpointError, AttributeError, TypeError, ValueError) as error:  # settings may lack what a spec needs
        pictures = _of_processor(image_processor, folder)
        print(f"{folder}: pictures are prepared by the checkpoint's own processor, which is slower ({error})",
              file=sys.stderr)  # fmt: skip
        return pictures


def prepared(pictures: Pictures, samples: Iterable[Sample]) -> Batch:
    """The tensors (B, ...) of samples, decoded one by one: a whole batch of large pictures would take gigabytes."""
    return together([pictures.one(decode(sample.path)) for sample in samples])


def together(parts: Sequence[Batch]) -> Batch:
    """One batch of several: tensors (b, ...) of equal names and shapes -> (B, ...)."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _of_processor(image_processor: Any, folder: Path) -> ProcessorPictures:  # noqa: ANN401
    trials = [torch.zeros(3, *size_hw, dtype=torch.uint8) for size_hw in TRIAL_SIZES]
    try:
        found = [image_processor(images=[image], return_tensors="pt") for image in trials]
        tensors = [{name: value for name, value in each.items() if isinstance(value, Tensor)} for each in found]
    except Exception as error:  # it is the checkpoint's own code and settings: whatever it raises is its refusal
        raise CheckpointError(
            f"expected {type(image_processor).__name__} of {folder} to prepare a picture, but it fails: "
            f"{' '.join(str(error).split())[:300]}"
        ) from None
    shapes = [{name: value.shape for name, value in each.items()} for each in tensors]
    return ProcessorPictures(image_processor, tuple(tensors[0]), shapes[0] == shapes[1])
