"""Every published checkpoint is found on the hub, loads, prepares pictures as the library does, and runs a batch."""

from pathlib import Path

import pytest
import timm
import torch
from torchvision.transforms import v2
from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer

from pipelines.anomaly.models.features.backbone import load_backbone
from pipelines.caption.models import load_captioner
from pipelines.core.images.decode import decode
from pipelines.core.images.preprocess import normalise, resize
from pipelines.core.images.samples import Sample
from pipelines.core.networks.checkpoints import resolve
from pipelines.core.networks.clip import SIGLIP, load_clip
from pipelines.core.networks.hub.download import Hub
from pipelines.core.networks.pictures import prepared
from pipelines.core.networks.translate import Translator
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.detect.boxes.detections import Query
from pipelines.detect.models import load_detector
from pipelines.search.models import load_judge
from pipelines.search.models.judge import Pair
from tests.published.facts import read_facts
from tests.published.hub import serving

ALL = read_facts()
TEXTS = ["a dog", "two cats and a car under the apple", "the red apple", "people standing next to a bus"]
LANGUAGES = {"nllb": ("eng_Latn", "kor_Hang"), "m2m100": ("en", "ko"), "opus": ("eng", "kor")}


def of(*tasks: str) -> pytest.MarkDecorator:
    found = [facts for facts in ALL if facts.task in tasks]
    assert found
    return pytest.mark.parametrize("facts", found, ids=lambda facts: facts.checkpoint)


@pytest.fixture(scope="module")
def folder_of(hub_root, tmp_path_factory):
    """The folder of a checkpoint, downloaded by the hub's own client."""
    cache = tmp_path_factory.mktemp("cache")
    with serving(hub_root) as hub:
        yield lambda facts: resolve(facts.checkpoint, Hub(hub.api(), cache))


def run(model, items):
    outcomes = list(Runner(RunnerConfig(device="cpu", batch=3, progress=False)).run(model, items))
    assert [outcome.error for outcome in outcomes] == [""] * len(items)
    return [outcome.result for outcome in outcomes]


def samples_of(photos: list[Path]) -> list[Sample]:
    return [Sample(path.name, path) for path in photos]


def assert_prepares_as(processor, pictures, photos):
    """Equal to the last bit but for what is padded behind."""
    for sample in samples_of(photos):
        theirs = processor(images=[decode(sample.path)], return_tensors="pt")
        ours = pictures.inputs(prepared(pictures, [sample]), torch.float32)
        height, width = theirs["pixel_values"].shape[-2:]
        assert torch.allclose(ours["pixel_values"][..., :height, :width], theirs["pixel_values"], atol=1e-6)
        for name in theirs.keys() - {"pixel_values", "pixel_mask"}:
            assert torch.equal(ours[name], theirs[name])


@of("caption")
def test_a_captioner_says_something_of_each_photo(facts, folder_of, photos):
    folder = folder_of(facts)
    captioner = load_captioner("auto", folder, {"max_tokens": 8, "min_tokens": 2})
    if hasattr(captioner, "pictures"):
        assert_prepares_as(AutoImageProcessor.from_pretrained(folder), captioner.pictures, photos)
    else:
        assert_chat_prepares_as_published(captioner, folder, photos)
    said = run(captioner, samples_of(photos))
    assert all(isinstance(each.text, str) and "<" not in each.text for each in said)
    assert all(each.text or each.cut for each in said)


def assert_chat_prepares_as_published(captioner, folder, photos):
    """Photos below a megapixel are seen as the processor's own chat would have them, behind the same words."""
    processor = AutoProcessor.from_pretrained(folder)
    for sample in samples_of(photos[:2]):
        image = decode(sample.path)
        words = [
            {"type": "image", "image": image},
            {"type": "text", "text": "이 사진을 한국어 한 문장으로 설명해 주세요."},
        ]
        known = {"enable_thinking": False} if "enable_thinking" in str(processor.chat_template) else {}
        theirs = processor.apply_chat_template(
            [{"role": "user", "content": words}], add_generation_prompt=True, tokenize=True, return_dict=True,
            return_tensors="pt", **known,
        )  # fmt: skip
        ours = captioner.prepare([sample])
        assert ours["input_ids"].tolist() == theirs["input_ids"].tolist()
        torch.testing.assert_close(ours["pixel_values"], theirs["pixel_values"], atol=1e-6, rtol=0)


@of("translation")
def test_a_translator_gives_what_generate_gives(facts, folder_of):
    folder = folder_of(facts)
    source, target = next(pair for name, pair in LANGUAGES.items() if name in facts.checkpoint)
    translator = Translator(folder, source, target, max_tokens=8)
    assert all(run(translator, TEXTS))
    translator.module.float()
    batch = translator.prepare(TEXTS)
    with torch.inference_mode():
        theirs = translator.module.generate(**batch, **translator.settings)
        ours = translator.tokens(batch)
    shorter = min(ours.shape[1], theirs.shape[1])
    assert torch.equal(ours[:, :shorter], theirs[:, :shorter])


@of("detect")
def test_a_detector_looks_at_each_photo(facts, folder_of, photos):
    folder = folder_of(facts)
    detector = load_detector("auto", folder, 0.0)
    assert_prepares_as(AutoImageProcessor.from_pretrained(folder), detector.pictures, photos)
    found = run(detector, [Query(sample, ("dog", "cat")) for sample in samples_of(photos)])
    assert all(len(each) and each.xyxy.isfinite().all() for each in found)


@of("search")
def test_photos_and_texts_have_the_librarys_vectors(facts, folder_of, photos, capsys):
    folder = folder_of(facts)
    images, texts = load_clip(folder)
    assert "texts are split" not in capsys.readouterr().err  # by the library's own class
    assert_prepares_as(AutoImageProcessor.from_pretrained(folder), images.pictures, photos)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    fixed = facts.model_type in SIGLIP
    said = [text.lower() for text in TEXTS] if fixed else TEXTS
    longest = {"padding": "max_length", "max_length": 64} if fixed else {"padding": True}
    ours, theirs = texts.prepare(TEXTS), tokenizer(said, return_tensors="pt", truncation=True, **longest)
    assert ours["input_ids"].tolist() == theirs["input_ids"].tolist()
    vectors = torch.stack([*run(images, samples_of(photos)), *run(texts, TEXTS)])
    assert vectors.norm(dim=1).sub(1).abs().max() < 1e-4
    assert (vectors @ vectors.T).fill_diagonal_(0).max() < 0.99999


@of("rerank")
def test_a_judge_tells_pairs_apart(facts, folder_of, photos):
    folder = folder_of(facts)
    judge = load_judge("itm", folder)
    assert_prepares_as(AutoImageProcessor.from_pretrained(folder), judge.pictures, photos)
    chances = run(judge, [Pair(path, "a dog") for path in photos])
    assert len(set(chances)) > 1 and all(0 <= chance <= 1 for chance in chances)


@of("anomaly")
def test_a_backbone_gives_maps_of_each_photo(facts, folder_of, photos):
    folder = folder_of(facts)
    size = 224 if "patch14" in facts.checkpoint else 256
    levels = {"out_indices": [2]} if "vit" in facts.checkpoint else {}
    backbone = load_backbone(str(folder), size_hw=(size, size), **levels)
    published = facts.settings["config.json"]["pretrained_cfg"]
    config = timm.data.resolve_data_config(pretrained_cfg=published)
    theirs = timm.data.create_transform(
        (3, size, size), interpolation=config["interpolation"], mean=config["mean"], std=config["std"], crop_pct=1.0,
        crop_mode="squash",
    )  # fmt: skip
    for path in photos:
        image = decode(path)
        ours = normalise(resize(image, backbone.spec).unsqueeze(0), backbone.spec, torch.float32)
        wanted = theirs(v2.functional.to_pil_image(image))
        assert (ours[0] - wanted).abs().mean() < 0.02  # timm resizes by Pillow, which rounds otherwise
    with torch.inference_mode():
        maps = backbone(ours)
    assert all(level.shape[0] == 1 and level.isfinite().all() and level.shape[-1] >= 8 for level in maps)
