"""A sync that the command line asked for: planned or carried out, shown, and reported."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from ximilar_async import bulk
from ximilar_async.bulk import ExitCode, Stop
from ximilar_async.bulk._export import record_count
from ximilar_async.errors import BulkAborted, SyncRefusedError
from ximilar_async.images import ImageOptions
from ximilar_async.pages import counted

from . import failures
from .again import apply_command
from .connect import find_collection, open_client
from .failures import UsageError
from .options import option_words
from .progress import Remarks, live, ticking
from .reach import reached
from .run_files import is_written, write_plan_report
from .screen import complain, is_live, put, put_json, say
from .signals import run
from .sync_live import SyncWatch, plan_picture
from .sync_options import default_state, in_options, read_state
from .sync_samples import samples_of
from .sync_views import plan_json, plan_view, sync_view

if TYPE_CHECKING:
    from ximilar_async._collection import Collection
    from ximilar_async.bulk import Options, SyncJob, SyncPlan, SyncReport
    from ximilar_async.sources import Source

    from .options import Access, Output, Place
    from .run_options import Run
    from .signals import Signals
    from .sync_options import Prices


@frozen(kw_only=True)
class Order:
    """A sync that a command line asks for."""

    title: str
    source: Source | None
    """None with a plan to be applied."""
    plan: Path | None
    """Where a plan is written to."""
    apply: Path | None
    state: str | None
    """As it was given; None if it was not."""
    settings: dict[str, Any]
    """What `bulk.sync` takes beside source, state and options."""
    options: Options
    prices: Prices
    run: Run
    place: Place
    access: Access
    output: Output


def carry_out(order: Order) -> int:
    """Do what was asked for, print it, and return the exit code.

    Raises:
        UsageError: it is refused, or no token or collection was named.
        XimilarError: the service refuses or does not answer, or the state cannot be used.
    """

    async def work(signals: Signals) -> int:
        async with open_client(order.access, processes=order.run.processes) as client:
            collection = find_collection(client, order.place)
            await reached(collection, order.run, order.output)
            state = await _state(order, collection)
            try:
                if order.run.dry_run:
                    return await _plan(order, collection, state)
                return await _sync(order, collection, state, signals)
            except SyncRefusedError as refused:
                raise UsageError(in_options(str(refused))) from refused

    return run(work)


async def _state(order: Order, collection: Collection) -> Path | str | None:
    """Return where the state is; one that is nowhere named begins with an empty collection only.

    A job that runs in another folder than the day before would else begin a second state, and
    forget which images are stored.

    Raises:
        UsageError: the collection is not empty, and there is no such file.
    """
    if order.state is not None:
        return read_state(order.state)
    path = default_state(collection.id).absolute()
    if not path.exists() and (there := await record_count(collection)):
        missing = f"no state: there is no file {str(path)!r}"
        if order.apply is not None:
            raise UsageError(f"{missing}; name what the plan was made with, as --state says")
        raise UsageError(
            f"{missing}, and the collection has {counted(there, 'record')}. If an earlier sync "
            "kept one, name it with --state FILE; to begin one by reading the collection, say "
            f"--state {path.name}"
        )
    return path


# --- plans --------------------------------------------------------------------------------------


async def _plan(order: Order, collection: Collection, state: Path | str | None) -> int:
    """Say what would be done, and write it down."""
    assert order.source is not None  # a dry run has one
    source, output, began = order.source, order.output, time.monotonic()
    with live(output) as show:

        def look() -> None:
            position = source.position, source.size
            show(plan_picture(order.title, position, time.monotonic() - began))

        async with ticking(look):
            plan = await bulk.plan_sync(
                collection, source, state=state, options=order.options, **order.settings
            )
    with plan:
        samples = await samples_of(collection, plan)
        if order.plan is not None:
            plan.write(order.plan)
        rate = order.access.rate
        if output.json:
            put_json(plan_json(plan, samples, order.prices, rate))
        else:
            put(plan_view(plan, samples, order.prices, rate))
        _tell_plan(order, plan)
        written = write_plan_report(plan, order.run, _apply_command(order, plan))
        if not written:
            return ExitCode.TROUBLE
        return ExitCode.TROUBLE if plan.rejected or plan.undecided or plan.withheld else 0


def _tell_plan(order: Order, plan: SyncPlan) -> None:
    """Say how a plan that was written is carried out."""
    if order.plan is not None:
        say(f"plan written to {order.plan}: {_apply_command(order, plan)}", order.output)


def _apply_command(order: Order, plan: SyncPlan) -> str:
    """Return the command line that carries out a plan that was written; empty if none was."""
    if order.plan is None:
        return ""
    options, images = option_words("state", order.state), order.options.images
    if images is not None and images.max_side != ImageOptions().max_side:
        options += option_words("max_side", images.max_side or 0)
    place = evolve(order.place, collection=plan.collection)
    return apply_command(order.plan, place, order.access, order.run, options)


# --- syncs --------------------------------------------------------------------------------------


async def _sync(
    order: Order, collection: Collection, state: Path | str | None, signals: Signals
) -> int:
    """Carry out a sync, print and write its report."""
    if order.apply is not None:
        job = bulk.apply_plan(collection, order.apply, state=state, options=order.options)
    else:
        assert order.source is not None  # one of both is there
        job = bulk.sync(
            collection, order.source, state=state, options=order.options, **order.settings
        )
    begins = _is_new(state)
    report = await _follow(job, order, signals)
    code = _conclude(report, order, signals)
    if begins and not _is_new(state):
        words = "made of what is stored; " if report.seeded else ""
        say(f"the state is new: {state}; {words}the next sync needs it", order.output)
    if not is_written(report, order.run, order.place, order.access, operation=None):
        code = code or ExitCode.TROUBLE
    return code


def _is_new(state: Path | str | None) -> bool:
    """Tell whether a state is a file that is not there yet."""
    return isinstance(state, Path) and not state.exists()


async def _follow(job: SyncJob, order: Order, signals: Signals) -> SyncReport:
    """Run a sync to its end, show how it goes, and return its report however it ends."""
    output = order.output
    watch, remarks = SyncWatch(order.title), Remarks(is_live=is_live(output))

    def stop(reason: str) -> None:
        say(f"{reason}: finishing what is under way; once more ends at once", output)
        job.stop(reason)

    def look() -> None:
        report = job.stats
        phase = report.phases.get(report.stage)
        for words in () if phase is None else remarks.about(phase):
            say(words, output)
        show(watch.picture(report, job.position))

    with live(output) as show, signals.stopping(stop):
        async with ticking(look):
            try:
                return await job
            except BulkAborted as aborted:
                report: SyncReport = aborted.report
                return report


def _conclude(report: SyncReport, order: Order, signals: Signals) -> int:
    """Print a report and return the exit code that goes with it."""
    output = order.output
    if output.json:
        put_json(report.to_dict())
    else:
        put(sync_view(report))
    if report.stop is Stop.SOURCE:
        words = "; nothing was deleted: sync again with the whole source" if report.withheld else ""
        complain("error", f"source failed: {report.stop_reason}{words}")
    elif report.withheld:
        complain("warning", f"nothing was deleted: {in_options(report.withheld)}")
    if report.stop is Stop.ASKED:
        complain("stopped", report.stop_reason)
    elif report.stop not in (None, Stop.SOURCE):
        complain("error", failures.message(BulkAborted(report.summary(), report)))
    if _is_to_be_resumed(report):
        again = "sync, or plan again" if order.apply else "run the same command again"
        say(f"{again}: it goes on from there", output)
    return signals.exit_code or int(report.exit_code)


def _is_to_be_resumed(report: SyncReport) -> bool:
    """Tell whether the same sync would find something left that it could do."""
    left = report.not_attempted + report.deletions_not_attempted + report.not_restored
    return bool(left + report.failed + report.deletions_failed) or report.stop is Stop.ASKED
