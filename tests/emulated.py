"""A collection on the plane: an image is a point, so every distance is known beforehand."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from ximilar_async._protocol import Request
from ximilar_async.emulator import ImageRefused
from ximilar_async.emulator.answers import WORDS
from ximilar_async.emulator.images import Images
from ximilar_async.emulator.index import Collection
from ximilar_async.emulator.methods import BY_NAME, Call, Context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from ximilar_async.emulator import Emulator
    from ximilar_async.emulator.answers import Dialect
    from ximilar_async.emulator.folder import Folder
    from ximilar_async.emulator.settings import UrlImages

HEADERS = {"authorization": "Token t", "collection-id": "c", "content-type": "application/json"}
PHOTOS = "http://localhost/similarity/photos/v2/"


class PlaneExtractor:
    """Reads a point from the text `https://plane/3/4` or the "image" `3 4`."""

    name = "plane"
    dimensions = 2

    def from_text(self, text: str) -> NDArray[np.float32]:
        x, y = text.split("/")[-2:]
        return np.array([float(x), float(y)], np.float32)

    def from_image(self, data: bytes) -> NDArray[np.float32]:
        try:
            x, y = data.split()
        except ValueError:
            raise ImageRefused("no point") from None
        return np.array([float(x), float(y)], np.float32)


def at(x: float, y: float = 0) -> str:
    """Return the address of the image at a point."""
    return f"https://plane/{x}/{y}"


def pixels(x: float, y: float = 0) -> str:
    """Return the image at a point, as `_base64`."""
    return base64.b64encode(f"{x} {y}".encode()).decode()


def ids(answer: dict[str, Any], name: str = "answer_records") -> list[str]:
    return [record["_id"] for record in answer[name]]


def codes(answer: dict[str, Any]) -> dict[str, int]:
    """Return the reasons of skipped records, by `_id`."""
    return {
        record.get("_id", "-"): record["_reason"]["status"]["code"]
        for record in answer["skipped_records"]
    }


class Shop:
    """One collection, its methods called without HTTP."""

    def __init__(
        self,
        *,
        dialect: Dialect = "examples",
        capacity: int | None = None,
        folder: Folder | None = None,
        url_images: UrlImages = "derive",
        fetch: Callable[[str], bytes] | None = None,
        files_root: Path | None = None,
        tags_field: str = "tags",
        seed: int | None = 0,
    ) -> None:
        images = Images(PlaneExtractor(), url_images, fetch, files_root)
        self.collection = Collection(2, seed=seed)
        self.context = Context(images, WORDS[dialect], capacity, folder)
        self.tags_field = tags_field

    def call(self, method: str, url: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
        call = Call(
            collection=self.collection,
            body=orjson.loads(orjson.dumps(body)),
            context=self.context,
            tags_field=self.tags_field,
            url=url or {},
            base="https://api.ximilar.com",
        )
        answer: dict[str, Any] = orjson.loads(orjson.dumps(BY_NAME[method](call)))
        return answer

    def fill(self, points: Iterable[float], **fields: list[Any]) -> None:
        """Insert records "0", "1", … at points on a line; a field's list has a value for each."""
        for number, x in enumerate(points):
            more = {name: values[number] for name, values in fields.items()}
            record = {"_id": str(number), "_url": at(x), **more}
            assert self.call("insert", records=[record])["status"]["code"] == 210

    @property
    def spent(self) -> int:
        spent: int = self.context.account.details()["credits_counter"]
        return spent


def request(
    method: str, body: Any = None, *, verb: str = "POST", base: str = PHOTOS, **headers: str
) -> Request:
    """Return a request as a client would send it; a header given as "" is left out."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    every = {name: value for name, value in {**HEADERS, **named}.items() if value}
    data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    return Request(verb, base + method, every, data)


async def ask(
    emulator: Emulator, method: str, body: Any = None, **options: Any
) -> tuple[int, dict[str, Any]]:
    """Send a request without a socket; return HTTP status and decoded body."""
    response = await emulator.transport().send(request(method, body, **options))
    return response.status, orjson.loads(response.body)
