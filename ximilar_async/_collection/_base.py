"""What all methods share: images are prepared, ids become records, the session calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from ximilar_async._config import Retry
from ximilar_async._encoding import Encoded, encode_body, with_image
from ximilar_async._models import Account, Answer
from ximilar_async._protocol import check_query, check_records
from ximilar_async._validation import check_instance
from ximilar_async.errors import ConfigError, RecordError
from ximilar_async.images import ImageOptions, needs_preparing, take_images

if TYPE_CHECKING:
    from os import PathLike

    from ximilar_async._concurrency import GateStatistics
    from ximilar_async._config import Target
    from ximilar_async._encoding import Wire
    from ximilar_async._endpoints import Endpoint
    from ximilar_async._models import Record
    from ximilar_async._observer import Observer
    from ximilar_async._retry import Trace
    from ximilar_async._session import Session

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
        files_root: str | PathLike[str] | None = None,
        retry: Retry | None = None,
    ) -> None:
        self._session = session
        self._target = target
        check_instance("images", images, ImageOptions)
        self._images = images
        self._files_root = _folder(files_root)
        if retry is not None:
            check_instance("retry", retry, Retry)
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
    def base_url(self) -> str:
        """Return the address that the client calls."""
        return self._session.config.base_url

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

    @property
    def observer(self) -> Observer | None:
        """Return who watches the client's calls and bulk runs; None for nobody."""
        return self._session.observer

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
        files_root: str | PathLike[str] | None = None,
    ) -> Self:
        """Return the same collection with other settings; None keeps the present one.

        Args:
            retry: When calls are sent again.
            images: How `_file` and `_image` are checked and shrunk.
            files_root: Folder that `_file` must not leave.

        Raises:
            ConfigError: a setting is of another type.

        Example:
            >>> from ximilar_async import Retry, Ximilar
            >>> shoes = Ximilar("token").collection("shoes-id")
            >>> shoes.with_options(retry=Retry(attempts=1)).id
            'shoes-id'
        """
        return type(self)(
            self._session,
            self._target,
            images=self._images if images is None else images,
            files_root=self._files_root if files_root is None else files_root,
            retry=self._retry if retry is None else retry,
        )

    async def call(
        self,
        endpoint: Endpoint[A],
        fields: Mapping[str, Any] | Encoded | None = None,
        query: Mapping[str, Any] | None = None,
        *,
        trace: Trace | None = None,
    ) -> A:
        """Call a method by its line of the endpoint table: the door that the bulk engine uses.

        Args:
            endpoint: The method.
            fields: Fields of the JSON body; those that are None are not sent. Or the whole body.
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
                check_query(endpoint, value, name)
                if needs_preparing(value):
                    (wire,) = await self._encoded([value], name, called=name)
                    fields = {**(fields or {}), name: Encoded.of(wire)}
            elif name in ("records", "query_records"):
                check_records(endpoint, name, value)
                if any(needs_preparing(record) for record in value):
                    wires = await self._encoded(value, name)
                    fields = {**(fields or {}), name: Encoded.list_of(wires)}
        return await self.call(endpoint, fields, query)

    async def _encoded(
        self, records: Sequence[Record], field: str, *, called: str | None = None
    ) -> list[Wire]:
        """Return records as JSON, images taken in: megabytes of them are not copied again."""
        taken = await take_images(records, self._images, files_root=self._files_root, called=called)
        single = called is not None
        return [
            _encoded(*pair, field if single else f"{field}[{place}]")
            for place, pair in enumerate(taken)
        ]


def _encoded(record: Record, image: bytes | None, path: str) -> Wire:
    """Return a record as JSON; an error says where in the request the fault is."""
    try:
        wire = encode_body(record)
    except RecordError as error:
        raise RecordError(f"{path}.{error}") from None
    return wire if image is None else with_image(wire, image)


def _folder(path: str | PathLike[str] | None) -> Path | None:
    try:
        return None if path is None else Path(path)
    except TypeError:
        raise ConfigError(f"files_root must be a path, not {path!r:.40}") from None


def records_of(ids: Sequence[str | Record]) -> list[Record]:
    """Return records that hold nothing but the `_id`, from ids or whole records.

    Args:
        ids: Ids, or records with an `_id`; anything else in a record stays at home.

    Raises:
        RecordError: it is no list, but one id, one record or something else.

    Example:
        >>> records_of(["1", {"_id": "2", "price": 3}])
        [{'_id': '1'}, {'_id': '2'}]
    """
    if isinstance(ids, (str, bytes, Mapping)):
        raise RecordError(f"ids takes a list: [{ids!r:.80}], not a {type(ids).__name__}")
    if not isinstance(ids, Iterable):
        raise RecordError(f"ids takes a list of ids or records, not {ids!r:.40}")
    return [{"_id": entry.get("_id") if isinstance(entry, dict) else entry} for entry in ids]
