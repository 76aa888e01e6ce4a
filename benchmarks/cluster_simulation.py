"""A simulated GPU for `cluster.py`: workers do everything except the network, for which they wait.

The network takes no processor time: `time.sleep` replaces it, without the GIL, for as long as a GPU would need.
Everything else is real: workers read and prepare grey values, copy them like a transfer to a device, and send
probabilities of a real map back.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_ink.model import load_model
from napari_ink.model.stem import DepthStem
from napari_ink.predict import pipeline, tile_inference  # noqa: F401
from napari_ink.predict.cells import CellIndex, Planes
from napari_ink.predict.cluster import patches, worker
from napari_ink.predict.ensemble import EnsembleMember
from napari_ink.predict.forward import Forward
from napari_ink.predict.tiles import TileGrid
from napari_ink.region import Region
from napari_ink.stack import DepthStack
from napari_ink.typing import Float32Array

# Drivers copy pageable memory through a small pinned buffer.
_STAGING = torch.empty(2**20, dtype=torch.float32)
_seconds: Counter[str] = Counter()
_lock = threading.Lock()


@contextmanager
def counted(part: str) -> Iterator[None]:
    """Count the processor time of this thread within the block under the name of a part."""
    began = time.thread_time()
    try:
        yield
    finally:
        with _lock:
            _seconds[part] += time.thread_time() - began


def counting(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose processor time is counted."""

    def counts(*arguments: Any, **named: Any) -> Any:
        with counted(part):
            return function(*arguments, **named)

    return counts


class SimulatedInference(tile_inference.TileInference):
    """Tile inference on a simulated GPU: it waits, and returns values of a map that was predicted before."""

    wait_s, reads_here = 0.0, True
    levels: Float32Array

    def __init__(
        self,
        members: Sequence[EnsembleMember],
        stack: DepthStack,
        grid: TileGrid,
        forward: Forward,
        row_px: int | None = None,
    ) -> None:
        super().__init__(members, stack, grid, forward, row_px)
        self.device = torch.device("meta")  # so that it has one lane, like a GPU

    def read(self, cell: CellIndex) -> list[Any]:
        """Read and prepare a cell, unless simulated machines do it."""
        if not self.reads_here:
            return []
        with counted("reading"):
            return super().read(cell)

    def planes(self, cell: CellIndex, values: Sequence[Any]) -> Planes:
        """Copy grey values like a transfer, and return planes without content."""
        with counted("transfer"):
            for one in map(torch.from_numpy, values):
                flat = one.reshape(-1).view(torch.uint8)
                stage = _STAGING.view(torch.uint8)
                for start in range(0, len(flat), len(stage)):
                    part = flat[start : start + len(stage)]
                    stage[: len(part)].copy_(part)
        area = self.cells.area(cell)
        planes = []
        for member in self._members:
            stem = self._own(member).stem
            for channels, step in zip((stem.half_channels, stem.quarter_channels), DepthStem.steps, strict=True):
                planes.append(torch.empty(channels, area.height // step, area.width // step, device="meta"))
        return tuple(planes)

    def assembled(self, tiles: Sequence[Region], cells: Sequence[Mapping[CellIndex, Planes]]) -> list[Tensor]:
        """Return the positions of the tiles."""
        return [torch.tensor([[tile.y0, tile.x0] for tile in tiles])]

    def probabilities(self, blocks: Sequence[Tensor]) -> Float32Array:
        """Wait for the duration of a batch, and return values from the map."""
        time.sleep(self.wait_s)
        height, width = self._grid.kept
        rows, columns = (side - kept for side, kept in zip(self.levels.shape[1:], (height, width), strict=True))
        with counted("transfer"):
            parts = [
                self.levels[:, y % rows : y % rows + height, x % columns : x % columns + width]
                for y, x in blocks[0].tolist()
            ]
            return np.stack(parts)


def simulate(wait_s: float, reads_here: bool, levels: Float32Array) -> None:
    """Replace the network of this process by a wait, and count processor time by part."""
    load_model()  # imports slow modules ahead
    SimulatedInference.wait_s, SimulatedInference.reads_here, SimulatedInference.levels = wait_s, reads_here, levels
    tile_inference.TileInference = SimulatedInference  # type: ignore[misc]
    patches.BlendedPatch.add = counting("blending and encoding", patches.BlendedPatch.add)  # type: ignore[method-assign]
    torch.set_num_threads(1)


def seconds_by_part() -> dict[str, float]:
    """Return the processor time of this process, in seconds: by part, and the whole of it as ``workers``."""
    with _lock:
        return {**_seconds, "workers": time.process_time()}


def has_prepared() -> bool:
    """Return whether this worker has opened the stack and the model of a run."""
    return bool(worker._ready)
