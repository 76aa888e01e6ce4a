"""Write letters and let their ink dry to a cracked skin.

A reed pen draws Greek letters of a book hand in lines. The wet ink creeps along the fibres at its borders. While it
dries, its binder is carried to the border: a raised rim stays there, and the middle of wide strokes is thin or bare.
The skin bridges the furrows between fibres. It shrinks, and so it is under tension along and across the fibres: cracks
start at weak places, run along the fibres or across them, and relieve the tension beside them, until no place is
strained enough. Edges of plates curl up, and some plates fall off.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SIZE = 512  # of a map, in pixels
_TALL = (105.0, 155.0)  # height of letters, in pixels
_PEN = (30.0, 38.0)  # width of strokes, in pixels
_AREA = (0.15, 0.23)  # share of the phantom that ink covers, about
_MARGIN = (26.0, 70.0)  # bare papyrus beside the column, in pixels
_CREEP = 1.6  # how far ink creeps along fibres at its border, in pixels

_RIM = 1.7  # thickness of the rim, in layers
_RIM_AT = 3.0  # distance of its crest from the border, in pixels
_RIM_FALL = 4.0  # distance over which it falls off inwards, in pixels
_SKIN = 0.85  # thickness of skin inside the rim, in layers
_STARVED_FROM = 10.0  # distance from the border from which skin thins, in pixels
_BARE = 0.12  # thickness under which no skin holds together, in layers
_LEVELLED = 2.6  # width of furrows that the skin bridges, a standard deviation in pixels
_SINKS = 0.9  # how deep ink sinks into furrows, in layers
_CURL = 0.7  # how far edges of plates curl up, in layers
_GRAINS = 5.0  # spread of the grey of grains in ink

_RELIEF = (6.5, 10.5)  # distance over which a crack relieves the tension across it, along fibres and across, in pixels
_TOUGH = 0.62  # tension at which a crack starts, as a share of that of a skin without cracks
_STOPS = 0.4  # tension at which it stops, same unit
_TURN = 0.35  # by how much a crack can turn at each pixel, in radians
_CRACK = (0.7, 1.25)  # half the width of cracks, in pixels
_NOTCH = 1.1  # how deep cracks cut into the face under the skin, in layers
_FALLEN = 0.09  # share of plates that fell off
_LARGEST_LOST = 600  # larger plates than this hold on, in pixels
_SEEN = 40  # flakes larger than this many pixels are left out of the truth

_Line = tuple[tuple[float, float], ...]


def _arc(x: float, y: float, wide: float, tall: float, start: float, end: float) -> _Line:
    angles = np.radians(np.linspace(start, end, 24))
    return tuple((float(x + wide * np.cos(a)), float(y - tall * np.sin(a))) for a in angles)


# Letters as lines of points (x, y) of a square of side 1, y downwards.
_LETTERS: tuple[tuple[_Line, ...], ...] = (
    (((0.0, 1.0), (0.42, 0.0), (0.85, 1.0)), ((0.17, 0.66), (0.68, 0.66))),  # alpha
    (((0.05, 1.0), (0.05, 0.0), (0.62, 0.0)),),  # gamma
    (((0.0, 0.97), (0.42, 0.0), (0.85, 0.97), (0.0, 0.97)),),  # delta
    (_arc(0.42, 0.5, 0.4, 0.5, 50, 310), ((0.05, 0.5), (0.6, 0.5))),  # epsilon
    (((0.05, 0.0), (0.05, 1.0)), ((0.72, 0.0), (0.72, 1.0)), ((0.05, 0.5), (0.72, 0.5))),  # eta
    (((0.1, 0.0), (0.1, 1.0)),),  # iota
    (((0.05, 0.0), (0.05, 1.0)), ((0.66, 0.0), (0.07, 0.52), (0.7, 1.0))),  # kappa
    (((0.0, 1.0), (0.4, 0.0), (0.82, 1.0)),),  # lambda
    (((0.05, 1.0), (0.05, 0.0), (0.75, 1.0), (0.75, 0.0)),),  # nu
    (_arc(0.42, 0.5, 0.4, 0.5, 0, 360),),  # omicron
    (((0.05, 1.0), (0.05, 0.0), (0.72, 0.0), (0.72, 1.0)),),  # pi
    (((0.05, 1.0), (0.05, 0.0)), _arc(0.1, 0.27, 0.45, 0.27, 90, -90)),  # rho
    (_arc(0.42, 0.5, 0.4, 0.5, 50, 310),),  # lunate sigma
    (((0.0, 0.0), (0.78, 0.0)), ((0.39, 0.0), (0.39, 1.0))),  # tau
    (((0.0, 0.0), (0.38, 0.48), (0.76, 0.0)), ((0.38, 0.48), (0.38, 1.0))),  # upsilon
    (((0.0, 0.0), (0.75, 1.0)), ((0.75, 0.0), (0.0, 1.0))),  # chi
)


@dataclass(frozen=True)
class Film:
    """Dried ink: maps `(y, x)` in layers, of nothing where the bottom is not below the top; and the true ink."""

    top: Map
    bottom: Map
    notch_top: Map
    notch_bottom: Map
    grains: Map  # what the grains of ink add to its grey
    truth: Mask


def make_film(random: Generator, front: Map, tilt: float) -> Film:
    """Return the dried ink on a face.

    Parameters
    ----------
    random
        Source of chance.
    front
        The layer at which papyrus begins `(y, x)`.
    tilt
        The angle of the first ply's fibres from x, in radians.
    """
    inside = creep(random, write(random))
    thick = dry(random, inside)
    level = ndimage.gaussian_filter(front, _LEVELLED)
    skin = thick > _BARE
    furrow = np.clip(front - level, -1, 1)
    lines = crack(random, skin, thick, furrow, tilt)
    away = ndimage.distance_transform_edt(~lines).astype(np.float32)
    width = _CRACK[0] + (_CRACK[1] - _CRACK[0]) * np.clip(thick / _RIM, 0, 1)
    opened = skin & (away < width)
    fallen = lose_plates(random, skin & ~opened)
    held = skin & ~opened & ~fallen
    curl = _CURL * np.exp(-np.maximum(away - 1, 0) / 2.5) * np.clip(thick, 0, 1)
    # The skin rises half-way over crests, and is never thinner there than 0.4 of itself.
    top = np.minimum((level + np.minimum(level, front)) / 2 - thick - curl, front - 0.4 * thick)
    bottom = np.minimum(front, top + thick + np.float32(_SINKS))
    cut = opened & ~fallen
    return Film(
        top=np.where(held, top, front).astype(np.float32),
        bottom=np.where(held, bottom, front).astype(np.float32),
        notch_top=np.where(cut, front - 1, front).astype(np.float32),
        notch_bottom=np.where(cut, front + np.float32(_NOTCH) * np.clip(thick, 0, 1), front).astype(np.float32),
        grains=np.float32(_GRAINS) * blurred_noise(random, (0.8, 0.8)),
        truth=(inside > 0) & ~drop_small(fallen),
    )


def blurred_noise(random: Generator, lengths: tuple[float, float]) -> Map:
    """Return blurred white noise of spread 1; lengths along y and x, in pixels."""
    noise = ndimage.gaussian_filter(random.standard_normal((_SIZE, _SIZE), np.float32), lengths, mode="wrap")
    return np.asarray(noise / noise.std(), np.float32)


def write(random: Generator) -> Map:
    """Return how deep each pixel `(y, x)` lies inside strokes of the pen, in pixels; negative outside."""
    tall, pen = random.uniform(*_TALL), random.uniform(*_PEN)
    wanted = random.uniform(*_AREA) * _SIZE * _SIZE
    left, top = random.uniform(*_MARGIN) + pen / 2, random.uniform(*_MARGIN) + pen / 2
    right, below = _SIZE - random.uniform(*_MARGIN), _SIZE - 20
    depth = np.full((_SIZE, _SIZE), -1e3, np.float32)
    x, y = left, top
    while (depth > 0).sum() < wanted and y + tall < below:
        strokes = _LETTERS[int(random.integers(len(_LETTERS)))]
        wide = max(point[0] for stroke in strokes for point in stroke) * tall * 0.9
        if x + wide + pen / 2 > right:
            x, y = left + random.uniform(-4, 4), y + tall + pen + random.uniform(14, 34)
            continue
        slant = random.normal(0, 0.04)
        for stroke in strokes:
            points = np.array(stroke) * (0.9 * tall, tall) * random.uniform(0.96, 1.03) + random.normal(0, 1.5, 2)
            points[:, 0] += slant * (tall - points[:, 1])
            draw_stroke(depth, points + (x, y), pen * random.uniform(0.94, 1.06))
        x += wide + pen + random.uniform(8, 24)
    # Lines began at the top; the column may hang anywhere.
    last = int(np.flatnonzero((depth > 0).any(1)).max())
    return np.roll(depth, int(random.integers(0, max(below - last, 1))), 0)


def draw_stroke(depth: Map, points: NDArray[np.float64], pen: float) -> None:
    """Draw a line of points `(x, y)` with a broad nib into a map of depths."""
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(np.float32)
    for start, end in zip(points, points[1:], strict=False):
        low = np.maximum(np.minimum(start, end) - pen, 0).astype(int)
        high = (np.maximum(start, end) + pen).astype(int) + 1
        box = np.s_[low[1] : high[1], low[0] : high[0]]
        way = end - start
        # A broad nib held aslant: lines down to the right are full, lines up to the right are thinner.
        nib = pen * (0.93 + 0.1 * np.sin(2 * np.arctan2(way[1], way[0])))
        share = ((x[box] - start[0]) * way[0] + (y[box] - start[1]) * way[1]) / max(float(way @ way), 1e-6)
        share = np.clip(share, 0, 1)
        apart = np.hypot(x[box] - start[0] - share * way[0], y[box] - start[1] - share * way[1])
        np.maximum(depth[box], nib / 2 - apart, out=depth[box])


def creep(random: Generator, depth: Map) -> Map:
    """Return the depth inside strokes, in pixels, once ink crept along the fibres at their borders."""
    ragged = depth + _CREEP * blurred_noise(random, (1.8, 9.0)) + 1.2 * blurred_noise(random, (6.0, 6.0))
    wet = ragged > 0
    wet = ndimage.binary_opening(wet, iterations=2)
    inside: Map = ndimage.distance_transform_edt(wet).astype(np.float32)
    return inside


def dry(random: Generator, inside: Map) -> Map:
    """Return how thick the dried skin is, in layers: a rim at the border, thin to nothing in the middle."""
    rim = _RIM * np.where(
        inside < _RIM_AT,
        np.clip(inside / _RIM_AT, 0, 1) ** 0.7,
        np.exp(-np.maximum(inside - _RIM_AT, 0) / _RIM_FALL),
    )
    starved = np.exp(-np.maximum(inside - _STARVED_FROM, 0) / 5.0)
    supply = np.clip(0.9 + 0.45 * blurred_noise(random, (6.0, 9.0)), 0.1, 1.6)
    middle = _SKIN * (0.3 + 0.7 * starved) * supply * np.clip(inside / _RIM_AT, 0, 1)
    patchy = np.clip(1 + 0.22 * blurred_noise(random, (5.0, 8.0)), 0.4, 1.5)
    thick = np.maximum(rim * patchy, middle)
    bare = (blurred_noise(random, (4.0, 9.0)) > 0.9) & (inside > _STARVED_FROM - 1)
    return np.where(bare | (inside <= 0), 0, thick).astype(np.float32)


def crack(random: Generator, skin: Mask, thick: Map, furrow: Map, tilt: float) -> Mask:
    """Return where cracks run through the skin.

    Parameters
    ----------
    random
        Source of chance.
    skin
        Where there is skin `(y, x)`.
    thick
        Its thickness, in layers.
    furrow
        How deep the face lies below its surroundings, in layers: skin is weaker there.
    tilt
        The angle of fibres from x, in radians.
    """
    # First the tension across the fibres, which opens cracks along them; then that along the fibres.
    weak = (1 + 0.18 * blurred_noise(random, (2.0, 4.0)) + 0.25 * furrow).astype(np.float32)
    tension = np.stack([skin * weak, skin * (0.92 * weak)])
    lines = np.zeros_like(skin)
    rows, columns = np.nonzero(skin)
    quiet = 0
    while quiet < 25 and len(rows):
        tried = random.integers(0, len(rows), 120)
        strain = tension[:, rows[tried], columns[tried]]
        way, best = np.unravel_index(int(strain.argmax()), strain.shape)
        if strain[way, best] < _TOUGH:
            quiet += 1
            continue
        quiet = 0
        seed = float(rows[tried[best]]), float(columns[tried[best]])
        heading = tilt + (np.pi / 2 if way else 0.0)
        path = [seed]
        for side in (heading, heading + np.pi):
            path += run_crack(random, tension[way], lines, seed, side)
        relieve(tension[way], lines, path, _RELIEF[way])
    return lines


def run_crack(
    random: Generator, tension: Map, lines: Mask, seed: tuple[float, float], heading: float
) -> list[tuple[float, float]]:
    """Return the points `(y, x)` of a crack from its seed, until tension is too low or another crack is met."""
    y, x = seed
    path, bend = [], 0.0
    for _ in range(160):
        # The tip looks ahead to both sides, and turns to where the skin is strained more.
        sides = []
        for turn in (-_TURN, _TURN):
            at_y, at_x = int(y + 3 * np.sin(heading + turn)), int(x + 3 * np.cos(heading + turn))
            sides.append(tension[at_y, at_x] if 0 <= at_y < _SIZE and 0 <= at_x < _SIZE else 0.0)
        pull = 0.5 * float(np.clip(3 * (sides[1] - sides[0]), -1, 1))
        bend = 0.7 * bend + _TURN * (0.5 * pull + 0.45 * random.standard_normal())
        bend = float(np.clip(bend, -0.8, 0.8))
        y, x = y + np.sin(heading + bend), x + np.cos(heading + bend)
        row, column = int(round(y)), int(round(x))
        if not (0 <= row < _SIZE and 0 <= column < _SIZE) or lines[row, column] or tension[row, column] < _STOPS:
            break
        path.append((y, x))
    return path


def relieve(tension: Map, lines: Mask, path: list[tuple[float, float]], reach: float) -> None:
    """Mark a crack, and take away the tension beside it."""
    points = np.rint(path).astype(int)
    pad = int(3 * reach)
    low = np.maximum(points.min(0) - pad, 0)
    high = points.max(0) + pad + 1
    box = np.s_[low[0] : high[0], low[1] : high[1]]
    intact = np.ones(tension[box].shape, bool)
    intact[points[:, 0] - low[0], points[:, 1] - low[1]] = False
    tension[box] *= 1 - np.exp(-ndimage.distance_transform_edt(intact) / reach)
    lines[box] |= ~intact


def lose_plates(random: Generator, held: Mask) -> Mask:
    """Return where plates fell off: more in places where the skin sticks badly."""
    plates, count = ndimage.label(held)
    slack = ndimage.mean(blurred_noise(random, (20.0, 20.0)), plates, np.arange(count + 1))
    areas = np.bincount(plates.ravel(), minlength=count + 1)
    chance = _FALLEN * np.exp(0.9 * np.nan_to_num(slack) - 0.4)
    lost = (random.random(count + 1) < chance) & (areas < _LARGEST_LOST)
    lost[0] = False
    return np.asarray(lost[plates])


def drop_small(fallen: Mask) -> Mask:
    """Return the fallen flakes that are larger than what the truth leaves out."""
    flakes, count = ndimage.label(fallen)
    areas = np.bincount(flakes.ravel(), minlength=count + 1)
    large = areas > _SEEN
    large[0] = False
    return np.asarray(large[flakes])
