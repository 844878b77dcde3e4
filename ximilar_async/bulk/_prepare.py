"""From a record as it was read to its checked JSON form, images included."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, field

from ximilar_async._encoding import encode_body, with_image
from ximilar_async._protocol import check_query, check_record
from ximilar_async.errors import RecordError
from ximilar_async.images import take_image

from ._record_faults import at_place, id_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ximilar_async._encoding import Wire
    from ximilar_async._models import Record
    from ximilar_async.images import ImageOptions

    from ._item import Item
    from ._operations import Operation


Mark: TypeAlias = "Callable[[int], Mapping[str, str]]"
"""From a record's number to the fields that tell it from all others."""


def no_mark(_: int) -> Mapping[str, str]:
    """Return no fields at all."""
    return {}


def run_mark(field: str, run: str) -> Mark:
    """Return a mark that names run and record.

    Args:
        field: The marking field.
        run: Name of the run.

    Example:
        >>> run_mark("mark", "r1")(7)
        {'mark': 'r1/7'}
    """
    return lambda seq: {field: f"{run}/{seq}"}


@define(eq=False)
class Preparer:
    """Checks records and turns them into JSON; what cannot be sent comes back as an error.

    Args:
        images: How images are checked and shrunk.
        files_root: Folder that `_file` must not leave.
        operation: What will be done with the records.
        max_bytes: Most bytes of JSON that a record may have.
        fields: Fields that are sent beside `_id` and image; None for all.
    """

    images: ImageOptions
    files_root: Path | None
    operation: Operation
    max_bytes: int
    fields: frozenset[str] | None = None
    mark: Mark = no_mark
    """The fields that are added to a record, by its number, so that it can be known again."""
    unseen: set[str] = field(init=False)
    """Those of `fields` that no record had so far."""
    plain: bool = field(init=False)
    """Whether records are sent with all their fields and no other."""

    def __attrs_post_init__(self) -> None:
        self.unseen = set(self.fields or ())
        operation = self.operation
        changed = operation.only_id or operation.one_query or self.mark is not no_mark
        self.plain = not changed and self.fields is None

    def has_work(self, items: Sequence[Item]) -> bool:
        """Tell whether some record has an image to read or encode, which wants a thread."""
        for item in items:
            record = item.entry.record
            if isinstance(record, dict) and ("_file" in record or "_image" in record):
                return True
        return False

    async def prepare(self, items: Sequence[Item]) -> list[Wire | RecordError]:
        """Return each record's JSON, or why it has none; image work is off the event loop."""
        if self.has_work(items):
            return await asyncio.to_thread(self.prepare_now, items)
        return self.prepare_now(items)

    def prepare_now(self, items: Sequence[Item]) -> list[Wire | RecordError]:
        """Do the same in this thread."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Wire | RecordError:
        entry = item.entry
        usual = entry.fault is None and self._travels_as_it_is(entry.record)
        try:
            wire = encode_body(entry.record) if usual else self._changed(item)
        except RecordError as error:
            return error
        if len(wire) > self.max_bytes:
            return RecordError(
                f"{item.entry.where} has {len(wire)} bytes of JSON, more than the "
                f"{self.max_bytes} that a request may have (max_batch_bytes)"
            )
        return wire

    def _changed(self, item: Item) -> Wire:
        """Return the JSON of a record that is checked, its image read, its mark set."""
        entry = item.entry
        if entry.fault is not None:
            raise RecordError(at_place(entry.where, entry.fault))
        record = self._record(item)
        rest, image = take_image(record, self.images, self.files_root)
        return encode_body(rest) if image is None else with_image(encode_body(rest), image)

    def _travels_as_it_is(self, record: Any) -> bool:
        """Tell whether a record is one of the usual ones that need neither checks nor changes.

        Saves 2 µs a record.
        """
        return (
            self.plain
            and type(record) is dict
            and type(record.get("_id")) is str
            and bool(record["_id"])
            and (type(record.get("_url")) is str or not self.operation.endpoint.needs_image)
            and "_file" not in record
            and "_image" not in record
        )

    def _record(self, item: Item) -> Record:
        """Return the record to send, checked for what this operation needs."""
        operation, record, entry = self.operation, item.entry.record, item.entry
        plain_ids = operation.only_id or operation.one_query
        if plain_ids and isinstance(record, (str, int)):
            record = {"_id": record}
        if operation.one_query:
            check_query(operation.endpoint, record, entry.where)
            if record.get("_id") is not None and (fault := id_fault(record)):
                raise RecordError(f"{entry.where}{fault}")
            return _only(record, _QUERY)
        if fault := id_fault(record):
            raise RecordError(f"{entry.where}{fault}")
        check_record(record, entry.where, needs_image=operation.endpoint.needs_image)
        if operation.only_id:
            return {"_id": record["_id"]}
        if self.unseen:
            self.unseen -= record.keys()
        kept = record if self.fields is None else _only(record, self.fields | _QUERY)
        return {**kept, **self.mark(item.seq)}


_QUERY = frozenset({"_id", "_url", "_base64", "_file", "_image"})
"""What makes a record, and all that a query consists of."""


def _only(record: Record, names: frozenset[str]) -> Record:
    return {name: value for name, value in record.items() if name in names}
