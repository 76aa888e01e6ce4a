"""Ink of the ribbed sheets: a slurry that dries with a thick rim and breaks into plates.

Letters are drawn as lines with a pen. The slurry is thicker in a rim along the border of each stroke, as a drying drop
leaves it, and thinner within; a little of it is absorbed, more between the ribs of the sheet than on them. It dries
into plates: one family of cracks runs across the stroke, another along the ribs, and plates curl, rise or flake off.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
Line = list[tuple[float, float]]

SIDE = 512  # px, of the area
LETTER_HEIGHTS = (100.0, 195.0)  # px
PEN_WIDTHS = (0.18, 0.3)  # of the height of letters
LARGEST_SHARE = 0.24  # of the area under ink
SMALLEST_SHARE = 0.06  # of the area under ink
ACROSS_SPACING = (9.0, 22.0)  # px along the stroke between cracks across it
RIB_SPACING = (11.0, 27.0)  # px across the fibres between cracks along the ribs
CRUST = 1.1  # layers of dried slurry within a stroke
RIM = 0.9  # layers more at the rim
RIM_PLACE, RIM_BREADTH = 3.0, 2.2  # px from the border of the stroke
SOAK = 0.8  # layers of absorbed ink
FLAKED = (0.01, 0.06)  # share of plates flaked off where writing is sound


def _bow(x: float, y: float, half_width: float, half_height: float, first: float, last: float) -> Line:
    """Return points ``(x, y)`` of an arc of an ellipse between two angles in degrees."""
    angles = np.radians(np.linspace(first, last, 25))
    return [(x + half_width * float(np.cos(a)), y + half_height * float(np.sin(a))) for a in angles]


GLYPHS: tuple[tuple[Line, ...], ...] = (
    ([(0, 1), (0.45, 0)], [(0.4, 0), (0.85, 1)], [(0.18, 0.65), (0.68, 0.65)]),
    ([(0.05, 1), (0.05, 0), (0.65, 0)],),
    ([(0.42, 0), (0, 1), (0.85, 1), (0.42, 0)],),
    (_bow(0.45, 0.5, 0.4, 0.5, 320, 40), [(0.1, 0.5), (0.6, 0.48)]),
    ([(0.05, 0), (0.05, 1)], [(0.7, 0), (0.7, 1)], [(0.05, 0.5), (0.7, 0.5)]),
    (_bow(0.45, 0.5, 0.42, 0.5, 0, 360), [(0.1, 0.5), (0.8, 0.5)]),
    ([(0.1, 0), (0.1, 1)],),
    ([(0.05, 0), (0.05, 1)], [(0.65, 0), (0.08, 0.55), (0.7, 1)]),
    ([(0, 1), (0.42, 0)], [(0.3, 0.1), (0.8, 1)]),
    ([(0, 1), (0.15, 0), (0.5, 0.75), (0.85, 0), (1, 1)],),
    ([(0.05, 1), (0.05, 0), (0.7, 1), (0.7, 0)],),
    (_bow(0.42, 0.5, 0.38, 0.42, 0, 360),),
    ([(0.05, 1), (0.05, 0.02), (0.7, 0.02), (0.7, 1)],),
    ([(0.05, 1), (0.05, 0)], _bow(0.08, 0.27, 0.42, 0.26, -90, 90)),
    (_bow(0.45, 0.5, 0.4, 0.5, 315, 45),),
    ([(0, 0.02), (0.75, 0)], [(0.38, 0), (0.38, 1)]),
    ([(0, 0), (0.36, 0.5), (0.36, 1)], [(0.74, 0), (0.36, 0.52)]),
    ([(0.45, -0.1), (0.45, 1.15)], _bow(0.45, 0.5, 0.42, 0.3, 0, 360)),
    ([(0.02, 0), (0.75, 1)], [(0.75, 0), (0, 1)]),
    (_bow(0.28, 0.55, 0.28, 0.45, 240, 0), _bow(0.84, 0.55, 0.28, 0.45, 180, -60)),
)


@dataclass(frozen=True)
class Strokes:
    """Points of pen lines: places ``(point, 2)`` as y and x in px, run along all lines and pen widths, both in px."""

    places: Doubles
    run: Doubles
    widths: Doubles


@dataclass(frozen=True)
class Ink:
    """Ink on the face, all maps ``(y, x)``.

    ``present`` is the truth, ``crust``, ``rise`` and ``soak`` are in layers, ``gain`` multiplies the contrast.
    """

    present: Bools
    crust: Floats
    rise: Floats
    soak: Floats
    gain: Floats


def smooth(rng: np.random.Generator, cell: float | tuple[float, float], side: int = SIDE) -> Floats:
    """Return a smooth random field ``(y, x)`` of mean 0 and spread 1 with features of about ``cell`` px."""
    cells = cell if isinstance(cell, tuple) else (cell, cell)
    counts = [int(np.ceil(side / each)) + 4 for each in cells]
    coarse = rng.standard_normal(counts).astype(np.float32)
    offsets = [float(rng.uniform(1.0, 1.9)) for _ in cells]
    steps = [np.arange(side) / each + offset for each, offset in zip(cells, offsets, strict=True)]
    grid = np.meshgrid(*steps, indexing="ij")
    field = ndimage.map_coordinates(coarse, grid, order=3, output=np.float32)
    result: Floats = ((field - field.mean()) / (field.std() + 1e-6)).astype(np.float32)
    return result


def write(rng: np.random.Generator, across: Floats, ribs: Floats, sound: Bools) -> Ink:
    """Return ink written on a face, given distance across its fibres (px), height of ribs (spreads) and sound parts."""
    body, run, border = _stroke_maps(rng)
    for _ in range(20):
        if SMALLEST_SHARE < body.mean() < LARGEST_SHARE:
            break
        body, run, border = _stroke_maps(rng)
    plates = _plates(rng, body, run, across)
    lost = _lost(rng, plates, body)
    present = body & sound & ~lost
    rim = np.exp(-(((border - RIM_PLACE) / RIM_BREADTH) ** 2))
    crust = (CRUST + RIM * rim) * (1.0 + 0.25 * smooth(rng, 14.0))
    open_cracks = _cracks(rng, plates) | ~present
    crust = np.where(open_cracks, 0.0, np.clip(crust, 0.4, 3.0))
    soak = np.where(present, SOAK * np.clip(1.0 - 0.6 * ribs, 0.2, 2.5), 0.0)
    gain = np.where(present, 1.0 + 0.15 * _per_plate(rng, plates), 0.0)
    rise = np.where(present, _rise(rng, plates), 0.0)
    return Ink(present, *(each.astype(np.float32) for each in (crust, rise, soak, gain)))


def _stroke_maps(rng: np.random.Generator) -> tuple[Bools, Floats, Floats]:
    """Return where strokes are, run along them (px) and distance from their border (px), all ``(y, x)``."""
    strokes = _lettering(rng)
    pad = 64
    cells = np.rint(strokes.places).astype(int) + pad
    inside = ((cells >= 0) & (cells < SIDE + 2 * pad)).all(axis=1)
    index = np.full((SIDE + 2 * pad, SIDE + 2 * pad), -1)
    index[tuple(cells[inside].T)] = np.flatnonzero(inside)
    distance, nearest = ndimage.distance_transform_edt(index < 0, return_indices=True)
    core = np.s_[pad : pad + SIDE, pad : pad + SIDE]
    owner = index[nearest[0][core], nearest[1][core]]
    border = strokes.widths[owner] / 2 - distance[core] + 1.3 * smooth(rng, 7.0) + 1.2 * smooth(rng, 24.0)
    body = border > 0
    return body, strokes.run[owner].astype(np.float32), border.astype(np.float32)


def _lettering(rng: np.random.Generator) -> Strokes:
    """Return the pen lines of rows of letters with margins, turned a little."""
    height = rng.uniform(*LETTER_HEIGHTS)
    width = rng.uniform(*PEN_WIDTHS) * height
    nib, slant, turn = rng.uniform(0.3, 1.2), rng.normal(0.0, 0.06), rng.normal(0.0, 0.05)
    left, top = rng.uniform(-60.0, 150.0), rng.uniform(-0.5, 0.8) * height
    right = SIDE - rng.uniform(-60.0, 150.0)
    lines: list[Doubles] = []
    for row in np.arange(top, SIDE, height * rng.uniform(1.3, 2.1)):
        x = left + rng.normal(0.0, 12.0)
        while x < right - rng.uniform(0.0, 60.0):
            size = height * rng.uniform(0.88, 1.1)
            for line in GLYPHS[rng.integers(len(GLYPHS))]:
                shape = np.array(line) + rng.normal(0.0, 0.012, (len(line), 2))
                ys = row + size * shape[:, 1]
                lines.append(np.stack([ys, x + size * 0.85 * shape[:, 0] - slant * (ys - row)], axis=1))
            x += size * rng.uniform(0.85, 1.4) + width
    cos, sin = np.cos(turn), np.sin(turn)
    return _pen([line @ np.array([[cos, sin], [-sin, cos]]) for line in lines], width, nib)


def _pen(lines: list[Doubles], width: float, nib: float) -> Strokes:
    """Return points at every px or so of these lines ``(point, 2)``, drawn with a nib of a width (px) and an angle."""
    places, runs, widths, start = [], [], [], 0.0
    for line in lines:
        steps = np.hypot(*np.diff(line, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        run = np.arange(0.0, along[-1], 0.7)
        place = np.stack([np.interp(run, along, line[:, axis]) for axis in (0, 1)], axis=1)
        slope = np.gradient(ndimage.gaussian_filter1d(place, 4.0, axis=0, mode="nearest"), axis=0)
        turn = np.arctan2(slope[:, 0], slope[:, 1])
        breadth = width * (0.72 + 0.36 * np.abs(np.sin(turn - nib)))
        places.append(place)
        runs.append(start + run)
        widths.append(ndimage.gaussian_filter1d(breadth, 6.0, mode="nearest"))
        start += along[-1] + 40.0
    return Strokes(np.concatenate(places), np.concatenate(runs), np.concatenate(widths))


def _plates(rng: np.random.Generator, body: Bools, run: Floats, across: Floats) -> Integers:
    """Return the number ``(y, x)`` of the plate at each pixel, from cracks across strokes and along ribs, 0 outside."""
    bent = run + 2.5 * smooth(rng, 11.0) + 1.0 * smooth(rng, 4.0)
    cuts = np.cumsum(rng.uniform(*ACROSS_SPACING, int(run.max() / ACROSS_SPACING[0]) + 8))
    bands = np.searchsorted(cuts, bent)
    spacing, shift = rng.uniform(*RIB_SPACING, len(cuts) + 1), rng.uniform(0.0, 40.0, len(cuts) + 1)
    wavy = across + 1.5 * smooth(rng, 9.0) + shift[bands]
    rows = np.floor((wavy - wavy.min()) / spacing[bands]).astype(np.int64)
    keys = np.where(body, 1 + bands * (int(rows.max()) + 1) + rows, 0)
    numbers: Integers = np.unique(keys, return_inverse=True)[1].reshape(body.shape).astype(np.int64)
    return numbers


def _per_plate(rng: np.random.Generator, plates: Integers) -> Floats:
    """Return a map ``(y, x)`` of one random value of spread 1 for each plate."""
    values: Floats = rng.standard_normal(int(plates.max()) + 1).astype(np.float32)[plates]
    return values


def _lost(rng: np.random.Generator, plates: Integers, body: Bools) -> Bools:
    """Return where ink flaked off ``(y, x)``: single plates, and most plates in worn patches."""
    worn = smooth(rng, 70.0)
    limit = np.quantile(worn, rng.uniform(0.86, 0.98))
    chance = np.where(worn > limit, 0.75, rng.uniform(*FLAKED))
    count = int(plates.max()) + 1
    mean = ndimage.mean(chance, plates, np.arange(count))
    gone = rng.random(count) < mean
    lost: Bools = ndimage.binary_opening(gone[plates] & body, iterations=1)
    return lost


def _cracks(rng: np.random.Generator, plates: Integers) -> Bools:
    """Return open cracks between plates ``(y, x)``, 1 or 2 px wide and closed in places."""
    edge = np.zeros(plates.shape, np.bool_)
    edge[:, 1:] |= plates[:, 1:] != plates[:, :-1]
    edge[1:] |= plates[1:] != plates[:-1]
    opening = smooth(rng, 12.0)
    wide = ndimage.binary_dilation(edge & (opening > 0.3))
    cracks: Bools = (edge & (opening > -0.9)) | wide
    return cracks


def _rise(rng: np.random.Generator, plates: Integers) -> Floats:
    """Return how far plates stand off the face ``(y, x)`` in layers: some lifted, all curled up towards an edge."""
    count = int(plates.max()) + 1
    ys, xs = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    numbers = np.arange(count)
    curl = np.zeros(plates.shape, np.float32)
    for axis in (ys, xs):
        centre = ndimage.mean(axis, plates, numbers)
        curl += (axis - centre[plates].astype(np.float32)) * (0.05 * _per_plate(rng, plates))
    lift = rng.gamma(1.2, 0.35, count).astype(np.float32)[plates]
    rise: Floats = np.clip(lift + curl, -0.3, 2.2).astype(np.float32)
    return rise
