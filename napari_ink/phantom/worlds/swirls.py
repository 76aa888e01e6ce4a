"""Grain like that of wood, noise stretched along one direction and warped; ink that mats the fibres of the face.

Where ink has dried, the uppermost fibres stick together: their texture is smoothed, its mean stays. The script is
made of arcs, bars and dots, in columns.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import ndimage

from napari_ink.phantom.fields import FloatArray
from napari_ink.phantom.worlds import scanning, segmentation
from napari_ink.phantom.worlds.frame import Canvas, DrawnSettings, Papyrus, Plane, between, drawn_by
from napari_ink.phantom.worlds.hands import geometric
from napari_ink.phantom.worlds.sheets import Sheet, add_sheet, before, behind, inside
from napari_ink.phantom.worlds.textures import (
    as_greys,
    even_in_depth,
    filtered_planes,
    places,
    power_law,
    softened,
    uneven,
)


@dataclass(frozen=True)
class Settings(DrawnSettings):
    """What is drawn from the seed, in this order; lengths in µm, greys of 0 to 255."""

    thickness: float = between(95, 122)
    stretch: float = between(4, 7)
    warp: float = between(50, 110)
    knots: int = drawn_by(lambda rng: int(rng.integers(0, 4)))
    matted: float = between(0.4, 0.75)
    matted_depth: float = between(14, 28)
    matted_size: float = between(25, 50)
    wander: float = between(7, 16)
    tilt: float = between(0, 30)
    noise: float = between(1.5, 2.8)
    grain: float = between(0.3, 0.6)
    halo: float = between(0.1, 0.5)


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan."""
    settings = Settings.drawn(canvas)
    rng = canvas.rng("sheet")
    planes = _sheet(rng, canvas, settings)
    face = segmentation.wander(rng, canvas, settings.wander, 900)
    face += segmentation.tilt(rng, canvas, settings.tilt)
    face += canvas.px(4) * canvas.field(rng, 30)
    missing = places(rng, canvas, 160, rng.uniform(0, 0.05))
    strokes = canvas.write(geometric.write) & ~missing
    sheet = Sheet(planes, face, canvas.px(settings.thickness) * ~missing)
    volume = _stacked(rng, canvas, settings, sheet, strokes)
    _scan(canvas.rng("scan"), volume, settings)
    return Papyrus(volume, strokes, asdict(settings))


def _sheet(rng: np.random.Generator, canvas: Canvas, settings: Settings) -> FloatArray:
    """Return greys ``(u, y, x)``: grain along x, along y in the lower half, bent by a field and around knots."""
    count = canvas.sheet_shape(settings.thickness)[0]
    plies = []
    for planes, stretch in ((count // 2, (1.0, settings.stretch)), (count - count // 2, (settings.stretch, 1.0))):
        gain = power_law(3.1, 1 / canvas.px(560), stretch)
        plies.append(filtered_planes(rng, (planes, *canvas.plane), gain, canvas.px(18.5)))
    texture = np.concatenate(plies)
    ys, xs = np.indices(canvas.plane, dtype=np.float32)
    bent = [canvas.px(settings.warp) * canvas.field(rng, 420) for _ in range(2)]
    for _ in range(settings.knots):
        _tie_knot(rng, canvas, bent)
    where = np.stack([ys + bent[0], xs + bent[1]])
    for plane in texture:
        plane[:] = ndimage.map_coordinates(plane, where, order=1, mode="mirror")
    return as_greys(rng, even_in_depth(texture))


def _tie_knot(rng: np.random.Generator, canvas: Canvas, bent: list[FloatArray]) -> None:
    """Let the grain flow around a place, in place."""
    centre, size = rng.uniform((0, 0), canvas.plane), canvas.px(rng.uniform(200, 500))
    ys, xs = (np.arange(n, dtype=np.float32) - c for n, c in zip(canvas.plane, centre, strict=True))
    near = np.exp(-0.5 * ((ys[:, None] / size) ** 2 + (xs[None] / size) ** 2)).astype(np.float32)
    turn = rng.uniform(-1.2, 1.2)
    bent[0] += turn * near * xs[None]
    bent[1] -= turn * near * ys[:, None]


def _stacked(rng: np.random.Generator, canvas: Canvas, settings: Settings, sheet: Sheet, strokes: Plane) -> FloatArray:
    others = sheet.planes[::-1].copy()  # before the ink, which the neighbours do not have
    _mat(canvas, sheet.planes, strokes, settings)
    # Neighbours lean, so that gaps narrow to one side.
    above = canvas.px(165) + segmentation.tilt(rng, canvas, 70)
    below = canvas.px(215) + segmentation.tilt(rng, canvas, 50)
    volume = canvas.empty_scan()
    for z, layer in enumerate(volume):
        depth = canvas.depth_below(sheet.face, z)
        add_sheet(layer, inside(depth, 0, sheet.thickness), sheet.planes, depth)
        add_sheet(layer, 0.4 * before(depth, above), others, -above - depth)
        add_sheet(layer, 0.25 * behind(depth, below), others, depth - below)
    return volume


def _mat(canvas: Canvas, planes: FloatArray, strokes: Plane, settings: Settings) -> None:
    """Smooth the texture under the strokes, in place, less with depth."""
    rng = canvas.rng("ink")
    amount = settings.matted * uneven(rng, canvas, 80, 0.35, (0.2, 1.3)) * softened(strokes, 1.0, 3)
    for u, plane in enumerate(planes):
        fade = np.exp(-0.5 * (u / canvas.px(settings.matted_depth)) ** 2)
        # Deeper planes would change by about a grey, and cost as much to smooth.
        if fade > 0.02:
            smooth = ndimage.gaussian_filter(plane, canvas.px(settings.matted_size), truncate=3.0)
            plane += np.clip(fade * amount, 0, 1).astype(np.float32) * (smooth - plane)


def _scan(rng: np.random.Generator, volume: FloatArray, settings: Settings) -> None:
    scanning.blur(volume, 0.6, 0.8)
    scanning.sharpen(volume, settings.halo, 2.5)
    scanning.add_noise(rng, volume, settings.noise, settings.grain)
