"""The catalog on disk: images, records, and what is to be found out about them."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from attrs import define, field, frozen
from PIL import Image, ImageEnhance

from ximilar_async.errors import ConfigError

from ._products import KINDS, choose_products, random_backdrop, random_view, view_from_elsewhere
from ._surfaces import make_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ._products import Product
    from ._surfaces import Noise

_FEWEST: Final = 12
_ONE_COPY_FOR: Final = 60
_ONE_VARIANT_FOR: Final = 30
_DAMAGED_SHARE: Final = 0.4


@frozen(kw_only=True)
class Catalog:
    """A catalog on disk and what it was made to show."""

    folder: Path
    """Where images and records are."""
    records_path: Path
    """`catalog.jsonl`: a record a line, `_file` relative to the folder."""
    count: int
    """Records in it."""
    duplicates: Mapping[str, str] = field(repr=False)
    """Ids of exact copies, each with the id of its original."""
    near_duplicates: Mapping[str, str] = field(repr=False)
    """Ids of copies that were encoded anew, resized or brightened, with their originals'."""
    refused: Mapping[str, str] = field(repr=False)
    """Ids of records that cannot be sent, each with what is wrong: "damaged" or "AVIF"."""
    query_path: Path
    """An image that is not in the catalog; something like it is."""
    query_record: Mapping[str, Any] = field(repr=False)
    """A record for searching with it: `_file` is its full path."""


def make_catalog(
    folder: Path,
    *,
    products: int = 240,
    seed: int = 7,
    spoilt: bool = True,
    on_image: Callable[[int, int], None] | None = None,
) -> Catalog:
    """Render a catalog of product images into a folder; blocking, some 50 ms an image.

    Besides the products there are exact copies, near-duplicates and, unless you say otherwise, one
    damaged file and one of a format that the service refuses. The same numbers make the same
    catalog.

    Args:
        folder: Where to; made if it is not there.
        products: How many different products, at least 12.
        seed: Decides everything that looks like chance.
        spoilt: Whether the two files that cannot be sent are among the images.
        on_image: Told after each image how many are done and how many there will be.

    Raises:
        ConfigError: too few products for a catalog.
        OSError: the folder cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as name:
        ...     sorted(make_catalog(Path(name), products=12).refused.values())
        ['AVIF', 'damaged']
    """
    if products < _FEWEST:
        raise ConfigError(f"a catalog has at least {_FEWEST} products, not {products}")
    noise = make_noise(np.random.default_rng([seed, 2]))
    chosen = choose_products(products, seed)
    writer = _Writer(folder, _files_of(products, spoilt=spoilt), on_image)
    (folder / "query").mkdir(parents=True, exist_ok=True)
    for index, product in enumerate(chosen):
        rng = np.random.default_rng([seed, 3, index])
        view = random_view(rng, standing=product.kind.standing)
        image = product.picture(view, noise, backdrop=random_backdrop(rng))
        writer.write(product, *_encoded(image, index, rng))
    query_path = folder / "query" / "red-striped-sneaker.jpg"
    writer.write_file(query_path, _query_image(chosen[0], seed, noise))
    copies, variants = _spread(products)
    catalog = Catalog(
        folder=folder,
        records_path=folder / "catalog.jsonl",
        duplicates=_add_copies(writer, chosen, copies),
        near_duplicates=_add_variants(writer, chosen, variants),
        refused=_add_spoilt(writer, chosen) if spoilt else {},
        count=len(writer.records),
        query_path=query_path,
        query_record={**chosen[0].record(), "_file": str(query_path.resolve())},
    )
    lines = [orjson.dumps(record) for record in writer.records]
    catalog.records_path.write_bytes(b"\n".join(lines) + b"\n")
    return catalog


def _query_image(product: Product, seed: int, noise: Noise) -> bytes:
    """Return the first product as it is seen from elsewhere, on another ground."""
    rng = np.random.default_rng([seed, 3, 0])
    view = view_from_elsewhere(random_view(rng, standing=product.kind.standing))
    return _as_jpeg(product.picture(view, noise, backdrop=(0.97, 0.97, 0.965)), 92)


@define
class _Writer:
    """Writes images, collects their records and tells how far it is."""

    folder: Path
    total: int
    on_image: Callable[[int, int], None] | None
    records: list[dict[str, Any]] = field(factory=list)
    files: list[Path] = field(factory=list)
    """Of each record its image."""

    def write(self, product: Product, data: bytes, ending: str) -> str:
        """Add a record with its image and return its id."""
        id_ = f"{product.category}-{len(self.records) + 1:04d}"
        path = self.folder / f"{id_}.{ending}"
        self.records.append({"_id": id_, "_file": path.name, **product.record()})
        self.write_file(path, data)
        return id_

    def write_file(self, path: Path, data: bytes) -> None:
        """Write an image."""
        path.write_bytes(data)
        self.files.append(path)
        if self.on_image is not None:
            self.on_image(len(self.files), self.total)


def _spread(products: int) -> tuple[list[int], list[int]]:
    """Return which products are copied exactly, and which are copied with a difference."""
    copies = _evenly(products, products // _ONE_COPY_FOR + 1, first=2)
    variants = _evenly(products, products // _ONE_VARIANT_FOR + 1, first=5)
    return copies, [index for index in variants if index not in copies]


def _evenly(products: int, count: int, *, first: int) -> list[int]:
    """Return places far apart, of as many kinds as there are: kinds follow each other by turns."""
    step = next(step for step in range(products // count, 0, -1) if math.gcd(step, len(KINDS)) == 1)
    return [(first + number * step) % products for number in range(count)]


def _files_of(products: int, *, spoilt: bool) -> int:
    copies, variants = _spread(products)
    query = 1
    return products + len(copies) + len(variants) + 2 * spoilt + query


def _add_copies(writer: _Writer, chosen: Sequence[Product], which: Sequence[int]) -> dict[str, str]:
    added = {}
    for index in which:
        path = writer.files[index]
        id_ = writer.write(chosen[index], path.read_bytes(), path.suffix[1:])
        added[id_] = path.stem
    return added


def _add_variants(
    writer: _Writer, chosen: Sequence[Product], which: Sequence[int]
) -> dict[str, str]:
    added = {}
    for number, index in enumerate(which):
        path = writer.files[index]
        with Image.open(path) as image:
            data = _VARIANTS[number % len(_VARIANTS)](image.convert("RGB"))
        added[writer.write(chosen[index], data, "jpg")] = path.stem
    return added


def _add_spoilt(writer: _Writer, chosen: Sequence[Product]) -> dict[str, str]:
    last = len(chosen) - 1
    with Image.open(writer.files[last]) as image:
        whole = _as_jpeg(image.convert("RGB"), 90)
    damaged = writer.write(chosen[last], whole[: int(len(whole) * _DAMAGED_SHARE)], "jpg")
    with Image.open(writer.files[last - 1]) as image:
        refused = writer.write(chosen[last - 1], _as_avif(image.convert("RGB")), "avif")
    return {damaged: "damaged", refused: "AVIF"}


def _encoded(image: Image.Image, index: int, rng: np.random.Generator) -> tuple[bytes, str]:
    """Return an image as a file, mostly JPEG, and the file's ending."""
    if index % 15 == 7:  # noqa: PLR2004 - one in so many
        return _saved(image, "PNG", compress_level=3), "png"
    if index % 15 == 12:  # noqa: PLR2004 - as above
        return _saved(image, "WEBP", quality=88, method=1), "webp"
    return _as_jpeg(image, int(rng.integers(86, 94))), "jpg"


def _saved(image: Image.Image, format: str, **settings: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **settings)
    return stream.getvalue()


def _as_jpeg(image: Image.Image, quality: int) -> bytes:
    return _saved(image, "JPEG", quality=quality)


def _resized(image: Image.Image) -> bytes:
    size = (image.width * 9 // 10, image.height * 9 // 10)
    return _as_jpeg(image.resize(size, Image.Resampling.LANCZOS), 88)


def _brightened(image: Image.Image) -> bytes:
    return _as_jpeg(ImageEnhance.Brightness(image).enhance(1.02), 90)


_VARIANTS: Final[Sequence[Callable[[Image.Image], bytes]]] = (
    lambda image: _as_jpeg(image, 78),
    _resized,
    _brightened,
)


def _as_avif(image: Image.Image) -> bytes:
    """Return a small AVIF, or where none can be made just what it begins with."""
    Image.init()
    if "AVIF" not in Image.SAVE:
        return b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + image.resize((8, 8)).tobytes()
    image.thumbnail((256, 256))
    return _saved(image, "AVIF", speed=10)
