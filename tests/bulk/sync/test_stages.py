"""What the report says of a stage that took several runs, as long replacements do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bulk.sync.shop import opened, products

from ximilar_async import bulk
from ximilar_async.bulk import Outcome, Report
from ximilar_async.bulk._series import Moment, Series
from ximilar_async.bulk._sync.report import merged
from ximilar_async.bulk._timing import Histogram

if TYPE_CHECKING:
    from pathlib import Path


def run(read: int, elapsed: float, wait: str, answers: list[float], **more: Any) -> Report:
    """Return the report of a run that waited for one thing, and whose requests took so long."""
    seen, series = Histogram(), Series()
    for seconds in answers:
        seen.add(seconds)
    series.look(Moment(at=elapsed, decided=read, requests=len(answers), latencies=seen.buckets))
    return Report(
        operation="insert",
        read=read,
        counts={Outcome.INSERTED: read},
        requests=len(answers),
        elapsed=elapsed,
        latency=seen.to_dict(),
        bottleneck={wait: 1.0},
        timeline=series.timeline,
        **more,
    )


def test_a_stage_tells_of_all_its_runs_not_of_the_last() -> None:
    """A short run at the end does not hide what the long one before it waited for."""
    long = run(1000, 60.0, "network", [0.5] * 98 + [30.0] * 2, concurrency=8, resumed=3)
    short = run(1, 0.01, "source", [0.001], concurrency=4, left_out=1)
    both = merged(long, short)
    assert (both.read, both.requests, both.elapsed) == (1001, 101, pytest.approx(60.01))
    assert (both.resumed, both.left_out, both.concurrency) == (3, 1, 8)
    assert both.bottleneck["network"] > 0.99
    assert sum(both.bottleneck.values()) == pytest.approx(1)
    assert both.latency["max"] == 30.0
    assert both.latency["p50"] == pytest.approx(0.5, rel=0.03)
    assert both.latency["p99"] == pytest.approx(30.0, rel=0.03)


def test_a_run_that_sent_nothing_leaves_the_figures_of_the_other() -> None:
    """Nothing was measured in it, so nothing of it counts."""
    one = run(10, 1.0, "network", [0.2])
    none = Report(operation="insert", read=0, counts={})
    for both in (merged(one, none), merged(none, one), merged(None, one)):
        assert both.latency == one.latency
        assert both.bottleneck == one.bottleneck


async def test_what_was_sent_never_becomes_less_while_a_sync_goes_on(tmp_path: Path) -> None:
    """The requests of a stage's earlier runs count while its next one is under way."""
    state, catalog = tmp_path / "shoes.state", products(range(620))
    seen: dict[str, list[int]] = {"replace: delete": [], "replace: insert": []}
    async with opened() as shop:
        await bulk.sync(shop.collection, catalog, state=state, allow_new_catalog=True)
        new = [record | {"_url": f"{record['_url']}?2"} for record in catalog]
        options = bulk.Options(on_result=lambda _: note())
        job = bulk.sync(shop.collection, new, state=state, options=options)

        def note() -> None:
            for name, phase in job.stats.phases.items():
                if name in seen:
                    seen[name].append(phase.requests)

        report = await job
    assert report.replaced == 620
    for counts in seen.values():
        assert counts == sorted(counts)
        assert counts[-1] > 50  # ten records each: more than the second run has
