"""Thin leaves upon each other, parted by seams; ink that leaves only a seam under the first leaf, which it lifted.

Leaves have textures of their own and undulate one against the other; elsewhere they part by themselves. Neighbours are
broken leaves. The script is of wedges.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import ndimage

from napari_ink.phantom.fields import FloatArray
from napari_ink.phantom.worlds import scanning, segmentation
from napari_ink.phantom.worlds.frame import GAP, Canvas, DrawnSettings, Papyrus, Plane, between
from napari_ink.phantom.worlds.hands import wedges
from napari_ink.phantom.worlds.sheets import Sheet, inside
from napari_ink.phantom.worlds.textures import as_greys, filtered_planes, places, power_law, softened, uneven


@dataclass(frozen=True)
class Settings(DrawnSettings):
    """What is drawn from the seed, in this order; lengths in µm, greys of 0 to 255."""

    thickness: float = between(98, 122)
    leaf: float = between(24, 32)
    undulation: float = between(4, 9)
    seams: float = between(0.1, 0.25)
    lifted: float = between(0.3, 0.65)
    parted: float = between(0.05, 0.15)
    wander: float = between(6, 14)
    steps: float = between(0, 10)
    noise: float = between(1.2, 2.6)
    rings: float = between(0, 3)
    streaks: float = between(0, 4)


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan."""
    settings = Settings.drawn(canvas)
    rng = canvas.rng("sheet")
    leaves = _leaves(rng, canvas, settings)
    face = segmentation.wander(rng, canvas, settings.wander, 700)
    face += segmentation.steps(rng, canvas, settings.steps, 1100)
    missing = places(rng, canvas, 140, rng.uniform(0, 0.04))
    strokes = canvas.write(wedges.write) & ~missing
    sheet = Sheet(leaves, face, canvas.px(settings.thickness) * ~missing)
    volume = _stacked(rng, canvas, settings, sheet, strokes)
    _scan(canvas.rng("scan"), volume, settings)
    return Papyrus(volume, strokes, asdict(settings))


def _leaves(rng: np.random.Generator, canvas: Canvas, settings: Settings) -> FloatArray:
    """Return greys ``(leaf, y, x)``; fibres of leaf after leaf run in directions that turn by steps."""
    count = int(np.ceil(settings.thickness / settings.leaf)) + 2
    leaves = []
    for number in range(count):
        stretch = (1.0, 4.0) if number % 4 < 2 else (4.0, 1.0)
        gain = power_law(3.1, 1 / canvas.px(550), stretch)
        leaves.append(filtered_planes(rng, (1, *canvas.plane), gain, 1.0)[0])
    return as_greys(rng, np.stack(leaves))


def _stacked(rng: np.random.Generator, canvas: Canvas, settings: Settings, sheet: Sheet, strokes: Plane) -> FloatArray:
    leaves, leaf = sheet.planes, canvas.px(settings.leaf)
    offsets = [canvas.px(settings.undulation) * canvas.field(rng, 130) for _ in leaves]
    borders = np.stack([number * leaf + offset for number, offset in enumerate(offsets)])
    borders[0] = 0
    parted = [places(rng, canvas, 110, settings.parted) for _ in leaves]
    dark = np.stack([settings.seams + 0.4 * ndimage.gaussian_filter(p.astype(np.float32), 1.5) for p in parted])
    _lift(canvas, dark, strokes, settings)
    scraps = [places(rng, canvas, 500, 0.6) for _ in range(2)]
    volume = canvas.empty_scan()
    for z, layer in enumerate(volume):
        depth = canvas.depth_below(sheet.face, z)
        layer += inside(depth, 0, sheet.thickness) * (_at(leaves, borders, dark, depth, canvas) - GAP)
        for first, (top, scrap) in enumerate(zip((-canvas.px(240), canvas.px(205)), scraps, strict=True)):
            here = inside(depth, top, top + canvas.px(100)) * (0.5 if first == 0 else 0.35) * np.where(scrap, 1, 0.6)
            # A leaf is about three layers thick at 7.91 µm.
            layer += here * (leaves[(z // 3 + first) % len(leaves), ::-1] - GAP)
    return volume


def _at(leaves: FloatArray, borders: FloatArray, dark: FloatArray, depth: FloatArray, canvas: Canvas) -> FloatArray:
    """Return greys at a depth ``(y, x)`` below the face: leaf by leaf, blended at the borders, darker in seams."""
    grey = leaves[0].copy()
    soft = canvas.px(13)
    width = max(canvas.px(7), 0.8)
    shade = np.ones_like(grey)
    for number in range(1, len(leaves)):
        beyond = depth - borders[number]
        if float(beyond.max()) < -2 * soft:
            break
        share = np.clip(0.5 + 0.5 * beyond / soft, 0, 1)
        grey += share * (leaves[number] - grey)
        shade -= dark[number] * np.exp(-0.5 * (beyond / width) ** 2)
    return np.asarray(GAP + (grey - GAP) * np.clip(shade, 0, 1), dtype=np.float32)


def _lift(canvas: Canvas, dark: FloatArray, strokes: Plane, settings: Settings) -> None:
    """Darken the seam under the first leaf where ink pulled it up, in place."""
    rng = canvas.rng("ink")
    dark[1] += settings.lifted * uneven(rng, canvas, 70, 0.5, (0, 1.8)) * softened(strokes, 1.5, 4)


def _scan(rng: np.random.Generator, volume: FloatArray, settings: Settings) -> None:
    scanning.blur(volume, 0.7, 0.7)
    scanning.add_rings(rng, volume, settings.rings, tilt=-1.5)
    scanning.add_streaks(rng, volume, settings.streaks, 25)
    scanning.add_noise(rng, volume, settings.noise)
