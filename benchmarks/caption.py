"""Speed of captioning, from JPEG files to English captions, against the plain ways to run BLIP.

Peers: Pillow, Hugging Face's processor and `generate` one photo after the other in float32, as the model's card shows
it; and the same in batches, in our dtype and, beside our usual one, in others that the device is good at. All write
captions of equal length, TOKENS, with the same number of beams, by a network of BLIP-base's size with random weights.
Photos are drawn, of 12 megapixels.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence, Sized
from functools import cache, partial
from pathlib import Path

import torch
from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor

from benchmarks import rows
from benchmarks.indexing import draw_photos
from benchmarks.rows import DTYPES, Precision, named
from pipelines.caption.models import load_captioner
from pipelines.caption.models.captioner import Captioner
from pipelines.core.images.folders import list_images
from pipelines.core.images.samples import Sample
from pipelines.core.running.batch_model import BatchModel
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from tests import full_size

TOKENS = 20
BEAMS = (3, 1)
PHOTOS = {"cpu": 8, "gpu": 256}
BATCH = {"cpu": 4, "gpu": 64}
BEST_BATCH = {"cpu": 4, "gpu": 64}
"""For the network alone."""
PRECISIONS: dict[str, list[Precision]] = {"cpu": ["fp32", "bf16"], "gpu": ["fp16"]}
"""What the device is good at, the usual one first."""
LOOP = "one by one, float32"
GOALS = {"cpu": {"one by one": 4.0, "in batches": 1.5}, "gpu": {"one by one": 40.0, "in batches": 3.0}}
TIMED = {"cpu": {"one by one": 1, "in batches": 4}, "gpu": {"one by one": 16, "in batches": 256}}
"""Photos that the peers are timed on: they take as long for each further one, or each further batch."""
BUNDLED, SAMPLES = Path("mini/weights/blip"), Path("samples/caption/images")
LEVERS: dict[Precision, str] = {
    "fp32": "bfloat16, for those who accept that a caption in it now and then is another",
    "bf16": "weights of eight bits for the decoder, which reads them all for every token",
    "fp16": "the decoder's step as a CUDA graph, so that the device does not wait for its launches",
}


class Plain:
    """The loop of the model's card, one photo at a time or in batches."""

    def __init__(self, checkpoint: Path, device: str, dtype: torch.dtype) -> None:
        self.device = "cuda" if device == "gpu" else "cpu"
        self.model = BlipForConditionalGeneration.from_pretrained(checkpoint, dtype=dtype).eval().to(self.device)
        self.processor = BlipProcessor.from_pretrained(checkpoint)

    @torch.inference_mode()
    def captions(self, paths: Sequence[Path], batch: int, beams: int) -> list[str]:
        """One caption per photo."""
        said = []
        for start in range(0, len(paths), batch):
            pictures = [Image.open(path).convert("RGB") for path in paths[start : start + batch]]
            inputs = self.processor(images=pictures, return_tensors="pt").to(self.device, self.model.dtype)
            tokens = self.model.generate(**inputs, num_beams=beams, min_length=TOKENS, max_length=TOKENS)
            said += self.processor.batch_decode(tokens, skip_special_tokens=True)
        return said


class Ours:
    """The captioner of the pipeline."""

    def __init__(self, captioner: Captioner, batch: int, precision: Precision) -> None:
        self.captioner = captioner
        self.runner = Runner(RunnerConfig(batch=batch, precision=precision, progress=False))
        self.dtype = self.runner.dtype(self.captioner)

    def captions(self, samples: Sequence[Sample], model: BatchModel[Sample, str] | None = None) -> list[str]:
        """One caption per photo; `model` is run in the captioner's place."""
        outcomes = self.runner.run(model or self.captioner, samples)
        return [outcome.result.text for outcome in outcomes if outcome.result is not None]

    def rest(self, samples: Sequence[Sample]) -> str:
        """Where the time of a run goes."""
        timed, started = rows.Timed(self.captioner), time.perf_counter()
        count = len(self.captions(samples, timed))
        return rows.rest(timed, count, time.perf_counter() - started)

    def network_alone(self, samples: Sequence[Sample], batch: int) -> Callable[[], list[str]]:
        """`predict` on pictures that are on the device already."""
        self.captioner.module.to(self.runner.device, self.dtype)
        pixels = self.captioner.prepare(samples)["pixels"].to(self.runner.device)

        @torch.inference_mode()
        def work() -> list[str]:
            return [said.text for part in pixels.split(batch) for said in self.captioner.predict({"pixels": part})]

        return work


def compare(checkpoint: Path, paths: Sequence[Path], beams: int, repeats: int, batch: int) -> Iterator[rows.Row]:
    """A row a peer, for each dtype that the captioner allows; all take turns."""
    device, samples = rows.this_device(), [Sample(path.name, path) for path in paths]
    settings = {"beams": beams, "min_tokens": TOKENS, "max_tokens": TOKENS}
    mine = {each: Ours(load_captioner("blip", checkpoint, settings), batch, each) for each in PRECISIONS[device]}
    card = Plain(checkpoint, device, torch.float32)
    loop = partial(card.captions, paths[: TIMED[device]["one by one"]], 1, beams)
    batches = paths[: TIMED[device]["in batches"]]
    contestants: dict[str, Callable[[], Sized]] = {LOOP: loop}
    for each, ours in mine.items():
        plain = card if each == "fp32" else Plain(checkpoint, device, DTYPES[each])
        contestants[f"in batches, {named(each)}"] = partial(plain.captions, batches, batch, beams)
        contestants[f"ours, {each}"] = partial(ours.captions, samples)
        alone = samples[: TIMED[device]["in batches"]]
        contestants[f"network, {each}"] = ours.network_alone(alone, BEST_BATCH[device])
    rates = rows.race({name: counted(work) for name, work in contestants.items()}, repeats, device)
    for each, ours in mine.items():
        rate = rates[f"ours, {each}"]
        with rows.peak_memory(device) as peak:
            rest = ours.rest(samples)
        for peer in peers_of(each, device):
            yield rows.Row(
                f"BLIP-base, {beams} beam{'s' * (beams > 1)}, {named(each)}", f"Pillow, processor, generate, {peer}",
                device, "photos/s", rate, rates[peer], rate / rates[peer], GOALS[device][peer.partition(",")[0]],
                rate / rates[f"network, {each}"], peak.mb, repeats, note(peer, device), rest, LEVERS[each],
            )  # fmt: skip


def peers_of(precision: Precision, device: str) -> list[str]:
    """The loop, batches of the same dtype and, beside our usual one, the first, batches of all others."""
    usual, *others = PRECISIONS[device]
    others = others if precision == usual else []
    return [LOOP, *(f"in batches, {named(each)}" for each in (precision, *others))]


def counted(work: Callable[[], Sized]) -> rows.Contestant:
    """The same, telling how many there are."""
    return lambda: len(work())


def note(peer: str, device: str) -> str:
    """What a reader has to know of a peer."""
    timed = f"its speed is that of {TIMED[device][peer.partition(',')[0]]} of the photos"
    return f"{timed}; {changed_by_bfloat16()}" if named("bf16") in peer else timed


@cache
def changed_by_bfloat16() -> str:
    """How many captions of the bundled samples bfloat16 changes."""
    samples = [Sample(path.name, path) for path in list_images(SAMPLES)]
    both: tuple[Precision, Precision] = ("fp32", "bf16")
    usual, near = (Ours(load_captioner("blip", BUNDLED, {}), 16, precision).captions(samples) for precision in both)
    changed = sum(a != b for a, b in zip(usual, near, strict=True))
    return f"bfloat16 changes {changed} of {len(samples)} captions of the bundled samples; float32's are transformers'"


def main() -> None:
    """Prints the rows and, where wanted, keeps them."""
    device = rows.this_device()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=PHOTOS[device])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="for a trial: one layer, 4 photos, one repeat")
    parser.add_argument("--write", action="store_true", help="also keep them for docs/benchmarks.md")
    options = parser.parse_args()
    photos, repeats, layers = (4, 1, 1) if options.quick else (options.photos, options.repeats, 12)
    found: list[rows.Row] = []
    with tempfile.TemporaryDirectory() as folder:
        draw_photos(Path(folder), photos)
        torch.manual_seed(0)
        checkpoint = full_size.blip(Path(folder) / "blip", layers)
        for beams in BEAMS:
            for row in compare(checkpoint, list_images(Path(folder)), beams, repeats, BATCH[device]):
                print(f"{row.work}: {row.ours:.2f} against {row.peer_value:.2f} ({row.peer}), {row.ratio:.1f}x, "
                      f"{row.ceiling_share:.2f} of the network alone")  # fmt: skip
                found.append(row)
    if options.write and not options.quick:
        print(rows.write("caption", found))


if __name__ == "__main__":
    main()
