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
from napari_ink.phantom.worlds.frame import GAP, Canvas, DrawnSettings, Papyrus, Plane, between
from napari_ink.phantom.worlds.hands import branching
from napari_ink.phantom.worlds.sheets import Sheet, add_sheet, at_depth, before, behind, inside
from napari_ink.phantom.worlds.textures import (
    Gain,
    as_greys,
    even_in_depth,
    filtered_planes,
    places,
    power_law,
    standardised,
    uneven,
)


@dataclass(frozen=True)
class Settings(DrawnSettings):
    """What is drawn from the seed, in this order; lengths in µm, greys of 0 to 255."""

    thickness: float = between(95, 125)
    cell: float = between(70, 110)
    walls: float = between(0.7, 1.1)
    film: float = between(6, 12)
    film_grey: float = between(60, 95)
    plate: float = between(90, 190)
    flaked: float = between(0.05, 0.3)
    wander: float = between(8, 18)
    noise: float = between(1.5, 3)
    cupping: float = between(0, 0.15)
    halo: float = between(0, 0.3)


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan."""
    settings = Settings.drawn(canvas)
    rng = canvas.rng("sheet")
    planes = _char(rng, canvas, settings)
    face = segmentation.wander(rng, canvas, settings.wander, 600)
    bumps = canvas.px(5) * canvas.field(rng, 45)
    bumps += canvas.px(3) * canvas.field(rng, 14)
    missing = places(rng, canvas, 100, rng.uniform(0.01, 0.05))
    strokes = canvas.write(branching.write) & ~missing
    sheet = Sheet(planes, face + bumps, canvas.px(settings.thickness) * ~missing)
    volume = _stacked(rng, canvas, settings, sheet, _film(canvas, strokes, settings))
    _scan(canvas.rng("scan"), volume, settings)
    return Papyrus(volume, strokes, asdict(settings))


def _band(frequency: float, flat: float) -> Gain:
    def gain(fy: np.ndarray, fx: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-0.5 * ((np.hypot(fy, flat * fx) / frequency - 1) / 0.35) ** 2))

    return gain


def _char(rng: np.random.Generator, canvas: Canvas, settings: Settings) -> FloatArray:
    """Return greys ``(u, y, x)`` of cells, a little longer along x, in char whose density varies slowly."""
    # One plane before the face and one behind the back, for voxels that the sheet fills in part.
    shape = (round(canvas.px(settings.thickness)) + 2, *canvas.plane)
    # Two layers of 7.91 µm, with which layers correlate as published ones do, see `filtered_planes`.
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
    # How much such a field changes over 14 µm: cracks are that wide whatever the size of plates.
    gradient = 3.5 * canvas.px(14) / size
    lost = places(rng, canvas, settings.plate / 2, settings.flaked)
    level = canvas.px(settings.film) * uneven(rng, canvas, settings.plate, 0.25, (0.3, 2))
    return np.where(strokes & ~lost & (cracks > 0.5 * gradient), level, 0).astype(np.float32)


def _stacked(
    rng: np.random.Generator, canvas: Canvas, settings: Settings, sheet: Sheet, film: FloatArray
) -> FloatArray:
    # The sheet before comes so near in places that no gap is left.
    above = canvas.px(130) + canvas.px(45) * canvas.field(rng, 400)
    above = np.clip(above, canvas.px(20), None)
    below = canvas.px(settings.thickness + 90) + canvas.px(25) * canvas.field(rng, 400)
    # Mirrored, so that their texture is as real and yet nowhere that of the sheet between.
    across, along = sheet.planes[:, :, ::-1], sheet.planes[:, ::-1]
    volume = canvas.empty_scan()
    soft = np.exp(-0.5 * ((np.arange(len(sheet.planes)) - 1) / canvas.px(9)) ** 2)
    covered = ndimage.gaussian_filter((film > 0).astype(np.float32), 0.7)
    for z, layer in enumerate(volume):
        depth = canvas.depth_below(sheet.face, z)
        grey = at_depth(sheet.planes, depth + 1)
        # What the film binds to chars less: the uppermost cells under it are a little darker.
        nearest = np.clip(depth + 1, 0, len(sheet.planes) - 1).astype(int)
        grey -= 0.3 * (grey - settings.film_grey) * covered * soft[nearest].astype(np.float32)
        layer += inside(depth, 0, sheet.thickness) * (grey - GAP)
        layer += inside(depth, -film, 0) * (settings.film_grey - GAP)
        add_sheet(layer, 0.4 * before(depth, above), across, np.abs(-above - depth)[:, ::-1])
        add_sheet(layer, 0.35 * behind(depth, below), along, np.abs(depth - below)[::-1])
    return volume


def _scan(rng: np.random.Generator, volume: FloatArray, settings: Settings) -> None:
    scanning.blur(volume, 0.75, 0.75)
    scanning.sharpen(volume, settings.halo, 1.5)
    scanning.harden_beam(rng, volume, settings.cupping)
    scanning.add_poisson_noise(rng, volume, settings.noise)
