"""Fit the projection of the emulator's descriptors to photographs, and tell what it is worth.

    python tools/fit_projection.py FOLDER... [--check FOLDER...] [-o projection.npz]

Photographs are looked for in all folders below; those in one folder are taken for one class. The
fit depends on their bytes and order of names alone. The figures say how far apart random pairs are,
how often neighbours are of one class, how many copies lie within the radius of near-duplicates, and
how many different photographs do; with `--check`, of photographs that the fit has not seen.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image, ImageEnhance

from ximilar_async.emulator.decoding import ImageRefused, decode
from ximilar_async.emulator.features import features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

DIMENSIONS = 128
RANDOM_DISTANCE = 60.0
RADIUS = 5.0
NEIGHBOURS = 10
COPIED = 500
"""Photographs, at most, of which copies are made."""


class Photographs(NamedTuple):
    """What was read of some folders."""

    described: Numbers
    """Features, a row a photograph."""
    classes: NDArray[np.str_]
    """Names of the folders they are in."""
    paths: list[Path]


class Projection(NamedTuple):
    """A fit, as it is stored."""

    mean: NDArray[np.float32]
    basis: NDArray[np.float16]
    spread: NDArray[np.float32]

    def __call__(self, described: Numbers) -> Numbers:
        """Return the descriptors of features."""
        return np.asarray((described - self.mean) @ self.basis.astype(np.float64))


def read(folders: Iterable[Path]) -> Photographs:
    """Read all photographs below folders; what cannot be read is left out and named."""
    found: list[tuple[Numbers, Path]] = []
    for path in sorted(path for folder in folders for path in folder.rglob("*.*")):
        if path.suffix.lower() not in {".jpg", ".jpeg", ".png", ".webp"}:
            continue
        try:
            found.append((features(decode(path.read_bytes())), path))
        except ImageRefused as error:
            print(f"left out {path.name}: {error}")
    if len(found) <= DIMENSIONS:
        raise SystemExit(f"more than {DIMENSIONS} photographs are needed, there are {len(found)}")
    described, paths = zip(*found, strict=True)
    classes = np.array([path.parent.name for path in paths])
    return Photographs(np.stack(described), classes, list(paths))


def fit(described: Numbers) -> Projection:
    """Take the directions in which photographs differ most, scaled to the usual distance."""
    mean = described.mean(0).astype(np.float32)
    centred = described - mean
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    # The sign of a direction is arbitrary: fix it, so that the fit is the same everywhere.
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(1)])
    basis = (directions * signs[:, None])[:DIMENSIONS].T
    scale = RANDOM_DISTANCE / np.median(distances(centred @ basis))
    scaled = (basis * scale).astype(np.float16)
    return Projection(mean, scaled, (centred @ scaled).std(0).astype(np.float32))


def distances(vectors: Numbers) -> Numbers:
    """Return the distances of all pairs, shape (pairs,)."""
    squares = np.einsum("vd,vd->v", vectors, vectors)
    apart = squares[:, None] + squares - 2 * (vectors @ vectors.T)
    return np.asarray(np.sqrt(np.maximum(apart[np.triu_indices(len(vectors), 1)], 0)))


def precision(vectors: Numbers, classes: NDArray[np.str_]) -> float:
    """Return the share of the nearest that are of the query's class, over all queries."""
    squares = np.einsum("vd,vd->v", vectors, vectors)
    right = 0
    for at, vector in enumerate(vectors):
        apart = squares - 2 * (vectors @ vector)
        apart[at] = np.inf
        nearest = np.argpartition(apart, NEIGHBOURS)[:NEIGHBOURS]
        right += int((classes[nearest] == classes[at]).sum())
    return right / (NEIGHBOURS * len(vectors))


def saved(picture: Image.Image, format: str = "JPEG", **settings: Any) -> bytes:
    """Return a picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, format, **settings)
    return buffer.getvalue()


def resized(picture: Image.Image, side: int) -> bytes:
    """Return a picture whose longer side has so many pixels, as a file."""
    factor = side / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return saved(picture.resize(size, Image.Resampling.LANCZOS), quality=90)


COPIES: Mapping[str, Callable[[Image.Image], bytes]] = {
    "JPEG of quality 60": lambda picture: saved(picture, quality=60),
    "JPEG of quality 75": lambda picture: saved(picture, quality=75),
    "JPEG of quality 95": lambda picture: saved(picture, quality=95),
    "PNG": lambda picture: saved(picture, "PNG"),
    "WEBP of quality 75": lambda picture: saved(picture, "WEBP", quality=75),
    "200 pixels": lambda picture: resized(picture, 200),
    "300 pixels": lambda picture: resized(picture, 300),
    "512 pixels": lambda picture: resized(picture, 512),
    "5 % brighter": lambda picture: saved(ImageEnhance.Brightness(picture).enhance(1.05)),
    "5 % darker": lambda picture: saved(ImageEnhance.Brightness(picture).enhance(0.95)),
    "2 % cut off each side": lambda picture: saved(
        picture.crop(
            (
                picture.width // 50,
                picture.height // 50,
                picture.width - picture.width // 50,
                picture.height - picture.height // 50,
            )
        )
    ),
}


def tell(photographs: Photographs, project: Projection) -> None:
    """Print what the projection is worth on some photographs."""
    vectors = project(photographs.described)
    apart = distances(vectors)
    names, counts = np.unique(photographs.classes, return_counts=True)
    print(f"{len(vectors)} photographs in {len(names)} classes")
    print(f"pairs: median {np.median(apart):.1f}, 1 in 1000 below {np.quantile(apart, 0.001):.1f}")
    print(f"pairs within {RADIUS:g}: {int((apart <= RADIUS).sum())} of {len(apart)}")
    if len(names) > 1:
        chance = float(((counts / counts.sum()) ** 2).sum())
        found = precision(vectors, photographs.classes)
        print(f"precision@{NEIGHBOURS}: {found:.3f} (chance {chance:.3f})")
    step = -(-len(vectors) // COPIED)
    sources = list(zip(photographs.paths[::step], vectors[::step], strict=True))
    for name, copy in COPIES.items():
        moved = [moved_by(copy, path, vector, project) for path, vector in sources]
        share = np.mean(np.array(moved) <= RADIUS)
        print(f"{name}: {share:.1%} within {RADIUS:g}, 97 % within {np.quantile(moved, 0.97):.1f}")


def moved_by(
    copy: Callable[[Image.Image], bytes], path: Path, vector: Numbers, project: Projection
) -> float:
    """Return how far a copy lies from its original."""
    with Image.open(path) as image:
        data = copy(image.convert("RGB"))
    return float(np.linalg.norm(project(features(decode(data))) - vector))


def main() -> None:
    """Fit, write and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, nargs="+", help="where the photographs are")
    parser.add_argument("--check", type=Path, nargs="+", help="photographs to tell figures of")
    parser.add_argument("-o", "--output", type=Path, default=Path("projection.npz"))
    given = parser.parse_args()
    photographs = read(given.folder)
    projection = fit(photographs.described)
    np.savez_compressed(given.output, **projection._asdict())
    print(f"{given.output}: {given.output.stat().st_size} bytes")
    tell(photographs, projection)
    if given.check:
        print("\nnot seen by the fit:")
        tell(read(given.check), projection)


if __name__ == "__main__":
    main()
