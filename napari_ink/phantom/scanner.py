"""Artefacts of a CT scanner: blur, rings, noise and bright specks."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_ink.phantom.config import PhantomConfig
from napari_ink.phantom.fields import FloatArray


def scan(rng: np.random.Generator, volume: FloatArray, config: PhantomConfig) -> FloatArray:
    """Return the volume ``(z, y, x)`` as scanned, in greys of 0 to 255; `volume` is overwritten."""
    for axis, sigma in enumerate((0.8, 0.75, 0.75)):
        ndimage.gaussian_filter1d(volume, sigma, axis=axis, output=volume, mode="nearest")
    profile = ndimage.gaussian_filter1d(rng.standard_normal(4096), 1.5)
    profile *= config.rings / max(float(profile.std()), 1e-12)
    # The axis of rotation lies outside the segment and the sheet runs across it, so rings cross the layers as arcs.
    axis_y, axis_x = rng.uniform(-1.5, -0.5, 2) * volume.shape[1:]
    ys, xs = np.ogrid[: volume.shape[1], : volume.shape[2]]
    radius = np.hypot(ys - axis_y, xs - axis_x)
    for z, layer in enumerate(volume):
        layer += np.interp(np.mod(radius + 2.5 * z, 4095), np.arange(4096), profile).astype(np.float32)
        layer += config.noise * rng.standard_normal(layer.shape, dtype=np.float32)
    _add_specks(rng, volume, config.specks_per_megapixel)
    return np.clip(volume, 0, 255, out=volume)


def _add_specks(rng: np.random.Generator, volume: FloatArray, per_megapixel: float) -> None:
    depth, height, width = volume.shape
    count = rng.poisson(per_megapixel * volume.size / 1e6 / 2)  # so that a ring is visible in about two layers
    for z, y, x in zip(*(rng.integers(0, n, count) for n in (depth, height, width)), strict=True):
        tall, wide = rng.integers(1, 3, 2)
        volume[z : z + 2, y : y + tall, x : x + wide] += rng.uniform(120, 200)
