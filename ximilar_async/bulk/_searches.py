"""Bulk runs that make each record a query of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ximilar_async import _endpoints as endpoints

from . import _operations
from ._records import start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ximilar_async._collection import Collection
    from ximilar_async._collection._base import Filter
    from ximilar_async.sources import Ids

    from ._job import Job
    from ._options import Options


def visual_knn(
    collection: Collection,
    queries: Ids,
    *,
    k: int | None = None,
    fields_to_return: Sequence[str] | None = None,
    filter: Filter | None = None,
    product_field: str | None = None,
    options: Options | None = None,
) -> Job:
    """Find the `k` stored images most like each of any number of queries, such as a whole catalog.

    Each query is a request of its own; each result's `answer` is the `SearchAnswer`.

    Args:
        collection: Where.
        queries: Ids of stored records, or records with an `_id` or an image (nothing else of them
            is sent); as for `insert`.
        k: Number of records for each query; the service's default is 30 (one page says 20).
        fields_to_return: Fields of the found records; the service's default is ["_id"].
        filter: Search only records that match it.
        product_field: Field whose values must differ: one record a product.
        options: How the run is sent; `on_result` receives the answers.

    Returns:
        A `Job`; awaiting it gives the `Report`: `found` queries have an answer.

    Raises:
        ConfigError: `queries` is nothing of that kind.
        SourceError: there is no such file or folder.
        BulkAborted: (when awaited) as for `insert`.

    Example:
        job = bulk.visual_knn(shoes, ["1", "3", "unknown"], k=3)
        async for result in job.results():
            if result.outcome is bulk.Outcome.FOUND:
                print(result.id, [match.id for match in result.answer.matches])
        print((await job).not_found)

    Documented in: Visual Search, Visual KNN.
    """
    fields = {
        "k": k,
        "fields_to_return": fields_to_return,
        "filter": filter,
        "product_field": product_field,
    }
    operation = _operations.search("visual_knn", endpoints.VISUAL_KNN, fields)
    return start(operation, collection, queries, options)


def near_duplicates(
    collection: Collection,
    queries: Ids,
    *,
    radius: float | None = None,
    fields_to_return: Sequence[str] | None = None,
    filter: Filter | None = None,
    options: Options | None = None,
) -> Job:
    """Find the stored images that are nearly the same as each of any number of queries.

    Each query is a request of its own; each result's `answer` is the `SearchAnswer`. A stored
    record finds itself too.

    Args:
        collection: Where.
        queries: As for `visual_knn`.
        radius: Largest distance of a near-duplicate; the service's default is 5.0.
        fields_to_return: Fields of the found records; the service's default is ["*"].
        filter: Search only records that match it.
        options: How the run is sent; `on_result` receives the answers.

    Returns:
        A `Job`; awaiting it gives the `Report`: `found` queries have an answer.

    Raises:
        ConfigError: `queries` is nothing of that kind.
        SourceError: there is no such file or folder.
        BulkAborted: (when awaited) as for `insert`.

    Example:
        async for result in bulk.near_duplicates(shoes, ["1", "3"], radius=5.0).results():
            print(result.id, [match.id for match in result.answer.matches])

    Documented in: Visual Search, Near Duplicates.
    """
    fields = {"radius": radius, "fields_to_return": fields_to_return, "filter": filter}
    operation = _operations.search("near_duplicates", endpoints.NEAR_DUPLICATES, fields)
    return start(operation, collection, queries, options)
