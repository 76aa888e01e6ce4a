"""Tools for the textures of worlds: filtered noise in planes, greys by rank, uneven places and strokes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from napari_ink.phantom.fields import FloatArray, smooth_field
from napari_ink.phantom.worlds.frame import Canvas, Plane

Gain = Callable[[npt.NDArray[np.floating], npt.NDArray[np.floating]], npt.NDArray[np.floating]]
# Shares of voxels of a published layer (Scroll 1, 7.91 µm, 8-bit) that are darker than each of the greys.
_SHARES = np.array([0.0005, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.9995])
_GREYS = np.array([28, 39, 56, 82, 109, 152, 200, 226, 246], dtype=np.float32)
_SAMPLED = 100_000


def standardised(field: npt.NDArray[np.floating]) -> FloatArray:
    """Return a field shifted and scaled to mean 0 and standard deviation 1."""
    field = field - field.mean()
    return (field / max(float(field.std()), 1e-12)).astype(np.float32)


def filtered_planes(
    rng: np.random.Generator, shape: tuple[int, int, int], gain: Gain, depth_scale: float
) -> FloatArray:
    """Return noise ``(u, y, x)``, of mean 0 and standard deviation 1, whose spectrum in each plane is given.

    Parameters
    ----------
    rng
        Source of the noise.
    shape
        Planes, height and width.
    gain
        Amplitude at frequencies ``(fy, fx)`` in cycles per pixel.
    depth_scale
        Number of planes after which the texture has changed: their likeness falls as that of published layers does
        with distance (0.93, 0.74, 0.27 and −0.15 after 0.5, 1, 2 and 4 times this).
    """
    noise = filtered_along_depth(rng, shape[0], shape[1] * shape[2], depth_scale).reshape(shape)
    amplitude = gain(fft.fftfreq(shape[1])[:, None], fft.rfftfreq(shape[2])[None]).astype(np.float32)
    # Planes of different means would be bright and dark layers, which sheets do not have.
    amplitude[0, 0] = 0
    for layer in noise:
        layer[:] = fft.irfft2(fft.rfft2(layer) * amplitude, s=shape[1:])
    return standardised(noise)


def filtered_along_depth(rng: np.random.Generator, planes: int, size: int, scale: float) -> FloatArray:
    """Return noise ``(planes, size)`` that changes along the depth as published scans do; see `filtered_planes`."""
    reach = int(3 * scale)
    distance = np.arange(planes)[:, None] + reach - np.arange(planes + 2 * reach)
    # A bell without a part of a wider one: layers farther away are unlike each other, not only independent.
    bells = [np.exp(-0.5 * (distance / (width * scale)) ** 2) / width for width in (1.0, 3.0)]
    matrix = np.asarray(bells[0] - 0.4 * bells[1], dtype=np.float32)
    mixed: FloatArray = matrix @ rng.standard_normal((planes + 2 * reach, size), dtype=np.float32)
    return mixed


def power_law(slope: float, corner: float, stretch: tuple[float, float] = (1.0, 1.0)) -> Gain:
    """Return the gain of noise whose power falls as ``f**-slope`` above a `corner` frequency.

    `stretch` multiplies frequencies along y and x: a large one makes the texture long in that direction.
    """

    def gain(fy: npt.NDArray[np.floating], fx: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        squared = (fy * stretch[0]) ** 2 + (fx * stretch[1]) ** 2 + corner**2
        return np.asarray(squared ** (-slope / 4))

    return gain


def as_greys(rng: np.random.Generator, texture: FloatArray, judged: slice = slice(None)) -> FloatArray:
    """Return a texture in greys: by rank as in published layers, with contrast and brightness varied a little.

    Ranks are those among the `judged` planes.
    """
    sample = texture[judged].ravel()[:: max(texture.size // _SAMPLED, 1)]
    greys = (_GREYS - _GREYS[4]) * rng.uniform(0.9, 1.1) + _GREYS[4] * rng.uniform(0.85, 1.0)
    return np.asarray(np.interp(texture, np.quantile(sample, _SHARES), greys), dtype=np.float32)


def even_in_depth(texture: FloatArray) -> FloatArray:
    """Return a texture ``(u, y, x)`` less a part of its mean along the depth, as a sheet's weight varies little."""
    lighter: FloatArray = texture - 0.2 * texture.mean(axis=0)
    return lighter


def places(rng: np.random.Generator, canvas: Canvas, size: float, share: float) -> Plane:
    """Return places of about `size` micrometres with uneven edges, which cover a `share` of the plane."""
    if share <= 0:
        return np.zeros(canvas.plane, dtype=bool)
    scale = canvas.px(size)
    field = smooth_field(rng, canvas.plane, scale) + 0.35 * smooth_field(rng, canvas.plane, scale / 3)
    chosen: Plane = field > np.quantile(field, 1 - share)
    return chosen


def uneven(
    rng: np.random.Generator, canvas: Canvas, size: float, spread: float, limits: tuple[float, float]
) -> FloatArray:
    """Return factors ``(y, x)`` around 1 that change over `size` micrometres, as ink is thick and thin."""
    factors: FloatArray = np.clip(1 + spread * canvas.field(rng, size), limits[0], limits[1])
    return factors


def softened(strokes: Plane | FloatArray, sigma: float, reach: int) -> FloatArray:
    """Return strokes, or levels of them, ``(y, x)`` with soft edges, and exactly 0 beyond `reach` pixels from them."""
    soft: FloatArray = ndimage.gaussian_filter(strokes.astype(np.float32), sigma)
    # A Gaussian's tail would change voxels far from the ink, and a blank phantom is to differ nowhere else.
    soft[~ndimage.binary_dilation(strokes > 0, iterations=reach)] = 0
    return soft
