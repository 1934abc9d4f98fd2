"""Speed of counting by words, from JPEG files to counts, against two ways to run Grounding DINO with transformers.

Peers: `pipeline("zero-shot-object-detection")`, which prepares and runs a photo once for each label; and the processor
and the model in batches, all labels joined to one prompt, as the model's card shows it. The network is Grounding
DINO-tiny at full size with random weights, the photos are drawn, of 12 megapixels, and a threshold is chosen that some
ten boxes a photo exceed.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from transformers import GroundingDinoForObjectDetection, GroundingDinoImageProcessor, GroundingDinoProcessor, pipeline

from benchmarks import rows
from benchmarks.indexing import draw_photos
from pipelines.core.images.folders import list_images
from pipelines.core.images.samples import Sample
from pipelines.core.running.batch_model import BatchModel
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.detect.boxes.counting import count, suppress
from pipelines.detect.boxes.detections import Detections, Query
from pipelines.detect.models.grounding_dino.model import GroundingDino
from tests import full_size

NOUNS = ["dog", "cat", "person", "car", "photo"]
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
NAMES = tuple([*NOUNS, *LETTERS, *(f"{noun} {letter}" for noun in NOUNS for letter in LETTERS)][:80])
"""80 classes of 211 tokens; COCO's 80 have 195."""
BOXES = 10
NMS_IOU = 0.5
LEVERS = {
    "cpu": "bfloat16 for the backbone on processors that multiply it faster, if the boxes stay where they are",
    "gpu": "deformable attention as one kernel, which keeps what it samples out of the device's memory",
}
PIPELINE, JOINED = "pipeline, one label at a time", "processor and model, one prompt of all labels"


@dataclass(frozen=True)
class Case:
    """What is asked of all."""

    names: tuple[str, ...]
    """The classes."""
    shortest: int
    """Pixels; the real processor has 800."""
    photos: int
    batch: int
    """Of ours and of the joined prompt; on the CPU 1, at which the latter is fastest."""
    goals: dict[str, float]
    timed: tuple[int, int]
    """Photos and labels by which the pipeline's time is told: it is the same for each."""


CASES = {
    "cpu": [
        Case(NAMES[:5], 800, 1, 1, {PIPELINE: 4.5, JOINED: 1.3}, (1, 1)),
        Case(NAMES, 480, 1, 1, {PIPELINE: 40, JOINED: 1.3}, (1, 1)),
    ],
    "gpu": [
        Case(NAMES[:5], 800, 64, 16, {PIPELINE: 10, JOINED: 2}, (8, 5)),
        Case(NAMES, 800, 64, 16, {PIPELINE: 60, JOINED: 2}, (4, 10)),
    ],
}
QUICK = [Case(NAMES[:5], 320, 2, 2, {PIPELINE: 4.5, JOINED: 1.3}, (1, 1))]


def make_checkpoint(folder: Path) -> Path:
    """Grounding DINO-tiny with random weights, its scores between 0 and 1 instead of at both ends."""
    full_size.grounding_dino(folder)
    network = GroundingDinoForObjectDetection.from_pretrained(folder, dtype=torch.float16)
    with torch.no_grad():
        network.model.encoder.layers[-1].text_enhancer_layer.layer_norm_after.weight.mul_(0.05)
    network.save_pretrained(folder)
    return folder


class Peers:
    """Grounding DINO as transformers has it, in the device's best dtype for boxes."""

    def __init__(self, checkpoint: Path, device: str, names: Sequence[str], threshold: float) -> None:
        self.device = "cuda" if device == "gpu" else "cpu"
        self.dtype = torch.float16 if device == "gpu" else torch.float32
        model = GroundingDinoForObjectDetection.from_pretrained(checkpoint, dtype=self.dtype)
        self.model = model.eval().to(self.device)
        self.processor = GroundingDinoProcessor.from_pretrained(checkpoint)
        self.pipeline = pipeline(
            "zero-shot-object-detection", model=self.model, tokenizer=self.processor.tokenizer,
            image_processor=self.processor.image_processor, device=self.device,
        )  # fmt: skip
        self.names, self.threshold = names, threshold

    def label_by_label(self, paths: Sequence[Path], labels: int) -> int:
        """Of how many photos: all of them, with the first so many labels."""
        for path in paths:
            self.pipeline(str(path), candidate_labels=list(self.names[:labels]), threshold=self.threshold)
        return len(paths)

    @torch.inference_mode()
    def joined(self, paths: Sequence[Path], batch: int) -> int:
        """Of how many photos."""
        prompt = " ".join(f"{name}." for name in self.names)
        for start in range(0, len(paths), batch):
            photos = [Image.open(path).convert("RGB") for path in paths[start : start + batch]]
            inputs = self.processor(images=photos, text=[prompt] * len(photos), return_tensors="pt").to(self.device)
            output = self.model(**{**inputs, "pixel_values": inputs["pixel_values"].to(self.dtype)})
            self.processor.post_process_grounded_object_detection(
                output, inputs["input_ids"], self.threshold, target_sizes=[photo.size[::-1] for photo in photos]
            )
        return len(paths)


def compare(checkpoint: Path, paths: Sequence[Path], case: Case, repeats: int) -> Iterator[rows.Row]:
    """A row a peer."""
    device = rows.this_device()
    size = {"shortest_edge": case.shortest, "longest_edge": case.shortest * 1333 // 800}
    GroundingDinoImageProcessor(size=size).save_pretrained(checkpoint)
    paths, classes = paths[: case.photos], len(case.names)
    queries = [Query(Sample(path.name, path), case.names) for path in paths]
    runner = Runner(RunnerConfig(batch=case.batch, progress=False))
    detector = GroundingDino(checkpoint, 0.0)
    assert len(detector.text_passes(case.names)) == 1  # the peer's prompt, too, is one
    found = next(runner.run(detector, queries[:1])).result
    assert found is not None
    detector.threshold = float(found.scores.sort(descending=True).values[BOXES])
    peers = Peers(checkpoint, device, case.names, detector.threshold)
    photos, labels = case.timed

    def ours(model: BatchModel[Query, Detections] = detector) -> int:
        outcomes = list(runner.run(model, queries))
        counts = [count(suppress(each.result, NMS_IOU), classes) for each in outcomes if each.result is not None]
        return len(counts)

    with rows.peak_memory(device) as peak:
        ours()
    rates = rows.race(
        {
            "ours": ours,
            "network": network_alone(detector, runner, queries, case.batch),
            PIPELINE: lambda: peers.label_by_label(paths[:photos], labels),
            JOINED: lambda: peers.joined(paths, case.batch),
        },
        repeats,
        device,
    )
    rates[PIPELINE] *= labels / classes
    timed, started = rows.Timed(detector), time.perf_counter()
    rest = rows.rest(timed, ours(timed), time.perf_counter() - started)
    scaled = f"timed for {labels} of the {classes} labels, on {photos} photo{'s' * (photos > 1)}, and scaled"
    for name, goal in case.goals.items():
        yield rows.Row(
            f"Grounding DINO-tiny, {classes} classes, {case.shortest} px", name, device, "photos/s",
            rates["ours"], rates[name], rates["ours"] / rates[name], goal, rates["ours"] / rates["network"], peak.mb,
            repeats, scaled if name == PIPELINE and labels < classes else "", rest, LEVERS[device],
        )  # fmt: skip


def network_alone(detector: GroundingDino, runner: Runner, queries: Sequence[Query], batch: int) -> Callable[[], int]:
    """Our `predict` on pictures that are on the device already, in batches of the size that the others have."""
    detector.module.to(runner.device, runner.dtype(detector))
    starts = range(0, len(queries), batch)
    prepared = [detector.prepare(queries[start : start + batch]) for start in starts]
    batches = [
        {key: value.to(runner.device) if isinstance(value, torch.Tensor) else value for key, value in each.items()}
        for each in prepared
    ]

    @torch.inference_mode()
    def work() -> int:
        return sum(len(detector.predict(each)) for each in batches)

    return work


def main() -> None:
    """Prints the rows and, where wanted, keeps them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="for a trial: two photos of 320 px, one repeat")
    parser.add_argument("--write", action="store_true", help="also keep them for docs/benchmarks.md")
    options = parser.parse_args()
    cases, repeats = (QUICK, 1) if options.quick else (CASES[rows.this_device()], options.repeats)
    found: list[rows.Row] = []
    with tempfile.TemporaryDirectory() as folder:
        draw_photos(Path(folder), max(case.photos for case in cases))
        torch.manual_seed(0)
        checkpoint = make_checkpoint(Path(folder) / "grounding-dino")
        for case in cases:
            for row in compare(checkpoint, list_images(Path(folder)), case, repeats):
                print(f"{row.work}: {row.ours:.3g} against {row.peer_value:.3g} ({row.peer}), {row.ratio:.2f}x, "
                      f"{row.ceiling_share:.2f} of the network alone, {row.peak_mb:,.0f} MB")  # fmt: skip
                found.append(row)
    if options.write and not options.quick:
        print(rows.write("detect", found))


if __name__ == "__main__":
    main()
