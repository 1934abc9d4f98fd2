"""Makes CSVs that are odd or none at all: each with the ids and cells that are read, or a part of the sentence."""

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile


@dataclass(frozen=True)
class Odd:
    """A sample submission beside a folder with the photos a.jpg, b.jpg and 강.jpg, and what is to become of it."""

    make: Callable[[Path], object]
    """Writes it to a path."""
    refused: str = ""
    """A part of the sentence that refuses it; empty where it is read."""
    found: tuple[tuple[str, str | None], ...] = (("a", "a.jpg"), ("b.jpg", "b.jpg"))
    """Where it is read: each id as it stands there, with the photo that it names, or None."""


def text(content: str, encoding: str = "utf-8") -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode(encoding))


def data(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def ids(*names: str) -> Odd:
    """A table of ids none of which names a photo, behind one that does."""
    cells = "".join('"' + name.replace('"', '""') + '",\n' for name in names)
    return Odd(text(f"id,answer\na,\n{cells}"), found=(("a", "a.jpg"), *((name, None) for name in names)))


def zipped(path: Path) -> None:
    """As Kaggle gives out a sample submission."""
    with ZipFile(path, "w") as archive:
        archive.writestr("sample_submission.csv", ROWS)


def huge(path: Path) -> None:
    """A file of 300 MB that takes no room on the disk."""
    path.write_bytes(b"id,answer\n")
    os.truncate(path, 300_000_000)


ROWS = "id,answer\na,\nb.jpg,\n"
KOREAN = "id,답\na,\n강,\n"
KOREAN_FOUND = (("a", "a.jpg"), ("강", "강.jpg"))
NO_TEXT = "expected text in UTF-8 or cp949"
WIDTH = "expected 2 cells as in the header"

TABLES: dict[str, Odd] = {
    # Encodings.
    "plain": Odd(text(ROWS)),
    "a BOM": Odd(text(ROWS, "utf-8-sig")),
    "cp949": Odd(text(KOREAN, "cp949"), found=KOREAN_FOUND),
    "a BOM before cp949": Odd(data(b"\xef\xbb\xbf" + KOREAN.encode("cp949")), found=KOREAN_FOUND),
    "UTF-16": Odd(text(ROWS, "utf-16")),
    "UTF-16 of the other order": Odd(data(b"\xfe\xff" + KOREAN.encode("utf-16-be")), found=KOREAN_FOUND),
    "binary that begins as UTF-16": Odd(data(b"\xff\xfe\x00\x01\x80\x81" * 100), NO_TEXT),
    "NUL in UTF-16": Odd(text("id,answer\na\0,\n", "utf-16"), NO_TEXT),
    "a cut UTF-16": Odd(data(ROWS.encode("utf-16")[:-1]), NO_TEXT),
    "UTF-16 without a BOM": Odd(text(ROWS, "utf-16-le"), NO_TEXT),
    "UTF-32": Odd(text(ROWS, "utf-32"), NO_TEXT),
    "binary": Odd(data(bytes(range(256)) * 9), NO_TEXT),
    "a workbook": Odd(
        data(b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml"), "a ZIP archive or an Excel workbook; unpack"
    ),
    "a zipped CSV": Odd(zipped, "a ZIP archive or an Excel workbook; unpack"),
    "a CSV packed by gzip": Odd(data(gzip.compress(ROWS.encode())), "packed by gzip; unpack it"),
    "an old workbook": Odd(data(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an Excel workbook; save the sheet as CSV"),
    "NUL bytes": Odd(text("id,answer\na\0,\n"), NO_TEXT),
    "nothing but NUL": Odd(data(b"\0" * 999), NO_TEXT),
    # Lines and quotes.
    "CRLF": Odd(text(ROWS.replace("\n", "\r\n"))),
    "CR": Odd(text(ROWS.replace("\n", "\r"))),
    "mixed line ends": Odd(text("id,answer\r\na,\nb.jpg,\r")),
    "no last line end": Odd(text(ROWS.rstrip("\n"))),
    "blank lines between": Odd(text("\n\nid,answer\n\na,\n\n\nb.jpg,\n\n")),
    "a quoted line break": Odd(text('id,answer\na,"one\ntwo"\nb.jpg,\n')),
    "a quoted header": Odd(text('"id","answer"\n"a",""\n"b.jpg",""\n')),
    "an unbalanced quote": Odd(text('id,answer\n"a,\nb.jpg,\n'), r"line 3: not valid CSV.*look for a quote"),
    "text behind a quote": Odd(text('id,answer\n"a"x,\n'), "line 2: not valid CSV"),
    "a cell of 1,000,000 letters": Odd(text("id,answer\na," + "x" * 1_000_000 + "\n"), "line 2.*larger than field"),
    # Columns.
    "a row too long": Odd(text(ROWS + "c,1,2\n"), f"line 4: {WIDTH}, found 3"),
    "a row too short": Odd(text(ROWS + "c\n"), f"line 4: {WIDTH}, found 1"),
    "a line of spaces": Odd(text(ROWS + "   \n"), f"line 4: {WIDTH}"),
    "header only": Odd(text("id,answer\n"), "expected rows below the header"),
    "empty": Odd(data(b""), "expected a CSV with a header line .* found an empty file"),
    "only a BOM": Odd(data(b"\xef\xbb\xbf"), "found an empty file"),
    "blank lines only": Odd(text("\n\r\n\n"), "found an empty file"),
    "repeated columns": Odd(text("id,answer,answer\na,,\n"), "expected column names that differ, found 'answer' again"),
    "repeated but for spaces": Odd(text("id,answer, answer\na,,\n"), "found 'answer' again"),
    "two columns without a name": Odd(text("id,,\na,,\n"), "found '' again"),
    "a column without a name": Odd(text("id,\na,\nb.jpg,\n")),
    "a number in front": Odd(text("Unnamed: 0,id\n0,a\n1,b.jpg\n")),
    "a number in front without a name": Odd(text(",id,answer\n0,a,\n1,b.jpg,\n")),
    "numbers from 1 in front": Odd(text("Unnamed: 0,id,answer\n1,a,\n2,b.jpg,\n")),
    "ids without a name": Odd(text(",answer\na,0\nb.jpg,1\n")),
    "numbers alone, which are no photos": Odd(text(",answer\n0,\n1,\n"), "none of its 2 ids there, such as '0'"),
    "semicolons": Odd(text(ROWS.replace(",", ";")), "expected commas between the columns, found ';'"),
    "tabs": Odd(text(ROWS.replace(",", "\t")), r"expected commas between the columns, found '\\t'"),
    "one column": Odd(text("id\na\nb.jpg\n")),
    "no header": Odd(text("a.jpg,1\nb.jpg,0\n"), found=(("b.jpg", "b.jpg"),)),
    # Ids.
    "what looks like numbers": ids("0001", "1e5", "1.0", "-0", "0x1F", "１２"),
    "what looks like nothing": ids("NA", "None", "nan", "NULL", "-", "#N/A"),
    "what looks like truth": ids("TRUE", "false", "on"),
    "formulas": ids("=cmd|' /C calc'!A0", '=HYPERLINK("http://x")', "+1", "@SUM(A1)"),
    "paths that lead outside": ids("../../etc/x.png", "/etc/passwd", "..\\..\\x", "c/../../x", "~", "~/x.jpg", "C:\\x"),
    "a path that leads back": Odd(text("id\n../photos/a.jpg\n"), found=(("../photos/a.jpg", "a.jpg"),)),
    "paths of Windows": Odd(
        text("id,answer\n.\\test\\a.jpg,\nC:\\data\\b.jpg,\nD:\\x\\강.png,\nE:\\c.jpg,\n"),
        found=(
            (".\\test\\a.jpg", "a.jpg"),
            ("C:\\data\\b.jpg", "b.jpg"),
            ("D:\\x\\강.png", "강.jpg"),
            ("E:\\c.jpg", None),
        ),
    ),
    "paths that end otherwise": Odd(
        text("id\n./test/a.png\nb.JPEG\n"), found=(("./test/a.png", "a.jpg"), ("b.JPEG", "b.jpg"))
    ),
    "an ending that is another id's": Odd(text("id\na.png\na.jpg\n"), found=(("a.png", None), ("a.jpg", "a.jpg"))),
    "two endings of one photo": Odd(
        text("id\na.png\na.bmp\nb\n"), found=(("a.png", None), ("a.bmp", None), ("b", "b.jpg"))
    ),
    "the folder itself": ids(".", "..", "/", "./", "//"),
    "a hidden file": ids(".hidden.jpg", ".hidden"),
    "a file that is no photo": ids("notes.txt", "notes"),
    "no id": ids(""),
    "a line break in an id": ids("two\nlines"),
    "a name of 10,000 letters": ids("가" * 10_000),
    "10,000 folders": ids("x/" * 10_000 + "y.jpg"),
    "an address": ids("https://example.org/photo.png?x=1", "file:///etc/passwd"),
    "duplicate ids": Odd(text("id,answer\na,\na,\n"), "expected each id once in column `id`, found 'a' again"),
    "ids that only NFC makes equal": Odd(
        text("id\n강\n\u1100\u1161\u11bc\n"), found=(("강", "강.jpg"), ("\u1100\u1161\u11bc", "강.jpg"))
    ),
    # What is no file.
    "a folder": Odd(Path.mkdir, "found a folder"),
    "a missing file": Odd(lambda path: None, "No such file"),
    "a named pipe": Odd(os.mkfifo, "something that is no file"),
    "a device without end": Odd(lambda path: path.symlink_to("/dev/zero"), "something that is no file"),
    "a link to itself": Odd(lambda path: path.symlink_to(path.name), "symbolic links"),
    "300 MB": Odd(huge, "it is larger than 200 MB"),
}
"""What it is -> the CSV and what is to become of it."""
