"""Phantoms of papyrus as plant tissue that was pressed and charred: cells within cells, in two plies at right angles.

A ply is a lattice of long strands, and a finer one of long cells within them. Walls of cells are bright and their
lumens dark; some strands are vascular bundles, and some are missing. Shrinking has cracked the plies, which part in
places, and torn bits off the sheet. The faces follow dense strands. Char dust lies in the holes of the sheet that is
read, and thinner neighbours lie in front and behind. Ink (`tissue_ink`) lies on the face in crackled plates, partly
sunk in. The scan blurs, drifts and adds noise. All of it was written from the published statistics alone,
independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from independent.tissue_ink import (
    SIDE,
    Floats,
    Ink,
    bent_axes,
    find_cells,
    make_ink,
    plane_noise,
    ramp,
    smooth_noise,
    write,
)
from scipy.ndimage import gaussian_filter, uniform_filter

LARGEST: float = 26.0  # grey values of 8 bits
GREYS: dict[str, float] = {"strong": 22.0, "medium": 11.0, "weak": 4.0}  # grey values of 8 bits

# Random streams of a phantom, each added to its seed, so that ink changes nothing else.
SHEET_STREAM, FRONT_STREAM, BACK_STREAM, SCAN_STREAM, TEXT_STREAM = 1, 4, 6, 9, 77

LAYERS = 65
MIDDLE = 33.0  # layer of the sheet that is read
DEPTHS = 24  # planes of a flattened sheet
DEPTH = np.arange(DEPTHS, dtype=np.float32)[:, None, None]  # voxels
FACE, THICKNESS = 6.0, 14.2  # voxels, means of a sheet
PLY_DEPTHS = 13  # planes
FRONT, BACK = slice(2, 2 + PLY_DEPTHS), slice(11, 11 + PLY_DEPTHS)  # planes of a sheet in which its plies lie
FRONT_DISTANCE, BACK_DISTANCE = 24.5, 22.2  # layers from the middle of the sheet to those of its neighbours
FRONT_GAP, BACK_GAP = 18.5, 15.3  # layers, the same at least
NEIGHBOUR_BRIGHTNESS = 0.72  # over that of the sheet

STEP = 8  # pixels along the fibres, between which tissue is interpolated
JITTER = 0.95  # of nuclei, in cells
STRAND, CELL = (6.5, 20, 250), (3.6, 8, 80)  # voxels (depth, across, along)
BASE = 147.0  # grey value of 8 bits
STRAND_GREYS, CELL_GREYS = 128, 90  # grey values of 8 bits from the darkest to the brightest one
WALL, LUMEN, BUNDLE, SPLIT, CRACK, PARTED = 34, 44, 75, 45, 45, 45  # grey values of 8 bits that each adds or takes away
STRIPS = 0.05  # share of the strands that are missing
DUST_VOID = 0.25  # share of a hole that is empty, where there is dust

AIR, PAPYRUS = 15, 30  # grey values of 8 bits, the latter of the darkest
SPECKS = 15e-6  # of all voxels
DENSE = 60  # grey values of 8 bits that papyrus with specks has at least
SPECK_GREYS = (1200, 3200)  # grey values of 8 bits, before blur
BLUR = (1.0, 0.9, 0.9)  # voxels
FINE_NOISE, COARSE_NOISE = 1.7, 7.0  # grey values of 8 bits; the latter before it is smoothed


@dataclass(frozen=True)
class Quality:
    """How a sheet is preserved."""

    base: float  # grey value of 8 bits
    strips: float  # share of the strands that are missing
    void: float  # how empty missing strands are
    holes: float  # share of the sheet that is torn off
    dust: float | None  # grey value of 8 bits of the dust in holes


@dataclass(frozen=True, eq=False)
class Ply:
    """A ply: greys of 8 bits and missing shares ``(depth, across, along)`` the fibres."""

    greys: Floats
    missing: Floats

    def turned(self) -> Ply:
        """Ply whose fibres run at right angles to this one's."""
        return Ply(self.greys.transpose(0, 2, 1), self.missing.transpose(0, 2, 1))


@dataclass(frozen=True, eq=False)
class Sheet:
    """A flattened sheet, in arrays ``(depth, y, x)`` but for the face."""

    greys: Floats  # of 8 bits
    shares: Floats  # of each voxel that is papyrus, ink or dust
    missing: Floats  # shares that holes take away
    face: Floats  # depth (y, x) in voxels


@dataclass(frozen=True)
class Tear:
    """A kind of torn bits: their size along y and x, and scales along y and x of the noise that bends either axis."""

    size: tuple[float, float]  # pixels
    y_scale: tuple[float, float]  # pixels
    x_scale: tuple[float, float]  # pixels


# Along the fibres of either ply.
TEARS = (Tear((20, 80), (20, 60), (12, 6)), Tear((90, 20), (6, 12), (60, 20)))


def phantom(seed: int, contrast: float | None) -> tuple[npt.NDArray[np.unsignedinteger], npt.NDArray[np.bool_]]:
    """Return a volume ``(z, y, x)`` and its true ink ``(y, x)``; no ink if the contrast is None."""
    rng = np.random.default_rng(seed)
    strips, base = STRIPS * rng.uniform(0.7, 1.3), BASE + rng.normal(0, 3)
    quality = Quality(base, strips, void=0.75, holes=0.009, dust=42.0)
    volume = AIR + 3 * smooth_noise(rng, (LAYERS, SIDE, SIDE), (6, 14, 14))
    wander = 0.8 * plane_noise(rng, 130)
    sheet_rng = np.random.default_rng(seed + SHEET_STREAM)
    # Long waves, and corrugation over the strands of the back ply.
    buckled = wander + plane_noise(sheet_rng, (70, 45)) + 0.5 * plane_noise(sheet_rng, (60, 20))
    middle = MIDDLE + buckled - buckled.mean()
    _add_neighbours(seed, volume, quality, wander, middle)
    sheet = _make_sheet(sheet_rng, quality)
    strokes = np.zeros((SIDE, SIDE), np.bool_)
    if contrast is not None:
        strokes = write(np.random.default_rng(seed + TEXT_STREAM), seed % 3)
        _lay_ink(sheet, make_ink(sheet_rng, strokes, contrast))
    _insert(volume, sheet, middle, 1.0)
    greys = _scanned(np.random.default_rng(seed + SCAN_STREAM), volume)
    return np.round(np.clip(greys, 0, 255) * 257).astype(np.uint16), strokes


def _add_neighbours(seed: int, volume: Floats, quality: Quality, wander: Floats, middle: Floats) -> None:
    """Add sheets in front and behind to a volume, in a worse state than the one whose middle is given."""
    worse = replace(quality, strips=quality.strips * 3, void=1.0, holes=0.25, dust=None)
    rng = np.random.default_rng(seed + FRONT_STREAM)
    sheet = _make_sheet(rng, worse)
    front = MIDDLE - FRONT_DISTANCE + _neighbour_wander(rng, wander)
    _insert(volume, sheet, np.minimum(middle - FRONT_GAP, front), NEIGHBOUR_BRIGHTNESS)
    rng = np.random.default_rng(seed + BACK_STREAM)
    sheet = _make_sheet(rng, worse)
    back = MIDDLE + BACK_DISTANCE + _neighbour_wander(rng, wander)
    _insert(volume, sheet, np.maximum(middle + BACK_GAP, back), NEIGHBOUR_BRIGHTNESS)


def _neighbour_wander(rng: np.random.Generator, wander: Floats) -> Floats:
    """Layers by which a neighbour lies off its usual place: the wander that all sheets share, and one of its own."""
    return np.asarray(wander + 3.0 * plane_noise(rng, 80) + 0.8 * plane_noise(rng, 30))


def _make_ply(rng: np.random.Generator, quality: Quality) -> Ply:
    """Random ply."""
    coarse = (SIDE, SIDE // STEP + 2)
    along = np.arange(coarse[1], dtype=np.float32) * STEP
    tilt = rng.normal(0, 0.035)
    sway = smooth_noise(rng, coarse, (90, 120 / STEP)) * 5 + smooth_noise(rng, coarse, (30, 45 / STEP)) * 1.2
    dive = smooth_noise(rng, coarse, (16, 110 / STEP)) * 1.3
    # Far from 0, so that no place is negative.
    across = np.arange(SIDE, dtype=np.float32)[:, None] + tilt * along + sway + 3000
    depth = np.arange(PLY_DEPTHS, dtype=np.float32)[:, None, None] + dive + 50
    greys, missing = _tissue(rng, quality, depth, across[None], along[None, None])
    cracked = _cracked(rng)
    greys, missing = _finer(greys) - cracked * CRACK, np.maximum(_finer(missing), 0.4 * cracked)
    return Ply(greys.astype(np.float32), missing.astype(np.float32))


def _tissue(
    rng: np.random.Generator, quality: Quality, depth: Floats, across: Floats, along: Floats
) -> tuple[Floats, Floats]:
    """Greys and missing shares of tissue at places in voxels, all ``(depth, across, along)`` the fibres."""
    begin = rng.random() * 9
    strands = find_cells(rng, (depth / STRAND[0], across / STRAND[1], along / STRAND[2] + begin), JITTER, 3)
    strand_grey, decay, vascularity = strands.drawn
    cells = find_cells(rng, (depth / CELL[0], across / CELL[1], along / CELL[2]), JITTER, 2)
    cell_grey, emptiness = cells.drawn
    lumen = np.clip(1 - cells.to_nearest * 1.1, 0, 1)
    uneven = STRAND_GREYS * (strand_grey - 0.5) + CELL_GREYS * (cell_grey - 0.5)
    greys = quality.base + uneven + WALL * (_bell(cells.to_border, 0.2) - 0.25) - LUMEN * lumen * (emptiness > 0.35)
    # Vascular bundles are the cores of one strand in six.
    greys += np.where(vascularity > 0.83, BUNDLE * _bell(strands.to_nearest, 0.38), 0)
    # Plies split between strands.
    greys -= _bell(strands.to_border, 0.09) * SPLIT * (0.4 + decay)
    damage = smooth_noise(rng, (SIDE, SIDE // STEP + 2), (70, 110 / STEP))
    is_missing = decay < quality.strips * np.clip(1 + 1.3 * damage, 0, 4)
    return greys, np.where(is_missing, np.clip(strands.to_border * 5, 0, quality.void), 0)


def _cracked(rng: np.random.Generator) -> Floats:
    """Share ``(across, along)`` of a ply that is open in cracks, most of which run across the fibres."""
    across, along = bent_axes(rng, 4, (25, 25), (8, 40))
    cells = find_cells(rng, (across / 64, along / 44), JITTER, 1)
    (width,) = cells.drawn
    activity = plane_noise(rng, (60, 60)) + 0.8 * (width - 0.5)
    return ramp(0.055 * (0.4 + width) - cells.to_border, 0.05) * ramp(activity - 1.1, 0.3)


def _finer(coarse: Floats) -> Floats:
    """Values of all pixels along the last axis, from those of each `STEP`."""
    place = np.arange(SIDE) / STEP
    before = place.astype(np.intp)
    rest = (place - before).astype(np.float32)
    return coarse[..., before] * (1 - rest) + coarse[..., before + 1] * rest


def _bell(distance: Floats, width: float) -> Floats:
    """Bell curve, 1 at a distance of 0."""
    return np.asarray(np.exp(-((distance / width) ** 2)))


def _standardised(values: Floats) -> Floats:
    """Values of mean 0 and deviation 1."""
    return np.asarray((values - values.mean()) / values.std())


def _make_sheet(rng: np.random.Generator, quality: Quality) -> Sheet:
    """Random sheet without ink, whose fibres run along x in front and along y behind."""
    front, back = _make_ply(rng, quality), _make_ply(rng, quality).turned()
    # A dense strand presses the ply behind it thin and is itself spared.
    pressure = gaussian_filter(front.greys[3:10].mean(0), 8)
    back = replace(back, greys=back.greys - (pressure - pressure.mean()))
    front_bulge = _standardised(gaussian_filter(front.greys[2:5].mean(0), 2.5))
    back_bulge = _standardised(gaussian_filter(back.greys[6:10].mean(0), 2.5))
    face = FACE - 0.6 * front_bulge + 0.7 * plane_noise(rng, 45)
    thickness = THICKNESS + 0.9 * plane_noise(rng, 60) + 0.9 * back_bulge
    behind_seam = DEPTH - (face + thickness * 0.5 + 0.8 * plane_noise(rng, 30))
    greys, missing_strips = _joined(front, back, behind_seam)
    greys += 5 * plane_noise(rng, 55)
    parted = ramp(plane_noise(rng, 50) - 1.2, 0.5)
    greys -= PARTED * parted * _bell(behind_seam, 1.2)
    missing = 1 - (1 - missing_strips) * (1 - _torn(rng, quality.holes))
    if quality.dust is not None:
        greys += np.minimum(missing / quality.void, 1) * (quality.dust - greys)
        missing *= DUST_VOID
    shares = ramp(DEPTH - face) * ramp(face + thickness - DEPTH) * (1 - missing)
    return Sheet(greys, shares, missing, face)


def _joined(front: Ply, back: Ply, behind_seam: Floats) -> tuple[Floats, Floats]:
    """Greys and missing shares ``(depth, y, x)`` of two plies, at depths in voxels behind the seam."""
    back_share = ramp(behind_seam, 1.5)
    greys = np.zeros((2, DEPTHS, SIDE, SIDE), np.float32)
    missing = np.ones((2, DEPTHS, SIDE, SIDE), np.float32)
    greys[0, FRONT], missing[0, FRONT] = front.greys, front.missing
    greys[1, BACK], missing[1, BACK] = back.greys, back.missing
    return (
        greys[0] * (1 - back_share) + greys[1] * back_share,
        missing[0] * (1 - back_share) + missing[1] * back_share,
    )


def _torn(rng: np.random.Generator, share: float) -> Floats:
    """Shares ``(y, x)`` that are missing in torn bits of strands, through both plies."""
    damage = plane_noise(rng, 60)
    torn = np.zeros((SIDE, SIDE))
    for tear in TEARS:
        y, x = bent_axes(rng, 3, tear.y_scale, tear.x_scale)
        cells = find_cells(rng, (y / tear.size[0], x / tear.size[1]), JITTER, 1)
        is_torn = cells.drawn[0] < share * np.clip(1 + 1.5 * damage, 0, 4)
        torn = np.maximum(torn, is_torn * ramp(cells.to_border - 0.06, 0.08))
    return torn


def _lay_ink(sheet: Sheet, ink: Ink) -> None:
    """Lay ink on a sheet, wherever there is papyrus and not only dust."""
    greys, shares = sheet.greys, sheet.shares
    # Dust has scaled down what is missing, which this undoes.
    papyrus = shares * np.clip((1 - sheet.missing) / DUST_VOID - (1 / DUST_VOID - 1), 0, 1)
    held = np.clip(_at(papyrus, sheet.face + 2) * 1.3, 0, 1)
    surface = _at(greys, sheet.face + 1)
    film = 0.7 * surface + 0.3 * gaussian_filter(surface, 5)
    below = DEPTH - sheet.face
    plates = ramp(below + ink.rise) * ramp(ink.thickness - ink.rise - below) * (ink.plates * held)
    # Ink fills the cells in the face, and mixes with papyrus farther below.
    inked = np.where(below > 0.5, 0.75 * greys + 0.25 * film, film) + ink.brightness
    greys += plates * (inked - greys)
    np.maximum(shares, plates, out=shares)
    in_papyrus = ramp(below + 0.5)
    cracks = in_papyrus * ramp(ink.thickness - ink.rise + 0.3 - below) * ink.cracks
    greys -= cracks * in_papyrus * ink.darkness


def _at(values: Floats, depth: Floats) -> Floats:
    """Values ``(y, x)`` of a sheet, in the planes that are nearest to depths."""
    plane = np.clip(np.round(depth), 0, DEPTHS - 1).astype(np.intp)
    return np.asarray(np.take_along_axis(values, plane[None], 0)[0])


def _insert(volume: Floats, sheet: Sheet, middle: Floats, brightness: float) -> None:
    """Put a sheet into a volume ``(z, y, x)``, with its middle at layers ``(y, x)``."""
    first = middle - FACE - THICKNESS / 2
    for z, layer in enumerate(volume):
        depth = z - first
        y, x = np.nonzero((depth >= 0) & (depth < DEPTHS - 1.001))  # interpolation needs a plane behind
        plane = depth[y, x].astype(np.intp)
        rest = (depth[y, x] - plane).astype(np.float32)
        share = sheet.shares[plane, y, x] * (1 - rest) + sheet.shares[plane + 1, y, x] * rest
        grey = sheet.greys[plane, y, x] * (1 - rest) + sheet.greys[plane + 1, y, x] * rest
        layer[y, x] += share * (np.maximum(grey * brightness, PAPYRUS) - layer[y, x])


def _scanned(rng: np.random.Generator, volume: Floats) -> Floats:
    """Greys ``(z, y, x)`` of 8 bits of a volume with specks, with the blur, noise and drift of a scan."""
    greys: Floats = gaussian_filter(volume + _specks(rng, volume), BLUR, truncate=3)
    noise = rng.standard_normal(volume.shape, dtype=np.float32)
    greys += FINE_NOISE * noise
    # Reversed, so that one noise serves as two.
    greys += COARSE_NOISE * uniform_filter(noise[::-1], (1, 3, 3))[:, ::-1]
    greys += 1.5 * plane_noise(rng, 150)
    return greys


def _specks(rng: np.random.Generator, volume: Floats) -> Floats:
    """Greys ``(z, y, x)`` that specks of minerals add, wherever a volume is dense."""
    count = int(SPECKS * volume.size)
    z, y, x = (rng.integers(0, size, count) for size in volume.shape)
    is_dense = volume[z, y, x] > DENSE
    z, y, x = z[is_dense], y[is_dense], x[is_dense]
    specks = np.zeros_like(volume)
    specks[z, y, x] = rng.uniform(*SPECK_GREYS, len(z))
    is_double = rng.random(len(z)) < 0.4
    specks[z[is_double], y[is_double], np.minimum(x[is_double] + 1, SIDE - 1)] = SPECK_GREYS[0]
    return specks
