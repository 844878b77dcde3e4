"""Things to carry along: handbags, backpacks and watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._outlines import box, closed, ellipse, flipped, stroke, symmetric
from ._parts import Paint, Part
from ._style import BLACK, TAN, chance, rod, seam

if TYPE_CHECKING:
    from ._outlines import Node, Points
    from ._style import Style

_PALE = Paint(colour=(0.93, 0.93, 0.90))
_BRIGHT = 1.5
"""Half of what white's three channels sum to."""


def handbag(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a handbag with two handles."""
    high, wide = float(rng.uniform(0.10, 0.20)), float(rng.uniform(0.28, 0.34))
    low = wide + float(rng.uniform(0.03, 0.08))
    trim = style.trim("leather", gloss=0.18)
    loop = [
        (0.37, 0.48), (0.375, high + 0.12), (0.43, high + 0.02), (0.5, high), (0.57, high + 0.02),
        (0.625, high + 0.12), (0.63, 0.48),
    ]  # fmt: skip
    body = symmetric(
        (0.5, 0.412), (0.5 + wide * 0.7, 0.416), (0.5 + wide - 0.016, 0.428),
        (0.5 + wide + 0.004, 0.465), (0.5 + wide * 0.4 + low * 0.6, 0.64), (0.5 + low, 0.82),
        (0.5 + low - 0.03, 0.86), (0.5, 0.872),
    )  # fmt: skip
    fold = [(0.53 - low, 0.825), (0.5, 0.84), (0.47 + low, 0.825)]
    closing = _flap(style, wide) if chance(rng) else _button(style, wide)
    tabs = [box(x - 0.022, 0.45, x + 0.022, 0.54, 0.012) for x in (0.37, 0.63)]
    studs = [ellipse(x, 0.495, 0.011) for x in (0.37, 0.63)]
    return [
        rod([(x + 0.015, y - 0.035) for x, y in loop], trim, 0.022, lift=0),
        Part(outline=body, paint=style.main, depth=0.07, lift=0),
        seam(fold, style.plain(), shade=0.7),
        *closing,
        *(Part(outline=tab, paint=trim, depth=0.012, lift=0.004) for tab in tabs),
        rod([(x, y) for x, y in loop], trim, 0.026, lift=0.012),
        *(Part(outline=stud, paint=style.metal, depth=0.008, lift=0) for stud in studs),
    ]


def _flap(style: Style, wide: float) -> list[Part]:
    flap = symmetric(
        (0.5, 0.408), (0.5 + wide * 0.7, 0.412), (0.486 + wide, 0.426), (0.508 + wide, 0.47),
        (0.48 + wide, 0.60), (0.5 + wide * 0.55, 0.66), (0.5, 0.675),
    )  # fmt: skip
    clasp = box(0.465, 0.635, 0.535, 0.70, 0.012)
    return [
        Part(outline=flap, paint=style.main, depth=0.04, lift=0.02),
        Part(outline=clasp, paint=style.metal, depth=0.015),
    ]


def _button(style: Style, wide: float) -> list[Part]:
    return [
        seam([(0.5 - wide, 0.47), (0.5 + wide, 0.47)], style.plain(), shade=0.7),
        Part(outline=ellipse(0.5, 0.52, 0.026), paint=style.metal, depth=0.014),
    ]


def backpack(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a backpack, its pocket to the front."""
    trim = style.trim("leather") if chance(rng) else TAN
    narrow, cloth = float(rng.uniform(-0.02, 0.03)), style.sized(0.85)
    body = symmetric(
        (0.5, 0.135), (0.63, 0.145), (0.725 - narrow, 0.22), (0.765 - narrow, 0.40), (0.785, 0.65),
        (0.785, 0.84), (0.73, 0.90), (0.5, 0.91),
    )  # fmt: skip
    pouch = closed(
        (0.215, 0.60), (0.16, 0.62), (0.15, 0.74), (0.16, 0.85), (0.215, 0.87), (0.26, 0.74)
    )
    pouches = (pouch, flipped(pouch))
    loop: list[Node] = [(0.43, 0.16), (0.44, 0.085), (0.5, 0.07), (0.56, 0.085), (0.57, 0.16)]
    straps = [stroke([(x, 0.24), (x, 0.46)], 0.03) for x in (0.355, 0.645)] if narrow > 0 else []
    zip_: list[Node] = [
        (0.285, 0.46), (0.29, 0.30), (0.36, 0.215), (0.5, 0.195), (0.64, 0.215), (0.71, 0.30),
        (0.715, 0.46),
    ]  # fmt: skip
    return [
        rod(loop, trim, 0.026, lift=0),
        *(
            Part(outline=each, paint=style.plain(), shade=0.8, depth=0.04, lift=0)
            for each in pouches
        ),
        Part(outline=body, paint=cloth, depth=0.13, lift=0.01),
        seam(zip_, BLACK, width=0.011, shade=1.4),
        rod([(0.712, 0.45), (0.716, 0.50)], style.metal, 0.014, lift=0.004),
        *_pocket(style, float(rng.uniform(0.50, 0.58))),
        Part(outline=box(0.435, 0.315, 0.565, 0.40, 0.014), paint=trim, depth=0.012, lift=0.004),
        *(Part(outline=strap, paint=trim, depth=0.012, lift=0.006) for strap in straps),
    ]


def _pocket(style: Style, top: float) -> list[Part]:
    pocket = symmetric(
        (0.5, top), (0.66, top + 0.005), (0.70, top + 0.04), (0.705, 0.72), (0.695, 0.83),
        (0.65, 0.862), (0.5, 0.866),
    )  # fmt: skip
    zip_: list[Node] = [(0.325, top + 0.055), (0.5, top + 0.048), (0.675, top + 0.055)]
    return [
        Part(outline=pocket, paint=style.sized(0.85), depth=0.06, lift=0.02),
        seam(zip_, BLACK, width=0.010, shade=1.4),
        rod([(0.36, top + 0.055), (0.36, top + 0.10)], style.metal, 0.013, lift=0.004),
    ]


def watch(style: Style, rng: np.random.Generator) -> list[Part]:
    """Return a wristwatch, its strap spread out."""
    size, square = float(rng.uniform(0.17, 0.205)), chance(rng, 0.35)
    crown = box(0.5 + size, 0.475, 0.5 + size + 0.035, 0.525, 0.008)
    dial = Paint(colour=style.accent, gloss=0.2)
    return [
        *_strap(style, size * 0.62),
        Part(outline=crown, paint=style.metal, depth=0.012, lift=0),
        Part(outline=_face(size, square=square), paint=style.metal, depth=0.035, lift=0.016),
        Part(outline=_face(size * 0.86, square=square), paint=BLACK, form="flat", lift=0),
        Part(outline=_face(size * 0.83, square=square), paint=dial, depth=0.12, lift=0),
        *_hands(style, rng, size),
    ]


def _face(reach: float, *, square: bool) -> Points:
    if square:
        return box(0.5 - reach, 0.5 - reach, 0.5 + reach, 0.5 + reach, reach * 0.25)
    return ellipse(0.5, 0.5, reach)


def _strap(style: Style, wide: float) -> list[Part]:
    leather = style.sized(0.55)
    upper = symmetric(
        (0.5, 0.045), (0.5 + wide * 0.72, 0.05, 1), (0.5 + wide * 0.8, 0.18),
        (0.5 + wide, 0.40, 1), (0.5, 0.40),
    )  # fmt: skip
    lower = symmetric(
        (0.5, 0.60), (0.5 + wide, 0.60, 1), (0.5 + wide * 0.8, 0.80), (0.5 + wide * 0.72, 0.92),
        (0.5, 0.965),
    )  # fmt: skip
    buckle = box(0.5 - wide * 0.92, 0.03, 0.5 + wide * 0.92, 0.095, 0.016)
    within = box(0.5 - wide * 0.7, 0.046, 0.5 + wide * 0.7, 0.08, 0.008)
    holes = [ellipse(0.5, y, 0.007, 0.009) for y in (0.80, 0.835, 0.87, 0.905)]
    return [
        Part(outline=upper, paint=leather, depth=0.03, lift=0),
        Part(outline=lower, paint=leather, depth=0.03, lift=0),
        Part(outline=buckle, holes=(within,), paint=style.metal, depth=0.014),
        *(Part(outline=hole, paint=BLACK, form="flat", lift=0) for hole in holes),
    ]


def _hands(style: Style, rng: np.random.Generator, size: float) -> list[Part]:
    ink = BLACK if sum(style.accent) > _BRIGHT else _PALE
    marks = [
        seam([_on_dial(hour / 12, size * 0.64), _on_dial(hour / 12, size * 0.75)], ink,
             width=0.006 if hour % 3 else 0.012, shade=1)
        for hour in range(12)
    ]  # fmt: skip
    time = float(rng.uniform(0, 12))
    return [
        *marks,
        seam([(0.5, 0.5), _on_dial(time / 12, size * 0.42)], ink, width=0.016, shade=1),
        seam([(0.5, 0.5), _on_dial(time % 1, size * 0.62)], ink, width=0.011, shade=1),
        Part(outline=ellipse(0.5, 0.5, 0.012), paint=style.metal, depth=0.01, lift=0),
    ]


def _on_dial(turn: float, reach: float) -> tuple[float, float]:
    angle = 2 * np.pi * turn
    return 0.5 + reach * float(np.sin(angle)), 0.5 - reach * float(np.cos(angle))
