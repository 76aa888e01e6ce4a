"""Ink as a film over a porous face: it bridges the pores, cracks into plates, and the plates pull away at their rims.

Strokes of a reed pen write capitals in rows. The film spans every pore narrower than itself and follows the face
where that is full. As it dries, it tears into plates around scattered centres; each plate curls by its own amount, and
some fall off. All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
SIDE = 512  # px, side of the area
PADDED = 600  # px, side of the periodic area that smooth fields are cut from
LETTER_HEIGHTS = (100.0, 165.0)  # px
PEN_SHARES = (0.21, 0.27)  # width of the pen over the height of letters
PEN_WIDTHS = (26.0, 44.0)  # px
INK_SHARES = (0.10, 0.22)  # of the area, at which writing ends
PLATE_SPACINGS = (9.0, 24.0)  # px between centres of plates
BRIDGED = 9  # px, the widest pore that the film spans
TORN = 0.4  # share of the papyrus that cracks of the film tear off beneath them
SEARCHED = 3  # layers before and behind the mean face within which the surface of the papyrus is sought
ARC = tuple((0.5 - 0.5 * np.cos(a), 0.5 - 0.45 * np.sin(a)) for a in np.linspace(0.0, 2 * np.pi, 25))
Stroke = tuple[tuple[float, float], ...]  # points (y, x) in boxes of side 1
GLYPHS: tuple[tuple[Stroke, ...], ...] = (
    (((1, 0.05), (0, 0.5), (1, 0.95)), ((0.65, 0.2), (0.65, 0.8))),  # alpha
    (((1, 0.1), (0, 0.1), (0, 0.85)),),  # gamma
    (((1, 0.05), (0, 0.5), (1, 0.95), (1, 0.05)),),  # delta
    (ARC[3:22], ((0.5, 0.1), (0.5, 0.75))),  # epsilon
    (((0, 0.1), (1, 0.1)), ((0, 0.9), (1, 0.9)), ((0.5, 0.1), (0.5, 0.9))),  # eta
    (ARC, ((0.5, 0.1), (0.5, 0.9))),  # theta
    (((0, 0.5), (1, 0.5)),),  # iota
    (((0, 0.15), (1, 0.15)), ((0, 0.9), (0.5, 0.2), (1, 0.9))),  # kappa
    (((1, 0.05), (0, 0.5), (1, 0.95)),),  # lambda
    (((1, 0.05), (0, 0.15), (0.7, 0.5), (0, 0.85), (1, 0.95)),),  # mu
    (((1, 0.1), (0, 0.1), (1, 0.9), (0, 0.9)),),  # nu
    (ARC,),  # omicron
    (((1, 0.12), (0, 0.12), (0, 0.88), (1, 0.88)),),  # pi
    (((1, 0.2), (0, 0.2), (0.05, 0.7), (0.25, 0.85), (0.48, 0.65), (0.5, 0.2)),),  # rho
    (ARC[4:21],),  # lunate sigma
    (((0, 0.05), (0, 0.95)), ((0, 0.5), (1, 0.5))),  # tau
    (((0, 0.1), (0.5, 0.5), (0, 0.9)), ((0.5, 0.5), (1, 0.5))),  # upsilon
    (((0, 0.1), (1, 0.9)), ((0, 0.9), (1, 0.1))),  # chi
)


@dataclass(frozen=True)
class Film:
    """A film of ink ``(y, x)``: where it is ``kept``, and its ``centre`` and ``thickness`` in layers.

    ``cracked`` is 0 in cracks between plates and 1 on plates.
    """

    kept: Mask
    cracked: Floats
    centre: Floats
    thickness: Floats


def smooth_field(rng: np.random.Generator, length_y: float, length_x: float) -> Floats:
    """Return a Gaussian field ``(y, x)`` of mean 0 and spread 1, smooth over lengths in px."""
    white = fft.rfft2(rng.standard_normal((PADDED, PADDED), dtype=np.float32))
    waves_y = np.fft.fftfreq(PADDED)[:, None] * 2 * np.pi * length_y
    waves_x = np.fft.rfftfreq(PADDED)[None] * 2 * np.pi * length_x
    white *= np.exp(-0.5 * (waves_y**2 + waves_x**2)).astype(np.float32)
    field: Floats = fft.irfft2(white, s=(PADDED, PADDED))
    field /= field.std()
    return np.ascontiguousarray(field[:SIDE, :SIDE], dtype=np.float32)


def write_letters(rng: np.random.Generator) -> Mask:
    """Return strokes ``(y, x)`` of capitals in rows, with margins."""
    height = rng.uniform(*LETTER_HEIGHTS)
    pen = float(np.clip(height * rng.uniform(*PEN_SHARES), *PEN_WIDTHS))
    slope, share = rng.normal(0.0, 0.04), rng.uniform(*INK_SHARES)
    widths = np.zeros((SIDE, SIDE), np.float32)
    written = 0.0
    for top, left in _places(rng, height):
        if written > share * SIDE**2:
            break
        size = np.array([height * rng.uniform(0.9, 1.1), height * rng.uniform(0.75, 0.95)])
        glyph = GLYPHS[rng.integers(len(GLYPHS))]
        corner = np.array([top + slope * left, left])
        written += sum(_draw(widths, corner, size, stroke, pen) for stroke in glyph)
    distance, nearest = ndimage.distance_transform_edt(widths == 0, return_indices=True)
    ragged = 1.0 + 0.08 * smooth_field(rng, 5.0, 5.0)
    return np.asarray(distance < 0.5 * widths[tuple(nearest)] * ragged)


def _places(rng: np.random.Generator, height: float) -> list[tuple[float, float]]:
    """Return top left corners ``(y, x)`` of letters in rows in px, in random order."""
    margin_y, margin_x = rng.uniform(-0.4, 0.35, 2) * height
    places: list[tuple[float, float]] = []
    for top in np.arange(margin_y, SIDE - 0.3 * height, height * rng.uniform(1.35, 1.6)):
        left = margin_x + rng.uniform(-0.2, 0.2) * height
        while left < SIDE - 0.3 * height:
            places.append((float(top), float(left)))
            left += height * rng.uniform(1.05, 1.3)
    order = rng.permutation(len(places))
    return [places[i] for i in order]


def _draw(widths: Floats, corner: Floats, size: Floats, stroke: Stroke, pen: float) -> float:
    """Set the pen's width along a stroke, thinner where it runs across, and return the area it covers in px."""
    points = np.asarray(stroke) * size + corner
    covered = 0.0
    for start, end in pairwise(points):
        step = end - start
        length = float(np.hypot(*step)) + 1e-6
        width = pen * (0.78 + 0.22 * abs(step[0]) / length)
        rows, columns = np.rint(np.linspace(start, end, int(1.5 * length) + 2)).astype(np.int64).T
        inside = (rows >= 0) & (rows < SIDE) & (columns >= 0) & (columns < SIDE)
        widths[rows[inside], columns[inside]] = width
        covered += width * length * float(inside.mean())
    return covered


def find_surface(volume: Floats, face: Floats, level: float) -> Floats:
    """Return depths ``(y, x)`` in layers at which the papyrus first exceeds a grey, near its mean face."""
    first = np.clip(np.rint(face).astype(np.int64) - SEARCHED, 0, len(volume) - 1)
    steps = np.arange(2 * SEARCHED + 1)[:, None, None]
    index = np.minimum(first[None] + steps, len(volume) - 1)
    solid = np.take_along_axis(volume, index, axis=0) > level
    found = np.where(solid.any(axis=0), solid.argmax(axis=0), len(steps) - 1)
    return np.asarray(first + found, dtype=np.float32)


def lay_film(rng: np.random.Generator, surface: Floats, allowed: Mask) -> Film:
    """Return a film on the surface ``(y, x)`` in layers: bridged over pores, cracked, curled and flaked."""
    strokes = write_letters(rng)
    bridged = ndimage.grey_opening(surface, size=(BRIDGED, BRIDGED))
    sunk = ndimage.gaussian_filter(np.minimum(surface, bridged + 1.0), 1.3)
    plate, rim = tear_plates(rng, rng.uniform(*PLATE_SPACINGS))
    count = int(plate.max()) + 1
    curl = np.maximum(rng.normal(0.5, 1.0, count), 0.0).astype(np.float32)[plate]
    wear = smooth_field(rng, 45.0, 45.0)
    flaked = (rng.normal(0.0, 1.0, count)[plate] + 1.3 * wear) > rng.uniform(2.0, 3.0)
    kept = strokes & allowed & ~flaked
    shell = np.clip(ndimage.distance_transform_edt(strokes) / 3.0, 0.0, 1.0)
    thickness = np.clip(1.7 + 0.5 * smooth_field(rng, 12.0, 12.0), 0.9, 3.0) * shell
    centre = sunk + 0.3 - curl * np.exp(-rim / 2.5)
    cracked = np.clip((rim - 0.9) / 1.0, 0.0, 1.0)
    return Film(kept, cracked.astype(np.float32), centre.astype(np.float32), thickness.astype(np.float32))


def tear_plates(rng: np.random.Generator, spacing: float) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the number of the plate and the distance to its rim in px, both ``(y, x)``, with bent rims."""
    nodes = np.arange(-spacing, SIDE + 2 * spacing, spacing)
    centres = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    centres += rng.uniform(-0.5, 0.5, centres.shape) * spacing
    points = np.indices((SIDE, SIDE)).astype(np.float32)
    points += 0.12 * spacing * np.stack([smooth_field(rng, 5.0, 5.0), smooth_field(rng, 5.0, 5.0)])
    distances, plates = cKDTree(centres).query(points.reshape(2, -1).T, k=2)
    rim = (0.5 * (distances[:, 1] - distances[:, 0])).reshape(SIDE, SIDE)
    return plates[:, 0].reshape(SIDE, SIDE), rim.astype(np.float32)


def paint(rng: np.random.Generator, volume: Floats, film: Film, contrast: float) -> None:
    """Put the film into the volume ``(z, y, x)``, brighter by ``contrast`` than the papyrus beneath it."""
    index = np.clip(np.rint(film.centre).astype(np.int64), 0, len(volume) - 8)
    beneath = np.take_along_axis(volume, index[None] + np.arange(2, 5)[:, None, None], axis=0).mean(axis=0)
    grey = ndimage.gaussian_filter(beneath, 4.0) + contrast + 5.0 * smooth_field(rng, 1.5, 1.5)
    inside, torn = film.kept * film.cracked, film.kept * (1.0 - film.cracked)
    low = max(int(film.centre[film.kept].min(initial=len(volume))) - 3, 0)
    high = min(int(film.centre[film.kept].max(initial=0.0)) + 5, len(volume))
    for z in range(low, high):
        filled = inside * np.clip(0.5 * film.thickness + 0.5 - np.abs(z - film.centre), 0.0, 1.0)
        volume[z] += filled * (grey - volume[z])
        volume[z] -= TORN * torn * volume[z] * np.clip(1.5 - 0.5 * np.abs(z - film.centre), 0.0, 1.0)
