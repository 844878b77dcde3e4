"""What a catalog offers: kinds of products, the colours they come in, and one product's facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from attrs import evolve, frozen

from . import _carry, _home, _wear
from ._parts import Paint
from ._render import render
from ._style import BLACK, BRASS, OAK, STEEL, WALNUT, Style
from ._view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from PIL import Image

    from ._parts import Colour, Part, PatternName, Texture
    from ._surfaces import Noise

    Draw: TypeAlias = Callable[[Style, np.random.Generator], list[Part]]

COLOURS: Final[Mapping[str, Colour]] = {
    "red": (0.78, 0.12, 0.15),
    "navy": (0.13, 0.20, 0.42),
    "black": (0.11, 0.11, 0.12),
    "white": (0.94, 0.93, 0.91),
    "green": (0.14, 0.43, 0.29),
    "yellow": (0.93, 0.73, 0.20),
    "pink": (0.91, 0.56, 0.64),
    "teal": (0.10, 0.50, 0.53),
    "brown": (0.47, 0.29, 0.18),
    "beige": (0.83, 0.74, 0.60),
    "grey": (0.54, 0.56, 0.59),
    "orange": (0.90, 0.46, 0.16),
    "purple": (0.43, 0.26, 0.53),
    "blue": (0.45, 0.66, 0.84),
}

_PARTNERS: Final[Mapping[str, Sequence[str]]] = {
    "red": ("white", "navy", "beige"),
    "navy": ("white", "blue", "beige"),
    "black": ("white", "grey", "beige"),
    "white": ("navy", "black", "red", "teal"),
    "green": ("white", "beige", "yellow"),
    "yellow": ("white", "grey", "navy"),
    "pink": ("white", "purple", "beige"),
    "teal": ("white", "beige", "orange"),
    "brown": ("beige", "white", "orange"),
    "beige": ("brown", "white", "navy"),
    "grey": ("white", "black", "yellow"),
    "orange": ("white", "brown", "navy"),
    "purple": ("white", "pink", "grey"),
    "blue": ("white", "navy", "brown"),
}
"""What goes with a colour."""

_ALL: Final[Sequence[PatternName]] = ("plain", "striped", "dotted", "checked")
_GLAZED: Final[Sequence[PatternName]] = ("plain", "striped", "dotted", "speckled")
_GLOSS: Final[Mapping[Texture, float]] = {
    "smooth": 0.4,
    "cloth": 0.03,
    "leather": 0.15,
    "wood": 0.1,
}


_MIRRORED: Final = 0.3
"""Share of products that look to the left: most shops show one side."""


@frozen(kw_only=True)
class Kind:
    """One kind of product."""

    draw: Draw
    noun: str
    department: str
    prices: tuple[int, int]
    """Lowest and highest, in whole units of money."""
    texture: Texture = "cloth"
    patterns: Sequence[PatternName] = _ALL
    standing: bool = True


KINDS: Final[Mapping[str, Kind]] = {
    "shoe": Kind(draw=_wear.shoe, noun="sneaker", department="wear", prices=(39, 140)),
    "t-shirt": Kind(
        draw=_wear.t_shirt, noun="T-shirt", department="wear", prices=(9, 45), standing=False
    ),
    "mug": Kind(
        draw=_home.mug, noun="mug", department="kitchen", prices=(6, 25), texture="smooth",
        patterns=_GLAZED,
    ),
    "chair": Kind(draw=_home.chair, noun="chair", department="living", prices=(60, 320)),
    "handbag": Kind(
        draw=_carry.handbag, noun="handbag", department="bags", prices=(35, 260), texture="leather"
    ),
    "dress": Kind(
        draw=_wear.dress, noun="dress", department="wear", prices=(29, 190), standing=False
    ),
    "lamp": Kind(draw=_home.lamp, noun="table lamp", department="living", prices=(19, 150)),
    "watch": Kind(
        draw=_carry.watch, noun="watch", department="accessories", prices=(45, 390),
        texture="leather", standing=False,
    ),
    "backpack": Kind(draw=_carry.backpack, noun="backpack", department="bags", prices=(25, 120)),
    "vase": Kind(
        draw=_home.vase, noun="vase", department="living", prices=(12, 90), texture="smooth",
        patterns=_GLAZED,
    ),
    "cap": Kind(draw=_wear.cap, noun="cap", department="accessories", prices=(8, 35)),
    "armchair": Kind(draw=_home.armchair, noun="armchair", department="living", prices=(150, 900)),
}  # fmt: skip
"""Every kind, by its category."""


@frozen(kw_only=True)
class Product:
    """One product: what its picture and its record are made from."""

    category: str
    colour: str
    pattern: PatternName
    seed: tuple[int, ...]
    """Decides about its make: lengths, trimmings, metal and wood."""

    @property
    def kind(self) -> Kind:
        """Return what it is one of."""
        return KINDS[self.category]

    @property
    def name(self) -> str:
        """Return what a shop would call it."""
        look = "" if self.pattern == "plain" else f"{self.pattern} "
        return f"{self.colour.capitalize()} {look}{self.kind.noun}"

    def record(self) -> dict[str, Any]:
        """Return its fields, without id and image."""
        rng = np.random.default_rng([*self.seed, 1])
        return {
            "name": self.name,
            "category": self.category,
            "color": self.colour,
            "pattern": self.pattern,
            "price": int(rng.integers(*self.kind.prices)) + 0.9,
            "tags": [self.kind.department, self.category, self.colour, self.pattern],
        }

    def picture(self, view: View, noise: Noise, *, backdrop: Colour) -> Image.Image:
        """Return it as seen from somewhere."""
        rng = np.random.default_rng([*self.seed, 2])
        parts = self.kind.draw(_style(self, rng), rng)
        return render(parts, view, backdrop=backdrop, standing=self.kind.standing, noise=noise)


def _style(product: Product, rng: np.random.Generator) -> Style:
    kind, partners = product.kind, _PARTNERS[product.colour]
    second, accent = (COLOURS[partners[int(rng.integers(len(partners)))]] for _ in range(2))
    cloth = kind.texture == "cloth"
    main = Paint(
        colour=COLOURS[product.colour],
        second=second,
        pattern=product.pattern,
        scale=float(rng.uniform(0.8, 1.35)),
        slant=float(rng.choice([0.0, 0.0, np.pi / 4])) if cloth else 0.0,
        texture=kind.texture,
        gloss=_GLOSS[kind.texture],
    )
    metal, wood = (STEEL, BRASS)[int(rng.integers(2))], (OAK, WALNUT, BLACK)[int(rng.integers(3))]
    return Style(main=main, accent=accent, metal=metal, wood=wood)


def random_view(rng: np.random.Generator, *, standing: bool) -> View:
    """Return a view as a shop's photographer might choose it.

    Args:
        rng: Where chance comes from.
        standing: Whether the product stands, and so cannot be turned much.
    """
    width = int(rng.integers(400, 660))
    tilt = 0.035 if standing else 0.15
    return View(
        size=(width, int(width * rng.uniform(0.9, 1.1))),
        turn=float(rng.uniform(-tilt, tilt)),
        mirrored=bool(rng.random() < _MIRRORED),
        shear=float(rng.uniform(-0.07, 0.07)),
        squeeze=float(rng.uniform(0.88, 1.0)),
        tip=(float(rng.uniform(-0.16, 0.16)), float(rng.uniform(-0.1, 0.1))),
        fill=float(rng.uniform(0.74, 0.86)),
    )


def view_from_elsewhere(view: View) -> View:
    """Return a view of the same product after a step to the side."""
    return evolve(
        view,
        size=(560, round(560 * view.size[1] / view.size[0])),
        turn=view.turn - 0.04,
        shear=view.shear + 0.05,
        squeeze=view.squeeze * 0.95,
        tip=(view.tip[0] * 0.5 - 0.05, view.tip[1] - 0.05),
        fill=view.fill * 0.96,
    )


def random_backdrop(rng: np.random.Generator) -> Colour:
    """Return a plain light ground: mostly white, sometimes tinted."""
    warm, dim = float(rng.uniform(-0.012, 0.012)), float(rng.choice([0.98, 0.97, 0.93]))
    return (dim + warm, dim, dim - warm)


FIRST: Final[tuple[str, PatternName]] = ("red", "striped")
"""The look of every catalog's first product, a sneaker."""


def choose_products(count: int, seed: int) -> list[Product]:
    """Return different products, kinds by turns, each in a look that no other of its kind has.

    After some 650 of them looks are used again, in another make.

    Args:
        count: How many.
        seed: Decides which.
    """
    looks = {}
    for number, (category, kind) in enumerate(KINDS.items()):
        pairs = [(colour, pattern) for pattern in kind.patterns for colour in COLOURS]
        order = np.random.default_rng([seed, 0, number]).permutation(len(pairs))
        looks[category] = [pairs[place] for place in order]
    looks["shoe"].remove(FIRST)
    looks["shoe"].insert(0, FIRST)
    products = []
    for index in range(count):
        category = list(KINDS)[index % len(KINDS)]
        turn = index // len(KINDS)
        colour, pattern = looks[category][turn % len(looks[category])]
        products.append(
            Product(category=category, colour=colour, pattern=pattern, seed=(seed, 1, index))
        )
    return products
