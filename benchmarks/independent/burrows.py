"""Papyrus made by subtraction: a charred slab that thousands of thin burrows hollow, scanned with its neighbours.

A sheet begins as a solid slab of char. Biased random walkers eat burrows through it, most of them along x in the front
ply and along y in the back one. Each pass leaves a share of what it meets, so that walls stay where few pass. How many
walkers there are, and how wide they eat, varies in patches. Dust of the eaten char lies loosely in the burrows,
shrinkage tears open larger voids along the fibres, splinters and crumbs stand up from the face, and the sheet wanders
in depth between two others. Ink comes from `burrows_ink`; the scanner blurs, and adds haze and noise.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

import numpy as np
from independent.burrows_ink import deposit, draw_writing
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.float32]

GREYS: dict[str, float] = {"strong": 22.0, "medium": 11.0, "weak": 3.0}  # ink over papyrus, greys of 8 bits
LARGEST: float = 26.0  # the largest contrast that is meant, greys

_SIZE = 512  # width and height of a stack, px
_LAYERS = 65  # depth of a stack, layers
_SLAB, _PLY = 14, 8  # thickness of a sheet and of its front ply, layers
_ABOVE, _BELOW = 8, 3  # room for ink before a slab's face and for air behind it, layers
_FACE = 25.0  # where the front face lies on average, layer
_WANDER = 2.5  # standard deviation of a sheet's depth, layers
_AIR, _DUST, _CHAR = 16.5, 53.0, 262.0  # greys of air, of dust in burrows, and of char that nothing ate
_HAZE, _HAZES = 2.2, 3  # deviation of the scatter's slow changes (greys), and how often it changes along the depth
_NOISE = np.float32(1.9)  # deviation of noise, greys
_SPECKS, _SPECK, _DENSE = 160, (300.0, 1500.0), 90.0  # tries of bright specks, their greys, and where they may lie
_BLUR = (1.0, 0.8, 0.8)  # deviation of the scanner's blur, layers and px
_INK = 112.0  # grey of ink without contrast: the mean of papyrus near its face

# Burrows, one entry for each width: deviations across and in depth (px), what a pass eats in the middle of a burrow
# (as a power of e), walkers in a slab.
_WIDTHS = ((1.3, 0.9, 1.3, 1300), (3.2, 1.3, 1.1, 380), (6.5, 1.6, 0.9, 110))
_STEPS, _STRIDE = 220, 1.5  # steps of the longest walk, and the length of one, px
_STRAY = 0.08  # share of walkers that heed no fibre
_TURN, _CLIMB = 0.05, 0.16  # how much a walker turns (radians) and climbs (layers) at each step
_HOME = 0.04  # how strongly a walker comes back to its fibre's direction and depth, per step


def phantom(seed: int, contrast: float | None) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a stack ``(65, 512, 512)`` of 8-bit greys, and its true ink ``(y, x)``.

    `contrast` tells by how many greys ink is brighter than papyrus before blur; None leaves the papyrus blank.
    """
    papyrus, pen, scanner = (np.random.default_rng([seed, part]) for part in (11, 23, 47))
    char, inside = carve_sheet(papyrus)
    slab = grey_slab(char, inside)
    truth = np.zeros((_SIZE, _SIZE), bool)
    if contrast is not None:
        truth = draw_writing(pen, _SIZE)
        ink = deposit(pen, char * inside, truth)
        slab += ink * np.maximum(_INK + contrast - slab, 0)
    volume = stack_sheets(papyrus, slab)
    return scan(scanner, volume), truth


def make_patches(rng: np.random.Generator, length: float, stretch: tuple[float, float] = (1.0, 1.0)) -> Field:
    """Return a smooth random field ``(y, x)`` of mean 0 and deviation 1.

    `length` is its blur in px, and `stretch` by how much more it is blurred along y and x.
    """
    step = max(1, int(length * min(stretch) / 3))
    few = -(-_SIZE // step)
    noise = rng.standard_normal((few, few)).astype(np.float32)
    noise = ndimage.gaussian_filter(noise, [length * s / step for s in stretch], mode="wrap")
    field = ndimage.zoom(noise, _SIZE / few, order=1, mode="grid-wrap", grid_mode=True)[:_SIZE, :_SIZE]
    normed: Field = ((field - field.mean()) / field.std()).astype(np.float32)
    return normed


def carve_sheet(rng: np.random.Generator) -> tuple[Field, Field]:
    """Return how much char is left, and what is inside of the sheet, both ``(z, y, x)`` from 0 to 1."""
    # Walkers that crowd in one ply shun the other.
    crowd, breadth = make_patches(rng, 26.0), make_patches(rng, 30.0)
    tilt = rng.normal(0.0, 0.06, 2)
    eaten = np.zeros((_ABOVE + _SLAB + _BELOW, _SIZE, _SIZE), np.float32)
    for width, (across, deep, bite, walkers) in enumerate(_WIDTHS):
        eats = bite * 2 * np.pi * across * deep * _STRIDE
        passes = np.zeros(_SLAB * _SIZE * _SIZE, np.float32)
        for ply in (0, 1):
            wanted = np.exp((0.5 - 1.0 * ply) * crowd + 0.7 * (width - 1) * breadth)
            walked = walk(rng, walkers // 2, wanted, ply, float(tilt[ply]))
            passes += np.bincount(walked, minlength=len(passes))
        sheet = passes.reshape(_SLAB, _SIZE, _SIZE)
        smooth = ndimage.gaussian_filter(sheet, (deep, across, across), mode=("nearest", "wrap", "wrap"), truncate=2.5)
        eaten[_ABOVE : _ABOVE + _SLAB] += eats * smooth
    # Rough faces reach a little further than the slab that was walked through.
    eaten[:_ABOVE], eaten[_ABOVE + _SLAB :] = eaten[_ABOVE], eaten[_ABOVE + _SLAB - 1]
    inside = shape_slab(rng, eaten)
    return np.exp(-eaten), inside


def walk(rng: np.random.Generator, walkers: int, wanted: Field, ply: int, tilt: float) -> NDArray[np.int64]:
    """Send walkers through one ply (0 in front, along x; 1 behind, along y) and return the voxels that they pass."""
    many = rng.integers(0, _SIZE**2, 8 * walkers)
    luck = wanted.ravel()[many]
    start = rng.choice(many, walkers, p=luck / luck.sum())
    y, x = (start // _SIZE).astype(np.float64), (start % _SIZE).astype(np.float64)
    first, last = ((0, _PLY), (_PLY, _SLAB))[ply]
    home = rng.uniform(first, last, walkers)
    depth = home.copy()
    fibre = tilt + ply * np.pi / 2 + np.pi * rng.integers(0, 2, walkers)
    fibre = np.where(rng.random(walkers) < _STRAY, rng.uniform(0, 2 * np.pi, walkers), fibre)
    heading = fibre + rng.normal(0, 0.08, walkers)
    ends = rng.integers(_STEPS // 4, _STEPS, walkers)
    passed = []
    for step in range(_STEPS):
        heading += rng.normal(0, _TURN, walkers) - _HOME * (heading - fibre)
        depth += rng.normal(0, _CLIMB, walkers) - _HOME * (depth - home)
        y += _STRIDE * np.sin(heading)
        x += _STRIDE * np.cos(heading)
        z = np.clip(depth.astype(np.int64), 0, _SLAB - 1)
        row, column = np.floor(y).astype(np.int64) % _SIZE, np.floor(x).astype(np.int64) % _SIZE
        voxel = (z * _SIZE + row) * _SIZE + column
        passed.append(voxel[step < ends])
    return np.concatenate(passed)


def shape_slab(rng: np.random.Generator, eaten: Field) -> Field:
    """Return what lies between the rough faces of a sheet and in no void, ``(z, y, x)`` from 0 to 1."""
    rough = 0.5 * make_patches(rng, 3.0, (1.0, 4.0)) + 0.7 * make_patches(rng, 12.0)
    splinters = np.clip(make_patches(rng, 2.5, (1.0, 5.0)) + 0.5 * make_patches(rng, 30.0) - 0.8, 0, 1)
    crumbs = np.clip(make_patches(rng, 2.4) + 0.6 * make_patches(rng, 25.0) - 0.9, 0, 1)
    front = _ABOVE + 0.5 + rough - 2.6 * np.maximum(splinters, crumbs)
    back = _ABOVE + _SLAB - 0.3 + 0.5 * make_patches(rng, 6.0, (3.0, 1.0)) + 0.9 * make_patches(rng, 35.0)
    z = np.arange(len(eaten), dtype=np.float32)[:, None, None]
    inside = np.clip(z - front + 0.5, 0, 1) * np.clip(back - z - 0.5, 0, 1)
    # Char that is thin already tears first when it shrinks, so voids follow the burrows of each ply.
    for ply, stretch in enumerate(((1.0, 3.0), (3.0, 1.0))):
        first = _ABOVE + ply * _PLY
        strain = make_patches(rng, 7.0, stretch) + 0.8 * make_patches(rng, 40.0)
        thin = eaten[first : first + _SLAB // 2].mean(axis=0)
        strain += 0.8 * (thin - thin.mean()) / thin.std()
        torn = np.clip(2.5 * (strain - 2.9), 0, 1)
        middle = first + _SLAB / 4 + make_patches(rng, 25.0)
        reach = 2.0 + 3.0 * torn
        inside *= 1 - torn * np.clip(reach - np.abs(z - middle), 0, 1)
    shaped: Field = inside.astype(np.float32)
    return shaped


def grey_slab(char: Field, inside: Field) -> Field:
    """Return the greys of a sheet ``(z, y, x)`` from the char that is left and what is inside of it."""
    # Dust falls out of burrows that open towards a face.
    depth = np.arange(len(char), dtype=np.float32) - _ABOVE
    held = np.clip(np.minimum(depth + 1, _SLAB - depth) / 4, 0.1, 1)[:, None, None]
    dust = held * (_DUST - _AIR)
    slab: Field = (_AIR + inside * (dust + (_CHAR - _AIR - dust) * char)).astype(np.float32)
    return slab


def stack_sheets(rng: np.random.Generator, slab: Field) -> Field:
    """Lay a sheet between the one above and the one behind it, each at a depth that wanders; ``(z, y, x)``."""
    volume = np.full((_LAYERS, _SIZE, _SIZE), _AIR, np.float32)
    face = _FACE + _WANDER * make_patches(rng, 40.0)
    other = grey_slab(*carve_sheet(rng))
    lay_sheet(volume, slab, face)
    lay_sheet(volume, other, face - 24.5 - _SLAB + 3.0 * make_patches(rng, 45.0))
    lay_sheet(volume, np.roll(other[:, ::-1, ::-1], 170, axis=2), face + _SLAB + 12.5 + 3.5 * make_patches(rng, 45.0))
    return volume


def lay_sheet(volume: Field, slab: Field, face: Field) -> None:
    """Put a sheet into a volume in place, its front face at layer `face` ``(y, x)``; the brighter of two stays."""
    top = face - _ABOVE
    whole = np.floor(top).astype(np.int64)
    part = (top - whole).astype(np.float32)
    rows, columns = np.arange(_SIZE)[:, None], np.arange(_SIZE)
    last = len(slab) - 1
    for z in range(max(0, int(whole.min())), min(_LAYERS, int(whole.max()) + len(slab) + 1)):
        at = z - whole
        near, far = slab[np.clip(at, 0, last), rows, columns], slab[np.clip(at - 1, 0, last), rows, columns]
        np.maximum(volume[z], near + part * (far - near), out=volume[z])


def scan(rng: np.random.Generator, volume: Field) -> NDArray[np.uint8]:
    """Return what a scanner sees of a volume: blurred, with noise and a few bright specks, in 8 bits."""
    specks = rng.integers(0, volume.size, _SPECKS)
    dense = volume.ravel()[specks] > _DENSE
    volume.ravel()[specks[dense]] += rng.uniform(*_SPECK, _SPECKS)[dense]
    seen = ndimage.gaussian_filter(volume, _BLUR, truncate=2.5)
    # Scatter brightens and darkens a scan slowly, and reconstruction ties the noise of neighbouring layers.
    haze = [_HAZE * make_patches(rng, 24.0) for _ in range(_HAZES + 1)]
    scanned = np.empty(volume.shape, np.uint8)
    before = rng.standard_normal(volume.shape[1:], dtype=np.float32)
    for z, layer in enumerate(seen):
        noise = rng.standard_normal(layer.shape, dtype=np.float32)
        first, part = divmod(z * _HAZES / len(seen), 1.0)
        layer += haze[int(first)] * np.float32(1 - part) + haze[int(first) + 1] * np.float32(part)
        layer += _NOISE * (noise + np.float32(0.5) * before)
        scanned[z] = np.clip(np.rint(layer), 0, 255)
        before = noise
    return scanned
