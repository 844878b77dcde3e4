"""One contender, one slice, one process: reads what to do from stdin and prints what it took.

    echo '{"contender": "plain:bare", "load": {…}}' | python slices.py

Imports nothing beyond the standard library by itself: it runs in the vendor's environment too.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

from contenders import Load, Meter


def main() -> None:
    """Run and print."""
    told = json.load(sys.stdin)
    module, name = told["contender"].split(":")
    contender = getattr(import_module(f"contenders.{module}"), name)
    meter = Meter()
    further = contender(Load(**told["load"]), meter) or {}
    print(json.dumps({"seconds": meter.seconds, "cpu": meter.cpu, **further}))


if __name__ == "__main__":
    main()
