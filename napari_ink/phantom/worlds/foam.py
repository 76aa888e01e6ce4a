"""Charred foam: cells with thin walls; ink that is a darker film of plates, cracked, and flaked off in places.

Walls lie where one of two random fields is near 0. The film lies upon the face and is less dense than the char.
Neighbouring sheets touch in places. The signs branch like plants.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import ndimage

from napari_ink.phantom.fields import FloatArray, smooth_field
from napari_ink.phantom.worlds import scanning, segmentation
from napari_ink.phantom.worlds.frame import Canvas, Papyrus, Plane
from napari_ink.phantom.worlds.hands import branching
from napari_ink.phantom.worlds.textures import (
    Gain,
    as_greys,
    at_depth,
    even_in_depth,
    filtered_planes,
    inside,
    places,
    power_law,
    standardised,
)

_GAP = 17.0


@dataclass(frozen=True)
class Settings:
    """What is drawn from the seed; lengths in µm, greys of 0 to 255."""

    thickness: float
    cell: float
    walls: float
    film: float
    film_grey: float
    plate: float
    flaked: float
    wander: float
    noise: float
    cupping: float
    halo: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Settings:
        """Draw settings."""
        return cls(
            thickness=float(rng.uniform(95, 125)),
            cell=float(rng.uniform(70, 110)),
            walls=float(rng.uniform(0.7, 1.1)),
            film=float(rng.uniform(6, 12)),
            film_grey=float(rng.uniform(60, 95)),
            plate=float(rng.uniform(90, 190)),
            flaked=float(rng.uniform(0.05, 0.3)),
            wander=float(rng.uniform(8, 18)),
            noise=float(rng.uniform(1.5, 3)),
            cupping=float(rng.uniform(0, 0.15)),
            halo=float(rng.uniform(0, 0.3)),
        )


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan."""
    settings = Settings.drawn(canvas.rng("settings"))
    rng = canvas.rng("sheet")
    planes = _char(rng, canvas, settings)
    face = segmentation.wander(rng, canvas.plane, canvas.px(settings.wander), canvas.px(600))
    bumps = canvas.px(5) * smooth_field(rng, canvas.plane, canvas.px(45))
    bumps += canvas.px(3) * smooth_field(rng, canvas.plane, canvas.px(14))
    missing = places(rng, canvas.plane, canvas.px(100), float(rng.uniform(0.01, 0.05)))
    strokes = canvas.write(branching.write) & ~missing
    film = _film(canvas, strokes, settings)
    volume = _stacked(rng, canvas, planes, face + bumps, canvas.px(settings.thickness) * ~missing, film, settings)
    _scan(canvas.rng("scan"), volume, settings)
    return Papyrus(volume, strokes, asdict(settings))


def _band(frequency: float, flat: float) -> Gain:
    def gain(fy: np.ndarray, fx: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-0.5 * ((np.hypot(fy, flat * fx) / frequency - 1) / 0.35) ** 2))

    return gain


def _char(rng: np.random.Generator, canvas: Canvas, settings: Settings) -> FloatArray:
    """Return greys ``(u, y, x)`` of cells, a little longer along x, in char whose density varies slowly."""
    shape = (max(round(canvas.px(settings.thickness)) + 2, 4), *canvas.plane)
    frequency, depth_scale = 0.5 / canvas.px(settings.cell), 2.0 * canvas.px(7.91)
    texture = 1.2 * filtered_planes(rng, shape, power_law(3.4, 1 / canvas.px(800), (1.0, 1.6)), depth_scale)
    walls = np.full(shape, 9.0, dtype=np.float32)
    for _ in range(2):
        np.minimum(walls, np.abs(filtered_planes(rng, shape, _band(frequency, 1.5), depth_scale)), out=walls)
    texture += settings.walls * standardised(np.exp(-((walls / 0.3) ** 2)))
    return as_greys(rng, even_in_depth(texture))


def _film(canvas: Canvas, strokes: Plane, settings: Settings) -> FloatArray:
    """Return layers of ink on the face ``(y, x)``: plates parted by cracks, which are level lines of a random field."""
    rng = canvas.rng("ink")
    size = canvas.px(settings.plate)
    cracks = np.minimum(*(np.abs(smooth_field(rng, canvas.plane, size / 3.5)) for _ in range(2)))
    gradient = 3.5 * canvas.px(14) / size
    lost = places(rng, canvas.plane, size / 2, settings.flaked)
    level = canvas.px(settings.film) * np.clip(1 + 0.25 * smooth_field(rng, canvas.plane, size), 0.3, 2)
    return np.where(strokes & ~lost & (cracks > 0.5 * gradient), level, 0).astype(np.float32)


def _stacked(
    rng: np.random.Generator,
    canvas: Canvas,
    planes: FloatArray,
    face: FloatArray,
    thickness: FloatArray,
    film: FloatArray,
    settings: Settings,
) -> FloatArray:
    # The sheet before comes so near in places that no gap is left.
    above = canvas.px(130) + canvas.px(45) * smooth_field(rng, canvas.plane, canvas.px(400))
    above = np.clip(above, canvas.px(20), None)
    below = canvas.px(settings.thickness + 90) + canvas.px(25) * smooth_field(rng, canvas.plane, canvas.px(400))
    volume = np.empty(canvas.shape, dtype=np.float32)
    soft = np.exp(-0.5 * ((np.arange(len(planes)) - 1) / canvas.px(9)) ** 2)
    covered = ndimage.gaussian_filter((film > 0).astype(np.float32), 0.7)
    for z, layer in enumerate(volume):
        depth = (z - canvas.middle - face).astype(np.float32)
        grey = at_depth(planes, depth + 1)
        # What the film binds to chars less: the uppermost cells under it are a little darker.
        nearest = np.clip(depth + 1, 0, len(planes) - 1).astype(int)
        grey -= 0.3 * (grey - settings.film_grey) * covered * soft[nearest].astype(np.float32)
        layer[:] = _GAP + inside(depth, 0, thickness) * (grey - _GAP)
        layer += inside(depth, -film, 0) * (settings.film_grey - _GAP)
        before, after = inside(depth, -400, -above), inside(depth, below, 400)
        if before.any():
            layer += 0.4 * before * (at_depth(planes, np.abs(-above - depth))[:, ::-1] - _GAP)
        if after.any():
            layer += 0.35 * after * (at_depth(planes, np.abs(depth - below))[::-1] - _GAP)
    return volume


def _scan(rng: np.random.Generator, volume: FloatArray, settings: Settings) -> None:
    scanning.blur(volume, 0.75, 0.75)
    scanning.sharpen(volume, settings.halo, 1.5)
    scanning.harden_beam(rng, volume, settings.cupping)
    scanning.add_poisson_noise(rng, volume, settings.noise)
