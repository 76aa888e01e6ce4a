"""Simulate a scan of papyrus as a laminate of thin plies that buckle and part.

A sheet is four to six plies, and each is a strip of bundles of fibres in loose pith. The front half runs along x, the
back half along y. Every ply is a thin elastic plate, stiff along its fibres, that is pressed in its plane while it
chars: it buckles, its glue to the next ply breaks where it is stretched too far, and lens-shaped voids open. Bundles
are random superellipses in cross-section, drawn along slightly curved parallel lines. Two neighbouring sheets, the
blur of a scanner and its noise are added. The ink of `independent.plies_ink` lies on the front face.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from independent.plies_ink import Film, make_film
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.float32]

GREYS: dict[str, float] = {"strong": 22.0, "medium": 11.0, "weak": 3.0}  # ink over papyrus, in greys
LARGEST: float = 26.0  # the largest contrast that still looks like ink, in greys

_LAYERS, _SIZE = 65, 512  # shape of a phantom, in voxels
_MIDDLE = 32.0  # layer of the middle of the sheet
_THICKNESS = 13.0  # of the sheet without voids, in layers
_AIR = 16.5  # grey of air

_GRID = 128  # points along a side on which plates are computed
_COARSE = _SIZE // _GRID  # pixels between two such points
_WAVELENGTH = 22.0  # of buckles, in points of that grid
_STIFFER_ALONG = 5.0  # bending stiffness along the fibres over that across them
_STEPS, _TIME_STEP = 60, 0.3  # of the relaxation of plates; unit: the growth time of a buckle
_GLUE = 1.2  # stiffness of the glue, in units of the plate's own at its wavelength
_CONTACT = 1.3  # stiffness of plies that press on each other, same unit
_BREAKS_AT = 0.45  # opening at which glue breaks, in layers
_UNGLUED = 0.3  # share of the area that never was glued
_BUCKLE_LIMIT = 0.35  # strength of the cubic term that ends growth, per squared layer

_WANDER = 1.5  # spread of the depth of the whole sheet, in layers
_WANDER_LENGTH = (21.0, 30.0)  # its length along y and x, in pixels
_PAD = 48  # margin of a ply's own table around the phantom, in pixels
_STRIDE = 4  # pixels along a fibre between two columns of that table
_HALF_WIDTH = (2.0, 9.0)  # half the width of a bundle, in pixels
_EXPONENT = (1.6, 3.4)  # of a bundle's superellipse
_FIBRE_GREY, _FIBRE_SPREAD = 194.0, 42.0  # of bundles
_PITH_GREY, _PITH_SPREAD = 75.0, 13.0  # of what lies between bundles
_TORN = 0.02  # share of each ply that is torn out
_CHECKED = 0.16  # share of each ply that charred so fast that it has cracks of its own
_CHECK = 0.045  # width of these cracks, as a share of the spread of the field whose zeros they are

_BLUR = (1.5, 1.05, 1.05)  # of the scanner, a standard deviation in voxels along z, y and x
_NOISE = 2.4  # standard deviation of its noise, in greys
_SPECKS = 500  # bright grains of minerals in a phantom
_NEIGHBOURS = ((-8.4, 4.5), (60.0, 3.5))  # layer of the middle of each neighbouring sheet, and its wander in layers


@dataclass(frozen=True)
class Ply:
    """One ply: the depth of its middle, bundles and pith; maps `(y, x)`, depths in layers, greys of 8 bits."""

    depth: Map
    fibre_half: Map  # half the height of the bundle
    fibre_shift: Map  # how far below the ply's middle the bundle lies
    fibre_grey: Map
    pith_half: Map
    pith_grey: Map


def phantom(seed: int, contrast: float | None) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Make one phantom.

    Parameters
    ----------
    seed
        The same seed gives the same papyrus, letters and noise.
    contrast
        By how many greys ink is brighter than papyrus; None leaves the ink out.

    Returns
    -------
    tuple
        The stack `(z, y, x)` and the true ink `(y, x)`.
    """
    papyrus_random, ink_random, scan_random = (np.random.default_rng([seed, part, 7331]) for part in range(3))
    plies, tilt = make_plies(papyrus_random)
    volume = np.full((_LAYERS, _SIZE, _SIZE), _AIR, np.float32)
    for ply in plies:
        lay_ply(volume, ply)
    lay_neighbours(papyrus_random, volume, plies)
    scatter_specks(papyrus_random, volume)
    truth = np.zeros((_SIZE, _SIZE), bool)
    if contrast is not None:
        front, grey = find_front(plies)
        film = make_film(ink_random, front, tilt)
        lay_film(volume, film, grey + contrast)
        truth = film.truth
    return scan(scan_random, volume), truth


def smooth_field(random: Generator, lengths: tuple[float, float], size: int = _SIZE) -> Map:
    """Return a periodic Gaussian field `(size, size)` of mean 0 and spread 1, with these lengths along y and x."""
    spectrum = np.fft.rfft2(random.standard_normal((size, size), np.float32))
    decay_y = np.exp(-2 * (np.pi * lengths[0] * np.fft.fftfreq(size)) ** 2)
    decay_x = np.exp(-2 * (np.pi * lengths[1] * np.fft.rfftfreq(size)) ** 2)
    field = np.fft.irfft2(spectrum * decay_y[:, None] * decay_x, (size, size)).astype(np.float32)
    field -= field.mean()
    return np.asarray(field / field.std(), np.float32)


def make_plies(random: Generator) -> tuple[list[Ply], float]:
    """Return the plies from front to back, and the tilt of the first ply's fibres from x, in radians."""
    count = int(random.integers(4, 7))
    in_front = (count + int(random.integers(0, 2))) // 2
    along_x = np.arange(count) < in_front
    tilts = np.radians(random.normal(0, 1.2, 2))[(~along_x).astype(int)] + np.radians(random.normal(0, 0.7, count))
    buckles = relax_plates(random, along_x)
    spacing = _THICKNESS / count
    wander = _WANDER * smooth_field(random, _WANDER_LENGTH)
    depths = [_MIDDLE + (at - (count - 1) / 2) * spacing + wander + buckles[at] for at in range(count)]
    for at in range(1, count):  # plies are flattened where they cross, but never pass through each other
        depths[at] = np.maximum(depths[at], depths[at - 1] + 0.7 * spacing)
    plies = [make_ply(random, depths[at], spacing, float(tilts[at]), bool(along_x[at])) for at in range(count)]
    return plies, float(tilts[0])


def relax_plates(random: Generator, along_x: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return how far each ply `(ply, y, x)` buckles, in layers, once pressed plates and breaking glue are at rest."""
    count = len(along_x)
    per_wave = _WAVELENGTH * np.fft.fftfreq(_GRID)[:, None], _WAVELENGTH * np.fft.rfftfreq(_GRID)[None]
    y2, x2 = per_wave[0] ** 2, per_wave[1] ** 2
    growth = np.empty((count, _GRID, _GRID // 2 + 1))
    for at in range(count):
        along, across = (x2, y2) if along_x[at] else (y2, x2)
        bending = _STIFFER_ALONG * along**2 + 2 * along * across + across**2
        growth[at] = 2 * (0.7 * along + across) - bending - 0.1
    deflection = np.stack([0.2 * smooth_field(random, (2.0, 2.0), _GRID) for _ in range(count)])
    weakness = np.stack([smooth_field(random, (4.0, 5.0), _GRID) for _ in range(count - 1)])
    glued = weakness < np.quantile(weakness, 1 - _UNGLUED)
    breaks_at = _BREAKS_AT * np.exp(-0.5 * weakness)
    for _ in range(_STEPS):
        opening = np.diff(deflection, axis=0)
        glued &= opening < breaks_at
        pull = np.where(opening > 0, _GLUE * glued, _CONTACT) * opening
        force = -_BUCKLE_LIMIT * deflection**3
        force[:-1] += pull
        force[1:] -= pull
        spectrum = np.fft.rfft2(deflection + _TIME_STEP * force)
        deflection = np.fft.irfft2(spectrum / (1 - _TIME_STEP * growth), (_GRID, _GRID))
    fine = [ndimage.zoom(plate, _COARSE, order=3, mode="grid-wrap", grid_mode=True) for plate in deflection]
    return np.stack(fine).astype(np.float32)


def make_ply(random: Generator, depth: Map, spacing: float, tilt: float, along_x: bool) -> Ply:
    """Return a ply of bundles in pith whose middle lies at `depth`."""
    across, along = bend_lines(random, tilt)
    half, shift, grey = (
        ndimage.map_coordinates(table, (across, along), order=1, mode="nearest")
        for table in draw_bundles(random, spacing)
    )
    pores = smooth_field(random, (1.6, 3.0)) + 0.8 * smooth_field(random, (5.0, 12.0))
    pith_half = spacing * np.clip(0.5 + 0.16 * pores, 0.0, 0.75)
    cells = 0.8 * smooth_field(random, (6.0, 16.0)) + 0.6 * smooth_field(random, (1.0, 1.6))
    pith_grey = _PITH_GREY + _PITH_SPREAD * cells
    tears = smooth_field(random, (4.0, 14.0)) + 0.25 * smooth_field(random, (1.0, 5.0))
    whole = tears < np.quantile(tears, 1 - _TORN)
    whole &= ~find_checks(random)
    maps = [half * whole, shift, grey, pith_half * whole, pith_grey]
    turned = [np.ascontiguousarray(each if along_x else each.T, np.float32) for each in maps]
    return Ply(depth, *turned)


def find_checks(random: Generator) -> NDArray[np.bool_]:
    """Return where charring cracked a ply, without any ink: in some places, and mostly across its fibres."""
    lines = np.abs(smooth_field(random, (12.0, 6.0)) + 0.15 * smooth_field(random, (3.0, 3.0))) < _CHECK
    places = smooth_field(random, (14.0, 18.0))
    return np.asarray(lines & (places > np.quantile(places, 1 - _CHECKED)))


def bend_lines(random: Generator, tilt: float) -> tuple[Map, Map]:
    """Return where each pixel `(y, x)` lies in a ply's table: its row across the fibres, its column along them."""
    y, x = np.mgrid[:_SIZE, :_SIZE].astype(np.float32) - np.float32(_SIZE / 2)
    across = y * np.cos(tilt) - x * np.sin(tilt)
    along = x * np.cos(tilt) + y * np.sin(tilt)
    bent = across + 5.0 * smooth_field(random, (90.0, 60.0))
    return bent + np.float32(_SIZE / 2 + _PAD), (along + np.float32(_SIZE / 2 + _PAD)) / np.float32(_STRIDE)


def draw_bundles(random: Generator, spacing: float) -> tuple[Map, Map, Map]:
    """Return half the height, the shift in depth and the grey of bundles, as tables `(across, along)`."""
    rows, columns = _SIZE + 2 * _PAD, (_SIZE + 2 * _PAD) // _STRIDE
    half, shift = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    grey = np.full((rows, columns), _FIBRE_GREY, np.float32)
    at = 0.0
    while at < rows:
        low, high = np.log(_HALF_WIDTH)
        width = float(np.exp(random.uniform(low, high)))
        sides = width * (1 + 0.22 * vary_along(random, columns, 10.0))
        centre = at + width + 1.2 * vary_along(random, columns, 14.0)
        tall = 0.5 * spacing * random.uniform(0.7, 1.4) * np.clip(1 + 0.45 * vary_along(random, columns, 12.0), 0, 1.6)
        first, last = max(int(at - 0.6 * width) - 3, 0), min(int(at + 2.6 * width) + 4, rows)
        inside = np.abs(np.arange(first, last)[:, None] - centre) / np.maximum(sides, 1.0)
        power = random.uniform(*_EXPONENT)
        height = tall * np.maximum(1 - inside**power, 0) ** (1 / power)
        taller = height > half[first:last]
        tone = _FIBRE_GREY + _FIBRE_SPREAD * (0.8 * random.standard_normal() + 0.6 * vary_along(random, columns, 9.0))
        strands = 9.0 * random.standard_normal((last - first, 1))
        half[first:last][taller] = height[taller]
        shift[first:last][taller] = np.broadcast_to(0.12 * spacing * random.standard_normal(), height.shape)[taller]
        grey[first:last][taller] = (tone + strands)[taller]
        at += 2 * width + float(random.exponential(5.0))
    return half, shift, np.clip(grey, 100, 255)


def vary_along(random: Generator, columns: int, length: float) -> NDArray[np.float64]:
    """Return a smooth random line of spread 1 along a fibre; `length` in columns."""
    line = ndimage.gaussian_filter1d(random.standard_normal(columns), length, mode="wrap")
    return np.asarray(line * np.sqrt(2 * np.sqrt(np.pi) * length))


def lay_slab(volume: Map, middle: Map, half: Map, grey: Map) -> None:
    """Draw matter of some grey around a depth into a volume, where it is denser than what is there."""
    there = half > 0
    if not there.any():
        return
    first = max(int(np.floor((middle - half)[there].min())), 0)
    last = min(int(np.ceil((middle + half)[there].max())) + 1, _LAYERS)
    reach, denser = half + np.float32(0.5), grey - np.float32(_AIR)
    thickest = np.minimum(2 * half, 1)
    for layer in range(first, last):
        cover = np.clip(reach - np.abs(middle - np.float32(layer)), 0, thickest)
        np.maximum(volume[layer], np.float32(_AIR) + cover * denser, out=volume[layer])


def lay_ply(volume: Map, ply: Ply) -> None:
    """Draw a ply: its pith, and its bundles in it."""
    lay_slab(volume, ply.depth, ply.pith_half, ply.pith_grey)
    lay_slab(volume, ply.depth + ply.fibre_shift, ply.fibre_half, ply.fibre_grey)


def lay_neighbours(random: Generator, volume: Map, plies: list[Ply]) -> None:
    """Draw the sheets in front and behind, from plies like the sheet's own but turned and moved elsewhere."""
    for middle, wander in _NEIGHBOURS:
        undulation = wander * smooth_field(random, (55.0, 75.0))
        moved = tuple(int(by) for by in random.integers(100, 400, 2))
        for ply in plies:
            maps = {name: np.roll(each[::-1, ::-1], moved, (0, 1)) for name, each in vars(ply).items()}
            away = 1.15 * (maps["depth"] - np.float32(_MIDDLE)) + np.float32(middle) + undulation
            lay_ply(volume, replace(ply, **(maps | {"depth": away})))


def scatter_specks(random: Generator, volume: Map) -> None:
    """Add small bright grains inside matter."""
    z, y, x = (random.integers(1, length - 1, _SPECKS) for length in volume.shape)
    strength = random.uniform(60, 260, _SPECKS) * (volume[z, y, x] > 60)
    np.add.at(volume, (z, y, x), strength)
    np.add.at(volume, (z, y, x - 1), 0.7 * strength)
    np.add.at(volume, (z, y + 1, x), 0.5 * strength)


def find_front(plies: list[Ply]) -> tuple[Map, float]:
    """Return the layer `(y, x)` at which matter begins, and the mean grey of papyrus there."""
    front, grey = np.full((_SIZE, _SIZE), np.inf, np.float32), np.full((_SIZE, _SIZE), np.nan, np.float32)
    for ply in plies:
        for middle, half, tone in (
            (ply.depth, ply.pith_half, ply.pith_grey),
            (ply.depth + ply.fibre_shift, ply.fibre_half, ply.fibre_grey),
        ):
            nearer = (half > 0.25) & (middle - half < front)
            front[nearer], grey[nearer] = (middle - half)[nearer], tone[nearer]
    front[~np.isfinite(front)] = _MIDDLE + _THICKNESS / 2
    return front, float(np.nanmean(grey))


def lay_film(volume: Map, film: Film, grey: float) -> None:
    """Draw dried ink of a grey between its top and its bottom, and the notches that its cracks cut."""
    present = (film.bottom > film.top) | (film.notch_bottom > film.notch_top)
    rows, columns = np.nonzero(present)
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    top, bottom, notch_top, notch_bottom = (
        each[box] for each in (film.top, film.bottom, film.notch_top, film.notch_bottom)
    )
    tone = np.float32(grey) + film.grains[box]
    for layer in range(max(int(top.min()) - 1, 0), min(int(max(bottom.max(), notch_bottom.max())) + 2, _LAYERS)):
        low, high = np.float32(layer - 0.5), np.float32(layer + 0.5)
        cover = np.clip(np.minimum(high, bottom) - np.maximum(low, top), 0, 1)
        notch = np.clip(np.minimum(high, notch_bottom) - np.maximum(low, notch_top), 0, 1)
        here = volume[layer][box]
        filled = np.minimum(here + cover * (tone - np.float32(_AIR)), np.maximum(here, tone))
        volume[layer][box] = filled - notch * np.maximum(filled - np.float32(_AIR), 0)


def scan(random: Generator, volume: Map) -> NDArray[np.uint8]:
    """Return what a scanner makes of a volume: blurred, noisy, 8 bits."""
    for axis, blur in enumerate(_BLUR):
        ndimage.gaussian_filter1d(volume, blur, axis, output=volume, truncate=3.0)
    for layer in volume:
        noise = random.standard_normal((_SIZE, _SIZE), np.float32)
        layer += np.float32(_NOISE) * noise
    np.clip(volume, 0, 255, out=volume)
    return np.rint(volume).astype(np.uint8)
