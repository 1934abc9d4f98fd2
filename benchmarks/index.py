"""Speed of `search index`, from JPEG files to the album, against the plain ways to make photos into vectors.

Peers: Pillow, Hugging Face's processor and the model one photo after the other, as a model's page shows it; and the
same in batches of 32, as sentence-transformers does it. Neither hashes files, makes thumbnails or keeps anything, as
ours does. All start with the network loaded. Photos are drawn: 12 megapixels as phones take them, and 640 pixels as
data sets have them. The networks are the bundled CLIP, whose own share is small, and CLIP ViT-B/32 with random weights,
on a CPU in bfloat16, too, against batches in bfloat16.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, AutoProcessor, CLIPConfig, CLIPImageProcessor, CLIPModel

from benchmarks import rows
from benchmarks.indexing import draw_photos
from benchmarks.rows import DTYPES, Precision, named
from pipelines.core.images.folders import list_images
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.batch_model import BatchModel, Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.search.album.indexing import index
from pipelines.search.settings import SearchConfig

MINI = Path("mini/weights/clip")
BATCH = 32
GOALS = {"cpu": {"one by one": 3.0, "in batches": 1.5}, "gpu": {"one by one": 20.0, "in batches": None}}
USUAL: dict[str, Precision] = {"cpu": "fp32", "gpu": "fp16"}
SMALL, TIMES = 640, 4
LEVER = "thumbnails, which the peers do not make, when they are first seen"

Item = TypeVar("Item")
Result = TypeVar("Result")
Made = TypeVar("Made")


class Loaded(Runner):
    """A Runner that keeps what it has loaded, as the peers do, and says how long its latest network took."""

    def __init__(self, precision: Precision = "fp32") -> None:
        super().__init__(RunnerConfig(precision=precision, progress=False))
        self.kept: dict[object, Any] = {}
        self.timed: rows.Timed[Any, Any] | None = None

    def keep(self, make: partial[Made]) -> Made:
        """What `make` gives, or gave before."""
        key = make.func, make.args
        if key not in self.kept:
            self.kept[key] = make()
        made: Made = self.kept[key]
        return made

    load = keep

    def run(
        self, model: BatchModel[Item, Result], items: Iterable[Item], stage: str = "run", **settings: bool
    ) -> Iterator[Outcome[Item, Result]]:
        """The outcomes, by a network that is timed."""
        self.timed = rows.Timed(model)
        return super().run(self.timed, items, stage, **settings)


class Plain:
    """A model's page on the hub, one photo at a time or in batches."""

    def __init__(self, checkpoint: Path, device: str, dtype: torch.dtype) -> None:
        self.device = "cuda" if device == "gpu" else "cpu"
        self.model = AutoModel.from_pretrained(checkpoint, dtype=dtype).eval().to(self.device)
        self.processor = AutoProcessor.from_pretrained(checkpoint)

    @torch.inference_mode()
    def vectors(self, paths: Sequence[Path], batch: int) -> Tensor:
        """Unit vectors, float32 (N, D)."""
        found = []
        for start in range(0, len(paths), batch):
            pictures = [Image.open(path).convert("RGB") for path in paths[start : start + batch]]
            inputs = self.processor(images=pictures, return_tensors="pt").to(self.device, self.model.dtype)
            found.append(self.model.get_image_features(**inputs).pooler_output.float().cpu())
        return F.normalize(torch.cat(found), dim=1)


def full_size(folder: Path) -> Path:
    """A checkpoint folder of CLIP ViT-B/32 with random weights; its texts are cut as the bundled one's."""
    torch.manual_seed(0)
    shutil.copytree(MINI, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json", "*processor*"))
    CLIPModel(CLIPConfig()).save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    return folder


def shrink(photos: Path, folder: Path, times: int) -> Path:
    """The photos at SMALL pixels, each several times."""
    folder.mkdir()
    for path in list_images(photos):
        picture = cv2.imread(str(path))
        height, width = picture.shape[:2]
        scale = SMALL / max(height, width)
        small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        for number in range(times):
            cv2.imwrite(str(folder / f"{number}_{path.name}"), small, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return folder


def compare(
    work: str, photos: Path, checkpoint: Path, repeats: int, precisions: Sequence[Precision]
) -> Iterator[rows.Row]:
    """A row a peer for each dtype that is ours, the usual one first; the loop is always in that; all take turns."""
    device, paths = rows.this_device(), list_images(photos)
    plain = {each: Plain(checkpoint, device, DTYPES[each]) for each in precisions}
    contestants: dict[str, Callable[[], int]] = {"one by one": partial(vectors, plain[precisions[0]], paths, 1)}
    runners = {each: Loaded(each) for each in precisions}
    with tempfile.TemporaryDirectory() as albums:
        config = SearchConfig(str(checkpoint), albums=Path(albums))

        def ours(runner: Loaded) -> int:
            return index(photos, config, fresh=True, runner=runner).photos

        for each in precisions:
            contestants[f"in batches, {each}"] = partial(vectors, plain[each], paths, BATCH)
            contestants[f"ours, {each}"] = partial(ours, runners[each])
        rates = rows.race(contestants, repeats, device)
        for each, runner in runners.items():
            started = time.perf_counter()
            with rows.peak_memory(device) as peak:
                ours(runner)
            seconds = time.perf_counter() - started
            assert runner.timed is not None
            rest = rows.rest(runner.timed, len(paths), seconds, made="files to pixels, thumbnails and hashes")
            mine, ceiling = rates[f"ours, {each}"], best_rate(checkpoint, device, each)
            for peer, rate in (("one by one", rates["one by one"]), ("in batches", rates[f"in batches, {each}"])):
                yield rows.Row(
                    work if each == precisions[0] else f"{work}, {named(each)}",
                    f"Pillow, processor, model, {peer}, {named(precisions[0] if peer == 'one by one' else each)}",
                    device, "photos/s", mine, rate, mine / rate, GOALS[device][peer], mine / ceiling, peak.mb, repeats,
                    rest=rest, lever=LEVER,
                )  # fmt: skip


def vectors(plain: Plain, paths: Sequence[Path], batch: int) -> int:
    """How many photos the peer has read."""
    return len(plain.vectors(paths, batch))


@cache
def best_rate(checkpoint: Path, device: str, precision: Precision) -> float:
    """Photos a second of the network alone, at its best batch."""
    images, _ = load_clip(checkpoint)
    runner = Runner(RunnerConfig(precision=precision, progress=False))
    images.module.to(runner.device, runner.dtype(images))
    picture = images.pictures.one(torch.randint(256, (3, SMALL, SMALL), dtype=torch.uint8))["pixels"]
    pixels = picture.repeat(BATCH, 1, 1, 1).to(runner.device)
    rates = []
    for batch in (1, 8, BATCH):

        def run(batch: int = batch) -> int:
            with torch.inference_mode():
                for start in range(0, len(pixels), batch):
                    images.predict({"pixels": pixels[start : start + batch]})
            return len(pixels)

        rates.append(rows.race({"network": run}, 3, device)["network"])
    return max(rates)


def main() -> None:
    """Prints the rows and, where wanted, keeps them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=16, help="of 12 megapixels; TIMES as many small ones")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="also keep them for docs/benchmarks.md")
    options = parser.parse_args()
    found: list[rows.Row] = []
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large"
        large.mkdir()
        draw_photos(large, options.photos)
        small = shrink(large, Path(folder) / "small", TIMES)
        usual = USUAL[rows.this_device()]
        networks: dict[str, tuple[Path, Sequence[Precision]]] = {
            "the bundled CLIP": (MINI, [usual]),
            "CLIP ViT-B/32": (full_size(Path(folder) / "clip"), [usual, "bf16"] if usual == "fp32" else [usual]),
        }
        for network, (checkpoint, precisions) in networks.items():
            for size, photos in (("12 megapixels", large), ("640 px", small)):
                for row in compare(f"photo index, {size}, {network}", photos, checkpoint, options.repeats, precisions):
                    print(f"{row.work}: {row.ours:.1f} against {row.peer_value:.1f} ({row.peer}), {row.ratio:.1f}x")
                    found.append(row)
    if options.write:
        print(rows.write("index", found))


if __name__ == "__main__":
    main()
