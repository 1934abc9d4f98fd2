"""Speed of captioning, from JPEG files to English captions, against the plain ways to run BLIP.

Peers: Pillow, Hugging Face's processor and `generate` one photo after the other in float32, as the model's card shows
it; and the same in batches, in each dtype that the device is good at. All write captions of equal length, TOKENS, with
the same number of beams, by a network of BLIP-base's size with random weights. Photos are drawn, of 12 megapixels.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor

from benchmarks import rows
from benchmarks.indexing import draw_photos
from pipelines.caption.models import BlipCaptioner
from pipelines.core.images import Sample, list_images
from pipelines.core.runner import Runner, RunnerConfig
from tests import full_size

TOKENS = 20
BEAMS = (3, 1)
PHOTOS = {"cpu": 4, "gpu": 256}
BATCH = {"cpu": 4, "gpu": 64}
BEST_BATCH = {"cpu": 4, "gpu": 64}
"""For the network alone."""
DTYPES = {"cpu": (torch.float32, torch.bfloat16), "gpu": (torch.float16,)}
GOALS = {"cpu": {"one by one": 4.0, "in batches": 1.5}, "gpu": {"one by one": 40.0, "in batches": 3.0}}
ONE_BY_ONE = {"cpu": 1, "gpu": 16}
"""Photos that the loop is timed on: it takes as long for each, and longest of all."""
BFLOAT16_NOTE = "captions in bfloat16 are not always those of float32; ours are float32, equal token for token"


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


def compare(checkpoint: Path, paths: Sequence[Path], beams: int, repeats: int, batch: int) -> Iterator[rows.Row]:
    """A row a peer."""
    device = rows.this_device()
    samples = [Sample(path.name, path) for path in paths]
    captioner = BlipCaptioner(checkpoint, beams=beams, min_tokens=TOKENS, max_tokens=TOKENS)
    runner = Runner(RunnerConfig(batch=batch, progress=False))

    def ours() -> int:
        return sum(outcome.ok for outcome in runner.run(captioner, samples))

    def loop() -> int:
        return len(card.captions(paths[: ONE_BY_ONE[device]], 1, beams))

    def batched(plain: Plain) -> int:
        return len(plain.captions(paths, batch, beams))

    card = Plain(checkpoint, device, torch.float32)
    peers: dict[str, Callable[[], int]] = {"one by one, float32": loop}
    for dtype in DTYPES[device]:
        plain = card if dtype == torch.float32 else Plain(checkpoint, device, dtype)
        peers[f"in batches of {batch}, {str(dtype).removeprefix('torch.')}"] = partial(batched, plain)
    with rows.peak_memory(device) as peak:
        ours()
    rates = rows.race(
        {"ours": ours, "network": network_alone(captioner, runner, samples, BEST_BATCH[device]), **peers},
        repeats,
        device,
    )
    for name in peers:
        yield rows.Row(
            f"BLIP-base, {beams} beam{'s' * (beams > 1)}", f"Pillow, processor, generate, {name}", device, "photos/s",
            rates["ours"], rates[name], rates["ours"] / rates[name], GOALS[device][name.split(",")[0].split(" of")[0]],
            rates["ours"] / rates["network"], peak.mb, repeats, note(name, device),
        )  # fmt: skip


def network_alone(captioner: BlipCaptioner, runner: Runner, samples: Sequence[Sample], batch: int) -> Callable[[], int]:
    """Our `predict` on pictures that are on the device already."""
    captioner.module.to(runner.device, runner.dtype(captioner))
    pixels = captioner.prepare(samples)["pixels"].to(runner.device)

    @torch.inference_mode()
    def work() -> int:
        return sum(len(captioner.predict({"pixels": part})) for part in pixels.split(batch))

    return work


def note(peer: str, device: str) -> str:
    """What a reader has to know of a peer."""
    if "one by one" in peer:
        return f"the loop's speed is that of {ONE_BY_ONE[device]} of the photos"
    return BFLOAT16_NOTE if "bfloat16" in peer else ""


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
