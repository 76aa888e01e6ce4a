"""Woven strips of two plies with different periods; ink that is a raised crust of the same grey as papyrus.

Strips of each ply have a grey of their own and ridges along them, and dive under and over each other where they cross.
The crust lifts the face; crumbs elsewhere do too. A segmentation jumps to the next sheet at times. Letters are printed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from napari_ink.phantom.fields import FloatArray, smooth_field
from napari_ink.phantom.worlds import scanning, segmentation
from napari_ink.phantom.worlds.frame import GAP, Canvas, DrawnSettings, Papyrus, Plane, between, drawn_by
from napari_ink.phantom.worlds.hands import printed
from napari_ink.phantom.worlds.sheets import Sheet, add_sheet, inside
from napari_ink.phantom.worlds.textures import (
    as_greys,
    even_in_depth,
    filtered_along_depth,
    filtered_planes,
    places,
    power_law,
    softened,
    standardised,
    uneven,
)


@dataclass(frozen=True)
class Settings(DrawnSettings):
    """What is drawn from the seed, in this order; lengths in µm, greys of 0 to 255."""

    thickness: float = between(95, 120)
    strips: float = between(170, 260)
    crossed_strips: float = between(110, 160)
    ridges: float = between(0.3, 0.6)
    crust: float = between(4, 9)
    crust_grain: float = between(5, 12)
    crumbs: float = between(0.06, 0.18)
    # The second draw decides whether there is a jump. Both are made in any case, for the sake of later fields.
    jump: float = drawn_by(lambda rng: float(rng.uniform(0.04, 0.2)) * (rng.random() < 0.35))
    wander: float = between(6, 14)
    noise: float = between(1.5, 3)
    rings: float = between(0, 3)


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan."""
    settings = Settings.drawn(canvas)
    rng = canvas.rng("sheet")
    planes, over = _sheet(rng, canvas, settings)
    thickness = canvas.px(settings.thickness)
    pitch = thickness + canvas.px(130)
    error = segmentation.wander(rng, canvas, settings.wander, 800)
    shift, jumped = segmentation.jump(rng, canvas, pitch, settings.jump)
    missing = places(rng, canvas, 130, rng.uniform(0, 0.04))
    # Layers show the next sheet beyond a jump, and only this one bears ink.
    strokes = canvas.write(printed.write) & ~missing & ~jumped
    rough = canvas.px(4) * canvas.field(rng, 35)
    face = error + shift + rough - canvas.px(5) * over
    crust = _crust(rng, canvas, strokes, settings)
    volume = _stacked(rng, canvas, Sheet(planes, face, thickness * ~missing), crust, pitch)
    _scan(canvas.rng("scan"), volume, settings)
    return Papyrus(volume, strokes, asdict(settings))


def _sheet(rng: np.random.Generator, canvas: Canvas, settings: Settings) -> tuple[FloatArray, FloatArray]:
    """Return greys ``(u, y, x)`` and where strips along x lie over the others, −1 to 1 ``(y, x)``."""
    shape = canvas.sheet_shape(settings.thickness)
    count = shape[0]
    texture = 0.55 * filtered_planes(rng, shape, power_law(3.1, 1 / canvas.px(700)), canvas.px(16))
    along, along_phase = _strips(rng, canvas, count, canvas.plane, settings.strips, settings.ridges)
    across, across_phase = _strips(rng, canvas, count, canvas.plane[::-1], settings.crossed_strips, settings.ridges)
    across, across_phase = across.transpose(0, 2, 1), across_phase.T
    over = (np.sin(np.pi * along_phase) * np.sin(np.pi * across_phase)).astype(np.float32)
    border = 0.5 * count + 0.25 * count * over
    for u, plane in enumerate(texture):
        share = np.clip(border - u + 0.5, 0, 1)
        plane += share * along[u] + (1 - share) * across[u]
    return as_greys(rng, even_in_depth(texture)), over


def _strips(
    rng: np.random.Generator, canvas: Canvas, count: int, shape: tuple[int, int], width: float, ridges: float
) -> tuple[FloatArray, FloatArray]:
    """Return strips along the last axis ``(u, y, x)``, and how many strips lie above each pixel ``(y, x)``."""
    bend = 0.25 * smooth_field(rng, shape, canvas.px(1500))
    slope = rng.normal(0, 0.05) * np.arange(shape[1]) / canvas.px(width)
    phase = np.arange(shape[0])[:, None] / canvas.px(width) + slope + bend + rng.uniform(5, 9)
    # Strips are numbered by their phase, and numbers are indices below: none may be negative.
    phase += max(0.0, -float(phase.min()))
    strip = phase.astype(np.intp)
    knots = max(int(shape[1] / canvas.px(350)), 1) + 2
    greys = standardised(filtered_along_depth(rng, count, (int(strip.max()) + 1) * knots, canvas.px(16)))
    greys = greys.reshape(count, -1, knots)
    at = np.broadcast_to(np.linspace(0, knots - 1.001, shape[1]), shape)
    left = at.astype(np.intp)
    blend = (at - left).astype(np.float32)
    blend *= blend * (3 - 2 * blend)
    inner = phase - strip
    # Ridges within each strip, and a dark seam where two strips meet.
    relief = ridges * np.sin(2 * np.pi * inner * rng.integers(2, 4)) - 1.2 * np.exp(
        -((np.minimum(inner, 1 - inner) / 0.06) ** 2)
    )
    strength = 0.4 + standardised(filtered_along_depth(rng, count, 1, canvas.px(16)))[:, 0]
    planes = np.empty((count, *shape), dtype=np.float32)
    for u, plane in enumerate(planes):
        plane[:] = (1 - blend) * greys[u, strip, left] + blend * greys[u, strip, left + 1] + strength[u] * relief
    return planes, phase.astype(np.float32)


def _crust(
    rng: np.random.Generator, canvas: Canvas, strokes: Plane, settings: Settings
) -> tuple[FloatArray, FloatArray]:
    """Return the height of what lies on the face, in layers, and its grey, both ``(y, x)``."""
    # The sheet's generator, not the ink's: a blank sheet has the same crumbs.
    crumbs = places(rng, canvas, 70, settings.crumbs)
    ink = canvas.rng("ink")
    level = canvas.px(settings.crust) * uneven(ink, canvas, 60, 0.35, (0.2, 2))
    lying = softened(np.where(strokes | crumbs, level, 0), canvas.px(6), 4)
    # About the middle grey of papyrus, so that the crust shows by its relief alone.
    grain = 98 + settings.crust_grain * canvas.field(ink, 14)
    return lying, grain.astype(np.float32)


def _stacked(
    rng: np.random.Generator, canvas: Canvas, sheet: Sheet, crust: tuple[FloatArray, FloatArray], pitch: float
) -> FloatArray:
    """Return greys ``(z, y, x)`` of three sheets, one `pitch` apart; the outer ones are less dense."""
    height, crust_grey = crust
    apart = pitch + segmentation.wander(rng, canvas, 8, 900)
    others = [sheet.planes[:, ::-1], sheet.planes[:, :, ::-1]]
    volume = canvas.empty_scan()
    for z, layer in enumerate(volume):
        depth = canvas.depth_below(sheet.face, z)
        add_sheet(layer, inside(depth, 0, sheet.thickness), sheet.planes, depth)
        layer += inside(depth, -height, 0) * (crust_grey - GAP)
        for other, shift, share in zip(others, (-apart, apart), (0.38, 0.33), strict=True):
            add_sheet(layer, share * inside(depth - shift, 0, canvas.px(110)), other, depth - shift)
    return volume


def _scan(rng: np.random.Generator, volume: FloatArray, settings: Settings) -> None:
    scanning.blur(volume, 0.75, 0.7)
    scanning.add_rings(rng, volume, settings.rings, tilt=0.5)
    scanning.add_poisson_noise(rng, volume, settings.noise)
