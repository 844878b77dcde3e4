"""Lower bounds of distances, from the first dimensions of vectors alone.

Squares of distances are reckoned as |a|² - 2ab + |b|², which is one matrix product, in float32.
`slack` says how far off such a square can be, so that nothing is ruled out by rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .matrix import Matrix

    Floats = NDArray[np.float32]
    Rows = NDArray[np.intp]

_MORE: Final = 24
"""Further dimensions that `passing` looks at."""
_PART: Final = 1 << 13
"""Rows it looks at in one go; bounds the memory."""
_STEP: Final = 128
"""Rows multiplied at a time; with 40 columns well below what BLAS deems worth a thread."""

_T = TypeVar("_T", bound=np.generic)

_EPSILON: Final = float(np.finfo(np.float32).eps)
_LARGEST: Final = float(np.finfo(np.float32).max) / 2


class Bounds:
    """Bounds of the distances from a matrix's rows.

    Args:
        matrix: the rows; each part appended to it must be told by `append`.
    """

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._norms = np.zeros(0, np.float32)
        self._longest = 0.0

    def append(self, rows: Floats, start: int) -> None:
        """Take note of rows before they are appended to the matrix as `start` and on."""
        self._norms = grown(self._norms, start + len(rows))
        head = rows[:, : self._matrix.prefix]
        self._norms[start : start + len(rows)] = np.einsum("rd,rd->r", head, head)
        self._longest = max(self._longest, longest(rows))

    def of(self, query: Floats, stop: int) -> Floats:
        """Bound the squares of the distances of rows before `stop` from a query."""
        head = query[: self._matrix.prefix]
        squares = np.empty(stop, np.float32)
        for start, block in self._matrix.heads(0, stop):
            squares[start : start + len(block)] = product(block, head)
        squares *= -2
        squares += self._norms[:stop]
        squares += head @ head
        return squares

    def tighten(self, squares: Floats, query: Floats) -> None:
        """Add what the other dimensions give: after it the squares are whole, but for rounding."""
        tail = query[self._matrix.prefix :]
        for start, block in self._matrix.tails(0, len(squares)):
            part = squares[start : start + len(block)]
            part += np.einsum("rd,rd->r", block, block)
            part -= 2 * product(block, tail)
            part += tail @ tail

    def passing(self, rows: Rows, squares: Floats, query: Floats, limit: float) -> Rows:
        """Of rows whose bounds are known, give those that a few more dimensions do not rule out.

        Args:
            rows: the rows, ascending.
            squares: what `of` gave.
            query: shape (dimensions,).
            limit: largest square.
        """
        more = min(_MORE, self._matrix.dimensions - self._matrix.prefix)
        head = query[self._matrix.prefix : self._matrix.prefix + more]
        passing = [rows[:0]]
        for start in range(0, len(rows), _PART):
            part = rows[start : start + _PART]
            apart = self._matrix.take_after_prefix(part, more)
            apart -= head
            passing.append(part[squares[part] + np.einsum("rd,rd->r", apart, apart) <= limit])
        return np.concatenate(passing)

    def slack(self, length: float) -> float:
        """Say how far off a square can be, for rows and queries up to a length."""
        return (self._matrix.dimensions + 8) * _EPSILON * (self._longest + length) ** 2

    def within(self, queries: Floats, square: float, start: int, stop: int) -> tuple[Rows, Rows]:
        """Find the rows from `start` to before `stop` that can lie within a radius of queries.

        Args:
            queries: shape (queries, dimensions).
            square: the radius, squared.
            start: first row.
            stop: row after the last.

        Returns:
            Places in `queries` and rows, in pairs.
        """
        heads = queries[:, : self._matrix.prefix]
        limits = square + self.slack(longest(queries)) - np.einsum("qd,qd->q", heads, heads)
        limits = np.array([raised(limit) for limit in limits.tolist()], np.float32)
        columns = np.ascontiguousarray(heads.T)
        found = [(np.zeros(0, np.intp), np.zeros(0, np.intp))]
        for first, block in self._matrix.heads(start, stop):
            squares = product(block, columns)
            squares *= -2
            squares += self._norms[first : first + len(block), None]
            rows, asked = np.nonzero(squares <= limits)
            found.append((asked, rows + first))
        return joined(found)


def product(rows: Floats, columns: Floats) -> Floats:
    """Multiply matrices in steps too small for BLAS to share out among threads.

    Its threads wait for each other, and on a busy machine for their turn: a search then takes many
    times as long. Emulator, client and benchmark usually share a machine.

    Args:
        rows: shape (rows, dimensions).
        columns: one vector, or several: shape (dimensions,) or (dimensions, vectors).

    >>> product(np.float32([[1, 2], [3, 4]]), np.float32([1, 1])).tolist()
    [3.0, 7.0]
    """
    steps = len(rows) // _STEP
    whole = steps * _STEP
    result = np.empty((len(rows), *columns.shape[1:]), np.float32)
    np.matmul(
        rows[:whole].reshape(steps, _STEP, rows.shape[1]),
        columns,
        out=result[:whole].reshape(steps, _STEP, *columns.shape[1:]),
    )
    np.matmul(rows[whole:], columns, out=result[whole:])
    return result


def longest(vectors: Floats) -> float:
    """Return the largest Euclidean length of vectors, 0.0 of none."""
    if not vectors.size:
        return 0.0
    return float(np.sqrt(np.einsum("rd,rd->r", vectors, vectors, dtype=np.float64).max()))


def raised(limit: float) -> float:
    """Return a number a little above, with which to compare float32 numbers.

    >>> bool(np.float32(0.1) <= raised(0.1))
    True
    """
    return min(limit + abs(limit) * _EPSILON, _LARGEST)


def joined(found: list[tuple[Rows, Rows]]) -> tuple[Rows, Rows]:
    """Join pairs of arrays, at least one.

    >>> one = (np.array([0]), np.array([5]))
    >>> joined([one, one])[1].tolist()
    [5, 5]
    """
    left, right = zip(*found, strict=True)
    return np.concatenate(left), np.concatenate(right)


def grown(array: NDArray[_T], size: int) -> NDArray[_T]:
    """Return the array itself where it has room, or else a copy with half as much again."""
    if size <= len(array):
        return array
    larger = np.zeros(max(size, len(array) + len(array) // 2, 1024), array.dtype)
    larger[: len(array)] = array
    return larger
