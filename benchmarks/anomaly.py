"""Times PatchCore against anomalib's, from JPEG files to a fitted model and from JPEG files to scores and maps.

Both have the same photos, architecture, weights, layers and share of patches, and start with the network loaded.
anomalib is run by its own Engine, without its visualizer and evaluator. Its coreset selection would take minutes on a
CPU: its fit is run with few picks and with some more, whose time tells that of the others.
"""

import argparse
import json
import logging
import multiprocessing
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.rows import Row, Timed, peak_memory, race, rest, this_device, write
from pipelines.anomaly.maps.heatmap import smooth
from pipelines.anomaly.models.detector import Anomaly, AnomalyDetector, Fitted, PatchExtractor
from pipelines.anomaly.models.features.backbone import Backbone, load_backbone
from pipelines.anomaly.models.patchcore.coreset import PROJECTED, coreset, project
from pipelines.anomaly.models.patchcore.model import CANDIDATES, NearestPatches, PatchCore
from pipelines.anomaly.pipeline import AnomalyPipeline
from pipelines.anomaly.settings import AnomalyConfig, FitConfig
from pipelines.core.config import DataConfig
from pipelines.core.images.samples import Sample
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.terminal import settle

NORMALS, TESTS = "train/good", "test/good"
LAYERS = ["layer2", "layer3"]  # strides 8 and 16
RATIO, SIDE, PHOTO_SIDE, BATCH = 0.1, 256, 700, 16
CPU_BATCH = 4  # ours on the CPU, and where `auto` starts: the maps of more photos leave its cache
FEW_PICKS, SOME_PICKS, MANY_TIMED = 20, 220, 10
MANY = 400
"""Photos of one more fit, which is timed once: what grows faster than their number shows there."""
LEVERS = {
    "fit": "the network: Winograd's products for 3x3 convolutions",
    "coreset": "picking on fewer projected dimensions, if the bank covers as well",
    "predict": "photos read at half their size where that is enough, if the rankings stay; then the network",
}
GOALS = {"fit": 20.0, "coreset": 50.0, ("cpu", 1): 3.0, ("cpu", 16): 1.5, ("gpu", 1): 5.0, ("gpu", 16): 2.0}


def draw_photos(folder: Path, count: int) -> list[Sample]:
    """`count` JPEGs of a square cloth, each with phase, light and grain of its own."""
    folder.mkdir(parents=True)
    across, down = np.meshgrid(np.arange(PHOTO_SIDE), np.arange(PHOTO_SIDE))
    paths = [folder / f"{number:04}.jpg" for number in range(count)]

    def draw(number: int) -> None:
        rng = np.random.default_rng(number)
        phase, light = rng.uniform(0, 20, 2), rng.uniform(0.8, 1.2)
        threads = np.sin((across + phase[0]) / 5) * np.sin((down + phase[1]) / 7) + np.sin((across + down) / 90)
        pixels = light * (110 + 35 * threads[..., None] * (1.0, 0.8, 0.6)) + rng.normal(0, 8, (*threads.shape, 3))
        cv2.imwrite(str(paths[number]), np.clip(pixels, 0, 255).astype(np.uint8))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(draw, range(count)))
    return [Sample(path.name, path) for path in paths]


def with_bilinear(checkpoint: Path) -> Path:
    """The same checkpoint, but photos are resized for it as anomalib resizes them."""
    path = checkpoint / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["pretrained_cfg"]["interpolation"] = "bilinear"
    path.write_text(json.dumps(config), encoding="utf-8")
    return checkpoint


class Peer:
    """anomalib's Patchcore with our backbone's weights, run by its Engine."""

    def __init__(self, backbone: Backbone, checkpoint: Path, folder: Path, device: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from anomalib.engine import Engine
            from anomalib.models import Patchcore
            from anomalib.models.components import KCenterGreedy
        for name in ("anomalib", "lightning", "lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self.folder, self.backbone = folder, backbone
        self.weights = load_file(checkpoint / "model.safetensors")
        self.accelerator = "gpu" if device == "gpu" else "cpu"
        self._engine, self._model, self._sampler = Engine, Patchcore, KCenterGreedy

    def model(self, ratio: float) -> Any:  # noqa: ANN401 - anomalib's
        """A new one, not fitted."""
        made = self._model(
            self.backbone.name, LAYERS, pre_trained=False, coreset_sampling_ratio=ratio, visualizer=False,
            evaluator=False,
        )  # fmt: skip
        network = made.model.feature_extractor.feature_extractor
        network.load_state_dict({name: self.weights[name] for name in network.state_dict()})
        return made

    def engine(self) -> Any:  # noqa: ANN401 - anomalib's
        """A new one: it holds to the model that it ran."""
        return self._engine(
            default_root_dir=self.folder, accelerator=self.accelerator, devices=1, logger=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip

    def fit(self, photos: Path, count: int, picks: int) -> int:
        """From files to a bank of `picks` patches."""
        from anomalib.data import Folder

        data = Folder(
            "photos", normal_dir=photos, train_batch_size=32, num_workers=0, test_split_mode="none",
            val_split_mode="none",
        )  # fmt: skip
        patches = count * (SIDE // 8) ** 2
        model = self.model((picks + 0.5) / patches)
        data.setup()
        self.engine().fit(model, train_dataloaders=data.train_dataloader())  # without validation: less work than usual
        if len(model.model.memory_bank) != picks:
            raise RuntimeError(f"expected anomalib to keep {picks} patches, found {len(model.model.memory_bank)}")
        return count

    def fitted(self, bank: Tensor) -> Any:  # noqa: ANN401 - anomalib's
        """A model with our bank."""
        model = self.model(RATIO)
        model.model.memory_bank = bank
        model._is_fitted = torch.tensor([True])
        return model.eval()

    def predict(self, model: Any, photos: Path, batch: int) -> list[float]:  # noqa: ANN401 - anomalib's
        """From files to raw scores and maps of the input's size."""
        from anomalib.data import PredictDataset
        from torch.utils.data import DataLoader

        dataset = PredictDataset(photos)
        loader = DataLoader(dataset, batch, collate_fn=dataset.collate_fn)
        found = self.engine().predict(model, dataloaders=loader)
        return [float(score) for each in found for score in each.pred_score.flatten()]

    def projected(self, embedding: Tensor) -> Tensor:
        """Features (N, D) as it projects them before it picks; (N, 1, D'), which it does not project again."""
        sampler = self._sampler(embedding, 2.5 / len(embedding))
        sampler.select_coreset_idxs()
        return sampler.features.unsqueeze(1)

    def picks(self, points: Tensor, timed: int) -> int:
        """How many picks it made among what `projected` gave: `timed`."""
        return len(self._sampler(points, (timed + 1.5) / len(points)).select_coreset_idxs()) - 1


class Ours:
    """The parts of a run of `anomaly`."""

    def __init__(self, checkpoint: Path, device: str, settings: FitConfig | None = None, side: int = SIDE) -> None:
        self.settings = settings or FitConfig(coreset=RATIO)
        self.runner_config = RunnerConfig(
            device="cuda" if device == "gpu" else "cpu", precision="fp32" if device == "cpu" else "auto",
            batch=CPU_BATCH if device == "cpu" else BATCH, progress=False,
        )  # fmt: skip
        self.checkpoint, self.runner = checkpoint, Runner(self.runner_config)
        self.backbone = load_backbone(str(checkpoint), size_hw=(side, side))
        self.method = PatchCore(self.settings, self.backbone)

    def extractor(self, count: int) -> Timed[Sample, Tensor]:
        """The BatchModel that gives what a fit on so many photos needs."""
        return Timed(PatchExtractor(self.backbone, self.method, count))

    def features(self, photos: Sequence[Sample], extractor: Timed[Sample, Tensor] | None = None) -> list[Tensor]:
        """What a fit needs of each photo, on the CPU."""
        outcomes = list(self.runner.run(extractor or self.extractor(len(photos)), photos, "features"))
        return [outcome.result for outcome in outcomes if outcome.result is not None]

    @torch.inference_mode()
    def fit(self, photos: Sequence[Sample], extractor: Timed[Sample, Tensor] | None = None) -> NearestPatches:
        """From files to a bank, as the pipeline fits on all normal images."""
        features = self.features(photos, extractor)
        return self.method.fitter(features, self.runner.device)(range(len(features)))

    def fit_with_threshold(self, tree: Path, photos: Sequence[Sample]) -> int:
        """From files to all that is fitted: the bank, and five others for the threshold."""
        data = DataConfig(images=tree, output=tree / "unused.csv")
        config = AnomalyConfig(data, str(self.checkpoint), fit=self.settings, runner=self.runner_config)
        AnomalyPipeline(config, Runner(self.runner_config)).fit()
        return len(photos)

    def predict(
        self, scorer: NearestPatches, photos: Sequence[Sample], timed: Timed[Sample, Anomaly] | None = None
    ) -> list[float]:
        """From files to raw scores; maps of the input's size are made too, as anomalib does."""
        detector = timed or self.detector(scorer)
        found = [outcome.result for outcome in self.runner.run(detector, photos, "score")]
        for each in found:
            assert each is not None and each.map is not None
            smooth(each.map, (SIDE, SIDE))
        return [each.score for each in found if each is not None]

    def detector(self, scorer: NearestPatches) -> AnomalyDetector:
        """The BatchModel that scores."""
        extractor = PatchExtractor(self.backbone, self.method)
        return AnomalyDetector(extractor, {"all": Fitted(scorer, 0.0, 2)}, lambda _: "all")

    def ceiling(self, scorer: NearestPatches, photos: Sequence[Sample], batch: int) -> Callable[[], int]:
        """Network and search alone on a batch that lies on the device."""
        detector = self.detector(scorer)
        prepared = detector.prepare(photos[:batch])
        prepared["images"] = prepared["images"].to(self.runner.device)

        def work() -> int:
            with torch.inference_mode():
                return len(detector.predict(prepared))

        return work


def fit_rows(
    ours: Ours, peer: Peer, tree: Path, photos: Sequence[Sample], repeats: int, device: str,
    pick_s: float | None = None, more: Sequence[Sample] = (),
) -> tuple[list[Row], float]:  # fmt: skip
    """Fits and the coreset alone; where there are `more` photos, fits with the threshold and on all of these, too.

    `pick_s`: seconds that one of anomalib's picks takes, where that is known; it is given, too. They depend on the
    number of patches alone, by which anomalib chooses the dimensions that it projects features to.
    """
    name, count = ours.backbone.name, len(photos)
    pictures = [each.flatten(0, 1).float().to(ours.runner.device) for each in ours.features(photos)]
    picks = round(RATIO * sum(map(len, pictures)))
    some = picks if device == "gpu" else min(picks, SOME_PICKS)
    contestants: dict[str, Callable[[], int]] = {
        "ours": lambda: len(photos) if ours.fit(photos) else 0,
        "few picks": partial(peer.fit, tree / NORMALS, count, FEW_PICKS),
        "coreset": partial(select, pictures, picks, ours.runner.device),
    }
    if pick_s is None:
        contestants["some picks"] = partial(peer.fit, tree / NORMALS, count, some)
    if more:
        contestants["with threshold"] = partial(ours.fit_with_threshold, tree, photos)
    rates = race(contestants, repeats, device, warm=pick_s is not None)  # a further network: its code has run
    timed, started = ours.extractor(count), time.perf_counter()
    with peak_memory(device) as peak:
        ours.fit(photos, timed)
    where = rest(timed, count, time.perf_counter() - started)
    fewest_s = count / rates["few picks"]
    how = "as with the first network"
    if pick_s is None:
        some_s = count / rates["some picks"]
        pick_s, how = (some_s - fewest_s) / (some - FEW_PICKS), f"as in one of {some_s:.1f} s with {some:,}"
    theirs = count / (fewest_s + (picks - FEW_PICKS) * pick_s)
    note = (
        f"anomalib's fit took {fewest_s:.1f} s with {FEW_PICKS} picks; its other {picks - FEW_PICKS:,} were added, "
        f"{1000 * pick_s:.1f} ms each, {how}"
    )
    work, fits = f"fit, {name}, {count} photos", "anomalib 2.7 Engine.fit"
    rows = [
        Row(work, fits, device, "images/s", rates["ours"], theirs, rates["ours"] / theirs, GOALS["fit"], None,
            peak.mb, repeats, note, where, LEVERS["fit"]),
        Row(f"coreset, {name}, {count} photos", "anomalib 2.7 KCenterGreedy", device, "picks/s", rates["coreset"],
            1 / pick_s, rates["coreset"] * pick_s, GOALS["coreset"], None, peak.mb, repeats,
            f"ours with its projection, anomalib's without; {some - FEW_PICKS} of its {picks:,} picks timed, {how}", "",
            LEVERS["coreset"]),
    ]  # fmt: skip
    if more:
        whole, why = rates["with threshold"], "anomalib does nothing for the five more fits that set our threshold"
        rows.append(
            Row(f"{work}, with five held-out fits", fits, device, "images/s", whole, theirs, whole / theirs, None,
                None, peak.mb, repeats, why)
        )  # fmt: skip
        rows.append(many_row(ours, peer, more, (fewest_s - FEW_PICKS * pick_s) / count, device))
    return rows, pick_s


@torch.inference_mode()
def select(pictures: Sequence[Tensor], picks: int, device: torch.device) -> int:
    """How many patches our coreset has, of features (P, D) of each picture."""
    return sum(map(len, coreset(project(pictures, PROJECTED, 0, device), RATIO, picks, 0)))


@torch.inference_mode()
def many_row(ours: Ours, peer: Peer, photos: Sequence[Sample], network_s: float, device: str) -> Row:
    """A fit on many photos: ours once, anomalib's by what a photo and a pick take of it."""
    count, timed, started = len(photos), ours.extractor(len(photos)), time.perf_counter()
    with peak_memory(device) as peak:
        features = ours.features(photos, timed)
        scorer = ours.method.fitter(features, ours.runner.device)(range(count))
    seconds = time.perf_counter() - started
    embedding = torch.cat([each.flatten(0, 1) for each in features]).float().to(ours.runner.device)
    del features
    picks, points = round(RATIO * len(embedding)), peer.projected(embedding)
    del embedding
    pick_s = 1 / race({"picks": partial(peer.picks, points, MANY_TIMED)}, 3, device)["picks"]
    theirs_s = count * network_s + picks * pick_s
    note = (
        f"a bank of {len(scorer.bank):,}; anomalib's time is computed: {1000 * network_s:.0f} ms a photo as measured "
        f"with fewer photos, and {picks:,} picks at {1000 * pick_s:.0f} ms, timed for {MANY_TIMED} on these features"
    )
    return Row(
        f"fit, {ours.backbone.name}, {count} photos", "anomalib 2.7 Engine.fit", device, "images/s", count / seconds,
        count / theirs_s, theirs_s / seconds, GOALS["fit"], None, peak.mb, 1, note, rest(timed, count, seconds),
        LEVERS["coreset"],
    )  # fmt: skip


def predict_rows(
    ours: Ours, peer: Peer, folder: Path, photos: Sequence[Sample], scorer: NearestPatches, repeats: int, device: str,
    warm: bool = False,
) -> list[Row]:  # fmt: skip
    """Scores and maps of photos: anomalib's default batch of one, and the best."""
    model = peer.fitted(scorer.bank.clone())
    mine = ours.predict(scorer, photos)
    theirs = peer.predict(model, folder, BATCH)
    worst = max(abs(a - b) / b for a, b in zip(mine, theirs, strict=True))
    contestants: dict[str, Callable[[], int]] = {
        "ours": lambda: len(ours.predict(scorer, photos)),
        "1": lambda: len(peer.predict(model, folder, 1)),
        "16": lambda: len(peer.predict(model, folder, BATCH)),
        **{f"ceiling {size}": ours.ceiling(scorer, photos, size) for size in (4, BATCH)},
    }
    rates = race(contestants, repeats, device, warm)
    timed, started = Timed(ours.detector(scorer)), time.perf_counter()
    with peak_memory(device) as peak:
        ours.predict(scorer, photos, timed)
    where = rest(timed, len(photos), time.perf_counter() - started)
    share = rates["ours"] / max(rate for name, rate in rates.items() if name.startswith("ceiling"))
    peer_name, work = "anomalib 2.7 Engine.predict, batch", f"predict, {ours.backbone.name}, {len(photos)} photos"
    note = (
        f"a bank of {len(scorer.bank):,} patches; scores differ by at most {100 * worst:.2g}% (theirs resizes floats)"
    )
    return [
        Row(work, f"{peer_name} {size}", device, "images/s", rates["ours"], rates[str(size)],
            rates["ours"] / rates[str(size)], GOALS[device, size], share, peak.mb, repeats, note,
            where, LEVERS["predict"])
        for size in (1, 16)
    ]  # fmt: skip


def growth(ours: Ours, photos: Sequence[Sample], counts: Sequence[int]) -> list[dict[str, float]]:
    """Seconds of our parts of a fit, and of predict, for growing numbers of photos."""
    found = []
    for count in counts:
        marks = [time.perf_counter()]
        with torch.inference_mode():
            features = ours.features(photos[:count])
            marks.append(time.perf_counter())
            scorer = ours.method.fitter(features, ours.runner.device)(range(count))
            marks.append(time.perf_counter())
        ours.predict(scorer, photos[:count])
        marks.append(time.perf_counter())
        network, selection, scoring = (1000 * (b - a) / count for a, b in pairwise(marks))
        found.append({
            "photos": count, "bank": len(scorer.bank), "network_ms_a_photo": round(network, 1),
            "coreset_ms_a_photo": round(selection, 1), "predict_ms_a_photo": round(scoring, 1),
        })  # fmt: skip
    return found


def peak_of_fit(checkpoint: Path, photos: Sequence[Sample], most: int, side: int) -> float:
    """The most memory (MB, resident) of a process that fits once on the CPU."""
    torch.set_num_threads(1)
    Ours(checkpoint, "cpu", FitConfig(coreset=RATIO, most=most), side).fit(photos)
    # Not ru_maxrss, in which a new process starts with its parent's.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def memory(checkpoint: Path, photos: Sequence[Sample], counts: Sequence[int], side: int = 330) -> dict[str, object]:
    """Peaks of fits in processes of their own: where counts[0] photos have all the candidates, and without a bound."""
    patches = (-(-side // 8)) ** 2
    bound = patches * counts[0] // CANDIDATES
    fits = [("bounded", bound, photos[:count]) for count in counts]
    fits.append(("unbounded", FitConfig().most, photos[: counts[-1]]))
    # A process for each fit; they run side by side, for it is not time that is measured.
    with ProcessPoolExecutor(len(fits), multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        started = [(name, processes.submit(peak_of_fit, checkpoint, few, most, side)) for name, most, few in fits]
    peaks: dict[str, list[float]] = {name: [] for name, _ in started}
    for name, fit in started:
        peaks[name].append(round(fit.result()))
    return {
        "photos": list(counts), "side": side, "candidates": bound * CANDIDATES, "peak_mb": peaks,
        "computed": at_full_size(4000, side),
    }  # fmt: skip


def at_full_size(photos: int, side: int) -> dict[str, float]:
    """GB that the default settings hold at most with wide_resnet50_2, computed: float32 on a CPU, 1,536 channels."""
    most, deep, projected = FitConfig().most, 4 * 1536, 4 * PROJECTED
    everything = photos * (-(-side // 8)) ** 2
    candidates = min(everything, CANDIDATES * most)
    return {
        "photos": photos,
        "without_bound_gb": round(everything * deep / 1e9, 1),
        "features_gb": round(candidates * deep / 1e9, 1),
        "projected_twice_and_active_gb": round(candidates * projected * 2.5 / 1e9, 1),
        "bank_twice_gb": round(2 * most * deep / 1e9, 1),
    }


def measure(
    names: Sequence[str], count: int, many: int, repeats: Sequence[int], root: Path
) -> tuple[list[Row], dict[str, Any]]:
    """All rows and, of the first network, what grows."""
    from tests.full_size import wide_resnet  # with transformers, which the processes of `memory` need not import

    device, rows, more, pick_s = this_device(), [], {}, None
    tree = root / "cloth"
    photos = draw_photos(tree / NORMALS, count)
    few = photos[: max(4, count // 3)]
    (tree / TESTS).mkdir(parents=True)
    for sample in few:
        (tree / TESTS / sample.path.name).hardlink_to(sample.path)
    crowd = draw_photos(root / "many", many)
    for number, (name, times) in enumerate(zip(names, repeats, strict=True)):
        torch.manual_seed(0)
        checkpoint = with_bilinear(wide_resnet(root / name, name))
        ours = Ours(checkpoint, device)
        peer = Peer(ours.backbone, checkpoint, root / "anomalib", device)
        known = None if device == "gpu" else pick_s
        fits, pick_s = fit_rows(ours, peer, tree, photos, times, device, known, () if number else crowd)
        rows += fits
        rows += predict_rows(ours, peer, tree / TESTS, few, ours.fit(photos), max(times, 2), device, bool(number))
        if not number:
            counts = [count // 4, count // 2, count]
            more = {
                "growth": growth(ours, photos, counts),
                "memory": memory(checkpoint, photos, [each // 2 for each in counts]),
            }
    return rows, more


def main() -> None:
    """Prints the rows and, where wanted, keeps them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=50, help="(%(default)s)")
    parser.add_argument("--many", type=int, default=MANY, help="photos of one more fit (%(default)s)")
    parser.add_argument("--networks", nargs="+", default=["resnet18", "wide_resnet50_2"], help="(%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a trial: resnet18, 12 photos, one repeat")
    parser.add_argument("--write", action="store_true", help="keep the rows in benchmarks/results")
    options = parser.parse_args()
    if options.quick:
        options.photos, options.many, options.networks = 12, 24, ["resnet18"]
    first, others = (1, 1) if options.quick else (3, 1 if this_device() == "cpu" else 3)
    repeats = [others if number else first for number in range(len(options.networks))]
    with tempfile.TemporaryDirectory() as root:
        rows, more = measure(options.networks, options.photos, options.many, repeats, Path(root))
    for row in rows:
        print(asdict(row))
    print(more)
    if options.write:
        print(write("anomaly", rows, **more))


if __name__ == "__main__":
    settle()
    main()
