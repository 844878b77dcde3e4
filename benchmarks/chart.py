"""Draws the benchmark's chart from its JSON.

    python benchmarks/chart.py

What a request costs each client, and what that comes to where the service takes its time.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import results
from figures import BATCH, cpu, middle, rps
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes

OURS, THEIRS, BARE = "#1f77b4", "#c44e52", "#9a9a9a"
"""Colours: ours, the vendor's, everybody else's."""

_OURS: Final = frozenset({"bulk", "journal", "all", "insert", "gather", "tasks", "knn"})

_PANELS: Final[Mapping[str, str]] = {
    "tls-latency": "records/s: TLS, 50 ms an answer, 30 workers",
    "tail": "records/s: 50 ms, one answer in 20 takes 500 ms, 30 workers",
}


def colour(name: str) -> str:
    """Return a client's colour."""
    return OURS if name in _OURS else THEIRS if name == "vendor" else BARE


def plain(title: str) -> str:
    """Return a title without Markdown.

    Example:
        >>> plain("**`bulk.insert`**")
        'bulk.insert'
    """
    return re.sub(r"[*`]", "", title)


def bars(axes: Axes, titles: Mapping[str, str], values: Mapping[str, float], what: str) -> None:
    """Draw a bar for each client, the longest at the bottom."""
    names = sorted(values, key=lambda name: values[name])
    drawn = axes.barh(
        [plain(titles[name]) for name in names],
        [values[name] for name in names],
        color=[colour(name) for name in names],
    )
    axes.bar_label(drawn, fmt="{:,.0f}", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set_title(what, loc="left", fontsize=9)
    axes.tick_params(labelsize=8, length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_xticks([])
    axes.margins(x=0.15)


def draw(data: Mapping[str, Any], path: Path) -> None:
    """Write the chart as SVG.

    Args:
        data: The benchmark's JSON.
        path: Where to.
    """
    cases, titles = data["cases"], data["titles"]
    mpl.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none"})
    figure = Figure(figsize=(8.5, 7), layout="constrained")
    first, *others = figure.subplots(3, 1, height_ratios=[len(cases["small"]["turns"]), 4, 4])
    small = {name: middle(cases["small"], name, cpu) for name in cases["small"]["turns"]}
    bars(first, titles, small, "µs of CPU a request of 10 small records (logarithmic)")
    first.set_xscale("log")
    first.set_xticks([])
    first.set_xticks([], minor=True)
    for axes, (name, what) in zip(others, _PANELS.items(), strict=True):
        speeds = {
            client: BATCH * middle(cases[name], client, rps) for client in cases[name]["turns"]
        }
        bars(axes, titles, speeds, what)
    figure.supxlabel(f"{data['machine']}, Python {data['python']}, {data['date']}", fontsize=7)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Draw what was last measured."""
    data = json.loads(results.FOLDER.joinpath("bench.json").read_text(encoding="utf-8"))
    draw(data, results.FOLDER / "bench.svg")


if __name__ == "__main__":
    main()
