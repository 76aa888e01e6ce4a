"""What is asked of a prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_ink.model import InkModel
from napari_ink.predict.cluster.cluster import Cluster
from napari_ink.predict.device import DeviceName
from napari_ink.predict.ensemble import TestTimeAugmentation
from napari_ink.predict.tiles import DEFAULT_OVERLAP
from napari_ink.region import Region
from napari_ink.stack import DepthStack, SegmentMask


@dataclass(frozen=True, slots=True, eq=False)
class PredictRequest:
    """All that a prediction needs.

    Attributes
    ----------
    stack
        What is read.
    model
        What predicts; its network is moved to the device.
    out
        The prediction store to write, in a folder that exists.
    region
        What to predict; None for the whole segment.
    mask
        Where there is papyrus, ``(y, x)`` bool of the whole segment, which is kept in much less memory where
        `read_segment_mask` read it; the rest is not predicted and stays 0.
    device
        Where the network runs.
    others
        More models, whose answers are averaged with the first one's; how far they disagree is stored too.
    augment
        Views that every model has of the stack besides the plain one: likewise.
    overlap
        Share of a tile's height and width that its neighbour reads too, 0 to 0.75.
    batch_size
        Tiles that go through the network together; None chooses by device and tile.
    cores
        Processor cores that the network may use; None for as many as torch would.
    tile_size
        Height and width of tiles; None takes the model's own.
    resume
        Go on with `out` if it exists; it must come from the same stack, model, region, mask and overlap.
    looking_at
        Returns what somebody looks at, which is predicted first, and from there outwards; None where nobody looks.
        Called before each batch, on the thread of the run.
    mask_source
        Where the mask was read, for the provenance.
    scheduler
        Address of a dask scheduler whose workers predict, how many workers to start here, or workers that are there
        already (`open_cluster`); None for this process.
    """

    stack: DepthStack
    model: InkModel
    out: Path
    region: Region | None = None
    mask: npt.NDArray[np.bool_] | SegmentMask | None = None
    device: DeviceName = "auto"
    overlap: float = DEFAULT_OVERLAP
    batch_size: int | None = None
    cores: int | None = None
    tile_size: int | None = None
    resume: bool = False
    others: tuple[InkModel, ...] = ()
    augment: tuple[TestTimeAugmentation, ...] = ()
    looking_at: Callable[[], Region | None] = field(default=lambda: None)
    mask_source: Path | None = None
    scheduler: str | Cluster | None = None
