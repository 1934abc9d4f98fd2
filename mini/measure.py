"""Measures the bundled models on fresh drawings, through the pipelines that everybody uses."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision
from transformers import CLIPModel, CLIPProcessor

from mini.draw_samples import detect_scene, distinct, save_image
from mini.draw_textures import save
from mini.textures import DEFECTS, TEXTURES, defect, texture
from mini.train_translator import ENGLISH, KOREAN, PARTICLES, in_digits, sentence_pair, with_particle
from mini.world import ENGLISH_NUMERALS, KINDS, Scene, korean_sentence, scene, sentence
from pipelines.anomaly.maps.heatmap import smooth
from pipelines.anomaly.pipeline import AnomalyPipeline
from pipelines.anomaly.settings import AnomalyConfig
from pipelines.anomaly.settings import samples as anomaly_samples
from pipelines.caption.pipeline import Caption, CaptionPipeline
from pipelines.caption.settings import CaptionConfig
from pipelines.caption.settings import samples as caption_samples
from pipelines.core.config import load_config
from pipelines.core.networks.translate import Translator
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.detect.pipeline import DetectPipeline
from pipelines.detect.settings import DetectConfig
from pipelines.detect.settings import samples as detect_samples

CONFIGS = Path("configs/mini")
NLLB, CLIP = Path("mini/weights/nllb"), Path("mini/weights/clip")
PROMPTED = 8  # kinds a prompt
MAP_THRESHOLD = 0.01  # mean average precision wants the unlikely boxes too
NORMALS, TESTED = 30, 80  # pictures of a texture
MOST_COUNTED = 6
QUIET = RunnerConfig(progress=False, batch=16)


@dataclass(frozen=True)
class Figure:
    """One measured value of a model: a share (0 to 1), seconds ("s") or megabytes ("MB"), and what it has to be.

    A share has to reach its goal; seconds and megabytes must not exceed it.
    """

    model: str
    name: str
    value: float
    goal: float | None = None
    unit: Literal["", "s", "MB"] = ""

    def __str__(self) -> str:
        return self._shown(self.value)

    @property
    def bar(self) -> str:
        """The goal in words, "" where there is none."""
        if self.goal is None:
            return ""
        return f"at {'most' if self.unit else 'least'} {self._shown(self.goal)}"

    def _shown(self, value: float) -> str:
        return f"{value:.3g} {self.unit}" if self.unit else f"{value:.1%}"


# --- caption


def caption(seed: int, count: int, folder: Path) -> list[Figure]:
    """English sentences against the truth, and what comes out in Korean after translation."""
    scenes = _saved(folder, (scene(rng) for rng in _rngs(f"caption {seed}", count)))
    config = load_config(CONFIGS / "caption.yaml", CaptionConfig, _data(folder / "images"))
    runner = Runner(config.runner)
    outcomes = CaptionPipeline(config, runner)(caption_samples(config))
    said = [(outcome.result or Caption(), Counter(scenes[outcome.item.id].kinds)) for outcome in outcomes]
    english = [(caption.english or "", truth) for caption, truth in said]
    return [
        Figure("BLIP", "sentence exact", _share(text == sentence(truth) for text, truth in english), 0.90),
        Figure("BLIP", "kinds and numbers exact", _share(counted(text) == truth for text, truth in english), 0.93),
        Figure("BLIP + NLLB", "Korean exact", _share(each.korean == korean_sentence(truth) for each, truth in said)),
        Figure("BLIP + NLLB", "a caption", _seconds(runner) / count, 0.15, "s"),
    ]


def counted(said: str) -> Counter[str]:
    """What a sentence of the mini world says is there; words that it cannot hold are left out."""
    names = {word: kind.name for kind in KINDS.values() for word in (kind.name, kind.plural)}
    numbers = {"a": 1, "an": 1} | {word: 2 + index for index, word in enumerate(ENGLISH_NUMERALS)}
    found: Counter[str] = Counter()
    for number, name in re.findall(r"(\w+) (\w+)", re.sub(r", | and ", "  ", said)):
        found[names.get(name, "")] += numbers.get(number, 0)
    return found


# --- translation


def translation(seed: int, count: int) -> list[Figure]:
    """Sentences both ways; every noun of the mini world by itself, with each particle, and counted."""
    pairs = [sentence_pair(Random(f"translation {seed} {index}")) for index in range(count)]
    back = [(korean, english) for english, korean in pairs]
    nouns = [(kind.korean, kind.name) for kind in KINDS.values()]
    particled = [(with_particle(korean, *particle), name) for korean, name in nouns for particle in PARTICLES]
    counts = [Counter({name: number}) for name in KINDS for number in range(1, MOST_COUNTED + 1)]
    counters = [(korean_sentence(each), sentence(each)) for each in counts]
    digits = [(in_digits(korean), english) for korean, english in counters]
    return [
        Figure("NLLB", "captions to Korean exact", _translated(pairs, ENGLISH, KOREAN), 0.98),
        Figure("NLLB", "captions to English exact", _translated(back, KOREAN, ENGLISH)),
        Figure("NLLB", "nouns to English", _translated(nouns, KOREAN, ENGLISH), 1.0),
        Figure("NLLB", "nouns with particles (강아지가)", _translated(particled, KOREAN, ENGLISH), 1.0),
        Figure("NLLB", "nouns with counters (강아지 두 마리)", _translated(counters, KOREAN, ENGLISH), 1.0),
        Figure("NLLB", "nouns with digits (강아지 2마리)", _translated(digits, KOREAN, ENGLISH), 1.0),
    ]


def _translated(pairs: Sequence[tuple[str, str]], source: str, target: str) -> float:
    """The share of texts that become exactly their translation."""
    outcomes = Runner(QUIET).run(Translator(NLLB, source, target), [text for text, _ in pairs])
    return _share(outcome.result == truth for outcome, (_, truth) in zip(outcomes, pairs, strict=True))


# --- detect


def detect(seed: int, count: int, folder: Path) -> list[Figure]:
    """Counts and boxes, every kind being asked for: the kinds shuffled into prompts, each with its share of scenes."""
    kinds = Random(f"prompts {seed}").sample(list(KINDS), len(KINDS))
    prompts = [kinds[first : first + PROMPTED] for first in range(0, len(kinds), PROMPTED)]
    precision = MeanAveragePrecision(box_format="xyxy", backend="pycocotools")
    right: dict[bool, list[bool]] = {True: [], False: []}  # whether the kind is there -> whether its count is exact
    seconds, pictures = 0.0, count // len(prompts)
    for number, prompt in enumerate(prompts):
        here = folder / str(number)
        scenes = _saved(here, (detect_scene(rng, prompt) for rng in _rngs(f"detect {seed} {number}", pictures)))
        settings = {**_data(here / "images"), "prompts": prompt, "boxes": None}
        config = load_config(CONFIGS / "detect.yaml", DetectConfig, settings)
        runner = Runner(config.runner)
        pipeline = DetectPipeline(config, runner)
        for outcome in pipeline(detect_samples(config)):
            (row,) = pipeline.rows(outcome.item, outcome.result)
            truth = Counter(scenes[outcome.item.id].kinds)
            for kind in prompt:
                right[truth[kind] > 0].append(row[kind] == truth[kind])
        seconds += _seconds(runner)
        unlikely_too = load_config(CONFIGS / "detect.yaml", DetectConfig, settings | {"box_threshold": MAP_THRESHOLD})
        for outcome in DetectPipeline(unlikely_too, runner)(detect_samples(config)):
            found = outcome.result
            labels = torch.tensor([kinds.index(prompt[place]) for place in found.class_ids], dtype=torch.int64)
            truths = _boxes(scenes[outcome.item.id], prompt, kinds)
            precision.update([{"boxes": found.xyxy, "scores": found.scores, "labels": labels}], [truths])
    average = precision.compute()
    return [
        Figure("Grounding DINO", "count exact where present", _share(right[True]), 0.90),
        Figure("Grounding DINO", "count zero where absent", _share(right[False]), 0.97),
        Figure("Grounding DINO", "mAP50", average["map_50"].item(), 0.85),
        Figure("Grounding DINO", "mAP", average["map"].item(), 0.60),
        Figure("Grounding DINO", "a picture, 8 prompts", seconds / (len(prompts) * pictures), 0.15, "s"),
    ]


def _boxes(drawn: Scene, prompt: Sequence[str], kinds: Sequence[str]) -> dict[str, Tensor]:
    """The asked objects' boxes (N, 4) xyxy and their kinds' places in `kinds` (N,), as torchmetrics takes them."""
    asked = [(box, kinds.index(kind)) for box, kind in zip(drawn.boxes, drawn.kinds, strict=True) if kind in prompt]
    return {
        "boxes": torch.tensor([box for box, _ in asked], dtype=torch.float32).view(-1, 4),
        "labels": torch.tensor([label for _, label in asked], dtype=torch.int64),
    }


# --- search


def search(seed: int, count: int) -> list[Figure]:
    """How often a sentence finds its own scene first among `count` that all differ; in Korean by translation."""
    scenes = distinct((scene(rng) for rng in _rngs(f"search {seed}")), count)
    truths = [Counter(each.kinds) for each in scenes]
    korean = [korean_sentence(truth) for truth in truths]
    outcomes = Runner(QUIET).run(Translator(NLLB, KOREAN, ENGLISH), korean)
    translated = [outcome.result or "" for outcome in outcomes]
    return [
        Figure("CLIP", "recall@1 in English", recall_at_1(scenes, [sentence(truth) for truth in truths]), 0.85),
        Figure("CLIP + NLLB", "recall@1 in Korean", recall_at_1(scenes, translated), 0.80),
    ]


@torch.inference_mode()
def recall_at_1(scenes: Sequence[Scene], texts: Sequence[str], folder: Path = CLIP) -> float:
    """The share of texts that rank the scene of the same place first among all scenes."""
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    processor = CLIPProcessor.from_pretrained(folder)
    images = [each.image for each in scenes]
    inputs = processor(text=list(texts), images=images, padding="max_length", return_tensors="pt")
    first = model(**inputs).logits_per_text.argmax(1)
    return float((first == torch.arange(len(scenes))).double().mean())


# --- anomaly


def anomaly(seed: int, folder: Path) -> list[Figure]:
    """Image and pixel AUROC of the pipeline on each texture, all defects in turn."""
    figures = []
    for name in TEXTURES:
        masks = draw_inspection(name, seed, folder / name)
        given = _data(folder / name) | {"save_maps": None}
        config = load_config(CONFIGS / "anomaly.yaml", AnomalyConfig, given)
        pipeline = AnomalyPipeline(config, Runner(config.runner))
        outcomes = list(pipeline(anomaly_samples(config)))
        scores = [outcome.result.score for outcome in outcomes]
        maps = [smooth(outcome.result.map, pipeline.backbone.size_hw).numpy() for outcome in outcomes]
        truths = [masks[outcome.item.path.stem] for outcome in outcomes]
        image = roc_auc_score([truth.any() for truth in truths], scores)
        pixel = roc_auc_score(np.concatenate(truths, None), np.concatenate(maps, None))
        figures += [
            Figure("backbone + PatchCore", f"{name}, image AUROC", float(image), 0.97),
            Figure("backbone + PatchCore", f"{name}, pixel AUROC", float(pixel), 0.95),
        ]
    return figures


def draw_inspection(
    name: str, seed: int, folder: Path, normals: int = NORMALS, tested: int = TESTED
) -> dict[str, np.ndarray]:
    """Draw pictures of a texture to train/good and to test/all; the masks (H, W), bool, of the latter by file stem.

    Every second tested one has a defect.
    """
    masks = {}
    for index in range(normals + tested):
        rng = np.random.default_rng([seed, index])  # two numbers seed it in another way than one, as training has it
        image, mask = texture(name, rng), np.zeros((160, 160), bool)
        if index < normals:
            save(folder / "train/good" / f"{index:03d}.jpg", image)
            continue
        if index % 2:
            image, mask = defect(image, list(DEFECTS)[index // 2 % len(DEFECTS)], rng)
        save(folder / "test/all" / f"{index:03d}.jpg", image)
        masks[f"{index:03d}"] = mask
    return masks


# --- sizes


def sizes(folder: Path) -> list[Figure]:
    """Megabytes of each model's folder and of all."""
    models = sorted(path for path in folder.iterdir() if path.is_dir())
    megabytes = [sum(file.stat().st_size for file in model.rglob("*") if file.is_file()) / 1e6 for model in models]
    figures = [Figure(model.name, "size", size, None, "MB") for model, size in zip(models, megabytes, strict=True)]
    return [*figures, Figure("all models", "size", sum(megabytes), 40, "MB")]


def _data(images: Path) -> dict[str, object]:
    """A folder of pictures in place of the samples, without a bar of progress."""
    return {"data.images": images, "data.sample_submission": None, "runner.progress": False}


def _seconds(runner: Runner) -> float:
    return sum(report.seconds for report in runner.reports)


def _rngs(name: str, count: int | None = None) -> Iterator[Random]:
    """`count` of them, or without end. Seeded by a text, they draw nothing that the numbers of trainings do."""
    numbers = itertools.count() if count is None else range(count)
    return (Random(f"{name} {number}") for number in numbers)


def _saved(folder: Path, scenes: Iterable[Scene]) -> dict[str, Scene]:
    """The scenes by the names that their pictures got in `folder`/images."""
    return {save_image(drawn, folder, index): drawn for index, drawn in enumerate(scenes)}


def _share(hits: Iterable[bool]) -> float:
    return float(np.mean(list(hits)))
