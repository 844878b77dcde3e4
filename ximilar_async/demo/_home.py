"""Things for the home: mugs, chairs, lamps, armchairs and vases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._outlines import box, closed, ellipse, flipped, symmetric
from ._parts import Paint, Part
from ._style import chance, rod, seam

if TYPE_CHECKING:
    import numpy as np

    from ._outlines import Node
    from ._style import Style

_GLAZE = Paint(colour=(0.96, 0.95, 0.93), gloss=0.3)
_COFFEE = Paint(colour=(0.22, 0.12, 0.07), gloss=0.4)


def mug(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a mug, its handle to the right."""
    top, taper = float(rng.uniform(0.20, 0.30)), float(rng.uniform(-0.015, 0.04))
    right, low, middle, half = 0.62, 0.80, 0.41, 0.21
    handle: list[Node] = [
        (right - 0.02, top + 0.10), (right + 0.12, top + 0.10), (right + 0.17, top + 0.23),
        (right + 0.10, low - 0.17), (right - 0.03, low - 0.14),
    ]  # fmt: skip
    body = symmetric(
        (middle, top + 0.04), (right, top, 1), (right - taper * 0.5, (top + low) / 2),
        (right - taper, low - 0.06), (right - taper - 0.03, low), (middle + half * 0.5, low + 0.03),
        (middle, low + 0.038), axis=middle,
    )  # fmt: skip
    rim, inside = (
        ellipse(middle, top, half, 0.052),
        ellipse(middle, top + 0.003, half - 0.02, 0.041),
    )
    reach = half - 0.05
    coffee = closed(
        (middle - reach, top + 0.02), (middle, top + 0.004), (middle + reach, top + 0.02),
        (middle, top + 0.043),
    )  # fmt: skip
    within = style.trim(gloss=0.3) if chance(rng) else _GLAZE
    parts = [
        rod(handle, style.plain(), 0.055, 0.05, 0.055),
        Part(outline=body, paint=style.sized(0.8), form="round", lift=0),
        Part(outline=rim, paint=style.plain(), depth=0.01, shade=1.06, lift=0),
        Part(outline=inside, paint=within, depth=0.03, shade=0.72, lift=0),
    ]
    if chance(rng, 0.4):
        parts.append(Part(outline=coffee, paint=_COFFEE, form="flat", lift=0))
    return parts


def chair(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a wooden chair, seen from the front and above."""
    wood, thick = style.wood, float(rng.uniform(0.028, 0.042))
    high = float(rng.uniform(0.08, 0.16))
    return [
        rod([(0.375, 0.50), (0.38, 0.83)], wood, thick, thick * 0.75),
        rod([(0.765, 0.53), (0.80, 0.87)], wood, thick, thick * 0.75),
        rod([(0.37, 0.52), (0.355, high + 0.03)], wood, thick),
        rod([(0.765, 0.54), (0.785, high + 0.055)], wood, thick),
        *_chair_back(style, rng, high, thick),
        rod([(0.235, 0.76), (0.385, 0.68)], wood, thick * 0.6),
        rod([(0.69, 0.80), (0.785, 0.71)], wood, thick * 0.6),
        rod([(0.225, 0.62), (0.20, 0.935)], wood, thick * 1.1, thick * 0.75),
        rod([(0.65, 0.66), (0.675, 0.985)], wood, thick * 1.1, thick * 0.75),
        *_chair_seat(style),
    ]


def _chair_seat(style: Style) -> list[Part]:
    board = closed((0.20, 0.60, 1), (0.67, 0.645, 1), (0.775, 0.515, 1), (0.355, 0.48, 1))
    edge = closed((0.20, 0.60, 1), (0.67, 0.645, 1), (0.67, 0.69, 1), (0.20, 0.642, 1))
    side = closed((0.67, 0.645, 1), (0.775, 0.515, 1), (0.775, 0.555, 1), (0.67, 0.69, 1))
    cushion = closed(
        (0.225, 0.59), (0.44, 0.61), (0.655, 0.628), (0.705, 0.575), (0.748, 0.518), (0.56, 0.49),
        (0.372, 0.475), (0.295, 0.53),
    )  # fmt: skip
    return [
        Part(outline=edge, paint=style.wood, depth=0.012, shade=0.9, lift=0.01),
        Part(outline=side, paint=style.wood, depth=0.012, shade=0.72, lift=0.01),
        Part(outline=board, paint=style.wood, depth=0.012, lift=0),
        Part(outline=cushion, paint=style.sized(0.8), depth=0.045, lift=0.012),
    ]


def _chair_back(style: Style, rng: np.random.Generator, high: float, thick: float) -> list[Part]:
    wood, look = style.wood, ("padded", "ladder", "spindles")[int(rng.integers(3))]
    if look == "padded":
        board = closed(
            (0.345, high + 0.02), (0.56, high - 0.005), (0.80, high + 0.04), (0.795, high + 0.14),
            (0.775, high + 0.24), (0.56, high + 0.215), (0.36, high + 0.215), (0.352, high + 0.12),
        )  # fmt: skip
        return [Part(outline=board, paint=style.sized(0.8), depth=0.045)]
    rail = rod([(0.345, high + 0.025), (0.57, high + 0.02), (0.80, high + 0.05)], wood, thick * 1.9)
    if look == "ladder":
        steps = [
            [(0.36, high + y), (0.57, high + y), (0.785, high + y + 0.025)] for y in (0.135, 0.235)
        ]
        return [*(rod(nodes, wood, thick * 1.2) for nodes in steps), rail]
    spindles = [
        [(0.37 + x * 0.40, 0.50 + x * 0.03), (0.36 + x * 0.43, high + 0.04)]
        for x in (0.2, 0.4, 0.6, 0.8)
    ]
    return [*(rod(nodes, wood, thick * 0.6) for nodes in spindles), rail]


def lamp(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a table lamp."""
    low, high = float(rng.uniform(0.44, 0.52)), float(rng.uniform(0.07, 0.11))
    top, wide = float(rng.uniform(0.11, 0.2)), float(rng.uniform(0.25, 0.31))
    shade = symmetric(
        (0.5, high + 0.008), (0.5 + top, high, 1), (0.5 + wide, low, 1),
        (0.5 + wide * 0.5, low + 0.03), (0.5, low + 0.038),
    )  # fmt: skip
    rim, opening = ellipse(0.5, low, wide, 0.034), ellipse(0.5, high, top, 0.016)
    foot = ellipse(0.5, 0.915, 0.155, 0.035)
    plate = closed(
        (0.345, 0.915, 1), (0.655, 0.915, 1), (0.652, 0.935), (0.5, 0.972), (0.348, 0.935)
    )
    plain = style.plain()
    return [
        Part(outline=plate, paint=style.metal, form="round", lift=0),
        Part(outline=foot, paint=style.metal, depth=0.02, lift=0),
        *_lamp_base(style, rng, low),
        Part(outline=rim, paint=plain, shade=0.7, depth=0.02, glow=0.35, lift=0),
        Part(outline=shade, paint=style.sized(0.9), form="round", glow=0.16, lift=0),
        Part(outline=opening, paint=plain, form="flat", shade=0.75, glow=0.4, lift=0),
    ]


def _lamp_base(style: Style, rng: np.random.Generator, low: float) -> list[Part]:
    stem = rod([(0.5, low - 0.03), (0.5, 0.91)], style.metal, 0.022, lift=0)
    look = ("stem", "china", "wood")[int(rng.integers(3))]
    if look == "stem":
        return [stem]
    if look == "china":
        belly = symmetric(
            (0.5, 0.60, 1), (0.53, 0.60, 1), (0.535, 0.63), (0.60, 0.70), (0.615, 0.78),
            (0.57, 0.88), (0.54, 0.92, 1), (0.5, 0.925),
        )  # fmt: skip
        return [stem, Part(outline=belly, paint=style.trim(gloss=0.4), form="round", lift=0)]
    belly = symmetric(
        (0.5, 0.58, 1), (0.525, 0.58, 1), (0.53, 0.64), (0.575, 0.67), (0.535, 0.71), (0.56, 0.80),
        (0.59, 0.86), (0.58, 0.915, 1), (0.5, 0.925),
    )  # fmt: skip
    return [stem, Part(outline=belly, paint=style.wood, form="round", lift=0)]


def armchair(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return an armchair, seen from the front."""
    high, arm = float(rng.uniform(0.14, 0.24)), float(rng.uniform(0.42, 0.50))
    cloth = style.sized(0.85)
    back = box(0.22, high, 0.78, 0.72, float(rng.uniform(0.03, 0.11)))
    seat = closed(
        (0.255, 0.60), (0.28, 0.575), (0.5, 0.562), (0.72, 0.575), (0.745, 0.60), (0.745, 0.675),
        (0.72, 0.705), (0.5, 0.715), (0.28, 0.705), (0.255, 0.675),
    )  # fmt: skip
    rest = closed(
        (0.11, arm + 0.06), (0.125, arm + 0.012), (0.185, arm), (0.245, arm + 0.012),
        (0.262, arm + 0.06), (0.26, 0.83, 1), (0.13, 0.83, 1),
    )  # fmt: skip
    feet = [(0.17, 0.155), (0.83, 0.845), (0.27, 0.265), (0.73, 0.735)]
    return [
        *(rod([(x, 0.82), (end, 0.925)], style.wood, 0.034, 0.02, lift=0) for x, end in feet),
        Part(outline=back, paint=cloth, depth=0.10, lift=0),
        Part(
            outline=box(0.20, 0.66, 0.80, 0.84, 0.02), paint=cloth, depth=0.03, shade=0.85, lift=0
        ),
        Part(outline=seat, paint=cloth, depth=0.06, lift=0.02),
        *(_pillow(style, high) if chance(rng) else []),
        *(Part(outline=each, paint=cloth, depth=0.07, lift=0.02) for each in (rest, flipped(rest))),
        seam([(0.26, 0.735), (0.5, 0.74), (0.74, 0.735)], style.plain(), width=0.005),
    ]


def _pillow(style: Style, high: float) -> list[Part]:
    outline = closed(
        (0.36, high + 0.16), (0.5, high + 0.15), (0.64, high + 0.16), (0.655, 0.50),
        (0.645, 0.585), (0.5, 0.575), (0.355, 0.585), (0.345, 0.50),
    )  # fmt: skip
    return [Part(outline=outline, paint=style.trim("cloth"), depth=0.09, lift=0.018)]


def vase(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a vase, turned on a wheel."""
    neck, top = float(rng.uniform(0.06, 0.15)), float(rng.uniform(0.08, 0.18))
    belly, at = float(rng.uniform(0.19, 0.29)), float(rng.uniform(0.42, 0.66))
    lip, foot = neck + float(rng.uniform(0, 0.06)), float(rng.uniform(0.09, 0.16))
    body = symmetric(
        (0.5, top + 0.02), (0.5 + lip, top, 1), (0.5 + neck, top + 0.06),
        (0.5 + neck * 1.05, top + 0.3 * (at - top)), (0.5 + belly, at),
        (0.5 + (belly + foot) / 2, (at + 0.92) / 2 + 0.05), (0.5 + foot, 0.90, 1),
        (0.5 + foot * 0.6, 0.915), (0.5, 0.922),
    )  # fmt: skip
    flat = lip * 0.17 + 0.006
    rim, inside = ellipse(0.5, top, lip, flat), ellipse(0.5, top + 0.002, lip - 0.014, flat * 0.78)
    plain = style.plain()
    return [
        Part(outline=body, paint=style.sized(0.85), form="round", lift=0),
        Part(outline=rim, paint=plain, depth=0.01, shade=1.05, lift=0),
        Part(outline=inside, paint=plain, shade=0.4, form="flat", lift=0),
    ]
