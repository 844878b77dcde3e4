"""Formats of images, told by their first bytes; pure."""

from __future__ import annotations

from typing import Final

READABLE: Final = frozenset({"JPEG", "PNG", "WEBP", "HEIC", "BMP", "TIFF", "GIF"})
"""What the documents say is taken (Quickstart, Supported Image Formats); of a GIF one frame."""

_STARTS: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"\x00\x00\x00\x0cjP  ", "JP2"),
    (b"\xff\x4f\xff\x51", "JP2"),
    (b"8BPS", "PSD"),
    (b"%PDF", "PDF"),
)


def name_of(data: bytes) -> str | None:
    """Return the name of the format of a file's bytes; None if it is none that is known.

    Example:
        >>> name_of(b"GIF89a..."), name_of(b"hello")
        ('GIF', None)
    """
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _by_brands(data)
    head = data[:1024].lstrip()
    return "SVG" if head.startswith((b"<svg", b"<?xml")) and b"<svg" in head else None


def _by_brands(data: bytes) -> str | None:
    """Tell AVIF, HEIC and HEIF apart by the brands of their first box (ISO/IEC 14496-12)."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}:
        return "HEIC"
    return "HEIF" if brands & {b"mif1", b"msf1", b"heif"} else None
