"""`python -m ximilar_async`, and the console script `ximilar-async`."""

from __future__ import annotations

import sys
from typing import NoReturn

_USAGE, _INTERRUPTED = 2, 130
_EXTRA = ("typer", "rich")


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    try:
        sys.exit(_run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _run(words: list[str]) -> int:
    try:
        from .cli import run  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(
            f"error: the command line needs {missing.name}: pip install 'ximilar-async[cli]'\n"
        )
        return _USAGE
    return run(words)


if __name__ == "__main__":
    main()
