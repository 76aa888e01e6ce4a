"""Events of a running prediction: frozen dataclasses, the same for the command line and for the window's workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_ink.predict.unfamiliar import UnfamiliarMap
from napari_ink.region import Region
from napari_ink.typing import ThirdPlane, UInt8Array


@dataclass(frozen=True, slots=True)
class PredictionStarted:
    """The store exists, and the first tile is about to be read.

    Attributes
    ----------
    path
        Path of the prediction store.
    shape
        The segment's height and width.
    region
        Region that is predicted, clipped to the segment.
    device
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    device_name
        The device in words.
    tiles
        Number of tiles to predict in this run; when resuming, those that are left.
    doubts
        Sentences on why the map may be wrong, known before it is made.
    notes
        Sentences about what the model reads and what does not quite fit.
    z_window
        The depth layers that are read.
    members
        Number of predictions that are averaged for each pixel.
    third
        Plane that is predicted beside ink and edges; None if there is none.
    """

    path: Path
    shape: tuple[int, int]
    region: Region
    device: str
    device_name: str
    tiles: int
    doubts: tuple[str, ...]
    notes: tuple[str, ...]
    z_window: slice
    members: int = 1
    third: ThirdPlane | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TilePredicted:
    """A tile went through the network.

    Attributes
    ----------
    done, total
        Number of tiles predicted so far in this run, and of all tiles of this run.
    y, x
        The tile's part of the region, in segment pixels.
    read_levels
        Returns the blend so far, ``(c, y, x)`` uint8 with 255 for a probability of 1. A function, since decoding what
        workers have encoded takes time, and a command line does not look at it.
    """

    done: int
    total: int
    y: slice
    x: slice
    read_levels: Callable[[], UInt8Array]

    @property
    def ink(self) -> UInt8Array:
        """Blend of ink so far, ``(y, x)`` uint8.

        Later tiles may still change it; the last event that touches a pixel holds the stored value.
        """
        levels: UInt8Array = self.read_levels()[0]
        return levels

    @property
    def edge(self) -> UInt8Array:
        """Blend of edges so far, ``(y, x)`` uint8."""
        levels: UInt8Array = self.read_levels()[1]
        return levels

    @property
    def third(self) -> UInt8Array | None:
        """Third plane, ``(y, x)`` uint8, see `PredictionStarted.third`; None if there is none."""
        levels = self.read_levels()
        return levels[2] if len(levels) > 2 else None


@dataclass(frozen=True, slots=True)
class PredictionNote:
    """A sentence for the user about a run.

    Either memory ran out and the run starts again with other settings (`PredictionStarted` follows), or a tile was left
    out, or the finished map marks more ink than pages have, or hardly any, or part of it is a guess.

    Attributes
    ----------
    sentence
        What happened and why.
    is_doubt
        Whether it says why the map may be wrong; such sentences are recorded with the prediction.
    """

    sentence: str
    is_doubt: bool = False


@dataclass(frozen=True, slots=True)
class PredictionEnded:
    """The run is over.

    Attributes
    ----------
    path
        Path of the prediction store.
    tiles
        Number of tiles that went through the network in this run.
    seconds
        Duration of the run, in seconds.
    complete
        Whether every block of the region is final.
    unfamiliar
        The map of where not to trust; None if the model's card does not tell.
    """

    path: Path
    tiles: int
    seconds: float
    complete: bool
    unfamiliar: UnfamiliarMap | None = None


PredictionEvent = PredictionStarted | TilePredicted | PredictionNote | PredictionEnded
