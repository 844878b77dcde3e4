"""Formats told by their first bytes, never by a file's name; pure."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from ximilar_async.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD_BYTES: Final = 4096
"""How many first bytes are enough to tell a format."""

ACCEPTED: Final = ("JPEG", "PNG", "WEBP", "HEIC", "BMP", "TIFF", "GIF")
"""Formats that the service takes (Quickstart, Supported Image Formats); of a GIF one frame."""

_MAGIC: Final[Mapping[bytes, str]] = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"8BPS": "PSD",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JP2",
    b"\xff\x4f\xff\x51": "JP2",
    b"%PDF-": "PDF",
}

_BMP_HEADER_SIZES: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_SVG: Final = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(?:!DOCTYPE\s+svg\b|(?:svg:)?svg[\s>])", re.DOTALL
)
_NO_TEXT: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_Decoder: Final = codecs.getincrementaldecoder("utf-8")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_HEIC_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
)
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis", b"avio"})
_HEIF_BRANDS: Final = frozenset(
    {b"mif1", b"mif2", b"msf1", b"miaf", b"1pic", b"avci", b"avcs", b"jpeg", b"jpgs"}
)


def image_format(head: bytes) -> str | None:
    """Return the name of the format that these first bytes belong to.

    Args:
        head: The first bytes of a file; 4096 are always enough.

    Returns:
        "JPEG", "PNG", "WEBP", "HEIC", "BMP", "TIFF" or "GIF", which the service takes; "AVIF",
        "JP2", "PSD", "SVG", "HEIF" or "PDF", which it does not; None for anything else.

    Example:
        >>> image_format(b"GIF89a"), image_format(b"hello")
        ('GIF', None)

    Documented in: Quickstart, Supported Image Formats.
    """
    head = bytes(head[:HEAD_BYTES])
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _box_format(head)
    # "BM" alone also begins many a text.
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return "SVG" if _SVG.match(head.removeprefix(_BYTE_ORDER_MARK)) else None


def _box_format(head: bytes) -> str | None:
    """Tell apart the formats that share the ISO base media file format by their brands.

    The first brand decides where it names a codec; "mif1" and its like only say that there is a
    picture, and the compatible brands say how it is coded (ISO/IEC 23008-12).
    """
    size = int.from_bytes(head[:4], "big")
    start = 16 if size == 1 else 8  # 1: the box has its size in 8 more bytes
    end = int.from_bytes(head[8:16], "big") if size == 1 else size or len(head)
    major = head[start : start + 4]
    box = head[start + 8 : end]
    brands = {box[at : at + 4] for at in range(0, len(box) - 3, 4)}
    for names in ({major}, brands if major in _HEIF_BRANDS else set()):
        if names & _HEIC_BRANDS:
            return "HEIC"
        if names & _AVIF_BRANDS:
            return "AVIF"
    return "HEIF" if major in _HEIF_BRANDS else None


def accepted_format(data: bytes) -> str:
    """Return the name of an image's format if the service takes it.

    Raises:
        ImageError: it does not, or the bytes are no image.

    Example:
        >>> accepted_format(b"GIF89a")
        'GIF'
    """
    if not data:
        raise ImageError("is empty")
    name = image_format(data[:HEAD_BYTES])
    if name in ACCEPTED:
        return name
    if name is not None:
        raise ImageError(f"{name} is not supported by the service; convert it to JPEG, PNG or WEBP")
    kind = "a text file, not" if _is_text(data[:HEAD_BYTES]) else "not"
    known = f"{', '.join(ACCEPTED[:-1])} or {ACCEPTED[-1]}"
    raise ImageError(f"is {kind} an image of a supported format ({known})")


def _is_text(head: bytes) -> bool:
    try:
        text = _Decoder().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return not _NO_TEXT.search(text)
