"""The images that a page of a run shows, so many and no more. Blocking: files are read."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import define

from ximilar_async.pages import Images, Picture, find_image, thumbnail, thumbnail_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._report_records import Shown

MOST_IMAGES: Final = 240
"""Images of a page: each has to be decoded, and is some 3 kB of it."""

_MOST_BYTES: Final = 900_000
"""Bytes of a page's images; in the page they are a third more."""

_SIDE: Final = 144

_LIGHT: Final = 10_000
"""Bytes above which an image is made smaller still: transparent ones compress badly."""

_LARGEST_CATALOG: Final = 512 * 2**20
"""Largest file of JSON lines that is read through for the images of stored records, in bytes."""


@define(eq=False)
class Pictures:
    """Finds and shrinks images of records, so many and no more."""

    left: int = MOST_IMAGES
    bytes_left: int = _MOST_BYTES
    _allowed: int = MOST_IMAGES

    def share(self, tables: int) -> None:
        """Leave something for other tables.

        Args:
            tables: How many still come, this one included.
        """
        self._allowed = self.left // tables

    def of_record(self, shown: Shown) -> Picture:
        """Return the image of a record that was not brought in."""
        own = own_image(shown.record)
        path = _path(own, shown.root)
        return self._picture(own, path, shown.id or "-", own.get("_base64"))

    def of_stored(self, shown: Shown, lie: Images) -> Picture:
        """Return the image of the stored record that a near-duplicate is like.

        What a stored record says may come from anybody: only its address is shown, and its id is a
        path in a folder of images alone, where ids are such.

        Args:
            shown: The near-duplicate.
            lie: Which files the catalog names for ids.
        """
        if not shown.near_duplicates:
            return Picture(None, "a stored record")
        id_, _, record = shown.near_duplicates[0]
        path = _photo(id_, Path(shown.root or "")) if _of_folder(shown) else lie.find({"_id": id_})
        return self._picture(record, path, id_)

    def _picture(
        self, record: Mapping[str, Any], path: Path | None, title: str, data: object = None
    ) -> Picture:
        url = record.get("_url")
        return Picture(self._image(path, data), title, url if isinstance(url, str) else None)

    def _image(self, path: Path | None, data: object) -> bytes | None:
        if self._allowed <= 0 or self.bytes_left <= 0:
            return None
        image = _encoded(data) or thumbnail_of(path, _SIDE)
        if image is not None and len(image) > _LIGHT:
            image = thumbnail(image, _SIDE // 2)
        if image is not None:
            self.left -= 1
            self._allowed -= 1
            self.bytes_left -= len(image)
        return image


def own_image(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record says of its own image: a file that is called like it is none."""
    return {name: record[name] for name in ("_file", "_url", "_base64") if name in record}


def _of_folder(shown: Shown) -> bool:
    """Tell whether a record was read from a folder of images: its place is its file then."""
    return shown.root is not None and shown.where == shown.record.get("_file")


def _photo(id: str, folder: Path) -> Path | None:
    """Return the image that a folder has by an id; hidden ones are none of its images."""
    hidden = any(part.startswith(".") for part in Path(id).parts)
    return None if hidden else find_image({"_id": id}, folder)


def stored_images(catalog: Path | None, records: Sequence[Shown]) -> Images:
    """Return which files a catalog names for the stored records that near-duplicates are like.

    They often come from the same source: the service keeps no `_file`.

    Args:
        catalog: A file of JSON lines.
        records: The near-duplicates.
    """
    ids = {shown.near_duplicates[0][0] for shown in records if shown.near_duplicates}
    try:
        if catalog is None or not ids or catalog.stat().st_size > _LARGEST_CATALOG:
            return Images()
        return Images.of(catalog, ids)
    except OSError:
        return Images()


def _encoded(value: object) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return thumbnail(base64.b64decode(value, validate=True), _SIDE)
    except binascii.Error:
        return None


def _path(record: Mapping[str, Any], root: str | None) -> Path | None:
    if root is not None:
        return find_image(record, Path(root))
    # An address is never taken for a path: it may come from somebody else.
    return find_image({"_file": record.get("_file")})
