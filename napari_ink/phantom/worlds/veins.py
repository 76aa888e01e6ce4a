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
from napari_ink.phantom.worlds.frame import Canvas, Papyrus, Plane
from napari_ink.phantom.worlds.hands import grammar
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

_GAP, _NEIGHBOUR = 17.0, 50.0


@dataclass(frozen=True)
class Settings:
    """What is drawn from the seed; lengths in µm, greys of 0 to 255."""

    thickness: float
    wavelength: float
    veins: float
    grain: float
    grain_size: float
    grain_depth: float
    wander: float
    steps: float
    noise: float
    streaks: float
    hardening: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Settings:
        """Draw settings."""
        return cls(
            thickness=float(rng.uniform(95, 120)),
            wavelength=float(rng.uniform(70, 120)),
            veins=float(rng.uniform(0.5, 0.9)),
            grain=float(rng.uniform(14, 24)),
            grain_size=float(rng.uniform(10, 20)),
            grain_depth=float(rng.uniform(14, 26)),
            wander=float(rng.uniform(5, 12)),
            steps=float(rng.uniform(0, 14)),
            noise=float(rng.uniform(1.2, 2.6)),
            streaks=float(rng.uniform(1, 5)),
            hardening=float(rng.uniform(0, 0.12)),
        )


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan."""
    settings = Settings.drawn(canvas.rng("settings"))
    rng = canvas.rng("sheet")
    planes = _sheet(rng, canvas, settings)
    face = segmentation.wander(rng, canvas.plane, canvas.px(settings.wander), canvas.px(450))
    face += segmentation.steps(rng, canvas.plane, canvas.px(settings.steps), canvas.px(900))
    missing = places(rng, canvas.plane, canvas.px(150), float(rng.uniform(0, 0.05)))
    strokes = canvas.write(grammar.write) & ~missing
    rough = canvas.px(4) * smooth_field(rng, canvas.plane, canvas.px(25))
    volume = _stacked(rng, canvas, planes, face + rough, canvas.px(settings.thickness) * ~missing, settings, strokes)
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
    count = max(round(canvas.px(settings.thickness)), 4)
    frequency, depth_scale = 1 / canvas.px(settings.wavelength), 2.0 * canvas.px(7.91)
    shape = (count, *canvas.plane)
    texture = 1.3 * filtered_planes(rng, shape, power_law(3.3, 1 / canvas.px(900)), depth_scale)
    for first, last, angle in ((0, count // 2, 0.0), (count // 2, count, np.pi / 2)):
        part = (last - first, *canvas.plane)
        bend = ndimage.gaussian_filter(rng.standard_normal(canvas.plane), canvas.px(350), mode="wrap")
        share = (bend > 0).astype(np.float32)
        share = ndimage.gaussian_filter(share, canvas.px(60))
        one, other = (
            filtered_planes(rng, part, _waves(frequency, angle + rng.normal(0, 0.2), 0.2), depth_scale)
            for _ in range(2)
        )
        mixed = share * one + (1 - share) * other
        veins = np.exp(-np.abs(mixed) * 2.5)
        texture[first:last] += settings.veins * standardised(veins) + 0.4 * mixed
    return as_greys(rng, even_in_depth(texture))


def _stacked(
    rng: np.random.Generator,
    canvas: Canvas,
    planes: FloatArray,
    face: FloatArray,
    thickness: FloatArray,
    settings: Settings,
    strokes: Plane,
) -> FloatArray:
    grain = _grain(canvas, strokes, settings)
    above = canvas.px(140) + segmentation.wander(rng, canvas.plane, canvas.px(25), canvas.px(500))
    below = canvas.px(settings.thickness + 95) + segmentation.wander(rng, canvas.plane, canvas.px(25), canvas.px(500))
    mottle = 6 * smooth_field(rng, canvas.plane, canvas.px(90))
    volume = np.empty(canvas.shape, dtype=np.float32)
    for z, layer in enumerate(volume):
        depth = (z - canvas.middle - face).astype(np.float32)
        grey = at_depth(planes, depth) + grain * np.exp(-0.5 * (depth / canvas.px(settings.grain_depth)) ** 2)
        layer[:] = _GAP + inside(depth, 0, thickness) * (grey - _GAP)
        # Neighbours are out of the way here: grey slabs with a mottle that moves slowly along the depth.
        slab = np.maximum(inside(depth, -400, -above), 0.7 * inside(depth, below, 400))
        layer += slab * (_NEIGHBOUR - _GAP + np.roll(mottle, 3 * z, axis=1))
    return volume


def _grain(canvas: Canvas, strokes: Plane, settings: Settings) -> FloatArray:
    """Return grain in greys under the strokes, of mean 0."""
    rng = canvas.rng("ink")
    size = max(canvas.px(settings.grain_size), 0.8)
    grain = smooth_field(rng, canvas.plane, size) - smooth_field(rng, canvas.plane, 2 * size)
    grain *= settings.grain * ndimage.gaussian_filter(strokes.astype(np.float32), 1.0)
    grain[~ndimage.binary_dilation(strokes, iterations=3)] = 0
    return grain


def _scan(rng: np.random.Generator, volume: FloatArray, settings: Settings) -> None:
    scanning.blur(volume, 0.7, 0.9)
    scanning.harden_beam(rng, volume, settings.hardening)
    scanning.add_streaks(rng, volume, settings.streaks, 40)
    scanning.add_noise(rng, volume, settings.noise, grain=0.5)
