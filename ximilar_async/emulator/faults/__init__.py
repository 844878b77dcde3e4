"""Making the emulator fail: scenarios in the field's words, each time in the same way.

    from ximilar_async.emulator import Emulator, Faults, faults

    plan = Faults(
        faults.unavailable(chance=0.05),
        faults.lost_answer(chance=0.1, methods="insert"),
        faults.poison({"bad-1", "bad-2"}, status=400),
        seed=7,
    )
    async with Emulator(faults=plan) as emulator:
        ...
    print(plan.hits)

Every function takes what `Rule` says about which requests fail. Whatever else is wanted is a `Rule`
with a `Fault` of one's own, or any function that takes a request and its number and returns a
`Fault` or None.
"""

from __future__ import annotations

from .fault import Disconnect, Fault, FaultPlan
from .rules import Faults, Rule
from .scenarios import (
    cut_answer,
    empty_answer,
    full,
    garbled_json,
    html_page,
    lost_answer,
    lost_request,
    outage,
    poison,
    redirected,
    slow,
    throttled,
    truncated_json,
    unauthorized,
    unavailable,
)

__all__ = [
    "Disconnect",
    "Fault",
    "FaultPlan",
    "Faults",
    "Rule",
    "cut_answer",
    "empty_answer",
    "full",
    "garbled_json",
    "html_page",
    "lost_answer",
    "lost_request",
    "outage",
    "poison",
    "redirected",
    "slow",
    "throttled",
    "truncated_json",
    "unauthorized",
    "unavailable",
]
