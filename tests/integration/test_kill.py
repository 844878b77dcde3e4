"""Killed at random and started again, a run ends with exact sums and claims nothing of others."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ximilar_async import Ximilar
from ximilar_async._protocol import Response
from ximilar_async.emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from ximilar_async import Collection
    from ximilar_async._protocol import Request

CLIENT = Path(__file__).with_name("killed_client.py")
SEEDS = int(os.environ.get("XIMILAR_KILL_SEEDS", "4"))
BUSY = 5
LOST = 10


def faults(dice: random.Random) -> Callable[[Request, int], Fault | None]:
    """Return a plan: 5 % of all inserts are answered 503, 10 % are applied and left unanswered."""

    def plan(request: Request, _: int) -> Fault | None:
        if not request.url.endswith("/insert"):
            return None
        roll = dice.randrange(100)
        if roll < BUSY:
            return Fault(apply=False, answer=Response(503, {}, b'{"status": 503}'))
        return Fault(apply=True, disconnect=True) if roll < BUSY + LOST else None

    return plan


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_run_that_is_killed_again_and_again_accounts_for_every_record(
    seed: int, tmp_path: Path
) -> None:
    """SIGKILL on real processes, 5 % of records there before, 2 % repeated ids, lost answers."""
    dice = random.Random(seed)
    ids = [n if dice.random() > 0.02 else max(0, n - 30) for n in range(800)]
    catalog = tmp_path / "catalog.jsonl"
    lines = ({"_id": str(n), "_url": f"https://example.com/{n}.jpg", "n": n} for n in ids)
    catalog.write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = sorted({str(n) for n in ids if dice.random() < 0.05})
    async with (
        Emulator(faults=faults(dice), latency=0.002) as emulator,
        Ximilar("any-token", base_url=emulator.url) as client,
    ):
        collection = client.collection("c")
        for start in range(0, len(before), 10):
            part = before[start : start + 10]
            # The same record, stored by somebody else.
            await collection.insert(
                [
                    {"_id": id_, "_url": f"https://example.com/{id_}.jpg", "n": int(id_)}
                    for id_ in part
                ]
            )
        words = [emulator.url, str(catalog), str(tmp_path / "run.journal"), "exact"]
        new = {str(n) for n in ids} - set(before)
        for number in sorted(dice.sample(range(len(before) + 1, len(before) + len(new)), 4)):
            await run_and_kill(words, collection, number)
        report = await run_to_the_end(words)
        stored = (await collection.get_record_count()).count
    assert stored == len(new) + len(before)
    assert report == ["800", str(len(new)), str(800 - len(new)), "True"]


async def start(words: list[str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(CLIENT), *words, stdout=asyncio.subprocess.PIPE
    )


async def run_and_kill(words: list[str], collection: Collection, number: int) -> None:
    """Run the client until so many records are stored, then kill it."""
    process = await start(words)
    while process.returncode is None:
        count = (await collection.get_record_count()).count
        if count is not None and count >= number:
            process.kill()
            break
        await asyncio.sleep(0.002)
    await process.communicate()


async def run_to_the_end(words: list[str]) -> list[str]:
    """Run the client and return what it printed."""
    process = await start(words)
    output, _ = await process.communicate()
    return output.decode().split()
