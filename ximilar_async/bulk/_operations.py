"""What a bulk run can do: the engine knows operations, not "insert"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from ximilar_async import _endpoints as endpoints

from ._outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ximilar_async._endpoints import Endpoint
    from ximilar_async._models import RecordsAnswer


@frozen
class Operation:
    """One way to treat records, as a value."""

    name: str
    """What people call it."""
    endpoint: Endpoint[RecordsAnswer]
    """The method that is called with each batch."""
    success: Outcome
    """What a record in `answer_records` ended as."""
    fields: Mapping[str, Any]
    """Further fields of every request."""


def insert() -> Operation:
    """Return the operation that inserts records."""
    return Operation("insert", endpoints.INSERT, Outcome.INSERTED, {"fields_to_return": ["_id"]})


def near_dups_insert(radius: float | None) -> Operation:
    """Return the operation that inserts records unless their image is nearly stored already.

    Args:
        radius: Largest distance of a near-duplicate; None for the service's default.
    """
    return Operation(
        "near_dups_insert",
        endpoints.NEAR_DUPS_INSERT,
        Outcome.INSERTED,
        {"fields_to_return": ["_id"], "radius": radius},
    )
