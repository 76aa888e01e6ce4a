"""How a segmentation misses the surface: smooth wander, tilt, steps, and jumps to a neighbouring sheet.

Arguments are in µm, errors ``(y, x)`` in layers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_ink.phantom.fields import FloatArray, smooth_field
from napari_ink.phantom.worlds.frame import Canvas


def wander(rng: np.random.Generator, canvas: Canvas, strength: float, scale: float) -> FloatArray:
    """Return a smooth error, limited to three standard deviations of `strength`, that changes over `scale`."""
    return (canvas.px(strength) * np.clip(canvas.field(rng, scale), -3, 3)).astype(np.float32)


def tilt(rng: np.random.Generator, canvas: Canvas, most: float) -> FloatArray:
    """Return an error that grows steadily across the segment, up to `most` at two opposite corners."""
    angle = rng.uniform(0, 2 * np.pi)
    ys, xs = (np.linspace(-1, 1, n) for n in canvas.plane)
    slope = np.sin(angle) * ys[:, None] + np.cos(angle) * xs[None]
    limit = canvas.px(most)
    return np.asarray(rng.uniform(-limit, limit) * slope / np.abs(slope).max(), dtype=np.float32)


def steps(rng: np.random.Generator, canvas: Canvas, strength: float, patch: float) -> FloatArray:
    """Return an error that is constant over patches of about the given size, with ramps between."""
    shape, size = canvas.plane, canvas.px(patch)
    coarse = canvas.px(strength) * rng.uniform(-1.5, 1.5, (int(shape[0] / size) + 2, int(shape[1] / size) + 2))
    ys, xs = (np.arange(n) / size + rng.uniform(0, 1) for n in shape)
    blocks = coarse[ys.astype(int)[:, None], xs.astype(int)[None]]
    return np.asarray(ndimage.gaussian_filter(blocks, size / 6, mode="nearest"), dtype=np.float32)


def jump(
    rng: np.random.Generator, canvas: Canvas, distance: float, share: float
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return an error of `distance` layers on one side of a bent line, a steep ramp, and where it is not 0.

    About `share` of the plane lies on that side.
    """
    # Only its direction matters: the next line scales it.
    field = tilt(rng, canvas, canvas.voxel_um)
    field = field / max(float(np.abs(field).max()), 1e-6) + 0.15 * smooth_field(rng, canvas.plane, 60.0)
    ramp = np.clip((field - np.quantile(field, 1 - share)) / 0.04, 0, 1)
    return (distance * ramp).astype(np.float32), ramp > 0
