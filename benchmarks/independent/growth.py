"""Papyrus grown on a coarse lattice: two substances react and spread faster along one direction than across it.

The reaction draws stripes which branch and merge like the fibres of a ply. Each stratum of a ply is grown by itself,
laid along its direction with some wander, sharpened, given finer filaments, and pressed flat in depth. Two plies at
right angles make a sheet; holes, cracks and specks are added, neighbouring sheets above and behind, and ink on the
face as in `growth_ink`. A scanner blurs it and adds rings and noise.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from independent.growth_ink import SIDE, Bools, Floats, Soot, drop_soot, smooth_noise
from scipy import ndimage

GREYS: dict[str, float] = {"strong": 22.0, "medium": 11.0, "weak": 3.0}
"""By how many grey values of 8 bits the ink is brighter than papyrus."""
LARGEST: float = 26.0
"""The largest contrast in grey values of 8 bits for which the phantoms were made."""

LAYERS = 65
MIDDLE = 32.0  # layer of the sheet's middle
STRATA = 6  # grown by themselves: 2 of the front ply, 2 of the back ply, 1 of each neighbour
LATTICE = (72, 400)  # cells along and across the fibres
CELL = (10.0, 1.8)  # pixels, size of a cell along and across the fibres
STEPS = 1100  # of the reaction
SPREAD = (0.2, 0.06)  # cells² in a step, diffusion of the food along and across; half of it for what feeds on it
FEED = (0.030, 0.046)  # of the reaction, in a step
DECAY = 0.0605  # of the reaction, in a step
FILAMENTS = (24.0, 1.6)  # pixels, length and width of filaments finer than the lattice
BUNDLES = (60.0, 7.0)  # pixels, length and width of cells of bundles, which are brighter or darker
HALF = 7.0  # layers, half the thickness of the sheet
DEPTHS = (-5.0, -1.6, 1.8, 5.2)  # layers from the middle, of the strata of a sheet
FLATNESS = 1.7  # layers, half the thickness of a stratum
MATTER = 105.0  # grey of the body of a sheet
NEIGHBOURS = (0.45, 0.36)  # grey of the sheets above and behind, as a share of it
TEXTURE = 0.55  # contrast of fibres as a share of the grey of the body
SKEW = 0.3  # how much brighter fibres stand out than gaps between them
PRESSED = 22.0  # greys, by which one ply is denser where the other one is less so
GAP = (7.0, 10.0)  # layers, between sheets
WANDER = (0.9, 1.9)  # layers, of the middle
EDGE = 0.7  # layers, softness of a face
GRAIN = 8.0  # greys, roughness of matter
BLUR = 0.9  # voxels
NOISE = (3.5, 6.0)  # greys


@dataclass(frozen=True)
class Sheet:
    """A sheet pressed flat: where its sides lie, and strata of fibres within it."""

    top: Floats
    """Depths ``(y, x)`` of the upper side in layers."""
    bottom: Floats
    """Depths ``(y, x)`` of the lower side in layers."""
    strata: list[tuple[Floats, Floats]]
    """Depth ``(y, x)`` of the middle in layers, and fibres ``(y, x)`` about 0, of each stratum."""
    front: Floats
    """Grey ``(y, x)`` of the front ply above air, 0 in holes."""
    back: Floats
    """Grey ``(y, x)`` of the back ply above air, 0 in holes."""


def phantom(seed: int, contrast: float | None) -> tuple[npt.NDArray[np.uint8], Bools]:
    """Return a stack ``(z, y, x)`` and where ink is ``(y, x)``; without a contrast in greys there is none."""
    rng, ink_rng, scan_rng = (np.random.default_rng([seed, part]) for part in range(3))
    turn = float(rng.integers(2) * 90)
    fibres = _lay(rng, _grow(rng), turn)
    bodies = _bodies(rng, turn)
    main = _main_sheet(rng, fibres[:4], *bodies)
    neighbours = _neighbours(rng, fibres[4:], main)
    air = rng.uniform(5.0, 12.0) + 2.0 * smooth_noise(rng, 120.0)
    soot = None if contrast is None else drop_soot(ink_rng, main.top, bodies[0] > 0.1)
    volume = np.empty((LAYERS, SIDE, SIDE), np.float32)
    for z in range(LAYERS):
        layer = volume[z]
        layer[:] = air
        for sheet in (*neighbours, main):
            _add_sheet(layer, float(z), sheet)
        if soot is not None and contrast is not None:
            _add_soot(layer, float(z), main, soot, contrast)
    _add_specks(rng, volume, bodies[0])
    truth = np.zeros((SIDE, SIDE), np.bool_) if soot is None else soot.truth
    return _scan(scan_rng, volume), truth


def _grow(rng: np.random.Generator) -> Floats:
    """Return stripes ``(stratum, along, across)`` from 0 to 1 which the reaction of two substances draws."""
    shape = (STRATA, *LATTICE)
    start = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), (0.0, 3.0, 0.7), mode="wrap")
    eater = np.where(start > 0.0, np.float32(0.3), np.float32(0.0))
    food = np.asarray(1.0 - 1.5 * eater, np.float32)
    uneven = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), (0.0, 5.0, 16.0), mode="wrap")
    uneven = (uneven - uneven.min()) / np.ptp(uneven)
    feed = np.float32(FEED[0]) + np.float32(FEED[1] - FEED[0]) * uneven
    for _ in range(STEPS):
        eaten = food * eater * eater
        food_spread, eater_spread = _spread(food), _spread(eater)
        food += food_spread - eaten + feed * (1.0 - food)
        eater += 0.5 * eater_spread + eaten - (feed + np.float32(DECAY)) * eater
    return eater


def _spread(field: Floats) -> Floats:
    """Return what diffuses into each cell ``(stratum, along, across)`` in a step, on a lattice without borders."""
    along, across = np.float32(SPREAD[0]), np.float32(SPREAD[1])
    spread = np.float32(-2.0) * (along + across) * field
    for axis, share in ((1, along), (2, across)):
        spread += share * (np.roll(field, 1, axis) + np.roll(field, -1, axis))
    return spread


def _lay(rng: np.random.Generator, stripes: Floats, turn: float) -> list[Floats]:
    """Return fibres ``(y, x)`` about 0 of 6 strata: 2 of the front ply, turned by degrees, 2 of the back, 2 more."""
    tilts = rng.normal(0.0, 5.0, 2)
    angles = [turn + tilts[0], turn + tilts[0], turn + 90.0 + tilts[1], turn + 90.0 + tilts[1]]
    angles += [90.0 * rng.integers(2) + rng.normal(0.0, 6.0) for _ in range(2)]
    wander = rng.uniform(2.0, 7.0)
    return [_lay_one(rng, each, angle, wander) for each, angle in zip(stripes, angles, strict=True)]


def _lay_one(rng: np.random.Generator, stripes: Floats, angle: float, wander: float) -> Floats:
    """Return fibres ``(y, x)``: stripes laid at an angle in degrees, wandering by so many pixels, with filaments."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    sine, cosine = np.float32(np.sin(np.radians(angle))), np.float32(np.cos(np.radians(angle)))
    along, across = cosine * x + sine * y, cosine * y - sine * x + wander * smooth_noise(rng, 150.0)
    scale = rng.uniform(0.8, 1.4)
    at = [along / CELL[0] + rng.uniform(0.0, 72.0), across / (scale * CELL[1]) + rng.uniform(0.0, 400.0)]
    coarse = ndimage.map_coordinates(stripes, at, order=3, mode="grid-wrap")
    coarse = np.tanh((coarse - np.median(coarse)) / (0.8 * coarse.std() + 1e-6))
    table = ndimage.gaussian_filter(rng.standard_normal((64, 1024)).astype(np.float32), (0.5, 0.8), mode="wrap")
    at = [along / FILAMENTS[0] + 32.0, across / (0.5 * FILAMENTS[1]) + 512.0]
    fine = ndimage.map_coordinates(table / table.std(), at, order=1, mode="grid-wrap")
    table = ndimage.gaussian_filter(rng.standard_normal((64, 256)).astype(np.float32), 1.0, mode="wrap")
    at = [along / BUNDLES[0] + 32.0, across / BUNDLES[1] + 128.0]
    bundles = ndimage.map_coordinates(table / table.std(), at, order=1, mode="grid-wrap")
    laid = 0.6 * coarse + 0.2 * fine + 0.4 * bundles + 0.2 * smooth_noise(rng, 25.0)
    return np.asarray(laid + SKEW * (laid**2 - np.mean(laid**2)), np.float32)


def _bodies(rng: np.random.Generator, turn: float) -> tuple[Floats, Floats]:
    """Return how much of the front and the back ply is there ``(y, x)``, fibres in front turned by degrees."""
    through = np.ones((SIDE, SIDE), np.float32)
    _tear(rng, through, int(rng.integers(3, 10)), 0.025, turn)
    _crack(rng, through, turn)
    front, back = through.copy(), through.copy()
    for ply in (front, back):
        _tear(rng, ply, int(rng.integers(3, 14)), 0.05, turn)
    return front, back


def _tear(rng: np.random.Generator, body: Floats, count: int, share: float, turn: float) -> None:
    """Tear so many holes into a body ``(y, x)``, mostly along fibres at an angle in degrees, up to a share of it."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    rough = smooth_noise(rng, 35.0) + 0.5 * smooth_noise(rng, 14.0) + 0.25 * smooth_noise(rng, 4.0)
    for _ in range(count):
        centre, angle = rng.uniform(0.0, SIDE, 2), np.radians(turn + rng.normal(0.0, 12.0) + 90.0 * rng.integers(2))
        size = np.exp(rng.uniform(np.log(5.0), np.log(70.0)))
        long, wide = size * rng.uniform(0.8, 1.6), size * rng.uniform(0.2, 0.7)
        v, u = y - centre[0], x - centre[1]
        along, across = np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u
        hole = np.abs(along / long) ** 3 + np.abs(across / wide) ** 3 + 0.55 * rough < 1.0
        if np.mean(hole | (body == 0.0)) < share:
            body[hole] = 0.0


def _crack(rng: np.random.Generator, body: Floats, turn: float) -> None:
    """Draw fine cracks into a body ``(y, x)``, nearly straight, along or across fibres at an angle in degrees."""
    for _ in range(rng.integers(6, 30)):
        start = np.radians(turn + 90.0 * rng.integers(2) + rng.normal(0.0, 8.0))
        steps = start + 0.7 * np.sign(rng.standard_normal(rng.integers(30, 200))) * (rng.random() < 0.6)
        path = np.cumsum(np.stack([np.sin(steps), np.cos(steps)]), axis=1) + rng.uniform(0.0, SIDE, 2)[:, None]
        at = np.round(path[:, ((path > 0.0) & (path < SIDE - 1.0)).all(axis=0)]).astype(np.int64)
        body[at[0], at[1]] *= rng.uniform(0.2, 0.7)


def _main_sheet(rng: np.random.Generator, fibres: list[Floats], front: Floats, back: Floats) -> Sheet:
    """Return the sheet in the middle: four strata of fibres ``(y, x)`` where its plies are there ``(y, x)``."""
    slope = np.linspace(-1.0, 1.0, SIDE, dtype=np.float32)
    middle = MIDDLE + rng.uniform(*WANDER) * smooth_noise(rng, 65.0) + 0.8 * smooth_noise(rng, 40.0)
    middle += rng.normal(0.0, 0.5) * slope + rng.normal(0.0, 0.5) * slope[:, None]
    half = HALF + 0.8 * smooth_noise(rng, 90.0)
    top = middle - half - 1.0 * fibres[0] - 0.3 * smooth_noise(rng, 5.0)
    bottom = middle + half + 1.0 * fibres[3] + 0.3 * smooth_noise(rng, 5.0)
    strata = [
        (middle + depth + 0.7 * smooth_noise(rng, 35.0), each) for depth, each in zip(DEPTHS, fibres, strict=True)
    ]
    dense = PRESSED * (smooth_noise(rng, 45.0) + 0.4 * smooth_noise(rng, 20.0))
    plies = [np.asarray(grey, np.float32) for grey in ((MATTER + dense) * front, (MATTER - dense) * back)]
    return Sheet(top, bottom, strata, *plies)


def _neighbours(rng: np.random.Generator, fibres: list[Floats], main: Sheet) -> list[Sheet]:
    """Return the sheets above and behind, whose fibres ``(y, x)`` are given, beside the main one."""
    sheets = []
    for side, share, each in zip((-1.0, 1.0), NEIGHBOURS, fibres, strict=True):
        limit = main.top if side < 0.0 else main.bottom
        wander = rng.uniform(*GAP) + 2.0 * smooth_noise(rng, 90.0) + 0.8 * smooth_noise(rng, 30.0) - 0.8 * each
        near = ndimage.gaussian_filter(limit, 8.0) + side * np.maximum(wander, 0.5)
        far = near + side * (14.0 + 2.0 * smooth_noise(rng, 100.0))
        strata = [(near + side * 3.0, each), (near + side * 9.0, np.ascontiguousarray(each.T[::-1]))]
        matter = np.full((SIDE, SIDE), share * MATTER, np.float32)
        _tear(rng, matter, int(rng.integers(2, 12)), 0.15, 0.0)
        sheets.append(Sheet(np.minimum(near, far), np.maximum(near, far), strata, matter, matter))
    return sheets


def _add_sheet(layer: Floats, z: float, sheet: Sheet) -> None:
    """Add a sheet to a layer ``(y, x)`` of greys at a depth in layers."""
    inside = _step((z - sheet.top) / EDGE) * _step((sheet.bottom - z) / EDGE)
    if inside.max() < 0.01:
        return
    matter = sheet.front + (sheet.back - sheet.front) * _step(z - 0.5 * (sheet.top + sheet.bottom))
    grey = np.ones_like(matter)
    for depth, fibres in sheet.strata:
        press = np.exp(-0.5 * ((z - depth) / np.float32(FLATNESS)) ** 2)
        grey += TEXTURE * press * fibres
    layer += inside * matter * np.maximum(grey, 0.1)


def _step(depth: Floats) -> Floats:
    """Return 0 to 1 ``(y, x)`` for depths below and above a side, in units of its softness."""
    return np.asarray(0.5 + 0.5 * np.tanh(depth), np.float32)


def _add_soot(layer: Floats, z: float, main: Sheet, soot: Soot, contrast: float) -> None:
    """Add plates, cracks and fallen grains of ink to a layer ``(y, x)`` of greys at a depth in layers."""
    below = z - main.top
    if below.min() > 12.0 or below.max() < -8.0:
        return
    reach = (below - 0.8 + soot.lift) / (0.5 * soot.thickness + 0.3)
    plate = soot.plates * np.exp(-(reach**4))
    layer += plate * (0.5 * np.maximum(0.8 * main.front - layer, 0.0) + contrast)
    layer *= 1.0 - 0.65 * soot.cracks * np.exp(-(((below - 0.5) / 1.8) ** 2))
    layer += 1.5 * contrast * soot.fallen * np.exp(-(((below - 4.0) / 1.2) ** 2))


def _add_specks(rng: np.random.Generator, volume: Floats, body: Floats) -> None:
    """Add bright specks to a stack ``(z, y, x)`` of greys, where there is a body ``(y, x)``."""
    for _ in range(rng.integers(150, 500)):
        y, x = rng.integers(3, SIDE - 3, 2)
        z, size = int(rng.integers(0, LAYERS)), int(rng.integers(0, 3))
        if body[y, x] > 0.5 and volume[z, y, x] > 50.0:
            volume[z : z + 1 + size, y : y + 1 + size, x : x + 1 + size] += rng.uniform(30.0, 120.0)


def _scan(rng: np.random.Generator, volume: Floats) -> npt.NDArray[np.uint8]:
    """Return a stack ``(z, y, x)`` of 8 bits as a scanner sees it: roughness, blur, faint rings, noise."""
    noise = rng.standard_normal(volume.shape, np.float32)
    volume *= 1.0 + np.float32(GRAIN / MATTER) * noise
    volume = ndimage.gaussian_filter(volume, BLUR)
    centre = rng.uniform(-300.0, 800.0, 2)
    y, x = np.mgrid[:SIDE, :SIDE]
    radius = np.hypot(y - centre[0], x - centre[1]).astype(np.int64)
    rings = ndimage.gaussian_filter1d(rng.standard_normal(int(radius.max()) + 1), 1.0)
    noise = ndimage.gaussian_filter(rng.standard_normal(volume.shape, np.float32), 0.6)
    volume += np.float32(rng.uniform(*NOISE) / noise.std()) * noise + 1.2 * rings[radius].astype(np.float32)
    return np.clip(np.round(volume), 0.0, 255.0).astype(np.uint8)
