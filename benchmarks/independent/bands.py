"""Phantoms of papyrus made of bands: filtered noise that is long along the fibres, in two plies at right angles.

Each ply is a sum of fibre bands, a few bundles and threads, and clouds that both plies share; it has a depth of its
own, swayed and tilted with the fibres. A sheet ends in a rough face, and has sharp holes, some through one ply only.
Above and below lie neighbours. The greys of a layer are fitted to published percentiles; then come ink (`bands_ink`),
bright specks and noise of the detector. All of it was written from the published statistics of scans alone,
independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from independent.bands_ink import (
    LAYERS,
    SIDE,
    Doubles,
    Floats,
    Mask,
    add_ink,
    one_plus_exp,
    slab,
    smooth_field,
    standardised,
)
from scipy import fft, ndimage
from scipy.interpolate import PchipInterpolator

LARGEST: float = 24.0  # grey values of 8 bits, as below
GREYS: dict[str, float] = {"strong": 20.0, "medium": 8.0, "weak": 0.0}  # at 0 there is crackle still

# Densities are in deviations of those within a sheet, whose mean is 0.
GAP = -3.3  # density between sheets
LOWEST = -2.7  # density of papyrus
MIDDLE = 32  # layer of the sheet, but for the seed
NEIGHBOUR_THICKNESS = 13  # layers
ABOVE_DENSITY, BELOW_DENSITY = -0.9, -0.7  # of neighbours, over that of the sheet

DEPTHS = 40  # layers that a ply is made with
FACE_DEPTH = 10  # which of them lies at the face
DEPTH_SIGMA, DEPTH_PERIOD = 3.3, 20.5  # layers: how far densities reach, and after how many they swing back
FACE_EDGE, BACK_EDGE = 0.65, 0.8  # layers over which a sheet fades
PLIES_EDGE = 0.8  # layers over which the plies blend

PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)
PERCENTILE_GREYS = (19, 42, 57, 80, 106, 149, 192, 219, 250)  # of 8 bits; between the published ones of two crops
HALF_FITTED = 4  # layers on each side of the sheet's middle, whose greys are fitted
UNEVENNESS_SIGMA = 6  # pixels
SPREAD_SIGMA = 0.65  # pixels of the point spread

SPECKS = 17.2  # per 10⁶ voxels
SPECK_SIGMA = 0.72  # pixels
SPECK_SUMS = (700, 1900)  # grey values of 8 bits, before they are blurred
BRIGHTEST_SPECK = 190  # grey values of 8 bits over what lies below


@dataclass(frozen=True)
class _Sheet:
    """A sheet of two plies; arrays are ``(y, x)`` but for densities."""

    face: Floats  # layers
    thickness: Floats  # layers
    meeting: Floats  # layers below the face where the plies meet
    front: Floats  # densities (depth, y, x)
    back: Floats
    at_y: Floats  # pixels where the densities of a pixel are
    at_x: Floats
    front_holes: Floats  # shares
    back_holes: Floats


def phantom(seed: int, contrast: float | None) -> tuple[npt.NDArray[np.unsignedinteger], npt.NDArray[np.bool_]]:
    """Return a volume (z, y, x) and its true ink (y, x); no ink if the contrast is None."""
    rng = np.random.default_rng(seed)
    centre = MIDDLE + rng.uniform(-1.2, 1.2)
    wander = 1.25 * smooth_field(rng, 85) + 0.4 * smooth_field(rng, 30)
    above_centre = centre - rng.uniform(24, 26)
    above = _make_sheet(rng, above_centre, 0.6 * wander + 1.3 * smooth_field(rng, 80), NEIGHBOUR_THICKNESS)
    sheet = _make_sheet(rng, centre, wander, rng.uniform(13.4, 15))
    below_centre = centre + rng.uniform(20.3, 21.8)
    below = _make_sheet(rng, below_centre, 0.6 * wander + 1.3 * smooth_field(rng, 80), NEIGHBOUR_THICKNESS)
    densities = _stacked(((above, ABOVE_DENSITY), (sheet, 0), (below, BELOW_DENSITY)))
    noise = rng.standard_normal(densities.shape).astype(np.float32)
    # Blurring divides the deviation of white noise by 6.7 times this power of sigma.
    densities += 0.22 * ndimage.gaussian_filter(noise, UNEVENNESS_SIGMA) * UNEVENNESS_SIGMA**1.5 * 3
    volume = ndimage.gaussian_filter(_as_greys(rng, densities, round(centre)), SPREAD_SIGMA)
    # A stream of its own, so that the same papyrus can be had with and without ink.
    ink_rng = np.random.default_rng(rng.integers(2**32))
    ink: Mask = np.zeros((SIDE, SIDE), np.bool_)
    if contrast is not None:
        volume, ink = add_ink(ink_rng, volume, sheet.face, sheet.front_holes, contrast)
    volume = volume + _specks(rng) + _detector_noise(rng)
    return np.clip(np.rint(volume), 0, 255).astype(np.uint8), ink


def _make_sheet(rng: np.random.Generator, centre: float, wander: Floats, mean_thickness: float) -> _Sheet:
    """Random sheet around a layer, from which it wanders by so many."""
    thickness = mean_thickness + 0.7 * smooth_field(rng, 50)
    rough = 0.45 * smooth_field(rng, 14, 2.0) + 0.35 * smooth_field(rng, 5)
    face = (centre - thickness / 2 + wander + rough).astype(np.float32)
    clouds = _noise(rng, _cloud_gain())
    front, back = _ply(rng, False, clouds), _ply(rng, True, clouds)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    tilt = rng.normal(0, 0.05)
    at_y = y + tilt * (x - SIDE / 2) + 4 * smooth_field(rng, 70)
    # The plies are not quite at right angles.
    at_x = x - (tilt + rng.normal(0, 0.03)) * (y - SIDE / 2) + 4 * smooth_field(rng, 70)
    meeting = mean_thickness / 2 + smooth_field(rng, 40)
    front_holes, back_holes = _holes(rng)
    return _Sheet(face, thickness, meeting, front, back, at_y, at_x, front_holes, back_holes)


def _holes(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Shares of the front and of the back ply that are missing, in holes as long as fibres."""
    wide, high = smooth_field(rng, 26, 11), smooth_field(rng, 9, 24)
    ragged = smooth_field(rng, 5)
    in_front = wide + 0.3 * ragged > np.quantile(wide, 1 - rng.uniform(0.002, 0.007))
    in_back = high + 0.3 * ragged > np.quantile(high, 1 - rng.uniform(0.002, 0.007))
    joint = standardised(wide + high + 0.4 * ragged)
    in_both = joint > np.quantile(joint, 1 - rng.uniform(0.003, 0.010))
    front, back = (ndimage.gaussian_filter((mask | in_both).astype(np.float32), 0.8) for mask in (in_front, in_back))
    return front, back


def _ply(rng: np.random.Generator, is_vertical: bool, clouds: Floats) -> Floats:
    """Densities ``(depth, y, x)`` of a ply, whose fibres run along y or along x."""
    y, x = np.meshgrid(fft.fftfreq(SIDE), fft.rfftfreq(SIDE), indexing="ij")
    along, across = (y, x) if is_vertical else (x, y)
    bands = np.exp(-((along * 110) ** 2)) * (1 + (across / 0.017) ** 2) ** -0.60 * np.exp(-((across * 1.8) ** 2))
    bands[0, 0] = 0
    bundles = _strand_gain(along, across, 160, 2.6)
    threads = _strand_gain(along, across, 60, 1.4)
    return standardised(
        0.95 * _noise(rng, bands)
        + 0.50 * _noise(rng, bundles, 1 / 2500)
        + 0.26 * _noise(rng, threads, 1 / 800)
        + 0.35 * _noise(rng, _cloud_gain())
        + 0.9 * clouds
    )


def _strand_gain(along: Doubles, across: Doubles, length: float, width: float) -> Doubles:
    """Gain of a filter by frequencies that makes strands, of a length and width in pixels, without a mean."""
    gain = np.exp(-((along * length) ** 2)) * np.exp(-0.5 * (across * 2 * np.pi * width) ** 2)
    gain[0, 0] = 0
    return gain


def _cloud_gain() -> Doubles:
    """Gain of a filter by frequencies that makes clouds, without a mean; its power law levels off at 77 pixels."""
    frequency = np.hypot(fft.fftfreq(SIDE)[:, None], fft.rfftfreq(SIDE)[None])
    gain: Doubles = (1 + (frequency / 0.013) ** 2) ** -0.76 * np.exp(-((frequency * 1.5) ** 2))
    gain[0, 0] = 0
    return gain


def _depth_gain() -> Doubles:
    """Gain of a filter by frequencies along the depth ``(depth, 1, 1)``."""
    frequency = fft.fftfreq(DEPTHS)
    power = sum(np.exp(-((2 * np.pi * DEPTH_SIGMA) ** 2) * (frequency - sign / DEPTH_PERIOD) ** 2) for sign in (-1, 1))
    return np.asarray(np.sqrt(power)[:, None, None])


def _noise(rng: np.random.Generator, gain: Doubles, share: float | None = None) -> Floats:
    """Noise ``(depth, y, x)`` of deviation 1, white or of impulses in a share of the voxels, after a filter."""
    white = rng.standard_normal((DEPTHS, SIDE, SIDE)).astype(np.float32)
    if share is not None:
        white *= rng.random(white.shape) < share
        white = np.abs(white)
    spectrum = fft.rfftn(white)
    spectrum *= (gain[None] * _depth_gain()).astype(np.float32)
    return standardised(fft.irfftn(spectrum, s=white.shape))


def _stacked(sheets: tuple[tuple[_Sheet, float], ...]) -> Floats:
    """Densities ``(z, y, x)`` of sheets, each with a number that it is denser by."""
    densities = np.full((LAYERS, SIDE, SIDE), GAP, np.float32)
    for z, layer in enumerate(densities):
        for sheet, denser in sheets:
            density, share = _cut(sheet, z)
            layer += share * (np.maximum(density, LOWEST) + denser - GAP)
    return densities


def _cut(sheet: _Sheet, z: int) -> tuple[Floats, Floats]:
    """Densities of a sheet in a layer, and its shares of the voxels."""
    depth = z - sheet.face
    places = [np.clip(depth + FACE_DEPTH, 0, DEPTHS - 1), sheet.at_y, sheet.at_x]
    front = ndimage.map_coordinates(sheet.front, places, order=1, mode="grid-wrap")
    back = ndimage.map_coordinates(sheet.back, places, order=1, mode="grid-wrap")
    is_back = np.asarray(1 / one_plus_exp(-(depth - sheet.meeting) / PLIES_EDGE), dtype=np.float32)
    # By roots, so that the deviation is the same where the plies blend.
    density = front * np.sqrt(1 - is_back) + back * np.sqrt(is_back)
    share = slab(depth, depth - sheet.thickness, FACE_EDGE, BACK_EDGE)
    holes = sheet.front_holes * (1 - is_back) + sheet.back_holes * is_back
    share *= 1 - 0.97 * holes
    return density, share


def _as_greys(rng: np.random.Generator, densities: Floats, middle: int) -> Floats:
    """Greys of 8 bits, along a monotone curve through the percentiles of the layers around the middle."""
    near = densities[middle - HALF_FITTED : middle + HALF_FITTED + 1]
    knots = np.percentile(near[near > GAP + 0.75], PERCENTILES)
    knots[0] = min(GAP, knots[1] - 0.5)
    greys = np.array(PERCENTILE_GREYS, float) * rng.uniform(0.94, 1.06)
    greys[0] = PERCENTILE_GREYS[0]
    curve = np.linspace(knots[0] - 1.2, knots[-1], 2000)
    # What is less dense than the gap lies on a straight line.
    on_curve = PchipInterpolator(knots, greys)(np.maximum(curve, knots[0]))
    curve_greys = np.where(curve < knots[0], greys[0] - 4 * (knots[0] - curve), on_curve)
    return np.asarray(np.interp(densities, curve, curve_greys), dtype=np.float32)


def _specks(rng: np.random.Generator) -> Floats:
    """Greys ``(z, y, x)`` that bright grains add."""
    specks = np.zeros((LAYERS, SIDE, SIDE), np.float32)
    count = rng.poisson(SPECKS * specks.size / 1e6)
    places = tuple(rng.integers(0, size, count) for size in specks.shape)
    np.add.at(specks, places, rng.uniform(*SPECK_SUMS, count))
    blurred: Floats = ndimage.gaussian_filter(specks, SPECK_SIGMA)
    return np.minimum(blurred, BRIGHTEST_SPECK)


def _detector_noise(rng: np.random.Generator) -> Floats:
    """Noise ``(z, y, x)`` in greys, of which a part is correlated over a few voxels."""
    shape = (LAYERS, SIDE, SIDE)
    fine = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), 0.5)
    coarse = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), 1.1)
    return 2.45 * standardised(fine) + 1.3 * standardised(coarse)
