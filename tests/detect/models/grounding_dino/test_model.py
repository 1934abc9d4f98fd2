import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.ops import box_iou
from transformers import AutoModelForZeroShotObjectDetection, GroundingDinoProcessor

from pipelines.core.errors import CheckpointError, InputError
from pipelines.core.images.samples import Sample
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.detect.boxes.detections import Detections, Query
from pipelines.detect.models.grounding_dino.model import SAME_OBJECT, GroundingDino, _best_of_passes
from tests import contract
from tests.detect.conftest import assert_same

CLASSES = ("dog", "traffic light")


@pytest.fixture(scope="module")
def dino(dino_folder) -> GroundingDino:
    return GroundingDino(dino_folder, 0.0)


@pytest.fixture(scope="module")
def folders(dino_folder, mm_folder, resnet_folder):
    return {"dino": dino_folder, "mm": mm_folder, "by library": resnet_folder}


def detect(detector, samples, classes=CLASSES, batch=4):
    runner = Runner(RunnerConfig(batch=batch, progress=False, device="cpu"))
    return list(runner.run(detector, [Query(sample, classes) for sample in samples]))


# --- the relatives, as test_contract.py has it of the first


@pytest.fixture(params=["mm", "by library"])
def relative(request, folders):
    return GroundingDino(folders[request.param], 0.3)


def test_a_relatives_boxes_are_the_same_alone_and_in_a_batch(relative, photos):
    alone = [detect(relative, [photo])[0].result for photo in photos]
    together = [outcome.result for outcome in detect(relative, photos, batch=8)]
    assert sum(map(len, alone)) > 10
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


def test_a_relatives_bad_picture_fails_alone(relative, photos, tmp_path):
    bad = contract.bad_picture(tmp_path)
    outcomes = detect(relative, [photos[0], Sample("bad", bad), photos[1]])
    assert [outcome.ok for outcome in outcomes] == [True, False, True]
    assert "bad.jpg" in outcomes[1].error


def test_a_relatives_numbers_that_overflow_are_no_detections(relative, photos):
    assert "overflowed" in contract.check_overflow(relative, Query(photos[0], CLASSES))


# --- all of them


def test_no_classes_no_passes(dino):
    assert dino.text_passes(()) == []


@pytest.mark.parametrize(
    "classes", [("dog",), ("Traffic  Light.",), ("dog", "bicycle", "red traffic light"), ("cats",)]
)
def test_tokens_are_those_of_the_whole_prompt(dino, classes):
    (text,) = dino.text_passes(classes)
    prompt = " ".join(f"{' '.join(name.lower().strip('.').split())}." for name in classes)
    assert text.input_ids.tolist() == [dino.tokenizer(prompt)["input_ids"]]
    for places, name in zip(text.class_tokens, classes, strict=True):
        own = [text.input_ids[0, place].item() for place in places.unique()]
        assert own == dino.tokenizer(name.strip("."), add_special_tokens=False)["input_ids"]


def test_classes_beyond_the_text_limit_go_into_further_passes(dino):
    names = ["dog", "red traffic light", "bicycle", "cat", "bird", "car", "cats"]
    passes = dino.text_passes(names)
    assert len(passes) > 1
    assert all(text.input_ids.shape[1] <= 16 for text in passes)
    assert [text.first for text in passes] == [0, 5]
    assert sum(len(text.class_tokens) for text in passes) == len(names)


@pytest.mark.parametrize("case", ["dino", "mm", "by library"])
def test_several_passes_find_what_each_finds_alone_and_one_object_once(folders, photos, case):
    dino = GroundingDino(folders[case], 0.0)
    names = ("dog", "red traffic light", "bicycle", "cat", "bird", "car", "cats")
    whole = detect(dino, photos[:1], names)[0].result
    parts = [detect(dino, photos[:1], part)[0].result for part in (names[:5], names[5:])]
    assert [len(part) for part in parts] == [20, 20]  # queries, all above the threshold of 0
    every = Detections(
        torch.cat([part.xyxy for part in parts]),
        torch.cat([part.scores for part in parts]),
        torch.cat([parts[0].class_ids, parts[1].class_ids + 5]),
    )
    kept = [
        not any(
            every.scores[other] > every.scores[one] and (other < 20) != (one < 20) and overlaps[other] >= SAME_OBJECT
            for other in range(40)
        )
        for one, overlaps in enumerate(box_iou(every.xyxy, every.xyxy))
    ]
    assert_same(whole, every[torch.tensor(kept)])


def test_classes_compete_across_passes_as_within_one():
    """A bird that the second pass takes for an umbrella, with a lower score, is a bird; what lies elsewhere stays."""
    bird, beside, far = [10.0, 10.0, 50.0, 50.0], [11.0, 10.0, 50.0, 51.0], [60.0, 60.0, 90.0, 90.0]
    rows = torch.tensor([[[*bird, 0.7, 0], [*far, 0.3, 1]], [[*beside, 0.4, 2], [*far, 0.6, 2]]])
    assert _best_of_passes(rows, 0.2)[..., 5].tolist() == [[0, -1], [-1, 2]]
    assert _best_of_passes(rows[:1], 0.2).equal(rows[:1])
    same_pass = torch.stack([torch.cat([rows[0], rows[1]]), torch.zeros(4, 6)])
    assert _best_of_passes(same_pass, 0.2)[0, :, 5].tolist() == [0, 1, 2, 2]


def test_a_picture_is_looked_at_once_and_words_are_read_once(dino_folder, photos):
    names = ("dog", "red traffic light", "bicycle", "cat", "bird", "car", "cats")
    dino, calls = GroundingDino(dino_folder, 0.0), []
    network = dino.module.model
    for part in (network.backbone, network.text_backbone, network.encoder):
        part.register_forward_hook(lambda called, *_: calls.append(called))
    detect(dino, [photos[0]] * 3, names, batch=1)
    assert len(dino.text_passes(names)) == 2
    assert [calls.count(part) for part in (network.backbone, network.text_backbone, network.encoder)] == [3, 2, 6]


def test_words_are_read_anew_in_another_dtype(dino, photos):
    batch = dino.prepare([Query(photos[0], CLASSES)])
    with torch.inference_mode():
        (single,) = dino.predict(batch)
        dino.module.double()
        (double,) = dino.predict(batch)
        dino.module.float()
    assert_same(single, double)


@pytest.mark.parametrize("case", ["dino", "mm", "by library"])
@pytest.mark.parametrize("classes", [("dog",), ("red traffic light",), ("bicycle",)])
@pytest.mark.parametrize("threshold", [0.0, 0.4])
def test_boxes_are_those_of_hugging_face(folders, photos, case, classes, threshold):
    dino = GroundingDino(folders[case], threshold)
    processor = GroundingDinoProcessor.from_pretrained(folders[case])
    batch = dino.prepare([Query(photos[1], classes)])
    text = processor.tokenizer(f"{classes[0]}.", return_tensors="pt")
    with torch.inference_mode():
        inputs = dino.pictures.inputs(batch, torch.float32)
        theirs = AutoModelForZeroShotObjectDetection.from_pretrained(folders[case])
        output = theirs(**inputs, **text)
        (found,) = dino.predict(batch)
    logits = torch.full_like(output.logits, float("-inf"))
    own = slice(1, text["input_ids"].shape[1] - 2)  # theirs looks at [CLS], the dot and [SEP] too
    logits[..., own] = output.logits[..., own]
    output.logits = logits
    (theirs,) = processor.post_process_grounded_object_detection(output, text["input_ids"], threshold, 0.0, [(90, 60)])
    assert len(found) == len(theirs["scores"]) > 0
    torch.testing.assert_close(found.scores, theirs["scores"])
    limits = torch.tensor([60.0, 90.0, 60.0, 90.0])
    torch.testing.assert_close(found.xyxy, theirs["boxes"].clamp(min=0).minimum(limits), atol=1e-3, rtol=0)
    assert found.class_ids.unique().tolist() == [0]


def test_saturation_is_told(dino_folder, photos):
    """Below its lowest score every query of the network holds a box, whatever the threshold was."""
    every, some = (detect(GroundingDino(dino_folder, threshold), photos[:1])[0].result for threshold in (0.0, 0.5))
    assert 0 < some.full_above == every.full_above == every.scores.min() < 0.5


def test_one_full_pass_saturates(dino_folder, photos):
    classes = ("dog", "cat", "bird", "car", "red", "bicycle", "traffic light")
    detector = GroundingDino(dino_folder, 0.0)
    assert len(detector.text_passes(classes)) == 2
    (outcome,) = detect(detector, photos[:1], classes)
    first = outcome.result.class_ids < detector.text_passes(classes)[1].first
    lowest = [outcome.result.scores[of_pass].min().item() for of_pass in (first, ~first)]
    assert outcome.result.full_above == max(lowest)


def test_pictures_of_another_size_or_prompt_never_share_a_batch(dino, photos):
    keys = [dino.shape_key(Query(photo, classes)) for photo in photos for classes in (("dog",), ("cat",))]
    assert keys[0] != keys[1]
    assert keys[6] == keys[12]  # 66x64 and 72x64 become 99x96 and 108x96, padded to 128x96
    assert keys[2] != keys[4]  # upright and lying
    with pytest.raises(ValueError, match="same classes"):
        dino.prepare([Query(photos[0], ("dog",)), Query(photos[0], ("cat",))])


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        (("dog", "강아지"), "in English"),
        (("ᄀ",), "in English"),
        (("dog. cat",), "one thing a prompt"),
        ((" ",), "names what to find"),
        (("zebra",), "vocabulary"),
        (("red " * 14,), "at most 13 tokens"),
    ],
)
def test_what_the_detector_would_misread_is_refused(dino, photos, classes, reason):
    with pytest.raises(InputError, match=reason):
        dino.check(classes)
    with pytest.raises(InputError, match=reason):
        dino.predict(dino.prepare([Query(photos[0], classes)]))


def test_another_architecture_is_refused(dino_folder, tmp_path):
    folder = shutil.copytree(dino_folder, tmp_path / "other")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "blip"}))
    with pytest.raises(CheckpointError, match="architecture grounding-dino"):
        GroundingDino(folder, 0.3)


def test_missing_weights_are_refused(dino_folder, tmp_path):
    folder = shutil.copytree(dino_folder, tmp_path / "part")
    weights = load_file(folder / "model.safetensors")
    del weights["model.level_embed"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="level_embed"):
        GroundingDino(folder, 0.3)


def test_a_vocabulary_with_marks_elsewhere_is_refused(dino_folder, tmp_path):
    folder = shutil.copytree(dino_folder, tmp_path / "vocabulary")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["."], vocabulary["dog"] = vocabulary["dog"], vocabulary["."]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointError, match=r"101, 102, 1012, 1029.*101, 102, 200, 1029"):
        GroundingDino(folder, 0.3)
