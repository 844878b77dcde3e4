"""From pairs of records that are nearly the same to groups of them: pure, in little memory.

A pair costs 16 bytes, a record that is in one some 130, and 100 more while groups are made; what is
in no pair costs nothing. A million records in three million pairs took 320 MiB in all. A group
becomes an object when somebody looks at it.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator


@frozen
class Duplicate:
    """A record of a group, with its distances."""

    id: str
    distance: float | None
    """From the group's first record; None where they are linked through others alone."""
    nearest: float
    """From the nearest other record of the group."""


@frozen
class Group:
    """Records that are nearly the same, each as one other at least."""

    records: tuple[Duplicate, ...]
    """First the one with the most near-duplicates among the others, the least id among equals; then
    by their distance from it, and by their ids."""

    @property
    def first(self) -> Duplicate:
        """Return the record to keep where one is enough."""
        return self.records[0]

    @property
    def others(self) -> tuple[Duplicate, ...]:
        """Return the records without the first."""
        return self.records[1:]


@define
class Pairs:
    """Pairs of records, as they are found; the same one may come twice.

    Example:
        >>> pairs = Pairs()
        >>> pairs.add("boot", "boot-2", 1.5)
        >>> pairs.add("boot-2", "boot-3", 2.5)
        >>> [duplicate.id for duplicate in pairs.groups()[0].records]
        ['boot-2', 'boot', 'boot-3']
    """

    _numbers: dict[str, int] = field(factory=dict, init=False)
    _above: array[int] = field(factory=lambda: array("I"), init=False)
    """A record of the same group for each record; the group's root is its own."""
    _one: array[int] = field(factory=lambda: array("I"), init=False)
    _other: array[int] = field(factory=lambda: array("I"), init=False)
    _distances: array[float] = field(factory=lambda: array("d"), init=False)

    def __len__(self) -> int:
        return len(self._one)

    def add(self, one: str, other: str, distance: float) -> None:
        """Take a pair; a record and itself are none."""
        if one == other:
            return
        first, second = self._number(one), self._number(other)
        self._one.append(first)
        self._other.append(second)
        self._distances.append(distance)
        self._above[self._root(second)] = self._root(first)

    def groups(self) -> Groups:
        """Return the groups that the pairs make, largest first."""
        roots = array("I", (self._root(number) for number in range(len(self._above))))
        ids = list(self._numbers)
        sizes: dict[int, int] = defaultdict(int)
        least: dict[int, str] = {}
        for root, id_ in zip(roots, ids, strict=True):
            sizes[root] += 1
            least[root] = min(least.get(root, id_), id_)
        order = sorted(sizes, key=lambda root: (-sizes[root], least[root]))
        ranks = {root: rank for rank, root in enumerate(order)}
        places = array("I", (ranks[roots[one]] for one in self._one))
        starts = _starts(places, len(order))
        return Groups(self, ids, starts, _by_group(places, starts))

    def edges(self, places: Sequence[int]) -> Iterator[tuple[int, int, float]]:
        """Yield the numbers of the records and the distance of each of these pairs."""
        for place in places:
            yield self._one[place], self._other[place], self._distances[place]

    def _number(self, id_: str) -> int:
        number = self._numbers.setdefault(id_, len(self._numbers))
        if number == len(self._above):
            self._above.append(number)
        return number

    def _root(self, number: int) -> int:
        above = self._above
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number


def _starts(places: array[int], count: int) -> array[int]:
    """Return where the pairs of each group begin once they are sorted by group, and the end."""
    counts = array("Q", bytes(8 * (count + 1)))
    for place in places:
        counts[place + 1] += 1
    for place in range(count):
        counts[place + 1] += counts[place]
    return counts


def _by_group(places: array[int], starts: array[int]) -> array[int]:
    """Return the numbers of the pairs sorted by group; by counting, for it takes no objects."""
    order, next_ = array("Q", bytes(8 * len(places))), array("Q", starts)
    for number, place in enumerate(places):
        order[next_[place]] = number
        next_[place] += 1
    return order


class Groups(Sequence[Group]):
    """The groups, largest first; each is made when it is asked for.

    Args:
        pairs: All pairs.
        ids: The records' ids, by number.
        starts: Where the pairs of each group begin, and the end.
        order: Places of the pairs, by group.
    """

    def __init__(
        self, pairs: Pairs, ids: Sequence[str], starts: array[int], order: array[int]
    ) -> None:
        self._pairs, self._ids, self._starts, self._order = pairs, ids, starts, order

    def __repr__(self) -> str:
        return f"<Groups: {len(self)} of {self.records} records>"

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def records(self) -> int:
        """Return how many records are in a group."""
        return len(self._ids)

    @overload
    def __getitem__(self, place: int) -> Group: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Group]: ...
    def __getitem__(self, place: int | slice) -> Group | Sequence[Group]:
        """Return a group, or some of them."""
        if isinstance(place, slice):
            return [self._group(number) for number in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return self._group(place % len(self))

    def _group(self, number: int) -> Group:
        places = self._order[self._starts[number] : self._starts[number + 1]]
        near: dict[int, dict[int, float]] = defaultdict(dict)
        for one, other, distance in self._pairs.edges(places):
            least = min(distance, near[one].get(other, distance))
            near[one][other] = near[other][one] = least
        ids = self._ids
        first = min(near, key=lambda number: (-len(near[number]), ids[number]))
        from_first = {first: 0.0, **near[first]}
        found = [Duplicate(ids[n], from_first.get(n), min(near[n].values())) for n in near]
        return Group(tuple(sorted(found, key=lambda each: _rank(each, ids[first]))))


def _rank(record: Duplicate, first: str) -> tuple[bool, bool, float, str]:
    distance = record.distance
    return record.id != first, distance is None, distance or 0.0, record.id
