"""Veins of Gabor noise; ink that is neither brighter nor darker but roughens the grain of the face.

Waves of several directions are mixed place by place, and their crests drawn out into veins. Ink changes no mean: it
adds grain whose mean over any stroke is 0. The letters are signs of a random grammar.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import ndimage

from napari_ink.phantom.fields import FloatArray, smooth_field
from napari_ink.phantom.worlds import scanning, segmentation
from napari_ink.phantom.worlds.frame import GAP, Canvas, DrawnSettings, Papyrus, Plane, between
from napari_ink.phantom.worlds.hands import grammar
from napari_ink.phantom.worlds.sheets import Sheet, at_depth, before, behind, inside
from napari_ink.phantom.worlds.textures import (
    Gain,
    as_greys,
    even_in_depth,
    filtered_planes,
    places,
    power_law,
    softened,
    standardised,
)

# Published scans have 51 before the gap and 34 to 48 behind the sheet, where 0.7 of the contrast is left.
_NEIGHBOUR = 50.0


@dataclass(frozen=True)
class Settings(DrawnSettings):
    """What is drawn from the seed, in this order; lengths in µm, greys of 0 to 255."""

    thickness: float = between(95, 120)
    wavelength: float = between(70, 120)
    veins: float = between(0.5, 0.9)
    grain: float = between(14, 24)
    grain_size: float = between(10, 20)
    grain_depth: float = between(14, 26)
    wander: float = between(5, 12)
    steps: float = between(0, 14)
    noise: float = between(1.2, 2.6)
    streaks: float = between(1, 5)
    hardening: float = between(0, 0.12)


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan."""
    settings = Settings.drawn(canvas)
    rng = canvas.rng("sheet")
    planes = _sheet(rng, canvas, settings)
    face = segmentation.wander(rng, canvas, settings.wander, 450)
    face += segmentation.steps(rng, canvas, settings.steps, 900)
    missing = places(rng, canvas, 150, rng.uniform(0, 0.05))
    strokes = canvas.write(grammar.write) & ~missing
    rough = canvas.px(4) * canvas.field(rng, 25)
    sheet = Sheet(planes, face + rough, canvas.px(settings.thickness) * ~missing)
    volume = _stacked(rng, canvas, settings, sheet, _grain(canvas, strokes, settings))
    _scan(canvas.rng("scan"), volume, settings)
    return Papyrus(volume, strokes, asdict(settings))


def _waves(frequency: float, angle: float, spread: float) -> Gain:
    """Return the gain of waves of a frequency that run along an angle, both within a spread."""

    def gain(fy: np.ndarray, fx: np.ndarray) -> np.ndarray:
        along, across = fx * np.cos(angle) + fy * np.sin(angle), fy * np.cos(angle) - fx * np.sin(angle)
        off_across, off_along = (np.abs(across) - frequency) / (0.4 * frequency), along / (spread * frequency)
        return np.asarray(np.exp(-0.5 * (off_across**2 + off_along**2)))

    return gain


def _sheet(rng: np.random.Generator, canvas: Canvas, settings: Settings) -> FloatArray:
    """Return greys ``(u, y, x)``: waves along x on the written half, along y on the other, as crests of veins."""
    shape = canvas.sheet_shape(settings.thickness)
    half, frequency, depth_scale = shape[0] // 2, 1 / canvas.px(settings.wavelength), 2.0 * canvas.px(7.91)
    texture = 1.3 * filtered_planes(rng, shape, power_law(3.3, 1 / canvas.px(900)), depth_scale)
    for first, last, angle in ((0, half, 0.0), (half, shape[0], np.pi / 2)):
        part = (last - first, *canvas.plane)
        bend = ndimage.gaussian_filter(rng.standard_normal(canvas.plane), canvas.px(350), mode="wrap")
        share = ndimage.gaussian_filter((bend > 0).astype(np.float32), canvas.px(60))
        one, other = (
            filtered_planes(rng, part, _waves(frequency, angle + rng.normal(0, 0.2), 0.2), depth_scale)
            for _ in range(2)
        )
        mixed = share * one + (1 - share) * other
        veins = np.exp(-np.abs(mixed) * 2.5)
        texture[first:last] += settings.veins * standardised(veins) + 0.4 * mixed
    return as_greys(rng, even_in_depth(texture))


def _stacked(
    rng: np.random.Generator, canvas: Canvas, settings: Settings, sheet: Sheet, grain: FloatArray
) -> FloatArray:
    above = canvas.px(140) + segmentation.wander(rng, canvas, 25, 500)
    below = canvas.px(settings.thickness + 95) + segmentation.wander(rng, canvas, 25, 500)
    mottle = 6 * canvas.field(rng, 90)
    volume = canvas.empty_scan()
    for z, layer in enumerate(volume):
        depth = canvas.depth_below(sheet.face, z)
        grey = at_depth(sheet.planes, depth) + grain * np.exp(-0.5 * (depth / canvas.px(settings.grain_depth)) ** 2)
        layer += inside(depth, 0, sheet.thickness) * (grey - GAP)
        # Neighbours are out of the way here: grey slabs with a mottle that moves slowly along the depth.
        slab = np.maximum(before(depth, above), 0.7 * behind(depth, below))
        layer += slab * (_NEIGHBOUR - GAP + np.roll(mottle, 3 * z, axis=1))
    return volume


def _grain(canvas: Canvas, strokes: Plane, settings: Settings) -> FloatArray:
    """Return grain in greys under the strokes, of mean 0."""
    rng = canvas.rng("ink")
    size = canvas.px(settings.grain_size)
    grain = smooth_field(rng, canvas.plane, size) - smooth_field(rng, canvas.plane, 2 * size)
    return settings.grain * softened(strokes, 1.0, 3) * grain


def _scan(rng: np.random.Generator, volume: FloatArray, settings: Settings) -> None:
    scanning.blur(volume, 0.7, 0.9)
    scanning.harden_beam(rng, volume, settings.hardening)
    scanning.add_streaks(rng, volume, settings.streaks, 40)
    scanning.add_noise(rng, volume, settings.noise, grain=0.5)
