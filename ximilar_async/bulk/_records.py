"""Bulk runs that change or fetch records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ximilar_async.errors import ConfigError
from ximilar_async.sources import as_source
from ximilar_async.sources._resolve import check_records

from . import _operations
from ._engine import Engine
from ._job import Job
from ._options import Options
from ._replay import open_rejects

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from ximilar_async._collection import Collection
    from ximilar_async.sources import Ids, RecordMapping, Records

    from ._operations import Operation, Writing


def insert(collection: Collection, records: Records, *, options: Options | None = None) -> Job:
    """Insert any number of records and account for each of them.

    Args:
        collection: Where to.
        records: Records with an `_id` and an image: a list, an iterable (run in a thread of its
            own), an async iterable, the path of a JSONL file or of a folder of images.
        options: How the run is cut up and sent.

    Returns:
        A `Job`; awaiting it gives the `Report`.

    Raises:
        ConfigError: `records` is nothing of that kind.
        SourceError: there is no such file or folder.
        BulkAborted: (when awaited) the token is refused, the collection is full, the service is
            unreachable, or the source broke off; it carries the report.

    Example:
        records = ({"_id": f"g{n}", "_url": f"https://example.com/{n}.jpg"} for n in range(25))
        report = await bulk.insert(shoes, records)
        print(report.inserted, report.already_present)

    Documented in: Visual Search, Insert ("max 10 records per request").
    """
    return start(_operations.insert(), collection, records, options)


def near_dups_insert(
    collection: Collection,
    records: Records,
    *,
    radius: float | None = None,
    options: Options | None = None,
) -> Job:
    """Insert any number of records unless their image is nearly one that is stored.

    Requests under way at once cannot see each other, so two near-duplicates of the same catalog may
    both be stored; `Options(near_dup_order="strict")` rules that out at the price of one request at
    a time, and `"grouped"` does so within groups of records, such as those of one product.

    Args:
        collection: Where to.
        records: As for `insert`.
        radius: Largest distance of a near-duplicate; None for the service's default (5.0).
        options: How the run is cut up and sent.

    Returns:
        A `Job`; awaiting it gives the `Report`.

    Raises:
        ConfigError: `records` is nothing of that kind.
        SourceError: there is no such file or folder.
        BulkAborted: (when awaited) as for `insert`.

    Example:
        records = [{"_id": "n1", "_url": "https://example.com/n1.jpg"}]
        report = await bulk.near_dups_insert(shoes, records, radius=5.0)
        print(report.near_duplicate)

    Documented in: Visual Search, Near Duplicates Insert.
    """
    return start(_operations.near_dups_insert(radius), collection, records, options)


def update(collection: Collection, records: Records, *, options: Options | None = None) -> Job:
    """Change fields of any number of stored records and account for each of them.

    None removes a field; images cannot be changed this way.

    Args:
        collection: Where.
        records: Records with an `_id` and the fields to change; as for `insert`.
        options: How the run is cut up and sent.

    Returns:
        A `Job`; awaiting it gives the `Report`.

    Raises:
        ConfigError: `records` is nothing of that kind.
        SourceError: there is no such file or folder.
        BulkAborted: (when awaited) as for `insert`.

    Example:
        report = await bulk.update(shoes, [{"_id": "1", "price": 75}, {"_id": "unknown"}])
        print(report.updated, report.not_found)

    Documented in: Visual Search, Update.
    """
    return start(_operations.update(), collection, records, options)


def delete(collection: Collection, ids: Ids, *, options: Options | None = None) -> Job:
    """Delete any number of records by their ids and account for each of them.

    After a lost answer a record that is gone counts as deleted: nobody can tell any more whether it
    was there; the result's reason says so.

    Args:
        collection: Where.
        ids: Ids, or records with an `_id` (nothing else of them is sent); as for `insert`.
        options: How the run is cut up and sent.

    Returns:
        A `Job`; awaiting it gives the `Report`.

    Raises:
        ConfigError: `ids` is nothing of that kind.
        SourceError: there is no such file or folder.
        BulkAborted: (when awaited) as for `insert`.

    Example:
        report = await bulk.delete(shoes, ["2", "unknown"])
        print(report.deleted, report.not_found)

    Documented in: Visual Search, Delete.
    """
    return start(_operations.delete(), collection, ids, options)


def get(
    collection: Collection,
    ids: Ids,
    *,
    fields_to_return: Sequence[str] | None = None,
    options: Options | None = None,
) -> Job:
    """Fetch any number of records by their ids; each result's `answer` is the stored record.

    Args:
        collection: Where from.
        ids: Ids, or records with an `_id`; as for `insert`.
        fields_to_return: Fields of the records; the service's default is ["*"].
        options: How the run is cut up and sent; `on_result` receives the records.

    Returns:
        A `Job`; awaiting it gives the `Report`.

    Raises:
        ConfigError: `ids` is nothing of that kind.
        SourceError: there is no such file or folder.
        BulkAborted: (when awaited) as for `insert`.

    Example:
        options = bulk.Options(on_result=lambda result: print(result.id, result.answer))
        report = await bulk.get(shoes, ["1", "3", "unknown"], options=options)
        print(report.found, report.not_found)

    Documented in: Visual Search, Get.
    """
    return start(_operations.get(fields_to_return), collection, ids, options)


def replay(
    collection: Collection,
    rejects: str | PathLike[str],
    *,
    operation: Writing = "insert",
    radius: float | None = None,
    everything: bool = False,
    origin: Records | None = None,
    mapping: RecordMapping | None = None,
    options: Options | None = None,
) -> Job:
    """Send the records of a rejects file once more.

    Args:
        collection: Where to.
        rejects: The file that `Options.rejects` named.
        operation: What to do with the records.
        radius: Largest distance of a near-duplicate, for near_dups_insert.
        everything: Also send records that will hardly end otherwise, such as those without an
            image; by default only those that failed or found no room.
        origin: Where the records came from, for those that are not in the file because they are
            large or no JSON, and for what was mended there.
        mapping: What makes records of the rows that an earlier mapping did not take; a source with
            a mapping of its own is `origin`.
        options: How the run is cut up and sent.

    Returns:
        A `Job`; awaiting it gives the `Report`.

    Raises:
        SourceError: there is no such file, or it is no rejects file.
        ConfigError: `options.rejects` is the same file, there is no such operation, or it has no
            radius.
        BulkAborted: (when awaited) as for `insert`.

    Example:
        options = bulk.Options(rejects="rejects.jsonl")
        await bulk.insert(shoes, [{"_id": "no image"}], options=options)
        report = await bulk.replay(shoes, "rejects.jsonl")
        print(report.read)
    """
    chosen = _operations.writing(operation, radius)
    options = options or Options()
    if options.rejects is not None and _same_file(options.rejects, rejects):
        raise ConfigError(
            f"the rejects of a replay cannot go to the file that is replayed, {options.rejects}; "
            "name another one"
        )
    source = open_rejects(
        rejects,
        everything=everything,
        origin=None if origin is None else as_source(origin),
        mapping=mapping,
        takes_mended=operation != "delete",
        files_root=options.files_root,
    )
    return Job(Engine(chosen, collection, source, options))


def _same_file(one: Path, other: str | PathLike[str]) -> bool:
    return one.exists() and Path(other).exists() and one.samefile(other)


def start(
    operation: Operation,
    collection: Collection,
    records: Records | Ids,
    options: Options | None,
) -> Job:
    """Return the job of an operation on records; it starts when it is awaited or entered.

    Args:
        operation: What to do.
        collection: Where.
        records: With what.
        options: How; None for the usual way.

    Raises:
        ConfigError: `records` is nothing that holds records.
        SourceError: there is no such file or folder.
    """
    if not (operation.only_id or operation.one_query):
        check_records(records)
    return Job(Engine(operation, collection, as_source(records), options or Options()))
