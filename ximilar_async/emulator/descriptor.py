"""From an image to its descriptor: 128 numbers whose distances say how alike two images are."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from attrs import frozen

from .decoding import ImageRefused, decode
from .features import features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Numbers = NDArray[np.float64]

__all__ = ["Extractor", "ImageRefused", "VisualDescriptor"]

_GRID: Final = 1024.0
"""Parts of 1 that descriptors are rounded to: machines that differ in the last bit agree."""
_SQRT_3: Final = 3.0**0.5


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

    @property
    def name(self) -> str:
        """Return its name; other features or another projection get another one."""
        return "visual-2"

    @property
    def dimensions(self) -> int:
        """Return how many numbers a descriptor has."""
        return len(_projection().spread)

    def from_image(self, data: bytes) -> Floats:
        """Return the descriptor of an image file's bytes, shape (128,).

        Raises:
            ImageRefused: the format is refused, the image is damaged or too large.
        """
        return _projection().project(features(decode(data)))

    def from_text(self, text: str) -> Floats:
        """Return the descriptor of an address: the same for the same text, shape (128,).

        It has the spread of real descriptors in each dimension and no likeness in it.
        """
        digest = hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(
            4 * self.dimensions
        )
        unit = np.frombuffer(digest, "<u4") / 2**31 - 1
        return _rounded(unit * _SQRT_3 * _projection().spread)


@frozen
class _Projection:
    """From features to descriptors; made by `tools/fit_projection.py`."""

    mean: Numbers
    """What features are on average."""
    directions: Numbers
    """Those in which photographs differ most, scaled: shape (128, features)."""
    spread: Numbers
    """How far descriptors of photographs spread in each dimension."""

    def project(self, described: Numbers) -> Floats:
        # A matrix product would be shared out among BLAS's threads, which wait for each other.
        return _rounded(np.vecdot(self.directions, described - self.mean))


@cache
def _projection() -> _Projection:
    with (files("ximilar_async.emulator") / "data" / "projection.npz").open("rb") as file:
        fitted = np.load(file, allow_pickle=False)
        return _Projection(
            mean=fitted["mean"].astype(np.float64),
            directions=np.ascontiguousarray(fitted["basis"].T, np.float64),
            spread=fitted["spread"].astype(np.float64),
        )


def _rounded(vector: Numbers) -> Floats:
    return np.asarray(np.round(vector * _GRID) / _GRID, dtype=np.float32)
