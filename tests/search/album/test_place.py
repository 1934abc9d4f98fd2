"""Albums in object storage are as those in folders are, of a server that runs in a process of its own."""

import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import lancedb
import numpy as np
import pytest
import torch

from pipelines.core.errors import ConfigError, InputError
from pipelines.search.album.album import About, album_names, make_album, open_album, writing
from pipelines.search.album.indexing import index
from pipelines.search.album.place import OPTIONS, Remote, place, said
from pipelines.search.query.asking import find_album
from pipelines.search.settings import SearchConfig
from tests.search.album.test_album import refused, row
from tests.search.conftest import draw

ROOT = Path(__file__).parents[3]
ABOUT = About("/사진", "some/clip", "abc")
INDEX = """
import sys
from pathlib import Path
from pipelines.core.running.settings import RunnerConfig
from pipelines.search.album.indexing import index
from pipelines.search.settings import SearchConfig
photos, albums, checkpoint = sys.argv[1:]
runner = RunnerConfig(device="cpu", batch=1, workers=1, progress=False)
index(Path(photos), SearchConfig(checkpoint, albums=albums, runner=runner), at_once=1)
"""


@pytest.fixture(scope="module")
def server():
    """The address of a server, which ends with the tests."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.search.bucket"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait()


@pytest.fixture
def environment(monkeypatch, server):
    """What a user sets."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)


@pytest.fixture
def albums(environment, request):
    """An address for the albums of one test."""
    return f"s3://bucket/{request.node.originalname}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("albums", Path("albums")),
        ("~/albums", Path.home() / "albums"),
        (Path("a/b"), Path("a/b")),
        ("s3://bucket/a b/", Remote("s3://bucket/a b")),
        ("az://container", Remote("az://container")),
    ],
)
def test_a_setting_means_a_folder_or_an_address(given, expected):
    assert place(given) == expected == place(SearchConfig("any", albums=given).albums)


def test_an_address_is_put_together_as_a_path_is():
    made = Remote("s3://bucket/albums") / "부산 #1"
    assert str(made) == "s3://bucket/albums/부산 #1" and made.name == "부산 #1"
    assert made.parent == Remote("s3://bucket/albums") and made.uri.endswith("/albums/%EB%B6%80%EC%82%B0%20%231")


def test_an_address_that_lost_a_slash_is_refused():
    with pytest.raises((ConfigError, ValueError), match=r"text such as s3://bucket/albums, not 's3:/bucket/albums'"):
        SearchConfig("any", albums=Path("s3://bucket/albums"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ('body: Some("<Error><Message>no bucket</Message>")', "no bucket"),
        (r"Os { code: 111, kind: Refused, message: \"Connection refused\" }", "Connection refused"),
        ('IO { source: "Failed to get credentials: Provider(', "Failed to get credentials"),
        ("retries: 0, inner: Http(HttpError { kind: Timeout, source: reqwest::Error { kind: Request", "Timeout"),
        ("lance error: Not found: x, /root/src/io.rs:6:2", "Not found: x"),
    ],
)
def test_of_what_lance_says_the_gist_is_told(error, expected):
    assert said(RuntimeError(error)) == expected


def test_an_album_in_a_bucket_keeps_what_is_put_in(albums):
    path = place(albums) / "부산 #1?"
    assert open_album(path) is None and album_names(place(albums)) == []
    make_album(path, 4, ABOUT).put([row("a", 1), row("b", 2)], [refused("c")])
    make_album(place(albums) / "another", 4, ABOUT)
    found = open_album(path)
    assert found.about == ABOUT and found.vectors().matrix[:, 0].tolist() == [1, 2] and list(found.refused()) == ["c"]
    found.drop(["a", "c"])
    assert list(open_album(path).known()) == ["b"] and found.refused() == {}
    assert album_names(place(albums)) == ["another", "부산 #1?"]
    assert len(make_album(path, 4, ABOUT)) == 0 and album_names(place(albums)) == ["another", "부산 #1?"]


def test_a_folder_is_indexed_into_a_bucket_as_into_a_folder(made, config, albums):
    remote = replace(config, albums=albums)
    index(made, remote, at_once=2)
    draw(made / "new.png", 7)
    shutil.copy(made / "0.png", made / "2.png")
    (made / "4.png").unlink()
    (made / "broken.jpg").write_bytes(b"none")
    report = index(made, remote)
    assert (report.photos, report.new, report.changed, report.gone) == (6, 1, 1, 1) and list(report.failed) == [
        "broken.jpg"
    ]
    index(made, config)
    here, there = find_album(config).vectors(), find_album(remote).vectors()
    assert here.ids == there.ids and torch.equal(here.matrix, there.matrix)


@pytest.mark.parametrize("name", ["album", None])
def test_no_album_in_a_bucket_is_said_as_of_a_folder(config, albums, name):
    with pytest.raises(InputError) as here:
        find_album(replace(config, album=name))
    with pytest.raises(InputError) as there:
        find_album(replace(config, albums=albums, album=name))
    assert str(there.value) == str(here.value).replace(str(config.albums), albums)


def test_two_that_write_a_photo_at_once_make_one_row(albums):
    path = place(albums) / "one"
    make_album(path, 4, ABOUT)
    both = threading.Barrier(2, timeout=300)
    failed = []

    def write(value):
        album = open_album(path)
        for number in range(5):
            both.wait()
            try:
                album.put([row(f"{number} {each}", value) for each in range(20)], [refused("broken")])
            except RuntimeError as error:
                failed.append(error)

    threads = [threading.Thread(target=write, args=(value,)) for value in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vectors = open_album(path).vectors()
    assert failed == [] and len(vectors.ids) == len(set(vectors.ids)) == 100
    assert len(open_album(path).unreadable.search().to_arrow()) == 1
    assert set(np.unique(vectors.matrix.numpy()).tolist()) <= {1.0, 2.0}


def test_what_is_lost_while_it_is_written_is_said(albums):
    path = place(albums) / "one"
    album = make_album(path, 4, ABOUT)
    lost = r"expected to write to the album s3://.*one, found: .*run the same again"
    with pytest.raises(InputError, match=lost), writing(path):
        lancedb.connect(path.uri, storage_options=OPTIONS).drop_table("photos")
        album.put([row("a")], [])
    with pytest.raises(ValueError, match="our own"), writing(path):
        raise ValueError("our own mistake")


@pytest.mark.parametrize(
    ("albums", "endpoint", "expected"),
    [
        ("s3://nowhere/albums", None, "found: The specified bucket does not exist"),
        ("s3://bucket/albums", "http://127.0.0.1:9", "found: Connection refused"),
        ("nothing://bucket/albums", None, "No object store provider found for scheme: 'nothing'"),
    ],
)
def test_an_address_that_does_not_answer_is_said(environment, monkeypatch, config, albums, endpoint, expected):
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(InputError, match=expected) as raised:
        find_album(replace(config, albums=albums))
    assert "expected albums at " + albums in str(raised.value) and "AWS_ACCESS_KEY_ID" in str(raised.value)


def test_it_ends_the_same_after_a_kill(tmp_path, config, albums):
    photos = tmp_path / "photos"
    for seed in range(60):
        draw(photos / f"{seed:02}.png", seed)
    process = subprocess.Popen([sys.executable, "-c", INDEX, photos, albums, config.checkpoint], cwd=ROOT)
    remote = replace(config, albums=albums)
    until = time.monotonic() + 300
    while (album := open_album(place(albums) / "photos")) is None or not len(album):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    process.kill()
    process.wait()
    left = find_album(remote).vectors().ids
    assert 0 < len(set(left)) == len(left) < 60
    report = index(photos, remote)
    assert (report.photos, report.new) == (60, 60 - len(left))
    index(photos, config)
    here, there = find_album(config).vectors(), find_album(remote).vectors()
    assert here.ids == there.ids and torch.equal(here.matrix, there.matrix)
