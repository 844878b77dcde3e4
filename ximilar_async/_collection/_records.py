"""Methods that write and fetch records by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ximilar_async import _endpoints as endpoints
from ximilar_async.errors import ConfigError

from ._base import CollectionBase, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ximilar_async._models import Record, RecordsAnswer

    from ._base import Fields, Filter


class RecordMethods(CollectionBase):
    """insert, near_dups_insert, get, update, delete, delete_by_filter."""

    async def insert(
        self,
        records: Sequence[Record],
        *,
        fields_to_return: Fields | None = None,
        extract_colors: bool | None = None,
        extract_tags: bool | None = None,
    ) -> RecordsAnswer:
        """Insert at most 10 records; those whose `_id` is taken come back in `skipped`.

        Repeating an insert is safe, but after a lost answer (see `errors.TransportError.doubtful`)
        the repeat reports as duplicates what the first attempt stored; `bulk.insert` tells the two
        apart.

        Args:
            records: Records with an `_id` and an image.
            fields_to_return: Fields of the answer's records; the service's default is ["_id"].
            extract_colors: Fashion collections: find the colours too.
            extract_tags: Fashion collections: find the tags too.

        Raises:
            RecordError: more than 10 records, or one without `_id` or usable image.
            CapacityError: nothing was inserted because the collection is full.

        Example:
            answer = await shoes.insert([{"_id": "new", "_url": "https://example.com/new.jpg"}])
            for skip in answer.skipped:
                print(skip.id, skip.code, skip.text)

        Documented in: Visual Search, Insert.
        """
        return await self._call(
            endpoints.INSERT,
            {
                "records": records,
                "fields_to_return": fields_to_return,
                "extract_colors": extract_colors,
                "extract_tags": extract_tags,
            },
        )

    async def near_dups_insert(
        self,
        records: Sequence[Record],
        *,
        radius: float | None = None,
        fields_to_return: Fields | None = None,
        cand_set_size: int | None = None,
        extract_colors: bool | None = None,
        extract_tags: bool | None = None,
    ) -> RecordsAnswer:
        """Insert at most 10 records, skipping those whose image is nearly one that is stored.

        Calls that run at once cannot see each other: two near-duplicates sent in different calls
        may both be stored.

        Args:
            records: Records with an `_id` and an image.
            radius: Largest distance of a near-duplicate; the service's default is 5.0.
            fields_to_return: Fields of the answer's records; the service's default is ["*"].
            cand_set_size: Internal to the service; leave it out.
            extract_colors: Fashion collections: find the colours too.
            extract_tags: Fashion collections: find the tags too.

        Raises:
            RecordError: more than 10 records, or one without `_id` or usable image.
            CapacityError: nothing was inserted because the collection is full.

        Example:
            answer = await shoes.near_dups_insert(
                [{"_id": "new", "_url": "https://example.com/new.jpg"}], radius=5.0
            )
            for skip in answer.skipped:
                print(skip.id, "is too like", [match.id for match in skip.near_duplicates])

        Documented in: Visual Search, Near Duplicates Insert.
        """
        return await self._call(
            endpoints.NEAR_DUPS_INSERT,
            {
                "records": records,
                "radius": radius,
                "fields_to_return": fields_to_return,
                "cand_set_size": cand_set_size,
                "extract_colors": extract_colors,
                "extract_tags": extract_tags,
            },
        )

    async def get(
        self, ids: Sequence[str | Record], *, fields_to_return: Fields | None = None
    ) -> RecordsAnswer:
        """Fetch at most 10 records by their ids; unknown ones come back in `skipped`.

        Args:
            ids: Ids, or records that have one.
            fields_to_return: Fields of the answer's records; the service's default is ["*"].

        Raises:
            RecordError: more than 10, or one without an id.

        Example:
            answer = await shoes.get(["1", "2", "unknown"])
            print([record["_id"] for record in answer.records], answer.skipped)

        Documented in: Visual Search, Get.
        """
        return await self._call(
            endpoints.GET, {"records": records_of(ids), "fields_to_return": fields_to_return}
        )

    async def update(
        self, records: Sequence[Record], *, fields_to_return: Fields | None = None
    ) -> RecordsAnswer:
        """Change fields of at most 10 stored records; None removes a field, the image stays.

        To change an image, delete the record and insert it again.

        Args:
            records: Records with an `_id` and the fields to change.
            fields_to_return: Fields of the answer's records; the service's default is ["*"].

        Raises:
            RecordError: more than 10 records, or one without `_id`.

        Example:
            answer = await shoes.update([{"_id": "1", "price": 80, "sale": None}])
            print(answer.records)

        Documented in: Visual Search, Update.
        """
        return await self._call(
            endpoints.UPDATE, {"records": records, "fields_to_return": fields_to_return}
        )

    async def delete(self, ids: Sequence[str | Record]) -> RecordsAnswer:
        """Delete at most 10 records by their ids; unknown ones come back in `skipped`.

        Args:
            ids: Ids, or records that have one.

        Raises:
            RecordError: more than 10, or one without an id.

        Example:
            answer = await shoes.delete(["2", "unknown"])
            print(len(answer.records), "deleted", len(answer.skipped), "not found")

        Documented in: Visual Search, Delete.
        """
        return await self._call(endpoints.DELETE, {"records": records_of(ids)})

    async def delete_by_filter(
        self, filter: Filter, *, fields_to_return: Fields | None = None
    ) -> RecordsAnswer:
        """Delete every record that the filter matches; not available in all collections.

        Args:
            filter: The condition; an empty one matches everything.
            fields_to_return: Fields of the answer's records; the service's default is ["_id"].

        Raises:
            ConfigError: the filter is missing.

        Example:
            answer = await shoes.delete_by_filter({"price": {"$gt": 1000}})
            print(answer.count, "deleted")

        Documented in: Visual Search, Delete By Filter.
        """
        if filter is None:
            raise ConfigError(
                "filter takes a dict of conditions, not NoneType; {} matches everything"
            )
        return await self._call(
            endpoints.DELETE_BY_FILTER, {"filter": filter, "fields_to_return": fields_to_return}
        )
