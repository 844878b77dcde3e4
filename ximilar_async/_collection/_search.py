"""Methods that search the collection by image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ximilar_async import _endpoints as endpoints
from ximilar_async.errors import ConfigError

from ._base import CollectionBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ximilar_async._models import Answer, Record, SearchAnswer

    from ._base import Fields, Filter


class SearchMethods(CollectionBase):
    """visual_knn and its siblings, range, near_duplicates, all_near_dup_pairs."""

    async def visual_knn(
        self,
        query_record: Record,
        *,
        k: int | None = None,
        skip: int | None = None,
        fields_to_return: Fields | None = None,
        filter: Filter | None = None,
        product_field: str | None = None,
        cand_set_size: int | None = None,
    ) -> SearchAnswer:
        """Find the `k` stored images most like the query, nearest first (k-NN).

        Args:
            query_record: A stored record's `_id`, or an image.
            k: Number of records to return; the service's default is 30 (one page says 20).
            skip: Records to leave out at the start (the field `from`); the service's default is 0.
            fields_to_return: Fields of the answer's records; the service's default is ["_id"].
            filter: Search only records that match it.
            product_field: Field whose values must differ: one record a product.
            cand_set_size: Internal to the service; leave it out.

        Raises:
            RecordError: the query has neither `_id` nor usable image.

        Example:
            answer = await shoes.visual_knn({"_id": "1"}, k=3, filter={"price": {"$lt": 90}})
            for match in answer.matches:
                print(match.id, match.distance)

        Documented in: Visual Search, Visual KNN.
        """
        return await self._call(
            endpoints.VISUAL_KNN,
            {
                "query_record": query_record,
                "k": k,
                "from": skip,
                "fields_to_return": fields_to_return,
                "filter": filter,
                "product_field": product_field,
                "cand_set_size": cand_set_size,
            },
        )

    async def visual_tags_knn(
        self,
        query_record: Record,
        *,
        k: int | None = None,
        skip: int | None = None,
        fields_to_return: Fields | None = None,
        filter: Filter | None = None,
        product_field: str | None = None,
        cand_set_size: int | None = None,
    ) -> SearchAnswer:
        """Find the `k` stored records most like the query in image and tags together.

        Args:
            query_record: A stored record's `_id`, or an image; with the service's tags field
                (`tags` for photos, `_tags_simple` for products and fashion, `_tags` for custom).
            k: Number of records to return; the service's default is 30 (one page says 20).
            skip: Records to leave out at the start (the field `from`); the service's default is 0.
            fields_to_return: Fields of the answer's records; the service's default is ["_id"].
            filter: Search only records that match it.
            product_field: Field whose values must differ: one record a product.
            cand_set_size: Internal to the service; leave it out.

        Raises:
            RecordError: the query has neither `_id` nor usable image.

        Example:
            query = {"_id": "1", "_tags_simple": ["boot", "leather"]}
            print((await shoes.visual_tags_knn(query, k=3)).matches)

        Documented in: Visual Search, Visual Tags KNN.
        """
        return await self._call(
            endpoints.VISUAL_TAGS_KNN,
            {
                "query_record": query_record,
                "k": k,
                "from": skip,
                "fields_to_return": fields_to_return,
                "filter": filter,
                "product_field": product_field,
                "cand_set_size": cand_set_size,
            },
        )

    async def visual_knn_multi(
        self,
        query_records: Sequence[Record],
        *,
        k: int | None = None,
        skip: int | None = None,
        fields_to_return: Fields | None = None,
        filter: Filter | None = None,
        cand_set_size: int | None = None,
    ) -> SearchAnswer:
        """Find the `k` stored images most like several queries at once.

        Args:
            query_records: Stored records' `_id`s, or images.
            k: Number of records to return; the service's default is 30 (one page says 20).
            skip: Records to leave out at the start (the field `from`); the service's default is 0.
            fields_to_return: Fields of the answer's records; the service's default is ["_id"].
            filter: Search only records that match it.
            cand_set_size: Internal to the service; leave it out.

        Raises:
            RecordError: a query has neither `_id` nor usable image.

        Example:
            answer = await shoes.visual_knn_multi([{"_id": "1"}, {"_id": "2"}], k=3)
            print(answer.matches)

        Documented in: Visual Search, Visual KNN Multi.
        """
        return await self._call(
            endpoints.VISUAL_KNN_MULTI,
            {
                "query_records": query_records,
                "k": k,
                "from": skip,
                "fields_to_return": fields_to_return,
                "filter": filter,
                "cand_set_size": cand_set_size,
            },
        )

    async def visual_tags_knn_multi(
        self,
        query_records: Sequence[Record],
        *,
        k: int | None = None,
        skip: int | None = None,
        fields_to_return: Fields | None = None,
        filter: Filter | None = None,
        cand_set_size: int | None = None,
    ) -> SearchAnswer:
        """Find the `k` stored records most like several queries in image and tags together.

        Args:
            query_records: Stored records' `_id`s, or images; each with the service's tags field
                (see `visual_tags_knn`).
            k: Number of records to return; the service's default is 30 (one page says 20).
            skip: Records to leave out at the start (the field `from`); the service's default is 0.
            fields_to_return: Fields of the answer's records; the service's default is ["_id"].
            filter: Search only records that match it.
            cand_set_size: Internal to the service; leave it out.

        Raises:
            RecordError: a query has neither `_id` nor usable image.

        Example:
            queries = [{"_id": "1", "_tags_simple": ["boot"]}, {"_id": "2"}]
            print((await shoes.visual_tags_knn_multi(queries, k=3)).matches)

        Documented in: Visual Search, Visual Tags KNN Multi.
        """
        return await self._call(
            endpoints.VISUAL_TAGS_KNN_MULTI,
            {
                "query_records": query_records,
                "k": k,
                "from": skip,
                "fields_to_return": fields_to_return,
                "filter": filter,
                "cand_set_size": cand_set_size,
            },
        )

    async def range(
        self,
        query_record: Record,
        *,
        radius: float,
        fields_to_return: Fields | None = None,
        filter: Filter | None = None,
        product_field: str | None = None,
        cand_set_size: int | None = None,
    ) -> SearchAnswer:
        """Find the stored images within a distance of the query; approximate on the service.

        Args:
            query_record: A stored record's `_id`, or an image.
            radius: Largest distance of a record that is returned.
            fields_to_return: Fields of the answer's records; the service's default is ["_id"].
            filter: Search only records that match it.
            product_field: Field whose values must differ: one record a product.
            cand_set_size: Internal to the service; leave it out.

        Raises:
            RecordError: the query has neither `_id` nor usable image.

        Example:
            answer = await shoes.range({"_id": "1"}, radius=40)
            print(answer.matches)

        Documented in: Visual Search, Range.
        """
        return await self._call(
            endpoints.RANGE,
            {
                "query_record": query_record,
                "radius": radius,
                "fields_to_return": fields_to_return,
                "filter": filter,
                "product_field": product_field,
                "cand_set_size": cand_set_size,
            },
        )

    async def near_duplicates(
        self,
        query_record: Record,
        *,
        radius: float | None = None,
        fields_to_return: Fields | None = None,
        filter: Filter | None = None,
        cand_set_size: int | None = None,
    ) -> SearchAnswer:
        """Find the stored images that are the same as the query, or nearly so.

        Args:
            query_record: A stored record's `_id`, or an image.
            radius: Largest distance of a near-duplicate; the service's default is 5.0.
            fields_to_return: Fields of the answer's records; the service's default is ["*"].
            filter: Search only records that match it.
            cand_set_size: Internal to the service; leave it out.

        Raises:
            RecordError: the query has neither `_id` nor usable image.

        Example:
            answer = await shoes.near_duplicates({"_id": "1"}, fields_to_return=["_id"])
            print([match.id for match in answer.matches])

        Documented in: Visual Search, Near Duplicates.
        """
        return await self._call(
            endpoints.NEAR_DUPLICATES,
            {
                "query_record": query_record,
                "radius": radius,
                "fields_to_return": fields_to_return,
                "filter": filter,
                "cand_set_size": cand_set_size,
            },
        )

    async def all_near_dup_pairs(
        self,
        *,
        radius: float | None = None,
        filter: Filter | None = None,
        fields_to_return: Fields | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Find all pairs of stored images that are nearly the same; read the answer's `raw`.

        The documents name this method without describing it, so the answer is handed on as it
        comes and any further field may be sent.

        Args:
            radius: Largest distance of a near-duplicate.
            filter: Look only at records that match it.
            fields_to_return: Fields of the answer's records.
            extra: Any further fields of the request.

        Example:
            print((await shoes.all_near_dup_pairs(radius=5.0)).raw)

        Documented in: Visual Search, Available Methods (the name only).
        """
        if extra is not None and not isinstance(extra, Mapping):
            raise ConfigError(f"extra takes a dict of fields, not {type(extra).__name__}")
        return await self._call(
            endpoints.ALL_NEAR_DUP_PAIRS,
            {
                "radius": radius,
                "filter": filter,
                "fields_to_return": fields_to_return,
                **({} if extra is None else extra),
            },
        )
