"""Records from a folder of images."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ximilar_async.errors import SourceError

from ._base import Entry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ._base import Chunk

TAKEN: Final = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".bmp", ".tif", ".tiff")
REFUSED: Final = (".avif", ".heif", ".jp2", ".psd", ".svg")
IMAGE_SUFFIXES: Final = frozenset({*TAKEN, ".gif", *REFUSED})
"""Endings of what is taken for an image; some are refused later, by name."""


class FolderSource:
    """One record for each image of a folder and the folders below it, by name.

    `_id` is the path below the folder, with forward slashes; files are told to be images by their
    ending here and by their bytes when they are read, so that a damaged image is accounted for.
    A link to another folder is passed over, for it may lead in a circle; one to a file is read if
    that lies below the folder too.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.name or str(folder)
        self.path: Path | None = folder
        self.position = 0
        self.size: int | None = None
        self.files_root: Path | None = folder
        self._folder = folder

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the images in the order of their names.

        Raises:
            SourceError: the folder cannot be read.
        """
        names = await asyncio.to_thread(image_names, self._folder)
        self.size = len(names)
        for start in range(0, len(names), 100):
            part = names[start : start + 100]
            self.position += len(part)
            yield [Entry(name, {"_id": name, "_file": name}) for name in part]


def image_names(folder: Path) -> list[str]:
    """Return the paths of a folder's images below it, sorted.

    Hidden ones and linked folders are left out.

    Raises:
        SourceError: the folder cannot be read.
    """
    names: list[str] = []
    try:
        for place, folders, files in os.walk(folder, onerror=_raise):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = Path(place).relative_to(folder)
            names += [
                (below / name).as_posix()
                for name in files
                if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
            ]
    except OSError as error:
        raise SourceError(f"cannot read {str(folder)!r}: {error.strerror or error}") from None
    return sorted(names)


def _raise(error: OSError) -> None:
    raise error
