"""Rows of float32 in blocks that never move: growing copies nothing, and readers stay safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Rows = NDArray[np.intp]

_BLOCK: Final = 1 << 16
"""Rows a block."""


class Matrix:
    """A matrix that grows by rows, its first columns kept apart from the others.

    Args:
        dimensions: columns.
        prefix: how many of them are kept apart, so that looking at them alone reads them alone.

    >>> matrix = Matrix(3, 2)
    >>> matrix.append(np.float32([[1, 2, 3], [4, 5, 6]]))
    >>> matrix.take(np.array([1])).tolist()
    [[4.0, 5.0, 6.0]]
    """

    def __init__(self, dimensions: int, prefix: int) -> None:
        self.dimensions = dimensions
        self.prefix = prefix
        self._heads: list[Floats] = []
        self._tails: list[Floats] = []
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, rows: Floats) -> None:
        """Add rows, of shape (rows, dimensions)."""
        while len(rows):
            block, place = divmod(self._rows, _BLOCK)
            if block == len(self._heads):
                self._heads.append(np.zeros((_BLOCK, self.prefix), np.float32))
                self._tails.append(np.zeros((_BLOCK, self.dimensions - self.prefix), np.float32))
            part, rows = rows[: _BLOCK - place], rows[_BLOCK - place :]
            self._heads[block][place : place + len(part)] = part[:, : self.prefix]
            self._tails[block][place : place + len(part)] = part[:, self.prefix :]
            self._rows += len(part)

    def take(self, rows: Rows) -> Floats:
        """Copy rows out, in the order given."""
        taken = np.empty((len(rows), self.dimensions), np.float32)
        for block, here, places in _by_block(rows):
            taken[here, : self.prefix] = self._heads[block][places]
            taken[here, self.prefix :] = self._tails[block][places]
        return taken

    def take_after_prefix(self, rows: Rows, columns: int) -> Floats:
        """Copy the first so many columns of rows out that come after the prefix."""
        taken = np.empty((len(rows), columns), np.float32)
        for block, here, places in _by_block(rows):
            taken[here] = self._tails[block][:, :columns][places]
        return taken

    def take_columns(self, rows: Rows, columns: Rows) -> Floats:
        """Copy some columns of rows out: shape (rows, columns)."""
        taken = np.empty((len(rows), len(columns)), np.float32)
        first = columns < self.prefix
        for block, here, places in _by_block(rows):
            part = np.empty((len(places), len(columns)), np.float32)
            part[:, first] = self._heads[block][places][:, columns[first]]
            part[:, ~first] = self._tails[block][places][:, columns[~first] - self.prefix]
            taken[here] = part
        return taken

    def heads(self, start: int, stop: int) -> Iterator[tuple[int, Floats]]:
        """Give the first columns of a range of rows, block by block, with each one's first row."""
        return _blocks(self._heads, start, stop)

    def tails(self, start: int, stop: int) -> Iterator[tuple[int, Floats]]:
        """Give the other columns, as `heads` gives the first."""
        return _blocks(self._tails, start, stop)


def _blocks(blocks: list[Floats], start: int, stop: int) -> Iterator[tuple[int, Floats]]:
    while start < stop:
        block, place = divmod(start, _BLOCK)
        part = blocks[block][place : place + stop - start]
        yield start, part
        start += len(part)


def _by_block(rows: Rows) -> Iterator[tuple[int, NDArray[np.bool_] | slice, Rows]]:
    blocks, places = np.divmod(rows, _BLOCK)
    different = np.unique(blocks).tolist()
    if len(different) == 1:
        yield different[0], slice(None), places
        return
    for block in different:
        here = blocks == block
        yield block, here, places[here]
