import cv2
import numpy as np
import pandas as pd
import pytest

from mini.draw_samples import SAMPLES, SIZE_PX
from mini.draw_textures import IMAGES_A_DEFECT, NORMAL_TEST_IMAGES, NORMAL_TRAIN_IMAGES, TESTED_DEFECTS, draw_category
from mini.world import ANOMALY_SAMPLE_SEED


@pytest.fixture(scope="module")
def weave(tmp_path_factory):
    folder = tmp_path_factory.mktemp("anomaly")
    return folder, draw_category(folder, "weave", ANOMALY_SAMPLE_SEED)


def test_the_layout_is_mvtec_s(weave):
    folder, labels = weave
    assert len(list((folder / "weave/train/good").iterdir())) == NORMAL_TRAIN_IMAGES
    assert [image_id for image_id, label in labels if label == 0] == [
        f"weave/test/good/{index:03d}.jpg" for index in range(NORMAL_TEST_IMAGES)
    ]
    assert sum(label for _, label in labels) == IMAGES_A_DEFECT * len(TESTED_DEFECTS["weave"])
    for image_id, label in labels:
        assert cv2.imread(str(folder / image_id)).shape == (SIZE_PX, SIZE_PX, 3)
        mask = folder / image_id.replace("test", "ground_truth").replace(".jpg", "_mask.png")
        assert mask.exists() == bool(label)


def test_masks_are_black_and_white(weave):
    folder, _ = weave
    for path in (folder / "weave/ground_truth").rglob("*.png"):
        assert set(np.unique(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))) == {0, 255}


def test_the_shipped_samples_are_what_is_drawn(weave):
    folder, labels = weave
    truth = pd.read_csv(SAMPLES / "anomaly/truth.csv")
    assert truth.values.tolist()[: len(labels)] == [list(each) for each in labels]
    assert pd.read_csv(SAMPLES / "anomaly/sample_submission.csv").image.tolist() == truth.image.tolist()
    for image_id, _ in labels[::7]:
        fresh, shipped = (cv2.imread(str(root / image_id)).astype(int) for root in (folder, SAMPLES / "anomaly"))
        assert np.abs(fresh - shipped).mean() < 1  # encoders may differ in the last bit
