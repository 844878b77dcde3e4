"""Which records of one input may be near-duplicates of each other: pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._item import Item


def by_field(name: str) -> Callable[[Item], str]:
    """Return a rule that puts records with the same value of a field into one group.

    Args:
        name: The field. Records without it are grouped by their image.

    Example:
        >>> from ximilar_async.bulk._item import Item
        >>> from ximilar_async.sources import Entry
        >>> by_field("product")(Item.of(1, Entry("line 1", {"_id": "a", "product": 7})))
        'field 7'
    """

    def group(item: Item) -> str:
        record = item.entry.record
        value = record.get(name) if isinstance(record, dict) else None
        return by_image(item) if value is None else f"field {value}"

    return group


def by_image(item: Item) -> str:
    """Return the group of a record by its image: its address, or a digest of its content.

    Example:
        >>> from ximilar_async.bulk._item import Item
        >>> from ximilar_async.sources import Entry
        >>> by_image(Item.of(1, Entry("line 1", {"_id": "a", "_url": "https://example.com/a.jpg"})))
        'url https://example.com/a.jpg'
    """
    record = item.entry.record
    address = record.get("_url") if isinstance(record, dict) else None
    if address is not None or not item.wire:
        return f"url {address}"
    # Files and pixels are in the record's JSON by now.
    content = str(item.sent().get("_base64") or item.id).encode()
    return f"content {hashlib.blake2b(content, digest_size=16).hexdigest()}"
