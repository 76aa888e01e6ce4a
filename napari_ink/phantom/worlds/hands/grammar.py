"""An angular script: an alphabet that a random grammar makes from nodes of a grid, anew for each seed."""

from __future__ import annotations

import numpy as np

from napari_ink.phantom.worlds.frame import Canvas, Plane
from napari_ink.phantom.worlds.hands.pen import Pen, Points, lines

_COLUMNS, _ROWS = 3, 4
_MOVES = np.array([(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, 1), (0, 2), (2, 0)])


def write(rng: np.random.Generator, canvas: Canvas) -> Plane:
    """Return strokes ``(y, x)`` of signs in lines, with gaps between words."""
    height, width = canvas.px(rng.uniform(800, 1500)), canvas.px(rng.uniform(160, 330))
    alphabet = [_sign(rng) for _ in range(18)]
    aspect = rng.uniform(0.5, 0.8)
    pen = Pen(canvas.plane)
    for left, right, top in lines(rng, canvas.plane, rng.uniform(1.35, 1.8) * height, 0.4 * height):
        x = left
        while x < right:
            if rng.random() < 0.82:
                for stroke in alphabet[int(rng.integers(len(alphabet)))]:
                    shaky = stroke + rng.normal(0, 0.03, stroke.shape)
                    pen.path(shaky * (height * aspect, height) + (x, top), width, rng.normal(1, 0.15, 4).clip(0.5, 1.4))
            x += height * (aspect + rng.uniform(0.25, 0.45))
    return pen.plane()


def _sign(rng: np.random.Generator) -> list[Points]:
    """Return strokes of two to four moves each on the grid, in a box of 1 by 1."""
    return [_stroke(rng) for _ in range(int(rng.integers(1, 4)))]


def _stroke(rng: np.random.Generator) -> Points:
    node = rng.integers((0, 0), (_COLUMNS, _ROWS))
    nodes = [node]
    for _ in range(int(rng.integers(2, 5))):
        node = np.clip(node + _MOVES[int(rng.integers(len(_MOVES)))], 0, (_COLUMNS - 1, _ROWS - 1))
        nodes.append(node)
    return np.array(nodes) / (_COLUMNS - 1, _ROWS - 1)
