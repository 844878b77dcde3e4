"""Patterns and textures as functions of places on a product."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from ._parts import Paint

Field: TypeAlias = NDArray[np.floating[Any]]
"""One number a pixel, of 32 bits."""

_TILE: Final = 512
_STRIPES: Final = 13.0
_CHECKS: Final = 9.0
_DOTS: Final = 12.0
_SPECKLES: Final = 15.0


@frozen
class Noise:
    """Noise that repeats without a seam, made once for a catalog."""

    fine: Field
    """A value a place, without connection."""
    soft: Field
    """Clouds, from -1 to 1."""

    def grains(self, x: Field, y: Field) -> Field:
        """Return fine values at places; 1 is a tile's width."""
        return _at(self.fine, x, y)

    def clouds(self, x: Field, y: Field) -> Field:
        """Return soft values at places; 1 is a tile's width."""
        return _at(self.soft, x, y)


def _at(tile: Field, x: Field, y: Field) -> Field:
    column = (x * _TILE).astype(np.int32) & (_TILE - 1)
    row = (y * _TILE).astype(np.int32) & (_TILE - 1)
    return np.asarray(tile[row, column])


def make_noise(rng: np.random.Generator) -> Noise:
    """Return new noise."""
    fine = rng.standard_normal((_TILE, _TILE)).astype(np.float32)
    soft = np.zeros_like(fine)
    for cells, weight in ((8, 1.0), (16, 0.6), (32, 0.35), (64, 0.2)):
        soft += weight * _clouds(rng.standard_normal((cells, cells)).astype(np.float32))
    return Noise(fine, soft / np.abs(soft).max())


def _clouds(cells: Field) -> Field:
    """Blow a grid up to a tile without a seam."""
    wide = np.pad(cells, 2, mode="wrap")
    edge = _TILE * 2 // len(cells)
    side = _TILE + 2 * edge
    return enlarged(wide, (side, side))[edge:-edge, edge:-edge]


def enlarged(field: Field, size: tuple[int, int]) -> Field:
    """Return a field in another size (width, height), smoothly."""
    return np.asarray(Image.fromarray(field).resize(size, Image.Resampling.BICUBIC))


def shrunk(field: Field, size: tuple[int, int]) -> Field:
    """Return a field in a smaller size (width, height), each value the mean of its area."""
    return np.asarray(Image.fromarray(field).resize(size, Image.Resampling.BOX))


def share_of_second(paint: Paint, x: Field, y: Field, pixels: float, noise: Noise) -> Field | None:
    """Return how much of the second colour shows at each place, 0 to 1; None for nowhere.

    Args:
        paint: What is printed or woven.
        x: Places on the product, in units of its square.
        y: The same, downwards.
        pixels: How many pixels the square is wide: what edges are sharpened by.
        noise: For patterns without an order.
    """
    if paint.pattern == "plain":
        return None
    cos, sin = math.cos(paint.slant) / paint.scale, math.sin(paint.slant) / paint.scale
    x, y = x * cos + y * sin, y * cos - x * sin
    edge = pixels * paint.scale
    if paint.pattern == "striped":
        return _bands(y * _STRIPES, edge / _STRIPES)
    if paint.pattern == "checked":
        cell = edge / _CHECKS
        return (_bands(x * _CHECKS, cell) + _bands(y * _CHECKS, cell)) * 0.5
    if paint.pattern == "dotted":
        return _dots(x * _DOTS, y * _DOTS, edge / _DOTS)
    return _sharp(noise.clouds(x * 4, y * 4) - 0.42, edge / _SPECKLES)


def _bands(turns: Field, pixels: float) -> Field:
    return _sharp(np.sin(turns * (2 * math.pi)), pixels / 6)


def _dots(x: Field, y: Field, pixels: float) -> Field:
    row = np.floor(y)
    x = x + 0.5 * (row % 2)
    away = np.hypot(x - np.floor(x) - 0.5, y - row - 0.5)
    return _sharp(0.27 - away, pixels)


def _sharp(height: Field, slope: float) -> Field:
    """Return 0 where a height is below 0 and 1 where it is above, with an edge a pixel wide."""
    return np.asarray(np.clip(height * slope + 0.5, 0, 1))


def grain(paint: Paint, x: Field, y: Field, noise: Noise) -> Field | None:
    """Return by how much a texture lightens (above 0) or darkens each place; None for smooth."""
    if paint.texture == "cloth":
        return noise.grains(x * 1.7, y * 1.7) * 0.022
    if paint.texture == "leather":
        return noise.clouds(x * 9, y * 9) * 0.07 + noise.clouds(x * 1.3, y * 1.3) * 0.06
    if paint.texture == "wood":
        warp = noise.clouds(x * 0.9, y * 0.25)
        rings: Field = np.sin((x + warp * 0.05) * 150)
        streaks = noise.grains(x * 1.5, y * 0.04)
        return np.asarray(rings * 0.05 + streaks * 0.025 + warp * 0.06)
    return None
