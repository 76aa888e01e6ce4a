"""Ink of the phantoms of slivers: a thin coat of soot that has cracked into plates.

Letters are drawn with a pen whose load is fractal and larger at the ends and crossings of strokes. Stress cracks the
dry coat into polygons, and these into smaller ones where the coat is thick. Single plates tilt, rise, sink into the
cracks of the papyrus, or are lost. All of it was written from the published statistics alone, independently of the
worlds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

SIDE = 512  # pixels of an image along y and x
PENS = (0.15, 0.21)  # width of a stroke over the height of its letter
HEIGHTS = (100.0, 190.0)  # of letters, px
LARGE, SMALL = (19.0, 30.0), (8.0, 13.0)  # spacing of the polygons of the first and second generation, px
COAT = (0.8, 1.6)  # usual thickness of the coat, layers
COVERED, TRIES = (0.1, 0.26), 8  # share of the image to be written on, and how often to try
FLAKE = 40  # smallest flaw that is missing in the truth, px²

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Line = list[tuple[float, float]]


def _arc(begin: float, end: float, wide: float = 0.5, high: float = 0.5, middle: float = 0.5) -> Line:
    """Return points ``(x, y)`` of part of an ellipse, angles in degrees from the right downwards."""
    angles = np.radians(np.linspace(begin, end, 14))
    return [(float(0.5 + wide * np.cos(a)), float(middle + high * np.sin(a))) for a in angles]


LETTERS: tuple[tuple[Line, ...], ...] = (
    ([(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)], [(0.2, 0.66), (0.8, 0.66)]),  # alpha
    ([(0.0, 1.0), (0.0, 0.0), (0.8, 0.0)],),  # gamma
    ([(0.0, 1.0), (0.5, 0.0), (1.0, 1.0), (0.0, 1.0)],),  # delta
    (_arc(-45, -315), [(0.0, 0.5), (0.75, 0.5)]),  # epsilon
    ([(0.0, 0.0), (0.0, 1.0)], [(0.9, 0.0), (0.9, 1.0)], [(0.0, 0.5), (0.9, 0.5)]),  # eta
    (_arc(0, 360), [(0.1, 0.5), (0.9, 0.5)]),  # theta
    ([(0.5, 0.0), (0.5, 1.0)],),  # iota
    ([(0.0, 0.0), (0.0, 1.0)], [(0.9, 0.0), (0.05, 0.55)], [(0.25, 0.4), (0.95, 1.0)]),  # kappa
    ([(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)],),  # lambda
    ([(0.0, 1.0), (0.15, 0.0), (0.5, 0.7), (0.85, 0.0), (1.0, 1.0)],),  # mu
    ([(0.0, 1.0), (0.0, 0.0), (0.9, 1.0), (0.9, 0.0)],),  # nu
    (_arc(0, 360),),  # omicron
    ([(0.05, 0.0), (0.05, 1.0)], [(0.9, 0.0), (0.9, 1.0)], [(-0.05, 0.0), (1.0, 0.0)]),  # pi
    ([(0.1, 0.0), (0.1, 1.0)], [(0.1, 0.0), (0.7, 0.1), (0.75, 0.4), (0.1, 0.55)]),  # rho
    (_arc(-45, -315),),  # sigma
    ([(0.0, 0.0), (1.0, 0.0)], [(0.5, 0.0), (0.5, 1.0)]),  # tau
    ([(0.0, 0.0), (0.5, 0.5), (1.0, 0.0)], [(0.5, 0.5), (0.5, 1.0)]),  # upsilon
    (_arc(0, 360, 0.5, 0.3), [(0.5, -0.1), (0.5, 1.1)]),  # phi
    ([(0.0, 0.0), (1.0, 1.0)], [(1.0, 0.0), (0.0, 1.0)]),  # chi
)


@dataclass(frozen=True)
class Coat:
    """Top and bottom of the ink ``(y, x)`` in layers from the face, its solid share and the truth, both ``(y, x)``."""

    top: Floats
    bottom: Floats
    solid: Floats
    truth: Bools


@dataclass(frozen=True)
class Plates:
    """Number of the polygon ``(y, x)``, distance from its edge ``(y, x)`` in px, and centres ``(number, 2)`` in px."""

    number: npt.NDArray[np.intp]
    edge: Floats
    centres: Floats


def smooth_noise(rng: np.random.Generator, sigma_y: float, sigma_x: float, side: int = SIDE) -> Floats:
    """Return Gaussian noise ``(y, x)`` of mean 0 and spread 1, smooth over so many px."""
    step_y, step_x = max(1.0, sigma_y / 2), max(1.0, sigma_x / 2)
    size = (int(side / step_y) + 8, int(side / step_x) + 8)
    coarse = rng.standard_normal(size).astype(np.float32)
    coarse = ndimage.gaussian_filter(coarse, (sigma_y / step_y, sigma_x / step_x), mode="wrap")
    coarse /= coarse.std() + 1e-6
    for axis, step in ((0, step_y), (1, step_x)):
        coarse = stretch(coarse, np.arange(side, dtype=np.float32) / step + 3, axis)
    return coarse


def stretch(values: Floats, places: Floats, axis: int) -> Floats:
    """Return the values interpolated linearly at places (in cells) along one axis."""
    low = np.clip(places.astype(np.intp), 0, values.shape[axis] - 2)
    shape = [1] * values.ndim
    shape[axis] = len(places)
    weight = (places - low).astype(np.float32).reshape(shape)
    left, right = values.take(low, axis), values.take(low + 1, axis)
    right -= left
    right *= weight
    left += right
    return left


def fractal(rng: np.random.Generator, scales: tuple[float, ...], roughness: float = 0.7) -> Floats:
    """Return fractal noise ``(y, x)``, the sum of octaves of the given scales in px, of spread about 1."""
    total = np.zeros((SIDE, SIDE), np.float32)
    weights = roughness ** np.arange(len(scales))
    for scale, weight in zip(scales, weights, strict=True):
        total += np.float32(weight) * smooth_noise(rng, scale, scale)
    return total / np.float32(np.sqrt((weights**2).sum()))


def polygons(rng: np.random.Generator, spacing: float) -> Plates:
    """Return a tessellation of the image into polygons, from jittered sites so many px apart."""
    ticks = np.arange(-spacing, SIDE + 1.5 * spacing, spacing)
    grid = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), -1).reshape(-1, 2)
    sites = grid + rng.uniform(-0.48, 0.48, grid.shape) * spacing
    points = np.indices((SIDE, SIDE)).reshape(2, -1).T.astype(np.float32)
    points += 0.12 * spacing * np.stack([smooth_noise(rng, 4, 4).ravel() for _ in range(2)], -1)
    distance, near = cKDTree(sites).query(points, k=2)
    between = np.linalg.norm(sites[near[:, 0]] - sites[near[:, 1]], axis=1)
    edge = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * between)
    return Plates(near[:, 0].reshape(SIDE, SIDE), edge.reshape(SIDE, SIDE).astype(np.float32), sites.astype(np.float32))


def _segment(load: Floats, begin: Floats, end: Floats, pen: float, nib: float) -> None:
    """Draw a segment between points ``(y, x)`` into a distance field ``(y, x)`` in widths of the pen."""
    low = np.clip(np.minimum(begin, end) - 1.2 * pen, 0, SIDE).astype(int)
    high = np.clip(np.maximum(begin, end) + 1.2 * pen, 0, SIDE).astype(int)
    if (high <= low).any():
        return
    y, x = np.ogrid[low[0] : high[0], low[1] : high[1]]
    along = end - begin
    length = float(np.hypot(*along)) + 1e-3
    share = np.clip(((y - begin[0]) * along[0] + (x - begin[1]) * along[1]) / length**2, 0, 1)
    distance = np.hypot(y - begin[0] - share * along[0], x - begin[1] - share * along[1])
    turn = abs(np.sin(np.arctan2(along[0], along[1]) - nib))
    part = load[low[0] : high[0], low[1] : high[1]]
    np.minimum(part, distance / (0.5 * pen * (0.75 + 0.35 * turn)), out=part)


def _letter(rng: np.random.Generator, corner: Floats, height: float, wide: float, pen: float) -> tuple[Floats, Floats]:
    """Return the distance of a letter ``(y, x)`` in half widths of its strokes, and its extra load ``(y, x)``."""
    whole = np.full((SIDE, SIDE), 9.0, np.float32)
    load = np.zeros((SIDE, SIDE), np.float32)
    slant, nib = rng.normal(0, 0.07), rng.uniform(0, np.pi)
    for line in LETTERS[rng.integers(len(LETTERS))]:
        places = np.array(
            [(corner[0] + y * height, corner[1] + x * wide + slant * (0.5 - y) * height) for x, y in line]
        )
        places = (places + rng.normal(0, 0.025 * height, (1, 2))).astype(np.float32)
        stroke = np.full((SIDE, SIDE), 9.0, np.float32)
        for begin, end in pairwise(places):
            _segment(stroke, begin, end, pen, nib)
        y, x = np.ogrid[:SIDE, :SIDE]
        final = (y - places[-1, 0]) ** 2 + (x - places[-1, 1]) ** 2
        load += np.where((stroke < 1) & (whole < 1), 0.5, 0) + 0.6 * np.exp(-final / pen**2) * (stroke < 1)
        np.minimum(whole, stroke, out=whole)
    return whole, load


def _page(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the distance ``(y, x)`` of rows of letters in half widths of strokes, and their extra load ``(y, x)``."""
    height = rng.uniform(*HEIGHTS)
    pen = max(21.0, height * rng.uniform(*PENS))
    distance, load = np.full((SIDE, SIDE), 9.0, np.float32), np.zeros((SIDE, SIDE), np.float32)
    margin = rng.uniform(-0.3, 1.0) * height * rng.integers(0, 2, 2)
    row = float(rng.uniform(-0.5, 0.4) * height)
    while row < SIDE - 0.2 * height:
        column = float(margin[0] + rng.uniform(0, 0.4) * height)
        while column < SIDE - margin[1] - 0.5 * height:
            wide = height * rng.uniform(0.6, 0.95)
            if rng.random() > 0.15:
                corner = np.array([row + rng.normal(0, 0.03) * height, column], np.float32)
                letter, extra = _letter(rng, corner, height, wide, pen)
                np.minimum(distance, letter, out=distance)
                load += extra
            column += wide + pen * rng.uniform(1.3, 2.4)
        row += height * rng.uniform(1.3, 1.6)
    return distance, load


def strokes(rng: np.random.Generator) -> tuple[Bools, Floats]:
    """Return where the pen wrote ``(y, x)``, and the load of ink there ``(y, x)``, usually about 1."""
    for _ in range(TRIES):
        distance, load = _page(rng)
        if COVERED[0] < (distance < 1).mean() < COVERED[1]:
            break
    ragged = distance + 0.10 * fractal(rng, (10, 5, 2.5))
    load += 1.0 + 0.3 * fractal(rng, (60, 30, 15, 8, 4))
    return ragged < 1, load * np.clip(1.6 * (1.15 - ragged), 0.35, 1)


def _crackle(rng: np.random.Generator, load: Floats) -> tuple[Plates, Floats]:
    """Return the plates into which a coat of this load ``(y, x)`` cracks, and its solid share ``(y, x)``."""
    first, second = polygons(rng, rng.uniform(*LARGE)), polygons(rng, rng.uniform(*SMALL))
    thick = _mean_over(first.number, load)
    split = thick + rng.normal(0, 0.2, len(thick)) > np.quantile(thick, 0.35)
    parted = split[first.number]
    width = np.clip(0.55 + 0.45 * load + 0.3 * smooth_noise(rng, 30, 30), 0.3, 2.2)
    edge = np.minimum(first.edge - width, np.where(parted, second.edge - 0.55 * width, 99))
    number = first.number * len(second.centres) + np.where(parted, second.number, 0)
    _, compact = np.unique(number, return_inverse=True)
    compact = compact.reshape(SIDE, SIDE)
    y, x = np.indices((SIDE, SIDE), np.float32)
    centres = np.stack([_mean_over(compact, y), _mean_over(compact, x)], -1)
    return Plates(compact, edge.astype(np.float32), centres), np.clip(edge / 0.8 + 0.5, 0, 1).astype(np.float32)


def _mean_over(number: npt.NDArray[np.intp], values: Floats) -> Floats:
    """Return the mean of values ``(y, x)`` over each numbered polygon."""
    count = np.maximum(np.bincount(number.ravel()), 1)
    return (np.bincount(number.ravel(), values.ravel()) / count).astype(np.float32)


def coat(rng: np.random.Generator, surface: Floats, missing: Bools) -> Coat:
    """Return the coat of ink over a surface ``(y, x)`` in layers below the face, missing in places ``(y, x)``."""
    written, load = strokes(rng)
    plates, solid = _crackle(rng, load)
    resting = _mean_over(plates.number, surface)
    total = len(resting)
    worn = _mean_over(plates.number, fractal(rng, (70, 35, 16)))
    lost = worn + 0.5 * rng.standard_normal(total) > rng.uniform(1.4, 2.6)
    rise = np.where(rng.random(total) < 0.2, rng.uniform(0.2, 1.5, total), rng.normal(-0.2, 0.2, total))
    sunk = (resting > np.quantile(resting, 0.8)) & (rng.random(total) < 0.5)
    rise = np.where(sunk, -rng.uniform(0.8, 2.5, total), rise).astype(np.float32)
    tilt = (rng.normal(0, 0.05, (total, 2)) * np.where(rng.random((total, 1)) < 0.25, 2.5, 1)).astype(np.float32)
    which = plates.number
    y, x = np.ogrid[:SIDE, :SIDE]
    lean = tilt[which, 0] * (y - plates.centres[which, 0]) + tilt[which, 1] * (x - plates.centres[which, 1])
    curl = 0.5 * np.exp(-np.maximum(plates.edge, 0) / 2.5)
    bottom = 0.55 * resting[which] + 0.45 * surface - rise[which] - np.clip(lean, -1.5, 1.5) - curl
    thickness = np.clip(rng.uniform(*COAT) * load, 0.5, 3.2)
    kept = written & ~lost[which] & ~missing
    return Coat((bottom - thickness).astype(np.float32), bottom.astype(np.float32), solid * kept, _whole(written, kept))


def _whole(written: Bools, kept: Bools) -> Bools:
    """Return the truth ``(y, x)``: what was written, without flaws of more than a few px."""
    flaws, _ = ndimage.label(written & ~kept)
    large = np.bincount(flaws.ravel()) >= FLAKE
    large[0] = False
    return np.asarray(written & ~large[flaws], np.bool_)
