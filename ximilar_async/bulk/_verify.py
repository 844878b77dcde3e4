"""When an answer does not tell: compare what is stored with what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ._outcomes import Outcome
from ._reconcile import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NOT_COMPARED = frozenset({"_base64", "_file", "_image"})
"""Fields whose stored form is the service's own affair."""

_FULL = 412
_REFUSED = frozenset({400, 413, 422})
"""Codes of the last attempt that are about the record, so that no further one can help."""

Attribute: TypeAlias = "Callable[[Mapping[str, Any], Mapping[str, Any] | None, Verdict], Verdict]"
"""From what was sent, what is stored and why one had to look to the verdict."""


def _same(sent: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    return all(
        stored.get(name) == value for name, value in sent.items() if name not in _NOT_COMPARED
    )


def inserted(sent: Mapping[str, Any], stored: Mapping[str, Any] | None, doubt: Verdict) -> Verdict:
    """Return the verdict on a record of an insert after a look into the collection.

    A record that was there before with just the same fields cannot be told from one that this run
    stored; it counts as stored.

    Args:
        sent: The record as it was read.
        stored: The record as it is stored; None if it is not.
        doubt: Why one had to look.

    Example:
        >>> doubt = Verdict(None, "the answer does not mention it")
        >>> inserted({"_id": "1"}, None, doubt).outcome
        <Outcome.FAILED: 'failed'>
    """
    if stored is None and doubt.code == _FULL:
        return Verdict(Outcome.REJECTED, "no room in the collection", doubt.code)
    if stored is None and doubt.code in _REFUSED:
        return Verdict(Outcome.REJECTED, doubt.reason, doubt.code)
    if stored is None:
        return Verdict(Outcome.FAILED, f"{doubt.reason}; it is not stored", doubt.code)
    if _same(sent, stored):
        reason = f"confirmed: {doubt.reason}; stored as it was sent"
        return Verdict(Outcome.INSERTED, reason, doubt.code, inferred=True)
    return Verdict(Outcome.ALREADY_PRESENT, f"{doubt.reason}; stored with other fields", doubt.code)


def marked(field: str) -> Attribute:
    """Return a rule that goes by the mark which every record was sent with.

    Args:
        field: The marking field.

    Example:
        >>> marked("run")({"run": "r1/7"}, {"_id": "1", "run": "r0/7"}, Verdict(None)).outcome
        <Outcome.ALREADY_PRESENT: 'already_present'>
    """

    def attribute(
        sent: Mapping[str, Any], stored: Mapping[str, Any] | None, doubt: Verdict
    ) -> Verdict:
        if stored is None:
            return inserted(sent, stored, doubt)
        if stored.get(field) == sent.get(field):
            return Verdict(Outcome.INSERTED, f"confirmed: {doubt.reason}; stored with its mark")
        return Verdict(Outcome.ALREADY_PRESENT, f"{doubt.reason}; stored by somebody else")

    return attribute


def updated(sent: Mapping[str, Any], stored: Mapping[str, Any] | None, doubt: Verdict) -> Verdict:
    """Return the verdict on a record of an update: whether it now has the fields that were sent.

    Example:
        >>> updated({"_id": "1", "price": 2}, {"_id": "1", "price": 2}, Verdict(None)).outcome
        <Outcome.UPDATED: 'updated'>
    """
    if stored is None:
        return Verdict(Outcome.NOT_FOUND, doubt.reason, doubt.code)
    if _same(sent, stored):
        return Verdict(Outcome.UPDATED, f"confirmed: {doubt.reason}", doubt.code)
    return Verdict(Outcome.FAILED, f"{doubt.reason}; stored with other fields", doubt.code)


def deleted(_: Mapping[str, Any], stored: Mapping[str, Any] | None, doubt: Verdict) -> Verdict:
    """Return the verdict on a record of a delete: whether it is gone.

    Example:
        >>> deleted({"_id": "1"}, {"_id": "1"}, Verdict(None, "no answer")).outcome
        <Outcome.FAILED: 'failed'>
    """
    if stored is None:
        reason = f"confirmed: {doubt.reason}; it is gone"
        return Verdict(Outcome.DELETED, reason, doubt.code, inferred=True)
    return Verdict(Outcome.FAILED, f"{doubt.reason}; it is still stored", doubt.code)


def fetched(_: Mapping[str, Any], stored: Mapping[str, Any] | None, doubt: Verdict) -> Verdict:
    """Return the verdict on a record of a get.

    Example:
        >>> fetched({"_id": "1"}, None, Verdict(None)).outcome
        <Outcome.NOT_FOUND: 'not_found'>
    """
    if stored is None:
        return Verdict(Outcome.NOT_FOUND, doubt.reason, doubt.code)
    return Verdict(Outcome.FOUND, doubt.reason, doubt.code, answer=dict(stored))
