"""A brush hand: curves through random points, swelling and thinning, with blots and drops beside them."""

from __future__ import annotations

import numpy as np

from napari_ink.phantom.worlds.frame import Canvas, Plane
from napari_ink.phantom.worlds.hands.pen import Pen, Points, lines, spline


def write(rng: np.random.Generator, canvas: Canvas) -> Plane:
    """Return strokes ``(y, x)`` of brushed signs in lines, and blots."""
    height, width = canvas.px(rng.uniform(900, 1700)), canvas.px(rng.uniform(220, 400))
    alphabet = [[rng.uniform(0, 1, (int(rng.integers(3, 6)), 2)) for _ in range(rng.integers(1, 3))] for _ in range(12)]
    pen = Pen(canvas.plane)
    for left, right, top in lines(rng, canvas.plane, rng.uniform(1.3, 1.7) * height, 0.5 * height):
        x = left
        while x < right:
            for stroke in alphabet[int(rng.integers(len(alphabet)))]:
                _brush(
                    rng, pen, (stroke + rng.normal(0, 0.04, stroke.shape)) * (0.75 * height, height) + (x, top), width
                )
            x += height * rng.uniform(1.0, 1.4)
    for _ in range(int(rng.integers(0, 4))):
        _blot(rng, pen, rng.uniform((0, 0), canvas.plane[::-1]), width * rng.uniform(1, 2.2))
    return pen.plane()


def _brush(rng: np.random.Generator, pen: Pen, points: Points, width: float) -> None:
    swell = np.concatenate([[0.4], rng.uniform(0.6, 1.2, 3), [0.25]])
    pen.path(spline(points), width, swell)


def _blot(rng: np.random.Generator, pen: Pen, centre: Points, size: float) -> None:
    """Draw a blot with drops around it."""
    away = rng.normal(0, 0.7 * size, (9, 2))
    pen.dots(centre + away, size * rng.uniform(0.15, 0.6, 9))
    pen.dots(centre[None], size)
