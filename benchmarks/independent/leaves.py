"""Phantoms of papyrus made of thin leaves: textured height fields that lie close on each other.

The front leaves of a sheet have ridges along one direction, and the back ones at right angles to it; neighbouring
leaves are alike. The sheet wanders and has creases that cut it. Each leaf buckles a little on its own, and has voids
that are long along the fibres. Holes go through the whole sheet or through its outer leaves only, and a torn flap may
be turned over onto the face. Looser stacks of leaves lie above and below, and a few threads between. Ink (`leaves_ink`)
is laid on the face. The scan adds air, scatter, blur, bright specks, rings and noise. All of it was written from the
published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from independent.leaves_ink import (
    AIR,
    COLUMNS,
    PEN_WIDTHS,
    ROWS,
    SIDE,
    Face,
    Floats,
    Masks,
    add_ink,
    blurred,
    noise,
    spline_noise,
)
from scipy import ndimage

LARGEST: float = 24.0  # grey values of 8 bits
GREYS: dict[str, float] = {"strong": 20.0, "medium": 10.0, "weak": 0.0}  # as above; at 0 there is crackle still

LAYERS = 65
MIDDLE = 31.8  # layer of the sheet
THICKNESS = 14.0  # layers from the first leaf of a sheet to the last
LEAF_SIGMA = 0.68  # layers
BUCKLING = 0.6  # layers
BULGE = 0.35  # layers by which ridges stand out of the outer leaves
INNER_BULGE = 0.3  # of inner leaves, over that of outer ones
DEPTH_SIGMA = 3.0  # leaves over which textures are alike

OCTAVES, NEIGHBOUR_OCTAVES = 5, 3  # of textures
CELL = 20.0  # pixels across the ridges of the first octave
LENGTH_RATIO = 7.0  # of ridges, over their width
GAIN = 0.72  # of each octave, over the one before
TEXTURE = 0.37  # exponent of the density per standard deviation
UNEVENNESS, ODDNESS = 0.14, 0.36  # exponents of the density: in clouds, and of front leaves where back ones are thin
VOID_THRESHOLD = 2.0  # standard deviations
VOID_DENSITY = np.float32(0.2)  # over that around them
HOLE_DENSITY, NEIGHBOUR_HOLE_DENSITY = np.float32(0.04), np.float32(0.05)  # over that of the leaf

FLAP_CHANCE = 0.6
NEIGHBOUR_LEAVES = (5, 3)  # of each ply, from the gap on
NEIGHBOUR_SIGMA = 0.95  # layers
NEIGHBOUR_DEPTH_SIGMA = 1.2  # leaves over which textures are alike
ABOVE, BELOW = 11.0, 53.0  # layers of neighbours
THREAD_LAYERS = (20.0, 44.5)

GREY = 104.0  # grey value of 8 bits in the middle of the sheet
MIDDLE_LAYERS = slice(28, 37)
HAZE, HAZE_LAYER = np.float32(6), 40  # grey values of 8 bits; from which layer on
TAIL_SHARE, TAIL_BLUR, TAIL_STEP = 0.12, (3.5, 3, 3), 4  # of the point spread; coarse voxels; pixels of a coarse one
SPECKS = 430  # on average
SPECK_REACH = 3  # voxels
RING_COUNT = 40000
RINGS_PER_PIXEL = 2
NOISE, NOISE_BLUR = 0.30, 0.45  # grey values of 8 bits, over the root of the grey; pixels


@dataclass(frozen=True)
class Course:
    """Course of a sheet: angles in radians, arrays ``(y, x)``."""

    front: float  # along the fibres of the front leaves
    back: float
    wander: Floats  # layers
    middle: Floats  # layer
    creased: Masks  # where creases have cut the sheet


@dataclass(frozen=True)
class Leaves:
    """Leaves of a sheet from front to back: arrays ``(y, x)``."""

    textures: list[Floats]  # standard deviations
    depths: list[Floats]  # layers
    densities: list[Floats]
    top: Floats  # layer of the first leaf, if it had neither buckled nor bulged
    face: Floats  # layer of the first leaf, without its details

    @property
    def count(self) -> int:
        """Number of leaves."""
        return len(self.textures)


@dataclass(frozen=True)
class Octave:
    """Octave of a texture: lengths in pixels."""

    width: float  # of a cell, across the ridges
    length: float  # of a cell, along the ridges
    lattices: Floats  # (leaf, across, along)


@dataclass(frozen=True)
class Flap:
    """Flap of the first leaves, which is turned over: arrays ``(y, x)``."""

    landed: Masks  # where it lies
    torn: Masks  # where it was
    y: Floats  # pixel where what lies at a pixel was
    x: Floats
    leaves: int


@dataclass(frozen=True)
class Damage:
    """What is missing of a sheet: masks ``(y, x)``."""

    holes: int  # how many go through the sheet
    through: Masks
    front: Masks  # of the front leaves only
    front_leaves: int
    back: Masks  # of the back leaves only
    back_leaves: int
    flap: Flap | None


def phantom(seed: int, contrast: float | None) -> tuple[npt.NDArray[np.unsignedinteger], npt.NDArray[np.bool_]]:
    """Return a volume (z, y, x) and its true ink (y, x); no ink if the contrast is None."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(13, 16))
    front_count = count // 2 + int(rng.integers(-1, 2))
    course = _draw_course(rng)
    leaves = _make_leaves(rng, course, front_count, count - front_count)
    damage = _draw_damage(rng, course)
    volume = np.zeros((LAYERS, SIDE, SIDE), np.float32)
    _lay_sheet(volume, course, leaves, damage)
    _lay_neighbours(rng, volume, course, damage.holes * 2)
    _lay_threads(rng, volume, course)
    _turn_to_greys(volume)
    ink: Masks = np.zeros((SIDE, SIDE), np.bool_)
    if contrast is not None:
        # Seeds in a row go through all pens.
        ink = add_ink(rng, volume, _face(course, leaves, damage), contrast, seed % len(PEN_WIDTHS))
    volume = blurred(volume)
    _add_specks(rng, volume)
    _add_rings(rng, volume, course)
    _add_noise(rng, volume)
    return np.clip(np.rint(volume), 0, 255).astype(np.uint8), ink


def _from_point(angle: float, y: float = 0.0, x: float = 0.0) -> tuple[Floats, Floats]:
    """Distances ``(y, x)`` in pixels from a point, along a direction in radians and across it."""
    cos, sin = np.cos(angle), np.sin(angle)
    right, down = COLUMNS - x, ROWS - y
    return right * cos + down * sin, -right * sin + down * cos


def _standardised(field: Floats) -> Floats:
    """Field of mean 0 and standard deviation 1."""
    return (field - field.mean()) / field.std()  # type: ignore[no-any-return]


def _alike(fields: list[Floats], sigma: float) -> Floats:
    """Fields ``(leaf, y, x)`` of standard deviation 1, made alike over so many neighbouring leaves."""
    smooth: Floats = ndimage.gaussian_filter1d(np.stack(fields), sigma, axis=0)
    return smooth / smooth.std()  # type: ignore[no-any-return]


def _draw_course(rng: np.random.Generator) -> Course:
    """Random course of a sheet, with a few creases."""
    # Some sheets lie turned, with vertical fibres in front.
    front = rng.normal(0, 0.09) + (np.pi / 2 if rng.random() < 0.3 else 0)
    back = front + np.pi / 2 + rng.normal(0, 0.04)
    wander = _standardised(noise(rng, 95, 4)) * rng.uniform(1.3, 1.8)
    creased = np.zeros((SIDE, SIDE), bool)
    for _ in range(rng.integers(1, 4)):
        bend, cut = _crease(rng, front, back)
        wander += bend
        creased |= cut
    return Course(front, back, wander, MIDDLE + wander - wander.mean(), creased)


def _crease(rng: np.random.Generator, front: float, back: float) -> tuple[Floats, Masks]:
    """Layers ``(y, x)`` by which a crease bends a sheet, and where it cuts it."""
    angle = rng.choice([front, back, rng.uniform(0, np.pi)]) + rng.normal(0, 0.15)
    along, across = _from_point(angle, *rng.uniform(0.1 * SIDE, 0.9 * SIDE, 2))
    across = across + noise(rng, 110, 2) * 6
    fade = np.exp(-((along / rng.uniform(120, 400)) ** 2)).astype(np.float32)
    width = rng.uniform(8, 22)
    ridge = rng.choice([-1, 1]) * rng.uniform(1.2, 2.8) * np.exp(-np.abs(across) / width)
    step = rng.normal(0, 0.5) * np.tanh(across / width)
    bend = (fade * (ridge + step)).astype(np.float32)
    distance = np.abs(across + 0.8 * noise(rng, 9, 2))
    is_near = distance < rng.uniform(0.3, 1.1) + noise(rng, 26, 3, 0.6)
    return bend, is_near & (fade * (1 + 0.5 * noise(rng, 40, 2)) > 0.95)


def _make_leaves(rng: np.random.Generator, course: Course, front_count: int, back_count: int) -> Leaves:
    """Leaves along a course, so many of each ply."""
    count = front_count + back_count
    spacing = (THICKNESS / count) * (1 + 0.09 * noise(rng, 80, 2))
    textures = _textures(rng, front_count, course.front, DEPTH_SIGMA, OCTAVES)
    textures += _textures(rng, back_count, course.back, DEPTH_SIGMA, OCTAVES)
    buckles = _alike([noise(rng, 38) for _ in range(count)], 1.5)
    angles = [course.front] * front_count + [course.back] * back_count
    voids = _alike([_drawn_out(rng, angle) for angle in angles], 0.9)
    clouds = _clouds(rng, count)
    depths, densities = [], []
    for i, texture in enumerate(textures):
        # Ridges of both faces stand out of the sheet.
        bulge = BULGE * np.clip(texture, -1.5, 2) * (-1 if i < count / 2 else 1)
        bulge = bulge * (1 if min(i, count - 1 - i) < 2 else INNER_BULGE)
        even = course.middle + (i - (count - 1) / 2) * spacing
        depths.append(even + BUCKLING * buckles[i] + bulge)
        density = _density(texture) * np.exp(UNEVENNESS * clouds[i])
        densities.append(density * np.where(voids[i] > VOID_THRESHOLD, VOID_DENSITY, np.float32(1)))
    top = course.middle - (count - 1) / 2 * spacing
    face = top + BUCKLING * ndimage.gaussian_filter(buckles[0], 3)
    return Leaves(textures, depths, densities, top, face)


def _textures(
    rng: np.random.Generator, count: int, angle: float, depth_sigma: float, octave_count: int
) -> list[Floats]:
    """Textures ``(y, x)`` of standard deviation 1 of so many leaves, with ridges along an angle in radians."""
    along, across = _from_point(angle)
    # All leaves of a ply are bent alike.
    across = across + (noise(rng, 170) * 3.8 + noise(rng, 40, 2) * 0.5)
    along = along + noise(rng, 120, 2) * 12
    octaves = [_draw_octave(rng, count, number, depth_sigma) for number in range(octave_count)]
    return [_texture(rng, leaf, along, across, octaves) for leaf in range(count)]


def _draw_octave(rng: np.random.Generator, count: int, number: int, depth_sigma: float) -> Octave:
    """Random octave of the textures of so many leaves, which are alike over a sigma in leaves."""
    width = CELL / 1.9**number
    length = width * (LENGTH_RATIO * rng.uniform(0.8, 1.2) * (1.25**number))
    shape = (count, int(3 * SIDE / width) + 9, int(3 * SIDE / length) + 9)
    lattices = rng.standard_normal(shape).astype(np.float32)
    # Coarse ridges go deeper than fine ones.
    factor = 1.1 if number == 0 else 0.85 if number > 2 else 1
    lattices = ndimage.gaussian_filter1d(lattices, depth_sigma * factor, axis=0, mode="mirror")
    return Octave(width, length, lattices / lattices.std())


def _texture(rng: np.random.Generator, leaf: int, along: Floats, across: Floats, octaves: list[Octave]) -> Floats:
    """Texture ``(y, x)`` of a leaf: a ridged multifractal along and across the fibres."""
    shift = noise(rng, 90, 1)
    total = np.zeros((SIDE, SIDE), np.float32)
    weight: Floats = np.ones((SIDE, SIDE), np.float32)
    amplitude = 1.0
    for octave in octaves:
        y, x = (across + shift + SIDE) / octave.width, (along + SIDE) / octave.length
        ridges = np.clip(1 - np.abs(spline_noise(octave.lattices[leaf], y, x)) * 0.9, -0.6, 1)
        ridges = np.where(ridges > 0, ridges * ridges, -0.25 * ridges * ridges)
        total += amplitude * weight * ridges
        # Details lie on ridges.
        weight = np.clip(ridges * 1.8 + 0.25, 0, 1)
        amplitude *= GAIN
    return _standardised(total)


def _drawn_out(rng: np.random.Generator, angle: float) -> Floats:
    """Noise ``(y, x)`` that is long along an angle in radians."""
    count = SIDE // 3 + 60
    lattices = [rng.standard_normal((count, count)).astype(np.float32) for _ in range(3)]
    along, across = _from_point(angle)
    total = np.zeros((SIDE, SIDE), np.float32)
    for octave, lattice in enumerate(lattices):
        y, x = (across + SIDE) / (11 / 1.9**octave), (along + SIDE) / (42 / 1.9**octave)
        total += 0.6**octave * spline_noise(lattice, y, x)
    return total


def _clouds(rng: np.random.Generator, count: int) -> Floats:
    """Unevenness ``(leaf, y, x)`` of the density of so many leaves, dense in front where it is thin at the back."""
    clouds = _alike([noise(rng, 40, 3, 0.6) for _ in range(count)], 2.0)
    tilt = noise(rng, 38, 4, 0.7)
    by_leaf = np.cos(np.pi * (np.arange(count) + 0.5) / count)[:, None, None].astype(np.float32)
    return clouds + by_leaf * tilt * np.float32(ODDNESS / UNEVENNESS)


def _density(texture: Floats) -> Floats:
    """Density of a leaf of a texture in standard deviations, around 1."""
    return np.exp(TEXTURE * np.clip(texture, -2.2, 2.6))  # type: ignore[no-any-return]


def _draw_damage(rng: np.random.Generator, course: Course) -> Damage:
    """Random holes of a sheet, and perhaps a flap."""
    holes = int(rng.integers(3, 7))
    through = _holes(rng, holes, (10, 85), course.front)
    front = _holes(rng, holes, (12, 75), course.front)
    front_leaves = int(rng.integers(2, 5))
    back = _holes(rng, holes + 2, (20, 140), course.back)
    back_leaves = int(rng.integers(2, 6))
    flap = _draw_flap(rng) if rng.random() < FLAP_CHANCE else None
    return Damage(holes, through, front, front_leaves, back, back_leaves, flap)


def _holes(rng: np.random.Generator, count: int, sizes: tuple[float, float], angle: float) -> Masks:
    """Holes ``(y, x)``, sharp and ragged, of sizes in pixels and along or across fibres at an angle in radians."""
    holes = np.zeros((SIDE, SIDE), bool)
    ragged = noise(rng, 34, 5, 0.68)
    smallest, largest = sizes
    for _ in range(count):
        radius = np.exp(rng.uniform(np.log(smallest), np.log(largest))) / 2
        y, x = rng.uniform(0, SIDE, 2)
        along, across = _from_point(angle + rng.choice([0, np.pi / 2]) + rng.normal(0, 0.1), y, x)
        # Cubes make the outline boxy, as if it were torn along the fibres.
        outline = (np.abs(along) / radius) ** 3 + (np.abs(across) / (radius * rng.uniform(0.3, 0.75))) ** 3
        holes |= outline + 0.5 * ragged * (8 / (radius + 8) + 0.6) < 0.9
    return holes


def _draw_flap(rng: np.random.Generator) -> Flap:
    """Random flap of a few leaves, which is turned over along a line."""
    angle = rng.uniform(0, 2 * np.pi)
    along, across = _from_point(angle, *rng.uniform(0.15 * SIDE, 0.85 * SIDE, 2))
    depth, length = rng.uniform(14, 38), rng.uniform(30, 75)
    width = depth * np.clip(1 - (along / length) ** 2, 0, 1) * (1 + 0.15 * noise(rng, 14, 2))
    return Flap(
        landed=(across > 0) & (across < width),
        torn=(across < 0) & (across > -width),
        y=ROWS - 2 * across * np.cos(angle),
        x=COLUMNS + 2 * across * np.sin(angle),
        leaves=int(rng.integers(2, 5)),
    )


def _lay(volume: Floats, density: Floats, depth: Floats, sigma: float) -> None:
    """Leaf of a density ``(y, x)`` at a depth ``(y, x)`` in layers is added to a volume, blurred by so many layers."""
    first = max(0, int(depth.min() - 3 * sigma))
    last = min(LAYERS - 1, int(depth.max() + 3 * sigma) + 1)
    for z in range(first, last + 1):
        volume[z] += density * np.exp(-((z - depth) ** 2) * np.float32(0.5 / sigma**2))


def _lay_sheet(volume: Floats, course: Course, leaves: Leaves, damage: Damage) -> None:
    """Leaves are added to a volume, but for what is missing of them, and with their flap."""
    flap = damage.flap
    for i, (density, depth) in enumerate(zip(leaves.densities, leaves.depths, strict=True)):
        is_gone = damage.through.copy()
        if i < damage.front_leaves:
            is_gone |= damage.front
        if i >= leaves.count - damage.back_leaves:
            is_gone |= damage.back
        if i < leaves.count // 2 + 2:
            is_gone |= course.creased
        if flap is not None and i < flap.leaves:
            is_gone |= flap.torn
        left = np.where(is_gone, HOLE_DENSITY, np.float32(1))
        remains = density * left
        _lay(volume, remains, depth, LEAF_SIGMA)
        if flap is not None and i < flap.leaves:
            # Divided again, so that the flap has no holes.
            turned = ndimage.map_coordinates(remains / left, [flap.y, flap.x], order=1, mode="nearest")
            _lay(volume, turned * flap.landed, leaves.top - 1.2 - (flap.leaves - i) * 0.95, LEAF_SIGMA)


def _face(course: Course, leaves: Leaves, damage: Damage) -> Face:
    """Face of a sheet for ink."""
    lost = damage.through | damage.front | course.creased
    covered = np.zeros((SIDE, SIDE), bool)
    if damage.flap is not None:
        lost |= damage.flap.torn
        covered = damage.flap.landed
    return Face(leaves.face, leaves.textures[0], lost, covered)


def _lay_neighbours(rng: np.random.Generator, volume: Floats, course: Course, holes: int) -> None:
    """Loose stacks of leaves above and below a sheet are added to a volume, with so many holes each."""
    above = ABOVE + _standardised(noise(rng, 150, 3, 0.45)) * 2.4 + 0.3 * course.wander
    below = BELOW + _standardised(noise(rng, 150, 3, 0.45)) * 3.6 + 0.3 * course.wander
    # Gaps stay between the stacks and the sheet.
    above = np.minimum(above, course.middle - THICKNESS / 2 - 3.0)
    below = np.maximum(below, course.middle + THICKNESS / 2 + 1.2)
    for base, sign, angles in ((above, -1, (course.back, course.front)), (below, 1, (course.front, course.back))):
        textures: list[Floats] = []
        for count, angle in zip(NEIGHBOUR_LEAVES, angles, strict=True):
            textures += _textures(rng, count, angle, NEIGHBOUR_DEPTH_SIGMA, NEIGHBOUR_OCTAVES)
        is_gone = _holes(rng, holes, (20, 160), course.front)
        left = np.where(is_gone, NEIGHBOUR_HOLE_DENSITY, np.float32(1))
        for i, texture in enumerate(textures):
            density = _density(texture) * np.exp(UNEVENNESS * noise(rng, 55, 2)) * left
            depth = base + sign * (i * 1.7 + 0.5) + 0.7 * noise(rng, 40, 2)
            _lay(volume, density * 1.05, depth, NEIGHBOUR_SIGMA)


def _lay_threads(rng: np.random.Generator, volume: Floats, course: Course) -> None:
    """Loose threads in the gaps are added to a volume."""
    for _ in range(rng.integers(2, 6)):
        angle = rng.uniform(0, np.pi)
        along, across = _from_point(angle, *rng.uniform(0, SIDE, 2))
        across = across + noise(rng, 100, 1) * 5
        is_within = np.abs(along) < rng.uniform(30, 130)
        density = np.exp(-((across / rng.uniform(1.2, 2.5)) ** 2)) * is_within * 0.7
        _lay(volume, density, rng.choice(THREAD_LAYERS) + 0.5 * course.wander, 1.2)


def _turn_to_greys(volume: Floats) -> None:
    """Densities of a volume become greys in place, with air, haze in the lower gap and scatter."""
    volume *= np.float32((GREY - AIR) / volume[MIDDLE_LAYERS].mean())
    volume += np.float32(AIR)
    rise = np.clip((np.arange(HAZE_LAYER, LAYERS) - HAZE_LAYER) / 4, 0, 1)[:, None, None]
    volume[HAZE_LAYER:] += (HAZE * rise).astype(np.float32)
    # The point spread has a weak broad tail, which a coarse grid is enough for.
    tail = ndimage.gaussian_filter(volume[:, ::TAIL_STEP, ::TAIL_STEP], TAIL_BLUR)
    tail = ndimage.zoom(tail, (1, TAIL_STEP, TAIL_STEP), order=1, grid_mode=True, mode="nearest")
    volume *= np.float32(1 - TAIL_SHARE)
    volume += np.float32(TAIL_SHARE) * tail


def _add_specks(rng: np.random.Generator, volume: Floats) -> None:
    """Dense grains of minerals are added to a volume."""
    for _ in range(int(SPECKS * rng.uniform(0.6, 1.4))):
        z, y, x = rng.uniform(1, LAYERS - 2), rng.uniform(4, SIDE - 5), rng.uniform(4, SIDE - 5)
        sigma, amplitude = rng.uniform(0.6, 1.0), rng.uniform(70, 190)
        near = tuple(
            slice(max(int(at) - SPECK_REACH, 0), min(int(at) + SPECK_REACH + 1, size))
            for at, size in zip((z, y, x), volume.shape, strict=True)
        )
        layers, rows, columns = np.ogrid[near]
        deep = (layers - z) ** 2 / (2 * (sigma * 1.2) ** 2)
        flat = ((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma * sigma)
        volume[near] += (amplitude * np.exp(-(deep + flat))).astype(np.float32)


def _add_rings(rng: np.random.Generator, volume: Floats, course: Course) -> None:
    """Rings of a scan across x and z are added to a volume, bent as the sheet was flattened."""
    rings = ndimage.gaussian_filter1d(rng.standard_normal(RING_COUNT), 1.0)
    # Few rings are strong.
    rings = rings / rings.std() * (1 + 2.0 * (rng.random(RING_COUNT) < 0.01))
    centre_x, centre_z = -rng.uniform(300, 1500), rng.uniform(-600, 600)
    lean = rng.normal(0, 0.12)
    for z, layer in enumerate(volume):
        radius = np.hypot(COLUMNS + lean * ROWS - centre_x, z + course.wander - centre_z)
        numbers = (radius * RINGS_PER_PIXEL).astype(int) % RING_COUNT
        layer += np.float32(rng.uniform(0.75, 0.85)) * rings[numbers].astype(np.float32)


def _add_noise(rng: np.random.Generator, volume: Floats) -> None:
    """Noise of counts is added to a volume, a little correlated as it was resampled."""
    for layer in volume:
        grain = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE)).astype(np.float32), NOISE_BLUR)
        grain /= grain.std()
        layer += np.float32(NOISE) * grain * np.sqrt(np.clip(layer, 4, None))
