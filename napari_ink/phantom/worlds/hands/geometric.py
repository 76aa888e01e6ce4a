"""A geometric script: arcs, bars and dots of one compass, written in columns from the right."""

from __future__ import annotations

import numpy as np

from napari_ink.phantom.worlds.frame import Canvas, Plane
from napari_ink.phantom.worlds.hands.pen import Pen, Points


def write(rng: np.random.Generator, canvas: Canvas) -> Plane:
    """Return strokes ``(y, x)`` of signs below each other."""
    size, width = canvas.px(rng.uniform(700, 1300)), canvas.px(rng.uniform(160, 300))
    alphabet = [_sign(rng) for _ in range(14)]
    pen = Pen(canvas.plane)
    x = canvas.plane[1] - size * rng.uniform(0, 1.2)
    while x > -size:
        y = size * rng.uniform(-0.8, 1.0)
        bottom = canvas.plane[0] * (1 if rng.random() < 0.7 else rng.uniform(0.3, 0.9))
        while y < bottom:
            if rng.random() < 0.85:
                _draw(rng, pen, alphabet[int(rng.integers(len(alphabet)))], (x, y), size, width)
            y += size * rng.uniform(1.2, 1.5)
        x -= size * rng.uniform(1.35, 1.7)
    return pen.plane()


def _sign(rng: np.random.Generator) -> list[Points]:
    """Return two or three parts in a box of 1 by 1; a part of one point is a dot."""
    parts = []
    for kind in rng.choice(["arc", "bar", "dot"], int(rng.integers(2, 4)), p=[0.5, 0.35, 0.15]):
        if kind == "arc":
            start = rng.integers(0, 4) * np.pi / 2
            angles = start + np.linspace(0, rng.choice([np.pi / 2, np.pi, 1.5 * np.pi]), 16)
            radius = rng.choice([0.25, 0.5])
            centre = rng.choice([0.25, 0.5, 0.75], 2)
            parts.append(centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1))
        elif kind == "bar":
            level = rng.choice([0.0, 0.5, 1.0])
            bar = np.array([[0.0, level], [1.0, level]])
            parts.append(bar if rng.random() < 0.5 else bar[:, ::-1])
        else:
            parts.append(rng.choice([0.2, 0.5, 0.8], (1, 2)))
    return parts


def _draw(
    rng: np.random.Generator, pen: Pen, sign: list[Points], corner: tuple[float, float], size: float, width: float
) -> None:
    turn = rng.normal(0, 0.08)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    for part in sign:
        points = (part @ rotation + rng.normal(0, 0.02, 2)) * size + corner
        if len(part) == 1:
            pen.dots(points, 1.4 * width)
        else:
            pen.path(points, width)
