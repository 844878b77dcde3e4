"""What is wrong with what should be a record, and what to do: the same words in all runs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

_SHOWN: Final = 10
"""Fields that a message lists."""

_LONGEST: Final = 40


def id_fault(record: object) -> str:
    """Return why a record has no `_id` that can be sent, and what to do; empty if it has one.

    The words go behind the record's place: "line 2" and this.

    Args:
        record: What was read.

    Example:
        >>> id_fault({"_id": "17"})
        ''
        >>> id_fault({"sku": "17", "price": 5})
        ' has no `_id`: which of its fields holds it (sku, price)? name that (RecordMapping(id=…))'
        >>> id_fault({"_id": 17})
        ": `_id` must be a non-empty string, not 17: ids are text in the service; give '17', or \
let a mapping make text of whole numbers (RecordMapping(id='_id'))"
        >>> id_fault("17")
        " is str, not a JSON object (dict): a record is {'_id': '17', …}"
    """
    if not isinstance(record, Mapping):
        return f" is {type(record).__name__}, not a JSON object (dict){_as_record(record)}"
    id_ = record.get("_id")
    if id_ is None:
        return f" has no `_id`{_columns(record)}"
    if isinstance(id_, str) and id_:
        return ""
    return f": `_id` must be a non-empty string, not {id_!r:.80}{_as_text(id_)}"


def at_place(where: str, reason: str) -> str:
    """Return a record's place and what is wrong with it, as one sentence.

    Args:
        where: The place.
        reason: The words; they may begin with the place.

    Example:
        >>> at_place("line 2", "has no `_id`"), at_place("line 2", "price is nan")
        ('line 2 has no `_id`', 'line 2: price is nan')
    """
    if reason.startswith(where):
        return reason
    is_verb = reason.startswith(("is ", "has ", "holds ", "breaks "))
    return f"{where} {reason}" if is_verb else f"{where}: {reason}"


def _as_record(value: object) -> str:
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return ""
    return f": a record is {{'_id': {str(value)[:_LONGEST]!r}, …}}"


def _columns(record: Mapping[Any, Any]) -> str:
    if "_id" in record:
        return ": it is null"
    names = [str(name)[:_LONGEST] for name in record if not str(name).startswith("_")]
    if not names:
        return ""
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f": which of its fields holds it ({shown})? name that (RecordMapping(id=…))"


def _as_text(id_: object) -> str:
    if isinstance(id_, bool) or not isinstance(id_, (int, float, Decimal, UUID)):
        return ""
    if isinstance(id_, (float, Decimal)) and id_ != id_:  # noqa: PLR0124 - NaN is not itself
        return ": it is missing"
    text = str(id_).removesuffix(".0")
    return (
        f": ids are text in the service; give {text!r:.{_LONGEST}}, or let a mapping make text of "
        "whole numbers (RecordMapping(id='_id'))"
    )
