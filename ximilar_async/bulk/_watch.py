"""What a run may cost at most: time, errors, patience with a service that does not answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from attrs import define, field

from ._outcomes import Outcome
from ._report import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._calls import Calls
    from ._health import Health
    from ._options import Options

_ENOUGH: Final = 100
"""Records that must be decided before a share of errors means anything."""


@define(eq=False)
class Watch:
    """Ends a run that goes beyond its bounds.

    Args:
        options: The bounds.
        health: Whether the service is there.
        calls: The requests, which may hang.
        on_stop: Called when the run has to end, with why.
    """

    options: Options
    health: Health
    calls: Calls
    on_stop: Callable[[Stop, str], None]
    began: float = field(default=0.0, init=False)
    """When the run began, by its clock."""
    before: Counter[Outcome] = field(factory=Counter, init=False)
    """What earlier runs of the same journal decided: it is not this run's to bear."""

    def look(self, now: float) -> None:
        """End the run when the service has not answered for too long, or its time is over."""
        patience, opened = self.options.retry.deadline, self.health.breaker.opened_at
        if opened is not None and now - opened > patience:
            self.on_stop(Stop.OUTAGE, self.health.outage(now))
        throttled = self.health.throttled_since
        if throttled is not None and now - throttled > patience:
            words = f"nothing but refusals for {now - throttled:.0f} s: {self.health.last_failure}"
            self.on_stop(Stop.OUTAGE, words)
        sent = self.calls.hangs_since()
        if sent is not None and now - sent > patience:
            self.on_stop(Stop.OUTAGE, f"a request has no answer after {now - sent:.0f} s")
            self.calls.withdraw(sent_too=True)
        deadline = self.options.deadline
        if deadline is not None and now - self.began > deadline:
            self.on_stop(Stop.DEADLINE, f"{deadline:g} s have passed (deadline)")

    def count(self, counts: Counter[Outcome]) -> None:
        """End the run when more went wrong than it may bear."""
        budget = self.options.error_budget
        if budget is None:
            return
        here = counts - self.before
        errors = here[Outcome.REJECTED] + here[Outcome.FAILED]
        if is_over_budget(errors, here.total(), budget):
            allowed = f"{budget:.0%}" if isinstance(budget, float) else str(budget)
            told = f"{errors} records were rejected or failed, more than {allowed} (error_budget)"
            self.on_stop(Stop.ERRORS, told)


def is_over_budget(errors: int, decided: int, budget: int | float) -> bool:  # noqa: PYI041 - 1 is one record, 0.5 is half of them
    """Tell whether more went wrong than a run may bear.

    Args:
        errors: Records rejected or failed.
        decided: Records decided in all.
        budget: A whole number of records, or a share of them as a float; a share is judged from
            100 records on.

    Example:
        >>> is_over_budget(3, 10, 2), is_over_budget(3, 10, 0.05), is_over_budget(6, 100, 0.05)
        (True, False, True)
    """
    if isinstance(budget, float):
        return decided >= _ENOUGH and errors > budget * decided
    return errors > budget
