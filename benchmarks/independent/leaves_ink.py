"""Cracked ink on a face of leaves, and the noise and the blur that papyrus and ink share.

Greek letters are written in lines with a broad nib, and creep along the fibres a little. Their film dries into plates
around random seeds: each has a thickness, a lift, a tilt and a grey of its own, curls up at its rims and takes on some
of the grain of the papyrus; a few are missing. The whole film is then made as much brighter as is asked for, as
measured through the blur. It was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.intp]
Masks = npt.NDArray[np.bool_]
Polyline = list[tuple[float, float]]

SIDE = 512  # pixels of each side of a phantom
ROWS, COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)  # pixels
AIR = 15.0  # grey value of 8 bits
BLUR = (1.15, 1.0, 1.0)  # voxels along z, y and x
COARSE_STEP = 4  # pixels between those at which slow noise is made
SPLINE_DEVIATION = 0.62  # of a random lattice that is read through quadratic splines

PEN_WIDTHS = ((22, 28), (30, 38), (40, 50))  # pixels
FAR = 1e3  # pixels
FEW_CORNERS = 8  # strokes with fewer corners are no arcs
STROKE_MARGIN = 8  # pixels around a stroke whose distance is measured

PLATE_SPACING = (11, 18)  # pixels between the seeds of plates
FLAKES = 0.05  # share of plates that are missing
RELIEF_CONTRASTS, RELIEFS = (0.0, 10.0), (0.6, 1.0)  # grey values of 8 bits; factor of lift, tilt and curl
PROBES = (0.5, 1.1, 1.7, 2.3)  # layers below the top of the ink where its contrast is measured
MOST_PROBED = 40000  # pixels


def _arc(x: float, y: float, radius_x: float, radius_y: float, first: float, last: float) -> Polyline:
    """Arc of an ellipse around (x, y), between two angles in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(first, last, 24))
    return [(x + radius_x * np.cos(angle), y + radius_y * np.sin(angle)) for angle in angles]


# Widths and strokes in unit boxes, as (x, y) with y downwards. The order decides which letters a seed writes.
LETTERS: dict[str, tuple[float, list[Polyline]]] = {
    "alpha": (0.85, [[(0.02, 1), (0.42, 0.0), (0.85, 1)], [(0.14, 0.72), (0.62, 0.62)]]),
    "gamma": (0.65, [[(0.1, 1), (0.1, 0.02), (0.65, 0.04)]]),
    "delta": (0.95, [[(0.45, 0), (0.0, 0.96), (0.95, 0.98), (0.4, 0.0)]]),
    "epsilon": (0.7, [_arc(0.5, 0.5, 0.46, 0.5, -50, -310), [(0.1, 0.5), (0.62, 0.48)]]),
    "eta": (0.8, [[(0.06, 0), (0.08, 1)], [(0.74, 0), (0.74, 1)], [(0.08, 0.48), (0.74, 0.5)]]),
    "theta": (0.95, [_arc(0.48, 0.5, 0.46, 0.5, 0, 360), [(0.1, 0.5), (0.86, 0.5)]]),
    "iota": (0.3, [[(0.15, 0), (0.16, 1)]]),
    "kappa": (0.75, [[(0.08, 0), (0.08, 1)], [(0.68, 0.02), (0.1, 0.52), (0.75, 1)]]),
    "lambda": (0.85, [[(0.0, 1), (0.44, 0.02)], [(0.36, 0.0), (0.85, 1)]]),
    "mu": (1.1, [[(0.02, 1), (0.2, 0.02), (0.54, 0.8), (0.88, 0.02), (1.08, 1)]]),
    "nu": (0.85, [[(0.06, 1), (0.06, 0), (0.78, 1), (0.78, 0)]]),
    "omicron": (0.75, [_arc(0.37, 0.52, 0.36, 0.4, 10, 370)]),
    "pi": (0.85, [[(0.0, 0.03), (0.85, 0.03)], [(0.14, 0.03), (0.12, 1)], [(0.7, 0.03), (0.72, 1)]]),
    "rho": (0.6, [[(0.1, 1.2), (0.1, 0)], _arc(0.12, 0.27, 0.44, 0.27, -90, 90)]),
    "sigma": (0.7, [_arc(0.48, 0.5, 0.46, 0.5, -55, -300)]),
    "tau": (0.8, [[(0.0, 0.04), (0.8, 0.03)], [(0.4, 0.04), (0.41, 1)]]),
    "upsilon": (0.75, [[(0.0, 0.0), (0.37, 0.5), (0.75, 0.0)], [(0.37, 0.5), (0.37, 1.05)]]),
    "chi": (0.85, [[(0.0, 0.0), (0.82, 1)], [(0.8, 0.0), (0.02, 1)]]),
    "omega": (1.1, [_arc(0.3, 0.55, 0.28, 0.44, -120, -360), _arc(0.82, 0.55, 0.26, 0.44, 180, -60)]),
}


@dataclass(frozen=True)
class Face:
    """Face of a sheet, on which ink lies: arrays ``(y, x)``."""

    depth: Floats  # layers
    texture: Floats  # standard deviations of the density of the first leaf
    lost: Masks  # where the first leaf is missing
    covered: Masks  # where a flap lies on it


@dataclass(frozen=True)
class Hand:
    """A way to write: lengths in pixels, slopes as ratios."""

    pen: float
    height: float
    pitch: float
    tilt: float
    slant: float


@dataclass(frozen=True)
class Page:
    """A page to write on: lengths in pixels, arrays ``(y, x)``."""

    outside: Floats  # distance from the rims of strokes, negative inside, lowered in place
    y: Floats  # where each pixel lies, as rims are ragged
    x: Floats
    left: float
    right: float
    top: float


@dataclass(frozen=True)
class Plates:
    """Plates of dried ink: arrays ``(y, x)``, lengths in pixels."""

    numbers: Indices  # of the plate at each pixel
    to_crack: Floats  # distance to the nearest crack
    opening: Floats  # how wide that crack is, from 0 to 1
    centres: Floats  # (plate, yx)
    y: Floats  # where each pixel lies, as cracks are not straight
    x: Floats

    @property
    def count(self) -> int:
        """Number of plates."""
        return len(self.centres)


@dataclass(frozen=True)
class Film:
    """Film of ink: arrays ``(y, x)``."""

    top: Floats  # layers
    bottom: Floats  # layers
    share: Floats  # of the pixel that plates cover
    cracks: Floats  # share of the pixel


@dataclass(frozen=True)
class Probe:
    """Pixels whose greys are averaged in part of a volume."""

    y: Indices
    x: Indices
    first: int  # layer at which the part begins

    def mean(self, part: Floats, top: Floats) -> float:
        """Mean of a part just below a top ``(y, x)`` in layers."""
        y, x = self.y, self.x
        places = [[top[y, x] + depth - self.first, y, x] for depth in PROBES]
        return float(np.mean([ndimage.map_coordinates(part, place, order=1) for place in places]))


def spline_noise(lattice: Floats, y: Floats, x: Floats) -> Floats:
    """Noise ``(y, x)`` of a standard deviation near 1: a random lattice, read smoothly at places in its cells."""
    values: Floats = ndimage.map_coordinates(lattice, [y, x], order=2, mode="wrap", prefilter=False, output=np.float32)
    return values / SPLINE_DEVIATION


def noise(rng: np.random.Generator, scale: float, octaves: int = 3, gain: float = 0.5) -> Floats:
    """Noise ``(y, x)`` of mean 0 and standard deviation 1, of octaves whose longest is so many pixels."""
    # Slow noise is made on a coarse grid, which is as good and faster.
    step = COARSE_STEP if scale / 2 ** (octaves - 1) >= 14 else 1
    y, x = ROWS[::step, ::step], COLUMNS[::step, ::step]
    field = np.zeros(y.shape, np.float32)
    for octave in range(octaves):
        cell = scale / 2**octave
        count = int(SIDE / cell) + 8
        lattice = rng.standard_normal((count, count)).astype(np.float32)
        field += gain**octave * spline_noise(lattice, y / cell + 3, x / cell + 3)
    if step > 1:
        field = ndimage.zoom(field, step, order=1, grid_mode=True, mode="nearest")
    field -= field.mean()
    return field / (field.std() + 1e-6)  # type: ignore[no-any-return]


def blurred(volume: Floats) -> Floats:
    """Volume with the sharp part of the point spread."""
    return ndimage.gaussian_filter(volume, BLUR, truncate=3.5)  # type: ignore[no-any-return]


def add_ink(rng: np.random.Generator, volume: Floats, face: Face, contrast: float, pen: int) -> Masks:
    """Ink of a contrast in grey values is added to a volume; its mask ``(y, x)``, written with one of the pens."""
    ink = _written(rng, face, pen) & ~face.lost
    plates = _plates(rng, rng.uniform(*PLATE_SPACING))
    film = _film(rng, face, ink, plates, float(np.interp(contrast, RELIEF_CONTRASTS, RELIEFS)))
    first, end = max(0, int(face.depth.min()) - 7), int(face.depth.max()) + 12
    part = volume[first:end]
    z = np.arange(first, end, dtype=np.float32)[:, None, None]
    grain = np.clip(np.exp(0.25 * face.texture), 0.7, 1.5)
    body = _papyrus_grey(part, z, face) * (0.55 + 0.45 * grain)
    body = body + rng.normal(0, 6, plates.count)[plates.numbers] + 3 * noise(rng, 5, 1)
    cover = np.clip(z - film.top + 0.5, 0, 1) * np.clip(film.bottom - z + 0.5, 0, 1)
    share = cover * film.share
    cracks = cover * film.cracks * 0.6
    inked = part * (1 - share) * (1 - cracks) + share * body + cracks * AIR
    y, x = np.nonzero(ink & ~face.covered)
    drawn = rng.permutation(len(y))[:MOST_PROBED]
    probe = Probe(y[drawn], x[drawn], first)
    # The blur mixes ink with what lies around it, so that the contrast is set to hold after it.
    top = np.minimum(film.top, face.depth - 0.3)
    reached = probe.mean(blurred(inked), top) - probe.mean(blurred(part), face.depth - 0.6)
    brighter = (contrast - reached) / probe.mean(blurred(share.astype(np.float32)), top)
    part[:] = inked + share * np.float32(brighter)
    return ink


def _papyrus_grey(part: Floats, z: Floats, face: Face) -> Floats:
    """Grey ``(y, x)`` of the papyrus just below a face and nearby, from a part of the volume in layers z."""
    weight = ((z > face.depth + 0.5) & (z < face.depth + 4)).astype(np.float32) * ~face.lost
    total = ndimage.gaussian_filter((part * weight).sum(0), 10)
    return total / (ndimage.gaussian_filter(weight.sum(0), 10) + 1e-3)  # type: ignore[no-any-return]


def _written(rng: np.random.Generator, face: Face, pen: int) -> Masks:
    """Strokes ``(y, x)`` of lines of letters, between margins."""
    hand = _draw_hand(rng, pen)
    page = _draw_page(rng)
    top = page.top
    while top + hand.height * 0.7 < SIDE - 12:
        _write_line(rng, hand, page, top)
        top += hand.pitch
    # Ink creeps along the fibres.
    rough = noise(rng, 9, 2) + 0.9 * np.clip(face.texture, -2, 2)
    strokes = ndimage.binary_fill_holes(page.outside + rough < 0) & (page.outside < 6)
    return ndimage.binary_opening(strokes, iterations=2)  # type: ignore[no-any-return]


def _draw_hand(rng: np.random.Generator, pen: int) -> Hand:
    """Random hand with one of the pens, whose letters are about five pens high."""
    width = [rng.uniform(*widths) for widths in PEN_WIDTHS][pen]
    height = width * rng.uniform(4.6, 5.4)
    return Hand(
        pen=width,
        height=height,
        pitch=height * rng.uniform(1.28, 1.42) + width * 0.6,
        tilt=rng.normal(0, 0.035),
        slant=rng.normal(0.03, 0.06),
    )


def _draw_page(rng: np.random.Generator) -> Page:
    """Random empty page."""
    x = COLUMNS + noise(rng, 70, 2) * 1.6
    y = ROWS + noise(rng, 70, 2) * 1.6
    outside = np.full((SIDE, SIDE), FAR, np.float32)
    left, right = rng.uniform(28, 60), SIDE - rng.uniform(15, 50)
    return Page(outside, y, x, left, right, rng.uniform(28, 55))


def _write_line(rng: np.random.Generator, hand: Hand, page: Page, top: float) -> None:
    """One line of letters is written on a page."""
    left = page.left + rng.normal(0, 4)
    while True:
        width, strokes = LETTERS[list(LETTERS)[rng.integers(len(LETTERS))]]
        scale_x = hand.height * rng.uniform(0.88, 1.06)
        if left + width * scale_x > page.right:
            return
        # A space between words.
        if rng.random() < 0.07:
            left += 0.5 * scale_x
        shift = rng.normal(0, 0.025 * hand.height)
        scale_y = hand.height * rng.uniform(0.9, 1.05)
        for stroke in strokes:
            corners = np.array(stroke, float)
            x = left + corners[:, 0] * scale_x - hand.slant * (corners[:, 1] - 0.5) * scale_y
            y = top + shift + corners[:, 1] * scale_y
            _write_stroke(rng, hand, page, np.c_[x, y])
        left += width * scale_x + hand.height * rng.uniform(0.16, 0.3) + hand.pen * 0.6


def _write_stroke(rng: np.random.Generator, hand: Hand, page: Page, corners: Floats) -> None:
    """One stroke through corners ``(corner, xy)`` is written on a page, a little beside them."""
    # Corners of arcs are shifted together, or arcs would have kinks.
    if len(corners) < FEW_CORNERS:
        corners = corners + rng.normal(0, 0.012 * hand.height, corners.shape)
    else:
        corners = corners + rng.normal(0, 0.01 * hand.height, (1, 2))
    corners[:, 1] += hand.tilt * corners[:, 0]
    width = hand.pen * rng.uniform(0.86, 1.14)
    for start, end in zip(corners[:-1], corners[1:], strict=True):
        _write_straight(page, start, end, width)


def _write_straight(page: Page, start: Floats, end: Floats, width: float) -> None:
    """Straight part of a stroke is written on a page, from a start to an end (x, y)."""
    step = end - start
    length = np.hypot(*step) + 1e-6
    # A broad nib draws thicker in some directions than in others.
    width = width * (1 + 0.16 * np.sin(np.arctan2(step[1], step[0]) - 0.6))
    low = np.minimum(start, end) - width - STROKE_MARGIN
    high = np.maximum(start, end) + width + STROKE_MARGIN
    first_x, first_y = (max(int(edge), 0) for edge in low)
    end_x, end_y = (min(int(edge) + 1, SIDE) for edge in high)
    if end_y <= first_y or end_x <= first_x:
        return
    near = np.s_[first_y:end_y, first_x:end_x]
    x, y = page.x[near] - start[0], page.y[near] - start[1]
    along = np.clip((x * step[0] + y * step[1]) / length**2, 0, 1)
    outside = np.hypot(x - along * step[0], y - along * step[1]) - width / 2
    np.minimum(page.outside[near], outside, out=page.outside[near])


def _plates(rng: np.random.Generator, spacing: float) -> Plates:
    """Plates around seeds that are jittered and unevenly dense, so many pixels apart."""
    steps = np.arange(-spacing, SIDE + spacing, spacing)
    y, x = np.meshgrid(steps, steps, indexing="ij")
    centres = np.c_[y.ravel(), x.ravel()] + rng.uniform(-0.48, 0.48, (y.size, 2)) * spacing
    is_kept = rng.random(len(centres)) > 0.25
    added = centres[rng.random(len(centres)) < 0.22] + rng.normal(0, spacing * 0.4, (1, 2))
    centres = np.r_[centres[is_kept], added]
    warped_y = ROWS + noise(rng, 14, 2) * 1.1
    warped_x = COLUMNS + noise(rng, 14, 2) * 1.1
    distances, nearest = cKDTree(centres).query(np.c_[warped_y.ravel(), warped_x.ravel()], k=2)
    apart = np.linalg.norm(centres[nearest[:, 0]] - centres[nearest[:, 1]], axis=1)
    to_crack = (distances[:, 1] ** 2 - distances[:, 0] ** 2) / (2 * apart + 1e-6)
    # Hashed from the two plates, so that a crack is as wide all along.
    one, other = np.sort(nearest, 1).T
    opening = ((one * 7919 + other * 104729) % 1009) / 1009
    return Plates(
        numbers=nearest[:, 0].reshape(SIDE, SIDE),
        to_crack=to_crack.reshape(SIDE, SIDE).astype(np.float32),
        opening=opening.reshape(SIDE, SIDE).astype(np.float32),
        centres=centres,
        y=warped_y,
        x=warped_x,
    )


def _film(rng: np.random.Generator, face: Face, ink: Masks, plates: Plates, relief: float) -> Film:
    """Film of plates on a face, with a factor of their relief."""
    numbers, centres = plates.numbers, plates.centres
    half_width = 0.4 + 0.8 * plates.opening + 0.25 * noise(rng, 12, 1)
    whole = 1 / (1 + np.exp(-(plates.to_crack - half_width) * 3.5))
    is_flake = rng.random(plates.count) < FLAKES
    tilt_y, tilt_x = rng.normal(0, 0.03, (2, plates.count))
    lift = rng.normal(0, 0.25, plates.count)[numbers]
    thickness = 2.2 + 0.35 * noise(rng, 45, 2) + rng.normal(0, 0.25, plates.count)[numbers]
    tilt = tilt_y[numbers] * (plates.y - centres[numbers, 0])
    lift = lift + tilt + tilt_x[numbers] * (plates.x - centres[numbers, 1])
    # Rims curl up, towards the first layer.
    lift = lift - 0.55 * np.exp(-plates.to_crack / 2.5)
    # Ink lies deeper between fibres.
    sunk = 0.35 * np.clip(-face.texture, -1, 1.5)
    top = face.depth - 0.95 + sunk + relief * lift
    return Film(
        top=top,
        bottom=top + np.clip(thickness, 1.5, 3.0),
        share=ink * whole * ~is_flake[numbers],
        cracks=ink * (1 - whole),
    )
