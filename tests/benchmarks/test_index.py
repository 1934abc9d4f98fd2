import numpy as np
import torch

from benchmarks.index import Loaded, Plain, compare, shrink
from benchmarks.indexing import draw_photos
from pipelines.core.networks.clip import load_clip
from pipelines.search.album.embedding import PhotoFile, PhotoReader
from pipelines.search.album.indexing import index
from pipelines.search.settings import SearchConfig


def test_small_photos_keep_their_shape_and_are_many(tmp_path):
    (tmp_path / "large").mkdir()
    draw_photos(tmp_path / "large", 1)
    assert len(list(shrink(tmp_path / "large", tmp_path / "small", 3).iterdir())) == 3


def test_a_network_is_loaded_once_and_timed(tmp_path, clip_folder):
    draw_photos(tmp_path, 2)
    runner = Loaded()
    config = SearchConfig(str(clip_folder), albums=tmp_path / "albums")
    assert [index(tmp_path, config, fresh=True, runner=runner).photos for _ in range(2)] == [2, 2]
    networks = [made for make, made in runner.kept.items() if make[0].__name__ == "load_clip"]
    assert len(networks) == 1 and runner.timed.predict_s > 0
    assert {make[0].__name__ for make in runner.kept} == {"resolve", "fingerprint", "load_clip"}


def test_both_sides_make_the_same_vectors(tmp_path, clip_folder):
    draw_photos(tmp_path, 2)
    files = [PhotoFile(path.name, path, path.stat().st_size, 0) for path in sorted(tmp_path.iterdir())]
    ours = np.stack([outcome.result.vector for outcome in Loaded().run(PhotoReader(load_clip(clip_folder)[0]), files)])
    theirs = Plain(clip_folder, "cpu", torch.float32).vectors([file.path for file in files], 2).numpy()
    assert (ours.astype(np.float32) * theirs).sum(1).min() > 0.995  # ours are of photos decoded at a reduced size


def test_a_row_a_peer_in_each_dtype(tmp_path, clip_folder):
    draw_photos(tmp_path, 2)
    rows = list(compare("photo index", tmp_path, clip_folder, 1, ["fp32", "bf16"]))
    assert [row.goal for row in rows] == [3.0, 1.5] * 2 and all("ms a photo" in row.rest for row in rows)
    assert [(row.work, row.peer.rpartition("model, ")[2]) for row in rows] == [
        ("photo index", "one by one, float32"),
        ("photo index", "in batches, float32"),
        ("photo index, bfloat16", "one by one, float32"),
        ("photo index, bfloat16", "in batches, bfloat16"),
    ]
