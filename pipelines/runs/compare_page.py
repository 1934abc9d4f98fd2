"""The page of a comparison: one HTML file with the scores and the rows that differ, each with its photo."""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import pandas as pd
from PIL import Image

from pipelines.core.errors import ImageError
from pipelines.core.images.decode import decode
from pipelines.core.submission.scores import Score
from pipelines.runs.submissions import Submissions, figures, value_of

ROWS_SHOWN = 500
"""A page of more photos would be too heavy to open: 500 of them take about 10 MB."""
THUMBNAIL = 320
"""Longer side in pixels."""


def page(
    submissions: Submissions,
    differing: pd.DataFrame,
    truth: pd.DataFrame | None,
    scores: Sequence[Sequence[Score]],
    photos: Mapping[str, Path] | None,
) -> str:
    """The page as text. It loads nothing: style and photos are in it, and everything from files is escaped.

    `differing` has the cells that differ (id, column), the truth is indexed by the same ids, and `photos` has the file
    of each id; without it there is no place for photos.
    """
    counted = f"파일 {len(submissions.paths)}개 · 행 {len(submissions.tables[0])}개 · 서로 다른 행 {len(differing)}개"
    cards = [
        _card(str(key), [column for column in row.index if row[column]], submissions, truth, photos)
        for key, row in differing.head(ROWS_SHOWN).iterrows()
    ]
    more = f"<p class=note>앞의 {ROWS_SHOWN}개만 보입니다.</p>" if len(differing) > ROWS_SHOWN else ""
    body = "\n".join(cards) or "<p class=note>모든 행이 같습니다.</p>"
    return f"""<!doctype html>
<html lang="ko">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>제출 비교</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>제출 비교</h1><p>{counted}</p></header>
<main>
<section>
<h2>파일</h2>
<ul class=files>{_files(submissions)}</ul>
</section>
{_scores(submissions, scores)}
<section>
<h2>서로 다른 행</h2>
{more}
{body}
</section>
</main>
</body>
</html>
"""


def _files(submissions: Submissions) -> str:
    return "".join(
        f"<li><b class=letter>{letter}</b> {escape(str(path))}{_merged(submissions, letter)}</li>"
        for letter, path in zip(submissions.letters, submissions.paths, strict=True)
    )


def _merged(submissions: Submissions, letter: str) -> str:
    return f" <span class=by>합친 제출({submissions.merge})</span>" if submissions.is_merged(letter) else ""


def _scores(submissions: Submissions, scores: Sequence[Sequence[Score]]) -> str:
    if not scores:
        return ""
    header = "".join(f"<th scope=col><b class=letter>{letter}</b></th>" for letter in submissions.letters)
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th>"
        + "".join(f"<td class=figure>{value}</td>" for value in values)
        + f"<td class=by>{escape(by)}</td></tr>"
        for name, *values, by in figures(scores)
    )
    return (
        f"<section>\n<h2>점수</h2>\n<div class=wide><table class=scores><thead><tr><td></td>{header}"
        f"<td class=by>계산</td></tr></thead><tbody>{rows}</tbody></table></div>\n</section>"
    )


def _card(
    key: str,
    columns: Sequence[str],
    submissions: Submissions,
    truth: pd.DataFrame | None,
    photos: Mapping[str, Path] | None,
) -> str:
    """One row: its photo, and what each submission says where they differ."""
    said = [[str(table.at[key, column]) for column in columns] for table in submissions.tables]
    usual = [_majority(cells) for cells in zip(*said, strict=True)]
    header = "".join(f"<th scope=col>{escape(column)}</th>" for column in columns)
    rows = []
    if truth is not None and key in truth.index:
        texts = truth.loc[[key]]  # several where there are several references
        cells = ["<br>".join(escape(text) for text in texts[column]) if column in truth else "" for column in columns]
        rows.append(f"<tr class=truth><th scope=row>정답</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    for letter, cells in zip(submissions.letters, said, strict=True):
        marked = "".join(
            f"<td{' class=odd' if most not in (None, value_of(cell)) else ''}>{escape(cell) or '<i>비어 있음</i>'}</td>"
            for cell, most in zip(cells, usual, strict=True)
        )
        rows.append(f"<tr><th scope=row><b class=letter>{letter}</b></th>{marked}</tr>")
    return (
        f"<article>{'' if photos is None else _photo(key, photos)}<div class=said><h3>{escape(key)}</h3>"
        f"<div class=wide><table><thead><tr><td></td>{header}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        "</div></article>"
    )


def _majority(cells: Sequence[str]) -> str | float | None:
    """What more than half of the cells say, else None."""
    most, times = Counter(map(value_of, cells)).most_common(1)[0]
    return most if times * 2 > len(cells) else None


def _photo(key: str, photos: Mapping[str, Path]) -> str:
    """The photo as a small JPEG within the page, or a frame that says why there is none."""
    try:
        pixels = decode(photos[key])
    except ImageError:
        return "<div class=photo><span>사진을 읽을 수 없음</span></div>"
    picture = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=80)
    url = f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
    return f'<div class=photo><img src="{url}" alt="{escape(key)}" loading=lazy></div>'


STYLE = """
:root {
  --paper: #f7f6f3; --card: #ffffff; --ink: #23211d; --soft: #6d6a63; --line: #e2dfd8;
  --letter: #2f5d8a; --letter-ink: #ffffff; --odd: #fdeccd; --odd-ink: #6b4300; --truth: #e9f3ec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #171614; --card: #211f1c; --ink: #ece9e2; --soft: #a29e95; --line: #38352f;
    --letter: #8db8e2; --letter-ink: #10202f; --odd: #4a3713; --odd-ink: #ffdf9e; --truth: #1f3327;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink); word-break: keep-all; overflow-wrap: anywhere;
  font: 16px/1.6 Pretendard, "Apple SD Gothic Neo", "Noto Sans KR", "Noto Sans CJK KR", "Malgun Gothic", NanumGothic,
    system-ui, sans-serif;
}
header, main { max-width: 64rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.5rem; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.3; }
h2 { margin: 2.25rem 0 .75rem; font-size: 1.125rem; }
h3 { margin: 0 0 .5rem; font-size: 1rem; }
header p, .note, .by, thead th { color: var(--soft); }
header p { margin: .25rem 0 0; }
.files { list-style: none; margin: 0; padding: 0; }
.files li { padding: .125rem 0; }
.letter {
  display: inline-block; min-width: 1.5rem; padding: 0 .375rem; border-radius: .375rem; text-align: center;
  background: var(--letter); color: var(--letter-ink); font-size: .8125rem; line-height: 1.5rem;
}
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .375rem .75rem .375rem 0; text-align: left; vertical-align: top; font-weight: normal; }
tbody tr { border-top: 1px solid var(--line); }
thead th, .by { font-size: .875rem; }
.scores th, .scores td { padding-right: 1.5rem; }
.figure { text-align: right; }
.scores th, .scores td { white-space: nowrap; }
.scores thead th { text-align: right; }
article {
  display: flex; gap: 1.5rem; margin: 0 0 1rem; padding: 1.25rem; border: 1px solid var(--line);
  border-radius: .75rem; background: var(--card);
}
.photo {
  flex: 0 0 13rem; min-height: 8rem; display: grid; place-items: center; align-self: flex-start; overflow: hidden;
  border-radius: .5rem; background: var(--paper); color: var(--soft); font-size: .875rem;
}
.photo img { display: block; width: 100%; max-height: 16rem; object-fit: contain; }
.said { flex: 1; min-width: 0; }
.said td { padding: .375rem .75rem; border-radius: .25rem; }
.said thead th { padding-left: .75rem; }
.said tbody th { width: 3.5rem; color: var(--soft); }
.truth td, .truth th { background: var(--truth); }
.truth th { padding-left: .5rem; }
.odd { background: var(--odd); color: var(--odd-ink); }
i { color: var(--soft); }
@media (max-width: 40rem) {
  header, main { padding-left: 1rem; padding-right: 1rem; }
  article { flex-direction: column; gap: 1rem; padding: 1rem; }
  .photo { flex-basis: auto; width: 100%; }
}
"""
