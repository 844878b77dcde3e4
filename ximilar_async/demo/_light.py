"""Forms, light and shadows: fields of one number a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from ._surfaces import enlarged, shrunk

if TYPE_CHECKING:
    from ._surfaces import Field

    Normals: TypeAlias = tuple[Field, Field, Field]

_LIGHT: Final = (-0.42, -0.58, 0.70)
_FILL: Final = (0.72, 0.12, 0.68)
_MIRROR: Final = (-0.23, -0.32, 0.92)
"""Between light and eye: what looks there mirrors the light."""
_STEEPNESS: Final = 1.7
_INSIDE: Final = 0.5
"""Share of a pixel from which it counts as covered."""


def cushion(mask: Field, radius: float) -> Normals:
    """Return where a cushion's surface looks: bent near its edges, flat within.

    Args:
        mask: Where the cushion is.
        radius: How far from its edge it bends, in pixels.
    """
    height = 0.65 * blurred(mask, radius) + 0.35 * blurred(mask, radius / 3)
    across, down = np.zeros_like(height), np.zeros_like(height)
    across[:, 1:-1] = height[:, :-2] - height[:, 2:]
    down[1:-1] = height[:-2] - height[2:]
    steep = radius * _STEEPNESS
    return _unit(across * steep, down * steep)


def turned(mask: Field) -> tuple[Normals, Field, Field]:
    """Return where something turned on a lathe looks, with each row's middle as its axis.

    Returns:
        The normals, the place between the row's ends (-1 to 1), and half of the row's width in
        pixels (a column).
    """
    solid = mask > _INSIDE
    width = mask.shape[1]
    some = solid.any(1)
    left = np.where(some, solid.argmax(1), 0).astype(np.float32)[:, None]
    right = np.where(some, width - solid[:, ::-1].argmax(1), width).astype(np.float32)[:, None]
    half = np.maximum((right - left) / 2, 1)
    column = np.arange(width, dtype=np.float32)[None, :] + 0.5
    place = np.clip((column - left) / half - 1, -0.995, 0.995)
    outwards = np.sqrt(1 - place * place)
    return (place, np.full_like(place, -0.1), outwards), place, half


def bent(normals: Normals, folds: Field) -> Normals:
    """Return normals with folds that run downwards."""
    return _unit(normals[0] / normals[2] + folds, normals[1] / normals[2])


def brightness(normals: Normals) -> Field:
    """Return how bright a surface is; about 1 where it looks at the eye."""
    key = np.clip(_facing(normals, _LIGHT), 0, 1)
    fill = np.clip(_facing(normals, _FILL), 0, 1)
    return 0.46 + 0.60 * key + 0.16 * fill


def mirrored_light(normals: Normals, gloss: float) -> Field:
    """Return the light that a surface mirrors into the eye: sharper the glossier it is."""
    sharpness = 10 + 50 * gloss
    facing = np.clip(_facing(normals, _MIRROR), 0, 1)
    return gloss * np.power(facing, sharpness)


def blurred(field: Field, radius: float) -> Field:
    """Return a field blurred over about a radius, in pixels; beyond its edges all is 0."""
    height, width = field.shape
    return enlarged(_small_blurred(field, radius), (width, height))


def _small_blurred(field: Field, radius: float) -> Field:
    height, width = field.shape
    step = max(radius / 2.2, 1.0)
    size = (max(2, round(width / step)), max(2, round(height / step)))
    small = np.pad(shrunk(field, size), 3)
    for _ in range(3):
        small = (small[:-2] + 2 * small[1:-1] + small[2:]) / 4
        small = (small[:, :-2] + 2 * small[:, 1:-1] + small[:, 2:]) / 4
    return small


def ground_shadow(covered: Field, *, standing: bool) -> Field:
    """Return by how much a product darkens the ground: a share of its light, 0 to 1.

    Args:
        covered: Where the product is in the picture.
        standing: Whether it touches the ground with its lower end only; else it lies on it.
    """
    unit = max(covered.shape) / 100
    return _shadow_below(covered, unit) if standing else _shadow_around(covered, unit)


def _shadow_around(covered: Field, unit: float) -> Field:
    height, width = covered.shape
    small = shrunk(covered, (width // 4, height // 4))
    down, across = round(0.45 * unit), round(0.3 * unit)
    moved = np.pad(small, ((down, 0), (across, 0)))[: height // 4, : width // 4]
    near = 0.30 * blurred(moved, 0.75 * unit)
    return enlarged(near + 0.12 * blurred(moved, 2.2 * unit), (width, height))


def _shadow_below(covered: Field, unit: float) -> Field:
    rows = np.flatnonzero(covered.max(1) > _INSIDE)
    bottom, tall = int(rows[-1]), int(rows[-1] - rows[0])
    feet = covered[max(0, bottom - round(tall * 0.08)) : bottom + 1].max(0)
    body = covered[max(0, bottom - round(tall * 0.5)) : bottom + 1].max(0)
    down = (np.arange(len(covered), dtype=np.float32) - bottom)[:, None]
    near: Field = _row_blurred(feet, 3.2 * unit) * np.exp(-((down / (1.7 * unit)) ** 2))
    far: Field = _row_blurred(body, 6 * unit) * np.exp(-((down / (4.5 * unit)) ** 2))
    return 0.42 * near + 0.17 * far


def _row_blurred(row: Field, radius: float) -> Field:
    thick = round(8 * radius)
    return blurred(np.repeat(row[None, :], thick, 0), radius)[thick // 2 : thick // 2 + 1]


def _facing(normals: Normals, direction: tuple[float, float, float]) -> Field:
    x, y, z = (part for part in direction)
    return np.asarray(normals[0] * x + normals[1] * y + normals[2] * z)


def _unit(x: Field, y: Field) -> Normals:
    outwards = 1 / np.sqrt(1 + x * x + y * y)
    return x * outwards, y * outwards, outwards
