"""Rendering: products are where and what they should be, from any side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import ImageChops, ImageStat

from ximilar_async.demo._outlines import box, closed, ellipse, flipped, stroke, symmetric
from ximilar_async.demo._parts import Paint, Part
from ximilar_async.demo._products import (
    COLOURS,
    KINDS,
    Product,
    choose_products,
    random_backdrop,
    random_view,
)
from ximilar_async.demo._render import render
from ximilar_async.demo._surfaces import make_noise
from ximilar_async.demo._view import View, aim

if TYPE_CHECKING:
    from PIL import Image

    from ximilar_async.demo._parts import PatternName

NOISE = make_noise(np.random.default_rng(0))
WHITE = (1.0, 1.0, 1.0)


def picture(
    category: str, view: View, colour: str = "red", pattern: PatternName = "plain"
) -> Image.Image:
    product = Product(category=category, colour=colour, pattern=pattern, seed=(5,))
    return product.picture(view, NOISE, backdrop=WHITE)


def edge_of(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


@pytest.mark.parametrize("category", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_products_stand_free_on_a_light_ground(category: str, seed: int) -> None:
    """From any view the whole product is in the picture and its surroundings are light."""
    rng = np.random.default_rng(seed)
    view = random_view(rng, standing=KINDS[category].standing)
    product = Product(category=category, colour="navy", pattern="checked", seed=(seed, 1))
    image = product.picture(view, NOISE, backdrop=random_backdrop(rng))
    assert image.size == view.size
    assert 360 <= min(image.size) <= max(image.size) <= 730
    assert edge_of(image).min() > 200
    dark = (np.asarray(image.convert("L")) < 150).mean()
    assert 0.04 < dark < 0.75


@pytest.mark.parametrize("category", sorted(set(KINDS) - {"chair"}))
@pytest.mark.parametrize("colour", ["red", "green", "blue"])
def test_products_have_their_colour(category: str, colour: str) -> None:
    """Of all colours a plain product's own is seen most."""
    image = picture(category, View(size=(200, 200)), colour)
    hue = {"red": 0, "green": 1, "blue": 2}[colour]
    pixels = np.asarray(image, float)
    strong = pixels[pixels.max(2) - pixels.min(2) > 50]
    assert np.bincount(strong.argmax(1), minlength=3).argmax() == hue


@pytest.mark.parametrize("category", KINDS)
def test_patterns_are_seen(category: str) -> None:
    """Each pattern of a kind makes another picture than all the others."""
    view = View(size=(160, 160))
    shown = [picture(category, view, "navy", each) for each in KINDS[category].patterns]
    for index, one in enumerate(shown):
        for other in shown[:index]:
            assert max(ImageStat.Stat(ImageChops.difference(one, other)).mean) > 0.5


def test_a_mirrored_view_is_a_mirrored_outline() -> None:
    """What looks to the right looks to the left, in the same place."""
    parts = [Part(outline=box(0.1, 0.2, 0.6, 0.9), paint=Paint(colour=(0, 0, 0)), form="flat")]
    views = [View(size=(120, 100), mirrored=mirrored, tip=(0.1, 0)) for mirrored in (False, True)]
    areas = [
        np.asarray(render(parts, view, backdrop=WHITE, standing=False, noise=NOISE).convert("L"))
        < 100
        for view in views
    ]
    assert np.abs(areas[0].astype(int) - areas[1][:, ::-1]).mean() < 0.01


@pytest.mark.parametrize("turn", [0.0, 0.3, -1.2])
def test_places_on_a_product_are_found_again(turn: float) -> None:
    """From the square to pixels and back is no way at all."""
    view = View(size=(300, 200), turn=turn, shear=0.1, squeeze=0.8, tip=(0.2, -0.1))
    camera = aim(view, [Part(outline=box(0, 0, 1, 1), paint=Paint(colour=WHITE))])
    x, y = camera.to_square(140, 90, 3, 2)
    places = np.stack([x.ravel(), y.ravel()], 1).astype(float)
    pixels = camera.to_pixels(places)
    expected = [(140.5 + column, 90.5 + row) for row in range(2) for column in range(3)]
    np.testing.assert_allclose(pixels, expected, atol=1e-2)


def test_a_product_takes_the_asked_share() -> None:
    """`fill` is the share of the picture's side that is reached first."""
    parts = [Part(outline=box(0.2, 0.4, 0.9, 0.6), paint=Paint(colour=WHITE))]
    corners = aim(View(size=(400, 300), fill=0.5), parts).to_pixels(parts[0].outline)
    np.testing.assert_allclose(corners.min(0)[0], 100)
    np.testing.assert_allclose(corners.max(0)[0], 300)
    np.testing.assert_allclose(corners.mean(0), (200, 150))


def test_products_differ_until_their_looks_are_used_up() -> None:
    """Of several hundred products no two of a kind have the same colour and pattern."""
    products = choose_products(600, 7)
    looks = {(product.category, product.colour, product.pattern) for product in products}
    assert len(looks) == 600
    assert {product.colour for product in products} == set(COLOURS)
    assert (products[0].category, products[0].colour, products[0].pattern) == (
        *("shoe", "red", "striped"),
    )


def test_more_products_than_looks_are_still_different() -> None:
    """A look that comes again is made otherwise."""
    products = choose_products(1400, 7)
    assert len({product.seed for product in products}) == 1400


def test_outlines_are_what_they_are_called() -> None:
    """A symmetric outline is its own mirror image, a pen's line has the pen's width."""
    half = symmetric((0.5, 0.1), (0.8, 0.3), (0.7, 0.9, 1), (0.5, 0.95))
    mirrored = flipped(half)
    assert all(np.hypot(*(mirrored - point).T).min() < 0.02 for point in half)
    line = stroke([(0.2, 0.5), (0.8, 0.5)], 0.1, 0.2)
    assert np.ptp(line[:, 1]) == pytest.approx(0.2, abs=0.01)
    assert np.ptp(ellipse(0.5, 0.5, 0.2, 0.1)[:, 0]) == pytest.approx(0.4)
    rounded = box(0, 0, 1, 1, 0.2)
    assert np.hypot(*rounded.T).min() == pytest.approx(0.2 * (2**0.5 - 1))
    corners = closed((0, 0, 1), (1, 0, 1), (0, 1, 1))
    assert all(np.hypot(*(corners - node).T).min() < 1e-9 for node in ((0, 0), (1, 0), (0, 1)))
