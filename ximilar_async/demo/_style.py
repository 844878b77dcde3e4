"""The colours and materials of one product, and pieces that many products share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from ._outlines import stroke
from ._parts import Paint, Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from ._outlines import Node
    from ._parts import Colour, Texture

STEEL: Final = Paint(colour=(0.72, 0.73, 0.75), gloss=0.55)
BRASS: Final = Paint(colour=(0.80, 0.64, 0.34), gloss=0.55)
RUBBER: Final = Paint(colour=(0.95, 0.94, 0.91), gloss=0.12)
WALNUT: Final = Paint(colour=(0.42, 0.27, 0.17), texture="wood", gloss=0.15)
OAK: Final = Paint(colour=(0.78, 0.60, 0.40), texture="wood", gloss=0.12)
BLACK: Final = Paint(colour=(0.10, 0.10, 0.11), gloss=0.25)
TAN: Final = Paint(colour=(0.62, 0.40, 0.22), texture="leather", gloss=0.15)


@frozen(kw_only=True)
class Style:
    """What was chosen for one product; its kind decides what goes where."""

    main: Paint
    accent: Colour
    metal: Paint = STEEL
    wood: Paint = OAK

    def trim(self, texture: Texture = "smooth", gloss: float = 0.12) -> Paint:
        """Return the paint of smaller pieces."""
        return Paint(colour=self.accent, texture=texture, gloss=gloss)

    def plain(self) -> Paint:
        """Return the main paint without its pattern."""
        return evolve(self.main, pattern="plain")

    def sized(self, scale: float, slant: float = 0.0) -> Paint:
        """Return the main paint with its pattern larger or smaller, and turned."""
        return evolve(self.main, scale=scale, slant=self.main.slant + slant)


def seam(nodes: Sequence[Node], paint: Paint, *, width: float = 0.006, shade: float = 0.6) -> Part:
    """Return a thin line, such as a seam."""
    paint = evolve(paint, pattern="plain", texture="smooth")
    return Part(outline=stroke(nodes, width), paint=paint, form="flat", lift=0, shade=shade)


def rod(nodes: Sequence[Node], paint: Paint, *widths: float, lift: float = 0.008) -> Part:
    """Return something long and round, such as a leg or a handle."""
    return Part(outline=stroke(nodes, *widths), paint=paint, depth=max(widths) * 0.7, lift=lift)


def chance(rng: np.random.Generator, share: float = 0.5) -> bool:
    """Return True in a share of all cases."""
    return bool(rng.random() < share)
