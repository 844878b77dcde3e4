"""All collections of an emulator: made by the first insert, opened when first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from .index import Collection
from .store import MemoryStore, SqliteStore

if TYPE_CHECKING:
    from .descriptor import Extractor
    from .folder import Folder
    from .store import Store


@define(eq=False)
class Shelf:
    """The collections of one emulator, in a folder or in memory.

    Safe to use from many threads, as long as no two ask for the same collection at a time.
    """

    extractor: Extractor
    """What the vectors of all collections come from."""
    folder: Folder | None = None
    """Where the collections are kept; None keeps them in memory."""
    seed: int | None = None
    """Seed of each collection's random sample."""
    _open: dict[str, Collection] = field(factory=dict, init=False, repr=False)

    def collection(self, collection_id: str, *, create: bool) -> Collection:
        """Return a collection.

        Args:
            collection_id: Its id, as in the header `collection-id`.
            create: Whether an unknown collection comes into being; else an empty one is returned
                and forgotten.

        Raises:
            EmulatorError: its file cannot be used.
        """
        known = self._open.get(collection_id)
        if known is not None:
            return known
        if not create and not self._is_stored(collection_id):
            return Collection(self.extractor.dimensions)
        store = self._store(collection_id)
        collection = Collection(self.extractor.dimensions, store, seed=self.seed)
        collection.load()
        self._open[collection_id] = collection
        return collection

    def holds(self, collection_id: str, id_: object) -> bool:
        """Tell whether an open collection holds an `_id` right now."""
        collection = self._open.get(collection_id)
        return collection is not None and id_ in collection

    def close(self) -> None:
        """Close all collections; nothing works on them any more. May be called twice."""
        for collection in self._open.values():
            collection.store.close()
        self._open.clear()

    def _is_stored(self, collection_id: str) -> bool:
        return self.folder is not None and self.folder.collection(collection_id).exists()

    def _store(self, collection_id: str) -> Store:
        if self.folder is None:
            return MemoryStore()
        facts = {
            "collection": collection_id,
            "extractor": f"{self.extractor.name} ({self.extractor.dimensions} dimensions)",
        }
        return SqliteStore(self.folder.collection(collection_id), facts)


def check(folder: Folder, extractor: Extractor) -> None:
    """Look at every collection's file, to say at the start what cannot be used.

    Raises:
        EmulatorError: a file is no collection, of another version, or made by another extractor.
    """
    for path in folder.files():
        SqliteStore(
            path, {"extractor": f"{extractor.name} ({extractor.dimensions} dimensions)"}
        ).close()
