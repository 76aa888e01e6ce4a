"""Letters of soot: grains dropped one by one along a pen's track, which clump to plates with cracks between.

Grains fall more densely in the middle of the track and stick better where the face stands high. They are smoothed and
cut at a threshold: what is left are nuclei of clumps, which grow until they nearly meet; where they do not meet, dark
cracks remain, and some grains have fallen through them. Plates rise, tilt, differ in thickness, and some flaked off.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]

SIDE = 512  # pixels of a layer along y and x
FINE = 12.0  # pixels: noise which varies faster is not drawn on a coarse lattice
HEIGHT = (100.0, 160.0)  # pixels, of a letter
PEN = (26.0, 44.0)  # pixels, width of the track
GRAINS = 2.2  # grains dropped for each pixel of track
SHARE = (0.13, 0.27)  # of the area covered by ink
COVERED = 0.5  # smoothed grains in a pixel, from which on the face counts as covered
PLATE = (1.4, 2.8)  # pixels, smoothing of grains before nuclei of clumps are cut out
NUCLEI = 0.75  # share of the covered face which is in no nucleus of a clump
FLAKED = (0.03, 0.16)  # share of plates which fell off
LIFT = 0.7  # layers, usual rise of a plate above the face
THICKNESS = (1.0, 3.0)  # layers
FALLEN = 0.12  # share of the grains over cracks which fell through
SMALLEST = 40  # pixels, of a flake to be cut out of the truth

# Tracks of the pen in a box of height and width 1: lists of points (y, x), y downwards.
ARC = [(0.5 - 0.5 * np.cos(a), 0.5 - 0.45 * np.sin(a)) for a in np.linspace(0.0, 2.0 * np.pi, 21)]
LETTERS: tuple[list[list[tuple[float, float]]], ...] = (
    [[(1, 0), (0, 0.5), (1, 1)], [(0.65, 0.2), (0.65, 0.8)]],  # alpha
    [[(1, 0.1), (0, 0.1), (0, 0.9)]],  # gamma
    [[(1, 0), (0, 0.5), (1, 1), (1, 0)]],  # delta
    [ARC[2:-2], [(0.5, 0.1), (0.5, 0.75)]],  # round epsilon
    [[(0, 0.1), (1, 0.1)], [(0, 0.9), (1, 0.9)], [(0.5, 0.1), (0.5, 0.9)]],  # eta
    [ARC, [(0.5, 0.2), (0.5, 0.8)]],  # theta
    [[(0, 0.5), (1, 0.5)]],  # iota
    [[(0, 0.1), (1, 0.1)], [(0, 0.9), (0.5, 0.15), (1, 0.9)]],  # kappa
    [[(1, 0), (0, 0.5), (1, 1)]],  # lambda
    [[(1, 0), (0, 0.2), (0.8, 0.5), (0, 0.8), (1, 1)]],  # mu
    [[(1, 0.1), (0, 0.1), (1, 0.9), (0, 0.9)]],  # nu
    [ARC],  # omicron
    [[(1, 0.1), (0, 0.1), (0, 0.9), (1, 0.9)]],  # pi
    [[(1, 0.2), (0, 0.2), (0.05, 0.75), (0.3, 0.85), (0.5, 0.6), (0.52, 0.2)]],  # rho
    [ARC[2:-2]],  # lunate sigma
    [[(0, 0), (0, 1)], [(0, 0.5), (1, 0.5)]],  # tau
    [[(0, 0), (0.5, 0.5), (0, 1)], [(0.5, 0.5), (1, 0.5)]],  # upsilon
    [[(0, 0), (1, 1)], [(0, 1), (1, 0)]],  # chi
)


@dataclass(frozen=True)
class Soot:
    """Ink on the face: all fields are maps ``(y, x)``."""

    truth: Bools
    """Where ink is, cracks included, without larger flakes."""
    plates: Floats
    """Share of a pixel covered by a plate, 0 to 1."""
    cracks: Floats
    """Darkness of cracks, 0 to 1."""
    lift: Floats
    """Rise of the plates' middle above the face in layers."""
    thickness: Floats
    """Thickness of plates in layers."""
    fallen: Floats
    """Grains fallen through cracks, in each pixel."""


def smooth_noise(rng: np.random.Generator, pixels: float) -> Floats:
    """Return noise ``(y, x)`` of spread 1 which varies over so many pixels."""
    if pixels < FINE:
        plane = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE), np.float32), 0.4 * pixels)
        return np.asarray(plane / plane.std(), np.float32)
    count = max(4, round(SIDE / pixels) + 3)
    coarse = rng.standard_normal((count, count)).astype(np.float32)
    at = np.linspace(1.0, count - 2.0, SIDE, dtype=np.float32)
    y, x = np.meshgrid(at, at, indexing="ij")
    plane = ndimage.map_coordinates(coarse, [y, x], order=3, mode="nearest")
    return np.asarray(plane / plane.std(), np.float32)


def drop_soot(rng: np.random.Generator, face: Floats, sheet: Bools) -> Soot:
    """Return the ink of some rows of letters on a face (depths ``(y, x)`` in layers) where there is a sheet."""
    pen = rng.uniform(*PEN)
    grains = _stick(rng, _landings(rng, pen), face)
    density = ndimage.gaussian_filter(grains, 2.0)
    covered = ndimage.binary_opening(density > COVERED, iterations=2) & sheet
    labels = _clumps(rng, grains, covered)
    return _plates(rng, labels, covered, grains)


def _landings(rng: np.random.Generator, pen: float) -> Points:
    """Return where grains fall, as points ``(n, 2)`` of y and x in pixels."""
    height = rng.uniform(*HEIGHT)
    margin_y, margin_x = rng.uniform(-30.0, 60.0, 2)
    slant, goal = rng.normal(0.0, 0.08), rng.uniform(*SHARE) * SIDE**2
    boxes: list[tuple[float, float, float]] = []
    top = margin_y
    while top < SIDE - 60.0:
        left = margin_x + rng.uniform(0.0, 40.0)
        while left < SIDE - rng.uniform(20.0, 90.0):
            boxes.append((top, left, height * rng.uniform(0.55, 0.9)))
            left += boxes[-1][2] + pen * rng.uniform(1.0, 1.8)
        top += height + pen * rng.uniform(1.2, 2.4)
    dropped: list[Points] = []
    for box in rng.permutation(boxes):
        if sum(np.count_nonzero(_within(points)) for points in dropped) < GRAINS * goal:
            dropped += _letter(rng, box, height, slant, pen)
    return np.concatenate(dropped)


def _letter(rng: np.random.Generator, box: Points, height: float, slant: float, pen: float) -> list[Points]:
    """Return grains ``(n, 2)`` for each track of a letter: top, left and width of its box, height and pen in pixels."""
    dropped = []
    for track in LETTERS[rng.integers(len(LETTERS))]:
        points = np.array(track) * (height * rng.uniform(0.9, 1.05), box[2])
        points[:, 1] += slant * points[:, 0]
        dropped.append(_along(rng, points + box[:2] + rng.normal(0.0, 3.0, points.shape), pen))
    return dropped


def _along(rng: np.random.Generator, track: Points, pen: float) -> Points:
    """Return grains ``(n, 2)`` in pixels dropped along one track of a pen so many pixels wide."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(track, axis=0).T))])
    count = int(GRAINS * lengths[-1] * pen)
    at = rng.uniform(0.0, lengths[-1], count)
    wobble = 3.0 * np.sin(at / rng.uniform(20.0, 50.0))
    middle = np.stack([np.interp(at, lengths, column) for column in track.T], axis=1) + wobble[:, None]
    angle, away = rng.uniform(0.0, 2.0 * np.pi, count), np.abs(rng.normal(0.0, 0.4, count))
    offset = pen * np.minimum(away, rng.uniform(0.42, 0.5, count))
    return np.asarray(middle + offset[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1))


def _within(points: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> Bools:
    """Return which points ``(n, 2)`` in pixels lie on the layer."""
    return np.asarray(((points >= 0) & (points < SIDE)).all(axis=1))


def _stick(rng: np.random.Generator, landings: Points, face: Floats) -> Floats:
    """Return the grains in each pixel ``(y, x)`` which stuck: more of them where the face stands high."""
    at = np.round(landings).astype(np.int64)
    at = at[_within(at)]
    height = ndimage.gaussian_filter(face, 6.0) - face
    sticks = rng.random(len(at)) < np.clip(0.8 + 0.25 * height, 0.4, 1.0)[at[:, 0], at[:, 1]]
    counts = np.bincount(at[sticks] @ (SIDE, 1), minlength=SIDE * SIDE)
    return np.asarray(counts.reshape(SIDE, SIDE), np.float32)


def _clumps(rng: np.random.Generator, grains: Floats, covered: Bools) -> npt.NDArray[np.int32]:
    """Return the clump ``(y, x)`` each pixel belongs to: 0 in cracks and off the ink."""
    size = rng.uniform(*PLATE)
    uneven = grains * np.exp(0.5 * smooth_noise(rng, 3.0))
    fine, coarse = (ndimage.gaussian_filter(uneven, scale) for scale in (size, 2.5 * size))
    excess = fine / (coarse + 0.1)
    nuclei, _ = ndimage.label((excess > np.quantile(excess[covered], NUCLEI)) & covered)
    grown = watershed(-excess, nuclei, mask=covered, watershed_line=True)  # type: ignore[no-untyped-call]
    return np.asarray(grown, np.int32)


def _plates(rng: np.random.Generator, labels: npt.NDArray[np.int32], covered: Bools, grains: Floats) -> Soot:
    """Return the ink made of clumps ``(y, x)``: some flake off, the others rise and tilt each by itself."""
    count = int(labels.max()) + 1
    loss = rng.uniform(*FLAKED)
    weak = ndimage.mean(smooth_noise(rng, 60.0), labels, np.arange(count))
    off = rng.random(count) < np.clip(loss * np.exp(0.9 * weak), 0.0, 0.9)
    flaked = ndimage.binary_opening(ndimage.binary_closing(off[labels] & (labels > 0)), iterations=2)
    pieces, _ = ndimage.label(flaked)
    flaked &= (np.bincount(pieces.ravel()) >= SMALLEST)[pieces]
    truth = covered & ~flaked
    solid = (labels > 0) & truth
    cracks = ndimage.gaussian_filter((truth & ~solid).astype(np.float32), 0.5)
    rise = np.abs(rng.normal(0.0, LIFT, count)).astype(np.float32)[labels]
    tilt = 0.5 * smooth_noise(rng, 12.0)
    thick = rng.uniform(*THICKNESS, count).astype(np.float32)[labels]
    fallen = np.where(cracks > 0.2, rng.poisson(FALLEN * grains), 0).astype(np.float32)
    soft = ndimage.gaussian_filter(solid.astype(np.float32), 0.5)
    return Soot(truth, soft, cracks, rise + tilt, thick, fallen)
