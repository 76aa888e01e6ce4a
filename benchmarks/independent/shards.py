"""Phantoms of carbonised papyrus made of slivers.

Each ply is a tessellation of space into slivers, long along the fibres and flat in depth. Every sliver has a density, a
tilt and a texture of its own; shrinkage has opened cracks between them, and some slivers are lost. Holes are broken out
along the edges of shards. The ink is a cracked coat of soot upon the face. The scanner blurs, and adds rings and noise.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from independent.shards_ink import SIDE, Bools, Coat, Floats, coat, fractal, polygons, smooth_noise, stretch
from scipy import ndimage
from scipy.spatial import cKDTree

GREYS: dict[str, float] = {"strong": 22.0, "medium": 11.0, "weak": 3.0}  # ink over papyrus, grey values of 8 bits
LARGEST: float = 26.0

LAYERS = 65
FACE, THICK = 25.3, 14.0  # depth of the face, and thickness of the sheet, layers
LEAD = 5  # layers of a sheet's own stack before its face
DEEP = 24  # layers of a sheet's own stack
BENDING = (0.25, 0.4)  # spread of the logarithm of the density at the face, by bends of the sheet
STEP = 4  # grid along the fibres, px
BULK = 104.0  # usual grey of a sliver, above air
NEIGHBOUR = 0.45  # density of the neighbouring sheets over that of the sheet
BARE = 3.5  # depth of the surface from which on the face is lost, with its ink, layers
SOLID = 40.0  # grey above air from which a voxel counts as papyrus
BLUR = (1.1, 0.75, 0.75)  # of the scanner, voxels


@dataclass(frozen=True)
class Look:
    """How the papyrus of one phantom looks: sizes of slivers in px, shares lost and cracked, spreads, greys."""

    long: float
    wide: float
    flat: float
    lost: float
    crack: float
    spread: float
    texture: float
    air: float
    noise: float
    turned: bool


@dataclass(frozen=True)
class Tessellation:
    """The sliver of each point ``(n,)``, its distance from cracks in px and from the axis, and sites ``(count, 3)``."""

    sliver: npt.NDArray[np.intp]
    edge: Floats
    axis: Floats
    sites: Floats


def _look(rng: np.random.Generator) -> Look:
    """Draw how the papyrus of a phantom looks."""
    return Look(
        long=rng.uniform(150, 320),
        wide=rng.uniform(11, 18),
        flat=rng.uniform(5.6, 7.2),
        lost=rng.uniform(0.004, 0.02),
        crack=rng.uniform(0.4, 1.0),
        spread=rng.uniform(0.3, 0.4),
        texture=rng.uniform(0.16, 0.24),
        air=rng.uniform(4, 12),
        noise=rng.uniform(2.8, 5.2),
        turned=bool(rng.random() < 0.5),
    )


def _tessellate(rng: np.random.Generator, points: Floats, look: Look) -> Tessellation:
    """Divide points ``(n, 3)`` (depth, across, along, in px) among slivers."""
    size = np.array([look.flat, look.wide, look.long], np.float32)
    low, high = points.min(axis=0) - size, points.max(axis=0) + size
    sites = rng.uniform(low, high, (int(np.prod((high - low) / size)), 3)).astype(np.float32)
    distance, near = cKDTree(sites / size).query(points / size, k=2)
    normal = (sites[near[:, 1]] - sites[near[:, 0]]) / size
    # The plane between two sites lies at n·u = k in units of the sizes; its slope in px is n / size.
    edge = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * np.linalg.norm(normal / size, axis=1))
    upright = np.abs(normal[:, 1] / look.wide) / np.linalg.norm(normal / size, axis=1)
    widths = np.maximum(rng.random(4096) - 0.55, 0).astype(np.float32)
    gape = 4 * look.crack * widths[(near[:, 0] * near[:, 1] + near.sum(axis=1)) % len(widths)] * (0.2 + 0.8 * upright)
    return Tessellation(near[:, 0], (edge - gape).astype(np.float32), distance[:, 0].astype(np.float32), sites)


def _texture(rng: np.random.Generator, points: Floats, tiles: Tessellation) -> Floats:
    """Return the fibrils within slivers at points ``(n, 3)``: noise of spread 1, with a tilt and offset per sliver."""
    table = rng.standard_normal((16, 128, 64)).astype(np.float32)
    table = 0.6 * _unit(ndimage.gaussian_filter(table, (2.4, 3.5, 2), mode="wrap")) + 0.6 * _unit(
        ndimage.gaussian_filter(table[::-1], (1.8, 1.4, 3), mode="wrap")
    )
    count = len(tiles.sites)
    offset = rng.uniform(0, 64, (count, 3)).astype(np.float32)
    tilt = rng.normal(0, 0.25, count).astype(np.float32)
    apart = points - tiles.sites[tiles.sliver]
    apart[:, 0] += tilt[tiles.sliver] * np.clip(apart[:, 1], -12, 12)
    apart[:, 2] /= 14
    apart += offset[tiles.sliver]
    index = (np.round(apart).astype(np.int32) % np.array(table.shape, np.int32)).T
    return np.asarray(table[index[0], index[1], index[2]], np.float32)


def _unit(values: Floats) -> Floats:
    """Return values of any shape scaled to a spread of 1."""
    return np.asarray(values / values.std(), np.float32)


def _points(rng: np.random.Generator, depths: Floats, step: int) -> tuple[Floats, tuple[int, int, int]]:
    """Return points ``(n, 3)`` of a grid over a ply, bent as its fibres wander, in px, and the shape of the grid."""
    along = np.arange(0, SIDE + step, step, dtype=np.float32)
    shape = (len(depths), SIDE, len(along))
    pick = np.clip(along, 0, SIDE - 1).astype(int)
    bend = rng.normal(0, 0.05) * along[None] + 7 * smooth_noise(rng, 90, 110)[:, pick]
    bend = bend + 1.2 * smooth_noise(rng, 12, 40)[:, pick]
    sag = 1.1 * smooth_noise(rng, 30, 90)[:, pick] + 0.5 * smooth_noise(rng, 8, 40)[:, pick]
    points = np.empty((*shape, 3), np.float32)
    points[..., 0] = depths[:, None, None] + sag
    points[..., 1] = np.arange(SIDE, dtype=np.float32)[:, None] + bend
    points[..., 2] = along
    return points.reshape(-1, 3), shape


def ply(rng: np.random.Generator, look: Look, depths: Floats, turned: bool, step: int = STEP) -> Floats:
    """Return greys above air ``(depth, y, x)`` of a ply at depths in layers, its fibres along x, or y if turned."""
    points, shape = _points(rng, depths, step)
    tiles = _tessellate(rng, points, look)
    count = len(tiles.sites)
    density = np.exp(look.spread * rng.standard_normal(count) - 0.03).astype(np.float32)
    density *= rng.random(count) > look.lost
    ridge = np.where(rng.random(count) < 0.12, rng.uniform(0.2, 0.7, count), 0).astype(np.float32)
    grey = 1 + look.texture * _texture(rng, points, tiles)
    grey += ridge[tiles.sliver] * np.clip(1 - 1.5 * tiles.axis, 0, 1)
    grey *= density[tiles.sliver]
    grey *= np.clip(tiles.edge / 0.9 + 0.8, 0, 1)
    coarse = np.maximum(BULK * grey, 0).astype(np.float32).reshape(shape)
    fine = stretch(coarse, np.linspace(0, (SIDE - 1) / step, SIDE, dtype=np.float32), 2)
    return fine.transpose(0, 2, 1) if turned else fine


def _holes(rng: np.random.Generator, count: int, largest: float, turned: bool) -> Bools:
    """Return holes ``(y, x)``: clusters of shards broken out, of radii up to so many px, frayed along the fibres."""
    shards = polygons(rng, rng.uniform(9, 16))
    gone = np.zeros(len(shards.centres), bool)
    for _ in range(count):
        centre = rng.uniform(0, SIDE, 2)
        radius = 5 * (largest / 5) ** (rng.random() ** 1.5)
        away = np.linalg.norm((shards.centres - centre) / np.exp(rng.normal(0, 0.5, 2)), axis=1)
        gone |= away / radius + rng.uniform(-0.4, 0.4, len(away)) < 1
    fray = rng.uniform(1, 4.5) * smooth_noise(rng, 2.2, 30) + rng.uniform(2, 6) * smooth_noise(rng, 7, 40)
    across, along = np.indices((SIDE, SIDE))
    along = np.clip(along + fray.astype(int), 0, SIDE - 1)
    broken = gone[shards.number[across, along]]
    return np.asarray(broken.T if turned else broken, np.bool_)


def _sheet(rng: np.random.Generator, look: Look) -> tuple[Floats, Bools]:
    """Return greys above air ``(depth, y, x)`` of the sheet in its own depths, and where it is missing ``(y, x)``."""
    depths = np.arange(DEEP, dtype=np.float32) - LEAD
    middle = 7 + rng.uniform(-1.5, 1.5) + 0.8 * smooth_noise(rng, 40, 40)
    fibres = (40.0, 2.5) if look.turned else (2.5, 40.0)
    face = 0.7 * smooth_noise(rng, 14, 14) - 0.9 * np.maximum(smooth_noise(rng, *fibres), -0.5)
    rear = THICK + 0.8 * smooth_noise(rng, 5, 5) + 1.2 * smooth_noise(rng, 25, 25)
    stack = np.zeros((DEEP, SIDE, SIDE), np.float32)
    front_depths, back_depths = depths[LEAD - 2 : LEAD + 11], depths[LEAD + 3 : LEAD + 18]
    front = ply(rng, look, front_depths, look.turned)
    for depth, layer in zip(front_depths, front, strict=True):
        stack[int(depth) + LEAD] += layer * np.clip(depth - face + 0.5, 0, 1) * np.clip(middle - depth + 0.5, 0, 1)
    back = ply(rng, look, back_depths, not look.turned)
    for depth, layer in zip(back_depths, back, strict=True):
        stack[int(depth) + LEAD] += layer * np.clip(depth - middle + 0.5, 0, 1) * np.clip(rear - depth + 0.5, 0, 1)
    missing = _holes(rng, int(rng.integers(1, 7)), rng.uniform(12, 36), look.turned)
    shallow = _holes(rng, int(rng.integers(2, 10)), 30.0, look.turned)
    stack[:, missing] = 0
    stack[: LEAD + 6, shallow] = 0
    stack[LEAD + 7 :, _holes(rng, int(rng.integers(1, 8)), 32.0, not look.turned)] = 0
    return stack, missing | shallow


def _specks(rng: np.random.Generator, stack: Floats) -> None:
    """Add bright specks of 1 to 5 px to a sheet's own stack ``(depth, y, x)``."""
    for radius in (0.6, 1.0, 1.6):
        reach = 3
        z, y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1]
        ball = np.exp(-(z**2 + y**2 + x**2) / (2 * radius**2)).astype(np.float32)
        count = int(rng.uniform(40, 260) / radius**2)
        places = rng.integers(reach, np.array(stack.shape) - reach, (count, 3))
        for place, bright in zip(places, rng.uniform(60, 220, count), strict=True):
            if stack[tuple(place)] > SOLID:
                low, high = place - reach, place + reach + 1
                stack[low[0] : high[0], low[1] : high[1], low[2] : high[2]] += bright * ball


def _surface(stack: Floats) -> Floats:
    """Return the depth ``(y, x)`` in layers from the face at which a sheet's own stack ``(depth, y, x)`` begins."""
    near = stack[LEAD - 3 : LEAD + 6] > SOLID
    first = np.where(near.any(axis=0), near.argmax(axis=0), 5).astype(np.float32) - 3
    return np.asarray(ndimage.gaussian_filter(first, 1.5), np.float32)


def _lay(stack: Floats, ink: Coat, contrast: float) -> None:
    """Lay a coat of ink onto a sheet's own stack ``(depth, y, x)``, brighter by the contrast than the papyrus below."""
    below = stack[LEAD : LEAD + 5]
    solid = below > SOLID
    count = ndimage.gaussian_filter(solid.sum(axis=0, dtype=np.float32), 3)
    grey = ndimage.gaussian_filter((below * solid).sum(axis=0), 3) / (count + 0.2) + np.float32(contrast)
    for layer in range(LEAD + 7):
        depth = layer - LEAD
        share = np.clip(depth - ink.top + 0.5, 0, 1) * np.clip(ink.bottom - depth + 0.5, 0, 1) * ink.solid
        stack[layer] += share * np.maximum(grey - stack[layer], contrast * 0.5)


def _bend(rng: np.random.Generator, stack: Floats) -> None:
    """Make a sheet's own stack ``(depth, y, x)`` denser on the inner side of its bends, and looser on the outer."""
    bends = (rng.uniform(*BENDING) * fractal(rng, (28, 16, 9, 5), 0.9)).astype(np.float32)
    for layer, grey in enumerate(stack):
        lever = np.float32(np.clip((layer - LEAD) / THICK * 2 - 1, -1, 1))
        grey *= np.exp(lever * bends)


def _place(volume: Floats, stack: Floats, origin: Floats, flipped: bool = False) -> None:
    """Add a stack ``(depth, y, x)`` to the volume ``(z, y, x)``, its first layer at an origin ``(y, x)`` in layers."""
    padded = np.pad(stack, ((1, 2), (0, 0), (0, 0)))
    y, x = np.ogrid[:SIDE, :SIDE]
    for z, layer in enumerate(volume):
        depth = np.clip((origin - z if flipped else z - origin) + 1, 0, len(stack) + 1)
        if not depth.any():
            continue
        low = depth.astype(np.int32)
        share = depth - low
        near = padded[low, y, x]
        layer += near + share * (padded[low + 1, y, x] - near)


def _neighbour(rng: np.random.Generator, look: Look) -> Floats:
    """Return greys above air ``(depth, y, x)`` of a neighbouring sheet, seen from the gap."""
    depths = np.arange(26, dtype=np.float32)
    turned = bool(rng.random() < 0.5)
    stack = ply(rng, look, depths, turned, 2 * STEP) * np.float32(NEIGHBOUR)
    stack[:, _holes(rng, int(rng.integers(2, 12)), 70.0, turned)] = 0
    return stack


def _scan(rng: np.random.Generator, volume: Floats, look: Look) -> npt.NDArray[np.uint8]:
    """Return the volume ``(z, y, x)`` as a scanner shows it: blurred, with faint rings and noise."""
    ndimage.gaussian_filter(volume, BLUR, output=volume, truncate=2.5)
    noise = rng.standard_normal(volume.shape, dtype=np.float32)
    ndimage.gaussian_filter(noise, (0.5, 0.6, 0.6), output=noise, truncate=2)
    noise *= look.noise / noise[::8].std()
    volume += noise
    y, x = np.ogrid[:SIDE, :SIDE]
    centre = rng.uniform(-3 * SIDE, -SIDE, 2)
    radius = np.hypot(y - centre[0], x - centre[1]).astype(np.intp)
    profile = ndimage.gaussian_filter1d(rng.standard_normal(radius.max() + 1), 1.2)
    rings = (rng.uniform(0.6, 2.2) * profile / profile.std())[radius].astype(np.float32)
    for z, layer in enumerate(volume):
        layer += rings * np.float32(np.cos(z / 9))
    return np.clip(np.round(volume), 0, 255).astype(np.uint8)


def phantom(seed: int, contrast: float | None) -> tuple[npt.NDArray[np.uint8], Bools]:
    """Return a volume ``(z, y, x)`` of 8-bit greys and its ink ``(y, x)``; without contrast, there is no ink."""
    rng = np.random.default_rng(seed)
    look = _look(rng)
    stack, missing = _sheet(rng, look)
    _bend(rng, stack)
    _specks(rng, stack)
    truth = np.zeros((SIDE, SIDE), np.bool_)
    if contrast is not None:
        surface = _surface(stack)
        missing |= ndimage.binary_opening(surface > BARE, iterations=3)
        ink = coat(np.random.default_rng([seed, 1]), surface, missing)
        _lay(stack, ink, contrast)
        truth = ink.truth
    face = FACE + rng.uniform(1.6, 2.6) * smooth_noise(rng, 45, 45) + 0.5 * smooth_noise(rng, 16, 16)
    volume = np.full((LAYERS, SIDE, SIDE), look.air, np.float32)
    _place(volume, stack, face - LEAD)
    above = np.maximum(rng.uniform(7.5, 9.5) + rng.uniform(1.2, 2.8) * fractal(rng, (90, 45, 20)), 0.5)
    behind = np.maximum(5.5 + 2.5 * fractal(rng, (90, 45, 20)), 0.5)
    _place(volume, _neighbour(rng, look), face - above, flipped=True)
    _place(volume, _neighbour(rng, look), face + THICK + behind)
    return _scan(rng, volume, look), truth
