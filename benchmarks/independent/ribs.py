"""Simulated stacks of carbonised papyrus made from the anatomy of the plant.

Each ply is laid of strips of pith cut from a stem. In the cross-section of a strip, vascular bundles (dense ribs with
hollow vessels) stand in an irregular row within soft ground tissue; the cross-section is swept along the fibre and
changes slowly. Strips overlap at their seams; two plies are laid crosswise, crushed in depth and buckled by heat, which
also splits them, lifts plies apart and leaves holes. Ink is described in the other file.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from independent.ribs_ink import SIDE, Bools, Floats, Ink, smooth, write
from scipy import ndimage

Bytes = npt.NDArray[np.uint8]

GREYS: dict[str, float] = {"strong": 22.0, "medium": 11.0, "weak": 2.5}  # grey values of 8 bits above papyrus
LARGEST: float = 26.0  # grey values of 8 bits, the most that ink is given
LAYERS = 65  # along z
SPAN = 800  # px, length and breadth of a ply, more than the area so that it can be turned
STEP = 8  # px along the fibre between drawn cross-sections
DEEP = 12  # samples over the depth of a ply
FACE = 25.6  # layer of the face
PLY = 6.9  # layers, thickness of a ply
ABOVE, BEHIND = 18.0, 46.5  # layers, end of the sheet above and begin of the sheet behind
NESTED = 0.75  # of the wander of the sheet, taken over by its neighbours
NEIGHBOUR_GREY = 0.6  # of the grey of the sheet
TISSUE = 90.0  # grey of ground tissue
RIB_GREYS = (35.0, 150.0)  # grey of ribs above ground tissue
RIB_HALF_WIDTHS = (1.8, 7.5)  # px
RIB_SPACING = (5.0, 24.0)  # px between ribs
STRIP_WIDTHS = (70.0, 230.0)  # px
PRESSED = (0.7, 1.1)  # of the thickness of ink, by which the face under it is crushed deeper
CHARRED = 0.29  # of the density, spread of what heat leaves more on the side that the sheet is bowed to
SEAM = 14.0  # px, breadth of an overlap of strips
LONGEST_HOLE = 50.0  # px from the middle of a hole along the fibres
NOISE = 3.4  # grey values
BLUR = (1.15, 0.8, 0.8)  # voxels along z, y and x, spread of the scanner's blur


@dataclass(frozen=True)
class Ply:
    """A ply: density ``(depth, y, x)`` in grey values, distance across and along fibres ``(y, x)`` in px.

    ``seams`` tells how much of an overlap of two strips there is, from 0 to 1.
    """

    density: Floats
    across: Floats
    along: Floats
    seams: Floats


@dataclass(frozen=True)
class Damage:
    """Where each ply is missing ``(y, x)``, fine cracks through both ``(y, x)``, and the grey of empty space."""

    front: Bools
    back: Bools
    cracks: Bools
    gap: float


def phantom(seed: int, contrast: float | None) -> tuple[Bytes, Bools]:
    """Return a stack ``(z, y, x)`` of 8 bits and where it has ink ``(y, x)``; no ink if contrast is None."""
    rng = np.random.default_rng([seed, 7919])
    turned = rng.random() < 0.4
    tilt = float(rng.normal(0.0, 0.06))
    front = _ply(rng, tilt + (np.pi / 2 if turned else 0.0))
    back = _ply(rng, tilt + float(rng.normal(0.0, 0.04)) + (0.0 if turned else np.pi / 2))
    damage = _damage(rng, front, back)
    ribs = _rib_heights(front)
    ink = write(np.random.default_rng([seed, 104729]), front.across, ribs, ~damage.front)
    volume = np.full((LAYERS, SIDE, SIDE), damage.gap, np.float32)
    wander = rng.uniform(1.2, 2.0) * smooth(rng, 75.0) + rng.uniform(0.8, 1.4) * smooth(rng, 30.0)
    _lay_sheet(rng, volume, front, back, damage, wander, ribs, None if contrast is None else ink, contrast or 0.0)
    _lay_neighbours(rng, volume, front, back, wander)
    _add_specks(rng, volume, damage.gap)
    stack = _scan(rng, volume)
    return stack, ink.present if contrast is not None else np.zeros((SIDE, SIDE), np.bool_)


def _ply(rng: np.random.Generator, angle: float) -> Ply:
    """Return a ply whose fibres run along x, turned by this angle (radians)."""
    ys, xs = np.mgrid[:SIDE, :SIDE].astype(np.float32) - (SIDE - 1) / 2
    wander = rng.uniform(2.0, 6.0) * smooth(rng, 190.0) + 0.5 * smooth(rng, 40.0)
    across = np.cos(angle) * ys - np.sin(angle) * xs + wander + SPAN / 2
    along = np.sin(angle) * ys + np.cos(angle) * xs + SPAN / 2
    sections, overlap = _cross_sections(rng)
    places = np.stack([along / STEP, across]).astype(np.float32)
    density = np.stack([ndimage.map_coordinates(one, places, order=1, mode="nearest") for one in sections])
    seams = np.interp(across, np.arange(SPAN), overlap).astype(np.float32)
    return Ply(density, across.astype(np.float32), along.astype(np.float32), seams)


def _cross_sections(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return cross-sections ``(depth, along, across)`` in grey values, and the overlap of strips ``(across)``."""
    keys = SPAN // STEP + 2
    sections = _tissue(rng, keys)
    place, pace = 0.0, rng.uniform(0.7, 1.4)
    while place < SPAN:
        _add_rib(rng, sections, place)
        place += pace * rng.uniform(*RIB_SPACING) * rng.choice([0.6, 1.0, 1.6])
    overlap = np.zeros(SPAN, np.float32)
    seam = rng.uniform(0.0, STRIP_WIDTHS[0])
    places = np.arange(SPAN)
    while seam < SPAN:
        inside = np.clip((places - seam) / SEAM, 0.0, 1.0)
        overlap += np.where(inside < 1.0, np.sqrt(np.sin(np.pi * inside).clip(0.0)), 0.0)
        for depth in range(DEEP):
            slit = np.abs(places - seam - SEAM * depth / DEEP) < 1.1
            sections[depth][:, slit] *= 0.55
        seam += rng.uniform(*STRIP_WIDTHS)
    _add_splits(rng, sections)
    return np.clip(sections, 12.0, 235.0), overlap


def _tissue(rng: np.random.Generator, keys: int) -> Floats:
    """Return soft ground tissue ``(depth, along, across)`` in grey values, with strips and streaks of its own."""
    grain = rng.standard_normal((DEEP, keys, SPAN)).astype(np.float32)
    fine = ndimage.gaussian_filter(grain, (2.2, 1.2, 1.6))
    coarse = ndimage.gaussian_filter(grain[:, ::-1, ::-1], (3.0, 4.0, 6.0))
    broad = ndimage.gaussian_filter(rng.standard_normal((keys, SPAN)).astype(np.float32), (5.0, 20.0))
    levels = [12.0 * fine / fine.std(), 12.0 * coarse / coarse.std(), 12.0 * broad / broad.std()]
    tissue: Floats = TISSUE + levels[0] + levels[1] + levels[2]
    return tissue


def _walk(rng: np.random.Generator, keys: int) -> Floats:
    """Return a slow change along the fibre ``(along)`` of spread 1."""
    walk = ndimage.gaussian_filter1d(rng.standard_normal(keys), rng.uniform(3.0, 9.0), mode="nearest")
    result: Floats = (walk / walk.std()).astype(np.float32)
    return result


def _add_rib(rng: np.random.Generator, sections: Floats, place: float) -> None:
    """Add a vascular bundle to cross-sections ``(depth, along, across)`` near a place across the fibres (px)."""
    keys = sections.shape[1]
    half = float(np.exp(rng.uniform(*np.log(RIB_HALF_WIDTHS))))
    margin = int(half + 12)
    low, high = max(int(place) - margin, 0), min(int(place) + margin, SPAN)
    columns = np.arange(low, high, dtype=np.float32)
    centre = place + rng.uniform(0.3, 1.6) * _walk(rng, keys)
    breadth = half * np.clip(1.0 + 0.2 * _walk(rng, keys), 0.5, 1.6)
    grey = rng.uniform(*RIB_GREYS) * np.clip(1.0 + 0.3 * _walk(rng, keys), 0.1, 1.8)
    level = DEEP * rng.uniform(0.25, 0.7) + 0.5 * _walk(rng, keys)
    height = np.clip(half, 2.0, DEEP * 0.36)
    depths = np.arange(DEEP, dtype=np.float32)[:, None, None]
    sideways = (columns - centre[:, None]) / breadth[:, None]
    upward = (depths - level[None, :, None]) / height
    body = 1.0 / (1.0 + np.exp(4.0 * (sideways[None] ** 2 + upward**2 - 1.0).clip(-6.0, 6.0)))
    if half > 3.5:
        for side in (-0.45, 0.45):
            hollow = ((sideways[None] - side) * half / 1.3) ** 2 + ((upward - 0.1) * height / 1.8) ** 2
            body -= rng.uniform(0.4, 1.1) * np.exp(-hollow)
    sections[:, :, low:high] += (grey[None, :, None] * body).astype(np.float32)


def _add_splits(rng: np.random.Generator, sections: Floats) -> None:
    """Darken cross-sections ``(depth, along, across)`` in splits along the fibre, as heat opens them."""
    keys = sections.shape[1]
    for _ in range(rng.integers(15, 60)):
        first, length = rng.integers(0, keys), int(rng.uniform(3, 25))
        column, half = rng.integers(4, SPAN - 4), rng.choice([0, 0, 1])
        deepest = rng.integers(3, DEEP + 1)
        sections[:deepest, first : first + length, column - half : column + half + 1] *= rng.uniform(0.15, 0.5)


def _rib_heights(ply: Ply) -> Floats:
    """Return how far ribs stand out of the face ``(y, x)``, of mean 0 and spread 1."""
    mass = ndimage.gaussian_filter(ply.density[: DEEP // 2].mean(axis=0), 1.5)
    heights: Floats = np.clip((mass - mass.mean()) / mass.std(), -2.0, 2.5).astype(np.float32)
    return heights


def _damage(rng: np.random.Generator, front: Ply, back: Ply) -> Damage:
    """Return holes through the sheet and through either ply, and cracks across the fibres."""
    masks = [np.zeros((SIDE, SIDE), np.bool_) for _ in range(3)]
    ragged = 0.08 * smooth(rng, 7.0) + 0.18 * smooth(rng, 28.0)
    counts = rng.integers(1, 7), rng.integers(0, 6), rng.integers(0, 6)
    for mask, count in zip(masks, counts, strict=True):
        for _ in range(count):
            mask |= _hole(rng, front if rng.random() < 0.6 else back, ragged)
    cracks = np.zeros((SIDE, SIDE), np.bool_)
    wiggle = 2.0 * smooth(rng, 12.0) + 5.0 * smooth(rng, 60.0)
    for _ in range(rng.integers(2, 11)):
        ply = front if rng.random() < 0.5 else back
        start, place, length = rng.uniform(140, 660), rng.uniform(140, 660), rng.uniform(15, 90)
        within = (ply.across > start) & (ply.across < start + length)
        cracks |= within & (np.abs(ply.along + wiggle - place) < rng.uniform(0.6, 1.2))
    return Damage(masks[0] | masks[1], masks[0] | masks[2], cracks, float(rng.uniform(7.0, 15.0)))


def _hole(rng: np.random.Generator, ply: Ply, ragged: Floats) -> Bools:
    """Return a hole ``(y, x)``, longer along the fibres of a ply, with a ragged but sharp edge."""
    length = float(np.exp(rng.uniform(np.log(5.0), np.log(LONGEST_HOLE))))
    breadth = max(4.0, length * rng.uniform(0.2, 0.75))
    power = rng.uniform(1.8, 4.0)
    y, x = rng.integers(0, SIDE, 2)
    fibre_ends = ndimage.gaussian_filter1d(rng.standard_normal(SPAN), 1.5) * min(8.0, 0.4 * length)
    along = np.abs(ply.along + fibre_ends[ply.across.astype(np.intp)] - ply.along[y, x]) / length
    across = np.abs(ply.across - ply.across[y, x]) / breadth
    hole: Bools = along**power + across**power + ragged < 1.0
    return hole


def _lay_sheet(
    rng: np.random.Generator,
    volume: Floats,
    front: Ply,
    back: Ply,
    damage: Damage,
    wander: Floats,
    ribs: Floats,
    ink: Ink | None,
    contrast: float,
) -> None:
    """Put both plies, and the ink if there is any, into a volume ``(z, y, x)`` in grey values."""
    buckles = 0.5 * smooth(rng, 13.0)
    face = FACE + wander + buckles - 0.7 * ribs - 1.8 * front.seams
    inner = FACE + wander + 0.7 * buckles + PLY * (1.0 + 0.12 * smooth(rng, 45.0))
    apart = np.clip(1.3 * smooth(rng, 45.0) - 1.3, 0.0, 3.0)
    outer = inner + apart + PLY * (1.0 + 0.2 * smooth(rng, 38.0)) + 0.6 * smooth(rng, 14.0) + 1.8 * back.seams
    pressed = rng.uniform(*PRESSED)
    if ink is not None:
        face += pressed * ndimage.gaussian_filter(ndimage.grey_closing(ink.crust, 5), 1.0)
    charred = CHARRED * np.clip(0.55 * smooth(rng, 17.0) - 0.8 * wander / wander.std(), -2.0, 2.0)
    _fill(volume, _char(front.density, charred, 0.0), face, inner, damage.front | damage.cracks)
    _fill(volume, _char(back.density, charred, 0.5), inner + apart, outer, damage.back | damage.cracks)
    if ink is not None:
        _add_ink(volume, front, face, ink, contrast)


def _char(density: Floats, charred: Floats, start: float) -> Floats:
    """Return density ``(depth, y, x)`` after heat, which leaves a part more ``(y, x)`` in front and less behind.

    ``start`` is the part of the sheet's depth that lies before this ply.
    """
    depths = start + np.arange(len(density), dtype=np.float32) / (2 * len(density))
    left: Floats = density * (1.0 + np.cos(np.pi * depths)[:, None, None].astype(np.float32) * charred)
    return left


def _fill(volume: Floats, density: Floats, top: Floats, bottom: Floats, missing: Bools) -> None:
    """Crush density ``(depth, y, x)`` between two depths ``(y, x)`` in layers, and put it into a volume."""
    flat = density.reshape(len(density), -1)
    pixels = np.arange(flat.shape[1])
    scale = (len(density) - 1) / np.maximum(bottom - top, 1.0)
    present = ~missing & (bottom > top)
    first, last = max(int(top.min()) - 1, 0), min(int(bottom.max()) + 2, LAYERS)
    for z in range(first, last):
        cover = np.clip(z - top + 0.5, 0.0, 1.0) * np.clip(bottom - z + 0.5, 0.0, 1.0) * present
        depth = np.clip((z - top) * scale, 0.0, len(density) - 1.001).ravel()
        index = depth.astype(np.intp)
        part = depth - index
        grey = flat[index, pixels] * (1.0 - part) + flat[index + 1, pixels] * part
        volume[z] += cover * (grey.reshape(top.shape) - volume[z])


def _add_ink(volume: Floats, front: Ply, face: Floats, ink: Ink, contrast: float) -> None:
    """Lay plates of ink on the face (layers) and let ink soak in, brighter than papyrus by a contrast."""
    papyrus = ndimage.gaussian_filter(front.density[: DEEP // 3].mean(axis=0), 3.0)
    grey = papyrus + contrast * ink.gain
    bottom = face - ink.rise
    top = bottom - ink.crust
    for z in range(max(int(top.min()) - 1, 0), min(int(face.max()) + 5, LAYERS)):
        soaked = np.clip(z - face + 0.5, 0.0, 1.0) * np.clip(face + ink.soak - z + 0.5, 0.0, 1.0) * (ink.soak > 0)
        volume[z] += soaked * contrast * ink.gain
        cover = np.clip(z - top + 0.5, 0.0, 1.0) * np.clip(bottom - z + 0.5, 0.0, 1.0) * (ink.crust > 0)
        volume[z] += cover * (grey - volume[z])


def _lay_neighbours(rng: np.random.Generator, volume: Floats, front: Ply, back: Ply, wander: Floats) -> None:
    """Put the sheets above and behind into a volume ``(z, y, x)``, two plies each, half nested into the sheet."""
    for edge, sign, plies in ((ABOVE, -1.0, (back, front)), (BEHIND, 1.0, (front, back))):
        place = edge + NESTED * wander + rng.uniform(1.2, 2.4) * smooth(rng, 90.0) + 0.8 * smooth(rng, 22.0)
        missing = smooth(rng, 60.0) > rng.uniform(0.8, 1.8)
        for ply in plies:
            density = NEIGHBOUR_GREY * ply.density[:, ::-1, ::-1]
            end = place + sign * PLY * (0.95 + 0.2 * smooth(rng, 50.0))
            _fill(volume, density, np.minimum(place, end), np.maximum(place, end), missing)
            place = end + sign * np.clip(2.0 * smooth(rng, 50.0), 0.0, 5.0)


def _scan(rng: np.random.Generator, volume: Floats) -> Bytes:
    """Return a volume ``(z, y, x)`` of grey values as scanned: blurred, with faint rings and correlated noise."""
    ndimage.gaussian_filter(volume, BLUR, output=volume, truncate=3.0)
    ys, xs = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    radius = np.hypot(ys - rng.uniform(-900, 1400), xs - rng.uniform(-1500, -300)).astype(np.intp)
    noise = rng.standard_normal(volume.shape, dtype=np.float32)
    ndimage.gaussian_filter(noise, 0.6, output=noise, truncate=2.5)
    noise *= rng.uniform(0.7, 1.3) * NOISE / noise[::8].std()
    rings = ndimage.gaussian_filter(rng.standard_normal((LAYERS, 4000)), (3.0, 1.0))
    rings *= rng.uniform(0.4, 1.2) / rings.std()
    for z in range(LAYERS):
        noise[z] += rings[z].astype(np.float32)[radius]
    volume += noise
    stack: Bytes = np.clip(np.rint(volume), 0, 255).astype(np.uint8)
    return stack


def _add_specks(rng: np.random.Generator, volume: Floats, gap: float) -> None:
    """Put bright grains of mineral, 1 to 5 px across, into the papyrus of a volume ``(z, y, x)``."""
    for _ in range(rng.integers(150, 900)):
        z, y, x = rng.integers(4, LAYERS - 4), *rng.integers(4, SIDE - 4, 2)
        if volume[z, y, x] > gap + 15.0:
            radius = float(np.exp(rng.uniform(np.log(0.5), np.log(2.4))))
            around = np.mgrid[-4:5, -4:5, -4:5].astype(np.float32)
            grain = np.exp(-((around / radius) ** 2).sum(axis=0) / 1.2)
            volume[z - 4 : z + 5, y - 4 : y + 5, x - 4 : x + 5] += rng.uniform(25.0, 110.0) * grain
