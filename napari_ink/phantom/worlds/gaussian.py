"""The generator of the published sets as one world among others: Gaussian fibre fields and plates of carbon ink."""

from __future__ import annotations

import numpy as np

from napari_ink.phantom.config import PhantomConfig
from napari_ink.phantom.volume import make_phantom
from napari_ink.phantom.worlds.frame import Canvas, Papyrus

_OF_THE_FRAME = {"seed", "height", "width", "depth_layers", "voxel_size_um", "ragged_edge", "blank"}


def build(canvas: Canvas) -> Papyrus:
    """Simulate the scan: even seeds plain, odd ones hard."""
    draw = PhantomConfig.hard if canvas.seed % 2 else PhantomConfig.varied
    config = draw(canvas.seed, canvas.plane[0], canvas.plane[1], canvas.shape[0])
    # The frame cuts the margin.
    config = config.model_copy(
        update={"voxel_size_um": canvas.voxel_um, "ragged_edge": 0.0, "blank": canvas.blank},
    )
    phantom = make_phantom(config)
    return Papyrus((phantom.volume // 257).astype(np.float32), phantom.ink, config.model_dump(exclude=_OF_THE_FRAME))
