"""When an answer does not tell: compare what is stored with what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._outcomes import Outcome
from ._reconcile import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_COMPARED = frozenset({"_base64", "_file", "_image"})
"""Fields whose stored form is the service's own affair."""

_FULL = 412


def attribute(
    sent: Mapping[str, Any], stored: Mapping[str, Any] | None, doubt: Verdict, success: Outcome
) -> Verdict:
    """Return the verdict on a doubtful record after a look into the collection.

    A record that was there before with just the same fields cannot be told from one that this run
    stored; it counts as stored.

    Args:
        sent: The record as it was read.
        stored: The record as it is stored; None if it is not.
        doubt: Why one had to look.
        success: What being stored means.

    Example:
        >>> doubt = Verdict(None, "the answer does not mention it")
        >>> attribute({"_id": "1"}, None, doubt, Outcome.INSERTED).outcome
        <Outcome.FAILED: 'failed'>
    """
    if stored is None and doubt.code == _FULL:
        return Verdict(Outcome.REJECTED, "no room in the collection", doubt.code)
    if stored is None:
        return Verdict(Outcome.FAILED, f"{doubt.reason}; it is not stored", doubt.code)
    same = all(
        stored.get(name) == value
        for name, value in sent.items()
        if name not in _NOT_COMPARED and value is not None
    )
    if same:
        return Verdict(success, f"confirmed: {doubt.reason}; stored as it was sent", doubt.code)
    return Verdict(Outcome.ALREADY_PRESENT, f"{doubt.reason}; stored with other fields", doubt.code)
