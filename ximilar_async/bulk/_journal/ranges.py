"""Sets of sequence numbers as ranges: a batch is one pair, a million decided records are one too.

A range is a pair of its first and its last number. `Ranges` is ascending, and neighbours that touch
are one.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Disjoint ranges, first and last number of each, ascending and never touching."""

_RANGE = "[1-9][0-9]{0,17}(?:-[1-9][0-9]{0,17})?"
_TEXT = re.compile(f"(?:{_RANGE}(?:,{_RANGE})*)?")


def to_ranges(seqs: Iterable[int]) -> Ranges:
    """Return numbers as ranges, in whatever order they come; one that comes twice counts once.

    Args:
        seqs: Sequence numbers, from 1.

    Example:
        >>> to_ranges([3, 1, 2, 7])
        ((1, 3), (7, 7))
    """
    ordered = sorted(seqs)
    if not ordered:
        return ()
    if ordered[-1] - ordered[0] == len(ordered) - 1 == len(set(ordered)) - 1:  # a batch, mostly
        return ((ordered[0], ordered[-1]),)
    ranges = []
    first = last = ordered[0]
    for seq in ordered:
        if seq > last + 1:
            ranges.append((first, last))
            first = seq
        last = seq
    ranges.append((first, last))
    return tuple(ranges)


def format_ranges(ranges: Iterable[tuple[int, int]]) -> str:
    """Return ranges as text.

    Example:
        >>> format_ranges(((1, 3), (7, 7)))
        '1-3,7'
    """
    return ",".join([f"{a}-{b}" if a != b else f"{a}" for a, b in ranges])


def parse_ranges(text: str) -> Ranges:
    """Return the ranges of a text.

    Raises:
        ValueError: it is none that `format_ranges` could have written.

    Example:
        >>> parse_ranges("1-3,7")
        ((1, 3), (7, 7))
    """
    if not _TEXT.fullmatch(text):
        raise ValueError(f"{text!r:.60} is no list of ranges")
    ranges = []
    least = 0
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        pair = int(first), int(last if dash else first)
        if pair[0] <= least or pair[0] + bool(dash) > pair[1]:
            raise ValueError(f"{text!r:.60} is not in order")
        ranges.append(pair)
        least = pair[1] + 1
    return tuple(ranges)


@define(eq=False)
class SeqSet:
    """A set of sequence numbers that takes memory by its gaps, not by its members."""

    _firsts: list[int] = field(factory=list, init=False)
    _lasts: list[int] = field(factory=list, init=False)

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> SeqSet:
        """Return the set of these ranges."""
        made = cls()
        for first, last in ranges:
            made.add(first, last)
        return made

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __contains__(self, seq: int) -> bool:
        at = bisect_left(self._lasts, seq)
        return at < len(self._firsts) and self._firsts[at] <= seq

    @property
    def ranges(self) -> Ranges:
        """Return the members as ranges."""
        return tuple(self)

    def overlaps(self, first: int, last: int) -> bool:
        """Tell whether a number from `first` to `last` is in the set."""
        at = bisect_left(self._lasts, first)
        return at < len(self._firsts) and self._firsts[at] <= last

    def count(self, first: int, last: int) -> int:
        """Return how many numbers from `first` to `last` are in the set."""
        low, high = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        return sum(
            min(self._lasts[at], last) - max(self._firsts[at], first) + 1 for at in range(low, high)
        )

    def add(self, first: int, last: int) -> int:
        """Add a range and return how many of its numbers are new."""
        firsts, lasts = self._firsts, self._lasts
        if not lasts or first > lasts[-1] + 1:
            firsts.append(first)
            lasts.append(last)
            return last - first + 1
        new = last - first + 1 - self.count(first, last)
        low, high = bisect_left(lasts, first - 1), bisect_right(firsts, last + 1)
        if low < high:
            first, last = min(first, firsts[low]), max(last, lasts[high - 1])
        firsts[low:high] = [first]
        lasts[low:high] = [last]
        return new

    def discard(self, first: int, last: int) -> None:
        """Remove what there is of a range."""
        firsts, lasts = self._firsts, self._lasts
        low, high = bisect_left(lasts, first), bisect_right(firsts, last)
        if low >= high:
            return
        if low + 1 == high and firsts[low] == first and lasts[low] == last:  # a batch, mostly
            del firsts[low], lasts[low]
            return
        left, right = (firsts[low], first - 1), (last + 1, lasts[high - 1])
        kept = [part for part in (left, right) if part[0] <= part[1]]
        firsts[low:high] = [part[0] for part in kept]
        lasts[low:high] = [part[1] for part in kept]

    def pop_from(self, first: int) -> int | None:
        """Remove the lowest range if it begins at `first`, and return its last number."""
        firsts = self._firsts
        if not firsts or firsts[0] != first:
            return None
        del firsts[0]
        return self._lasts.pop(0)
