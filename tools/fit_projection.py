"""Fit the projection of the emulator's descriptors to a set of photographs.

    python tools/fit_projection.py FOLDER [-o projection.npz]

The folder holds one folder of photographs for each class. The fit is deterministic; the figures
that are printed say what it is worth: how far apart random pairs are, how many re-encoded and
resized copies lie within the radius of near-duplicates, and how often neighbours are of one class.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ximilar_async.emulator.descriptor import ImageRefused, decode
from ximilar_async.emulator.features import features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DIMENSIONS = 128
RANDOM_DISTANCE = 60.0
RADIUS = 5.0


def read(folder: Path) -> tuple[Floats, list[str], list[Path]]:
    """Return the features, classes and paths of all photographs that can be read."""
    described, classes, paths = [], [], []
    for path in sorted(folder.rglob("*.jpg")):
        try:
            described.append(features(decode(path.read_bytes())))
        except ImageRefused as error:
            print(f"left out {path.name}: {error}")
            continue
        classes.append(path.parent.name)
        paths.append(path)
    return np.stack(described), classes, paths


def fit(described: Floats) -> tuple[Floats, Floats]:
    """Return mean and basis, scaled so that random pairs lie RANDOM_DISTANCE apart."""
    mean = described.mean(0)
    centred = described - mean
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    # The sign of a direction is arbitrary: fix it, so that the fit is the same everywhere.
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(1)])
    basis = (directions * signs[:, None])[:DIMENSIONS].T
    scale = RANDOM_DISTANCE / np.median(random_distances(centred @ basis))
    return mean.astype(np.float32), (basis * scale).astype(np.float16)


def random_distances(vectors: Floats) -> Floats:
    """Return the distances of 20,000 random pairs."""
    chosen = np.random.default_rng(1).integers(0, len(vectors), (2, 20_000))
    left, right = chosen[:, chosen[0] != chosen[1]]
    return np.asarray(np.linalg.norm(vectors[left] - vectors[right], axis=1))


def precision(vectors: Floats, classes: list[str], k: int = 10) -> float:
    """Return how many of the k nearest are of the query's class, over all queries."""
    names = np.array(classes)
    squares = (vectors**2).sum(1)
    right = 0
    for at, vector in enumerate(vectors):
        distances = squares - 2 * (vectors @ vector)
        distances[at] = np.inf
        right += int((names[np.argpartition(distances, k)[:k]] == names[at]).sum())
    return right / (k * len(vectors))


def copies(path: Path) -> dict[str, bytes]:
    """Return re-encoded and resized copies of a photograph by what was done to them."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    made = {f"JPEG quality {quality}": jpeg(picture, quality) for quality in (60, 75, 95)}
    for side in (200, 300):
        small = picture.copy()
        small.thumbnail((side, side))
        made[f"resized to {side} px"] = jpeg(small, 90)
    return made


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """Return the picture as a JPEG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def tell(described: Floats, classes: list[str], paths: list[Path], project: object) -> None:
    """Print what the projection is worth on these photographs."""
    assert callable(project)
    vectors = project(described)
    distances = random_distances(vectors)
    print(f"{len(vectors)} photographs, {len(set(classes))} classes")
    print(f"random pairs: median {np.median(distances):.1f}, least {distances.min():.1f}")
    chance = sum((classes.count(name) / len(classes)) ** 2 for name in set(classes))
    print(f"precision@10: {precision(vectors, classes):.3f} (chance {chance:.3f})")
    found: dict[str, list[bool]] = {}
    for path, vector in list(zip(paths, vectors, strict=True))[::10]:
        for name, data in copies(path).items():
            distance = np.linalg.norm(project(features(decode(data))) - vector)
            found.setdefault(name, []).append(bool(distance <= RADIUS))
    for name, hits in found.items():
        print(f"within {RADIUS:g} after {name}: {np.mean(hits):.1%} of {len(hits)}")


def main() -> None:
    """Fit, tell and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="a folder of photographs for each class")
    parser.add_argument("-o", "--output", type=Path, default=Path("projection.npz"))
    given = parser.parse_args()
    described, classes, paths = read(given.folder)
    mean, basis = fit(described)

    def project(values: Floats) -> Floats:
        return np.asarray((values - mean) @ basis.astype(np.float32))

    spread = project(described).std(0).astype(np.float32)
    np.savez_compressed(given.output, mean=mean, basis=basis, spread=spread)
    tell(described, classes, paths, project)
    print(f"{given.output}: {given.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
