"""Ink of the plant tissue, and the noise and cells that papyrus and ink share.

Lines of capitals are written with a broad pen, whose strokes bleed along the fibres of the face. The ink dries into
plates between open cracks, and a few plates flake off. The paler the ink, the deeper it has sunk into the papyrus, and
the shallower its cracks are. It was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, map_coordinates

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
Scale = float | tuple[float, ...]

SIDE = 512  # pixels of each side of a phantom
LATTICES = {2: (128, 128), 3: (32, 128, 32)}  # by number of axes: cells along each, after which they repeat

# For each of these contrasts, in grey values of 8 bits, the two below are given; beyond them they stay the same.
CONTRASTS = (4.0, 11.0, 22.0)
CRACK_DEPTHS = (7.0, 14.0, 24.0)  # grey values of 8 bits that cracks are darker by
RISES = (0.0, 0.35, 0.7)  # voxels that plates of 2 voxels stand proud of the face
GAIN = 1.15  # of the contrast, which makes up for the blur of the scan
LOST = 0.05  # share of the plates

HEIGHTS = (112, 140, 165)  # pixels, of letters in each size
PENS = (22, 28, 38)  # pixels, width in each size
LEAST_RADIUS = 10.2  # pixels, of the pen
LEADING = 1.38  # heights of letters


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], scale: Scale) -> Floats:
    """Noise of deviation 1, which cubic B-splines draw from a grid whose scale is in pixels, along each axis or all."""
    scales = np.broadcast_to(np.asarray(scale, np.float64), (len(shape),))
    noise = rng.standard_normal([math.ceil(size / step) + 4 for size, step in zip(shape, scales, strict=True)])
    noise = noise.astype(np.float32)
    offsets = rng.random(len(shape)) + 1
    # One axis after another, as splines are separable.
    for axis, (size, step, offset) in enumerate(zip(shape, scales, offsets, strict=True)):
        place = np.arange(size) / step + offset
        before = np.floor(place).astype(np.intp)
        finer = np.zeros((*noise.shape[:axis], size, *noise.shape[axis + 1 :]), np.float32)
        for number, weight in enumerate(_spline_weights((place - before).astype(np.float32))):
            knot = np.clip(before + number - 1, 0, noise.shape[axis] - 1)
            finer += np.take(noise, knot, axis) * weight.reshape(-1, *(1,) * (len(shape) - axis - 1))
        noise = finer
    return np.asarray(noise / (noise.std() + 1e-6), np.float32)


def _spline_weights(rest: Floats) -> tuple[Floats, ...]:
    """Weights of the four knots around places that lie so far, of 0 to 1, behind the second."""
    return (
        (1 - rest) ** 3 / 6,
        (3 * rest**3 - 6 * rest**2 + 4) / 6,
        (-3 * rest**3 + 3 * rest**2 + 3 * rest + 1) / 6,
        rest**3 / 6,
    )


def plane_noise(rng: np.random.Generator, scale: Scale) -> Floats:
    """Noise ``(y, x)`` of deviation 1, see `smooth_noise`."""
    return smooth_noise(rng, (SIDE, SIDE), scale)


def bent_axes(rng: np.random.Generator, bend: float, y_scale: Scale, x_scale: Scale) -> tuple[Floats, Floats]:
    """Places y and x of pixels ``(y, x)``, bent by noise of a deviation in pixels."""
    pixels = np.arange(SIDE, dtype=np.float32)
    y = pixels[:, None] + bend * plane_noise(rng, y_scale)
    x = pixels[None, :] + bend * plane_noise(rng, x_scale)
    return y, x


def ramp(inside: Floats, width: float = 1.0) -> Floats:
    """Share, from 0 to 1, of a place that lies so far inside of a soft edge."""
    return np.asarray(np.clip(inside / width + 0.5, 0, 1))


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells that places lie in: distances are in cells, and each cell has drawn numbers of 0 to 1."""

    to_nearest: Floats  # distance to the nearest nucleus
    to_border: Floats  # how much farther the second nearest nucleus is
    drawn: tuple[Floats, ...]


def find_cells(rng: np.random.Generator, places: Sequence[Floats], jitter: float, draws: int) -> Cells:
    """Cells of a lattice with nuclei that are jittered by a share of a cell, at places in cells along each axis."""
    lattice = LATTICES[len(places)]
    count = math.prod(lattice)
    nuclei = [((rng.random(count) - 0.5) * jitter + 0.5).astype(np.float32) for _ in lattice]
    nodes = [np.floor(place).astype(np.int32) for place in places]
    rests = [place - node for place, node in zip(places, nodes, strict=True)]
    nearest = np.full(places[0].shape, 9.0)  # far, squared as all distances are here
    second = nearest.copy()
    cell = np.zeros(places[0].shape, np.int32)
    for steps in np.ndindex(*(3,) * len(lattice)):
        number = np.zeros((1,) * len(lattice), np.int32)
        for node, step, size in zip(nodes, steps, lattice, strict=True):
            number = number * size + (node + (step - 1)) % size
        distance = np.zeros(1)
        for nucleus, step, rest in zip(nuclei, steps, rests, strict=True):
            distance = distance + (nucleus[number] + np.float32(step - 1) - rest) ** 2
        is_nearer = distance < nearest
        second = np.where(is_nearer, nearest, np.minimum(second, distance))
        cell = np.where(is_nearer, number, cell)
        nearest = np.where(is_nearer, distance, nearest)
    to_nearest = np.sqrt(nearest)
    drawn = tuple(rng.random(count).astype(np.float32)[cell] for _ in range(draws))
    return Cells(to_nearest, np.sqrt(second) - to_nearest, drawn)


@dataclass(frozen=True, eq=False)
class Ink:
    """Ink that lies on a face, with arrays ``(y, x)``."""

    plates: Floats  # share of each pixel that is plate
    cracks: Floats  # share of each pixel that is crack
    thickness: Floats  # voxels
    rise: Floats  # voxels that the plates stand proud of the face
    brightness: Floats  # grey values of 8 bits that the plates add
    darkness: float  # grey values of 8 bits that the cracks take away


def make_ink(rng: np.random.Generator, strokes: Mask, contrast: float) -> Ink:
    """Crackled ink in the strokes of a pen, brighter than papyrus by the contrast."""
    plate = rng.uniform(15, 18)  # pixels
    y, x = bent_axes(rng, 3, 14, 14)
    cells = find_cells(rng, (y / plate, x / (plate * 1.1)), 0.85, 3)
    thick, loaded, kept = cells.drawn
    crack_width = 1.3 + 1.3 * np.clip(plane_noise(rng, 20) * 0.5 + 0.5, 0, 1)  # pixels
    uncracked = ramp(cells.to_border * plate * 0.5 - crack_width * 0.55, 0.9)
    written = np.clip(gaussian_filter(strokes.astype(np.float32), 0.8) * 1.6 - 0.3, 0, 1)
    thickness = 1.5 + 1.5 * thick
    rise = float(np.interp(contrast, CONTRASTS, RISES))
    return Ink(
        plates=uncracked * written * (kept > LOST),
        cracks=(1 - uncracked) * written,
        thickness=thickness,
        rise=rise * (0.5 + 0.25 * thickness) + 0.1 * plane_noise(rng, 9),
        brightness=GAIN * contrast * (1 + 0.6 * (loaded - 0.5)),
        darkness=float(np.interp(contrast, CONTRASTS, CRACK_DEPTHS)),
    )


def _line(*corners: tuple[float, float]) -> Floats:
    """Points ``(number, 2)`` of a polyline."""
    return np.concatenate([np.linspace(start, stop, 20) for start, stop in pairwise(corners)])


def _arc(centre: tuple[float, float], radii: tuple[float, float], start: float, stop: float) -> Floats:
    """Points ``(number, 2)`` of an ellipse from one angle to another in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(start, stop, 40))
    return np.stack([centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], 1)


LEFT_STEM, MIDDLE_STEM = _line((0.1, 0), (0.1, 1)), _line((0.5, 0), (0.5, 1))
# Points (x, y) of each stroke in a unit box, with y downwards; the order decides which letter a seed draws.
LETTERS: dict[str, tuple[Floats, ...]] = {
    "alpha": (_line((0, 1), (0.5, 0), (1, 1)), _line((0.22, 0.62), (0.78, 0.62))),
    "gamma": (_line((0.1, 1), (0.1, 0), (0.9, 0)),),
    "delta": (_line((0, 1), (0.5, 0), (1, 1), (0, 1)),),
    "epsilon": (_arc((0.55, 0.5), (0.5, 0.5), 55, 305), _line((0.1, 0.5), (0.75, 0.5))),
    "eta": (_line((0.05, 0), (0.05, 1)), _line((0.95, 0), (0.95, 1)), _line((0.05, 0.5), (0.95, 0.5))),
    "theta": (_arc((0.5, 0.5), (0.5, 0.5), 0, 360), _line((0.2, 0.5), (0.8, 0.5))),
    "iota": (MIDDLE_STEM,),
    "kappa": (LEFT_STEM, _line((0.9, 0), (0.1, 0.55), (0.95, 1))),
    "lambda": (_line((0, 1), (0.5, 0), (1, 1)),),
    "mu": (_line((0, 1), (0.1, 0), (0.5, 0.7), (0.9, 0), (1, 1)),),
    "nu": (_line((0.05, 1), (0.05, 0), (0.95, 1), (0.95, 0)),),
    "omicron": (_arc((0.5, 0.5), (0.48, 0.48), 0, 360),),
    "pi": (_line((0.1, 1), (0.1, 0), (0.9, 0), (0.9, 1)),),
    "rho": (_line((0.15, 0), (0.15, 1)), _arc((0.3, 0.28), (0.5, 0.28), -100, 105)),
    "sigma": (_arc((0.55, 0.5), (0.5, 0.5), 50, 310),),
    "tau": (_line((0, 0), (1, 0)), MIDDLE_STEM),
    "upsilon": (_line((0, 0), (0.5, 0.5), (1, 0)), _line((0.5, 0.5), (0.5, 1))),
    "phi": (_arc((0.5, 0.45), (0.48, 0.3), 0, 360), MIDDLE_STEM),
    "chi": (_line((0, 0), (1, 1)), _line((1, 0), (0, 1))),
    "omega": (_line((0, 0.2), (0.05, 0.8), (0.3, 1), (0.5, 0.5), (0.7, 1), (0.95, 0.8), (1, 0.2)),),
}


@dataclass(frozen=True)
class Hand:
    """How a scribe writes."""

    height: float  # pixels, of letters
    pen: float  # pixels, width
    nib: float  # radians, direction in which strokes are narrowest
    slope: float  # pixels that lines fall by in each pixel


def write(rng: np.random.Generator, size: int) -> Mask:
    """Strokes ``(y, x)`` of lines of random letters, in one of `HEIGHTS`."""
    height, pen = HEIGHTS[size] * rng.uniform(0.95, 1.05), PENS[size] * rng.uniform(0.95, 1.1)
    slope, top, nib = rng.normal(0, 0.02), rng.uniform(30, 45), rng.uniform(0.5, 0.8)
    hand = Hand(height, pen, nib, slope)
    image = Image.new("L", (SIDE, SIDE), 0)
    page = ImageDraw.Draw(image)
    while top + height < SIDE - 20:
        _write_line(rng, page, hand, top)
        top += height * LEADING
    sharp = gaussian_filter(np.asarray(image, np.float32) / 255, 1.0)
    # Ink bleeds farther along the fibres of the face, which run along x.
    by_x = plane_noise(rng, (4, 12)) * 2.2
    by_y = plane_noise(rng, (8, 14)) * 1.2
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return np.asarray(map_coordinates(sharp, [y + by_y, x + by_x], order=1) > 0.5)


def _write_line(rng: np.random.Generator, page: ImageDraw.ImageDraw, hand: Hand, top: float) -> None:
    """Write random letters until the next one would reach into the margin."""
    left = rng.uniform(32, 60)
    while True:
        width = hand.height * rng.uniform(0.62, 0.85)
        if left + width > SIDE - 26:
            return
        angle = rng.normal(0, 0.05)
        cosine, sine = np.cos(angle), np.sin(angle)
        for stroke in list(LETTERS.values())[rng.integers(len(LETTERS))]:
            points = stroke + rng.normal(0, 0.015, 2)
            x = (points[:, 0] - 0.5) * width
            y = (points[:, 1] - 0.5) * hand.height * rng.uniform(0.95, 1.03)
            xs = left + width / 2 + x * cosine - y * sine
            ys = top + hand.height / 2 + x * sine + y * cosine + hand.slope * left
            _draw_stroke(page, hand, xs, ys, rng.uniform(0.88, 1.15))
        left += width + hand.pen * rng.uniform(0.9, 1.5)


def _draw_stroke(page: ImageDraw.ImageDraw, hand: Hand, xs: Floats, ys: Floats, load: float) -> None:
    """Draw a stroke through points, with a pen that a load of 1 makes as wide as usual."""
    for (x, next_x), (y, next_y) in zip(pairwise(xs), pairwise(ys), strict=True):
        direction = np.arctan2(next_y - y, next_x - x)
        radius = max(LEAST_RADIUS, hand.pen / 2 * load * (1 - 0.22 * np.cos(direction - hand.nib) ** 2))
        for share in (0, 0.33, 0.66, 1):
            at_x, at_y = x * (1 - share) + next_x * share, y * (1 - share) + next_y * share
            page.ellipse([at_x - radius, at_y - radius, at_x + radius, at_y + radius], fill=255)
