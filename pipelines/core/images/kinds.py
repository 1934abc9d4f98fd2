"""Tells what a file is: by its ending where that is known, else by how its content begins."""

import re
from collections.abc import Mapping

ENDINGS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic",
     ".heif", ".hif")
)  # fmt: skip
"""Of the pictures that are read; what is in such a file, its decoding will say."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")
"""What is read, by Pillow's names. Its other formats (EPS runs Ghostscript) stay out of reach."""
HEAD_BYTES = 64
"""Of a file's beginning: enough to tell what it is."""

RAW, VIDEO, PDF, OTHER = "camera RAW files", "videos", "PDF files", "pictures of kinds that are not read"
NOT_READ: Mapping[str, str] = {
    ending: kind
    for kind, endings in {
        RAW: "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f",
        VIDEO: "3gp avi flv hevc m2ts m4v mkv mov mp4 mpeg mpg mts webm wmv",
        PDF: "pdf",
        OTHER: "ai dcm eps exr hdr ico j2k jp2 jpf jpx jxl pbm pcx pgm ppm ps psb psd svg svgz tga wbmp xcf",
    }.items()
    for ending in (f".{each}" for each in endings.split())
}
"""Ending -> what a person may have taken for a picture, and what is not read."""
_BESIDE = """
aae bak bin cfg conf crdownload css csv db doc docx gz h5 htm html ini ipynb js json jsonl lock log m4a mat md mp3 npy
npz onnx parquet part pickle pkl pt pth py rar safetensors sh tar tmp toml tsv txt url wav xls xlsx xml xmp yaml yml zip
"""
NO_PICTURES = frozenset(f".{ending}" for ending in _BESIDE.split())
"""Endings of what lies beside pictures and is none: never opened to see, and not spoken of."""

_HEIF_BRANDS = re.compile(rb"hei[cxms]|hev[cxms]|mif[12]|msf1|1pic")
_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    # a pattern of the first bytes, the format that it is read as (or ""), what a message calls it
    (rb"\xff\xd8\xff", "JPEG", "a JPEG"),
    (rb"\x89PNG\r\n\x1a\n", "PNG", "a PNG"),
    (rb"GIF8[79]a", "GIF", "a GIF"),
    (rb"RIFF....WEBP", "WEBP", "a WebP"),
    (rb"BM.{4}.{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "BMP", "a BMP"),
    (rb"FUJIFILMCCD-RAW|II\*\0.{4}CR|IIR[OS]|MMOR|IIU\0|FOVb|\0MRM", "", "a camera's RAW file"),
    (rb"....ftypcrx ", "", "a camera's RAW file"),
    (rb"II[*+]\0|MM\0[*+]", "TIFF", "a TIFF"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "", "a JPEG 2000"),
    (rb"\0\0\0\x0cJXL |\xff\x0a", "", "a JPEG XL"),
    (rb"8BPS", "", "a Photoshop file"),
    (rb"%PDF-", "", "a PDF"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "", "a PostScript file"),
    (rb"\0\0[\x01\x02]\0[\x01-\x40]\0", "", "an icon"),
    (rb"RIFF....AVI |\x1a\x45\xdf\xa3|\0\0\x01[\xb3\xba]|FLV\x01|....(?:moov|mdat|wide)", "", "a video"),
    (rb"PK\x03\x04", "", "a ZIP archive"),
    (rb"version https://git-lfs", "", "a Git LFS pointer, whose file was not fetched (git lfs pull),"),
    (rb"\s*(?:<\?xml[^>]*>\s*)?<svg", "", "an SVG"),
    (rb"\s*<(?:!doctype html|html)", "", "a page of HTML"),
    (rb"\0{32}", "", "nothing but zeros"),
)
_COMPILED = tuple((re.compile(pattern, re.DOTALL | re.IGNORECASE), kind, words) for pattern, kind, words in _BEGINNINGS)
_OF_WORDS = {"a camera's RAW file": RAW, "a video": VIDEO, "a PDF": PDF} | dict.fromkeys(
    ("a JPEG 2000", "a JPEG XL", "a Photoshop file", "a PostScript file", "an icon", "an SVG"), OTHER
)


def told(head: bytes) -> tuple[str, str]:
    """The format that a file which begins so is read as, "" where it is not, and what a message calls it.

    Both are "" where nothing is known that begins so.
    """
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    for pattern, kind, words in _COMPILED:
        if pattern.match(head):
            return kind, words
    return "", ""


def left_out(head: bytes) -> str:
    """Which of the kinds that are not read a file is that begins so, such as RAW; "" where it is none of them."""
    return _OF_WORDS.get(told(head)[1], "")


def _of_brands(head: bytes) -> tuple[str, str]:
    """Of an ISO base media file: its brands tell pictures from films."""
    size = min(int.from_bytes(head[:4]), len(head))
    brands = [head[8:12], *(head[start : start + 4] for start in range(16, size, 4))]
    if {b"avif", b"avis"} & set(brands):
        return "AVIF", "an AVIF"
    if brands[0] == b"crx ":
        return "", "a camera's RAW file"
    if brands[0] in (b"jp2 ", b"jpx "):
        return "", "a JPEG 2000"
    return ("HEIF", "a HEIC") if any(map(_HEIF_BRANDS.fullmatch, brands)) else ("", "a video")
