"""Results of benchmarks: JSON with machine and versions, and the same as a Markdown table."""

from __future__ import annotations

import json
import os
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FOLDER = Path(__file__).with_name("results")
_LIBRARIES = (
    *("ximilar-async", "aiohttp", "orjson", "uvloop", "pybase64"),
    *("opentelemetry-sdk", "httpx", "requests"),
)


def circumstances() -> dict[str, Any]:
    """Return the machine and the versions that figures depend on."""
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
        "load": round(os.getloadavg()[1], 1),  # of five minutes: others compute here too
        "date": datetime.now(tz=UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "versions": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; all columns but the first hold figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def _flat(text: str) -> str:
    """Return JSON with each list of numbers on one line."""
    return re.sub(r"\[[\d\s.,e+-]+\]", lambda found: " ".join(found[0].split()), text)


def write(name: str, data: dict[str, Any], text: str) -> None:
    """Write results under the benchmarks' folder of results.

    Args:
        name: What was measured; the files' name.
        data: Figures.
        text: The same in Markdown.
    """
    FOLDER.mkdir(exist_ok=True)
    whole = _flat(json.dumps({**circumstances(), **data}, indent=2))
    FOLDER.joinpath(f"{name}.json").write_text(f"{whole}\n", encoding="utf-8")
    FOLDER.joinpath(f"{name}.md").write_text(text, encoding="utf-8")
