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


def draw(folder: Path, *, count: int = COUNT, size: tuple[int, int] = SIZE) -> None:
    """Write images that differ and that compress about as photographs do.

    Args:
        folder: Where to; it is made.
        count: How many.
        size: Width and height in pixels.
    """
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(count):
        grain = random.integers(0, 60, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(_scene(random, size) + grain).save(folder / f"{number:04}.jpg", quality=80)


def _scene(random: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
    rough = random.integers(0, 190, (12, 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC))
