"""From where a product is seen: from its square to the picture's pixels and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._outlines import Points
    from ._parts import Part
    from ._surfaces import Field

Matrix: TypeAlias = NDArray[np.float64]


@frozen(kw_only=True)
class View:
    """How a product is turned and how much of the picture it takes."""

    size: tuple[int, int]
    """Width and height of the picture, in pixels."""
    turn: float = 0.0
    """Radians that it is turned in the picture's plane."""
    mirrored: bool = False
    shear: float = 0.0
    squeeze: float = 1.0
    """Width as seen from the side, a share of the true one."""
    tip: tuple[float, float] = (0.0, 0.0)
    """How strongly its right and its lower side recede."""
    fill: float = 0.8
    """Share of the picture's width or height that it takes, whichever is reached first."""


@frozen
class Camera:
    """A view of one product, fitted into the picture."""

    matrix: Matrix = field(repr=False)

    @property
    def scale(self) -> float:
        """Return how many pixels the product's square is wide in the picture."""
        corners = self.to_pixels(np.array([(0.5, 0.5), (0.6, 0.5), (0.5, 0.6)]))
        sides = np.hypot(*(corners[1:] - corners[0]).T)
        return float(10 * np.sqrt(sides[0] * sides[1]))

    def to_pixels(self, points: Points) -> Points:
        """Return where points of the square lie in the picture."""
        return _mapped(self.matrix, points)

    def to_square(self, left: int, top: int, width: int, height: int) -> tuple[Field, Field]:
        """Return, for each pixel of a rectangle, its place on the product."""
        inverse = np.linalg.inv(self.matrix).astype(np.float32)
        x = np.arange(left, left + width, dtype=np.float32)[None, :] + 0.5
        y = np.arange(top, top + height, dtype=np.float32)[:, None] + 0.5
        across, down, away = (row[0] * x + row[1] * y + row[2] for row in inverse)
        return across / away, down / away


def aim(view: View, parts: Sequence[Part]) -> Camera:
    """Return the camera that has all parts in the picture's middle."""
    cos, sin = np.cos(view.turn), np.sin(view.turn)
    across = view.squeeze * (-1 if view.mirrored else 1)
    turned = np.array([(cos, -sin, 0), (sin, cos, 0), (0, 0, 1)])
    sheared = np.array([(across, view.shear, 0), (0, 1, 0), (*view.tip, 1)])
    free = turned @ sheared @ np.array([(1, 0, -0.5), (0, 1, -0.5), (0, 0, 1)])
    points = np.concatenate([_mapped(free, part.outline) for part in parts])
    low, high = points.min(0), points.max(0)
    size = np.array(view.size, float)
    scale = float((size * view.fill / (high - low)).min())
    shift = size / 2 - scale * (low + high) / 2
    return Camera(np.array([(scale, 0, shift[0]), (0, scale, shift[1]), (0, 0, 1)]) @ free)


def _mapped(matrix: Matrix, points: Points) -> Points:
    wide = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(wide[:, :2] / wide[:, 2:])
