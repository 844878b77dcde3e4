"""A service that fails by a scenario and knows the truth: which ids it stores.

    python benchmarks/faults_service.py SCENARIO [--records 5000] [--seed 1] [--latency 0.05]

It prints its address; `GET /statistics` tells what it stores and how many requests came.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections import Counter
from typing import TYPE_CHECKING

import orjson
from faults_scenarios import SCENARIOS, Met
from sink import run, serve
from sink_answers import Remembering

if TYPE_CHECKING:
    from faults_scenarios import Scenario
    from sink_faults import Reply

_INSERTS = frozenset({b"insert", b"nearDupsInsert"})


class Failing:
    """A service that fails by a scenario.

    Args:
        scenario: What goes wrong.
        records: How many records will be sent.
        seed: What is drawn with.
        latency: Seconds that every answer takes.
    """

    def __init__(self, scenario: Scenario, records: int, seed: int, latency: float) -> None:
        self._answers = Remembering(scenario.stored_before(records, seed))
        self._plan = scenario.plan()
        self._seed = seed
        self._latency = latency
        self._requests: Counter[str] = Counter()
        self._faults = 0
        self._came: Counter[tuple[bytes, str]] = Counter()
        self._seen: set[str] = set()

    def reply(self, method: bytes, body: bytes) -> Reply:
        """Treat a request."""
        self._requests[method.decode()] += 1
        ids = tuple(record["_id"] for record in orjson.loads(body or b"{}").get("records", ()))
        if method in _INSERTS:
            self._seen.update(ids)
        drawn = self._draw(method, ids[0] if ids else "")
        fault = self._plan(Met(ids, drawn, len(self._seen), time.monotonic()))
        if fault is None:
            return self._answers(method, body), self._latency
        self._faults += 1
        if fault.apply:
            self._answers(method, body)
        return fault.reply, self._latency

    def _draw(self, method: bytes, first: str) -> float:
        times = self._came[method, first]
        self._came[method, first] += 1
        key = f"{self._seed} {method!r} {first} {times}".encode()
        return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) / 2**64

    def statistics(self) -> dict[str, object]:
        """Return what was seen, and the ids that are stored."""
        stored = list(self._answers.stored)
        return {"requests": dict(self._requests), "faults": self._faults, "stored": stored}


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds an answer takes")
    parser.add_argument("--until-eof", action="store_true", help="end when stdin does")
    given = parser.parse_args()
    service = Failing(SCENARIOS[given.scenario], given.records, given.seed, given.latency)
    run(serve(service, None, until_eof=given.until_eof))


if __name__ == "__main__":
    main()
