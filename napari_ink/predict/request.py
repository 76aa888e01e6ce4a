"""The request that starts a prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_ink.model import InkModel
from napari_ink.predict.augmented_views import TestTimeAugmentation
from napari_ink.predict.cluster.cluster import Cluster
from napari_ink.predict.device import DeviceName
from napari_ink.predict.precision import PrecisionName
from napari_ink.region import Region
from napari_ink.stack import DepthStack, SegmentMask


@dataclass(frozen=True, slots=True, eq=False)
class PredictRequest:
    """Everything that a prediction needs.

    Attributes
    ----------
    stack
        Depth stack to read.
    model
        Model to predict with; its network is moved to the device.
    out
        The prediction store to write, in a folder that exists.
    region
        Region to predict, in segment pixels; None for the whole segment.
    mask
        Papyrus mask, ``(y, x)`` bool of the whole segment; pixels outside it are not predicted and stay 0. A mask from
        `read_segment_mask` takes much less memory than an array.
    device
        Device that the network runs on.
    others
        More models; all predictions are averaged, and their disagreement is stored too.
    augment
        Test-time augmentation: views that every model predicts besides the plain one, averaged in the same way.
    overlap
        Overlap of neighbouring tiles, without their context, as a share of a tile's height and width, 0 to 0.75; None
        for what the models need.
    batch_size
        Tiles that go through the network together; None chooses by device and tile size.
    cores
        Processor cores that the network may use; None for as many as torch would use.
    tile_size
        Height and width of tiles, in pixels; None for the model's own.
    resume
        Continue `out` if it exists; it must come from the same stack, model, region, mask and overlap.
    looking_at
        Returns the region that the user is looking at, which is predicted first and from there outwards; None if there
        is none. Called before each batch, on the thread of the run.
    mask_source
        File that the mask was read from, for the provenance.
    resample
        Layers, and pixels along each side of a square, whose means are read; None for what the voxel sizes call for.
    precision
        ``"float32"``, or ``"fast"`` to compute in bfloat16 where the models and the device allow it.
    scheduler
        Address of a dask scheduler whose workers predict, a number of workers to start on this machine, or an open
        `Cluster`; None to predict in this process.
    """

    stack: DepthStack
    model: InkModel
    out: Path
    region: Region | None = None
    mask: npt.NDArray[np.bool_] | SegmentMask | None = None
    device: DeviceName = "auto"
    overlap: float | None = None
    batch_size: int | None = None
    cores: int | None = None
    tile_size: int | None = None
    resume: bool = False
    others: tuple[InkModel, ...] = ()
    augment: tuple[TestTimeAugmentation, ...] = ()
    looking_at: Callable[[], Region | None] = field(default=lambda: None)
    mask_source: Path | None = None
    scheduler: str | Cluster | None = None
    precision: PrecisionName = "float32"
    resample: tuple[float, float] | None = None
