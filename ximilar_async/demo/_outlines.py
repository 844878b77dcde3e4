"""Outlines of parts: closed curves in a unit square, x to the right and y down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Points: TypeAlias = NDArray[np.float64]
"""Corners of a polygon, n x 2."""

Node: TypeAlias = tuple[float, float] | tuple[float, float, int]
"""A point that a curve runs through; with a third value it is a corner."""

_STEPS: Final = 12
"""Straight pieces between two nodes."""


def closed(*nodes: Node) -> Points:
    """Return a closed curve through all nodes: smooth, but for corners.

    Example:
        >>> closed((0, 0, 1), (1, 0, 1), (1, 1, 1)).shape
        (36, 2)
    """
    return _curve(nodes, is_closed=True)


def symmetric(*nodes: Node, axis: float = 0.5) -> Points:
    """Return a closed curve from its right half, told from top to bottom.

    Args:
        nodes: The right half; nodes that lie on the axis are not doubled.
        axis: Where it is mirrored.

    Example:
        >>> float(symmetric((0.5, 0, 1), (0.9, 1, 1))[:, 0].min().round(3))
        0.1
    """
    return closed(*nodes, *(_mirrored(node, axis) for node in reversed(nodes) if node[0] != axis))


def _mirrored(node: Node, axis: float) -> Node:
    x, y, *corner = node
    return (2 * axis - x, y, 1) if corner else (2 * axis - x, y)


def ellipse(x: float, y: float, across: float, down: float | None = None) -> Points:
    """Return an ellipse around a point.

    Args:
        x: Its middle.
        y: Its middle.
        across: Half of its width.
        down: Half of its height; None for a circle.

    Example:
        >>> ellipse(0.5, 0.5, 0.2).shape
        (48, 2)
    """
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack(
        [x + across * np.cos(angle), y + (across if down is None else down) * np.sin(angle)], 1
    )


def box(left: float, top: float, right: float, bottom: float, radius: float = 0.0) -> Points:
    """Return a rectangle with round corners.

    Example:
        >>> box(0, 0, 1, 1).tolist()
        [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    """
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)
    if not radius:
        return corners
    turn = np.linspace(0, np.pi / 2, 9)
    arc = radius * np.stack([-np.cos(turn), -np.sin(turn)], 1)  # of the corner at the left top
    inner = corners + radius * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    return np.concatenate([_turned(arc, quarter) + inner[quarter] for quarter in range(4)])


def _turned(points: Points, quarters: int) -> Points:
    for _ in range(quarters):
        points = np.stack([-points[:, 1], points[:, 0]], 1)
    return points


def stroke(nodes: Sequence[Node], *widths: float) -> Points:
    """Return the outline of a line drawn with a pen.

    Args:
        nodes: What the line runs through.
        widths: The pen's width from the line's start to its end, evenly spread.

    Example:
        >>> stroke([(0, 0), (1, 0)], 0.1)[:, 1].max().round(3)
        np.float64(0.05)
    """
    line = _curve(nodes, is_closed=False)
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1])[:, None], 1e-9)
    at = np.linspace(0, 1, len(line))
    half = np.interp(at, np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    side: Points = np.stack([-along[:, 1], along[:, 0]], 1) * half
    turn = np.linspace(-np.pi / 2, np.pi / 2, 9)[1:-1, None]
    end = line[-1] + np.cos(turn) * along[-1] * half[-1] - np.sin(turn) * side[-1]
    start = line[0] - np.cos(turn) * along[0] * half[0] + np.sin(turn) * side[0]
    return np.concatenate([line + side, end, (line - side)[::-1], start])


def flipped(points: Points, axis: float = 0.5) -> Points:
    """Return an outline as in a mirror.

    Example:
        >>> flipped(box(0, 0, 0.25, 1))[0].tolist()
        [1.0, 0.0]
    """
    return np.stack([2 * axis - points[:, 0], points[:, 1]], 1)


def _curve(nodes: Sequence[Node], *, is_closed: bool) -> Points:
    """Run a Catmull-Rom curve through the nodes, with no tangent at corners and ends."""
    at = np.array([node[:2] for node in nodes], float)
    smooth = np.array([len(node) == 2 for node in nodes])  # noqa: PLR2004 - x and y
    tangents = (np.roll(at, -1, 0) - np.roll(at, 1, 0)) / 2 * smooth[:, None]
    if not is_closed:
        tangents[0], tangents[-1] = (at[1] - at[0]) / 2, (at[-1] - at[-2]) / 2
    t = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    pieces = [
        (2 * t**3 - 3 * t**2 + 1) * at[i]
        + (t**3 - 2 * t**2 + t) * tangents[i]
        + (3 * t**2 - 2 * t**3) * at[(i + 1) % len(at)]
        + (t**3 - t**2) * tangents[(i + 1) % len(at)]
        for i in range(len(at) - (not is_closed))
    ]
    return np.concatenate(pieces if is_closed else [*pieces, at[-1:]])
