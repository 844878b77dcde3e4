"""Methods that order given records by likeness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ximilar_async import _endpoints as endpoints

from ._base import CollectionBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ximilar_async._models import Record, SearchAnswer

    from ._base import Fields


class RankingMethods(CollectionBase):
    """visual_rank_records, visual_tags_rank_records."""

    async def visual_rank_records(
        self,
        query_record: Record,
        records: Sequence[Record],
        *,
        k: int | None = None,
        radius: float | None = None,
        fields_to_return: Fields | None = None,
    ) -> SearchAnswer:
        """Order the given records by likeness to the query; those not found are in `skipped`.

        Args:
            query_record: A stored record's `_id`, or an image.
            records: Records to rank: stored ones by `_id`, or images.
            k: Number of records to return; the service's default is all.
            radius: Largest distance of a record that is returned.
            fields_to_return: Fields of the answer's records; the service's default is ["_id",
                "_url", "_file"].

        Raises:
            RecordError: the query has neither `_id` nor usable image.

        Example:
            answer = await shoes.visual_rank_records({"_id": "1"}, [{"_id": "2"}, {"_id": "3"}])
            print(answer.matches)

        Documented in: Visual Search, Visual Rank Records.
        """
        return await self._call(
            endpoints.VISUAL_RANK_RECORDS,
            {
                "query_record": query_record,
                "records": records,
                "k": k,
                "radius": radius,
                "fields_to_return": fields_to_return,
            },
        )

    async def visual_tags_rank_records(
        self,
        query_record: Record,
        records: Sequence[Record],
        *,
        k: int | None = None,
        radius: float | None = None,
        fields_to_return: Fields | None = None,
    ) -> SearchAnswer:
        """Order the given records by likeness to the query in image and tags together.

        Args:
            query_record: A stored record's `_id`, or an image; with the service's tags field
                (`tags` for photos, `_tags_simple` for products and fashion, `_tags` for custom).
            records: Records to rank: stored ones by `_id`, or images.
            k: Number of records to return; the service's default is all.
            radius: Largest distance of a record that is returned.
            fields_to_return: Fields of the answer's records; the service's default is ["_id",
                "_url", "_file"].

        Raises:
            RecordError: the query has neither `_id` nor usable image.

        Example:
            query = {"_id": "1", "_tags_simple": ["boot"]}
            answer = await shoes.visual_tags_rank_records(query, [{"_id": "2"}, {"_id": "3"}])
            print(answer.matches)

        Documented in: Visual Search, Visual Tags Rank Records.
        """
        return await self._call(
            endpoints.VISUAL_TAGS_RANK_RECORDS,
            {
                "query_record": query_record,
                "records": records,
                "k": k,
                "radius": radius,
                "fields_to_return": fields_to_return,
            },
        )
