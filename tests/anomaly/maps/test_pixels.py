from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from anomalib.metrics import AUPRO
from sklearn.metrics import roc_auc_score

from pipelines.anomaly.maps.files import map_path, write_map
from pipelines.anomaly.maps.pixels import pixel_scores
from pipelines.core.errors import InputError

LABELS = {"test/good/0.png": 0, "test/hole/0.png": 1, "test/hole/1.png": 1}
SIDES = (24, 32)


@pytest.fixture
def masks(tmp_path):
    """One mask of two defects and one of a single one, as files; and as booleans (H, W) by image."""
    found = {image: np.zeros(SIDES, np.uint8) for image in LABELS}
    found["test/hole/0.png"][2:6, 3:9] = found["test/hole/0.png"][15:20, 20:31] = 255
    found["test/hole/1.png"][10:14, 10:30] = 255
    for image, label in LABELS.items():
        if label:
            path = tmp_path / "masks" / image.replace("test", "ground_truth").replace(".png", "_mask.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), found[image])
    return {image: mask > 0 for image, mask in found.items()}


def write(folder, maps):
    for image, heat in maps.items():
        write_map(map_path(folder / "maps", image), torch.from_numpy(heat.astype(np.float32)))


def scored(folder, labels=LABELS):
    return pixel_scores(labels, folder / "maps", folder / "masks")


def noisy(masks, seed=0):
    rng = np.random.default_rng(seed)
    return {image: mask * 0.3 + rng.random(mask.shape).round(2) for image, mask in masks.items()}  # with ties


def test_equal_to_scikit_learn_and_anomalib(tmp_path, masks):
    maps = noisy(masks)
    write(tmp_path, maps)
    metric = AUPRO(fields=["map", "mask"], fpr_limit=0.3)
    for image, mask in masks.items():
        heat, truth = maps[image].astype(np.float32), mask.astype(np.int64)
        metric.update(SimpleNamespace(map=torch.from_numpy(heat)[None], mask=torch.from_numpy(truth)[None]))
    found = scored(tmp_path)
    assert found.aupro == pytest.approx(float(metric.compute()), abs=1e-6)
    pixels = [np.concatenate([each[image].ravel() for image in masks]) for each in (masks, maps)]
    assert found.auroc == pytest.approx(roc_auc_score(pixels[0], pixels[1].astype(np.float32)), abs=1e-9)


def test_maps_are_resized_to_the_masks(tmp_path, masks):
    maps = noisy(masks)
    write(tmp_path, {image: cv2.resize(heat, (13, 11)) for image, heat in maps.items()})
    small = scored(tmp_path)
    for image, heat in maps.items():
        large = cv2.resize(cv2.resize(heat, (13, 11)).astype(np.float32), SIDES[::-1])
        write(tmp_path, {image: large})
    assert scored(tmp_path) == small


def test_masks_of_several_sizes(tmp_path, masks):
    path = tmp_path / "masks/ground_truth/hole/1_mask.png"
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (80, 50), interpolation=cv2.INTER_NEAREST))
    write(tmp_path, {image: mask * 1.0 for image, mask in masks.items()})
    assert scored(tmp_path).auroc > 0.99


def test_perfect_maps_reach_the_maximum(tmp_path, masks):
    write(tmp_path, {image: mask * 1.0 for image, mask in masks.items()})
    found = scored(tmp_path)
    assert (found.auroc, found.aupro) == (1, pytest.approx(1, abs=1e-6))


def test_constant_maps_are_worth_chance(tmp_path, masks):
    write(tmp_path, {image: mask * 0.0 for image, mask in masks.items()})
    found = scored(tmp_path)
    assert (found.auroc, found.aupro) == (0.5, pytest.approx(0.15))  # the mean of a straight line from 0 to 0.3


def test_a_missing_mask_or_map_is_named(tmp_path, masks):
    write(tmp_path, {image: mask * 1.0 for image, mask in masks.items()})
    with pytest.raises(InputError, match=r"mask of the anomalous image 'test/stain/9\.png'"):
        scored(tmp_path, LABELS | {"test/stain/9.png": 1})
    with pytest.raises(InputError, match=r"test/good/7\.npy, but there is none"):
        scored(tmp_path, LABELS | {"test/good/7.png": 0})


def test_masks_without_a_defect(tmp_path, masks):
    write(tmp_path, {image: mask * 1.0 for image, mask in masks.items()})
    for path in (tmp_path / "masks").rglob("*.png"):
        cv2.imwrite(str(path), np.zeros(SIDES, np.uint8))
    with pytest.raises(InputError, match=r"expected normal and anomalous pixels in the masks of 'test/good/0\.png'"):
        scored(tmp_path)
