"""A pen that draws paths on a plane, and lines of writing with margins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

# Hands draw pens of 160 to 420 µm: published strokes are 20 to 60 voxels of 7.91 µm wide.
Points = npt.NDArray[np.floating]


class Pen:
    """Draws on a plane of the given height and width."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._page = Image.new("L", (shape[1], shape[0]))
        self._draw = ImageDraw.Draw(self._page)

    def dots(self, points: Points, widths: npt.NDArray[np.floating] | float) -> None:
        """Draw a dot of a width at each point ``(n, 2)`` of x and y."""
        for (x, y), width in zip(points, np.broadcast_to(widths, len(points)), strict=True):
            r = 0.5 * width
            self._draw.ellipse((x - r, y - r, x + r, y + r), fill=255)

    def path(self, points: Points, width: float, swell: npt.NDArray[np.floating] | None = None) -> None:
        """Draw a line through points; `swell` are factors of its width, spread evenly along it."""
        dense = resampled(points, max(width / 6, 1.0))
        factors = (
            1.0 if swell is None else np.interp(np.linspace(0, 1, len(dense)), np.linspace(0, 1, len(swell)), swell)
        )
        self.dots(dense, width * np.asarray(factors))

    def nib(self, points: Points, width: float, angle: float, thin: float = 0.35) -> None:
        """Draw a line with a broad nib held at an angle: thick across it, `thin` of that along it."""
        dense = resampled(points, max(width / 8, 1.0))
        edge = 0.5 * width * (1 - thin) * np.array([np.cos(angle), np.sin(angle)])
        for share in np.linspace(-1, 1, 5):
            self.dots(dense + share * edge, width * thin)

    def plane(self) -> npt.NDArray[np.bool_]:
        """Return what has been drawn ``(y, x)``."""
        return np.asarray(self._page) > 0


def resampled(points: Points, step: float) -> Points:
    """Return points along a polyline, `step` apart."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.arange(0, lengths[-1] + step, step)
    return np.stack([np.interp(at, lengths, points[:, 0]), np.interp(at, lengths, points[:, 1])], axis=1)


def spline(points: Points, per_piece: int = 8) -> Points:
    """Return a smooth (Catmull-Rom) curve through points."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, per_piece, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - 3 * c + d - a) * t**3))
    return np.concatenate([*pieces, points[-1:]])


def lines(
    rng: np.random.Generator, shape: tuple[int, int], leading: float, margin: float
) -> Iterator[tuple[float, float, float]]:
    """Yield the left end, the right end and the top of lines of writing; some break off early, some are left out.

    `leading` is the distance between lines and `margin` the mean blank width at either side, in pixels.
    """
    top = float(rng.uniform(-0.6, 0.4)) * leading
    margin = min(margin, 0.15 * shape[1])  # small crops are not all margin
    left, right = (float(rng.uniform(-0.5, 1.5)) * margin for _ in range(2))
    while top < shape[0]:
        if rng.random() > 0.1:
            stop = shape[1] - right if rng.random() > 0.15 else float(rng.uniform(0.3, 1)) * shape[1]
            yield left, stop, top
        top += leading * float(rng.uniform(0.92, 1.1))
