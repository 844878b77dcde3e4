"""Parts to pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import frozen
from PIL import Image, ImageDraw

from ._light import bent, blurred, brightness, cushion, ground_shadow, mirrored_light, turned
from ._surfaces import grain, share_of_second
from ._view import aim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._light import Normals
    from ._outlines import Points
    from ._parts import Colour, Part
    from ._surfaces import Field, Noise
    from ._view import Camera, View

_OVERSAMPLING: Final = 3
_DARKEST: Final = 0.035
"""No surface swallows all light: forms can be told on black, too."""


@frozen
class _Layer:
    """A part's place in the picture."""

    left: int
    top: int
    mask: Field
    """Share of each pixel that the part covers."""

    def cut(self, canvas: Field) -> Any:
        """Return the same place of a canvas, to be changed."""
        height, width = self.mask.shape
        return canvas[self.top : self.top + height, self.left : self.left + width]


def render(
    parts: Sequence[Part], view: View, *, backdrop: Colour, standing: bool, noise: Noise
) -> Image.Image:
    """Return the picture of a product on a plain ground.

    Args:
        parts: The product, from back to front.
        view: From where it is seen.
        backdrop: The ground's colour.
        standing: Whether it stands on the ground; else it lies on it.
        noise: What textures are made of.
    """
    camera = aim(view, parts)
    layers = [_layer(part, camera, view.size) for part in parts]
    covered = np.zeros(view.size[::-1], np.float32)
    for layer in layers:
        _cover(covered, layer)
    light = _ground(view.size) * (1 - ground_shadow(covered, standing=standing))
    canvas = light[:, :, None] * np.array(backdrop, np.float32)
    covered[:] = 0
    for part, layer in zip(parts, layers, strict=True):
        _darken_behind(canvas, covered, layer, part.lift * camera.scale)
        _paint(layer.cut(canvas), part, layer, camera, noise)
        _cover(covered, layer)
    canvas *= 255
    canvas += 0.5
    return Image.fromarray(np.clip(canvas, 0, 255, out=canvas).astype(np.uint8))


def _layer(part: Part, camera: Camera, size: tuple[int, int]) -> _Layer:
    """Draw a part's mask, with room around it for its shadow."""
    room = 2 + 2 * part.lift * camera.scale
    points = camera.to_pixels(part.outline)
    low = np.clip(np.floor(points.min(0) - room), 0, size).astype(int)
    high = np.clip(np.ceil(points.max(0) + room), 0, size).astype(int)
    width, height = (int(side) for side in np.maximum(high - low, 2))
    drawn = Image.new("L", (width * _OVERSAMPLING, height * _OVERSAMPLING))
    pen = ImageDraw.Draw(drawn)
    for outline, ink in ((part.outline, 255), *((hole, 0) for hole in part.holes)):
        pen.polygon(_corners(camera.to_pixels(outline) - low), fill=ink)
    mask = np.asarray(drawn.reduce(_OVERSAMPLING), np.float32) / 255
    return _Layer(int(low[0]), int(low[1]), mask)


def _corners(points: Points) -> list[tuple[float, float]]:
    return [(x, y) for x, y in (points * _OVERSAMPLING).tolist()]


def _cover(covered: Field, layer: _Layer) -> None:
    area = layer.cut(covered)
    np.maximum(area, layer.mask, out=area)


def _ground(size: tuple[int, int]) -> Field:
    """Return the light on the empty ground: brightest in its middle."""
    across = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]
    return 1.01 - 0.03 * (across**2 + (down + 0.2) ** 2)


def _darken_behind(canvas: Field, covered: Field, layer: _Layer, lift: float) -> None:
    """Let a part throw its shadow on the parts behind it, and on nothing else."""
    if lift < 1:
        return
    behind = layer.cut(covered)
    shift = max(1, round(lift * 0.5))
    dark = np.zeros_like(layer.mask)
    dark[shift:, shift:] = layer.mask[:-shift, :-shift]
    area = layer.cut(canvas)
    area *= (1 - 0.42 * blurred(dark, lift) * behind)[:, :, None]


def _paint(area: Any, part: Part, layer: _Layer, camera: Camera, noise: Noise) -> None:
    """Put a part on the canvas."""
    height, width = layer.mask.shape
    x, y = camera.to_square(layer.left, layer.top, width, height)
    normals: Normals | None = None
    if part.form == "round":
        normals, place, half = turned(layer.mask)
        # A pattern that runs around it is narrower towards its sides.
        x = x + (np.arcsin(place) - place) * half / camera.scale
    elif part.form == "puff":
        normals = cushion(layer.mask, max(part.depth * camera.scale, 1.5))
    if normals is not None and part.folds:
        hanging = noise.clouds(x * 0.9, y * 0.16)
        normals = bent(normals, hanging * part.folds)
    colours = _colours(part, x, y, normals, pixels=camera.scale, noise=noise)
    area += (colours - area) * layer.mask[:, :, None]


def _colours(
    part: Part, x: Field, y: Field, normals: Normals | None, *, pixels: float, noise: Noise
) -> Any:
    """Return the colour of each place of a part: paint, light on it, and the light it mirrors."""
    paint = part.paint
    colour = np.maximum(np.array(paint.colour, np.float32), _DARKEST)
    shown: Any = colour
    share = share_of_second(paint, x, y, pixels, noise)
    if share is not None:
        second = np.maximum(np.array(paint.second, np.float32), _DARKEST)
        shown = colour + share[:, :, None] * (second - colour)
    light: Any = np.float32(part.shade)
    if normals is not None:
        light = light * brightness(normals)
    lighter = grain(paint, x, y, noise)
    if lighter is not None:
        light = light * (1 + lighter)
    shown = shown * np.broadcast_to(light, x.shape)[:, :, None]
    if normals is not None and paint.gloss:
        shown = shown + mirrored_light(normals, paint.gloss)[:, :, None]
    return shown + part.glow * (1 - shown)
