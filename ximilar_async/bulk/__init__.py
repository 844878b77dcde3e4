"""Bring whole catalogs into a collection, and know what became of every record.

`insert`, `near_dups_insert`, `update`, `delete` and `get` take a list, an iterable, an async
iterable, the path of a JSONL file or of a folder of images; they cut it into requests of 10
records, keep several under way within the client's limits, and return a `Report` whose counts sum
to the records read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ximilar_async.sources import as_source

from . import _operations
from ._engine import Engine
from ._job import Job
from ._options import Options
from ._outcomes import Outcome, Result
from ._report import ExitCode, Report, Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ximilar_async._collection import Collection
    from ximilar_async.sources import Ids, Records

    from ._operations import Operation

__all__ = [
    "ExitCode",
    "Job",
    "Options",
    "Outcome",
    "Report",
    "Result",
    "Stop",
    "delete",
    "get",
    "insert",
    "near_dups_insert",
    "update",
]


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
    return _job(_operations.insert(), collection, records, options)


def near_dups_insert(
    collection: Collection,
    records: Records,
    *,
    radius: float | None = None,
    options: Options | None = None,
) -> Job:
    """Insert any number of records unless their image is nearly one that is stored.

    Requests under way at once cannot see each other, so two near-duplicates of the same catalog may
    both be stored; with `Options(workers=1)` they cannot.

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
    return _job(_operations.near_dups_insert(radius), collection, records, options)


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
    return _job(_operations.update(), collection, records, options)


def delete(collection: Collection, ids: Ids, *, options: Options | None = None) -> Job:
    """Delete any number of records by their ids and account for each of them.

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
    return _job(_operations.delete(), collection, ids, options)


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
    return _job(_operations.get(fields_to_return), collection, ids, options)


def _job(
    operation: Operation,
    collection: Collection,
    records: Records | Ids,
    options: Options | None,
) -> Job:
    return Job(Engine(operation, collection, as_source(records), options or Options()))
