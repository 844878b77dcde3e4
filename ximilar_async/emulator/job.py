"""The work of one request: first the images it brings, then its method."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field, frozen

from ximilar_async._endpoints import METHODS

from .descriptor import ImageRefused
from .errors import Refusal
from .filters import FilterError
from .methods import BY_NAME, CREATING, LIGHT, READING_IMAGES, Call
from .wire import decode_body

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ximilar_async._protocol import Request

    from .answers import Answer
    from .methods import Context
    from .methods.call import Prepared
    from .routing import Route
    from .shelf import Shelf

_BAD_REQUEST: Final = 400
_LIGHT_BODY: Final = 2**16


@frozen
class Workshop:
    """What all jobs of an emulator share."""

    shelf: Shelf
    context: Context


@define(eq=False)
class Job:
    """The work of one request, to be done in threads."""

    workshop: Workshop
    route: Route
    request: Request
    collection_id: str
    _body: Mapping[str, Any] | None = field(default=None, init=False)
    _prepared: dict[int, Prepared] = field(factory=dict, init=False)

    def brings_images(self) -> bool:
        """Tell whether images may have to be read, judging without decoding the body."""
        if self.route.method not in READING_IMAGES:
            return False
        images, body = self.workshop.context.images, self.request.body
        return (
            b'"_base64"' in body
            or (images.files_root is not None and b'"_file"' in body)
            or (images.fetch is not None and b'"_url"' in body)
        )

    def is_light(self) -> bool:
        """Tell whether the work is less than a thread costs: no image, no disk, no search."""
        return (
            self.route.method in LIGHT
            and self.workshop.shelf.folder is None
            and len(self.request.body) <= _LIGHT_BODY
            and not self.brings_images()
        )

    def prepare(self) -> None:
        """Read the images; needs no collection, so many requests do this side by side.

        Raises:
            Refusal: the body is not a JSON object.
        """
        self._body = decode_body(self.request)
        images = self.workshop.context.images
        for record in self._records(self._body):
            if not images.takes_time(record) or self._is_stored(record):
                continue
            try:
                self._prepared[id(record)] = images.vector(record)
            except ImageRefused as refused:
                self._prepared[id(record)] = refused

    def perform(self) -> Answer:
        """Do what the method does; nothing else works on the collection meanwhile.

        Raises:
            Refusal: the call cannot be understood.
        """
        started = time.perf_counter()
        method = self.route.method
        call = Call(
            body=decode_body(self.request) if self._body is None else self._body,
            collection=self.workshop.shelf.collection(
                self.collection_id, create=method in CREATING
            ),
            context=self.workshop.context,
            tags_field=self.route.tags_field,
            url=self.route.query,
            base=self.route.base,
            prepared=self._prepared,
        )
        try:
            answer = BY_NAME[method](call)
        except FilterError as error:
            raise Refusal(_BAD_REQUEST, str(error)) from None
        answer["statistics"]["OperationTime"] = round((time.perf_counter() - started) * 1000)
        return answer

    def _records(self, body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the records that the method will look at; none of a list that it will refuse."""
        most = METHODS[self.route.method].max_records
        for name in ("query_record", "query_records", "records"):
            value = body.get(name)
            some = value if isinstance(value, list) else [value]
            if most is None or len(some) <= most:
                yield from (record for record in some if isinstance(record, dict))

    def _is_stored(self, record: Mapping[str, Any]) -> bool:
        """Tell whether an insert will refuse the record for its `_id`, image or not."""
        if self.route.method not in CREATING:
            return False
        return self.workshop.shelf.holds(self.collection_id, record.get("_id"))
