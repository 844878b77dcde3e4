"""What a method works on: the collection, the request's body, and what all calls share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import field, frozen

from ximilar_async.emulator.account import SEARCH_BY_ID, SEARCH_BY_IMAGE, Account
from ximilar_async.emulator.answers import NOT_FOUND, WORDS, Verdict
from ximilar_async.emulator.descriptor import ImageRefused
from ximilar_async.emulator.errors import Refusal
from ximilar_async.emulator.images import has_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ximilar_async.emulator import answers
    from ximilar_async.emulator.answers import Words
    from ximilar_async.emulator.folder import Folder
    from ximilar_async.emulator.images import Images
    from ximilar_async.emulator.index import Collection

    Prepared: TypeAlias = NDArray[np.float32] | ImageRefused
    """What reading an image came to."""

BAD_RECORD = 400
"""Code of a record that cannot be processed whatever the collection holds; the documents name
none."""


@frozen
class Context:
    """What all calls of an emulator share."""

    images: Images
    words: Words = WORDS["examples"]
    capacity: int | None = None
    """Most records in one collection."""
    folder: Folder | None = None
    account: Account = field(factory=Account)
    info: str = ""
    """What `ping` tells."""


@frozen(kw_only=True)
class Call:
    """One call of a method."""

    collection: Collection
    body: Mapping[str, Any]
    context: Context
    tags_field: str = "tags"
    """Name of the field that holds a record's tags; it depends on the service (Visual Tags KNN)."""
    url: Mapping[str, str] = field(factory=dict)
    """Parameters of the address: `size` and `page`."""
    base: str = "http://localhost"
    """Scheme and host of the address, for links."""
    prepared: Mapping[int, Prepared] = field(factory=dict)
    """The images of the body's records that were read beforehand, by the records' `id()`."""

    def vector(self, record: Mapping[str, Any]) -> NDArray[np.float32]:
        """Return the vector of a record's image.

        Raises:
            ImageRefused: there is no image, or none that can be read.
        """
        prepared = self.prepared.get(id(record))
        if prepared is None:
            return self.context.images.vector(record)
        if isinstance(prepared, ImageRefused):
            raise ImageRefused(str(prepared))
        return prepared


@frozen
class Resolved:
    """A record whose image is known."""

    vector: NDArray[np.float32]
    document: answers.Answer
    """The record as far as it is known: the stored fields, and above them those that were sent."""
    stored: bool
    """Whether the image is that of a stored record."""

    @property
    def credits(self) -> int:
        """Return the price of a search by this record."""
        return SEARCH_BY_ID if self.stored else SEARCH_BY_IMAGE


def without_pixels(record: Mapping[str, Any]) -> answers.Answer:
    """Return a record as it is stored and shown: no documented answer holds `_base64`."""
    return {name: value for name, value in record.items() if name != "_base64"}


_DEEPEST: Final = 100


def content_verdict(record: Mapping[str, Any]) -> Verdict | None:
    """Return what is wrong with a record's fields, or None: they may be nested 100 levels deep."""
    if _is_deeper(record, _DEEPEST):
        return Verdict(BAD_RECORD, f"the record is nested more than {_DEEPEST} levels deep")
    return None


def _is_deeper(value: Mapping[str, Any] | list[Any], levels: int) -> bool:
    parts = value if isinstance(value, list) else value.values()
    return levels == 0 or any(
        _is_deeper(part, levels - 1) for part in parts if isinstance(part, (list, dict))
    )


def id_verdict(record: Mapping[str, Any]) -> Verdict | None:
    """Return what is wrong with an `_id`, or None (a string, "unique": Data Record Format)."""
    id_ = record.get("_id")
    if id_ is None:
        return Verdict(BAD_RECORD, "the record has no _id")
    if not isinstance(id_, str) or not id_:
        return Verdict(BAD_RECORD, f"_id must be a non-empty string, not {id_!r:.60}")
    return None


def resolve(call: Call, record: Mapping[str, Any]) -> Resolved | Verdict:
    """Find the image of a record that is searched by or ranked.

    An image sent along as `_base64` counts first; then the stored record of that `_id`; then the
    image that `_file` or `_url` names.

    Returns:
        The record with its vector, or why there is none: 404 unknown `_id`, 400 no readable image.
    """
    sent = without_pixels(record)
    if record.get("_base64") is None:
        row = call.collection.row(record.get("_id"))
        if row is not None:
            document = {**call.collection.document(row), **sent}
            return Resolved(call.collection.vectors.vector(row), document, stored=True)
    if record.get("_id") is not None and not has_image(record):
        return NOT_FOUND
    try:
        return Resolved(call.vector(record), sent, stored=False)
    except ImageRefused as refused:
        return Verdict(BAD_RECORD, str(refused))


def resolve_query(call: Call, record: Mapping[str, Any]) -> Resolved:
    """Find the image of a query record.

    Raises:
        Refusal: it is not in the collection, or has no readable image.
    """
    found = resolve(call, record)
    if isinstance(found, Resolved):
        return found
    if found == NOT_FOUND:
        raise Refusal(
            NOT_FOUND.code, f"query record {record.get('_id')!r:.200} is not in the collection"
        )
    raise Refusal(found.code, f"the query record: {found.text}")
