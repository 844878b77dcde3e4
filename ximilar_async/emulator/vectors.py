"""Vectors in memory and exact search among them.

A search looks at the first dimensions of all vectors, which alone give a lower bound of each
distance, and reckons the distances of those few that the bound lets through. So the first
dimensions should be the widest (as those of `VisualDescriptor` are); where they are not, searches
are slower, and as exact. Distances are reckoned in float64, one way on every path: the same two
vectors are always at the same distance, and at 0.0 where they are the same.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import frozen

from .bounds import Bounds, grown, joined, longest, raised
from .matrix import Matrix
from .near import make_boxes, widest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from .near import Boxes

    Floats = NDArray[np.float32]
    Distances = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Rows = NDArray[np.intp]

_UNBOXED: Final = 1 << 11
"""Newest rows that are looked at one by one, before boxes are made of them."""
_FEW: Final = 1 << 12
"""So few rows that bounds are not worth their while."""
_PART: Final = 1 << 13
"""Distances reckoned in one go; bounds the memory of a search."""
_QUERIES: Final = 16
"""Queries in one go, as above."""
_PAIRED: Final = 1 << 6
"""Rows whose pairs are looked for in one go, as above."""
_LARGEST: Final = 1e9
"""Numbers beyond would spoil the bounds, which are reckoned in float32."""


@frozen
class _Span:
    """Rows from `start` to before `stop`, put in boxes."""

    start: int
    stop: int
    boxes: Boxes | None
    """None where all of them had been removed."""


class VectorStore:
    """Vectors in rows 0, 1, 2, …; a removed row keeps its number and is found no more.

    Appending and removing need the caller's lock against each other; searching from other threads
    meanwhile is safe, and finds the rows that were there when it began.

    Args:
        dimensions: length of each vector.
        prefix: first dimensions that give the bounds.

    >>> store = VectorStore(dimensions=2)
    >>> store.append(np.float32([[0, 0], [3, 4], [0, 1]]))
    range(0, 3)
    >>> rows, distances = store.knn(np.float32([0, 0]), 2)
    >>> rows.tolist(), distances.tolist()
    ([0, 2], [0.0, 1.0])
    """

    def __init__(self, dimensions: int = 128, prefix: int = 40) -> None:
        self.dimensions = dimensions
        self._matrix = Matrix(dimensions, min(prefix, dimensions))
        self._bounds = Bounds(self._matrix)
        self._alive = np.zeros(0, np.bool_)
        self._spans: tuple[_Span, ...] = ()
        self._boxing = threading.Lock()

    def __len__(self) -> int:
        """Count the rows there ever were."""
        return len(self._matrix)

    @property
    def alive(self) -> Mask:
        """Which rows have not been removed; a view, not to be written to."""
        alive = self._alive[: len(self)]
        alive.flags.writeable = False
        return alive

    def append(self, vectors: Floats) -> range:
        """Add vectors as the next rows.

        Args:
            vectors: shape (vectors, dimensions).

        Returns:
            Their rows.

        Raises:
            ValueError: another shape, or a number that is not finite or beyond 1e9.
        """
        vectors = self._checked(vectors)
        start = len(self)
        self._alive = grown(self._alive, start + len(vectors))
        self._alive[start : start + len(vectors)] = True
        self._bounds.append(vectors, start)
        self._matrix.append(vectors)
        return range(start, len(self))

    def remove(self, row: int) -> None:
        """Take a row out of every search to come; removing it again changes nothing.

        Raises:
            IndexError: there is no such row.
        """
        self._alive[self._existing(row)] = False

    def vector(self, row: int) -> Floats:
        """Return a row's vector, removed or not: shape (dimensions,).

        Raises:
            IndexError: there is no such row.
        """
        vector: Floats = self._matrix.take(np.array([self._existing(row)]))[0]
        return vector

    def knn(self, query: Floats, k: int, mask: Mask | None = None) -> tuple[Rows, Distances]:
        """Find the k nearest rows, exactly.

        Args:
            query: shape (dimensions,).
            k: how many; fewer are found where there are fewer.
            mask: which rows may be found; rows beyond its end may not.

        Returns:
            Rows and distances, by ascending distance, equal distances by row.

        Raises:
            ValueError: the query or the mask does not fit.
        """
        query = self._checked(np.asarray(query)[None])[0]
        usable = self._usable(mask)
        rows = self._shortlist(query, k, usable)
        distances = self._distances(rows, lambda _: query)
        if 0 < k < len(rows):
            near = distances <= np.partition(distances, k - 1)[k - 1]
            rows, distances = rows[near], distances[near]
        order = np.lexsort((rows, distances))[: max(k, 0)]
        return rows[order], distances[order]

    def _shortlist(self, query: Floats, k: int, usable: Mask) -> Rows:
        """Give rows that hold the k nearest, and all that are as near as the last of them."""
        count = int(np.count_nonzero(usable))
        if count <= max(_FEW, k):
            return np.flatnonzero(usable)
        squares = self._bounds.of(query, len(usable))
        if count < len(usable):
            squares[~usable] = np.inf
        distances = self._distances(_lowest(squares, k), lambda _: query)
        square = float(np.partition(distances, k - 1)[k - 1]) ** 2
        limit = raised(square + self._bounds.slack(longest(query[None])))
        rows = np.flatnonzero(squares <= limit)
        if len(rows) > len(usable) // 16:
            self._bounds.tighten(squares, query)
            return np.flatnonzero(squares <= limit)
        return self._bounds.passing(rows, squares, query, limit)

    def within(
        self, queries: Floats, radius: float, mask: Mask | None = None
    ) -> list[tuple[Rows, Distances]]:
        """Find, for each query, all rows within a radius, exactly; those at the radius too.

        Args:
            queries: shape (queries, dimensions).
            radius: largest distance.
            mask: as in `knn`.

        Returns:
            Rows and distances of each query, by ascending distance, equal distances by row.

        Raises:
            ValueError: the queries, the radius or the mask do not fit.
        """
        queries = self._checked(queries)
        square = _square(radius)
        usable = self._usable(mask)
        spans = self._boxed()
        found: list[tuple[Rows, Distances]] = []
        for start in range(0, len(queries), _QUERIES):
            part = queries[start : start + _QUERIES]
            asked, rows = self._candidates(part, square, spans, len(usable))
            real = usable[rows]
            found += self._nearest_first(part, asked[real], rows[real], radius)
        return found

    def _candidates(
        self, queries: Floats, square: float, spans: tuple[_Span, ...], stop: int
    ) -> tuple[Rows, Rows]:
        boxed = spans[-1].stop if spans else 0
        found = [self._bounds.within(queries, square, boxed, stop)]
        for span in spans:
            if span.boxes is None:
                continue
            near = span.boxes.near(queries, square)
            if near is None:
                near = self._bounds.within(queries, square, span.start, span.stop)
            found.append(near)
        asked, rows = joined(found)
        there = rows < stop
        return asked[there], rows[there]

    def _nearest_first(
        self, queries: Floats, asked: Rows, rows: Rows, radius: float
    ) -> list[tuple[Rows, Distances]]:
        distances = self._distances(rows, lambda part: queries[asked[part]])
        near = distances <= radius
        asked, rows, distances = asked[near], rows[near], distances[near]
        order = np.lexsort((rows, distances, asked))
        ends = np.searchsorted(asked[order], np.arange(1, len(queries)))
        parts = np.split(order, ends)
        return [(rows[part], distances[part]) for part in parts]

    def pairs(self, radius: float, mask: Mask | None = None) -> Iterator[tuple[int, int, float]]:
        """Give all pairs of rows within a radius of each other, each once, by ascending rows.

        Rows that come or go while the pairs are being given may be seen or not.

        Args:
            radius: largest distance; pairs at it count too.
            mask: as in `knn`.

        Yields:
            The lower row, the higher row, their distance.

        Raises:
            ValueError: the radius or the mask does not fit.
        """
        square = _square(radius)
        usable = self._usable(mask)
        rows = np.flatnonzero(usable)
        spans = self._boxed()
        for start in range(0, len(rows), _PAIRED):
            yield from self._pairs_of(rows[start : start + _PAIRED], square, spans, usable, radius)

    def _pairs_of(
        self, rows: Rows, square: float, spans: tuple[_Span, ...], usable: Mask, radius: float
    ) -> Iterator[tuple[int, int, float]]:
        vectors = self._matrix.take(rows)
        asked, others = self._candidates(vectors, square, spans, len(usable))
        later = usable[others] & (others > rows[asked])
        asked, others = asked[later], others[later]
        distances = self._distances(others, lambda part: vectors[asked[part]])
        near = distances <= radius
        one, two, distances = rows[asked[near]], others[near], distances[near]
        order = np.lexsort((two, one))
        found = (one[order].tolist(), two[order].tolist(), distances[order].tolist())
        return zip(*found, strict=True)

    def _boxed(self) -> tuple[_Span, ...]:
        """Put rows in boxes that are not yet, unless few; older spans no larger are joined."""
        with self._boxing:
            spans, stop = self._spans, len(self)
            start = spans[-1].stop if spans else 0
            if stop - start < _UNBOXED:
                return spans
            while spans and spans[-1].stop - spans[-1].start <= stop - start:
                start, spans = spans[-1].start, spans[:-1]
            rows = start + np.flatnonzero(self.alive[start:stop])
            self._spans = (*spans, _Span(start, stop, self._boxes(rows)))
            return self._spans

    def _boxes(self, rows: Rows) -> Boxes | None:
        if not len(rows):
            return None
        dimensions = widest(self._matrix.take(rows[:: -(-len(rows) // _FEW)]))
        return make_boxes(self._matrix.take_columns(rows, dimensions), rows, dimensions)

    def _distances(self, rows: Rows, others: Callable[[slice], Floats]) -> Distances:
        """Reckon the distances of rows from other vectors, of which `others` gives a slice."""
        squares = np.empty(len(rows))
        for start in range(0, len(rows), _PART):
            part = slice(start, start + _PART)
            apart = self._matrix.take(rows[part]).astype(np.float64)
            apart -= others(part)
            np.einsum("rd,rd->r", apart, apart, out=squares[part])
        return np.sqrt(squares, out=squares)

    def _usable(self, mask: Mask | None) -> Mask:
        if mask is None:
            return self.alive
        if mask.dtype != np.bool_ or mask.ndim != 1 or len(mask) > len(self):
            raise ValueError(f"a mask of {len(self)} booleans is needed, got {mask!r}")
        return mask & self._alive[: len(mask)]

    def _checked(self, vectors: Any) -> Floats:
        checked = np.ascontiguousarray(vectors, dtype=np.float32)
        if checked.ndim != 2 or checked.shape[1] != self.dimensions:  # noqa: PLR2004 - rows, columns
            raise ValueError(
                f"vectors of {self.dimensions} dimensions are needed, got the shape {checked.shape}"
            )
        if checked.size and not np.abs(checked).max() <= _LARGEST:
            raise ValueError(f"a vector's numbers must be finite and within ±{_LARGEST:g}")
        return checked

    def _existing(self, row: int) -> int:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return row


def _square(radius: float) -> float:
    """Square a radius, a little upwards: boxes reckon in float32."""
    if not radius >= 0:
        raise ValueError(f"a radius is not negative, got {radius!r}")
    return min(radius * radius * (1 + 1e-5), float(np.finfo(np.float32).max) / 2)


def _lowest(squares: Floats, k: int) -> Rows:
    """Give at least k rows with about the lowest bounds, without sorting all of them."""
    wanted = max(4 * k, 256)
    sample = squares[:: max(1, len(squares) // 32768)]
    place = min(len(sample) - 1, wanted * len(sample) // len(squares) + 8)
    limit = np.partition(sample, place)[place]
    rows = np.flatnonzero(squares <= limit)
    # Few rows in the sample, many rows alike: then it is no guide.
    if np.isfinite(limit) and k <= len(rows) <= 64 * wanted:
        return rows
    return np.argpartition(squares, k - 1)[:k]
