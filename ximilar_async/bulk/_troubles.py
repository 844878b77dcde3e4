"""What the first record met that was not brought in, and where all of them are: for one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ximilar_async._logging import plain

from ._outcomes import Outcome
from ._record_faults import at_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._outcomes import Result

_LONGEST: Final = 200


def first_trouble(samples: Mapping[Outcome, Iterable[Result]]) -> str:
    """Return why the first record was rejected, or else failed; empty if there is none.

    Args:
        samples: Results by outcome.

    Example:
        >>> from ximilar_async.bulk import Result
        >>> result = Result(7, "line 7", "7", Outcome.REJECTED, "line 7 has no `_id`")
        >>> first_trouble({Outcome.REJECTED: (result,)})
        'first rejected: line 7 has no `_id`'
    """
    for outcome in (Outcome.REJECTED, Outcome.FAILED):
        for result in samples.get(outcome, ()):
            if result.reason:
                words = " ".join(plain(at_place(result.where, result.reason)).split())
                shown = words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
                return f"first {outcome}: {shown}"
    return ""


def where_all_are(rejects: str) -> str:
    """Return where records are that were rejected or failed, and what sends them again.

    Args:
        rejects: The rejects file; empty for none.
    """
    if rejects:
        return f"{rejects} has all of them: mend what they met, and send them by bulk.replay"
    return "report.samples has the first of them; Options(rejects=…) keeps all for bulk.replay"
