"""`search` as a user runs it, with the settings of a file and of the command line."""

import json

import pytest

from pipelines.__main__ import main


@pytest.fixture
def flags(tmp_path, siglip_folder):
    path = tmp_path / "search.yaml"
    lines = [f"checkpoint: {siglip_folder}", f"albums: {tmp_path / 'albums'}"]
    lines += ["runner: {device: cpu, batch: 4, progress: false}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ["--config", str(path)]


def test_a_folder_is_indexed_and_asked(made, flags, capsys):
    assert main(["search", "index", str(made), *flags]) == 0
    assert "albums/photos: 6 photos (6 new, 0 changed, 0 gone)" in capsys.readouterr().out
    assert main(["search", "query", "강아지", "--top", "2", *flags]) == 0
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["score", "photo"] and len(rows) == 2 and str(made) in rows[0]
    assert main(["search", "query", "--image", "0.png", "--json", *flags]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 5


def test_an_album_has_the_name_that_it_is_given(made, flags, tmp_path):
    assert main(["search", "index", str(made), "--album", "부산", *flags]) == 0
    assert (tmp_path / "albums" / "부산" / "photos.lance").is_dir()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["index", "/nowhere"], "expected a folder of images at /nowhere"),
        (["query", "강아지"], "expected one album in"),
        (["rank"], "`rank.images` is missing"),
        (["query", "강아지", "--rerank", "itm"], "rerank needs a checkpoint"),
        (["query", "강아지", "--fold", "2"], "fold is above 0"),
        (["query", "강아지", "--cutoff", "2"], "cutoff is -1 to 1"),
        (["calibrate", "--truth", "x.csv"], "expected one album in"),
        (["query", "강아지", "--photo-weight", "1"], "photo_weight is between 0 and 1"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(flags, words, message, capsys):
    assert main(["search", *words, *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1


def test_a_judge_orders_what_words_found_and_both_scores_are_shown(made, flags, siglip_folder, capsys):
    assert main(["search", "index", str(made), *flags]) == 0
    capsys.readouterr()
    judge = ["--rerank", "clip", "--rerank-checkpoint", str(siglip_folder), "--rerank-first", "4"]
    assert main(["search", "query", "강아지 -사과", "--top", "3", *judge, *flags]) == 0
    said = capsys.readouterr()
    header, _, *rows = said.out.splitlines()
    assert header.split() == ["clip", "score", "photo"] and len(rows) == 3
    judged = [float(row.split()[0]) for row in rows]
    assert judged == sorted(judged, reverse=True)
    assert "clip judged 4 photos by '강아지' in " in said.err
    for no_words in ([], ["--", "-사과"]):
        assert main(["search", "query", "--image", "0.png", *judge, *flags, *no_words]) == 0
        assert capsys.readouterr().out.split()[:2] == ["score", "photo"], "it is asked for words alone"


def test_a_query_is_words_or_a_photo(flags, capsys):
    with pytest.raises(SystemExit):
        main(["search", "query", *flags])
    assert "expected words, --image or both" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--", "-사람"], "expected what the photos show, such as `바다 -사람`, found only what not: 사람"),
        (["바다", "--where", "yaer=2024"], "did you mean `year`"),
        (["바다", "--where", "dog>=2"], "no objects were counted in the album"),
        (["바다", "--where", "x' or 1=1 --"], "expected a closing '"),
        (['"바다'], "expected quotes that open"),
    ],
)
def test_a_question_that_is_none_is_one_sentence(made_once, flags, words, message, capsys):
    flags = [*flags, "--albums", str(made_once / "albums")]
    assert main(["search", "query", *flags, *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
