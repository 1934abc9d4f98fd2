import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from pipelines.__main__ import main
from pipelines.runs import compare_page
from pipelines.runs.compare_page import THUMBNAIL, page
from pipelines.runs.submissions import read_submissions

EVIL = "<script>alert(1)</script>&\"'"


@pytest.fixture
def files(tmp_path) -> list[Path]:
    texts = [
        "a.png,강아지 한 마리\nb.png,\nc.png,같음\n",
        f'a.png,"{EVIL.replace(chr(34), chr(34) * 2)}"\nb.png,새\nc.png,같음\n',
    ]
    paths = [tmp_path / f"{number}<b>.csv" for number in range(2)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(f"id,caption\n{text}", encoding="utf-8")
    return paths


class Tags(HTMLParser):
    """Holds a page to being well-formed, and collects its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_page_without_differences_says_so(files):
    submissions = read_submissions([files[0]] * 2)
    text = page(submissions, submissions.differing_rows(), None, [], None)
    assert "모든 행이 같습니다" in text and "article" not in Tags(text).seen


def test_what_files_say_is_escaped(files):
    submissions = read_submissions(files)
    text = page(submissions, submissions.differing_rows(), None, [], None)
    seen = Tags(text).seen
    assert "script" not in seen and seen.count("article") == 2 and "img" not in seen
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;" in text and "0&lt;b&gt;.csv" in text
    assert "비어 있음" in text and "같음" not in text


def test_the_command_writes_photos_truth_and_scores_into_one_file(files, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (800, 400), "red").save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "b.png").write_text("no picture")
    truth = tmp_path / "truth.csv"
    truth.write_text("id,caption\na.png,개\na.png,강아지\nb.png,새\nc.png,같음\n", encoding="utf-8")
    html = tmp_path / "page.html"
    words = ["--truth", str(truth), "--images", str(tmp_path / "photos"), "--html", str(html)]
    assert main(["compare", *map(str, files), *words]) == 0
    text = html.read_text(encoding="utf-8")
    assert '<html lang="ko">' in text and "개<br>강아지" in text and "BLEU" in text
    assert "사진을 읽을 수 없음" in text and not re.search(r'(src|href)=(?!"data:)', text)
    (photo,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    with Image.open(io.BytesIO(base64.b64decode(photo))) as picture:
        assert picture.size == (THUMBNAIL, THUMBNAIL // 2) and picture.getpixel((0, 0))[0] > 200
    assert Tags(text).seen.count("article") == 2


def test_what_is_not_like_most_is_marked(tmp_path):
    for name, count in zip("abc", ("1", "2", "2.0"), strict=True):
        (tmp_path / f"{name}.csv").write_text(f"id,count\nx,{count}\n")
    submissions = read_submissions([tmp_path / f"{name}.csv" for name in "abc"])
    text = page(submissions, submissions.differing_rows(), None, [], None)
    assert re.findall(r"<td class=odd>(.)</td>", text) == ["1"]


def test_a_page_of_very_many_rows_is_cut_and_says_so(tmp_path):
    most = compare_page.ROWS_SHOWN
    for name, count in zip("ab", (1, 2), strict=True):
        lines = "".join(f"{number},{count}\n" for number in range(most + 1))
        (tmp_path / f"{name}.csv").write_text(f"id,count\n{lines}")
    submissions = read_submissions([tmp_path / "a.csv", tmp_path / "b.csv"])
    text = page(submissions, submissions.differing_rows(), None, [], None)
    assert Tags(text).seen.count("article") == most and f"앞의 {most}개만" in text
