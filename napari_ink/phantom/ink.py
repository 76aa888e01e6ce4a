"""Carbon ink: a thin, slightly rough deposit on the surface, cracked into plates, some of which have fallen off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from napari_ink.phantom.config import PhantomConfig
from napari_ink.phantom.fields import FloatArray, smooth_field

# In pixels. A stroke is about 26 wide, so cracks cross all of it; a crack is two blurs of the scanner wide.
PLATE_SIZE = 17.0
CRACK_WIDTH = 1.6


@dataclass(frozen=True, eq=False)
class Ink:
    """The ink on the papyrus.

    Attributes
    ----------
    height
        Thickness of the ink at each pixel ``(y, x)``, in layers.
    crackle
        Brightness pattern of plates (bright) and cracks (dark) ``(y, x)``: mean 0 and standard deviation 1 over the
        strokes, 0 beside them.
    """

    height: FloatArray
    crackle: FloatArray


def lay_ink(rng: np.random.Generator, strokes: npt.NDArray[np.bool_], config: PhantomConfig) -> Ink:
    """Return dried and cracked ink for the pen's `strokes` ``(y, x)``.

    Plates are Voronoi cells; a crack runs where the distances to the two nearest centres are about equal.
    """
    shape = strokes.shape
    count = max(int(strokes.size / PLATE_SIZE**2), 4)
    centres = rng.uniform((0, 0), shape, (count, 2))
    # Cracks between exact Voronoi cells would be straight lines.
    jitter = np.stack([smooth_field(rng, shape, 4.0) for _ in range(2)], axis=-1) * 1.5
    pixels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) + jitter
    distance, plate = cKDTree(centres).query(pixels, k=2)
    intact = rng.random(count)[plate[..., 0]] >= config.flaked
    cracked = distance[..., 1] - distance[..., 0] < CRACK_WIDTH
    level = config.ink_thickness * (1 + 0.2 * rng.standard_normal(count)[plate[..., 0]])
    level = level * (1 + 0.15 * smooth_field(rng, shape, 1.5))
    plates = strokes & intact & ~cracked
    return Ink(np.where(plates, np.clip(level, 0, None), 0).astype(np.float32), _crackle(plates, strokes))


def _crackle(plates: npt.NDArray[np.bool_], strokes: npt.NDArray[np.bool_]) -> FloatArray:
    share = float(plates[strokes].mean()) if strokes.any() else 0.0
    spread = max(np.sqrt(share * (1 - share)), 1e-6)
    return np.where(strokes, (plates - share) / spread, 0).astype(np.float32)
