"""From the benchmark's JSON to its page: the targets, and a table for each case. Pure."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final

import results
import targets
from figures import cpu, middle, ratios, rps

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = """# Performance

{machine}, load {low} to {high} while it ran; Python {python}; {versions}; {vendor}. {date},
{minutes} minutes.

## Targets

{targets}

## Cases

{cases}
Made by `benchmarks/compare.py`: clients take turns in processes of their own; medians of all turns,
ratios turn by turn. What is met is judged by the target's own measure; "by CPU" is the same by CPU
time, which other work on the machine disturbs less. A request has 10 records; CPU is the client's,
with all its threads; the sink runs in another process.
"""


_BASES: Final = {
    "vendor": "vendor's",
    "bare": "bare",
    "bare_knn": "bare",
    "otel_absent": "not installed",
}
"""What tables call those that others are compared with."""


def case_table(data: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    """Return a case's clients as a Markdown table, the cheapest first."""
    base, shown = case["base"], case["shown"]
    head = ["", "µs of CPU a request", "requests/s"]
    if base:
        head += [f"requests/s ÷ {_BASES[base]}", "CPU ÷ it"]
    lines = []
    for name in sorted(case["turns"], key=lambda name: middle(case, name, cpu)):
        line = [data["titles"][name], f"{middle(case, name, cpu):,.0f}"]
        line.append(f"{middle(case, name, rps):,.0f}")
        if base:
            line += [f"{statistics.median(ratios(case, name, base, of)):.2f}" for of in (rps, cpu)]
        line += [f"{middle(case, name, lambda turn, of=of: turn[of]):.2f}" for of in shown]
        lines.append(line)
    return f"### {case['title']}\n\n{results.table([*head, *shown.values()], lines)}"


def target_table(data: Mapping[str, Any]) -> str:
    """Return the targets with what was measured."""
    head = ["what", "target", "stretch", "measured", "quartiles", "by CPU", "met"]
    lines = [
        [
            row["what"],
            row["target"],
            row["stretch"],
            f"**{row['measured']:.{row['digits']}f}**",
            " to ".join(f"{value:.{row['digits']}f}" for value in row["quartiles"]),
            "" if row["by_cpu"] is None else f"{row['by_cpu']:.{row['digits']}f}",
            {"stretch": "yes, stretch too", "target": "yes", "missed": "**no**"}[row["met"]],
        ]
        for row in targets.rows(data)
    ]
    return results.table(head, lines)


def page(data: Mapping[str, Any]) -> str:
    """Return the whole page."""
    words = {
        "versions": ", ".join(f"{name} {version}" for name, version in data["versions"].items()),
        "low": min(data["loads"]),
        "high": max(data["loads"]),
        "targets": target_table(data),
        "cases": "\n".join(case_table(data, case) for case in data["cases"].values()),
    }
    return PAGE.format(**{**data, **words})
