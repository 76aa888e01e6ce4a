"""Handwriting and crackled ink of the bands, and the smooth fields that their papyrus is made of, too.

Greek capitals are written in lines with a broad pen, along splines, and their edges are ragged. The ink is a film of
about three layers at the face of the sheet, in plates of 8 to 30 pixels with dark cracks between. The crackle adds
nothing in the mean, so that the contrast is that of the film. All of it was written from the published statistics of
scans alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage
from scipy.interpolate import splev, splprep
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Path = list[tuple[float, float]]

SIDE = 512  # pixels
LAYERS = 65

# Strokes of the pen in a box of side 1, x to the right and y down. Their order belongs to the random stream.
LETTERS: dict[str, list[Path]] = {
    "A": [[(0, 1), (0.3, 0.45), (0.5, 0)], [(0.5, 0), (0.72, 0.5), (1, 1)], [(0.22, 0.66), (0.5, 0.62), (0.78, 0.66)]],
    "G": [[(0.05, 1), (0.08, 0.5), (0.05, 0.02)], [(0.05, 0.02), (0.5, 0.05), (0.95, 0.02)]],
    "D": [[(0, 1), (0.25, 0.5), (0.5, 0)], [(0.5, 0), (0.75, 0.5), (1, 1)], [(1, 1), (0.5, 0.96), (0, 1)]],
    "E": [
        [(0.95, 0.08), (0.5, 0), (0.1, 0.35), (0.1, 0.7), (0.45, 1), (0.95, 0.9)],
        [(0.1, 0.5), (0.5, 0.48), (0.85, 0.5)],
    ],
    "H": [
        [(0.05, 0), (0.08, 0.5), (0.05, 1)],
        [(0.95, 0), (0.92, 0.5), (0.97, 1)],
        [(0.05, 0.5), (0.5, 0.46), (0.95, 0.5)],
    ],
    "O": [[(0.5, 0.1), (0.1, 0.3), (0.1, 0.7), (0.5, 0.93), (0.9, 0.7), (0.9, 0.3), (0.5, 0.1)]],
    "I": [[(0.4, 0), (0.43, 0.5), (0.4, 1)]],
    "K": [
        [(0.08, 0), (0.1, 0.5), (0.08, 1)],
        [(0.95, 0.02), (0.5, 0.35), (0.1, 0.52)],
        [(0.1, 0.52), (0.55, 0.7), (1, 1)],
    ],
    "L": [[(0.5, 0), (0.25, 0.55), (0, 1)], [(0.5, 0), (0.75, 0.5), (1, 1)]],
    "M": [
        [(0, 1), (0.1, 0.5), (0.2, 0)],
        [(0.2, 0), (0.35, 0.5), (0.5, 0.75)],
        [(0.5, 0.75), (0.65, 0.45), (0.8, 0)],
        [(0.8, 0), (0.9, 0.5), (1, 1)],
    ],
    "N": [
        [(0.05, 1), (0.07, 0.5), (0.05, 0)],
        [(0.05, 0), (0.5, 0.5), (0.95, 1)],
        [(0.95, 1), (0.93, 0.5), (0.95, 0)],
    ],
    "P": [
        [(0.08, 1), (0.1, 0.5), (0.08, 0.03)],
        [(0.92, 1), (0.9, 0.5), (0.92, 0.03)],
        [(0, 0.03), (0.5, 0), (1, 0.04)],
    ],
    "R": [
        [(0.12, 1.1), (0.15, 0.5), (0.12, 0)],
        [(0.12, 0.02), (0.6, -0.02), (0.9, 0.22), (0.6, 0.48), (0.15, 0.5)],
    ],
    "C": [[(0.95, 0.1), (0.5, 0), (0.1, 0.3), (0.1, 0.7), (0.5, 1), (0.95, 0.9)]],
    "T": [[(0.5, 0), (0.53, 0.5), (0.5, 1)], [(0, 0.02), (0.5, 0.04), (1, 0)]],
    "Y": [
        [(0, 0), (0.3, 0.25), (0.5, 0.55)],
        [(1, 0), (0.7, 0.25), (0.5, 0.55)],
        [(0.5, 0.55), (0.52, 0.8), (0.48, 1.05)],
    ],
    "X": [[(0, 0), (0.5, 0.5), (1, 1)], [(1, 0), (0.5, 0.5), (0, 1)]],
    "W": [
        [(0.2, 0.1), (0.02, 0.5), (0.1, 0.9), (0.35, 0.95), (0.5, 0.45)],
        [(0.5, 0.45), (0.65, 0.95), (0.9, 0.9), (0.98, 0.5), (0.8, 0.1)],
    ],
}
NARROW, BROAD = "I", "MW"
LETTER_HEIGHTS = (100, 150)  # pixels
STROKE_WIDTHS = (20, 50)  # pixels
POINTS = 90  # along a stroke
REACH = 28  # pixels around a point that its disc may cover
RIGHT_MARGIN, BOTTOM_MARGIN = 24, 22  # pixels

PLATE = 15.0  # pixels between the centres of plates
NEAREST = 8  # pixels between centres, at least
TRIES = 2600  # centres drawn, of which the density keeps some
OUTSIDE = 20  # pixels around the volume where there are centres, too
FLAKES = 0.05  # share of plates that fell off
PLATE_GREY, CRACK_GREY = 8.5, 26  # deviation of plates, and depth of cracks, in grey values of 8 bits

FILM = (2.0, 4.0)  # layers that the film is thick
OVERLAP = 0.3  # layers by which the film begins and ends higher
FILM_EDGE = 0.35  # layers over which it fades


@dataclass(frozen=True)
class _Hand:
    """What is drawn from the seed for a whole text; lengths in pixels, angles in radians."""

    pen: float
    height: float
    left: int
    top: int
    pitch: float
    slope: float
    slant: float
    nib: float


@dataclass(frozen=True)
class _Box:
    """Where a letter stands, in pixels."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class _Crackle:
    """Levels of plates and strengths of cracks, both ``(y, x)``."""

    plates: Floats
    cracks: Floats


def standardised(values: npt.NDArray[np.floating]) -> Floats:
    """Values of mean 0 and deviation 1."""
    values = values - values.mean()
    return np.asarray(values / values.std(), dtype=np.float32)


def smooth_field(rng: np.random.Generator, sigma_x: float, sigma_y: float | None = None) -> Floats:
    """Gaussian noise ``(y, x)`` of deviation 1, blurred by so many pixels; by as many in both directions by default."""
    side = 2 * SIDE  # cut out of twice the side, so that opposite edges differ
    y, x = fft.fftfreq(side)[:, None], fft.rfftfreq(side)[None]
    gain = np.exp(-2 * np.pi**2 * ((y * (sigma_y or sigma_x)) ** 2 + (x * sigma_x) ** 2))
    blurred = fft.irfft2(fft.rfft2(rng.standard_normal((side, side))) * gain, s=(side, side))
    return standardised(blurred[:SIDE, :SIDE])


def one_plus_exp(exponent: Floats) -> Floats:
    """One plus the exponential of values, which are clipped so that it does not overflow."""
    return np.asarray(1 + np.exp(np.clip(exponent, -30, 30)), dtype=np.float32)


def slab(below_top: Floats, below_bottom: Floats, top_softness: float, bottom_softness: float) -> Floats:
    """Share of a slab at distances below its top and bottom, in layers: 1 inside, 0 outside."""
    above, below = one_plus_exp(-below_top / top_softness), one_plus_exp(below_bottom / bottom_softness)
    return np.asarray(1 / above / below, dtype=np.float32)


def add_ink(
    rng: np.random.Generator, volume: Floats, face: Floats, holes: Floats, contrast: float
) -> tuple[Floats, Mask]:
    """Volume with ink of a mean contrast in grey values, and its mask; the face is in layers, holes are shares."""
    ink = _write(rng)
    crackle = _crackle(rng)
    load = 1 + 0.22 * smooth_field(rng, 18)
    cover = ndimage.gaussian_filter(ink.astype(np.float32), 0.9) * (1 - holes)
    texture = PLATE_GREY * crackle.plates - CRACK_GREY * crackle.cracks
    core = ink & (holes < 0.1)
    texture -= texture[core].mean()
    load /= load[core].mean()
    film = _film(rng, face)
    inside = (film > 0.5) & core
    even = ndimage.gaussian_filter(film * cover * load, 0.6)
    crackled = ndimage.gaussian_filter(film * cover * texture, 0.6)
    # The texture had no mean in the plane, but the film weighs it unevenly.
    crackled -= even * (crackled[inside].mean() / even[inside].mean())
    return volume + crackled + even * (contrast / even[inside].mean()), ink


def _film(rng: np.random.Generator, face: Floats) -> Floats:
    """Share of the film ``(z, y, x)`` along a face, thicker here and thinner there."""
    thickness = np.clip(3 + 0.5 * smooth_field(rng, 25), *FILM)
    offset = 0.25 * smooth_field(rng, 25) - 0.2
    depth = np.arange(LAYERS, dtype=np.float32)[:, None, None] - (face + offset)
    return slab(depth + OVERLAP, depth - thickness + OVERLAP, FILM_EDGE, FILM_EDGE)


def _write(rng: np.random.Generator) -> Mask:
    """Lines of random letters as a mask with ragged edges."""
    hand = _draw_hand(rng)
    ink = np.zeros((SIDE, SIDE), np.bool_)
    top = hand.top + hand.pen / 2
    while top + hand.height < SIDE - BOTTOM_MARGIN:
        _write_line(rng, hand, top, ink)
        top += hand.pitch
    ragged = ndimage.gaussian_filter(ink.astype(np.float32), 1.8) + 0.10 * smooth_field(rng, 2.2)
    opened: Mask = ndimage.binary_opening(ragged > 0.5, iterations=2)
    return opened


def _draw_hand(rng: np.random.Generator) -> _Hand:
    """Random hand, whose letters are about five pens high."""
    pen = rng.uniform(20, 30)
    height = float(np.clip(pen * rng.uniform(4.6, 5.6), *LETTER_HEIGHTS))
    left, top = rng.integers(24, 42, 2)
    return _Hand(
        pen=pen,
        height=height,
        left=left,
        top=top,
        pitch=height * rng.uniform(1.28, 1.42),
        slope=rng.normal(0, 0.018),
        slant=rng.normal(0.04, 0.07),
        nib=rng.uniform(0, np.pi),
    )


def _write_line(rng: np.random.Generator, hand: _Hand, top: float, ink: Mask) -> None:
    """One line of letters, added to the mask in place."""
    left = hand.left + hand.pen / 2 + rng.uniform(0, 0.25) * hand.height
    while True:
        letter = rng.choice(list(LETTERS))
        width = hand.height * (0.22 if letter == NARROW else rng.uniform(0.62, 0.9)) * (1.2 if letter in BROAD else 1)
        if left + width > SIDE - RIGHT_MARGIN:
            return
        height = hand.height * rng.uniform(0.9, 1.06)
        letter_top = top + hand.slope * (left - hand.left) + rng.normal(0, 0.025) * hand.height
        for path in LETTERS[letter]:
            _write_stroke(rng, hand, _Box(left, letter_top, width, height), path, ink)
        left += width + hand.height * rng.uniform(0.26, 0.4)


def _write_stroke(rng: np.random.Generator, hand: _Hand, box: _Box, path: Path, ink: Mask) -> None:
    """One stroke of a letter, added to the mask in place as discs along a spline."""
    corners = np.array(path, float) + rng.normal(0, 0.028, (len(path), 2))
    spline, _ = splprep(corners.T, k=2, s=0)
    across, down = np.array(splev(np.linspace(0, 1, POINTS), spline))
    x = box.left + box.width * across + hand.slant * box.height * (1 - down)
    y = box.top + box.height * down
    direction = np.arctan2(np.gradient(y), np.gradient(x))
    by_nib = 1 + 0.20 * np.abs(np.sin(direction - hand.nib)) - 0.06
    # Five makes up for most of the deviation that blurring takes.
    by_chance = 1 + 0.09 * ndimage.gaussian_filter1d(rng.standard_normal(POINTS), 9) * 5
    widths = np.clip(hand.pen * by_nib * by_chance, *STROKE_WIDTHS)
    for at_x, at_y, width in zip(x, y, widths, strict=True):
        edges = (at_y - REACH, at_y + REACH + 1, at_x - REACH, at_x + REACH + 1)
        first_y, end_y, first_x, end_x = (int(np.clip(edge, 0, SIDE)) for edge in edges)
        rows, columns = np.ogrid[first_y:end_y, first_x:end_x]
        disc = (rows - at_y) ** 2 + (columns - at_x) ** 2 <= (width / 2) ** 2
        ink[first_y:end_y, first_x:end_x] |= disc


def _crackle(rng: np.random.Generator) -> _Crackle:
    """Plates around random centres, domed, with a crack along each border."""
    centres = _plate_centres(rng)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    # Shifted a little, so that cracks are not straight.
    pixels = np.stack([rows + 1.6 * smooth_field(rng, 4), columns + 1.6 * smooth_field(rng, 4)], -1).reshape(-1, 2)
    distance, plate = cKDTree(centres).query(pixels, k=2)
    apart = np.linalg.norm(centres[plate[:, 0]] - centres[plate[:, 1]], axis=1)
    to_border = (np.abs(distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * apart)).reshape(SIDE, SIDE)
    # Hashed from the two plates, so that a crack is as wide all along.
    one, other = np.sort(plate, 1).T
    opening = (((one * 7919 + other * 104729) % 1009) / 1009.0).reshape(SIDE, SIDE)
    cracks = np.exp(-((to_border / (0.7 + 1.1 * opening)) ** 2)) * (0.35 + 0.65 * opening)
    own = plate[:, 0].reshape(SIDE, SIDE)
    level = rng.normal(0, 1, len(centres))[own]
    dome = 1 - np.exp(-((to_border / 3.0) ** 2))
    is_flake = (rng.random(len(centres)) < FLAKES)[own]
    cracks = np.where(is_flake, 0.75 * dome + 0.25, cracks)
    return _Crackle((level * dome).astype(np.float32), cracks.astype(np.float32))


def _plate_centres(rng: np.random.Generator) -> Doubles:
    """Centres ``(plate, yx)``, denser here and sparser there, without those too close to an earlier one."""
    density = np.exp(0.45 * smooth_field(rng, 40)) * (1 / PLATE) ** 2
    tries = rng.uniform(-OUTSIDE, SIDE + OUTSIDE, (TRIES, 2))
    y, x = np.clip(tries, 0, SIDE - 1).astype(int).T
    # A tenth more, for those that are too close.
    kept = rng.random(TRIES) < density[y, x] * (SIDE + 2 * OUTSIDE) ** 2 / TRIES * 1.1
    centres = tries[kept]
    distance, neighbour = cKDTree(centres).query(centres, k=2)
    is_close = (distance[:, 1] < NEAREST) & (np.arange(len(centres)) > neighbour[:, 1])
    return np.asarray(centres[~is_close])
