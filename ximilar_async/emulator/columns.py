"""The documents' fields as columns of small numbers, so that a filter runs once a distinct value.

A million records with a thousand prices need a thousand tests and one table look-up a record. The
price: a field whose every value differs (as `_id` does) costs as many tests as there are records,
except for equality, which is looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define, field

from .filter_tree import AllOf, AnyOf, Leaf, Not, predicate_of
from .filters import parse_filter
from .values import MISSING, getter

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from numpy.typing import NDArray

    from .filter_tree import Filter

_UNFILTERED: Final = frozenset({"_base64"})
"""Fields nobody filters by and whose every value is large."""


def value_key(value: Any) -> Hashable:
    """Return what equal values share: `1` and `1.0`, but not `true`; objects keep their order.

    >>> value_key(1) == value_key(1.0), value_key(True) == value_key(1)
    (True, False)
    """
    kind = type(value)
    if kind is list:
        return ("[", *map(value_key, value))
    if kind is dict:
        return ("{", *((name, value_key(inner)) for name, inner in value.items()))
    # Python's own `True == 1` would merge the two.
    return ("b", value) if kind is bool else value


@define
class _Column:
    """One field: a code for each row, and what each code stands for. Code 0 is a missing field."""

    name: str
    codes: NDArray[Any] = field(factory=lambda: np.zeros(0, np.uint8))
    """Rows beyond its end lack the field; its type grows with the number of values."""
    size: int = 0
    """Length of `codes`."""
    widest: int = 0
    """Largest code that the type of `codes` holds."""
    values: list[Any] = field(factory=lambda: [MISSING])
    uses: list[int] = field(factory=lambda: [0])
    """Rows that have each code, but for code 0; a code that no row has is free."""
    numbers: dict[Hashable, int] = field(factory=lambda: {MISSING: 0})
    """The code of each value, by its key."""
    free: list[int] = field(factory=list)
    containers: set[int] = field(factory=set)
    """Codes of arrays and objects, the only values a path leads into."""

    def append(self, row: int, value: Any) -> None:
        """Put a value where the row has none yet."""
        key = value if type(value) is str else value_key(value)
        code = self.numbers.get(key)
        if code is None:
            code = self._new_code(key, value)
        self.uses[code] += 1
        if row >= self.size or code > self.widest:
            self._fit(row, code)
        self.codes[row] = code

    def replace(self, row: int, value: Any) -> None:
        """Put a value, or `MISSING`, in place of what the row has."""
        old = int(self.codes[row]) if row < self.size else 0
        self.append(row, value)
        if old:
            self._release(old)

    def _new_code(self, key: Hashable, value: Any) -> int:
        if self.free:
            code = self.free.pop()
            self.values[code] = value
        else:
            code = len(self.values)
            self.values.append(value)
            self.uses.append(0)
        self.numbers[key] = code
        if type(value) is list or type(value) is dict:
            self.containers.add(code)
        return code

    def _fit(self, row: int, code: int) -> None:
        if row >= self.size:
            self.size = max(row + 1, self.size + self.size // 2, 64)
        wide = np.promote_types(self.codes.dtype, np.min_scalar_type(code))
        codes = np.zeros(self.size, wide)
        codes[: len(self.codes)] = self.codes
        self.codes, self.widest = codes, int(np.iinfo(wide).max)

    def _release(self, code: int) -> None:
        self.uses[code] -= 1
        if self.uses[code] > 0:
            return
        del self.numbers[value_key(self.values[code])]
        self.values[code] = None
        self.containers.discard(code)
        self.free.append(code)

    def unused(self) -> bool:
        return len(self.numbers) == 1

    def spread(self, table: NDArray[Any], rows: int) -> NDArray[Any]:
        """Give each row what the table says of its code."""
        known = np.take(table, self.codes[:rows])
        if len(known) == rows:
            return known
        return np.concatenate([known, np.full(rows - len(known), table[0], table.dtype)])

    def table(self, leaf: Leaf) -> NDArray[np.bool_]:
        """Ask a question about every code."""
        holds = predicate_of(leaf)
        if len(leaf.path) > 1:
            # No path leads into a scalar: below each it is as if the field were missing.
            passed = np.full(len(self.values), holds({}))
        elif leaf.equals is not None:
            passed = self._equal(leaf.equals)
        else:
            passed = np.fromiter(map(leaf.test, self.values), np.bool_, len(self.values))
        for code in self.containers:
            passed[code] = holds({self.name: self.values[code]})
        return passed

    def _equal(self, scalars: tuple[Any, ...]) -> NDArray[np.bool_]:
        passed = np.zeros(len(self.values), np.bool_)
        keys = {value_key(scalar) for scalar in scalars}
        if None in keys:
            keys.add(MISSING)
        passed[[self.numbers[key] for key in keys if key in self.numbers]] = True
        return passed

    def numbered(self, path: tuple[str, ...]) -> NDArray[np.int32]:
        """Number the different values that a path below this field reaches, from 1."""
        reach, seen = getter(path, elements=False), {value_key(MISSING): 0}
        table = np.zeros(len(self.values), np.int32)
        for code in self.containers:
            value = next(iter(reach({self.name: self.values[code]})), MISSING)
            table[code] = seen.setdefault(value_key(value), len(seen))
        return table


class Columns:
    """The fields of documents in rows 0, 1, 2, …, for masks of filters and for grouping.

    What it holds grows with the distinct values of each field, not with the size of the documents.
    Values are kept as they are given: arrays and objects must not be changed in place afterwards.
    Reading from several threads is safe; writing needs the caller's lock against readers.

    >>> columns = Columns()
    >>> columns.append({"_id": "a", "price": 90})
    >>> columns.append({"_id": "b", "price": 200, "tags": ["red"]})
    >>> columns.mask({"price": {"$gte": 100}, "tags": "red"}).tolist()
    [False, True]
    """

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, document: Mapping[str, Any]) -> None:
        """Add a document as the next row; `_base64` is left out, as nobody filters by it."""
        row = self._rows
        for name, value in document.items():
            if name not in _UNFILTERED:
                self._column(name).append(row, value)
        self._rows = row + 1

    def replace(self, row: int, document: Mapping[str, Any]) -> None:
        """Put a document in place of a row's; an empty one lets go of what a deleted row held.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= row < self._rows:
            raise IndexError(f"row {row} of {self._rows}")
        for name in self._columns.keys() - document.keys():
            column = self._columns[name]
            column.replace(row, MISSING)
            if column.unused():
                del self._columns[name]
        for name, value in document.items():
            if name not in _UNFILTERED:
                self._column(name).replace(row, value)

    def _column(self, name: str) -> _Column:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = _Column(name)
        return column

    def mask(self, filter: Mapping[str, Any] | None) -> NDArray[np.bool_]:
        """Tell for each row whether its document fits; the meaning is that of `compile_filter`.

        Args:
            filter: the filter; None fits every document.

        Raises:
            FilterError: the filter cannot be understood.
        """
        return self._mask(parse_filter({} if filter is None else filter))

    def _mask(self, node: Filter) -> NDArray[np.bool_]:
        match node:
            case Leaf():
                return self._asked(node)
            case Not(part=part):
                mask = self._mask(part)
                return np.logical_not(mask, out=mask)
            case AllOf(parts=parts):
                return self._joined(parts, np.logical_and, start=True)
            case AnyOf(parts=parts):
                return self._joined(parts, np.logical_or, start=False)

    def _joined(
        self, parts: tuple[Filter, ...], join: np.ufunc, *, start: bool
    ) -> NDArray[np.bool_]:
        if not parts:
            return np.full(self._rows, start)
        mask = self._mask(parts[0])
        for part in parts[1:]:
            join(mask, self._mask(part), out=mask)
        return mask

    def _asked(self, leaf: Leaf) -> NDArray[np.bool_]:
        column = self._columns.get(leaf.path[0])
        if column is None:
            return np.full(self._rows, predicate_of(leaf)({}))
        return column.spread(column.table(leaf), self._rows)

    def codes(self, field: str) -> NDArray[np.int32]:
        """Number the values of a field: equal numbers for equal values, 0 where it is missing.

        Args:
            field: the field's name; dots lead into objects, as in filters. Where they lead to
                several values (through an array), the first one counts.

        >>> columns = Columns()
        >>> for product in ("p1", "p2", "p1"): columns.append({"product": product})
        >>> columns.codes("product").tolist(), columns.codes("brand").tolist()
        ([1, 2, 1], [0, 0, 0])
        """
        path = tuple(field.split("."))
        column = self._columns.get(path[0])
        if column is None:
            return np.zeros(self._rows, np.int32)
        if len(path) > 1:
            return column.spread(column.numbered(path), self._rows)
        codes = np.zeros(self._rows, np.int32)
        known = column.codes[: self._rows]
        codes[: len(known)] = known
        return codes
