"""`sync`, `plan_sync` and `apply_plan`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ximilar_async.bulk._options import Options, check_call
from ximilar_async.errors import BulkAborted, SourceError, SyncRefusedError
from ximilar_async.sources import MappedSource, as_source
from ximilar_async.sources._fingerprint import fingerprint_of
from ximilar_async.sources._resolve import check_records

from .course import Course, StoppedError
from .execute import slice_size
from .job import SyncJob
from .missing import forget_missing
from .moved import refuse_moved, refuse_other_photos
from .plan import plan_of
from .plan_file import read_plan, take_numbers
from .planning import opened, plan
from .running import Sync, sent_so_far
from .terms import Terms
from .usual import USUAL, Usual, usual_state

if TYPE_CHECKING:
    from os import PathLike

    from ximilar_async._collection import Collection
    from ximilar_async.sources import RecordMapping, Records, Source

    from .difference import Mode
    from .plan import SyncPlan
    from .planning import Prepared


def sync(
    collection: Collection,
    source: Records,
    *,
    mode: Mode = "upsert",
    state: str | PathLike[str] | Usual | None = USUAL,
    mapping: RecordMapping | None = None,
    near_dups: bool = False,
    radius: float | None = None,
    version_field: str | None = None,
    max_deletions: float | str = "5%",
    allow_delete: bool = False,
    allow_new_catalog: bool = False,
    allow_lost_fields: bool = False,
    remote_field: str = "ximilar_async_sync",
    options: Options | None = None,
) -> SyncJob:
    """Bring a collection in line with a catalog by the fewest requests, or refuse to.

    New records are inserted. Where metadata changed, the record is updated, fields that went away
    removed; where the image changed, it is deleted and inserted, in slices, each record written
    down before, so that a crash between the two is mended by the next sync. What is gone is deleted
    last, and only if the source was read to its end. Started again after any end it goes on where
    it was; run twice, the second run sends no write.

    A first sync with a local state reads a collection that is not empty page by page. What image is
    stored is then known only of records with a `_url`; the others keep theirs
    (`SyncReport.images_unknown`).

    Args:
        collection: Which collection.
        source: The whole catalog; as for `insert`.
        mode: "insert" brings in new records only, "upsert" changes others too, "mirror" also
            deletes stored records that the catalog does not have.
        state: Where it is kept what is stored: a file, of this collection alone and used by one
            process at a time. Where none is named, that is `ximilar-COLLECTION.state` in the
            current folder, which is begun for an empty collection only: a job that runs in another
            folder one day is refused. "remote" for a field of the records themselves, so that a
            fresh machine knows it as well; None reads the whole collection each time, and then
            knows of images no more than their `_url`. Only a file keeps what is being replaced:
            with the others, what a crash or `abort` left deleted is inserted by the next sync if
            the catalog still has it, and else is lost. A file of the name "remote" is given as a
            `Path`.
        mapping: What becomes of the source's columns.
        near_dups: Whether new records are left out if their image is nearly stored already; each is
            tried again when what it is like is deleted or replaced, or this or `radius` changes.
        radius: Largest distance of a near-duplicate; None for the service's default (5.0).
        version_field: Field that changes with the image behind a `_url`, such as its ETag. An
            image counts as changed if its version is known from before, by the same field.
        max_deletions: How much may be deleted unasked: a share ("5%", 0.05) of what is stored, or a
            number of records.
        allow_delete: Whether any number may be deleted.
        allow_new_catalog: Whether a source may have no `_id` in common with what is stored.
        allow_lost_fields: Whether a field may go away in most of what is stored.
        remote_field: Name of the field with state="remote".
        options: How the bulk runs are sent; `on_result` and `rejects` are told of every record that
            was sent or turned away, `progress` of the bulk run under way; `fields` are all that
            counts of a record: others are not sent, and stay where they are stored. `journal`,
            `dry_run`, `max_records` and exact attribution are not for a sync.

    Returns:
        A `SyncJob`; awaiting it gives the `SyncReport`.

    Raises:
        ConfigError: a setting cannot work.
        SourceError: there is no such file or folder; (when awaited) nothing of it can be read.
        SyncRefusedError: (when awaited) nobody can have meant it: an empty source, no common ids,
            too many deletions, a column that is lost; nothing was sent, and the message says what
            to do.
        StateError: (when awaited) the state is in use, of another collection, newer or damaged.
        BulkAborted: (when awaited) as for `insert`; it carries the `SyncReport`.

    Example:
        catalog = [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(1, 6)]
        report = await bulk.sync(shoes, catalog, mode="mirror", state="shoes.db")
        print(report.summary())
        report = await bulk.sync(shoes, catalog, mode="mirror", state="shoes.db")
        print(report.unchanged, report.exit_code)
    """
    terms = Terms(
        mode=mode,
        **_state_of(collection, state),
        near_dups=near_dups,
        radius=radius,
        version_field=version_field,
        ceiling=max_deletions,
        allow_delete=allow_delete,
        allow_new_catalog=allow_new_catalog,
        allow_lost_fields=allow_lost_fields,
        remote_field=remote_field,
        options=options or Options(),
    )
    opened_source = _opened_source(source, mapping)
    course = _course(collection, terms, opened_source)

    async def fill(prepared: Prepared, course: Course) -> None:
        await course.read(forget_missing(prepared, course))
        await plan(opened_source, prepared, course)

    return SyncJob(Sync(terms, course, fill))


async def plan_sync(
    collection: Collection,
    source: Records,
    *,
    mode: Mode = "upsert",
    state: str | PathLike[str] | Usual | None = USUAL,
    mapping: RecordMapping | None = None,
    near_dups: bool = False,
    radius: float | None = None,
    version_field: str | None = None,
    max_deletions: float | str = "5%",
    allow_delete: bool = False,
    allow_new_catalog: bool = False,
    allow_lost_fields: bool = False,
    remote_field: str = "ximilar_async_sync",
    options: Options | None = None,
) -> SyncPlan:
    """Find out what `sync` would do, and do nothing of it.

    The source is read and the state asked; the collection is asked for its number of records, and
    for what the state does not know. State and collection stay as they are.

    Args:
        collection: As for `sync`, like everything else.
        source: The whole catalog.
        mode: "insert", "upsert" or "mirror".
        state: Where it is kept what is stored; where none is named, as for `sync`.
        mapping: What becomes of the source's columns.
        near_dups: Whether near-duplicates are left out; which, only the sync will show.
        radius: Largest distance of a near-duplicate.
        version_field: Field that changes with the image behind a `_url`.
        max_deletions: How much may be deleted unasked.
        allow_delete: Whether any number may be deleted.
        allow_new_catalog: Whether a source may have no `_id` in common with what is stored.
        allow_lost_fields: Whether a field may go away in most of what is stored.
        remote_field: Name of the field with state="remote".
        options: How look-ups are sent; the plan keeps `fields` and the order of near-duplicates.

    Returns:
        The plan: counts, samples, requests, estimates; `write` makes a file for `apply_plan`.

    Raises:
        ConfigError: a setting cannot work.
        SourceError: there is no such file or folder, or nothing of it can be read.
        SyncRefusedError: the sync would be refused.
        StateError: the state cannot be used.
        BulkAborted: a look into the collection had to stop, or `deadline` passed.

    Example:
        catalog = [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(1, 9)]
        plan = await bulk.plan_sync(shoes, catalog, mode="mirror", state="shoes.db")
        print(plan.insert, plan.requests, plan.seconds(rate=10), plan.credits({"insert": 10}))
        plan.write("shoes.plan")
    """
    terms = Terms(
        mode=mode,
        **_state_of(collection, state),
        near_dups=near_dups,
        radius=radius,
        version_field=version_field,
        ceiling=max_deletions,
        allow_delete=allow_delete,
        allow_new_catalog=allow_new_catalog,
        allow_lost_fields=allow_lost_fields,
        remote_field=remote_field,
        options=options or Options(),
    )
    opened_source = _opened_source(source, mapping)
    course = _course(collection, terms, opened_source)
    try:
        prepared = await _planned(terms, course, opened_source)
    except StoppedError:
        report = sent_so_far(terms, course)
        raise BulkAborted(f"no plan was made: {course.stop_reason}", report) from None
    size = slice_size(terms.options.batch_size, collection.slots)
    return plan_of(prepared, collection.id, collection.service, size)


async def _planned(terms: Terms, course: Course, source: Source) -> Prepared:
    prepared = await opened(terms, course, dry_run=True)
    try:
        await plan(source, prepared, course)
        prepared.fingerprint = await asyncio.to_thread(_fingerprint, source)
    except BaseException:
        prepared.work.close()
        raise
    finally:
        prepared.state.close()
    return prepared


def apply_plan(
    collection: Collection,
    path: str | PathLike[str],
    *,
    state: str | PathLike[str] | Usual | None = USUAL,
    options: Options | None = None,
) -> SyncJob:
    """Carry out a plan that `SyncPlan.write` wrote: just that, and only if nothing has moved since.

    The state must be what it was, and the collection must have as many records as it had. That
    somebody else changed a record shows only without a state file, where each is read again.
    Photos in files must be those that they were: one whose size or time changed is read.

    Args:
        collection: The collection that it was made for.
        path: The plan.
        state: The state that it was made with; where none is named, as for `sync`.
        options: How the bulk runs are sent. The plan's `fields` hold, and the order in which it was
            to find near-duplicates, unless another is named here.

    Returns:
        A `SyncJob`; awaiting it gives the `SyncReport`.

    Raises:
        ConfigError: a setting cannot work, or the plan cannot be read.
        SyncRefusedError: (when awaited) the plan is torn, edited, of another collection, or the
            state or the collection has moved since it was made; nothing was sent.
        StateError: (when awaited) the state cannot be used.
        BulkAborted: (when awaited) as for `sync`.

    Example:
        catalog = [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(1, 9)]
        plan = await bulk.plan_sync(shoes, catalog, state="shoes.db")
        plan.write("shoes.plan")
        report = await bulk.apply_plan(shoes, "shoes.plan", state="shoes.db")
        print(report.summary())
    """
    header = read_plan(path, None)
    facts = header.facts
    given = options or Options()
    check_call(collection, given)
    chosen = header.sent_as_planned(given)
    terms = Terms(
        mode=facts["mode"],
        **_state_of(collection, state),
        applies=True,
        near_dups=facts["near_dups"],
        radius=facts["radius"],
        version_field=facts["version_field"],
        remote_field=facts["remote_field"],
        allow_delete=True,
        options=chosen,
    )
    header.refuse_others(collection.id, collection.service)
    if terms.remote != facts["remote"]:
        raise SyncRefusedError('the plan was made with another state: name it (state="remote"?)')
    root = chosen.files_root or facts["files_root"]
    course = Course(collection, chosen, None if root is None else Path(root))

    async def fill(prepared: Prepared, course: Course) -> None:
        await asyncio.to_thread(read_plan, path, prepared.work)
        take_numbers(header, prepared)
        prepared.root = course.root
        await asyncio.to_thread(refuse_moved, prepared, facts)
        await asyncio.to_thread(refuse_other_photos, prepared, course)
        prepared.count()
        course.check()

    return SyncJob(Sync(terms, course, fill))


def _state_of(collection: Collection, state: str | PathLike[str] | Usual | None) -> dict[str, Any]:
    """Return the terms about the state, whether somebody named it or not."""
    if isinstance(state, Usual):
        return {"state": usual_state(collection.id).absolute(), "lost_unless_empty": True}
    return {"state": state}


def _opened_source(source: Records, mapping: RecordMapping | None) -> Source:
    check_records(source)
    opened_source = as_source(source)
    return opened_source if mapping is None else MappedSource(opened_source, mapping)


def _course(collection: Collection, terms: Terms, source: Source) -> Course:
    check_call(collection, terms.options)
    root = terms.options.files_root or collection.files_root or source.files_root
    return Course(collection, terms.options, root)


def _fingerprint(source: Source) -> str | None:
    try:
        return fingerprint_of(source)
    except SourceError:
        return None
