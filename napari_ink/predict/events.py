"""What a prediction tells while it runs: frozen events, alike for the command line and for a worker in a window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_ink.region import Region


@dataclass(frozen=True, slots=True)
class PredictionStarted:
    """The store is there, and the first tile is about to be read.

    Attributes
    ----------
    path
        The prediction store.
    shape
        The segment's height and width.
    region
        What is predicted, cut to the segment.
    device
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    device_name
        The device in words.
    tiles
        Number of tiles to come; after an interruption, of those that are left.
    notes
        Sentences on what the model reads, and on what does not quite fit.
    z_window
        The depth layers that are read.
    members
        Predictions that each pixel is the mean of.
    """

    path: Path
    shape: tuple[int, int]
    region: Region
    device: str
    device_name: str
    tiles: int
    notes: tuple[str, ...]
    z_window: slice
    members: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class TilePredicted:
    """A tile went through the network.

    Attributes
    ----------
    done, total
        Tiles that went through, and those of this run.
    y, x
        The tile's part of the region, in segment pixels.
    ink, edge
        The blend there so far, ``(y, x)`` uint8, 255 for a probability of 1. Tiles to come may still change it; the
        last of these events that touches a pixel holds what is stored.
    disagreement
        How far several models or views disagree on ink there; None where there is only one.
    """

    done: int
    total: int
    y: slice
    x: slice
    ink: npt.NDArray[np.uint8]
    edge: npt.NDArray[np.uint8]
    disagreement: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class PredictionNote:
    """Something that whoever asked should know, and the run goes on.

    Either it goes on in another way, for want of memory, and begins anew with `PredictionStarted`; or a tile was left
    out.

    Attributes
    ----------
    sentence
        What happened, and why.
    """

    sentence: str


@dataclass(frozen=True, slots=True)
class PredictionEnded:
    """The run is over.

    Attributes
    ----------
    path
        The prediction store.
    tiles
        Tiles that went through the network in this run.
    seconds
        How long it took.
    complete
        Whether every block of the region is final.
    """

    path: Path
    tiles: int
    seconds: float
    complete: bool


PredictionEvent = PredictionStarted | TilePredicted | PredictionNote | PredictionEnded
