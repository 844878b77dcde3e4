"""Points in a tree of boxes: within a small radius, whole boxes of points are ruled out at once.

Near-duplicates are asked for with radii far below the usual distance (5 against 60, "radius" of
`nearDuplicates`), so a few boxes hold all candidates of a million points. The boxes look at the
widest dimensions alone, hence what they let through are candidates, never answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import frozen

from .bounds import joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Rows = NDArray[np.intp]

_DIMENSIONS: Final = 10
"""Dimensions the boxes look at: with more, memory grows faster than the boxes shrink."""
_LEAF: Final = 16
"""Most points a leaf."""
_FAN: Final = 4
"""Halvings from a box to the boxes within it."""
_ALWAYS: Final = 64
"""So few boxes that all of them may be near."""
_PART: Final = 1 << 14
"""Leaves looked into in one go; bounds the memory of a question."""


@frozen
class _Level:
    """Boxes by the box of the level above that they are in: shape (above, dimensions, boxes)."""

    low: Floats
    """Least corners."""
    high: Floats

    def near(self, queries: Floats, above: Rows, square: float) -> tuple[Rows, ...]:
        """Tell which of the boxes in these boxes above can be near each one's query."""
        mine = queries[:, :, None]
        gaps = self.low[above]
        gaps -= mine
        np.maximum(gaps, mine - self.high[above], out=gaps)
        np.maximum(gaps, 0, out=gaps)
        return np.nonzero(_squares(gaps) <= square)


@frozen
class Boxes:
    """Points in leaves of one size, near ones together, and the boxes around them."""

    dimensions: Rows
    """The dimensions looked at."""
    points: Floats
    """Shape (leaves, dimensions looked at, points a leaf)."""
    rows: NDArray[np.int32]
    """The row of each point, shape (leaves, points a leaf); -1 where a leaf was filled up."""
    levels: tuple[_Level, ...]
    """From the boxes around many points to those of the leaves."""

    def near(self, queries: Floats, square: float) -> tuple[Rows, Rows] | None:
        """Find the points that can lie within a radius of queries.

        Args:
            queries: shape (queries, all dimensions).
            square: the radius, squared.

        Returns:
            Places in `queries` and rows, in pairs; or None where so many boxes are near that
            looking at all points costs less.
        """
        queries = queries[:, self.dimensions]
        asked, boxes = np.arange(len(queries)), np.zeros(len(queries), np.intp)
        for level in self.levels:
            above, within = level.low.shape[0], level.low.shape[2]
            place, box = level.near(queries[asked], boxes, square)
            asked, boxes = asked[place], boxes[place] * within + box
            if len(boxes) * 4 > len(queries) * above * within > _ALWAYS * len(queries):
                return None
        return self._near_points(queries, asked, boxes, square)

    def _near_points(
        self, queries: Floats, asked: Rows, leaves: Rows, square: float
    ) -> tuple[Rows, Rows]:
        found = [(np.zeros(0, np.intp), np.zeros(0, np.intp))]
        for start in range(0, len(leaves), _PART):
            whose, part = asked[start : start + _PART], leaves[start : start + _PART]
            apart = self.points[part]
            apart -= queries[whose][:, :, None]
            pair, place = np.nonzero(_squares(apart) <= square)
            rows = self.rows[part[pair], place].astype(np.intp)
            found.append((whose[pair][rows >= 0], rows[rows >= 0]))
        return joined(found)


def widest(sample: Floats) -> Rows:
    """Choose the dimensions in which vectors differ most.

    >>> widest(np.float32([[0, 5, 1], [0, 9, 2]]))[:2].tolist()
    [1, 2]
    """
    return np.argsort(-sample.var(axis=0), kind="stable")[:_DIMENSIONS]


def make_boxes(points: Floats, rows: Rows, dimensions: Rows) -> Boxes:
    """Put points in boxes: halved at the median of the widest dimension, again and again.

    Args:
        points: at least one, shape (points, dimensions looked at).
        rows: the row of each point.
        dimensions: which of a vector's dimensions they are.
    """
    halvings = max(0, (len(points) - 1) // _LEAF).bit_length()
    full = -(-len(points) >> halvings) << halvings
    order = np.minimum(np.arange(full), len(points) - 1)
    named = np.where(np.arange(full) < len(points), rows[order], -1).astype(np.int32)
    places = _halved(points[order], halvings)
    leaves = points[order[places]]
    levels: list[_Level] = []
    low, high = leaves.min(axis=1), leaves.max(axis=1)
    while len(low) > 1:
        fan = 1 << _FAN if len(low) > 1 << 2 * _FAN else len(low)
        levels.insert(0, _Level(_grouped(low, fan), _grouped(high, fan)))
        low, high = levels[0].low.min(axis=2), levels[0].high.max(axis=2)
    points = np.ascontiguousarray(leaves.transpose(0, 2, 1))
    return Boxes(dimensions, points, named[places], tuple(levels))


def _halved(points: Floats, halvings: int) -> Rows:
    """Order points into leaves: shape (2**halvings, points a leaf)."""
    places = np.arange(len(points)).reshape(1, -1)
    for _ in range(halvings):
        boxes, size = places.shape
        sample = points[places[:, :: -(-size // 32)]]
        axis = sample.var(axis=1).argmax(axis=1)
        middle = np.argpartition(points[places, axis[:, None]], size // 2, axis=1)
        places = np.take_along_axis(places, middle, axis=1).reshape(2 * boxes, size // 2)
    return places


def _grouped(corners: Floats, fan: int) -> Floats:
    """Reshape corners from (boxes, dimensions) to (boxes above, dimensions, fan)."""
    dimensions = corners.shape[1]
    return np.ascontiguousarray(corners.reshape(-1, fan, dimensions).transpose(0, 2, 1))


def _squares(apart: Floats) -> Floats:
    squares: Floats = np.einsum("adb,adb->ab", apart, apart)
    return squares
