"""Killed at random and started again, a sync converges, and nothing stays deleted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from bulk.sync.kill_play import Setting, play
from hypothesis import settings

if TYPE_CHECKING:
    from pathlib import Path

THOROUGH = settings().max_examples > 1000  # --hypothesis-profile=thorough
SEEDS = int(os.environ.get("XIMILAR_KILL_SEEDS", "50" if THOROUGH else "4"))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_sync_that_is_killed_again_and_again_converges(seed: int, tmp_path: Path) -> None:
    """SIGKILL on real processes while photos, prices and products change, 3 % of the writes
    answered 503, 4 % applied and unanswered: the collection ends as the catalog is, nothing that
    anybody wants is deleted and not inserted, and one more sync sends no write.
    """
    figures = await play(seed, tmp_path)
    assert (figures.differing, figures.deleted_not_inserted, figures.second_writes) == (0, 0, 0)
    assert figures.kills >= 1


async def test_records_that_carry_the_state_are_enough(tmp_path: Path) -> None:
    """The same without a state file: each process is a fresh machine."""
    figures = await play(1, tmp_path, Setting(remote=True, kills=3))
    assert (figures.differing, figures.deleted_not_inserted, figures.second_writes) == (0, 0, 0)
