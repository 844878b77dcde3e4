"""What a product is made of: parts, each an outline with a paint and a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from ._outlines import Points

Colour: TypeAlias = tuple[float, float, float]
"""Red, green and blue, 0 to 1."""

PatternName: TypeAlias = Literal["plain", "striped", "dotted", "checked", "speckled"]
Texture: TypeAlias = Literal["smooth", "cloth", "leather", "wood"]


@frozen(kw_only=True)
class Paint:
    """The colours of a surface, and what is printed, woven or grown on it."""

    colour: Colour
    second: Colour = (1.0, 1.0, 1.0)
    """The pattern's other colour."""
    pattern: PatternName = "plain"
    scale: float = 1.0
    """Size of the pattern; 1 is usual."""
    slant: float = 0.0
    """By how much the pattern is turned, in radians."""
    texture: Texture = "smooth"
    gloss: float = 0.1
    """How bright the light is mirrored, 0 to 1."""


@frozen(kw_only=True)
class Part:
    """One piece of a product, drawn over those before it."""

    outline: Points
    paint: Paint
    holes: tuple[Points, ...] = ()
    form: Literal["puff", "round", "flat"] = "puff"
    """How the light falls: on a cushion, on something turned on a lathe, on a plate."""
    depth: float = 0.05
    """How far from its edge a cushion bends, in units of the square."""
    folds: float = 0.0
    """How strongly a cloth hangs in folds."""
    lift: float = 0.012
    """How far it stands before the parts behind it, which it shadows."""
    shade: float = 1.0
    """Brightness, such as less of 1 for an inside."""
    glow: float = 0.0
    """Light of its own, 0 to 1."""
