"""Descriptors: real content in, distances that mean likeness out; what cannot be read is named."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from ximilar_async.emulator.descriptor import ImageRefused, VisualDescriptor, decode

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


def encoded(image: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def distance(left: bytes, right: bytes) -> float:
    return float(np.linalg.norm(DESCRIPTOR.from_image(left) - DESCRIPTOR.from_image(right)))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("JPEG", {"quality": 75}),
        ("JPEG", {"quality": 95}),
        ("WEBP", {"quality": 85}),
        ("BMP", {}),
        ("TIFF", {}),
        ("GIF", {}),
    ],
)
def test_a_re_encoded_picture_is_a_near_duplicate(kind: str, settings: dict[str, int]) -> None:
    """The same picture in another format or quality lies within the documents' radius of 5."""
    for seed in range(5):
        image = picture(seed)
        assert distance(encoded(image), encoded(image, kind, **settings)) <= RADIUS


def test_a_resized_picture_is_a_near_duplicate() -> None:
    """Half the size lies within the radius of near-duplicates."""
    for seed in range(5):
        image = picture(seed)
        assert distance(encoded(image), encoded(image.resize((200, 150)))) <= RADIUS


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


def test_orientation_in_the_metadata_is_applied() -> None:
    """A photograph that is stored on its side is described upright."""
    image = picture(3)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    sideways = image.transpose(Image.Transpose.ROTATE_90)
    turned = encoded(sideways, "JPEG", quality=95, exif=exif)
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
