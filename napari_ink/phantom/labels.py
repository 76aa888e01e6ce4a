"""Labels of a phantom with the errors of drawn ones: shifted off the ink, and only on the reviewed part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_ink.phantom.config import PhantomConfig
from napari_ink.phantom.fields import smooth_field

Plane = npt.NDArray[np.bool_]


def draw_labels(ink: Plane, mask: Plane, config: PhantomConfig) -> tuple[Plane, Plane]:
    """Return the drawn ink and the reviewed pixels, both bool ``(y, x)``."""
    rng = np.random.default_rng(
        [config.seed, 2]
    )  # a separate generator, so that label settings do not change the voxels
    angle = rng.uniform(0, 2 * np.pi)
    down, right = (round(config.label_shift * turn) for turn in (np.sin(angle), np.cos(angle)))
    reviewed = mask
    if config.reviewed < 1:
        field = smooth_field(
            rng, mask.shape, 60.0
        )  # smooth, so that whole areas are reviewed instead of scattered pixels
        reviewed = mask & (field <= np.quantile(field[mask], config.reviewed)) if mask.any() else mask
    return _shifted(ink, down, right) & reviewed, reviewed


def _shifted(plane: Plane, down: int, right: int) -> Plane:
    height, width = plane.shape
    padded = np.pad(plane, ((abs(down),) * 2, (abs(right),) * 2))
    top, left = abs(down) - down, abs(right) - right
    return padded[top : top + height, left : left + width]
