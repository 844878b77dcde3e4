"""Syncs of real processes killed again and again: do they converge, and is anything lost?

    python benchmarks/kill_sync.py --seeds 50 [--first 0] [--records 240] [--kills 4] [--remote]
        [--still]

Each seed is a catalog that goes on changing: a quarter of the photos, a tenth of the prices, some
products gone and some new, once before and about every second time after a kill. Even seeds mirror,
odd ones upsert. The emulator answers 3 % of the writes with 503 and applies 4 % without an answer.
Four processes in a row are killed by SIGKILL at a random write, the fifth runs to its end, and one
more shows whether anything was left to do.
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

from bulk.sync.kill_play import Setting, play

AT_ONCE = 2


async def loop(given: argparse.Namespace) -> Counter[str]:
    """Play all seeds, two at a time, and return the sums; of `window` the largest."""
    totals: Counter[str] = Counter()
    places = asyncio.Semaphore(AT_ONCE)
    setting = Setting(
        records=given.records,
        kills=given.kills,
        remote=given.remote,
        changing=0.0 if given.still else 0.5,
    )

    async def one(seed: int) -> None:
        async with places:
            with tempfile.TemporaryDirectory() as folder:
                figures = await play(seed, Path(folder), setting)
        wrong = figures.differing or figures.deleted_not_inserted or figures.second_writes
        window = max(totals["window"], figures.window)
        totals.update(attrs.asdict(figures), seeds=1, converged=int(not wrong))
        totals["window"] = window
        if wrong:
            print(f"seed {seed}: {figures}", flush=True)

    async with asyncio.TaskGroup() as group:
        for seed in range(given.first, given.first + given.seeds):
            group.create_task(one(seed))
    return totals


def main() -> None:
    """Read the command line, run, print the sums; end with 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--records", type=int, default=240)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--remote", action="store_true", help="the records carry the state")
    parser.add_argument("--still", action="store_true", help="the catalog changes only once")
    given = parser.parse_args()
    began = time.monotonic()
    totals = asyncio.run(loop(given))
    words = {
        "seeds": "seeds",
        "converged": "converged",
        "kills": "processes killed",
        "requests": "requests",
        "needed": "records to send, each change by itself",
        "sent": "records sent",
        "window": "most deleted and not yet inserted at a kill",
        "deleted_not_inserted": "deleted and not inserted at the end",
        "differing": "stored otherwise than the catalog",
        "second_writes": "writes of one more sync",
    }
    for name, text in words.items():
        print(f"{text:46} {totals[name]:8,}")
    print(f"{'seconds':46} {time.monotonic() - began:8,.0f}")
    sys.exit(totals["converged"] != totals["seeds"])


if __name__ == "__main__":
    main()
