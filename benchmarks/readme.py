"""Keeps the README's performance table as the benchmark's JSON has it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import results
import targets

if TYPE_CHECKING:
    from collections.abc import Mapping

README: Final = Path(__file__).parent.parent / "README.md"

_BLOCK: Final = re.compile(r"(?<=<!-- benchmark -->\n).*?(?=<!-- end of benchmark -->)", re.DOTALL)

_VERDICTS: Final = {"stretch": "yes", "target": "yes", "missed": "**no**"}


def block(data: Mapping[str, Any]) -> str:
    """Return what stands between the README's marks.

    Args:
        data: The benchmark's JSON.
    """
    lines = [
        [
            row["what"],
            f"**{row['measured']:.{row['digits']}f}**",
            row["target"],
            _VERDICTS[row["met"]],
        ]
        for row in targets.rows(data)
    ]
    seen = f"{data['machine']}, Python {data['python']}, {data['date']}"
    return f"{results.table(['what', 'measured', 'target', 'met'], lines)}\n{seen}.\n"


def renewed(text: str, data: Mapping[str, Any]) -> str:
    """Return the README's text with its block made anew.

    Args:
        text: The README.
        data: The benchmark's JSON.

    Raises:
        ValueError: there is no block.
    """
    made, found = _BLOCK.subn(lambda _: block(data), text)
    if found != 1:
        raise ValueError("README.md has no single block of the benchmark's")
    return made


def main() -> None:
    """Renew the README."""
    data = json.loads((results.FOLDER / "bench.json").read_text(encoding="utf-8"))
    README.write_text(renewed(README.read_text(encoding="utf-8"), data), encoding="utf-8")


if __name__ == "__main__":
    main()
