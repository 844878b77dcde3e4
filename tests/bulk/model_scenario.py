"""Scenarios of the run model: what is read, what is there before, and what every process meets."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import field, frozen
from bulk.model_claims import GOOD, MARK
from bulk.model_service import FAULTS

from ximilar_async.bulk import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ximilar_async.bulk._options import Attribution

KINDS: Final = ("insert",) * 5 + ("near_dups_insert",) * 2 + ("update", "delete")
RARE: Final = frozenset({"hanging", "patient"})
"""Faults that soon end a run."""

MORE: Final[tuple[Mapping[str, Any], ...]] = (
    *[{}] * 8,
    {"max_pending_bytes": 300},
    {"max_batch_bytes": 150},
    {"error_budget": 3},
    {"deadline": 5.0},
    {"flush_after": 0.05},
    {"near_dup_order": "strict"},
    {"near_dup_order": "grouped"},
)
"""Options that change how a run is cut up or when it ends."""

End = Literal["done", "stop", "grace", "abort", "cancel", "cancel twice", "kill", "power"]
ENDS: Final[tuple[End, ...]] = (
    "done",
    "stop",
    "grace",
    "abort",
    "cancel",
    "cancel twice",
    "kill",
    "kill",
    "power",
    "power",
)


@frozen
class Life:
    """One process: how it treats the input, what it meets, and how it ends."""

    end: End = "done"
    after: int = 1
    """Number of the request with which its end begins, unless it is done before."""
    workers: int = 4
    batch_size: int = 10
    weather: Mapping[str, float] = field(factory=dict)
    room: int | None = None
    """How many more records the collection takes."""
    poison: Mapping[str, int] = field(factory=dict)
    """For whose sake a whole request is refused, and with which status."""
    locked_from: int | None = None
    """Number of the request from which on the token is refused."""
    slow: bool = False
    """Whether the records trickle in."""
    more: Mapping[str, Any] = field(factory=dict)
    """Further options."""
    cut: int | None = None
    """How many bytes behind its first line a power failure leaves of its journal; None for any."""
    strict: bool = False
    """Whether each line of the journal is on the disk before anything follows from it."""


@frozen
class Scenario:
    """An input, what is stored before, and the processes; the last one meets no fault."""

    seed: int
    operation: str
    attribution: Attribution
    records: tuple[Mapping[str, Any], ...]
    before: Mapping[str, Mapping[str, Any]]
    lives: tuple[Life, ...]
    rejects: bool = False
    """Whether what fails is written into a file, and decided by that."""

    @classmethod
    def of(cls, seed: int, attribution: Attribution = "exact", operation: str = "") -> Scenario:
        """Return the scenario of a seed; of any operation if none is given."""
        dice = random.Random(seed)
        operation = operation or dice.choice(KINDS)
        records = _records(dice, images=10 if operation == "near_dups_insert" else 1000)
        share = 0.1 if GOOD[operation] is Outcome.INSERTED else 0.7
        before = {
            r["_id"]: _stored(r, dice) for r in records if "_id" in r and dice.random() < share
        }
        lives = [_life(dice, records) for _ in range(dice.randint(1, 4))]
        rejects = dice.random() < 0.2
        return cls(seed, operation, attribution, tuple(records), before, (*lives, Life()), rejects)


def _records(dice: random.Random, images: int) -> list[dict[str, Any]]:
    """Return an input: repeated ids, alike and not, and records that cannot be sent."""
    records: list[dict[str, Any]] = []
    for number in range(1, dice.choice([3, 12, 40, 90]) + 1):
        roll = dice.random()
        if roll < 0.04 and records:
            records.append(dice.choice(records))
        elif roll < 0.08 and records:
            records.append({**dice.choice(records), "n": number})
        elif roll < 0.1:
            records.append({"n": number})
        else:
            url = f"u{dice.randint(1, images)}"
            records.append({"_id": f"r{number}", "_url": url, "n": number})
    return records


def _stored(record: Mapping[str, Any], dice: random.Random) -> dict[str, Any]:
    """Return a record as somebody else stored it: the same fields, others, or another run's."""
    stored = dict(record)
    if dice.random() < 0.5:
        stored["n"] = -1
    if dice.random() < 0.3:
        stored[MARK] = f"{'0' * 32}/{record['n']}"
    return stored


def _life(dice: random.Random, records: list[dict[str, Any]]) -> Life:
    common = [kind for kind in FAULTS if kind not in RARE]
    kinds = dice.sample(common if dice.random() < 0.9 else list(FAULTS), dice.randint(0, 4))
    share = dice.choice([0.05, 0.2, 0.6])
    ids = [record["_id"] for record in records if "_id" in record]
    sick = dice.sample(ids, min(len(ids), 2)) if dice.random() < 0.2 else []
    batch_size = dice.choice([1, 3, 10, 10])
    return Life(
        end=dice.choice(ENDS),
        after=dice.randint(1, 1 + len(records) // batch_size),
        workers=dice.choice([1, 2, 4, 8]),
        batch_size=batch_size,
        strict=dice.random() < 0.2,
        weather={kind: share / len(kinds) for kind in kinds},
        room=dice.randint(0, len(records)) if dice.random() < 0.2 else None,
        poison={id_: dice.choice([400, 413, 422, 500]) for id_ in sick},
        locked_from=dice.randint(1, 20) if dice.random() < 0.08 else None,
        slow=dice.random() < 0.3,
        more=dice.choice(MORE),
    )
