"""Every published settings file at hand is read by the library and by us, or is refused for a reason that is listed."""

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
import torch
import transformers
from jinja2.ext import loopcontrols
from transformers import AutoConfig, AutoImageProcessor, GenerationConfig

from pipelines.core.images.preprocess import PreprocessSpec, spec_of_timm
from pipelines.core.networks.pictures import ProcessorPictures, SpecPictures, pictures_of
from pipelines.core.networks.translate import rules_of
from pipelines.detect.models.grounding_dino.model import PAD_MULTIPLE

HUB = Path(__file__).parents[3] / "shared/data/hub"
FILES = [str(path.relative_to(HUB)) for path in sorted(HUB.rglob("*.json"))]

pytestmark = [
    pytest.mark.skipif(not FILES, reason=f"the published settings files are not at hand: there is no {HUB}"),
    pytest.mark.filterwarnings("ignore"),
]

FOREIGN = {
    "microsoft/Phi-3.5-vision-instruct/preprocessor_config.json": "auto_map names an image processor of its own code",
    "microsoft/Phi-4-multimodal-instruct/preprocessor_config.json": "auto_map names an image processor of its own code",
    "microsoft/Phi-3.5-vision-instruct/processor_config.json": "auto_map names a processor of its own code",
    "naver-hyperclovax/HyperCLOVAX-SEED-Vision-Instruct-3B/processor_config.json": "auto_map names its own code",
}
"""What the library refuses without the repository's own code, which is never run."""

OWN = {
    "google/gemma-3-4b-it/preprocessor_config.json": "counts the crops of a picture besides",
    "HuggingFaceTB/SmolVLM-Instruct/preprocessor_config.json": "splits a picture into tiles",
    "HuggingFaceTB/SmolVLM2-256M-Video-Instruct/preprocessor_config.json": "splits a picture into tiles",
    "Qwen/Qwen2-VL-2B-Instruct-AWQ/preprocessor_config.json": "its size is an area; gives patches, not pictures",
    "Qwen/Qwen2-VL-2B-Instruct/preprocessor_config.json": "its size is an area; gives patches, not pictures",
    "Qwen/Qwen2.5-VL-3B-Instruct/preprocessor_config.json": "its size is an area; gives patches, not pictures",
    "Qwen/Qwen3-VL-4B-Instruct/preprocessor_config.json": "its size is an area; gives patches, not pictures",
    "Qwen/Qwen3.5-4B/preprocessor_config.json": "its size is an area; gives patches, not pictures",
    "facebook/sam-vit-base/preprocessor_config.json": "pads to a fixed square",
    "google/owlv2-base-patch16-ensemble/preprocessor_config.json": "pads to a square before it resizes",
}
"""What no PreprocessSpec gives: there the library's own processor runs."""

VIDEO = ("video_processor/", "video_preprocessor_config.json")
ONLY_JSON = ("added_tokens.json", "open_clip_config.json", "processor_config.json", "special_tokens_map.json")
ONLY_JSON += ("tokenizer_config.json", "video_preprocessor_config.json")
"""Read with others that are not at hand (vocabularies, networks): here they are JSON objects and no more."""


def named(*names: str) -> list[str]:
    return [file for file in FILES if Path(file).name in names and not any(part in file for part in VIDEO)]


def content(file: str) -> dict[str, Any]:
    found = json.loads((HUB / file).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def is_timm(file: str) -> bool:
    return "architecture" in content(file)


def test_every_file_is_of_a_kind_that_is_swept():
    swept = {*named("preprocessor_config.json", "config.json", "generation_config.json", "chat_template.json")}
    rest = [file for file in FILES if file not in swept and not any(part in file for part in VIDEO)]
    assert {Path(file).name for file in rest} <= {*ONLY_JSON}
    assert len(FILES) >= 100


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_a_json_object(file):
    assert content(file)


@pytest.mark.parametrize("file", named("preprocessor_config.json"))
def test_an_image_processor(file):
    """Loads in the library, and prepares pictures in our way."""
    folder = (HUB / file).parent
    if file in FOREIGN:
        with pytest.raises(ValueError, match="custom code"):
            AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)
        return
    image_processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)
    padded = "GroundingDino" in type(image_processor).__name__
    pictures = pictures_of(image_processor, folder, PAD_MULTIPLE if padded else None)
    assert isinstance(pictures, ProcessorPictures if file in OWN else SpecPictures)
    for size_hw in ((75, 101), (640, 427)):
        image = torch.randint(256, (3, *size_hw), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        theirs = image_processor(images=[image], return_tensors="pt")
        ours = pictures.inputs(pictures.one(image), torch.float32)
        for name in ours.keys() & theirs.keys():
            found = ours[name]
            if padded:
                height, width = theirs[name].shape[-2:]
                found = found[..., :height, :width]
            torch.testing.assert_close(found.float(), theirs[name].float(), atol=0.02, rtol=0)  # Pillow rounds


@pytest.mark.parametrize("file", named("processor_config.json", "tokenizer_config.json"))
def test_the_classes_that_are_named_exist(file):
    """Or are the repository's own code."""
    fields = content(file)
    names = [fields[key] for key in ("processor_class", "tokenizer_class") if fields.get(key)]
    unknown = [name for name in names if not hasattr(transformers, name)]
    assert bool(unknown) == (file in FOREIGN) == ("auto_map" in fields)


@pytest.mark.parametrize("file", [file for file in named("config.json") if not is_timm(file)])
def test_a_networks_settings(file):
    config = AutoConfig.from_pretrained((HUB / file).parent, trust_remote_code=False)
    assert config.model_type == content(file)["model_type"]


@pytest.mark.parametrize("file", [file for file in named("config.json") if is_timm(file)])
def test_timms_settings(file):
    published = content(file)["pretrained_cfg"]
    spec = spec_of_timm(published)
    assert isinstance(spec, PreprocessSpec)
    assert spec.crop_hw == tuple(published["input_size"][1:]) and list(spec.mean) == published["mean"]


@pytest.mark.parametrize("file", named("generation_config.json"))
def test_how_it_generates(file):
    """Our beam search takes over where it gives the same; what it does not know is left to the library."""
    rules = rules_of(GenerationConfig.from_pretrained((HUB / file).parent))
    assert (rules is not None) == file.startswith("facebook/nllb")


@pytest.mark.parametrize("file", named("chat_template.json"))
def test_a_chat_template(file):
    """Makes room for the picture and shows the question."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.globals["raise_exception"] = pytest.fail
    parts = [{"type": "image"}, {"type": "text", "text": "무엇이 보이나요?"}]
    asked = environment.from_string(content(file)["chat_template"]).render(
        messages=[{"role": "user", "content": parts}], add_generation_prompt=True, bos_token="<bos>"
    )
    assert "무엇이 보이나요?" in asked and ("image" in asked)
