"""From the benchmark's JSON to its page: the table of targets, and a table for each case. Pure."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import results

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = """# Performance

{machine}, load {load}; Python {python}; {versions}. {date}.

{cases}
Made by `benchmarks/compare.py` from {rounds} slices of each client; medians.
"""


def ratios(case: Mapping[str, Any], name: str, what: str, base: str | None = None) -> list[float]:
    """Return a client's figure over the base's, for each round.

    Args:
        case: A case of the JSON.
        name: The client.
        what: The figure, such as "rps" or "cpu_us".
        base: Whom to compare with; None for the case's base.
    """
    of = case["clients"]
    pairs = zip(of[name]["slices"], of[base or case["base"]]["slices"], strict=True)
    return [one[what] / other[what] for one, other in pairs]


def middle(case: Mapping[str, Any], name: str, what: str) -> float:
    """Return the median of a client's figure."""
    return statistics.median(made[what] for made in case["clients"][name]["slices"])


def case_table(data: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    """Return a case's clients as a Markdown table, the quickest first."""
    head = ["", "µs of CPU a request", "requests/s", "÷ the first: requests/s", "CPU"]
    order = sorted(case["clients"], key=lambda name: middle(case, name, "cpu_us"))
    base = case["base"] if case["base"] in case["clients"] else order[0]
    lines = [
        [
            data["titles"][name],
            f"{middle(case, name, 'cpu_us'):,.0f}",
            f"{middle(case, name, 'rps'):,.0f}",
            f"{statistics.median(ratios(case, name, 'rps', base)):.2f}",
            f"{statistics.median(ratios(case, name, 'cpu_us', base)):.2f}",
        ]
        for name in order
    ]
    return f"### {case['title']}\n\n{results.table(head, lines)}"


def page(data: Mapping[str, Any]) -> str:
    """Return the whole page."""
    versions = ", ".join(f"{name} {version}" for name, version in data["versions"].items())
    cases = "\n".join(case_table(data, case) for case in data["cases"].values())
    return PAGE.format(**{**data, "versions": versions, "cases": cases})
