"""Photographs for benchmarks: JPEG files of 400 x 300 pixels and about 50 kB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

COUNT = 50
SIZE = (400, 300)
QUALITY = 87


def draw(
    folder: Path, *, count: int = COUNT, size: tuple[int, int] = SIZE, quality: int = QUALITY
) -> None:
    """Write images that differ and that compress about as photographs do.

    Args:
        folder: Where to; it is made.
        count: How many.
        size: Width and height in pixels.
        quality: Of the JPEG; with 92, 1600 x 1200 pixels make 1 MB.
    """
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(count):
        grain = random.integers(0, 60, (size[1], size[0], 3), dtype=np.uint8)
        image = Image.fromarray(_scene(random, size) + grain)
        image.save(folder / f"{number:04}.jpg", quality=quality)


def _scene(random: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
    rough = random.integers(0, 190, (12, 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC))
