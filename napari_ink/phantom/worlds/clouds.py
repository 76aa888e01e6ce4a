"""A texture like that of photographs, as smooth in one direction as in another, with creases; no fibres.

Ink is granular: dense grains of a few µm within the strokes, and fewer everywhere. Neighbours are a haze that thickens
away from the gap. A brush writes, and blots.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from napari_ink.phantom.fields import FloatArray
from napari_ink.phantom.worlds import scanning, segmentation
from napari_ink.phantom.worlds.frame import Canvas, DrawnSettings, Papyrus, Plane, between, drawn_by
from napari_ink.phantom.worlds.hands import splines
from napari_ink.phantom.worlds.sheets import Sheet, add_sheet, inside
from napari_ink.phantom.worlds.textures import as_greys, filtered_planes, places, power_law


@dataclass(frozen=True)
class Settings(DrawnSettings):
    """What is drawn from the seed, in this order; lengths in µm, greys of 0 to 255."""

    thickness: float = between(95, 125)
    slope: float = between(2.9, 3.4)
    bursts: float = between(0.1, 0.5)
    creases: int = drawn_by(lambda rng: int(rng.integers(2, 9)))
    grains: float = between(1500, 3000)
    grains_elsewhere: float = between(200, 450)
    grain_grey: float = between(70, 130)
    grain_depth: float = between(8, 18)
    wander: float = between(10, 22)
    blur: float = between(0.75, 1.0)
    noise: float = between(2, 3.5)
    hardening: float = between(0, 0.1)


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan."""
    settings = Settings.drawn(canvas)
    rng = canvas.rng("sheet")
    planes = _sheet(rng, canvas, settings)
    face = segmentation.wander(rng, canvas, settings.wander, 1000)
    face += segmentation.tilt(rng, canvas, 15)
    face += canvas.px(5) * canvas.field(rng, 40)
    missing = places(rng, canvas, 90, rng.uniform(0, 0.04))
    strokes = canvas.write(splines.write) & ~missing
    sheet = Sheet(planes, face, canvas.px(settings.thickness) * ~missing)
    volume = _stacked(rng, canvas, sheet)
    _strew(canvas, settings, volume, sheet, strokes)
    _scan(canvas.rng("scan"), volume, settings)
    return Papyrus(volume, strokes, asdict(settings))


def _sheet(rng: np.random.Generator, canvas: Canvas, settings: Settings) -> FloatArray:
    """Return greys ``(u, y, x)``: clouds, rougher in some places than in others, and dark creases."""
    gain = power_law(settings.slope, 1 / canvas.px(700), (1.0, 1.2))
    texture = filtered_planes(rng, canvas.sheet_shape(settings.thickness), gain, canvas.px(16))
    texture *= np.exp(settings.bursts * canvas.field(rng, 300))
    ys, xs = np.ogrid[: canvas.plane[0], : canvas.plane[1]]
    for _ in range(settings.creases):
        angle, (y, x) = rng.uniform(0, np.pi), rng.uniform((0, 0), canvas.plane)
        bent = canvas.px(25) * canvas.field(rng, 300)
        across = (ys - y) * np.cos(angle) - (xs - x) * np.sin(angle) + bent
        texture -= rng.uniform(0.5, 1.5) * np.exp(-0.5 * (across / canvas.px(14)) ** 2).astype(np.float32)
    return as_greys(rng, texture)


def _stacked(rng: np.random.Generator, canvas: Canvas, sheet: Sheet) -> FloatArray:
    mottled = 1 + 0.15 * canvas.field(rng, 120)
    volume = canvas.empty_scan()
    for z, layer in enumerate(volume):
        depth = canvas.depth_below(sheet.face, z)
        add_sheet(layer, inside(depth, 0, sheet.thickness), sheet.planes, depth)
        away = np.maximum(-canvas.px(120) - depth, depth - canvas.px(190))
        layer += mottled * 30 * (1 - np.exp(-np.clip(away, 0, None) / canvas.px(60)))
    return volume


def _strew(canvas: Canvas, settings: Settings, volume: FloatArray, sheet: Sheet, strokes: Plane) -> None:
    """Add grains to the volume, in place: so many per mm² in the strokes, others anywhere on the face."""
    for rng, where, density in (
        # Grains elsewhere lie on a blank sheet, too, so their generator is not the ink's.
        (canvas.rng("dust"), sheet.thickness > 0, settings.grains_elsewhere),
        (canvas.rng("ink"), strokes, settings.grains),
    ):
        count = rng.poisson(density * canvas.plane[0] * canvas.plane[1] * (canvas.voxel_um / 1000) ** 2)
        ys, xs = (rng.integers(0, n, count) for n in canvas.plane)
        depth = np.abs(rng.normal(0, canvas.px(settings.grain_depth), count))
        # Less of a grain of 8 µm fills a larger voxel.
        greys = settings.grain_grey * rng.uniform(0.4, 1.6, count) * min(8 / canvas.voxel_um, 1.0) ** 2
        kept = where[ys, xs]
        zs = np.rint(canvas.middle + sheet.face[ys, xs] + depth).astype(int)
        kept &= (zs >= 0) & (zs < len(volume))
        # Grains may share a voxel, where `volume[...] +=` would add only one of them.
        np.add.at(volume, (zs[kept], ys[kept], xs[kept]), greys[kept].astype(np.float32))
        width = round(8 / canvas.voxel_um)
        for dy, dx in [(dy, dx) for dy in range(width) for dx in range(width)][1:]:
            at = (
                zs[kept],
                np.minimum(ys[kept] + dy, volume.shape[1] - 1),
                np.minimum(xs[kept] + dx, volume.shape[2] - 1),
            )
            np.add.at(volume, at, greys[kept].astype(np.float32))


def _scan(rng: np.random.Generator, volume: FloatArray, settings: Settings) -> None:
    scanning.blur(volume, settings.blur, settings.blur)
    scanning.harden_beam(rng, volume, settings.hardening)
    scanning.add_poisson_noise(rng, volume, settings.noise)
