"""Random fields: noise with the spectrum that papyrus has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

FloatArray = npt.NDArray[np.float32]


def _standardised(field: npt.NDArray[np.floating]) -> FloatArray:
    field = field - field.mean()
    return (field / max(float(field.std()), 1e-12)).astype(np.float32)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> FloatArray:
    """Return Gaussian noise ``(y, x)`` smoothed over `scale` pixels, of mean 0 and standard deviation 1."""
    # Wider than the plane and cut, so that small planes are not forced to a mean of zero and edges do not wrap around.
    pad = min(int(2 * scale), 600)
    grid = (shape[0] + pad, shape[1] + pad)
    fy, fx = fft.fftfreq(grid[0])[:, None], fft.rfftfreq(grid[1])[None]
    spectrum = fft.rfft2(rng.standard_normal(grid, dtype=np.float32))
    spectrum *= np.exp(-2 * (np.pi * scale) ** 2 * (fy**2 + fx**2))
    return _standardised(fft.irfft2(spectrum, s=grid))[: shape[0], : shape[1]]


def fibre_texture(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    angle: float,
    stretch: float,
    slope: float = 3.1,
    depth_scale: float = 1.7,
) -> FloatArray:
    """Return long fibres: noise ``(u, y, x)`` whose power falls with frequency, much faster along the fibres.

    Parameters
    ----------
    rng
        Source of the noise.
    shape
        Layers, height and width.
    angle
        Direction of the fibres in radians; 0 runs along x.
    stretch
        Length of a fibre over its width.
    slope
        The power spectrum falls as ``f**-slope`` across the fibres.
    depth_scale
        Standard deviation, in layers, of the smoothing along the depth.

    Returns
    -------
    ndarray
        float32 of mean 0 and standard deviation 1.
    """
    fy, fx = fft.fftfreq(shape[1])[:, None], fft.rfftfreq(shape[2])[None]
    along, across = fx * np.cos(angle) + fy * np.sin(angle), fy * np.cos(angle) - fx * np.sin(angle)
    # 0.014 bounds the power of waves longer than about 70 pixels, which would otherwise outweigh the fibres.
    frequency = np.sqrt((along * stretch) ** 2 + across**2 + 0.014**2)
    gain = (frequency ** (-slope / 2)).astype(np.float32)
    gain[0, 0] = 0
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise = ndimage.gaussian_filter1d(noise, depth_scale, axis=0, mode="wrap")
    for layer in noise:
        layer[:] = fft.irfft2(fft.rfft2(layer) * gain, s=shape[1:])
    return _standardised(noise)
