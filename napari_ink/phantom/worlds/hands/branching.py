"""Branching signs: plants of an L-system, stem by stem, each with blots where the pen rested."""

from __future__ import annotations

import numpy as np

from napari_ink.phantom.worlds.frame import Canvas, Plane
from napari_ink.phantom.worlds.hands.pen import Pen

_RULES = ("F[+F]F[-F]", "F[-F]F", "FF[+F][-F]", "F[+F]F", "F-F[+F]+F")


def write(rng: np.random.Generator, canvas: Canvas) -> Plane:
    """Return strokes ``(y, x)`` of signs at random places, upright or leaning."""
    size, width = canvas.px(rng.uniform(900, 1700)), canvas.px(rng.uniform(160, 280))
    signs = [_grown(rng) for _ in range(9)]
    turn = rng.uniform(0.5, 1.3)
    pen = Pen(canvas.plane)
    step = 1.15 * size
    for y in np.arange(rng.uniform(0, 1) * step, canvas.plane[0] + size, step):
        for x in np.arange(rng.uniform(-0.5, 0.5) * step, canvas.plane[1] + size, 0.8 * step):
            if rng.random() < 0.75:
                _draw(rng, pen, signs[int(rng.integers(len(signs)))], (x, y), size, width, turn)
    return pen.plane()


def _grown(rng: np.random.Generator) -> str:
    """Return a sign's turtle commands: one rule applied to one or two generations."""
    text = "F"
    for _ in range(int(rng.integers(1, 3))):
        text = "".join(_RULES[int(rng.integers(len(_RULES)))] if c == "F" else c for c in text)
    return text


def _draw(
    rng: np.random.Generator,
    pen: Pen,
    sign: str,
    foot: tuple[float, float],
    size: float,
    width: float,
    turn: float,
) -> None:
    length = size / max(sign.count("F") ** 0.75, 1.0)
    at, heading, saved = np.array(foot), -np.pi / 2 + rng.normal(0, 0.15), []
    for command in sign:
        if command == "F":
            after = at + length * np.array([np.cos(heading), np.sin(heading)])
            bow = (at + after) / 2 + rng.normal(0, 0.06 * length, 2)
            pen.path(np.stack([at, bow, after]), width, rng.normal(1, 0.12, 3).clip(0.6, 1.3))
            at = after
        elif command == "[":
            saved.append((at, heading))
        elif command == "]":
            if rng.random() < 0.3:
                pen.dots(at[None], width * rng.uniform(1.2, 1.8))
            at, heading = saved.pop()
        else:
            heading += turn * (1 if command == "+" else -1) * rng.uniform(0.8, 1.2)
