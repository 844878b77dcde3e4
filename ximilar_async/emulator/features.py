"""What an image looks like, in numbers: shape, layout and colours of 64 x 64 pixels; pure.

Five groups of features, weighted so that each adds what the others miss: a histogram of oriented
gradients (5 x 5 cells, 12 directions), the 63 lowest frequencies of the lightness (DCT), a Lab
thumbnail of 8 x 8, and of the subject, which is what differs from the image's edge, a Lab histogram
of 4 x 6 x 6 bins and the mean colour.

Copies of an image must stay near each other and different products apart, also on a plain ground
that is most of the image. So the subject's colours count by themselves, not by their share of the
image; what falls between two bins or cells is shared by both (else a trace of noise moves a whole
ground to the next bin); faint gradients count as none; and roots, which make small numbers large,
do not begin at zero. All is reckoned in float64, that machines agree.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

SIDE: Final = 64
"""Pixels of a side of the images that features are taken from."""

_CELLS: Final = 5
_DIRECTIONS: Final = 12
_LOW: Final = 8
_COLOURS: Final = (4, 6, 6)
"""Bins of the histogram along L, a and b."""
_A_B_SPAN: Final = 60.0
"""The histogram's a and b run from minus this to this."""

FEATURES: Final = _CELLS**2 * _DIRECTIONS + (_LOW**2 - 1) + 3 * _LOW**2 + math.prod(_COLOURS) + 3
"""Numbers that describe an image before the projection."""

_GRADIENTS_WEIGHT, _FREQUENCIES_WEIGHT = 0.5, 0.5
_THUMBNAIL_WEIGHT, _HISTOGRAM_WEIGHT = 0.0008, 0.3
_MEAN_WEIGHTS: Final = np.array([0.0025, 0.0075, 0.0075])
"""Of L, a and b of the subject's mean colour: hue says more than light and shade."""

_FAINT: Final = 4.0
"""Differences of lightness (0 to 100) up to this are noise."""
_GRADIENTS_POWER: Final = 0.4
_GRADIENTS_START, _HISTOGRAM_START = 0.01, 0.003
"""Where the roots begin."""
_GRADIENTS_DAMPING, _FREQUENCIES_DAMPING, _SUBJECT_DAMPING = 30.0, 50.0, 0.01
"""Added to norms, so that flat images do not turn noise into shape or a subject."""
_GROUND, _SUBJECT = 6.0, 30.0
"""Colours up to this far from the edge's (CIE 1976) are no subject, from this on all of it."""


def _srgb_to_linear() -> Numbers:
    value = np.arange(256) / 255.0
    dark = value <= 0.04045  # noqa: PLR2004 - IEC 61966-2-1
    return np.where(dark, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _dct_matrix(side: int, low: int) -> Numbers:
    frequency, place = np.arange(low)[:, None], np.arange(side)[None]
    matrix = np.cos(np.pi * (2 * place + 1) * frequency / (2 * side)) * np.sqrt(2 / side)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix)


def _cell_matrix(side: int, cells: int) -> Numbers:
    """Say how much of each pixel in a row belongs to each cell: (cells, side), columns sum to 1."""
    place = np.clip((np.arange(side) + 0.5) / (side / cells) - 0.5, 0, cells - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(place[None] - np.arange(cells)[:, None])))


def _mean_matrix(side: int, parts: int) -> Numbers:
    return np.asarray(np.repeat(np.eye(parts), side // parts, axis=1) * (parts / side))


_LINEAR: Final = _srgb_to_linear()
_DCT: Final = _dct_matrix(SIDE, _LOW)
_CELL: Final = _cell_matrix(SIDE, _CELLS)
_MEAN: Final = _mean_matrix(SIDE, _LOW)
_TO_XYZ: Final = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
) / np.array([[0.95047], [1.0], [1.08883]])
"""sRGB to XYZ, relative to the white of D65 (IEC 61966-2-1)."""


def features(pixels: NDArray[np.uint8]) -> Numbers:
    """Return the features of an image.

    Args:
        pixels: RGB, shape (64, 64, 3).

    Returns:
        Shape (702,).

    Example:
        >>> features(np.zeros((64, 64, 3), np.uint8)).shape
        (702,)
    """
    lab = to_lab(pixels)
    groups = (
        _gradients(lab[0]) * _GRADIENTS_WEIGHT,
        _frequencies(lab[0]) * _FREQUENCIES_WEIGHT,
        _thumbnail(lab) * _THUMBNAIL_WEIGHT,
        *_subject(lab),
    )
    return np.concatenate(groups)


def to_lab(pixels: NDArray[np.uint8]) -> Numbers:
    """Return the CIE Lab planes of RGB pixels.

    Args:
        pixels: RGB, shape (height, width, 3).

    Returns:
        Shape (3, height, width).
    """
    linear = _LINEAR[pixels.reshape(-1, 3).T]
    x, y, z = np.cbrt(_TO_XYZ @ linear)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)]).reshape(3, *pixels.shape[:2])


def _gradients(lightness: Numbers) -> Numbers:
    down, right = np.zeros_like(lightness), np.zeros_like(lightness)
    down[1:-1] = lightness[2:] - lightness[:-2]
    right[:, 1:-1] = lightness[:, 2:] - lightness[:, :-2]
    strength = np.sqrt(down * down + right * right).ravel() - _FAINT
    edges = np.flatnonzero(strength > 0)
    strength = strength[edges]
    turn = np.arctan2(down.ravel()[edges], right.ravel()[edges]) % np.pi * (_DIRECTIONS / np.pi)
    first = turn.astype(np.intp)
    share = turn - first
    planes = np.zeros((_DIRECTIONS, SIDE * SIDE))
    planes[first % _DIRECTIONS, edges] = strength * (1 - share)
    planes[(first + 1) % _DIRECTIONS, edges] = strength * share
    sums = _CELL @ planes.reshape(-1, SIDE, SIDE) @ _CELL.T
    sums /= np.linalg.norm(sums) + _GRADIENTS_DAMPING
    return _root(sums.ravel(), _GRADIENTS_START, _GRADIENTS_POWER)


def _frequencies(lightness: Numbers) -> Numbers:
    low = (_DCT @ lightness @ _DCT.T).ravel()[1:]
    return np.asarray(low / (np.linalg.norm(low) + _FREQUENCIES_DAMPING))


def _thumbnail(lab: Numbers) -> Numbers:
    return np.asarray(_MEAN @ lab @ _MEAN.T).ravel()


def _subject(lab: Numbers) -> tuple[Numbers, Numbers]:
    """Return the histogram and the mean of the subject's colours, weighted."""
    halved = lab[:, ::2, ::2] + lab[:, 1::2, ::2] + lab[:, ::2, 1::2] + lab[:, 1::2, 1::2]
    halved /= 4
    edge = (halved[:, 0], halved[:, -1], halved[:, 1:-1, 0], halved[:, 1:-1, -1])
    ordered = np.sort(np.concatenate(edge, axis=1), axis=1)
    ground = ordered[:, ordered.shape[1] // 2]
    colours = halved.reshape(3, -1)
    apart = colours - ground[:, None]
    apart = np.sqrt(np.einsum("cp,cp->p", apart, apart))
    subject = np.clip((apart - _GROUND) / (_SUBJECT - _GROUND), 0, 1)
    subject /= subject.sum() + _SUBJECT_DAMPING * len(subject)
    return _histogram(colours, subject) * _HISTOGRAM_WEIGHT, (colours @ subject) * _MEAN_WEIGHTS


def _histogram(colours: Numbers, weights: Numbers) -> Numbers:
    light, a, b = colours
    places = (light / 100, a / (2 * _A_B_SPAN) + 0.5, b / (2 * _A_B_SPAN) + 0.5)
    counts = np.zeros(math.prod(_COLOURS))
    for bin_, share in _shared(places):
        counts += np.bincount(bin_, share * weights, len(counts))
    return _root(counts, _HISTOGRAM_START, 0.5)


def _shared(places: tuple[Numbers, ...]) -> list[tuple[NDArray[np.intp], Numbers]]:
    """Share each colour, given by its places from 0 to 1, out to the bins around it."""
    shared = [(np.zeros(len(places[0]), np.intp), np.ones(len(places[0])))]
    for place, bins in zip(places, _COLOURS, strict=True):
        at = np.clip(place * bins - 0.5, 0, bins - 1)
        lower = np.minimum(at.astype(np.intp), bins - 2)
        upper = at - lower
        shared = [
            (bin_ * bins + lower + step, share * part)
            for bin_, share in shared
            for step, part in ((0, 1 - upper), (1, upper))
        ]
    return shared


def _root(values: Numbers, start: float, power: float) -> Numbers:
    return np.asarray((values + start) ** power - start**power)
