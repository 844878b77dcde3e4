"""Methods about the collection as a whole: state, listing, drawing, finding by fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ximilar_async import _endpoints as endpoints
from ximilar_async._validation import check_whole

from ._base import CollectionBase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ximilar_async._models import CountAnswer, PageAnswer, PingAnswer, Record, RecordsAnswer

    from ._base import Fields, Filter


class ListingMethods(CollectionBase):
    """ping, find, random, get_record_count, all_records, iter_records."""

    async def ping(self) -> PingAnswer:
        """Tell whether the service is there, and what index runs in it.

        Example:
            print((await shoes.ping()).info)

        Documented in: Visual Search, Ping.
        """
        return await self._call(endpoints.PING)

    async def find(
        self,
        filter: Filter,
        *,
        limit: int | None = None,
        fields_to_return: Fields | None = None,
    ) -> RecordsAnswer:
        """Find records by their fields, without any image; it cannot page.

        For more than a handful use `iter_records(filter=…)`.

        Args:
            filter: The condition.
            limit: Most records to return; the service's default is 10.
            fields_to_return: Fields of the answer's records; the service's default is ["*"].

        Example:
            answer = await shoes.find({"price": {"$gte": 50}}, limit=3)
            print(answer.records)

        Documented in: Visual Search, Find.
        """
        return await self._call(
            endpoints.FIND,
            {"filter": filter, "limit": limit, "fields_to_return": fields_to_return},
        )

    async def random(
        self,
        count: int | None = None,
        *,
        filter: Filter | None = None,
        fields_to_return: Fields | None = None,
    ) -> RecordsAnswer:
        """Draw records at random.

        Args:
            count: Number of records; the service's default is 1.
            filter: Only records that match it.
            fields_to_return: Fields of the answer's records; the service's default is ["*"].

        Example:
            print((await shoes.random(2)).records)

        Documented in: Visual Search, Random.
        """
        return await self._call(
            endpoints.RANDOM,
            {"count": count, "filter": filter, "fields_to_return": fields_to_return},
        )

    async def get_record_count(self) -> CountAnswer:
        """Return how many records the collection holds, in `count`.

        Example:
            print((await shoes.get_record_count()).count)

        Documented in: Visual Search, Get Record Count.
        """
        return await self._call(endpoints.GET_RECORD_COUNT)

    async def all_records(
        self,
        *,
        size: int | None = None,
        page: int | None = None,
        fields_to_return: Fields | None = None,
        filter: Filter | None = None,
        output_file_name: str | None = None,
        delete_file_after: bool | None = None,
    ) -> PageAnswer:
        """Return one page of the collection, or all of it at once; `iter_records` turns the pages.

        Without `size` the whole collection comes in one answer; answers above 32 MiB are refused.

        Args:
            size: Records a page; None for all records in one answer.
            page: Number of the page, from 1.
            fields_to_return: Fields of the answer's records; the service's default is ["_id"].
            filter: Only records that match it.
            output_file_name: Name of a file on the service's side ("do not use this field").
            delete_file_after: Whether the service deletes that file.

        Example:
            answer = await shoes.all_records(size=2, page=1)
            print(answer.records, answer.count, answer.has_next)

        Documented in: Visual Search, All Records. Its `next` links lack the service's prefix, so
        pages are counted here and `next` only says that there is more.
        """
        return await self._call(
            endpoints.ALL_RECORDS,
            {
                "fields_to_return": fields_to_return,
                "filter": filter,
                "output_file_name": output_file_name,
                "delete_file_after": delete_file_after,
            },
            {"size": size, "page": page},
        )

    async def iter_records(
        self,
        *,
        fields_to_return: Fields | None = None,
        filter: Filter | None = None,
        page_size: int = 500,
    ) -> AsyncIterator[Record]:
        """Yield every record of the collection, page by page, in bounded memory.

        A collection that is written to meanwhile may shift under the pages.

        Args:
            fields_to_return: Fields of the records; the service's default is ["_id"].
            filter: Only records that match it.
            page_size: Records a request.

        Raises:
            ConfigError: `page_size` is not a whole number above 0.

        Example:
            async for record in shoes.iter_records(fields_to_return=["*"]):
                print(record["_id"])

        Documented in: Visual Search, All Records (`find` cannot page).
        """
        check_whole("page_size", page_size, least=1)
        page, more = 1, True
        while more:
            answer = await self.all_records(
                size=page_size, page=page, fields_to_return=fields_to_return, filter=filter
            )
            for record in answer.records:
                yield record
            page, more = page + 1, answer.has_next and bool(answer.records)
