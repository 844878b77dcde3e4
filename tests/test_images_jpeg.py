"""The glance at ordinary JPEGs: it sees what Pillow sees, or leaves the image to it."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile

from ximilar_async.images._jpeg import plain_jpeg

SIZE = (33, 21)
KINDS: list[dict[str, Any]] = [
    {},
    {"progressive": True},
    {"optimize": True},
    {"comment": b"hello"},
    {"icc_profile": bytes(300)},
    {"qtables": "web_high"},
    {"restart_marker_rows": 1},
]
ROUNDS = 5000


def jpeg(mode: str = "RGB", **settings: Any) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, SIZE).save(stream, "JPEG", **settings)
    return stream.getvalue()


def seen_by_pillow(data: bytes) -> object:
    """Return width, height and the header's length, or why there are none."""
    stream = io.BytesIO(data)
    try:
        image = JpegImageFile(stream)
        end = stream.tell()
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception as error:  # noqa: BLE001 - what it raises for damaged bytes is no promise
        return error
    return (*image.size, end) if turn == 1 else f"turned by {turn}"


@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: "".join(settings) or "plain")
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_ordinary_jpegs_are_seen(mode: str, settings: dict[str, Any]) -> None:
    """What encoders usually write needs no second look."""
    data = jpeg(mode, **settings)
    assert plain_jpeg(data) == seen_by_pillow(data)
    assert plain_jpeg(data) is not None


def test_what_may_lie_on_its_side_is_left_alone() -> None:
    """EXIF and XMP may turn the picture: that is not for a glance to tell."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    assert plain_jpeg(jpeg(exif=exif)) is None
    assert plain_jpeg(jpeg(xmp=b'<x tiff:Orientation="6"/>')) is None


def test_no_damage_makes_it_see_what_pillow_does_not() -> None:
    """Whatever bytes of a header are changed, lost or added, a glance never says otherwise."""
    drawn, seen = random.Random(0), 0
    whole = [jpeg(mode, **settings) for mode in ("L", "RGB", "CMYK") for settings in KINDS]
    for _ in range(ROUNDS):
        data = bytearray(drawn.choice(whole))
        for _ in range(drawn.choice((1, 1, 2, 3))):
            at = drawn.randrange(3, 700)
            how = drawn.random()
            data[at : at + (how < 0.9)] = b"" if how > 0.8 else bytes([drawn.randrange(256)])
        if drawn.random() < 0.1:
            del data[drawn.randrange(len(data)) :]
        facts = plain_jpeg(bytes(data))
        seen += facts is not None
        assert facts is None or facts == seen_by_pillow(bytes(data))
    assert seen > ROUNDS // 4
