"""From an image file's bytes to the few pixels that descriptors are made of."""

from __future__ import annotations

import io
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from .features import SIDE
from .formats import READABLE, name_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Box = tuple[float, float, float, float]

MAX_BYTES: Final = 32 * 2**20
"""Largest image file, in bytes."""

MAX_PIXELS: Final = 89_000_000
"""Largest image, in pixels: a small file can unfold to gigabytes. Pillow warns from here on."""

_JPEGS: Final = ("JPEG", "MPO")
"""What Pillow calls them; the second holds several pictures, as of cameras with two lenses."""

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to set an image upright, by its orientation (Exif 2.32, tag 0x0112)."""


class ImageRefused(ValueError):  # noqa: N818 - the name says what happened
    """An image that cannot be described: of a refused format, damaged, or too large."""


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels that features are taken from, RGB, shape (64, 64, 3).

    The image is set upright as its Exif orientation says; what is transparent becomes white.

    Args:
        data: An image file's bytes.

    Raises:
        ImageRefused: the format is refused, the image is damaged or too large.
    """
    if len(data) > MAX_BYTES:
        raise ImageRefused(f"the image is larger than {MAX_BYTES // 2**20} MiB")
    kind = name_of(data)
    if kind is None:
        raise ImageRefused("not an image of a supported format")
    if kind not in READABLE:
        raise ImageRefused(f"{kind} images are not supported")
    try:
        with _open(data, kind) as image:
            return np.asarray(_upright(image, _small(image)))
    except ImageRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRefused(f"the image has too many pixels: {error}") from None
    except UnidentifiedImageError:
        raise ImageRefused(f"the {kind} image is damaged: its beginning makes no sense") from None
    except Exception as error:  # noqa: BLE001 - on damaged bytes decoders raise whatever they like
        raise ImageRefused(f"the {kind} image is damaged: {error}") from None


def _open(data: bytes, kind: str) -> Image.Image:
    if kind == "HEIC":
        return _open_heic(data)
    image = Image.open(io.BytesIO(data), formats=[kind])
    _check_size(*image.size)
    return image


def _open_heic(data: bytes) -> Image.Image:
    try:
        heif: Any = import_module("pillow_heif")
    except ImportError:
        raise ImageRefused(
            "reading HEIC needs pillow-heif: pip install 'ximilar-async[images]'"
        ) from None
    container = heif.open_heif(data, convert_hdr_to_8bit=True)
    _check_size(*container.size)
    image: Image.Image = container.to_pillow()
    return image


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageRefused(f"the image has more than {MAX_PIXELS} pixels")


def _small(image: Image.Image) -> Image.Image:
    """Scale an image down to 64 x 64 pixels in RGB."""
    # A JPEG is scaled while it is decoded, several times cheaper than afterwards. The box says what
    # part of the result is the image: scaled sizes are whole numbers, and half a pixel counts here.
    drafted = image.draft("RGB", (2 * SIDE, 2 * SIDE)) if image.format in _JPEGS else None
    box = drafted[1] if drafted else None
    image.load()
    if image.mode.startswith("I"):
        return _resized(_from_deep(image), box)
    if image.has_transparency_data:
        layered = _resized(image.convert("RGBA"), box)
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    if image.mode == "F":
        image = image.convert("L")
    return _resized(image if image.mode == "RGB" else image.convert("RGB"), box)


def _from_deep(image: Image.Image) -> Image.Image:
    """Return an image of 16 bits a pixel in RGB; Pillow would cut them off instead of scaling."""
    deep = np.asarray(image, dtype=np.float64) / 257.0
    return Image.fromarray(np.clip(deep, 0, 255).astype(np.uint8)).convert("RGB")


def _resized(image: Image.Image, box: Box | None) -> Image.Image:
    # Bilinear shares pixels out between those they fall between: after a plain box filter, copies
    # of another size were further away than the radius of near-duplicates.
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box, reducing_gap=3.0)


def _upright(image: Image.Image, small: Image.Image) -> Image.Image:
    turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return small if turn is None else small.transpose(turn)
