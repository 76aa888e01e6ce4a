"""Wedges: a stylus pressed in at a few angles, wide at the head and tapering, in groups between ruled lines."""

from __future__ import annotations

import numpy as np

from napari_ink.phantom.worlds.frame import Canvas, Plane
from napari_ink.phantom.worlds.hands.pen import Pen, lines

_ANGLES = np.array([0.0, np.pi / 2, np.pi / 4, -np.pi / 4])


def write(rng: np.random.Generator, canvas: Canvas) -> Plane:
    """Return strokes ``(y, x)`` of groups of wedges."""
    height, width = canvas.px(rng.uniform(700, 1200)), canvas.px(rng.uniform(260, 420))
    ruled = rng.random() < 0.4
    pen = Pen(canvas.plane)
    for left, right, top in lines(rng, canvas.plane, 1.6 * height, 0.5 * height):
        if ruled:
            edge = top + 1.3 * height + rng.normal(0, 2, 2)
            pen.path(np.array([[left, edge[0]], [right, edge[1]]]), 0.5 * width)
        x = left
        while x < right:
            for _ in range(int(rng.integers(1, 5))):
                head = np.array([x, top]) + rng.uniform(0, 1, 2) * (0.8 * height, 0.8 * height)
                _press(rng, pen, head, height * rng.uniform(0.5, 0.9), width)
            x += height * rng.uniform(1.1, 1.5)
    return pen.plane()


def _press(rng: np.random.Generator, pen: Pen, head: np.ndarray, length: float, width: float) -> None:
    angle = _ANGLES[int(rng.integers(len(_ANGLES)))] + rng.normal(0, 0.1)
    tail = head + length * np.array([np.cos(angle), np.sin(angle)])
    pen.path(np.stack([head, tail]), width, np.array([1.1, 0.75, 0.5, 0.35]))
