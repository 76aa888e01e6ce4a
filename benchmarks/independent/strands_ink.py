"""Ink of the strands, and the noise that papyrus and ink share.

Lines of majuscules are written with a broad pen, which wavers and runs dry along each stroke. The ink dries into plates
of 8 to 30 pixels that differ in thickness and load. Between them lie open cracks, and a few plates are lost. It was
written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import fftfreq, irfft2, rfft2, rfftfreq
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.intp]
Points = Sequence[tuple[float, float]]

SIDE = 512  # pixels, height and width of the plane
PLATE = 14.0  # pixels, mean distance of the centres of plates
CANDIDATES = 9000  # centres of plates that are tried, far more than there is room for
BUCKET = 30  # pixels, side of squares; near centres are looked for in the same one and those around it
LOST = 0.03  # share of the plates
NOWHERE = -1e3  # pixels, how far inside of a stroke a pixel lies before anything is written


def _gain(shortest: float, longest: float, slope: float, squeeze: tuple[float, float]) -> Floats:
    """Amplitude ``(y, x)`` of waves whose power falls as ``f**-slope`` between two wavelengths in pixels."""
    frequency = np.hypot(fftfreq(SIDE)[:, None] * squeeze[0], rfftfreq(SIDE)[None] * squeeze[1])
    frequency[0, 0] = 1  # there is none to divide by; this wave is left out below
    amplitude = np.maximum(frequency, 1 / longest) ** (-slope / 2) * np.exp(-((frequency * shortest) ** 2) / 2)
    amplitude[0, 0] = 0
    return np.asarray(amplitude, dtype=np.float32)


def plane_noise(
    rng: np.random.Generator,
    wavelengths: tuple[float, float],
    slope: float,
    squeeze: tuple[float, float] = (1.0, 1.0),
) -> Floats:
    """Gaussian noise ``(y, x)`` of deviation 1; `squeeze` multiplies the wavelengths along y and x."""
    white = rng.standard_normal((SIDE, SIDE)).astype(np.float32)
    noise: Floats = irfft2(rfft2(white) * _gain(*wavelengths, slope, squeeze), (SIDE, SIDE))
    return np.asarray(noise / noise.std())


def stack_noise(
    rng: np.random.Generator,
    planes: int,
    wavelengths: tuple[float, float],
    slope: float,
    depth_sigma: float,
    squeeze: tuple[float, float] = (1.0, 1.0),
) -> Floats:
    """Noise ``(plane, y, x)`` of deviation 1, which is `plane_noise` in each plane and smooth along the depth."""
    white = rng.standard_normal((planes + 12, SIDE, SIDE), dtype=np.float32)
    white = gaussian_filter1d(white, depth_sigma, axis=0)[6:-6]  # ends would be less even
    noise: Floats = irfft2(rfft2(white) * _gain(*wavelengths, slope, squeeze), (SIDE, SIDE))
    return np.asarray(noise / noise.std())


def line_noise(rng: np.random.Generator, length: int, sigma: float) -> Doubles:
    """Noise along a line, of deviation about 1, smoothed over `sigma` pixels."""
    margin = 3 * int(sigma)
    smooth = gaussian_filter1d(rng.standard_normal(length + 2 * margin), sigma)[margin:][:length]
    return np.asarray(smooth * np.sqrt(2 * sigma * 1.772))  # 1.772 is the root of π


def _arc(centre: tuple[float, float], radii: tuple[float, float], start: float, stop: float) -> Points:
    """Points of an arc from one angle to another in degrees, counterclockwise from the right."""
    angles = np.radians(np.linspace(start, stop, 28))
    return [
        (centre[0] - radii[0] * np.sin(angle), centre[1] + radii[1] * np.cos(angle))  # y runs downwards
        for angle in angles
    ]


IOTA = "iota"
LEFT_SLOPE, RIGHT_SLOPE = ((1, 0.02), (0, 0.5)), ((0, 0.45), (1, 0.98))
LEFT_STEM = ((0, 0.1), (1, 0.1))
# Points of each stroke (y, x) in a unit box, in a majuscule book hand; the order decides which letter a seed draws.
LETTERS: dict[str, tuple[Points, ...]] = {
    "alpha": (LEFT_SLOPE, RIGHT_SLOPE, ((0.66, 0.2), (0.66, 0.8))),
    "delta": (LEFT_SLOPE, RIGHT_SLOPE, ((1, 0.02), (1, 0.98))),
    "epsilon": (_arc((0.5, 0.58), (0.5, 0.5), 55, 305), ((0.5, 0.1), (0.5, 0.85))),
    "eta": (LEFT_STEM, ((0, 0.9), (1, 0.9)), ((0.47, 0.1), (0.47, 0.9))),
    "theta": (_arc((0.5, 0.5), (0.5, 0.47), 0, 360), ((0.5, 0.08), (0.5, 0.92))),
    IOTA: (((0, 0.5), (1, 0.5)),),
    "kappa": (LEFT_STEM, ((0, 0.85), (0.5, 0.12), (1, 0.9))),
    "lambda": (LEFT_SLOPE, RIGHT_SLOPE),
    "nu": (((1, 0.1), (0, 0.1), (1, 0.9), (0, 0.9)),),
    "omicron": (_arc((0.5, 0.5), (0.5, 0.46), 0, 360),),
    "pi": (((1, 0.1), (0, 0.1), (0, 0.9), (1, 0.9)),),
    "rho": (((0, 0.15), (1, 0.15)), _arc((0.25, 0.2), (0.25, 0.55), 90, -90)),
    "tau": (((0, 0.02), (0, 0.98)), ((0, 0.5), (1, 0.5))),
    "upsilon": (((0, 0.02), (0.45, 0.5), (0, 0.98)), ((0.45, 0.5), (1, 0.5))),
    "chi": (((0, 0.05), (1, 0.95)), ((0, 0.95), (1, 0.05))),
    "sigma": (_arc((0.5, 0.58), (0.5, 0.5), 50, 310),),
    "gamma": (((1, 0.12), (0, 0.12), (0, 0.9)),),
    "mu": (((1, 0.02), (0, 0.15), (0.7, 0.5), (0, 0.85), (1, 0.98)),),
    "phi": (_arc((0.45, 0.5), (0.3, 0.46), 0, 360), ((-0.08, 0.5), (1.05, 0.5))),
}


@dataclass(eq=False)
class _Page:
    """A page that is being written.

    Attributes
    ----------
    y, x
        Where the pen thinks that each pixel lies, in pixels.
    inside
        How far each pixel lies inside of the edge of a stroke, in pixels; negative outside.
    load
        How much ink the pen leaves, about 1.
    """

    y: Floats
    x: Floats
    inside: Doubles
    load: Doubles

    def draw(self, ys: Doubles, xs: Doubles, width: float) -> None:
        """Draw a stroke along a polyline, narrower and drier towards its end."""
        length = np.hypot(np.diff(ys), np.diff(xs)).sum()
        drawn = 0.0
        for from_y, from_x, by_y, by_x in zip(ys[:-1], xs[:-1], np.diff(ys), np.diff(xs), strict=True):
            piece = np.hypot(by_y, by_x) + 1e-6  # so that no piece is a point
            apart_y, apart_x = self.y - from_y, self.x - from_x
            along = np.clip((apart_y * by_y + apart_x * by_x) / piece**2, 0, 1)
            share = (drawn + along * piece) / length
            drawn += piece
            inside = width / 2 * (1.08 - 0.18 * share) - np.hypot(apart_y - along * by_y, apart_x - along * by_x)
            is_nearer = inside > self.inside
            self.load = np.where(is_nearer, 1.12 - 0.28 * share, self.load)
            self.inside = np.where(is_nearer, inside, self.inside)


def _write(rng: np.random.Generator, is_large: bool) -> _Page:
    """Page with one line of large letters, or with two or three lines of small ones."""
    ragged = 1.3 * plane_noise(rng, (7, 40), 2.4)
    ys, xs = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    ys, xs = (axis + 3.0 * plane_noise(rng, (25, 150), 3) for axis in (ys, xs))
    page = _Page(ys, xs, np.full((SIDE, SIDE), NOWHERE), np.ones((SIDE, SIDE)))
    margin_y, margin_x = rng.uniform(40, 62, 2)
    lines, pen = (1, rng.uniform(38, 54)) if is_large else (int(rng.integers(2, 4)), rng.uniform(21, 30))
    pitch = (SIDE - 2 * margin_y) / lines
    height = pitch * (0.78 if is_large else 0.62) - pen * 0.3
    if lines == 3:
        pen = min(pen, 22.0)  # a broader one would fill small letters
    for line in range(lines):
        _write_line(rng, page, margin_y + pitch * (line + 0.5) - height / 2, margin_x, height, pen)
    page.inside = page.inside + ragged
    page.load = gaussian_filter(page.load, 4)
    return page


def _write_line(rng: np.random.Generator, page: _Page, top: float, margin: float, height: float, pen: float) -> None:
    """Write random letters until the next one would reach into the margin."""
    left = margin + rng.uniform(-5, 10) + pen / 2
    while True:
        letter = rng.choice(list(LETTERS))
        width = height * (0.25 if letter == IOTA else 0.85) * rng.uniform(0.88, 1.1)
        if left + width > SIDE - margin - pen / 2:
            return
        for stroke in LETTERS[letter]:
            points = np.array(stroke, dtype=np.float64)
            ys = top + points[:, 0] * height + rng.normal(0, 1.5, len(points))
            xs = left + points[:, 1] * width
            if letter == IOTA:
                xs += rng.normal(0, 2, len(points))  # a lone stem is seldom upright
            page.draw(ys, xs, pen * rng.uniform(0.88, 1.15))
        left += width + pen + rng.uniform(6, 26)


def _plate_centres(rng: np.random.Generator) -> Doubles:
    """Centres of plates ``(number, 2)``, none of which lies closer to another than the sizes of both allow."""
    local = np.exp(0.28 * plane_noise(rng, (40, 200), 3))
    candidates = rng.uniform(-20, SIDE + 20, (CANDIDATES, 2))
    rows, columns = np.clip(candidates, 0, SIDE - 1).astype(int).T
    sizes = PLATE * local[rows, columns] * rng.uniform(0.75, 1.25, CANDIDATES)
    buckets: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
    centres = []
    for (y, x), size in zip(candidates, sizes, strict=True):
        row, column = int(y // BUCKET), int(x // BUCKET)
        around = [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        near = (one for bucket in around for one in buckets.get(bucket, ()))
        if all((y - to_y) ** 2 + (x - to_x) ** 2 > (0.5 * (size + other)) ** 2 for to_y, to_x, other in near):
            buckets.setdefault((row, column), []).append((y, x, size))
            centres.append((y, x))
    return np.array(centres)


def _crackle(rng: np.random.Generator) -> tuple[Floats, Numbers, int]:
    """Distance ``(y, x)`` to the nearest crack in pixels, number ``(y, x)`` of the plate, and count of plates."""
    centres = _plate_centres(rng)
    # Cracks between exact Voronoi cells would be straight lines.
    bent = [axis + 1.7 * plane_noise(rng, (4, 25), 2) for axis in np.mgrid[:SIDE, :SIDE]]
    distance, plate = cKDTree(centres).query(np.stack(bent, -1), k=2)
    to_crack = (distance[..., 1] - distance[..., 0]) * 0.5
    return to_crack.astype(np.float32), plate[..., 0], len(centres)


@dataclass(frozen=True, eq=False)
class Ink:
    """The ink on a face, each array ``(y, x)``.

    Attributes
    ----------
    strokes
        Where the pen left ink on papyrus.
    plates, cracks
        Which share of each pixel is plate, and which is crack within a stroke.
    thickness
        Thickness of the plates, in voxels.
    load
        How much ink a plate holds, about 1.
    to_crack
        Distance to the nearest crack, in pixels.
    """

    strokes: Mask
    plates: Floats
    cracks: Floats
    thickness: Floats
    load: Floats
    to_crack: Floats


def lay_ink(rng: np.random.Generator, is_large: bool, hole: Mask) -> Ink:
    """Ink of a random text, which is missing where the papyrus of the face is."""
    page = _write(rng, is_large)
    to_crack, plate, count = _crackle(rng)
    load, thickness = rng.uniform(0.75, 1.25, count), rng.uniform(1.1, 3.0, count)
    is_lost = rng.random(count) < LOST
    strokes = (page.inside > 0) & ~hole
    crack_width = 1.05 + 0.35 * plane_noise(rng, (12, 80), 2.5)
    uncracked = np.clip((to_crack - crack_width) / 0.9 + 0.5, 0, 1)
    plates = uncracked * np.clip(page.inside / 1.5 + 0.5, 0, 1) * strokes * ~is_lost[plate]
    cracks = np.clip(np.clip(page.inside / 2 + 0.5, 0, 1) * strokes - plates, 0, 1)
    dome = 0.8 + 0.2 * np.clip(to_crack / 6, 0, 1)  # plates are thinner at their edges
    return Ink(
        strokes,
        plates.astype(np.float32),
        cracks.astype(np.float32),
        (thickness[plate] * dome).astype(np.float32),
        (page.load * load[plate]).astype(np.float32),
        to_crack,
    )
