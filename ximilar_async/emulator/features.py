"""What an image looks like, in numbers: shape, colours and layout of 64 x 64 pixels; pure.

Four groups of features, weighted so that each adds what the others miss: a histogram of oriented
gradients (4 x 4 cells, 8 directions), the 63 lowest frequencies of the lightness (DCT), a Lab
thumbnail of 8 x 8, and a Lab histogram of 4 x 6 x 6 bins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SIDE: Final = 64
"""Pixels of a side of the images that features are taken from."""

FEATURES: Final = 128 + 63 + 192 + 144
"""Numbers that describe an image before the projection."""

_CELLS: Final = 4
_DIRECTIONS: Final = 8
_LOW: Final = 8
_HOG_WEIGHT, _DCT_WEIGHT, _THUMBNAIL_WEIGHT, _HISTOGRAM_WEIGHT = 2.0, 0.5, 0.08, 0.25

# Damping: what is added to norms so that flat images do not turn noise into shape.
_HOG_DAMPING, _DCT_DAMPING = 30.0, 50.0


def _srgb_to_linear() -> Floats:
    value = np.arange(256) / 255.0
    dark = value <= 0.04045  # noqa: PLR2004 - IEC 61966-2-1
    linear = np.where(dark, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear, dtype=np.float32)


def _dct_matrix(side: int) -> Floats:
    frequency, place = np.arange(side)[:, None], np.arange(side)[None]
    matrix = np.cos(np.pi * (2 * place + 1) * frequency / (2 * side)) * np.sqrt(2 / side)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, dtype=np.float32)


def _cell_of_pixels() -> NDArray[np.intp]:
    row, column = np.mgrid[0:SIDE, 0:SIDE] // (SIDE // _CELLS)
    return np.asarray((row * _CELLS + column).ravel(), dtype=np.intp)


_LINEAR: Final = _srgb_to_linear()
_DCT: Final = _dct_matrix(SIDE)[:_LOW]
_CELL: Final = _cell_of_pixels() * _DIRECTIONS
_TO_XYZ: Final = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ],
    np.float32,
) / np.array([[0.95047], [1.0], [1.08883]], np.float32)
"""sRGB to XYZ, relative to the white of D65 (IEC 61966-2-1)."""


def features(pixels: NDArray[np.uint8]) -> Floats:
    """Return the features of an image.

    Args:
        pixels: RGB, shape (64, 64, 3).

    Returns:
        Shape (527,).

    Example:
        >>> features(np.zeros((64, 64, 3), np.uint8)).shape
        (527,)
    """
    lab = to_lab(pixels)
    lightness = lab[..., 0]
    groups = (
        _gradients(lightness) * _HOG_WEIGHT,
        _frequencies(lightness) * _DCT_WEIGHT,
        _thumbnail(lab) * _THUMBNAIL_WEIGHT,
        _histogram(lab) * _HISTOGRAM_WEIGHT,
    )
    return np.concatenate(groups).astype(np.float32)


def to_lab(pixels: NDArray[np.uint8]) -> Floats:
    """Return the CIE Lab colours of RGB pixels, in the same shape."""
    xyz = np.cbrt(_LINEAR[pixels] @ _TO_XYZ.T)
    x, y, z = xyz[..., 0], xyz[..., 1], xyz[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1).astype(np.float32)


def _gradients(lightness: Floats) -> Floats:
    down, right = np.zeros_like(lightness), np.zeros_like(lightness)
    down[1:-1] = lightness[2:] - lightness[:-2]
    right[:, 1:-1] = lightness[:, 2:] - lightness[:, :-2]
    strength = np.hypot(right, down).ravel()
    turn = (np.arctan2(down, right).ravel() % np.pi) * (_DIRECTIONS / np.pi)
    first = turn.astype(np.intp)
    share = turn - first
    first %= _DIRECTIONS
    second = (first + 1) % _DIRECTIONS
    bins = _CELLS * _CELLS * _DIRECTIONS
    sums = np.bincount(_CELL + first, strength * (1 - share), bins)
    sums += np.bincount(_CELL + second, strength * share, bins)
    damped = np.sqrt(sums / (np.linalg.norm(sums) + _HOG_DAMPING)) / _CELLS
    return np.asarray(damped, dtype=np.float32)


def _frequencies(lightness: Floats) -> Floats:
    low = (_DCT @ lightness @ _DCT.T).ravel()[1:]
    return np.asarray(low / (np.linalg.norm(low) + _DCT_DAMPING), dtype=np.float32)


def _thumbnail(lab: Floats) -> Floats:
    step = SIDE // _LOW
    means = lab.reshape(_LOW, step, _LOW, step, 3).mean((1, 3))
    return np.asarray(means.reshape(-1) / 100.0, dtype=np.float32)


def _histogram(lab: Floats) -> Floats:
    light = np.clip(lab[..., 0] / 25, 0, 3.999).astype(np.intp)
    red = np.clip((lab[..., 1] + 60) / 20, 0, 5.999).astype(np.intp)
    yellow = np.clip((lab[..., 2] + 60) / 20, 0, 5.999).astype(np.intp)
    counts = np.bincount((light * 36 + red * 6 + yellow).ravel(), minlength=144)
    return np.asarray(np.sqrt(counts / light.size), dtype=np.float32)
