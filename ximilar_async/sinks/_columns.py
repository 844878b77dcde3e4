"""The fields that records have, gathered as they pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field

from ximilar_async.errors import ConfigError

if TYPE_CHECKING:
    from ._base import Records

ID: Final = "_id"

MOST: Final = 10_000
"""Columns that a table may have; more come of ids or prices used as the names of fields."""


@define
class Columns:
    """The union of the fields of records: `_id` first, the others as they first appeared.

    Args:
        most: Fields from which on a table makes no sense.

    Example:
        >>> columns = Columns()
        >>> columns.add([{"price": 1, "_id": "1"}, {"_id": "2", "name": "Boot"}])
        >>> columns.names
        ['_id', 'price', 'name']
    """

    most: int = MOST
    _seen: dict[str, None] = field(factory=dict, init=False)

    @property
    def names(self) -> list[str]:
        """Return the names; `_id` alone where there was no record."""
        return [ID, *(name for name in self._seen if name != ID)]

    def add(self, records: Records) -> None:
        """Take the fields of some records.

        Raises:
            ConfigError: there are too many for a table.
        """
        for record in records:
            self._seen.update(dict.fromkeys(record))
        if len(self._seen) > self.most:
            raise ConfigError(
                f"the records have more than {self.most:,} different fields, too many for a "
                "table: name those that are wanted (fields), or write .jsonl"
            )
