"""Grain like that of wood, noise stretched along one direction and warped; ink that mats the fibres of the face.

Where ink has dried, the uppermost fibres stick together: their texture is smoothed, its mean stays. The script is
made of arcs, bars and dots, in columns.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import ndimage

from napari_ink.phantom.fields import FloatArray, smooth_field
from napari_ink.phantom.worlds import scanning, segmentation
from napari_ink.phantom.worlds.frame import Canvas, Papyrus, Plane
from napari_ink.phantom.worlds.hands import geometric
from napari_ink.phantom.worlds.textures import (
    as_greys,
    at_depth,
    even_in_depth,
    filtered_planes,
    inside,
    places,
    power_law,
)

_GAP = 17.0


@dataclass(frozen=True)
class Settings:
    """What is drawn from the seed; lengths in µm, greys of 0 to 255."""

    thickness: float
    stretch: float
    warp: float
    knots: int
    matted: float
    matted_depth: float
    matted_size: float
    wander: float
    tilt: float
    noise: float
    grain: float
    halo: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Settings:
        """Draw settings."""
        return cls(
            thickness=float(rng.uniform(95, 122)),
            stretch=float(rng.uniform(4, 7)),
            warp=float(rng.uniform(50, 110)),
            knots=int(rng.integers(0, 4)),
            matted=float(rng.uniform(0.4, 0.75)),
            matted_depth=float(rng.uniform(14, 28)),
            matted_size=float(rng.uniform(25, 50)),
            wander=float(rng.uniform(7, 16)),
            tilt=float(rng.uniform(0, 30)),
            noise=float(rng.uniform(1.5, 2.8)),
            grain=float(rng.uniform(0.3, 0.6)),
            halo=float(rng.uniform(0.1, 0.5)),
        )


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan."""
    settings = Settings.drawn(canvas.rng("settings"))
    rng = canvas.rng("sheet")
    planes = _sheet(rng, canvas, settings)
    face = segmentation.wander(rng, canvas.plane, canvas.px(settings.wander), canvas.px(900))
    face += segmentation.tilt(rng, canvas.plane, canvas.px(settings.tilt))
    face += canvas.px(4) * smooth_field(rng, canvas.plane, canvas.px(30))
    missing = places(rng, canvas.plane, canvas.px(160), float(rng.uniform(0, 0.05)))
    strokes = canvas.write(geometric.write) & ~missing
    volume = _stacked(rng, canvas, planes, face, canvas.px(settings.thickness) * ~missing, strokes, settings)
    _scan(canvas.rng("scan"), volume, settings)
    return Papyrus(volume, strokes, asdict(settings))


def _sheet(rng: np.random.Generator, canvas: Canvas, settings: Settings) -> FloatArray:
    """Return greys ``(u, y, x)``: grain along x, along y in the lower half, bent by a field and around knots."""
    count = max(round(canvas.px(settings.thickness)), 4)
    half, corner, depth_scale = count // 2, 1 / canvas.px(560), canvas.px(18.5)
    upper = filtered_planes(rng, (half, *canvas.plane), power_law(3.1, corner, (1.0, settings.stretch)), depth_scale)
    lower = filtered_planes(
        rng, (count - half, *canvas.plane), power_law(3.1, corner, (settings.stretch, 1.0)), depth_scale
    )
    texture = np.concatenate([upper, lower])
    ys, xs = np.indices(canvas.plane, dtype=np.float32)
    bent = [canvas.px(settings.warp) * smooth_field(rng, canvas.plane, canvas.px(size)) for size in (420, 420)]
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


def _stacked(
    rng: np.random.Generator,
    canvas: Canvas,
    planes: FloatArray,
    face: FloatArray,
    thickness: FloatArray,
    strokes: Plane,
    settings: Settings,
) -> FloatArray:
    others = planes[::-1].copy()  # before the ink, which the neighbours do not have
    _mat(canvas, planes, strokes, settings)
    # Neighbours lean, so that gaps narrow to one side.
    above = canvas.px(165) + segmentation.tilt(rng, canvas.plane, canvas.px(70))
    below = canvas.px(215) + segmentation.tilt(rng, canvas.plane, canvas.px(50))
    volume = np.empty(canvas.shape, dtype=np.float32)
    for z, layer in enumerate(volume):
        depth = (z - canvas.middle - face).astype(np.float32)
        layer[:] = _GAP + inside(depth, 0, thickness) * (at_depth(planes, depth) - _GAP)
        before, after = inside(depth, -400, -above), inside(depth, below, 400)
        if before.any():
            layer += 0.4 * before * (at_depth(others, -above - depth) - _GAP)
        if after.any():
            layer += 0.25 * after * (at_depth(others, depth - below) - _GAP)
    return volume


def _mat(canvas: Canvas, planes: FloatArray, strokes: Plane, settings: Settings) -> None:
    """Smooth the texture under the strokes, in place, less with depth."""
    rng = canvas.rng("ink")
    uneven = np.clip(1 + 0.35 * smooth_field(rng, canvas.plane, canvas.px(80)), 0.2, 1.3)
    amount = settings.matted * uneven * ndimage.gaussian_filter(strokes.astype(np.float32), 1.0)
    amount[~ndimage.binary_dilation(strokes, iterations=3)] = 0
    for u, plane in enumerate(planes):
        fade = np.exp(-0.5 * (u / canvas.px(settings.matted_depth)) ** 2)
        if fade > 0.02:
            smooth = ndimage.gaussian_filter(plane, canvas.px(settings.matted_size), truncate=3.0)
            plane += np.clip(fade * amount, 0, 1).astype(np.float32) * (smooth - plane)


def _scan(rng: np.random.Generator, volume: FloatArray, settings: Settings) -> None:
    scanning.blur(volume, 0.6, 0.8)
    scanning.sharpen(volume, settings.halo, 2.5)
    scanning.add_noise(rng, volume, settings.noise, settings.grain)
