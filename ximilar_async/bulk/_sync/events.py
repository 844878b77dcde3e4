"""What a sync tells loggers and whoever watches the client; see docs/logging.md."""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from ximilar_async._logging import SYNC_END, SYNC_PLAN, SYNC_START, plain
from ximilar_async.bulk._report import Stop
from ximilar_async.errors import ConfigError, SourceError, StateError, SyncRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ximilar_async._collection import Collection
    from ximilar_async._observer import RunObserver

    from .planning import Prepared
    from .report import SyncReport


@contextmanager
def watching(collection: Collection, mode: str, report: Callable[[], SyncReport]) -> Iterator[None]:
    """Have a sync watched, and tell of its start and end.

    Args:
        collection: Where.
        mode: How far it goes.
        report: Returns its report.
    """
    observer = collection.observer
    run = None if observer is None else observer.run("sync", collection.service, collection.id)
    SYNC_START.tell(collection=collection.id, mode=mode)
    with run or nullcontext() as observed:
        failure: BaseException | None = None
        try:
            yield
        except BaseException as error:
            failure = error
            raise
        finally:
            _ended(collection.id, report(), failure, observed)


def planned(collection: str, prepared: Prepared) -> None:
    """Tell what is to be done."""
    SYNC_PLAN.tell(
        collection=collection,
        read=prepared.read,
        unchanged=prepared.unchanged,
        tasks={action.value: count for action, count in prepared.tasks.items()},
    )


def _summary(report: SyncReport, failure: BaseException | None) -> str:
    """Return what became of a sync in a line; what was refused has nothing to count."""
    if isinstance(failure, (ConfigError, SourceError, StateError, SyncRefusedError)):
        return f"{report.mode}: nothing was done: {failure}"
    return report.summary()


def _ended(
    collection: str,
    report: SyncReport,
    failure: BaseException | None,
    observed: RunObserver | None,
) -> None:
    good = failure is None and (report.ok or report.stop is Stop.ASKED)
    level = logging.INFO if good else logging.WARNING
    stop = "" if report.stop is None else report.stop.value
    SYNC_END.tell(
        level,
        collection=collection,
        mode=report.mode,
        summary=plain(_summary(report, failure)),
        requests=report.requests,
        retries=report.retries,
        seconds=report.elapsed,
        stop=stop or None,
        error=None if failure is None else type(failure).__name__,
        reason=None if failure is None else plain(failure),
    )
    if observed is not None:
        counted = ("read", "unchanged", "requests", "retries")
        observed.ended({name: getattr(report, name) for name in counted}, stop=stop)
