"""A sync that the command line asked for: planned or carried out, shown, and reported."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from ximilar_async import bulk
from ximilar_async.bulk import ExitCode, Stop
from ximilar_async.bulk._sync.usual import USUAL, Usual, usual_state
from ximilar_async.errors import BulkAborted, SyncRefusedError
from ximilar_async.images import ImageOptions

from . import spoken
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
from .sync_options import in_options, read_state
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


_READING: Final = "reading the source"
"""How a sync calls its stage while it knows only a part of what it is to do."""


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

    @property
    def kept_in(self) -> Path | str | Usual | None:
        """Return where the state is, as `bulk.sync` takes it.

        Raises:
            UsageError: no file can be kept where it was said to be.
        """
        return USUAL if self.state is None else read_state(self.state)


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
            try:
                if order.run.dry_run:
                    return await _plan(order, collection)
                return await _sync(order, collection, signals)
            except SyncRefusedError as refused:
                raise UsageError(in_options(str(refused))) from refused

    return run(work)


# --- plans --------------------------------------------------------------------------------------


async def _plan(order: Order, collection: Collection) -> int:
    """Write down what would be done, and say it."""
    assert order.source is not None  # a dry run has one
    source, output, began = order.source, order.output, time.monotonic()
    with live(output) as show:

        def look() -> None:
            position = source.position, source.size
            show(plan_picture(order.title, position, time.monotonic() - began))

        async with ticking(look):
            plan = await bulk.plan_sync(
                collection, source, state=order.kept_in, options=order.options, **order.settings
            )
    with plan:
        samples = await samples_of(collection, plan)
        if order.plan is not None:
            plan.write(order.plan)
        # The files first: whoever reads what is printed may leave, as `head` does.
        written = write_plan_report(plan, order.run, _apply_command(order, plan))
        rate = order.access.rate
        if output.json:
            put_json(plan_json(plan, samples, order.prices, rate))
        else:
            put(plan_view(plan, samples, order.prices, rate))
        _tell_plan(order, plan)
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


async def _sync(order: Order, collection: Collection, signals: Signals) -> int:
    """Carry out a sync, write and print its report."""
    kept_in = order.kept_in
    if order.apply is not None:
        job = bulk.apply_plan(collection, order.apply, state=kept_in, options=order.options)
    else:
        assert order.source is not None  # one of both is there
        job = bulk.sync(
            collection, order.source, state=kept_in, options=order.options, **order.settings
        )
    state = usual_state(collection.id).absolute() if isinstance(kept_in, Usual) else kept_in
    begins = _is_new(state)
    report = await _follow(job, order, signals)
    # The file first: whoever reads what is printed may leave, as `head` does.
    written = is_written(report, order.run, order.place, order.access, operation=None)
    code = _conclude(report, order, signals, job.position)
    if begins and not _is_new(state):
        words = "made of what is stored; " if report.seeded else ""
        say(f"the state is new: {state}; {words}the next sync needs it", order.output)
    return code if written else code or ExitCode.TROUBLE


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
                report = await job
            except BulkAborted as aborted:
                report = aborted.report
    return spoken.in_options(report)


def _conclude(
    report: SyncReport, order: Order, signals: Signals, position: tuple[int, int | None]
) -> int:
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
    if report.stop is not None and report.stage == _READING:
        done, total = position
        far = f" ({done / total:.0%} of it was)" if total else ""
        say(f"nothing was sent: the source was not read to its end{far}", output)
    if report.stop is Stop.ASKED:
        complain("stopped", report.stop_reason)
    elif report.stop is not None and report.stop is not Stop.SOURCE:
        complain("error", f"{report.stop.value}: {report.stop_reason}")
    if _is_to_be_resumed(report):
        again = "sync, or plan again" if order.apply else "run the same command again"
        say(f"{again}: it goes on from there", output)
    return signals.exit_code or int(report.exit_code)


def _is_to_be_resumed(report: SyncReport) -> bool:
    """Tell whether the same sync would find something left that it could do."""
    left = report.not_attempted + report.deletions_not_attempted + report.not_restored
    return bool(left + report.failed + report.deletions_failed) or report.stop is Stop.ASKED
