"""What CT scanners do to a volume; each world chooses its own of these. All work in place, in greys of 0 to 255."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_ink.phantom.fields import FloatArray


def blur(volume: FloatArray, in_plane: float, in_depth: float) -> None:
    """Blur by Gaussians of standard deviations in voxels."""
    for axis, sigma in enumerate((in_depth, in_plane, in_plane)):
        if sigma > 0:
            ndimage.gaussian_filter1d(volume, sigma, axis=axis, output=volume, mode="nearest", truncate=3.0)


def sharpen(volume: FloatArray, amount: float, scale: float) -> None:
    """Add halos, as phase contrast and sharpening reconstruction filters do."""
    for layer in volume:
        layer += amount * (layer - ndimage.gaussian_filter(layer, scale, mode="nearest", truncate=3.0))


def add_noise(rng: np.random.Generator, volume: FloatArray, strength: float, grain: float = 0.0) -> None:
    """Add noise of standard deviation `strength`, whose `grain` in pixels is that of a Gaussian blur."""
    for layer in volume:
        noise = rng.standard_normal(layer.shape, dtype=np.float32)
        if grain > 0:
            noise = ndimage.gaussian_filter(noise, grain, mode="wrap", truncate=3.0)
            # The blur has weakened it.
            noise /= noise.std()
        layer += strength * noise


def add_poisson_noise(rng: np.random.Generator, volume: FloatArray, strength: float) -> None:
    """Add noise that grows with the square root of the grey; `strength` is that at grey 100."""
    for layer in volume:
        # Air is noisy as well, and blurred or sharpened greys may lie below 0.
        layer += 0.1 * strength * np.sqrt(np.clip(layer, 4, None)) * rng.standard_normal(layer.shape, dtype=np.float32)


def add_rings(rng: np.random.Generator, volume: FloatArray, strength: float, tilt: float = 2.5) -> None:
    """Add rings around an axis outside the volume, which move by `tilt` pixels from layer to layer."""
    profile = ndimage.gaussian_filter1d(rng.standard_normal(4096), 1.5)
    profile *= strength / profile.std()
    axis_y, axis_x = rng.uniform(-1.5, -0.5, 2) * volume.shape[1:]
    ys, xs = np.ogrid[: volume.shape[1], : volume.shape[2]]
    radius = np.hypot(ys - axis_y, xs - axis_x)
    for z, layer in enumerate(volume):
        layer += np.interp(np.mod(radius + tilt * z, 4095), np.arange(4096), profile).astype(np.float32)


def add_streaks(rng: np.random.Generator, volume: FloatArray, strength: float, count: int) -> None:
    """Add straight streaks, bright and dark, which cross several layers."""
    ys, xs = np.ogrid[: volume.shape[1], : volume.shape[2]]
    for _ in range(count):
        angle, width = rng.uniform(0, np.pi), rng.uniform(1.5, 5)
        centre = rng.uniform((0, 0), volume.shape[1:])
        across = ((ys - centre[0]) * np.cos(angle) - (xs - centre[1]) * np.sin(angle)) / width
        streak = (rng.normal(0, strength) * np.exp(-0.5 * np.asarray(across, dtype=np.float32) ** 2)).astype(np.float32)
        # From before the volume on, or the first layers would have fewer streaks.
        first = int(rng.integers(-6, len(volume)))
        volume[max(first, 0) : first + int(rng.integers(4, 12))] += streak


def harden_beam(rng: np.random.Generator, volume: FloatArray, strength: float) -> None:
    """Darken the middle of the object against its rim by a share `strength`, by way of a slope and a bowl."""
    ys, xs = (np.linspace(-1, 1, n, dtype=np.float32) for n in volume.shape[1:])
    slope_y, slope_x, bowl = rng.uniform(-1, 1, 3)
    field = slope_y * ys[:, None] + slope_x * xs[None] + bowl * (ys[:, None] ** 2 + xs[None] ** 2)
    volume *= (1 + strength * field / max(float(np.abs(field).max()), 1e-6)).astype(np.float32)


def add_specks(rng: np.random.Generator, volume: FloatArray, per_megapixel: float) -> None:
    """Add bright specks of one to five voxels: so many per million pixels of a layer."""
    count = rng.poisson(per_megapixel * volume.size / 1e6 / 2)  # each shows in about two layers
    for z, y, x in zip(*(rng.integers(0, n, count) for n in volume.shape), strict=True):
        tall, wide = rng.integers(1, 3, 2)
        volume[z : z + 2, y : y + tall, x : x + wide] += rng.uniform(120, 200)
