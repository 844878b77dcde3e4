"""What all methods share: images are prepared, ids become records, the session calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from ximilar_async._models import Account, Answer
from ximilar_async._protocol import check_records
from ximilar_async.errors import RecordError
from ximilar_async.images import needs_preparing, prepare_records

if TYPE_CHECKING:
    from pathlib import Path

    from ximilar_async._concurrency import GateStatistics
    from ximilar_async._config import Retry, Target
    from ximilar_async._endpoints import Endpoint
    from ximilar_async._models import Record
    from ximilar_async._retry import Trace
    from ximilar_async._session import Session
    from ximilar_async.images import ImageOptions

A = TypeVar("A", bound=Answer | Account)

Filter: TypeAlias = Mapping[str, Any]
"""A condition on fields: MongoDB's form or operator first; sent as it is given."""

Fields: TypeAlias = Sequence[str]
"""Names of the fields that records of the answer shall have; ["*"] for all."""


class CollectionBase:
    """The state of a collection and the one door to the session.

    Args:
        session: The client's session.
        target: Service and collection.
        images: How `_file` and `_image` are checked and shrunk.
        files_root: Folder that `_file` must not leave; None for anywhere.
        retry: Settings instead of the client's.
    """

    def __init__(
        self,
        session: Session,
        target: Target,
        *,
        images: ImageOptions,
        files_root: Path | None = None,
        retry: Retry | None = None,
    ) -> None:
        self._session = session
        self._target = target
        self._images = images
        self._files_root = files_root
        self._retry = retry

    def __repr__(self) -> str:
        return f"Collection({self.id!r}, {self.service!r})"

    @property
    def id(self) -> str:
        """Return the collection's id."""
        return self._target.collection_id

    @property
    def service(self) -> str:
        """Return the address prefix of the collection's service."""
        return self._target.prefix

    @property
    def images(self) -> ImageOptions:
        """Return how `_file` and `_image` are checked and shrunk."""
        return self._images

    @property
    def files_root(self) -> Path | None:
        """Return the folder that `_file` must not leave; None for anywhere."""
        return self._files_root

    @property
    def slots(self) -> int:
        """Return how many requests the client lets run at once."""
        return self._session.slots

    def statistics(self) -> GateStatistics:
        """Return what the client's gate does now and what its requests have waited for so far.

        Example:
            gate = shoes.statistics()
            print(gate.under_way, gate.waiting, gate.held_for)
        """
        return self._session.statistics()

    def with_options(
        self,
        *,
        retry: Retry | None = None,
        images: ImageOptions | None = None,
        files_root: Path | None = None,
    ) -> Self:
        """Return the same collection with other settings; None keeps the present one.

        Args:
            retry: When calls are sent again.
            images: How `_file` and `_image` are checked and shrunk.
            files_root: Folder that `_file` must not leave.

        Example:
            >>> from ximilar_async import Retry, Ximilar
            >>> shoes = Ximilar("token").collection("shoes-id")
            >>> shoes.with_options(retry=Retry(attempts=1)).id
            'shoes-id'
        """
        return type(self)(
            self._session,
            self._target,
            images=images or self._images,
            files_root=files_root or self._files_root,
            retry=retry or self._retry,
        )

    async def call(
        self,
        endpoint: Endpoint[A],
        fields: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        *,
        trace: Trace | None = None,
    ) -> A:
        """Call a method by its line of the endpoint table: the door that the bulk engine uses.

        Args:
            endpoint: The method.
            fields: Fields of the JSON body; those that are None are not sent.
            query: Parameters of the address, likewise.
            trace: Filled with what the call took.

        Raises:
            XimilarError: the call failed as a whole.

        Example:
            from ximilar_async._endpoints import PING

            answer = await shoes.call(PING)
        """
        return await self._session.call(
            endpoint, self._target, fields=fields, query=query, retry=self._retry, trace=trace
        )

    async def _call(
        self,
        endpoint: Endpoint[A],
        fields: dict[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> A:
        """Call a method after its records' images are read and encoded, off the event loop."""
        for name, value in (fields or {}).items():
            if name == "query_record":
                if isinstance(value, dict) and needs_preparing(value):
                    (prepared,) = await self._prepare([value], called=name)
                    fields = {**(fields or {}), name: prepared}
            elif name in ("records", "query_records"):
                check_records(endpoint, name, value)
                if any(needs_preparing(record) for record in value):
                    fields = {**(fields or {}), name: await self._prepare(value)}
        return await self.call(endpoint, fields, query)

    async def _prepare(
        self, records: Sequence[Record], *, called: str | None = None
    ) -> list[Record]:
        return await prepare_records(
            records, self._images, files_root=self._files_root, called=called
        )


def records_of(ids: Sequence[str | Record]) -> list[Record]:
    """Return records that hold nothing but the `_id`, from ids or whole records.

    Args:
        ids: Ids, or records with an `_id`; anything else in a record stays at home.

    Raises:
        RecordError: it is one string, or an entry has no id.

    Example:
        >>> records_of(["1", {"_id": "2", "price": 3}])
        [{'_id': '1'}, {'_id': '2'}]
    """
    if isinstance(ids, (str, bytes, Mapping)):
        raise RecordError(f"give a list of ids or records, not a single one: [{ids!r:.80}]")
    return [{"_id": entry.get("_id") if isinstance(entry, dict) else entry} for entry in ids]
