"""Figures of a case of the benchmark's JSON: medians and ratios. Pure."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Turn: TypeAlias = "Mapping[str, Any]"

BATCH = 10


def rps(turn: Turn) -> float:
    """Return the requests in a second."""
    return float(turn["requests"] / turn["seconds"])


def cpu(turn: Turn) -> float:
    """Return the µs of CPU that a request took the client."""
    return float(1e6 * turn["cpu"] / max(1, turn["requests"]))


def columns(turns: Sequence[Turn]) -> dict[str, list[float]]:
    """Return turns as the JSON holds them: a list of values for each figure.

    Example:
        >>> columns([{"requests": 10, "seconds": 0.12345678}, {"requests": 10, "seconds": 0.5}])
        {'requests': [10, 10], 'seconds': [0.123457, 0.5]}
    """
    return {name: [round(turn[name], 6) for turn in turns] for name in turns[0]}


def every(case: Mapping[str, Any], name: str, what: Callable[[Turn], float]) -> list[float]:
    """Return a figure of each of a client's turns."""
    held = case["turns"][name]
    turns = zip(*held.values(), strict=True)
    return [what(dict(zip(held, values, strict=True))) for values in turns]


def middle(case: Mapping[str, Any], name: str, what: Callable[[Turn], float]) -> float:
    """Return the median of a figure over a client's turns."""
    return statistics.median(every(case, name, what))


def ratios(
    case: Mapping[str, Any], name: str, base: str, what: Callable[[Turn], float]
) -> list[float]:
    """Return a client's figure over another's, turn by turn: they had theirs after each other."""
    pairs = zip(every(case, name, what), every(case, base, what), strict=True)
    return [one / other for one, other in pairs]


def with_a_core_each(told: Mapping[str, Any], name: str) -> list[float]:
    """Return for each turn by how much more a client does where each process has its own core.

    Args:
        told: A case of `processes.py`.
        name: The client; "none" has no sender processes.
    """
    base = every(told, "none", cpu)
    busiest = every(told, name, lambda turn: cpu({**turn, "cpu": turn["busiest_cpu"]}))
    return [one / other for one, other in zip(base, busiest, strict=True)]
