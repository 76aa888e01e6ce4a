"""Letters, and carbon ink that dried into thin plates lying on the papyrus like the scales of a fish.

A pen of one width writes a few Greek capitals in lines. Its ink dried and broke: each stroke is a layer of thin plates
with straight, irregular edges (random polygons), laid in the order of writing, so that each rests on the one before and
is tilted a little. Some plates are brighter and some darker than papyrus, all by the same contrast on the mean. Plates
bridge the valleys between fibres. Where none covers the stroke, a dark seam reaches down into the papyrus, and the
binder that soaked in beneath fills the pores of a thin layer. Some flakes fell off with all that was on them.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.draw import line, polygon

Mask = npt.NDArray[np.bool_]
Field = npt.NDArray[np.float32]

LETTER_HEIGHT = (100.0, 155.0)  # of a letter of this hand, px
PEN_OVER_HEIGHT = (0.23, 0.29)  # width of the pen over the height of a letter
PEN_WIDTH = (28.0, 43.0)  # limits of the width of the pen, px
PRESSURE = 0.10  # standard deviation of the width of a stroke over that of the pen
INK_SHARE = (0.13, 0.21)  # share of the face that the writing aims for
MARGIN = 22.0  # bare papyrus at each edge, px
LINE_GAP = (0.22, 0.40)  # bare papyrus between two lines over the height of a letter

LOST_SHARE = 0.05  # of strokes, fallen off as flakes
SMALLEST_LOSS = 40  # flakes up to this many px are still called ink

PLATE_RADIUS = (6.5, 12.0)  # of a plate, px
PLATE_SPACING = 10.5  # least distance of the middles of two plates, px
PLATE_THICKNESS = (1.3, 2.3)  # layers
PLATE_TILT = (0.03, 0.10)  # towards the stroke's beginning, layers a px
TILT_SCATTER = 0.05  # of each plate, in any direction, layers a px
PLATE_TONES = 17.0  # standard deviation of the greys of plates, 8-bit greys
STACKING = 0.55  # how far a plate that lies on another one is lifted, layers
SUNK = 1.6  # how deep plates are pressed into the face, layers
BRIDGING = 3.5  # sigma of the face as plates feel it, px

SEAM_DEPTH = 4.0  # how deep a seam reaches below the face, layers
SEAM_GREY = 0.52  # grey of a seam over that of papyrus
SOAKED = 3.2  # thickness of the soaked layer below plates, layers
SOAKED_FILL = 0.35  # share of a pore's lack of matter which soaked ink makes up for
SOAKED_CONTRAST = 0.5  # contrast of the soaked layer over that of plates


def _arc(
    middle: tuple[float, float], radii: tuple[float, float], start: float, end: float
) -> list[tuple[float, float]]:
    turns = np.radians(np.linspace(start, end, 14))
    return [(middle[0] + radii[0] * float(np.cos(t)), middle[1] + radii[1] * float(np.sin(t))) for t in turns]


# Lines of the pen for each letter: points (x to the right, y down) in a box of height 1.
_ROUND = _arc((0.42, 0.5), (0.42, 0.5), -90, 270)
ALPHABET: dict[str, list[list[tuple[float, float]]]] = {
    "alpha": [[(0.0, 1.0), (0.4, 0.0), (0.85, 1.0)], [(0.17, 0.66), (0.68, 0.66)]],
    "gamma": [[(0.05, 1.0), (0.05, 0.02), (0.68, 0.02)]],
    "delta": [[(0.42, 0.0), (0.0, 0.97), (0.88, 0.97), (0.42, 0.0)]],
    "epsilon": [_arc((0.45, 0.5), (0.42, 0.5), -50, -310), [(0.1, 0.5), (0.7, 0.5)]],
    "eta": [[(0.05, 0.0), (0.05, 1.0)], [(0.75, 0.0), (0.75, 1.0)], [(0.05, 0.5), (0.75, 0.5)]],
    "iota": [[(0.15, 0.0), (0.15, 1.0)]],
    "kappa": [[(0.05, 0.0), (0.05, 1.0)], [(0.68, 0.0), (0.07, 0.55), (0.75, 1.0)]],
    "lambda": [[(0.0, 1.0), (0.42, 0.0), (0.85, 1.0)]],
    "nu": [[(0.03, 1.0), (0.03, 0.0), (0.75, 1.0), (0.75, 0.0)]],
    "omicron": [_ROUND],
    "pi": [[(0.08, 1.0), (0.08, 0.03), (0.76, 0.03), (0.76, 1.0)]],
    "rho": [[(0.08, 1.0), (0.08, 0.0)], _arc((0.1, 0.27), (0.48, 0.27), -90, 90)],
    "sigma": [_arc((0.45, 0.5), (0.44, 0.5), -45, -315)],
    "tau": [[(0.0, 0.03), (0.8, 0.03)], [(0.4, 0.03), (0.4, 1.0)]],
    "upsilon": [[(0.0, 0.0), (0.4, 0.48), (0.8, 0.0)], [(0.4, 0.48), (0.4, 1.0)]],
    "chi": [[(0.0, 0.0), (0.75, 1.0)], [(0.75, 0.0), (0.0, 1.0)]],
    "omega": [_arc((0.25, 0.55), (0.25, 0.45), -130, -330), _arc((0.68, 0.55), (0.25, 0.45), -210, -410)],
}


@dataclass(frozen=True)
class Writing:
    """Where ink was written, and where it fell off, both ``(y, x)``."""

    stroke: Mask
    lost: Mask

    @property
    def truth(self) -> Mask:
        """Return the ink that is called ink: strokes less flakes of more than `SMALLEST_LOSS` px."""
        labels, _ = ndimage.label(self.lost)
        large = np.bincount(labels.ravel()) > SMALLEST_LOSS
        large[0] = False
        return np.asarray(self.stroke & ~large[labels], dtype=np.bool_)


def smooth_noise(rng: np.random.Generator, side: int, sigma: float) -> Field:
    """Return a field ``(side, side)`` of mean 0 and standard deviation 1 that varies over `sigma` px."""
    step = max(1, int(sigma / 3))
    coarse = rng.standard_normal((side // step + 8, side // step + 8), dtype=np.float32)
    coarse = ndimage.gaussian_filter(coarse, sigma / step, mode="wrap")
    coarse = (coarse - coarse.mean()) / coarse.std()
    fine = ndimage.zoom(coarse, step, order=1) if step > 1 else coarse
    return np.ascontiguousarray(fine[:side, :side], dtype=np.float32)


def write(rng: np.random.Generator, side: int) -> Writing:
    """Write letters in lines on a face of `side` px, and lose some flakes."""
    height = float(rng.uniform(*LETTER_HEIGHT))
    pen = float(np.clip(height * rng.uniform(*PEN_OVER_HEIGHT), *PEN_WIDTH))
    drawn = np.zeros((side, side), dtype=np.bool_)
    goal, slots = rng.uniform(*INK_SHARE) * side * side, _lay_out_lines(rng, side, height, pen)
    for letter, left, top in slots:
        # The middle line's pixels times the pen's width: close enough to the area, and much faster.
        if drawn.sum() * pen * 1.1 > goal:
            break
        _draw_letter(rng, drawn, ALPHABET[letter], (left, top), height - pen)
    width = pen * (1 + PRESSURE * smooth_noise(rng, side, 18.0))
    ragged = 0.7 * smooth_noise(rng, side, 2.0)
    stroke = np.asarray(ndimage.distance_transform_edt(~drawn) < width / 2 + ragged, dtype=np.bool_)
    flaking = smooth_noise(rng, side, 5.0)
    lost = stroke & (flaking > np.quantile(flaking[stroke], 1 - LOST_SHARE))
    return Writing(stroke, np.asarray(lost, dtype=np.bool_))


def _lay_out_lines(rng: np.random.Generator, side: int, height: float, pen: float) -> list[tuple[str, float, float]]:
    """Return letters with the left and top of their middle lines, in random order: some places will stay bare."""
    names, slots = list(ALPHABET), []
    pitch = height * (1 + rng.uniform(*LINE_GAP))
    lines = max(1, int((side - 2 * MARGIN + pitch - height) // pitch))
    top = MARGIN + pen / 2 + rng.uniform(0, max(side - 2 * MARGIN - lines * pitch + pitch - height, 1.0))
    for row in range(lines):
        left = MARGIN + pen / 2 + rng.uniform(0, 0.5 * height)
        while True:
            name = names[int(rng.integers(len(names)))]
            wide = max(x for part in ALPHABET[name] for x, _ in part) * (height - pen)
            if left + wide + pen / 2 + MARGIN > side:
                break
            slots.append((name, left, top + row * pitch + rng.normal(0, 2)))
            left += wide + pen + rng.uniform(4, 16)
    rng.shuffle(slots)
    return slots


def _draw_letter(
    rng: np.random.Generator,
    drawn: Mask,
    parts: list[list[tuple[float, float]]],
    corner: tuple[float, float],
    size: float,
) -> None:
    """Draw the middle lines of a letter, a little slanted and uneven as by a hand."""
    slant, side = rng.normal(0.02, 0.05), len(drawn)
    for part in parts:
        points = np.array(part) * size
        points[:, 0] += slant * (size / 2 - points[:, 1])
        points += rng.normal(0, 0.018 * size, 2) + rng.normal(0, 0.008 * size, points.shape) + corner
        whole = np.clip(np.rint(points), 0, side - 1).astype(int)
        for (x, y), (next_x, next_y) in zip(whole, whole[1:], strict=False):
            drawn[line(y, x, next_y, next_x)] = True  # type: ignore[no-untyped-call]


def lay_ink(
    rng: np.random.Generator, volume: Field, face: Field, tone: Field, writing: Writing, contrast: float
) -> None:
    """Lay the ink of a writing on papyrus, in place.

    Parameters
    ----------
    volume
        8-bit greys of papyrus ``(z, y, x)`` before the scanner's blur.
    face
        The layer of the front face ``(y, x)``.
    tone
        The grey of papyrus just under the face ``(y, x)``.
    writing
        Where ink is.
    contrast
        By how many greys ink is brighter than papyrus.
    """
    there = writing.stroke & ~writing.lost
    felt = ndimage.gaussian_filter(face, BRIDGING)
    _soak(volume, felt, tone + SOAKED_CONTRAST * contrast, there)
    covered = _lay_plates(rng, volume, felt, tone + contrast, there)
    _open_seams(volume, felt, tone, there & ~covered)


def _soak(volume: Field, face: Field, tone: Field, there: Mask) -> None:
    """Fill the pores of the layer below the face, wherever papyrus is darker than `tone`."""
    at = np.nonzero(there)
    # What fell off tore its edge: soaked matter fades out over two px there.
    fading = np.clip(ndimage.distance_transform_edt(there)[at] / 2, 0, 1)
    for z in range(int(face[at].min()), min(int(face[at].max() + SOAKED) + 2, len(volume))):
        share = np.clip(z - face[at] + 0.5, 0, 1) * np.clip(face[at] + SOAKED - z + 0.5, 0, 1) * fading
        grey = volume[z][at]
        volume[z][at] = grey + (SOAKED_FILL * share * np.maximum(tone[at] - grey, 0)).astype(np.float32)


def _lay_plates(rng: np.random.Generator, volume: Field, face: Field, tone: Field, there: Mask) -> Mask:
    """Lay plates one upon the other, and return where any lies ``(y, x)``."""
    layers, side = len(volume), len(face)
    piled = np.zeros_like(face)
    lean, slope = rng.uniform(-0.6, 0.6), rng.uniform(*PLATE_TILT)
    for y, x in _place_plates(rng, there):
        radius, corners = rng.uniform(*PLATE_RADIUS), int(rng.integers(5, 9))
        turns = np.sort((np.arange(corners) + rng.uniform(-0.38, 0.38, corners)) * 2 * np.pi / corners)
        reach = radius * rng.uniform(0.75, 1.15, corners)
        outline = y + reach * np.sin(turns), x + reach * np.cos(turns)
        rows, columns = polygon(*outline, (side, side))  # type: ignore[no-untyped-call]
        inside = there[rows, columns]
        rows, columns = rows[inside], columns[inside]
        if not len(rows):
            continue
        tilt_y, tilt_x = slope * np.sin(lean) + rng.normal(0, TILT_SCATTER), slope + rng.normal(0, TILT_SCATTER)
        flat = face[rows, columns].mean() - STACKING * piled[rows, columns].mean() + SUNK
        middle = flat + tilt_y * (rows - y) + tilt_x * (columns - x)
        half = rng.uniform(*PLATE_THICKNESS) / 2
        grey = tone[rows, columns] + rng.normal(0, PLATE_TONES)
        for z in range(max(int(middle.min() - half) - 1, 0), min(int(middle.max() + half) + 3, layers)):
            share = np.clip(half - np.abs(z - middle) + 0.5, 0, 1)
            volume[z, rows, columns] += share * (grey - volume[z, rows, columns])
        piled[rows, columns] = np.minimum(piled[rows, columns] + 1, 2)
    return np.asarray(piled > 0, dtype=np.bool_)


def _place_plates(rng: np.random.Generator, there: Mask) -> list[tuple[int, int]]:
    """Return the middles of plates by random sequential addition, from left to right as a scribe writes."""
    taken, pixels = np.zeros_like(there), np.argwhere(there)
    reach = int(PLATE_SPACING)
    offsets = np.arange(-reach, reach + 1)
    disc = np.hypot(offsets[:, None], offsets) < PLATE_SPACING
    side, chosen = len(there), []
    for y, x in pixels[rng.permutation(len(pixels))[: len(pixels) // 6]].tolist():
        if taken[y, x]:
            continue
        chosen.append((y, x))
        top, left = max(y - reach, 0), max(x - reach, 0)
        bottom, right = min(y + reach + 1, side), min(x + reach + 1, side)
        cut = disc[top - y + reach : bottom - y + reach, left - x + reach : right - x + reach]
        taken[top:bottom, left:right] |= cut
    return sorted(chosen, key=lambda place: place[1] + rng.normal(0, 6))


def _open_seams(volume: Field, face: Field, tone: Field, seams: Mask) -> None:
    """Darken the face where no plate covers the stroke."""
    at = np.nonzero(seams)
    if not len(at[0]):
        return
    for z in range(int(face[at].min()), min(int(face[at].max() + SEAM_DEPTH) + 2, len(volume))):
        share = np.clip(z - face[at] + 1.5, 0, 1) * np.clip(face[at] + SEAM_DEPTH - z + 0.5, 0, 1)
        grey = volume[z][at]
        darker = np.minimum(grey, SEAM_GREY * tone[at])
        volume[z][at] = grey + (share * (darker - grey)).astype(np.float32)
