"""What a bulk run can do: the engine knows operations, not "insert"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import field, frozen

from ximilar_async import _endpoints as endpoints
from ximilar_async._encoding import Encoded, encode_body, joined
from ximilar_async.errors import ConfigError

from . import _verify
from ._outcomes import Outcome
from ._reconcile import reconcile

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from ximilar_async._endpoints import Endpoint
    from ximilar_async._models import SearchAnswer

    from ._item import Batch
    from ._reconcile import Reconciled
    from ._verify import Attribute


_COPIED: Final = 2**16
"""Bytes of records below which copying them twice is cheaper than keeping them in pieces."""


@frozen
class Operation:
    """One way to treat records, as a value."""

    name: str
    """What people call it."""
    endpoint: Endpoint[Any]
    """The method that is called with each batch."""
    success: Outcome
    """What a record in `answer_records` ended as."""
    fields: Mapping[str, Any] = field(factory=dict)
    """Further fields of every request."""
    only_id: bool = False
    """Whether nothing but the `_id` of a record is sent; then plain ids will do as records."""
    one_query: bool = False
    """Whether a request holds one record, as a query, and its answer is the record's result."""
    finds_near_dups: bool = False
    """Whether the service compares records with those before them, so that their order counts."""
    attribute: Attribute = _verify.inserted
    """The verdict on a doubtful record after a look into the collection."""
    _frame: tuple[bytes, bytes] = field(init=False, repr=False, eq=False)
    """A request's body as JSON, up to its records and from there on."""

    def __attrs_post_init__(self) -> None:
        sent = {name: value for name, value in self.fields.items() if value is not None}
        rest = encode_body(sent)[1:-1]
        end = b"," + rest + b"}" if rest else b"}"
        frame = (b'{"query_record":', end) if self.one_query else (b'{"records":[', b"]" + end)
        object.__setattr__(self, "_frame", frame)  # a frozen value is made here once

    def body(self, batch: Batch) -> Encoded:
        """Return the body of the request for a batch."""
        start, end = self._frame
        if batch.usual is not None:
            return Encoded((start, batch.usual.joined, end))
        wires = [item.wire for item in batch.items]
        if Encoded not in map(type, wires) and sum(map(len, wires)) < _COPIED:
            return Encoded((start, b",".join(map(joined, wires)), end))
        pieces = [piece for wire in wires for piece in (*Encoded.of(wire).pieces, b",")]
        return Encoded((start, *pieces[:-1], end))

    def reconcile(
        self, ids: Sequence[str], raw: object, *, doubtful: Container[str | None]
    ) -> Reconciled:
        """Return one verdict for each id that was sent."""
        return reconcile(ids, raw, self.success, doubtful=doubtful)


def insert() -> Operation:
    """Return the operation that inserts records."""
    return Operation("insert", endpoints.INSERT, Outcome.INSERTED, {"fields_to_return": ["_id"]})


def near_dups_insert(radius: float | None) -> Operation:
    """Return the operation that inserts records unless their image is nearly stored already.

    Args:
        radius: Largest distance of a near-duplicate; None for the service's default.
    """
    fields = {"fields_to_return": ["_id"], "radius": radius}
    return Operation(
        "near_dups_insert",
        endpoints.NEAR_DUPS_INSERT,
        Outcome.INSERTED,
        fields,
        finds_near_dups=True,
    )


def update() -> Operation:
    """Return the operation that changes fields of stored records."""
    return Operation(
        "update",
        endpoints.UPDATE,
        Outcome.UPDATED,
        {"fields_to_return": ["_id"]},
        attribute=_verify.updated,
    )


def delete() -> Operation:
    """Return the operation that deletes records by their ids."""
    return Operation(
        "delete",
        endpoints.DELETE,
        Outcome.DELETED,
        only_id=True,
        attribute=_verify.deleted,
    )


def get(fields_to_return: Sequence[str] | None) -> Operation:
    """Return the operation that fetches records by their ids.

    Args:
        fields_to_return: Fields of the records; None for the service's default.
    """
    return Operation(
        "get",
        endpoints.GET,
        Outcome.FOUND,
        {"fields_to_return": fields_to_return},
        only_id=True,
        attribute=_verify.fetched,
    )


Writing: TypeAlias = Literal["insert", "near_dups_insert", "update", "delete"]
"""The operations that change records, by name."""


def writing(name: Writing, radius: float | None) -> Operation:
    """Return the operation of a name.

    Args:
        name: One of those that change records.
        radius: Largest distance of a near-duplicate, for near_dups_insert.

    Raises:
        ConfigError: there is no such operation, or it has no radius.
    """
    if name == "near_dups_insert":
        return near_dups_insert(radius)
    simple = {"insert": insert, "update": update, "delete": delete}
    if name not in simple:
        known = ", ".join([*simple, "near_dups_insert"])
        raise ConfigError(f"operation must be one of {known}, not {name!r}")
    if radius is not None:
        raise ConfigError(f"radius is for near_dups_insert; {name} has none")
    return simple[name]()


def search(name: str, endpoint: Endpoint[SearchAnswer], fields: Mapping[str, Any]) -> Operation:
    """Return an operation that makes each record a query of its own.

    Args:
        name: What people call it.
        endpoint: A method that takes a `query_record`.
        fields: Further fields of every request; those that are None are not sent.
    """
    return Operation(name, endpoint, Outcome.FOUND, fields, one_query=True)
