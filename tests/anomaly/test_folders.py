from pathlib import Path

import pytest

from pipelines.anomaly.folders import WHOLE, read_folders
from pipelines.core.errors import InputError
from pipelines.core.images.samples import Sample


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(root: Path, paths) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


@pytest.mark.parametrize(
    ("present", "message"),
    [
        ([], "expected train/good with normal images .* name the folder of the normal images"),
        (["a.jpg"], "expected train/good with normal images"),
        (["train/good/1.jpg"], "expected images to score in test"),
        (["test/good/1.jpg"], "expected a folder of images at .*train/good, found nothing"),
        (["a/train/good/x.txt", "a/test/good/1.jpg"], "expected images .* in .*a/train/good, found none"),
    ],
)
def test_what_is_missing_is_named(tmp_path, present, message):
    with pytest.raises(InputError, match=message):
        read_folders(touch(tmp_path, *present))


def test_no_folder_at_all(tmp_path):
    with pytest.raises(InputError, match="found nothing"):
        read_folders(tmp_path / "no")


def test_one_category(tmp_path):
    touch(tmp_path, "train/good/1.jpg", "test/good/1.jpg", "test/hole/2.jpg", "ground_truth/hole/2_mask.png")
    folders = read_folders(tmp_path)
    assert {name: names(tmp_path, paths) for name, paths in folders.normals.items()} == {WHOLE: ["train/good/1.jpg"]}
    assert names(tmp_path, folders.tests) == ["test/good/1.jpg", "test/hole/2.jpg"]
    assert folders.category(Sample("x", folders.tests[0])) == WHOLE


def test_several_categories(tmp_path):
    for name in ("b", "a"):
        touch(tmp_path / name, "train/good/1.jpg", "test/good/1.jpg", "test/hole/2.jpg", "ground_truth/hole/2.png")
    touch(tmp_path, "notes/1.jpg", "cover.jpg")
    folders = read_folders(tmp_path)
    assert list(folders.normals) == ["a", "b"]
    assert names(tmp_path, folders.tests) == [
        "a/test/good/1.jpg", "a/test/hole/2.jpg", "b/test/good/1.jpg", "b/test/hole/2.jpg",
    ]  # fmt: skip
    assert [folders.category(Sample("x", path)) for path in folders.tests] == ["a", "a", "b", "b"]
    assert folders.category(Sample("x", tmp_path / "missing.jpg")) == "a"


def test_a_category_without_tests_is_fitted_all_the_same(tmp_path):
    touch(tmp_path, "a/train/good/1.jpg", "b/train/good/1.jpg", "b/test/good/1.jpg")
    folders = read_folders(tmp_path)
    assert list(folders.normals) == ["a", "b"]
    assert names(tmp_path, folders.tests) == ["b/test/good/1.jpg"]


@pytest.mark.parametrize(
    ("images", "normal", "tests", "normals"),
    [
        ("test", "train", ["test/1.jpg", "test/2.jpg"], ["train/3.jpg"]),
        (".", "train", ["test/1.jpg", "test/2.jpg"], ["train/3.jpg"]),
        ("test", ".", ["test/1.jpg", "test/2.jpg"], ["train/3.jpg"]),
    ],
)
def test_plain_folders_never_share_an_image(tmp_path, images, normal, tests, normals):
    touch(tmp_path, "test/1.jpg", "test/2.jpg", "train/3.jpg")
    folders = read_folders(tmp_path / images, tmp_path / normal)
    assert names(tmp_path, folders.tests) == tests
    assert names(tmp_path, folders.normals[WHOLE]) == normals


def test_one_folder_for_both_is_an_error(tmp_path):
    with pytest.raises(InputError, match="named for both"):
        read_folders(touch(tmp_path, "1.jpg"), tmp_path)


def test_nothing_left_to_score_is_an_error(tmp_path):
    with pytest.raises(InputError, match="found only those of the other folder"):
        read_folders(touch(tmp_path, "train/1.jpg"), tmp_path / "train")


@pytest.mark.parametrize(
    ("present", "tests"),
    [(["1.jpg", "sub/2.jpg"], ["1.jpg", "sub/2.jpg"]), (["test/x/1.jpg", "ground_truth/x/1.png"], ["test/x/1.jpg"])],
)
def test_a_fitted_model_needs_no_normal_images(tmp_path, present, tests):
    folders = read_folders(touch(tmp_path, *present), fitting=False)
    assert names(tmp_path, folders.tests) == tests
    assert folders.normals == {WHOLE: []}


def test_what_a_system_keeps_is_no_category_and_no_image(tmp_path):
    for name in ("a", ".git", "@eaDir"):
        touch(tmp_path / name, "train/good/1.jpg", "test/good/1.jpg")
    touch(tmp_path / "a", "test/.ipynb_checkpoints/1-checkpoint.jpg", "test/good/@eaDir/1.jpg/thumb.jpg")
    folders = read_folders(tmp_path)
    assert list(folders.normals) == ["a"]
    assert names(tmp_path, folders.tests) == ["a/test/good/1.jpg"]


def test_patterns_leave_out_categories_and_images(tmp_path):
    for name in ("a", "b"):
        touch(tmp_path / name, "train/good/1.jpg", "train/good/1_mask.png", "test/good/1.jpg", "test/hole/2.jpg")
    folders = read_folders(tmp_path, ignore=["b", "*_mask.png", "a/test/hole"])
    assert {name: names(tmp_path, paths) for name, paths in folders.normals.items()} == {"a": ["a/train/good/1.jpg"]}
    assert names(tmp_path, folders.tests) == ["a/test/good/1.jpg"]
    plain = read_folders(tmp_path / "a/test", tmp_path / "a/train", ignore=["*_mask.png", "hole"])
    assert names(tmp_path, [*plain.normals[WHOLE], *plain.tests]) == ["a/train/good/1.jpg", "a/test/good/1.jpg"]
