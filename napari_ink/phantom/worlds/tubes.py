"""Hollow fibres, one by one; ink that soaked into the upper ones and fills them, brighter the emptier they were.

Each fibre is a tube with a bright wall and a dark lumen, drawn into the sheet where it runs. The neighbouring sheets
are made of fibres too. The pen is a broad nib that writes loops.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from napari_ink.phantom.fields import FloatArray, smooth_field
from napari_ink.phantom.worlds import scanning, segmentation
from napari_ink.phantom.worlds.frame import Canvas, DrawnSettings, Papyrus, Plane, between
from napari_ink.phantom.worlds.hands import cursive
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

_MARGIN = 5  # planes before the surface and behind the sheet, which the neighbours' fibres and the ink may need


@dataclass(frozen=True)
class Settings(DrawnSettings):
    """What is drawn from the seed, in this order; lengths in µm, greys of 0 to 255."""

    thickness: float = between(100, 122)
    fibre: float = between(38, 62)
    wall: float = between(0.25, 0.4)
    fill: float = between(0.55, 0.95)
    soak: float = between(12, 30)
    patchy: float = between(0.2, 0.6)
    wander: float = between(8, 20)
    tilt: float = between(0, 25)
    noise: float = between(1.2, 3.0)
    rings: float = between(1, 4)


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan."""
    settings = Settings.drawn(canvas)
    rng = canvas.rng("sheet")
    planes = _sheet(rng, canvas, settings)
    missing = places(rng, canvas, 120, rng.uniform(0, 0.04))
    face = segmentation.wander(rng, canvas, settings.wander, 700)
    face += segmentation.tilt(rng, canvas, settings.tilt)
    strokes = canvas.write(cursive.write)
    sheet = Sheet(planes, face, canvas.px(settings.thickness) * ~missing)
    volume = _stacked(rng, canvas, settings, sheet, strokes)
    _scan(canvas.rng("scan"), volume, settings)
    return Papyrus(volume, strokes & ~missing, asdict(settings))


def _sheet(rng: np.random.Generator, canvas: Canvas, settings: Settings) -> FloatArray:
    """Return greys ``(u, y, x)`` of two crossed plies; plane `_MARGIN` is the surface."""
    thick = canvas.px(settings.thickness)
    shape = (round(thick) + 2 * _MARGIN, *canvas.plane)
    texture = 0.55 * filtered_planes(rng, shape, power_law(3.0, 0.01), 2.0 * canvas.px(7.91))
    _lay_fibres(rng, texture, canvas, settings, (_MARGIN - 1, _MARGIN + 0.55 * thick))
    _lay_fibres(rng, texture.transpose(0, 2, 1), canvas, settings, (_MARGIN + 0.45 * thick, _MARGIN + thick))
    return as_greys(rng, even_in_depth(texture), slice(_MARGIN, -_MARGIN))


def _lay_fibres(
    rng: np.random.Generator, texture: FloatArray, canvas: Canvas, settings: Settings, depths: tuple[float, float]
) -> None:
    """Draw fibres along the last axis of `texture` between two depths, in place."""
    height, length = texture.shape[1:]
    radius = 0.5 * canvas.px(settings.fibre)
    # About half of the fibres run at any x, so that this many fill the ply's cross-section once.
    count = int(2.2 * height * (depths[1] - depths[0]) / (np.pi * radius**2))
    bright = smooth_field(rng, (height, 8), canvas.px(130))[:, 0]
    slant, knots = rng.normal(0, 0.04), max(int(length / canvas.px(200)), 2)
    for _ in range(count):
        y0, r = rng.uniform(0, height), radius * rng.uniform(0.65, 1.35)
        first, last = np.sort(rng.uniform(-0.8, 1.8, 2) * length).astype(int).clip(0, length)
        if last - first < 4:
            continue
        x = np.arange(first, last)
        bend = np.interp(x, np.linspace(0, length, 9), np.cumsum(rng.normal(0, 0.012 * length / 8, 9)))
        y = y0 + slant * (x - length / 2) + bend
        z = rng.uniform(depths[0] + r, max(depths[1] - r, depths[0] + r + 0.1)) + 0.15 * bend
        value = -0.1 + 0.6 * bright[int(y0)] + 0.45 * rng.standard_normal()
        along = np.interp(x, np.linspace(0, length, knots), 0.45 * rng.standard_normal(knots))
        _draw_fibre(texture, (z, y, x), r, settings.wall, (value + along)[:, None, None])


def _draw_fibre(
    texture: FloatArray, path: tuple[np.ndarray, np.ndarray, np.ndarray], radius: float, wall: float, value: np.ndarray
) -> None:
    z, y, x = path
    reach = int(radius) + 1
    offsets = np.arange(-reach, reach + 1)
    zs = np.rint(z).astype(int)[:, None, None] + offsets[None, :, None]
    ys = np.rint(y).astype(int)[:, None, None] + offsets[None, None, :]
    zs, ys = np.broadcast_arrays(zs, ys)
    rho = np.hypot(zs - z[:, None, None], ys - y[:, None, None]) / radius
    xs = np.broadcast_to(x[:, None, None], rho.shape)
    hit = (rho < 1) & (zs >= 0) & (zs < texture.shape[0]) & (ys >= 0) & (ys < texture.shape[1])
    grey = np.broadcast_to(value, rho.shape)[hit] + 0.5 - 1.1 * (rho[hit] < 1 - wall) * np.sqrt(1 - rho[hit])
    at = zs[hit], ys[hit], xs[hit]
    # A fibre keeps a little of what lies under it, so that crossings show both.
    texture[at] = 0.7 * grey + 0.3 * texture[at]


def _soak(canvas: Canvas, planes: FloatArray, strokes: Plane, settings: Settings) -> None:
    """Fill the fibres under the strokes, in place: the darker the voxel, the more."""
    rng = canvas.rng("ink")
    amount = settings.fill * uneven(rng, canvas, 60, settings.patchy, (0, 2)) * softened(strokes, canvas.px(8), 3)
    middle = float(np.median(planes))
    for u, plane in enumerate(planes):
        depth = max(u - _MARGIN, 0)
        fade = np.exp(-0.5 * (depth / canvas.px(settings.soak)) ** 2)
        # Full lumens are brighter, and walls lose some of what set them off.
        plane += (fade * amount * np.where(plane < middle, 0.8, 0.5) * (middle - plane)).astype(np.float32)


def _stacked(rng: np.random.Generator, canvas: Canvas, settings: Settings, sheet: Sheet, strokes: Plane) -> FloatArray:
    turned = sheet.planes[::-1, ::-1, ::-1].copy()  # before the ink, which the neighbours do not have
    _soak(canvas, sheet.planes, strokes, settings)
    above, below = (canvas.px(um) + segmentation.wander(rng, canvas, 18, 600) for um in (150, 215))
    volume = canvas.empty_scan()
    for z, layer in enumerate(volume):
        depth = canvas.depth_below(sheet.face, z)
        add_sheet(layer, inside(depth, 0, sheet.thickness), sheet.planes, depth + _MARGIN)
        add_sheet(layer, 0.36 * before(depth, above), turned, _MARGIN + np.maximum(-above - depth, 0))
        add_sheet(layer, 0.25 * behind(depth, below), turned, _MARGIN + np.maximum(depth - below, 0))
    return volume


def _scan(rng: np.random.Generator, volume: FloatArray, settings: Settings) -> None:
    scanning.blur(volume, 0.8, 0.8)
    scanning.add_rings(rng, volume, settings.rings)
    scanning.add_noise(rng, volume, settings.noise)
    scanning.add_specks(rng, volume, float(rng.uniform(0, 140)))
