"""The distance by image and tags that the `visualTags…` methods rank by.

    distance = (visual + tag) / 2        tag = 60 * (1 - shared tags / tags of either)

The documents say "a combination of visual features and keyword similarity" and no more. Here both
weigh the same: the tag distance is the Jaccard distance of the two sets of tags, stretched to 60,
the visual distance of two unrelated images, so that a record with none of the tags is as far off by
tags as by a wholly different image. A query without tags is ranked by the image alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

UNRELATED: Final = 60.0
"""Tag distance of two records that share no tag: about the visual distance of two random images."""


def tags_of(record: Mapping[str, Any], name: str) -> frozenset[str]:
    """Return the tags of a record: the texts in its tags field.

    Args:
        record: A record.
        name: Name of the tags field, by service.

    Example:
        >>> sorted(tags_of({"tags": ["dress", "red", 7]}, "tags"))
        ['dress', 'red']
    """
    value = record.get(name)
    if isinstance(value, str):
        return frozenset((value,))
    if not isinstance(value, list):
        return frozenset()
    return frozenset(tag for tag in value if isinstance(tag, str))


def combined(visual: NDArray[np.float64], tag: float) -> NDArray[np.float64]:
    """Return the distances by image and tags of records that are at one tag distance.

    Example:
        >>> combined(np.array([0.0, 40.0]), 20.0).tolist()
        [10.0, 30.0]
    """
    distances: NDArray[np.float64] = (visual + tag) / 2.0
    return distances


def tag_distance(shared: int, either: int) -> float:
    """Return the tag distance of two sets of tags.

    Args:
        shared: How many tags are in both.
        either: How many are in at least one.

    Example:
        >>> tag_distance(1, 4)
        45.0
    """
    return UNRELATED * (1.0 - shared / max(either, 1))


def distance(visual: float, query: frozenset[str], tags: frozenset[str]) -> float:
    """Return the distance of one record by image and tags; without a query's tags by image alone.

    Example:
        >>> distance(40.0, frozenset({"red"}), frozenset({"red", "dress"}))
        35.0
    """
    if not query:
        return visual
    return (visual + tag_distance(len(query & tags), len(query | tags))) / 2.0


@frozen(eq=False)
class Levels:
    """The tag distances of all rows from one query: few distances, many rows."""

    distances: Sequence[float]
    """The distances there are, least first."""
    of_rows: NDArray[np.intp]
    """For each row the position of its distance."""


@define(eq=False)
class TagIndex:
    """The tags of all rows in one field, for counting shared tags over all at once."""

    _numbers: dict[str, int] = field(factory=dict, repr=False)
    _tags: NDArray[np.int32] = field(factory=lambda: np.zeros(0, np.int32), repr=False)
    """The tags of all rows, one after the other, as numbers."""
    _rows: NDArray[np.int32] = field(factory=lambda: np.zeros(0, np.int32), repr=False)
    """For each entry of `_tags` its row."""
    _counts: NDArray[np.int32] = field(factory=lambda: np.zeros(0, np.int32), repr=False)
    """For each row the number of its tags."""

    def __len__(self) -> int:
        return len(self._counts)

    def extend(self, rows: Iterable[frozenset[str]]) -> None:
        """Add the tags of further rows."""
        tags, counts = self._coded(rows)
        numbers = np.arange(len(self), len(self) + len(counts), dtype=np.int32)
        self._counts = np.concatenate((self._counts, counts))
        self._add(np.repeat(numbers, counts), tags)

    def replace(self, rows: Sequence[int], tags: Iterable[frozenset[str]]) -> None:
        """Give some rows other tags; rows not here yet will be added with theirs.

        Args:
            rows: Rows, each once.
            tags: Their tags, in the same order.
        """
        here = {row: new for row, new in zip(rows, tags, strict=True) if row < len(self)}
        numbers = np.fromiter(here, np.int32, len(here))
        coded, counts = self._coded(here.values())
        kept = ~np.isin(self._rows, numbers)
        self._tags, self._rows = self._tags[kept], self._rows[kept]
        self._counts[numbers] = counts
        self._add(np.repeat(numbers, counts), coded)

    def overlap(self, query: frozenset[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each row how many tags it shares with the query, and how many either has."""
        wanted = np.zeros(len(self._numbers) + 1, bool)
        for tag in query:
            wanted[self._numbers.get(tag, -1)] = True
        wanted[-1] = False
        hits = self._rows[wanted[self._tags]]
        shared = np.bincount(hits, minlength=len(self))
        return shared, len(query) + self._counts - shared

    def levels(self, query: frozenset[str]) -> Levels:
        """Return the tag distances of all rows from a query."""
        shared, either = self.overlap(query)
        # Each pair of numbers as one, so that the distance is reckoned once a pair and not a row.
        step = len(query) + 1
        pairs = either * step + shared
        present = np.flatnonzero(np.bincount(pairs))
        tag = [tag_distance(pair % step, pair // step) for pair in present.tolist()]
        distances, level = np.unique(np.array(tag), return_inverse=True)
        of_pairs = np.zeros(present[-1] + 1 if len(present) else 0, np.intp)
        of_pairs[present] = level
        return Levels(distances.tolist(), of_pairs[pairs])

    def _coded(self, rows: Iterable[frozenset[str]]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the tags of some rows as numbers, and how many each row has."""
        tags: list[int] = []
        counts: list[int] = []
        for row in rows:
            tags.extend(self._numbers.setdefault(tag, len(self._numbers)) for tag in row)
            counts.append(len(row))
        return np.array(tags, np.int32), np.array(counts, np.int32)

    def _add(self, rows: NDArray[np.int32], tags: NDArray[np.int32]) -> None:
        self._rows = np.concatenate((self._rows, rows))
        self._tags = np.concatenate((self._tags, tags))
