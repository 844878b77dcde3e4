"""From an image to its descriptor: 128 numbers whose distances say how alike two images are."""

from __future__ import annotations

import hashlib
import io
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from PIL import Image, ImageOps

from .features import SIDE, features
from .formats import READABLE, name_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MAX_BYTES: Final = 32 * 2**20
"""Largest image file, in bytes."""

MAX_PIXELS: Final = 100_000_000
"""Largest image, in pixels: a small file can unfold to gigabytes."""

_PROJECTION: Final = "projection.npz"
_SQRT_3: Final = 3.0**0.5


class ImageRefused(ValueError):  # noqa: N818 - the name says what happened
    """An image that cannot be described: of a refused format, damaged, or too large."""


class Extractor(Protocol):
    """Turns images into vectors; a model of one's own can take the place of the built-in one."""

    @property
    def name(self) -> str:
        """Return its name; a stored collection belongs to one extractor."""
        ...

    @property
    def dimensions(self) -> int:
        """Return how many numbers a vector has."""
        ...

    def from_image(self, data: bytes) -> Floats:
        """Return the vector of an image file's bytes, shape (dimensions,).

        Raises:
            ImageRefused: it cannot be read.
        """
        ...

    def from_text(self, text: str) -> Floats:
        """Return a vector for a text, the same for the same text, shape (dimensions,)."""
        ...


class VisualDescriptor:
    """The built-in extractor: shape, colour and layout, projected to 128 dimensions.

    Distances are scaled so that two photographs taken at random lie near 60, as in the documents'
    examples; a re-encoded or resized copy lies within 5, the documents' radius of near-duplicates.
    Safe to use from several threads.

    Example:
        >>> VisualDescriptor().from_text("https://example.com/1.jpg").shape
        (128,)
    """

    def __init__(self) -> None:
        with (files("ximilar_async.emulator") / "data" / _PROJECTION).open("rb") as file:
            fitted = np.load(file, allow_pickle=False)
            self._mean: Floats = fitted["mean"]
            self._basis: Floats = fitted["basis"].astype(np.float32)
            self._spread: Floats = fitted["spread"]

    @property
    def name(self) -> str:
        """Return its name; another projection gets another one."""
        return "visual-1"

    @property
    def dimensions(self) -> int:
        """Return how many numbers a descriptor has."""
        return int(self._basis.shape[1])

    def from_image(self, data: bytes) -> Floats:
        """Return the descriptor of an image file's bytes, shape (128,).

        Raises:
            ImageRefused: the format is refused, the image is damaged or too large.
        """
        described = features(decode(data))
        return np.asarray((described - self._mean) @ self._basis, dtype=np.float32)

    def from_text(self, text: str) -> Floats:
        """Return the descriptor of an address: the same for the same text, shape (128,).

        It has the spread of real descriptors in each dimension and no likeness in it.
        """
        digest = hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(
            4 * self.dimensions
        )
        unit = np.frombuffer(digest, "<u4").astype(np.float32) / np.float32(2**31) - 1
        return np.asarray(unit * _SQRT_3 * self._spread, dtype=np.float32)


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels that features are taken from, RGB, shape (64, 64, 3).

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
            return _pixels(image)
    except ImageRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRefused(f"the image has too many pixels: {error}") from None
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        raise ImageRefused(f"the {kind} image is damaged: {error}") from None


def _open(data: bytes, kind: str) -> Image.Image:
    if kind == "HEIC":
        return _open_heic(data)
    image = Image.open(io.BytesIO(data), formats=[kind])
    if image.width * image.height > MAX_PIXELS:
        raise ImageRefused(f"the image has more than {MAX_PIXELS} pixels")
    if kind == "JPEG":
        # JPEG is scaled while it is decoded: several times cheaper than afterwards.
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
    return image


def _open_heic(data: bytes) -> Image.Image:
    try:
        heif: Any = import_module("pillow_heif")
    except ImportError:
        raise ImageRefused(
            "reading HEIC needs pillow-heif: pip install 'ximilar-async[images]'"
        ) from None
    container = heif.open_heif(data, convert_hdr_to_8bit=True)
    width, height = container.size
    if width * height > MAX_PIXELS:
        raise ImageRefused(f"the image has more than {MAX_PIXELS} pixels")
    image: Image.Image = container.to_pillow()
    return image


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    image = ImageOps.exif_transpose(image)
    small = min(image.size) < SIDE
    way = Image.Resampling.BILINEAR if small else Image.Resampling.BOX
    return np.asarray(_to_rgb(image).resize((SIDE, SIDE), way, reducing_gap=2.0))


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return the image in 8-bit RGB, what is transparent in white."""
    if image.mode.startswith("I"):
        # 16 bits a pixel; Pillow would cut them off instead of scaling.
        deep = np.asarray(image, dtype=np.float64) / 257.0
        return Image.fromarray(np.clip(deep, 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")
