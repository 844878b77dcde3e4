"""One client in a process of its own: reads what to do as a line of stdin, then takes its turns.

Imports nothing beyond the standard library by itself: it runs in the vendor's environment too.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

from contenders import Load, Meter


def main() -> None:
    """Run; each turn prints what it took."""
    told = json.loads(sys.stdin.readline())
    module, name = told["contender"].split(":")
    getattr(import_module(f"contenders.{module}"), name)(Load(**told["load"]), Meter())


if __name__ == "__main__":
    main()
