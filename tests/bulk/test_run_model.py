"""Whole runs with crashes and resumes in a model: nothing lost, nothing invented, sums exact.

Every seed is a story of its own: an input with repeated ids and bad records, a collection that
holds some of them, and up to five processes with one journal that meet lost answers, 503, 429, 412,
401, poison, garbage and late effects, and are stopped, cancelled, killed or lose power.
`model_claims` holds every claim against the truth at the moment it is made, sums and journal
against the claims after each process, and in the end finds no record lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bulk.model_claims import Claims
from bulk.model_service import Truth
from bulk.run_model import Scenario, play
from hypothesis import settings

from ximilar_async.bulk import Outcome, Result

if TYPE_CHECKING:
    from pathlib import Path

THOROUGH = settings().max_examples > 1000  # --hypothesis-profile=thorough
SEEDS = 3000 if THOROUGH else 120
KINDS = ("insert", "near_dups_insert")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_claim_is_true_and_none_is_missing(seed: int, tmp_path: Path) -> None:
    """With marks nothing is misattributed either, and no process contradicts another."""
    scenario = Scenario.of(seed)
    figures = play(scenario, tmp_path)
    if scenario.operation in KINDS:
        assert (figures.misattributed, figures.conflicting) == (0, 0)


@pytest.mark.parametrize("seed", range(SEEDS, SEEDS + SEEDS // 3))
def test_without_marks_only_records_that_look_alike_are_taken_for_ours(
    seed: int, tmp_path: Path
) -> None:
    """The documented limit of "compare": what somebody else stored with the same fields."""
    scenario = Scenario.of(seed, "compare", KINDS[seed % 2])
    figures = play(scenario, tmp_path)
    assert figures.misattributed <= figures.alike


@pytest.mark.parametrize("seed", [8, 22, 25, 45, 54])
def test_the_same_seed_tells_the_same_story(seed: int, tmp_path: Path) -> None:
    """A seed that fails can be looked into: time and chance are the model's own."""
    stories = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        stories.append(play(Scenario.of(seed), folder))
    assert stories[1:] == stories[:-1]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.INSERTED, ""),
        (Outcome.ALREADY_PRESENT, ""),
        (Outcome.NOT_FOUND, ""),
    ],
)
def test_the_model_believes_no_false_claim(outcome: Outcome, reason: str) -> None:
    """A model that took everything would prove nothing."""
    record = {"_id": "1", "_url": "u", "n": 1}
    claims = Claims("insert", [record], frozenset(), Truth({}), exact=False, keeps_failed=False)
    with pytest.raises(AssertionError):
        claims.take(Result(1, "record 1", "1", outcome, reason))


def test_the_model_knows_its_own_records() -> None:
    """What a request of ours stored is denied by nobody."""
    record = {"_id": "1", "_url": "u", "n": 1}
    truth = Truth({})
    truth.apply("insert", [record])
    for outcome in (Outcome.ALREADY_PRESENT, Outcome.REJECTED, Outcome.NOT_ATTEMPTED):
        claims = Claims("insert", [record], frozenset(), truth, exact=False, keeps_failed=False)
        with pytest.raises(AssertionError, match="is ours"):
            claims.take(Result(1, "record 1", "1", outcome))
