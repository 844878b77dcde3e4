"""Formats are told by content, and the refused ones are named."""

from __future__ import annotations

import io
import struct

import pillow_heif
import pytest
from PIL import Image

from ximilar_async.errors import ImageError
from ximilar_async.images import image_format
from ximilar_async.images._formats import accepted_format


def written(format: str) -> bytes:
    """Return a small picture in a format that Pillow writes."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 12), "teal").save(stream, format)
    return stream.getvalue()


def box(major: bytes, *compatible: bytes, long: bool = False) -> bytes:
    """Return the first box of an ISO base media file, and a bit of the next."""
    body = major + b"\0\0\0\0" + b"".join(compatible)
    if long:
        return struct.pack(">I4sQ", 1, b"ftyp", len(body) + 16) + body + b"\0\0\1\0meta"
    return struct.pack(">I4s", len(body) + 8, b"ftyp") + body + b"\0\0\1\0meta"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_real_files_are_told(format: str) -> None:
    """What Pillow writes is recognised."""
    Image.init()
    if format not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {format}")
    assert image_format(written(format)) == format


def test_a_real_heic_is_told() -> None:
    """What libheif writes is recognised."""
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "teal")).save(stream)
    assert image_format(stream.getvalue()) == "HEIC"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "JPEG"),
        (b"\xff\xd8\xff\xe1\0\x10Exif\0", "JPEG"),
        (b"GIF87a", "GIF"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"MM\0+\0\x08\0\0", "TIFF"),
        (b"8BPS\0\1", "PSD"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JP2"),
        (b"\xff\x4f\xff\x51\0\x29", "JP2"),
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf <?xml version='1.0'?>\n<!-- made > there -->\n<svg>", "SVG"),
        (b"<?xml version='1.0'?><!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'a.dtd'>", "SVG"),
        (b"<!doctype html><html><svg></svg></html>", None),
        (b"BM and other words that begin a text", None),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"", None),
        (b"\xff\xd8", None),
    ],
)
def test_first_bytes_tell_the_format(head: bytes, name: str | None) -> None:
    """Each signature is known, and what only looks like one is not taken for it."""
    assert image_format(head) == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (box(b"heic", b"mif1", b"heic"), "HEIC"),
        (box(b"heix", b"mif1"), "HEIC"),
        (box(b"hevc", b"msf1"), "HEIC"),
        (box(b"mif1", b"mif1", b"heic"), "HEIC"),
        (box(b"msf1", b"hevc", b"heix"), "HEIC"),
        (box(b"mif1", b"miaf", b"heic", long=True), "HEIC"),
        (box(b"avif", b"mif1", b"miaf"), "AVIF"),
        (box(b"avis", b"msf1", b"avif"), "AVIF"),
        (box(b"mif1", b"miaf", b"avif"), "AVIF"),
        (box(b"mif1", b"mif1", b"miaf"), "HEIF"),
        (box(b"mif1"), "HEIF"),
        (box(b"msf1", b"jpeg"), "HEIF"),
        (box(b"avci", b"mif1"), "HEIF"),
        (box(b"mp42", b"isom", b"heic"), None),
        (box(b"qt  "), None),
        (b"\0\0\0\0ftypmif1\0\0\0\0heic", "HEIC"),
        (b"\0\0\0\x10ftyp", None),
    ],
)
def test_brands_tell_pictures_of_one_family_apart(head: bytes, name: str | None) -> None:
    """The major brand decides where it names a codec, else the compatible ones do."""
    assert image_format(head) == name


def test_brands_after_the_box_do_not_count() -> None:
    """Only the first box names brands; what follows it may hold the same letters."""
    assert image_format(box(b"mif1", b"miaf") + b"heic") == "HEIF"


@pytest.mark.parametrize("format", ["AVIF", "JP2", "PSD", "SVG", "HEIF", "PDF"])
def test_refused_formats_are_named(format: str) -> None:
    """Each format that the documents refuse is refused by its name, with what to do."""
    heads = {
        "AVIF": box(b"avif"),
        "JP2": b"\xff\x4f\xff\x51",
        "PSD": b"8BPS",
        "SVG": b"<svg>",
        "HEIF": box(b"mif1"),
        "PDF": b"%PDF-1.4",
    }
    with pytest.raises(ImageError, match=f"{format} is not supported by the service; convert it"):
        accepted_format(heads[format])


@pytest.mark.parametrize("text", ["hello", "\ufeffžluťoučký kůň", "a" * 4095 + "ž", "BM, a car"])
def test_text_is_told_to_be_text(text: str) -> None:
    """A text file is called one, also where the bytes that were looked at cut a character."""
    with pytest.raises(ImageError, match="is a text file, not an image of a supported format"):
        accepted_format(text.encode())


@pytest.mark.parametrize("data", [b"\0\1\2\3", b"\x89PNG", b"PK\3\4\0\0", b"\xff\xfe\xfd"])
def test_other_bytes_are_no_image(data: bytes) -> None:
    """Anything else is refused with the formats that would do."""
    with pytest.raises(ImageError, match=r"is not an image of a supported format .*HEIC"):
        accepted_format(data)
