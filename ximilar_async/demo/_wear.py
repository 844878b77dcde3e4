"""Things to wear: shoes, T-shirts, dresses and caps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._outlines import closed, ellipse, flipped, stroke, symmetric
from ._parts import Part
from ._style import RUBBER, chance, rod, seam

if TYPE_CHECKING:
    from ._outlines import Points
    from ._style import Style

_LOW, _HIGH = 0.42, 0.27
_NECKS = (0.19, 0.21, 0.27)


def shoe(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a sneaker, its toe to the right."""
    top = _HIGH if chance(rng, 0.33) else _LOW
    sole = float(rng.uniform(0.06, 0.09))
    trim = style.trim("leather")
    return [
        *_upper(style, rng, top),
        *_side(style, rng),
        Part(outline=_throat(top), paint=trim, depth=0.02, lift=0.006),
        *_laces(top),
        Part(outline=_tread(0.745 + sole), paint=RUBBER, depth=0.035, lift=0.006),
        seam(
            [(0.09, 0.757), (0.5, 0.765), (0.75, 0.757), (0.945, 0.728)],
            trim,
            width=0.012,
            shade=0.9,
        ),
    ]


def _upper(style: Style, rng: np.random.Generator, top: float) -> list[Part]:
    inside = closed(
        (0.13, top), (0.22, top - 0.035), (0.36, top - 0.045), (0.47, top - 0.065),
        (0.44, top + 0.06), (0.26, top + 0.08), (0.16, top + 0.05),
    )  # fmt: skip
    body = closed(
        (0.09, 0.745, 1), (0.08, 0.62), (0.095, top + 0.08), (0.115, top - 0.02),
        (0.15, top - 0.025), (0.20, top + 0.03), (0.30, top + 0.045), (0.40, top - 0.01),
        (0.455, top - 0.07), (0.50, top - 0.065), (0.565, 0.46), (0.66, 0.525), (0.78, 0.56),
        (0.885, 0.605), (0.93, 0.68), (0.925, 0.745, 1),
    )  # fmt: skip
    toe = closed(
        (0.765, 0.72, 1), (0.755, 0.64), (0.79, 0.565), (0.885, 0.605), (0.93, 0.68),
        (0.925, 0.72, 1),
    )  # fmt: skip
    heel = closed(
        (0.09, 0.72, 1), (0.08, 0.62), (0.095, top + 0.08), (0.115, top + 0.03),
        (0.19, top + 0.10), (0.215, 0.62), (0.235, 0.72, 1),
    )  # fmt: skip
    trim = style.trim("leather")
    return [
        Part(outline=inside, paint=trim, shade=0.5, depth=0.03, lift=0),
        Part(outline=body, paint=style.sized(0.85), depth=0.13, lift=0),
        Part(outline=toe, paint=RUBBER if chance(rng) else trim, depth=0.06, lift=0.004),
        Part(outline=heel, paint=trim, depth=0.05, lift=0.004),
    ]


def _tread(bottom: float) -> Points:
    return closed(
        (0.075, 0.715), (0.25, 0.725), (0.5, 0.725), (0.75, 0.715), (0.935, 0.685),
        (0.955, 0.72), (0.945, bottom - 0.02), (0.90, bottom), (0.70, bottom, 1),
        (0.30, bottom, 1), (0.11, bottom), (0.07, bottom - 0.03),
    )  # fmt: skip


def _throat(top: float) -> Points:
    return closed(
        (0.42, top - 0.025, 1), (0.50, top - 0.065), (0.565, 0.46), (0.67, 0.525),
        (0.665, 0.575, 1), (0.55, 0.525), (0.47, top + 0.05), (0.42, top + 0.03, 1),
    )  # fmt: skip


def _side(style: Style, rng: np.random.Generator) -> list[Part]:
    paint = style.trim("leather")
    if chance(rng):
        bars = [(0.36, 0.0), (0.43, 0.012), (0.50, 0.03)]
        return [rod([(x, 0.72), (x + 0.07, 0.55 + y)], paint, 0.026, lift=0.003) for x, y in bars]
    sweep = closed(
        (0.27, 0.66, 1), (0.34, 0.69), (0.46, 0.675), (0.60, 0.60), (0.695, 0.545, 1),
        (0.60, 0.64), (0.46, 0.72), (0.33, 0.725),
    )  # fmt: skip
    return [Part(outline=sweep, paint=paint, depth=0.015, lift=0.003)]


def _laces(top: float) -> list[Part]:
    start, end = np.array([0.475, top]), np.array([0.635, 0.532])
    along = (end - start) / np.hypot(*(end - start))
    across = np.array([along[1], -along[0]]) * 0.034
    parts = []
    for share in np.linspace(0.06, 0.97, 6):
        middle = start + share * (end - start)
        left, right = middle + along * 0.012 - across, middle - along * 0.012 + across
        ends = [(float(x), float(y)) for x, y in (left, right)]
        parts.append(rod(ends, RUBBER, 0.02, lift=0.006))
    return parts


def t_shirt(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a T-shirt, laid flat."""
    neck = _NECKS[int(rng.integers(3))]
    wide = float(rng.uniform(-0.015, 0.025))
    bend = 0.155 + 0.25 * (neck - 0.19)
    torso = symmetric(
        (0.5, neck), (0.57, bend), (0.60, 0.12, 1), (0.69, 0.145), (0.74, 0.165, 1), (0.725, 0.28),
        (0.70 + wide, 0.37), (0.695 + wide, 0.62), (0.705 + wide, 0.87, 1), (0.60, 0.882),
        (0.5, 0.882),
    )  # fmt: skip
    back = closed(
        (0.40, 0.12, 1), (0.5, 0.105), (0.60, 0.12, 1), (0.57, 0.19), (0.5, 0.23), (0.43, 0.19)
    )
    collar = stroke(
        [(0.403, 0.122), (0.435, bend), (0.5, neck + 0.004), (0.565, bend), (0.597, 0.122)], 0.024
    )
    hem = [(0.295 - wide, 0.855), (0.5, 0.865), (0.705 + wide, 0.855)]
    return [
        Part(outline=back, paint=style.plain(), shade=0.62, form="flat", lift=0),
        *_sleeves(style, long=chance(rng, 0.3)),
        Part(outline=torso, paint=style.main, depth=0.09, folds=0.45, lift=0.008),
        Part(outline=collar, paint=style.trim("cloth"), depth=0.012, lift=0.004),
        seam(hem, style.plain(), width=0.005, shade=0.72),
    ]


def _sleeves(style: Style, *, long: bool) -> list[Part]:
    if long:
        sleeve = closed(
            (0.66, 0.14), (0.74, 0.165), (0.83, 0.27), (0.89, 0.55), (0.925, 0.80, 1),
            (0.835, 0.825, 1), (0.79, 0.60), (0.735, 0.42), (0.67, 0.36),
        )  # fmt: skip
        cuff = [(0.922, 0.775), (0.83, 0.80)]
    else:
        sleeve = closed(
            (0.66, 0.14), (0.74, 0.165), (0.83, 0.235), (0.935, 0.375, 1), (0.825, 0.465, 1),
            (0.765, 0.40), (0.67, 0.36),
        )  # fmt: skip
        cuff = [(0.92, 0.355), (0.808, 0.448)]
    parts = []
    for outline, edge in ((sleeve, cuff), (flipped(sleeve), [(1 - x, y) for x, y in cuff])):
        parts.append(Part(outline=outline, paint=style.main, depth=0.06, folds=0.35, lift=0))
        parts.append(seam(edge, style.plain(), width=0.005, shade=0.72))
    return parts


def dress(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a dress, hung up."""
    waist, neck = float(rng.uniform(0.40, 0.46)), float(rng.uniform(0.13, 0.2))
    cloth = style.sized(0.9)
    back = symmetric((0.5, 0.10), (0.575, 0.06, 1), (0.56, 0.14), (0.5, neck + 0.03))
    bodice = symmetric(
        (0.5, neck), (0.56, 0.12), (0.575, 0.055, 1), (0.635, 0.06, 1), (0.63, 0.16),
        (0.665, 0.235), (0.655, 0.30), (0.605, waist, 1), (0.5, waist + 0.01),
    )  # fmt: skip
    belt = symmetric(
        (0.5, waist - 0.022), (0.605, waist - 0.028, 1), (0.604, waist + 0.012, 1),
        (0.5, waist + 0.02),
    )  # fmt: skip
    sleeve = closed(
        (0.60, 0.055), (0.64, 0.06), (0.71, 0.11), (0.75, 0.215, 1), (0.675, 0.24, 1), (0.64, 0.2)
    )
    sleeves = (sleeve, flipped(sleeve)) if chance(rng) else ()
    return [
        Part(outline=back, paint=style.plain(), shade=0.55, form="flat", lift=0),
        *(Part(outline=each, paint=cloth, depth=0.05, folds=0.4, lift=0) for each in sleeves),
        Part(outline=_skirt(rng, waist), paint=cloth, depth=0.10, folds=1.3, lift=0),
        Part(outline=bodice, paint=cloth, depth=0.07, folds=0.35, lift=0.004),
        Part(outline=belt, paint=style.trim("leather"), depth=0.02, lift=0.006),
    ]


def _skirt(rng: np.random.Generator, waist: float) -> Points:
    wide, long = float(rng.uniform(0.26, 0.36)), float(rng.uniform(0.86, 0.95))
    return symmetric(
        (0.5, waist - 0.01), (0.603, waist - 0.012, 1), (0.68, waist + 0.13),
        (0.5 + wide * 0.86, long - 0.14), (0.5 + wide, long - 0.015, 1),
        (0.5 + wide * 0.66, long + 0.008), (0.5 + wide * 0.33, long - 0.004), (0.5, long + 0.008),
    )  # fmt: skip


def cap(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a cap with a visor, its front to the right."""
    tall = float(rng.uniform(0.20, 0.27))
    button = (0.43, tall - 0.012)
    dome = closed(
        (0.135, 0.645, 1), (0.14, 0.50), (0.20, tall + 0.13), (0.33, tall + 0.01),
        (0.46, tall - 0.01), (0.60, tall + 0.05), (0.69, tall + 0.19), (0.72, 0.60, 1),
        (0.55, 0.665), (0.33, 0.68),
    )  # fmt: skip
    visor = closed(
        (0.42, 0.655, 1), (0.58, 0.60), (0.715, 0.575), (0.83, 0.60), (0.93, 0.675),
        (0.94, 0.705), (0.90, 0.715), (0.74, 0.685), (0.58, 0.69),
    )  # fmt: skip
    rim = [(0.46, 0.66), (0.60, 0.625), (0.72, 0.605), (0.82, 0.625), (0.905, 0.685)]
    return [
        Part(outline=ellipse(*button, 0.032, 0.02), paint=style.trim("cloth"), depth=0.02, lift=0),
        Part(outline=dome, paint=style.sized(0.9), depth=0.17, folds=0.25, lift=0),
        *_panels(style, tall, button),
        Part(outline=visor, paint=style.trim("cloth"), depth=0.035, lift=0.012),
        seam(rim, style.trim(), width=0.004, shade=0.72),
    ]


def _panels(style: Style, tall: float, button: tuple[float, float]) -> list[Part]:
    seams = [
        [button, (0.30, tall + 0.10), (0.245, 0.47), (0.26, 0.665)],
        [button, (0.55, tall + 0.12), (0.60, 0.45), (0.585, 0.65)],
        [button, (0.425, tall + 0.15), (0.42, 0.48), (0.43, 0.672)],
        [(0.138, 0.61), (0.33, 0.645), (0.55, 0.628), (0.715, 0.565)],
    ]
    holes = [(0.335, tall + 0.16), (0.51, tall + 0.15), (0.225, tall + 0.2)]
    ink = style.trim()
    return [
        *(seam(nodes, style.plain(), shade=0.68) for nodes in seams),
        *(Part(outline=ellipse(*hole, 0.009), paint=ink, form="flat", shade=0.8, lift=0)
          for hole in holes),
    ]  # fmt: skip
