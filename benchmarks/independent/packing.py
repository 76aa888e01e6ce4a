"""Papyrus as a packing of rigid bodies, with ink of dried plates: phantoms that judge networks.

Flat ellipsoids (crushed cells of the parenchyma, hollow) and short rods (vascular bundles, dense) are dropped one after
the other at random places. A place is refused where matter already lies higher than the rest; otherwise the body comes
to rest on what lies below it, pressed in, and where bodies overlap, matter is denser. Two plies are filled so, at right
angles, with a share of bodies that lie askew. Crushed matter of low density fills what is left. The sheet wanders in
depth; parts of two neighbours, of a coarser packing, lie before and behind it. A scanner blurs it and adds noise.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from independent.packing_ink import Field, lay_ink, smooth_noise, write
from scipy import ndimage

GREYS: dict[str, float] = {"strong": 22.0, "medium": 11.0, "weak": 3.0}  # contrasts of ink, 8-bit greys
LARGEST: float = 26.0  # the largest contrast that still looks like ink on carbonised papyrus, 8-bit greys

LAYERS, SIDE = 65, 512  # shape of a phantom, voxels
MIDDLE = 32.0  # layer of the middle of the sheet
THICKNESS = 14.2  # of the sheet, layers
WANDER = 2.9  # standard deviation of the sheet's depth, layers
WANDER_SIZE = (22.0, 60.0)  # over how many px it wanders: two waves
AIR = 14.0  # grey of air, 8-bit greys
MATRIX = 43.0  # grey of crushed matter between bodies, over air
MATRIX_SPREAD = 10.0  # its standard deviation, 8-bit greys
BRIGHTEST = 290.0  # grey that overlapping matter comes close to, 8-bit greys

ASKEW = 0.16  # share of bodies that lie in any direction
ALIGNMENT = 5.0  # standard deviation of the other bodies' directions, degrees
ROD_SHARE = 0.34  # of bodies
TRIES = 5  # places that are tried before a body is dropped all the same
PRESSED_IN = 0.45  # how deep a body sinks into what lies below it, over its half thickness

NEIGHBOUR_LAYERS, NEIGHBOUR_THICKNESS, NEIGHBOUR_WANDER = 33, 8.0, 2.2  # of the packing seen twice, layers
BEFORE, BEHIND = 17, 36  # layers that this packing is moved up, and down

HOLES, HOLE_RADIUS = 9, (6.0, 26.0)  # most holes of a sheet, and their half lengths, px
SPECKS, SPECK_GREY = 260, 150.0  # bright grains in the sheet, and how bright they are

GRAIN = 10.0  # noise before the blur, 8-bit greys
BLUR = (1.1, 0.95, 0.95)  # the scanner's sigma in depth, down and across, voxels
NOISE = 2.2  # noise of the detector, 8-bit greys
SHARPNESS, QUIETNESS = (0.92, 1.1), (0.8, 1.25)  # lowest and highest factor of the blur, and of the noise, of a scan

Volume = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sizes:
    """Half sizes of bodies: lowest and highest of length, width (px) and thickness (layers), and added greys."""

    length: tuple[float, float]
    width: tuple[float, float]
    thickness: tuple[float, float]
    grey: tuple[float, float]
    hollow: float


CELLS = Sizes((14.0, 60.0), (5.0, 15.0), (1.5, 2.9), (12.0, 95.0), 0.4)  # crushed parenchyma, with a thinner core
RODS = Sizes((30.0, 110.0), (2.5, 9.0), (1.5, 3.2), (70.0, 200.0), 0.0)  # vascular bundles
COARSER, LOOSER = 2.0, 0.6  # how much larger bodies of the neighbours are, and their matter over that of the sheet
FRONT_PLY = 0.54  # thickness of the front ply over that of the sheet
DENSITY_SPREAD, DENSITY_SIZE = 0.45, 14.0  # spread of matter over its mean, and over how many px it varies
EVENED_OUT = 0.6  # how far the front ply makes up for what the rear one has too much or too little of


@dataclass(frozen=True)
class Sheet:
    """A packed sheet: added greys ``(z, y, x)``, and the layers of its front and of its back ``(y, x)``."""

    matter: Field
    front: Field
    back: Field


def phantom(seed: int, contrast: float | None) -> tuple[Volume, npt.NDArray[np.bool_]]:
    """Make a phantom.

    Parameters
    ----------
    seed
        Of everything; papyrus, ink and scan have generators of their own.
    contrast
        By how many 8-bit greys ink is brighter than papyrus before the blur. None: no ink at all.

    Returns
    -------
    tuple
        8-bit greys ``(65, 512, 512)`` as ``(z, y, x)``, and the true ink ``(y, x)``.
    """
    papyrus, ink, scan = (np.random.default_rng([seed, part, 7091]) for part in range(3))
    volume, face = make_papyrus(papyrus)
    truth = np.zeros((SIDE, SIDE), dtype=np.bool_)
    if contrast is not None:
        writing = write(ink, SIDE)
        lay_ink(ink, volume, face, _tone_under(volume, face), writing, contrast)
        truth = writing.truth
    return scan_volume(scan, volume), truth


def make_papyrus(rng: np.random.Generator) -> tuple[Field, Field]:
    """Return greys of papyrus ``(z, y, x)`` before the blur, and the layer of its front face ``(y, x)``."""
    waves = np.stack([smooth_noise(rng, SIDE, size) for size in WANDER_SIZE])
    wander = waves.sum(0) / float(np.sqrt(len(waves)))
    back = (MIDDLE + THICKNESS / 2 + WANDER * wander).astype(np.float32)
    sheet = pack(rng, back, THICKNESS, 1.0)
    _add_specks(rng, sheet)
    grey = np.full((LAYERS, SIDE, SIDE), AIR, dtype=np.float32)
    _fill(rng, grey, sheet)
    _add_neighbours(rng, grey, wander)
    _cut_holes(rng, grey)
    return grey, sheet.front


def pack(rng: np.random.Generator, back: Field, thickness: float, coarser: float) -> Sheet:
    """Pack a sheet on its back, in two plies at right angles, the rear one first."""
    matter = np.zeros((LAYERS, SIDE * SIDE), dtype=np.float32)
    heights = np.zeros(SIDE * SIDE, dtype=np.float32)
    base = back.ravel()
    dense = smooth_noise(rng, SIDE, DENSITY_SIZE)
    other = float(np.sqrt(1 - EVENED_OUT**2)) * smooth_noise(rng, SIDE, DENSITY_SIZE) - EVENED_OUT * dense
    plies = ((90.0, thickness * (1 - FRONT_PLY), dense), (0.0, thickness, other))
    for direction, goal, field in plies:
        direction += rng.normal(0, 3)
        density = np.clip(1 + DENSITY_SPREAD * field, 0.1, 2.2, dtype=np.float32).ravel()
        level = float(heights.mean())
        while level < goal:
            for _ in range(24):
                _drop(rng, matter, heights, base, density, direction, coarser, level + 0.6)
            level = float(heights.mean())
    shape = (SIDE, SIDE)
    return Sheet(matter.reshape(LAYERS, *shape), back - heights.reshape(shape), back)


def _drop(
    rng: np.random.Generator,
    matter: Field,
    heights: Field,
    base: Field,
    density: Field,
    direction: float,
    coarser: float,
    level: float,
) -> None:
    """Drop one body on what lies there, in place."""
    rod = rng.random() < ROD_SHARE
    sizes = RODS if rod else CELLS
    # Most bodies are small, as in any powder: the square draws them towards the lower end.
    length, width = (low + (high - low) * rng.random() ** 2 for low, high in (sizes.length, sizes.width))
    length, width = length * coarser, width * coarser
    thick = rng.uniform(*sizes.thickness) * float(np.sqrt(coarser))
    angle = np.radians(rng.uniform(0, 180) if rng.random() < ASKEW else rng.normal(direction, ALIGNMENT))
    down, across = float(np.sin(angle)), float(np.cos(angle))
    along = np.linspace(-0.8, 0.8, 7) * length
    for _ in range(TRIES):
        y, x = rng.uniform(-10, SIDE + 10, 2)
        rows = np.clip(y + down * along, 0, SIDE - 1).astype(int)
        columns = np.clip(x + across * along, 0, SIDE - 1).astype(int)
        if heights[rows * SIDE + columns].mean() < level:
            break
    at, profile = _stand_on(y, x, (down, across), length, width, rod)
    if not len(at):
        return
    profile *= thick
    under = heights[at]
    rest = float(under.mean()) + (1 - PRESSED_IN) * thick
    heights[at] = np.maximum(under, rest + profile)
    middle = base[at] - rest
    added = rng.uniform(*sizes.grey) * density[at]
    first, last = max(int(middle.min() - thick) - 1, 0), min(int(middle.max() + thick) + 3, LAYERS)
    for z in range(first, last):
        away = np.abs(z - middle)
        share = np.minimum(np.maximum(profile - away + 0.5, 0), 1)
        if sizes.hollow:
            share -= sizes.hollow * np.minimum(np.maximum(0.6 * profile - away + 0.3, 0), 1)
        matter[z, at] += added * share


def _stand_on(
    y: float, x: float, way: tuple[float, float], length: float, width: float, rod: bool
) -> tuple[npt.NDArray[np.intp], Field]:
    """Return the pixels below a body, as places in a flat picture, and its half thickness there (at most 1)."""
    down, across = way
    reach_y, reach_x = abs(down) * length + width, abs(across) * length + width
    rows = np.arange(max(int(y - reach_y), 0), min(int(y + reach_y) + 2, SIDE))[:, None]
    columns = np.arange(max(int(x - reach_x), 0), min(int(x + reach_x) + 2, SIDE))
    along = ((rows - y) * down + (columns - x) * across) / length
    aside = ((columns - x) * down - (rows - y) * across) / width
    # A rod keeps its width up to its blunt ends.
    left = 1 - aside**2 - (along**12 if rod else along**2)
    inside = left > 0
    at = (rows * SIDE + columns)[inside]
    return at, np.sqrt(left[inside]).astype(np.float32)


def _add_specks(rng: np.random.Generator, sheet: Sheet) -> None:
    """Put small dense grains into a sheet, in place."""
    for y, x in rng.integers(2, SIDE - 2, (SPECKS, 2)):
        z = int(rng.uniform(sheet.front[y, x], sheet.back[y, x]))
        if 1 <= z < LAYERS - 1:
            sheet.matter[z, y - 1 : y + 1, x - 1 : x + 1] += SPECK_GREY * rng.uniform(0.5, 1.5)


def _fill(rng: np.random.Generator, grey: Field, sheet: Sheet) -> None:
    """Add a sheet to greys in place: crushed matter between its faces, and its bodies, which saturate."""
    sides = [MATRIX + MATRIX_SPREAD * smooth_noise(rng, SIDE, 7.0) for _ in range(2)]
    thickness = np.maximum(sheet.back - sheet.front, 1)
    layers, room = len(grey), BRIGHTEST - AIR
    for z in range(max(int(sheet.front.min()) - 3, 0), min(int(sheet.back.max()) + 4, layers)):
        deep = np.clip((z - sheet.front) / thickness, 0, 1)
        inside = np.clip(z - sheet.front + 0.5, 0, 1) * np.clip(sheet.back - z + 0.5, 0, 1)
        matter = sheet.matter[z] + inside * ((1 - deep) * sides[0] + deep * sides[1])
        grey[z] += room * (1 - np.exp(-matter / room))


def _add_neighbours(rng: np.random.Generator, grey: Field, wander: Field) -> None:
    """Add the back of the sheet before, and the front of the sheet behind, in place: one packing, seen twice."""
    back = NEIGHBOUR_WANDER * (0.9 * smooth_noise(rng, SIDE, 45.0) + 0.4 * wander) + NEIGHBOUR_THICKNESS + 12
    sheet = pack(rng, back.astype(np.float32), NEIGHBOUR_THICKNESS, COARSER)
    alone = np.zeros((NEIGHBOUR_LAYERS, SIDE, SIDE), dtype=np.float32)
    _fill(rng, alone, sheet)
    alone *= LOOSER
    seen = NEIGHBOUR_LAYERS - BEFORE
    grey[:seen] += alone[BEFORE:]
    seen = min(LAYERS - BEHIND, NEIGHBOUR_LAYERS)
    grey[BEHIND : BEHIND + seen] += alone[:seen, ::-1, ::-1]


def _cut_holes(rng: np.random.Generator, grey: Field) -> None:
    """Take out sharp-edged holes of the sheet, in place."""
    for _ in range(int(rng.integers(2, HOLES + 1))):
        y, x = rng.uniform(0, SIDE, 2)
        length = float(rng.uniform(*HOLE_RADIUS))
        angle = np.radians(rng.choice((0.0, 90.0)) + rng.normal(0, 12))
        way = (float(np.sin(angle)), float(np.cos(angle)))
        at, profile = _stand_on(y, x, way, length, length * rng.uniform(0.15, 0.6), False)
        first, last = int(MIDDLE - 12), int(MIDDLE + 12)
        if rng.random() < 0.5:  # only one ply is missing
            first, last = (first, int(MIDDLE)) if rng.random() < 0.5 else (int(MIDDLE), last)
        hole = grey[first:last].reshape(last - first, -1)
        share = np.clip(2.5 * profile, 0, 0.9)
        hole[:, at] += share * (AIR - hole[:, at])


def _tone_under(volume: Field, face: Field) -> Field:
    """Return the smooth grey of papyrus in the layers 2 to 5 below the face ``(y, x)``."""
    start = np.clip(np.rint(face).astype(int) + 2, 0, LAYERS - 4)
    rows, columns = np.ogrid[:SIDE, :SIDE]
    mean = sum(volume[start + k, rows, columns] for k in range(4)) / np.float32(4)
    return np.asarray(ndimage.gaussian_filter(mean, 5.0), dtype=np.float32)


def scan_volume(rng: np.random.Generator, volume: Field) -> Volume:
    """Return what a scanner makes of greys (which it overwrites): grain, blur, the detector's noise, 8 bits."""
    sharpness, quietness = rng.uniform(*SHARPNESS), rng.uniform(*QUIETNESS)
    noise = rng.standard_normal(volume.shape, dtype=np.float32)
    noise *= GRAIN
    volume += noise
    for axis, sigma in enumerate(BLUR):
        ndimage.gaussian_filter1d(volume, sigma * sharpness, axis, output=volume, truncate=3.0)
    # The same noise turned about is as good as a new one, and saves its time.
    noise *= NOISE / GRAIN * quietness
    volume += noise[::-1, ::-1, ::-1]
    np.clip(volume, 0, 255, out=volume)
    return np.rint(volume, out=volume).astype(np.uint8)
