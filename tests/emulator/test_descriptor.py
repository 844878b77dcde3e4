"""Descriptors: real content in, distances that mean likeness out; what cannot be read is named."""

from __future__ import annotations

import io
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from ximilar_async.emulator.decoding import decode
from ximilar_async.emulator.descriptor import ImageRefused, VisualDescriptor

if TYPE_CHECKING:
    from collections.abc import Callable

RADIUS = 5.0
DESCRIPTOR = VisualDescriptor()


def picture(seed: int, size: tuple[int, int] = (400, 300)) -> Image.Image:
    """Return a picture with some structure, different for each seed."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(int(c) for c in random.integers(60, 255, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        x, y = random.integers(0, size[0]), random.integers(0, size[1])
        width, height = random.integers(20, 150, 2)
        colour = tuple(int(c) for c in random.integers(0, 255, 3))
        kind = draw.ellipse if random.random() < 0.5 else draw.rectangle
        kind((int(x), int(y), int(x + width), int(y + height)), fill=colour)
    return image.filter(ImageFilter.GaussianBlur(1))


def product(shape: str, colour: str, pattern: str) -> Image.Image:
    """Return a product on a white ground, as shops show them: most of it is one colour."""
    image, ink = Image.new("RGB", (320, 320), "white"), Image.new("RGB", (320, 320), colour)
    lines = ImageDraw.Draw(ink)
    for place in range(0, 320, 24):
        if pattern == "striped":
            lines.line((place, 0, place, 320), fill="white", width=6)
        if pattern == "banded":
            lines.rectangle((0, place, 320, place + 11), fill="orange")
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    for kind, place in SHAPES[shape]:
        getattr(draw, kind)(place, fill=255)
    image.paste(ink, mask=mask)
    return image


SHAPES: dict[str, list[tuple[str, tuple[int, ...]]]] = {
    "mug": [("rectangle", (110, 110, 190, 220)), ("ellipse", (180, 130, 230, 190))],
    "shirt": [
        ("rectangle", (110, 90, 210, 250)),
        ("polygon", (110, 90, 60, 150, 90, 170, 130, 110)),
    ],
    "lamp": [
        ("polygon", (120, 150, 200, 150, 180, 80, 140, 80)),
        ("rectangle", (155, 150, 165, 260)),
    ],
    "ball": [("ellipse", (100, 100, 220, 220))],
}
COLOURS, PATTERNS = ("red", "green", "teal", "navy", "gray"), ("plain", "striped", "banded")
NAMES = [*itertools.product(SHAPES, COLOURS, PATTERNS)]
PRODUCTS = [product(*name) for name in NAMES]


def encoded(image: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def distance(left: bytes, right: bytes) -> float:
    return float(np.linalg.norm(DESCRIPTOR.from_image(left) - DESCRIPTOR.from_image(right)))


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "jpeg-60": lambda image: encoded(image, "JPEG", quality=60),
    "jpeg-75": lambda image: encoded(image, "JPEG", quality=75),
    "jpeg-95": lambda image: encoded(image, "JPEG", quality=95),
    "webp": lambda image: encoded(image, "WEBP", quality=75),
    "bmp": lambda image: encoded(image, "BMP"),
    "tiff": lambda image: encoded(image, "TIFF"),
    "gif": lambda image: encoded(image, "GIF"),
    "200-pixels": lambda image: encoded(scaled(image, 200), "JPEG", quality=90),
    "90-percent": lambda image: encoded(scaled(image, image.width * 9 // 10), "JPEG", quality=88),
    "512-pixels": lambda image: encoded(scaled(image, 512), "JPEG", quality=85),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.03), "JPEG"),
    "darker": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.97), "JPEG"),
}


def scaled(image: Image.Image, width: int) -> Image.Image:
    return image.resize((width, round(image.height * width / image.width)))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_copy_is_a_near_duplicate(change: Callable[[Image.Image], bytes]) -> None:
    """The same picture in another format, quality, size or brightness lies within radius 5."""
    for image in (*(picture(seed) for seed in range(5)), *PRODUCTS[::4]):
        assert distance(encoded(image), change(image)) <= RADIUS


def test_different_products_are_no_near_duplicates() -> None:
    """Products that differ in shape, colour or pattern alone lie beyond the radius."""
    vectors = np.stack([DESCRIPTOR.from_image(encoded(image)) for image in PRODUCTS])
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    assert distances[np.triu_indices(len(PRODUCTS), 1)].min() > RADIUS


def test_neighbours_have_something_in_common() -> None:
    """The product nearest to each is of the same shape or of the same colour."""
    vectors = np.stack([DESCRIPTOR.from_image(encoded(image)) for image in PRODUCTS])
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = [NAMES[place] for place in distances.argmin(axis=1)]
    for (shape, colour, _), (other_shape, other_colour, _) in zip(NAMES, nearest, strict=True):
        assert shape == other_shape or colour == other_colour


def test_different_pictures_are_far_apart() -> None:
    """No two different pictures are near-duplicates, and most lie far from each other."""
    vectors = np.stack([DESCRIPTOR.from_image(encoded(picture(seed))) for seed in range(30)])
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    apart = distances[np.triu_indices(30, 1)]
    assert apart.min() > 2 * RADIUS
    assert 30 < np.median(apart) < 120


def test_a_slight_change_is_nearer_than_another_picture() -> None:
    """Likeness has an order: blurred is nearer than mirrored, mirrored than another picture."""
    image = picture(1)
    blurred = image.filter(ImageFilter.GaussianBlur(3))
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    original = encoded(image)
    near, far = distance(original, encoded(blurred)), distance(original, encoded(mirrored))
    assert near < far
    assert near < distance(original, encoded(picture(2)))


def test_the_same_bytes_give_the_same_descriptor_in_every_thread() -> None:
    """Descriptors are deterministic, and the extractor may be shared."""
    data = [encoded(picture(seed), "JPEG") for seed in range(4)] * 5
    alone = [DESCRIPTOR.from_image(item) for item in data]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(DESCRIPTOR.from_image, data))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_every_machine_gives_the_same_descriptor() -> None:
    """Descriptors of known pixels and of a known text are what they were when this was written."""
    ramp = np.arange(96 * 80 * 3, dtype=np.uint32) * 2654435761 >> 24
    image = Image.fromarray(ramp.astype(np.uint8).reshape(96, 80, 3))
    vector = DESCRIPTOR.from_image(encoded(image))
    expected = [8.455078, -25.000977, -4.356445, -3.045898, -5.881836, 1.530273]
    np.testing.assert_allclose(vector[:6], expected, rtol=0, atol=2 / 1024)
    text = DESCRIPTOR.from_text("https://example.com/1.jpg")
    assert text[:4].tolist() == [-3.0595703125, -21.0341796875, -6.958984375, -6.5126953125]


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_orientation_in_the_metadata_is_applied(
    orientation: int, stored: Image.Transpose, kind: str
) -> None:
    """A photograph that is stored on its side or mirrored is described upright."""
    image = picture(3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = encoded(image.transpose(stored), kind, quality=95, exif=exif)
    assert distance(encoded(image), turned) <= RADIUS


def test_transparency_counts_as_white() -> None:
    """A cut-out product looks as it does on a white page."""
    cut_out = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(cut_out).ellipse((40, 40, 160, 160), fill=(200, 30, 30, 255))
    on_white = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(on_white).ellipse((40, 40, 160, 160), fill=(200, 30, 30))
    assert distance(encoded(cut_out), encoded(on_white)) <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16"])
def test_every_kind_of_pixels_is_read(mode: str) -> None:
    """Palettes, greys, CMYK and 16 bits are described, not refused."""
    if mode == "I;16":
        ramp = np.tile(np.linspace(0, 65535, 100).astype(np.uint16), (100, 1))
        pixels = decode(encoded(Image.fromarray(ramp)))
        assert pixels[0, 0, 0] < 10
        assert pixels[0, -1, 0] > 245
        return
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert decode(encoded(picture(1).convert(mode), kind)).shape == (64, 64, 3)


def test_heic_is_read() -> None:
    """HEIC is among the documents' formats."""
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(picture(2)).save(buffer, quality=90)
    assert distance(encoded(picture(2)), buffer.getvalue()) <= RADIUS


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an image"),
        (b"hello", "not an image"),
        (encoded(picture(1), "JPEG")[:3000], "JPEG image is damaged"),
        (encoded(picture(1))[:500], "PNG image is damaged"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1", "AVIF images are not supported"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1", "HEIF images are not supported"),
        (b"%PDF-1.7", "PDF images are not supported"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG images are not supported"),
        (b"8BPS\x00\x01", "PSD images are not supported"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JP2 images are not supported"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(data: bytes, words: str) -> None:
    """Refused formats, damage and what is no image at all are told apart."""
    with pytest.raises(ImageRefused, match=words):
        DESCRIPTOR.from_image(data)


def outcome(data: bytes) -> str:
    try:
        return "described" if np.isfinite(DESCRIPTOR.from_image(data)).all() else "nonsense"
    except ImageRefused as refused:
        return "obscure" if "object at" in str(refused) else "refused"


@pytest.mark.filterwarnings("ignore")  # Pillow's remarks on what it finds in broken metadata
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_any_damage_is_refused_or_read(kind: str) -> None:
    """Whatever happens to a file's bytes, it is described or refused; nothing else comes out."""
    whole, random = encoded(picture(1, (80, 60)), kind), np.random.default_rng(1)
    for part in range(60):
        data = bytearray(whole[: random.integers(1, len(whole))] if part % 3 == 0 else whole)
        for place in random.integers(0, len(data), part % 5):
            data[place] = random.integers(0, 256)
        assert outcome(bytes(data)) in ("described", "refused")


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    """A small file of very many pixels is never decoded."""
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 100_000
    with pytest.raises(ImageRefused, match="pixels"):
        DESCRIPTOR.from_image(bomb)


def test_texts_have_descriptors_of_their_own() -> None:
    """The same address gives the same descriptor, another address one that is far from it."""
    vectors = np.stack([DESCRIPTOR.from_text(f"https://example.com/{n}.jpg") for n in range(200)])
    assert np.array_equal(vectors[7], DESCRIPTOR.from_text("https://example.com/7.jpg"))
    distances = np.linalg.norm(vectors[:100] - vectors[100:], axis=1)
    assert 45 < np.median(distances) < 75
    assert distances.min() > 4 * RADIUS
