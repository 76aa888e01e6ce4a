"""Printed type: letters of Pillow's own font, thickened, slanted and warped, in columns with wide margins."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from napari_ink.phantom.fields import smooth_field
from napari_ink.phantom.worlds.frame import Canvas, Plane
from napari_ink.phantom.worlds.hands.pen import lines

_LETTERS = "ABDEFGHJKLMNPQRSTUWXYZabdeghkmnpqrstuwxyz2345678&"


def write(rng: np.random.Generator, canvas: Canvas) -> Plane:
    """Return strokes ``(y, x)`` of type."""
    height, width = canvas.px(rng.uniform(900, 1600)), canvas.px(rng.uniform(170, 320))
    font = ImageFont.load_default(size=1.3 * height)
    page = Image.new("L", (canvas.plane[1], canvas.plane[0]))
    draw = ImageDraw.Draw(page)
    # Pillow draws the outlines a little thicker, which makes pen strokes of the thin type.
    thicker = max(round(0.5 * (width - 0.1 * height)), 0)
    for left, right, top in lines(rng, canvas.plane, 1.5 * height, 0.8 * height):
        x = left
        while x < right:
            letter = _LETTERS[int(rng.integers(len(_LETTERS)))]
            if rng.random() < 0.85:
                draw.text((x, top), letter, fill=255, font=font, stroke_width=thicker, stroke_fill=255)
            x += float(draw.textlength(letter, font=font)) + 2 * thicker + 0.1 * height
    return _warped(rng, np.asarray(page, dtype=np.float32), height)


def _warped(rng: np.random.Generator, page: np.ndarray, height: float) -> Plane:
    ys, xs = np.indices(page.shape, dtype=np.float32)
    slant = rng.normal(0, 0.15)
    down, right = (0.05 * height * smooth_field(rng, (page.shape[0], page.shape[1]), 0.5 * height) for _ in range(2))
    bent = ndimage.map_coordinates(page, (ys + down, xs + right + slant * (ys - page.shape[0] / 2)), order=1)
    return np.asarray(bent > 127)
