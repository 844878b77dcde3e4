"""Killed at random and started again, a run ends with exact sums and claims nothing of others."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from integration.kill_run import play

if TYPE_CHECKING:
    from pathlib import Path

THOROUGH = settings().max_examples > 1000  # --hypothesis-profile=thorough
SEEDS = int(os.environ.get("XIMILAR_KILL_SEEDS", "200" if THOROUGH else "20"))
AT_ONCE = 2
"""Runs side by side: each is one process and waits much."""


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
async def test_a_run_that_is_killed_again_and_again_accounts_for_every_record(
    first: int, tmp_path: Path
) -> None:
    """SIGKILL on real processes and torn journals, 5 % of the records there before, 2 % of the ids
    repeated, 5 % of the requests answered 503, 10 % applied and unanswered: nothing lost, no two
    processes disagree, and with marks nothing is taken for somebody else's.
    """
    seeds = range(first, min(first + AT_ONCE, SEEDS))
    folders = [tmp_path / str(seed) for seed in seeds]
    for folder in folders:
        folder.mkdir()
    runs = zip(seeds, folders, strict=True)
    every = await asyncio.gather(*(play(seed, folder, "exact") for seed, folder in runs))
    for figures in every:
        assert (figures.lost, figures.conflicting, figures.misattributed) == (0, 0, 0)
        assert figures.records == 400
        assert figures.kills >= 1
