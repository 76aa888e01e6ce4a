"""Lines of handwritten Greek capitals, drawn as strokes of a pen."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Stroke = tuple[tuple[float, float], ...]


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, stop: float) -> Stroke:
    """Return an arc from `start` to `stop` degrees, clockwise from the right, in a box of width and height 1."""
    angles = [math.radians(start + (stop - start) * i / 20) for i in range(21)]
    return tuple((cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles)


# Book hands of the papyri: epsilon, sigma and omega are lunate. Coordinates are (x, y) in a unit box, y downwards.
STROKES: dict[str, tuple[Stroke, ...]] = {
    "Α": (((0.05, 1), (0.5, 0), (0.95, 1)), ((0.22, 0.65), (0.78, 0.65))),
    "Β": (((0.15, 0), (0.15, 1)), _arc(0.15, 0.25, 0.55, 0.25, -90, 90), _arc(0.15, 0.75, 0.7, 0.25, -90, 90)),
    "Γ": (((0.15, 1), (0.15, 0), (0.9, 0)),),
    "Δ": (((0.05, 1), (0.5, 0), (0.95, 1), (0.05, 1)),),
    "Ε": (_arc(0.6, 0.5, 0.5, 0.5, 300, 60), ((0.12, 0.5), (0.8, 0.5))),
    "Ζ": (((0.1, 0), (0.9, 0), (0.1, 1), (0.9, 1)),),
    "Η": (((0.12, 0), (0.12, 1)), ((0.88, 0), (0.88, 1)), ((0.12, 0.5), (0.88, 0.5))),
    "Θ": (_arc(0.5, 0.5, 0.45, 0.5, 0, 360), ((0.08, 0.5), (0.92, 0.5))),
    "Ι": (((0.5, 0), (0.5, 1)),),
    "Κ": (((0.15, 0), (0.15, 1)), ((0.85, 0), (0.15, 0.55), (0.9, 1))),
    "Λ": (((0.05, 1), (0.5, 0), (0.95, 1)),),
    "Μ": (((0.05, 1), (0.15, 0), (0.5, 0.7), (0.85, 0), (0.95, 1)),),
    "Ν": (((0.12, 1), (0.12, 0), (0.88, 1), (0.88, 0)),),
    "Ξ": (((0.1, 0), (0.9, 0)), ((0.25, 0.5), (0.75, 0.5)), ((0.1, 1), (0.9, 1))),
    "Ο": (_arc(0.5, 0.5, 0.45, 0.48, 0, 360),),
    "Π": (((0.12, 1), (0.12, 0), (0.88, 0), (0.88, 1)),),
    "Ρ": (((0.2, 1), (0.2, 0)), _arc(0.2, 0.27, 0.62, 0.27, -90, 90)),
    "Ϲ": (_arc(0.6, 0.5, 0.5, 0.5, 300, 60),),
    "Τ": (((0.05, 0), (0.95, 0)), ((0.5, 0), (0.5, 1))),
    "Υ": (((0.05, 0), (0.5, 0.5), (0.95, 0)), ((0.5, 0.5), (0.5, 1))),
    "Φ": (_arc(0.5, 0.5, 0.45, 0.32, 0, 360), ((0.5, 0), (0.5, 1))),
    "Χ": (((0.08, 0), (0.92, 1)), ((0.92, 0), (0.08, 1))),
    "Ψ": (_arc(0.5, 0.1, 0.43, 0.5, 180, 0), ((0.5, 0), (0.5, 1))),
    "Ω": (_arc(0.27, 0.6, 0.23, 0.4, 240, 0), _arc(0.73, 0.6, 0.23, 0.4, 180, -60)),
}


def draw_text(
    rng: np.random.Generator, shape: tuple[int, int], letter_height: float, stroke_width: float
) -> npt.NDArray[np.bool_]:
    """Return a mask ``(y, x)`` of the strokes of random letters in lines that cover the plane.

    As in handwriting, corners, slant, size and pen of each letter differ a little, and some places are left blank.
    """
    page = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(page)
    names = sorted(STROKES)
    y = float(rng.uniform(-0.4, 0.25)) * letter_height
    while y < shape[0]:
        x = float(rng.uniform(-0.4, 0.3)) * letter_height
        while x < shape[1]:
            size = letter_height * float(rng.uniform(0.85, 1.1))
            advance = size * float(rng.uniform(0.95, 1.25))
            if rng.random() < 0.88:
                _draw_letter(rng, pen, names[int(rng.integers(len(names)))], (x, y), size, stroke_width)
            x += advance
        y += letter_height * float(rng.uniform(1.4, 1.7))
    return np.asarray(page) > 0


def _draw_letter(
    rng: np.random.Generator,
    pen: ImageDraw.ImageDraw,
    name: str,
    corner: tuple[float, float],
    size: float,
    stroke_width: float,
) -> None:
    slant, wide = float(rng.normal(0, 0.05)), float(rng.uniform(0.65, 0.85))
    for stroke in STROKES[name]:
        drift = rng.normal(0, 0.015, (len(stroke), 2)) if len(stroke) < 10 else rng.normal(0, 0.02, (1, 2))
        points = np.asarray(stroke) + drift
        xs = corner[0] + size * (points[:, 0] * wide + (0.5 - points[:, 1]) * slant)
        ys = corner[1] + size * points[:, 1]
        dots = _dense(xs, ys)
        # A reed pen draws a line of varying width.
        swell = np.interp(np.linspace(0, 4, len(dots)), np.arange(5), rng.normal(1, 0.12, 5))
        for (px, py), factor in zip(dots, swell, strict=True):
            r = 0.5 * stroke_width * max(factor, 0.5)
            pen.ellipse((px - r, py - r, px + r, py + r), fill=255)


def _dense(xs: npt.NDArray[np.floating], ys: npt.NDArray[np.floating]) -> list[tuple[float, float]]:
    """Return points along a polyline, two pixels apart."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(np.diff(xs), np.diff(ys)))])
    at = np.arange(0, lengths[-1] + 1, 2.0)
    return list(zip(np.interp(at, lengths, xs), np.interp(at, lengths, ys), strict=True))
