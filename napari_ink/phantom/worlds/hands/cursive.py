"""A cursive hand: one loop after another, by oscillators whose amplitudes change at random, drawn with a broad nib."""

from __future__ import annotations

import numpy as np

from napari_ink.phantom.worlds.frame import Canvas, Plane
from napari_ink.phantom.worlds.hands.pen import Pen, lines


def write(rng: np.random.Generator, canvas: Canvas) -> Plane:
    """Return strokes ``(y, x)`` of running loops in lines."""
    height = canvas.px(rng.uniform(700, 1300))
    width = canvas.px(rng.uniform(170, 300))
    angle, slant = rng.uniform(-0.9, 0.2), rng.normal(0.15, 0.12)
    pen = Pen(canvas.plane)
    for left, right, top in lines(rng, canvas.plane, 1.7 * height, 0.3 * height):
        x = left
        while x < right:
            loops = int(rng.integers(3, 9))
            points = _word(rng, loops, height)
            points[:, 0] += x + slant * (0.5 * height - points[:, 1])
            points[:, 1] += top
            pen.nib(points, width, angle)
            x = float(points[:, 0].max()) + height * rng.uniform(0.3, 0.8)
    return pen.plane()


def _word(rng: np.random.Generator, loops: int, height: float) -> np.ndarray:
    """Return the path of so many loops, from x = 0 on and within the height of a line."""
    t = np.linspace(0, 2 * np.pi * loops, 24 * loops)
    knots = np.linspace(0, t[-1], 2 * loops + 1)
    tall = np.interp(t, knots, rng.choice([0.3, 0.5, 0.9], len(knots), p=[0.3, 0.4, 0.3]) * rng.uniform(0.8, 1.1))
    wide = np.interp(t, knots, rng.uniform(0.05, 0.35, len(knots)))
    phase = rng.uniform(0.3, 1.4)
    x = 0.45 * height * t / (2 * np.pi) + wide * height * np.sin(t + phase)
    y = 0.55 * height - 0.5 * height * tall * np.cos(t)
    return np.stack([x - x.min(), y], axis=1)
