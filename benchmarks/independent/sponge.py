"""Carbonised papyrus as a porous solid, and ink as a film that bridges its pores.

Each ply is the smoothed excursion set of a field: random waves stretched along the fibres and compressed in depth,
mixed with a gyroid whose phases are bent by other waves. Two plies with their own fields, across each other, make a
sheet between two wandering faces; lost parts are the excursion set of one more field. A film of ink lies on the first
solid of the face (see `sponge_ink`). A scanner blurs and adds rings and noise.
All of it was written from the published statistics alone, independently of the worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from independent.sponge_ink import SIDE, find_surface, lay_film, paint, smooth_field
from scipy import fft, ndimage

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
GREYS: dict[str, float] = {"strong": 22.0, "medium": 11.0, "weak": 3.0}  # grey values of 8 bits
LARGEST: float = 26.0
LAYERS = 65
ALONG = 4  # px per node along fibres
NODES = (48, 640, 160)  # nodes of a ply's field: depth, across and along fibres
SURFACE = 65.0  # grey value at which papyrus carries ink
FACE, THICKNESS = 26.2, 14.6  # layers
ABOVE, BEHIND = 18.5, 44.0  # layers, where the sheet above ends and the one behind begins
FIRST_WAVE, WAVE_SPREAD = 0.32, 0.10  # radians per layer, waves in depth
SOFTNESS = 0.38  # of the excursion sets, in spreads of the field
FLOOR, SOLID = 50.0, 132.0  # greys of pores within the sheet, and added by solid
BULGE = 0.5  # spreads of the field, by which plies are denser where they press on the other
GRAIN = 0.07  # share of the grey, fine cells
NOISE = 3.8  # grey values


@dataclass(frozen=True)
class Ply:
    """A ply: its field on nodes (depth, across, along), where pixels ``(y, x)`` lie in it, bias, brightness."""

    field: Floats
    across: Floats
    along: Floats
    bias: Floats
    bright: Floats
    compressed: float

    def solid(self, depth: Floats) -> Floats:
        """Return how solid the ply is, 0 to 1, at depths ``(y, x)`` in layers."""
        nodes = np.stack([depth * np.float32(self.compressed) + np.float32(12.0), self.across, self.along])
        field = ndimage.map_coordinates(self.field, nodes, order=1, mode="grid-wrap")
        return np.asarray(level_set(field + self.bias, SOFTNESS) * self.bright)


def level_set(field: Floats, softness: float) -> Floats:
    """Return 0 to 1 for a field far below and far above 0, smooth over ``softness``."""
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(field / np.float32(-softness), -30.0, 30.0))), dtype=np.float32)


def waves(rng: np.random.Generator, across: float, along: float, first: float, spread: float) -> Floats:
    """Return random waves on the nodes of a ply, of lengths in px and waves in depth in radians per layer."""
    spectrum = fft.rfftn(rng.standard_normal(NODES, dtype=np.float32))
    deep = np.abs(np.fft.fftfreq(NODES[0]) * 2 * np.pi).astype(np.float32)
    wide = (np.fft.fftfreq(NODES[1]) * 2 * np.pi * across).astype(np.float32)
    far = (np.fft.rfftfreq(NODES[2]) * 2 * np.pi * along / ALONG).astype(np.float32)
    spectrum *= np.exp(-0.25 * ((deep - first) / spread) ** 2)[:, None, None]
    spectrum *= ((1.0 + wide**2) ** -0.58)[None, :, None] * np.exp(-0.5 * (wide / across) ** 2)[None, :, None]
    spectrum *= (1.0 + far**2)[None, None] ** -0.75
    field = fft.irfftn(spectrum, s=NODES)
    return np.asarray(field / field.std(), dtype=np.float32)


def gyroid(rng: np.random.Generator, bend: Floats) -> Floats:
    """Return a gyroid on the nodes of a ply, stretched along the fibres, its phases bent by a field."""
    periods = np.array([rng.uniform(17.0, 22.0), rng.uniform(12.0, 24.0), rng.uniform(50.0, 120.0) / ALONG])
    z, y, x = (
        (np.arange(n, dtype=np.float32) * np.float32(2 * np.pi / period)).reshape(shape)
        for n, period, shape in zip(NODES, periods, ((-1, 1, 1), (1, -1, 1), (1, 1, -1)), strict=True)
    )
    y, x = y + 1.3 * bend, x + 1.7 * np.roll(bend, (7, 91), (0, 1))
    field = np.sin(z) * np.cos(y) + np.sin(y) * np.cos(x) + np.sin(x) * np.cos(z)
    return np.asarray(field / field.std(), dtype=np.float32)


def make_ply(rng: np.random.Generator, turned: bool, bias: Floats) -> Ply:
    """Return a ply with fibres along x, or along y if turned, more solid where ``bias`` (in spreads) is high."""
    field = waves(rng, rng.uniform(7.0, 11.0), rng.uniform(25.0, 48.0), FIRST_WAVE, WAVE_SPREAD)
    bend = waves(rng, 40.0, 80.0, 0.0, 0.15)
    share = rng.uniform(0.15, 0.5)
    field = np.sqrt(1 - share**2) * field + share * gyroid(rng, bend)
    y, x = np.indices((SIDE, SIDE), dtype=np.float32)
    across, along = (x, y) if turned else (y, x)
    tilt = rng.normal(0.0, 0.05)
    across = across + tilt * along + rng.uniform(2.0, 6.0) * smooth_field(rng, 60.0, 60.0)
    ridges = smooth_field(rng, *((90.0, 5.0) if turned else (5.0, 90.0)))
    bright = np.exp(0.13 * ridges + 0.06 * smooth_field(rng, 30.0, 30.0))
    nodes_along = ((along - tilt * across) / ALONG).astype(np.float32)
    return Ply(field.astype(np.float32), across.astype(np.float32), nodes_along, bias, bright, rng.uniform(0.75, 0.92))


@dataclass(frozen=True)
class Damage:
    """Where a sheet is lost: a margin ``(y, x)``, below 0 in holes, its change from front to back, and cracks.

    Cracks ``(y, x)`` are 0 to 1, and begin at a share ``start`` of the sheet's thickness.
    """

    margin: Floats
    lean: Floats
    cracks: Floats
    start: np.float32

    def left(self, depth: Floats) -> Floats:
        """Return what is left ``(y, x)`` at depths in layers behind the face, 0 to 1."""
        back = depth * np.float32(1 / THICKNESS)
        kept = level_set(self.margin + self.lean * (back - np.float32(0.5)), 0.05)
        return kept * (1.0 - self.cracks * level_set(back - self.start, 0.05))


def lose(rng: np.random.Generator) -> Damage:
    """Return the damage of a sheet: small and large holes with sharp edges, and cracks."""
    small = rng.uniform(2.0, 3.0) - smooth_field(rng, 14.0, 14.0) + 0.35 * smooth_field(rng, 4.0, 4.0)
    large = rng.uniform(1.6, 3.0) - smooth_field(rng, 40.0, 40.0) + 0.25 * smooth_field(rng, 6.0, 6.0)
    zero = np.abs(smooth_field(rng, 20.0, 20.0) + 0.2 * smooth_field(rng, 4.0, 4.0))
    near = level_set(smooth_field(rng, 30.0, 30.0) - rng.uniform(0.6, 1.8), 0.15)
    lean = rng.uniform(0.2, 1.0) * smooth_field(rng, 12.0, 12.0)
    cracks = 0.8 * near * np.exp(-((zero / 0.06) ** 2))
    return Damage(np.minimum(small, large), lean, cracks, np.float32(rng.uniform(-0.3, 0.6)))


@dataclass(frozen=True)
class Sheet:
    """A sheet of two plies: its thickness and the depth of their seam ``(y, x)`` in layers, and its damage."""

    front: Ply
    back: Ply
    thick: Floats
    seam: Floats
    damage: Damage

    def grey(self, depth: Floats) -> Floats:
        """Return grey values ``(y, x)`` at depths behind the face in layers."""
        inside = level_set(depth, 0.3) * level_set(self.thick - depth, 0.4) * self.damage.left(depth)
        ahead = level_set(self.seam - depth, 0.8)
        solid = ahead * self.front.solid(depth) + (1.0 - ahead) * self.back.solid(depth)
        floor = level_set(depth - 1.5, 0.7) * level_set(self.thick - 1.5 - depth, 0.7)
        return np.asarray(inside * (np.float32(FLOOR) * floor + np.float32(SOLID) * solid))


def make_sheet(rng: np.random.Generator, plies: tuple[Ply, Ply], thickness: float) -> Sheet:
    """Return a sheet of two plies with a thickness in layers."""
    thick = thickness + smooth_field(rng, 40.0, 40.0)
    return Sheet(*plies, thick, 0.5 * thick + smooth_field(rng, 25.0, 25.0), lose(rng))


def make_papyrus(rng: np.random.Generator) -> tuple[Floats, Floats, Mask]:
    """Return the volume ``(z, y, x)`` of papyrus, the depth of the face ``(y, x)`` in layers, and where it is left."""
    turned = bool(rng.random() < 0.5)
    pressed = BULGE * smooth_field(rng, 14.0, 14.0)  # where one ply bulges, it presses on the other
    front = make_ply(rng, turned, pressed + rng.uniform(-0.6, 0.0))
    back = make_ply(rng, not turned, rng.uniform(-0.6, 0.0) - pressed)
    other = make_ply(rng, bool(rng.random() < 0.5), pressed - 0.4)
    sheet = make_sheet(rng, (front, back), THICKNESS)
    before, after = make_sheet(rng, (other, front), 22.0), make_sheet(rng, (back, other), 22.0)
    face = FACE + rng.uniform(0.6, 1.7) * smooth_field(rng, 60.0, 60.0) + 0.5 * smooth_field(rng, 8.0, 8.0)
    above = ABOVE + rng.uniform(1.2, 2.6) * smooth_field(rng, 50.0, 50.0)
    behind = BEHIND + rng.uniform(1.2, 2.6) * smooth_field(rng, 50.0, 50.0)
    shade_before, shade_after = rng.uniform(0.25, 0.42, 2).astype(np.float32)
    air = rng.uniform(9.0, 20.0)
    volume = np.full((LAYERS, SIDE, SIDE), air, np.float32)
    for z in np.arange(LAYERS, dtype=np.float32):
        depth, layer = z - face, volume[int(z)]
        if (above - z).max() > -2:
            layer += shade_before * before.grey(above - z)
        if (z - behind).max() > -2:
            layer += shade_after * after.grey(z - behind)
        if depth.max() > -2 and (depth - sheet.thick).min() < 2:
            np.maximum(layer, np.float32(air) + sheet.grey(depth), out=layer)
    return volume, np.asarray(face, dtype=np.float32), sheet.damage.left(np.zeros_like(face)) > 0.5


def strew(rng: np.random.Generator, volume: Floats) -> None:
    """Add fine cells and bright specks of 1 to 5 px to the papyrus."""
    cells = ndimage.gaussian_filter(rng.standard_normal(volume.shape, dtype=np.float32), (2.6, 1.1, 1.1), truncate=2.5)
    volume *= 1.0 + np.float32(GRAIN / float(cells.std())) * cells
    for _ in range(int(rng.integers(300, 1500))):
        z, y, x = (int(rng.integers(0, n - 5)) for n in volume.shape)
        tall, high, wide = rng.integers(1, 4, 3)
        volume[z : z + tall, y : y + high, x : x + wide] *= rng.uniform(1.3, 2.2)


def scan(rng: np.random.Generator, volume: Floats) -> npt.NDArray[np.uint8]:
    """Return the volume blurred, with faint rings and correlated noise, as a scanner gives it."""
    volume = ndimage.gaussian_filter(volume, (0.7, 0.75, 0.75), truncate=3.0)
    y, x = np.indices((SIDE, SIDE), dtype=np.float32)
    radius = np.hypot(y - rng.uniform(-900, 1400), x + rng.uniform(200, 900))
    profile = ndimage.gaussian_filter1d(rng.standard_normal(2600), 1.0)
    volume += rng.uniform(0.5, 1.5) * profile[radius.astype(np.int64)].astype(np.float32)
    noise = ndimage.gaussian_filter(rng.standard_normal(volume.shape, dtype=np.float32), 0.55, truncate=2.0)
    volume += NOISE * rng.uniform(0.8, 1.3) / float(noise.std()) * noise
    return np.clip(np.rint(volume), 0, 255).astype(np.uint8)


def phantom(seed: int, contrast: float | None) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return a volume ``(z, y, x)`` and where ink is ``(y, x)``; no ink if ``contrast`` is None."""
    rng = np.random.default_rng([seed, 7919])
    volume, face, left = make_papyrus(rng)
    ink = np.zeros((SIDE, SIDE), np.bool_)
    if contrast is not None:
        surface = find_surface(volume, face, SURFACE)
        film = lay_film(rng, surface, left)
        paint(rng, volume, film, contrast)
        ink = film.kept
    strew(rng, volume)
    return scan(rng, volume), ink
