"""Real processes killed again and again: what is lost, told in two ways, or taken for another's?

    python benchmarks/kill_loop.py --seeds 200 [--first 0] [--attribution compare] [--records 400]

Each seed is a catalog with 2 % repeated ids, 5 % of it there before with the same fields. The
emulator answers 5 % of the inserts with 503 and applies 10 % without an answer. Four processes in a
row are killed by SIGKILL, every second journal is damaged besides, and the fifth runs to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import attrs

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from integration.kill_run import Setting, play

AT_ONCE = 2


async def loop(given: argparse.Namespace) -> Counter[str]:
    """Play all seeds, two at a time, and return the sums."""
    totals: Counter[str] = Counter()
    places = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int) -> None:
        async with places:
            with tempfile.TemporaryDirectory() as folder:
                setting = Setting(records=given.records)
                figures = await play(seed, Path(folder), given.attribution, setting)
        totals.update(attrs.asdict(figures), seeds=1)
        told = figures.conflicting or figures.misattributed
        if figures.lost or (told and given.attribution == "exact"):
            print(f"seed {seed}: {figures}", flush=True)

    async with asyncio.TaskGroup() as group:
        for seed in range(given.first, given.first + given.seeds):
            group.create_task(one(seed))
    return totals


def main() -> None:
    """Read the command line, run, print the sums; end with 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--records", type=int, default=400)
    parser.add_argument("--attribution", choices=["exact", "compare"], default="exact")
    given = parser.parse_args()
    began = time.monotonic()
    totals = asyncio.run(loop(given))
    for name in ("seeds", "records", "kills", "torn", "requests", "again"):
        print(f"{name:14} {totals[name]:8,}")
    print(f"{'seconds':14} {time.monotonic() - began:8,.0f}")
    for name in ("lost", "conflicting", "misattributed"):
        print(f"{name:14} {totals[name]:8,}")
    strict = ["lost", "conflicting", "misattributed"] if given.attribution == "exact" else ["lost"]
    sys.exit(any(totals[name] for name in strict))


if __name__ == "__main__":
    main()
