"""The engine: tiles go through the network row by row, and blocks are stored as soon as no later tile touches them."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError, DeviceMemoryError, LabelError, NapariInkError
from napari_ink.model import InkModel
from napari_ink.predict.blending import Strip
from napari_ink.predict.device import DeviceName, choose_device, default_batch_size, device_title
from napari_ink.predict.events import (
    PredictionEnded,
    PredictionEvent,
    PredictionNote,
    PredictionStarted,
    TilePredicted,
)
from napari_ink.predict.feed import TileFeed
from napari_ink.predict.memory import memory_kept
from napari_ink.predict.provenance import MUST_AGREE, describe_run
from napari_ink.predict.region import Region
from napari_ink.predict.tiles import DEFAULT_OVERLAP, Batch, TilePlan, block_area, plan_tiles, tile_grid
from napari_ink.predict.writer import PredictionWriter, check_resumable, create_store
from napari_ink.stack import DepthStack

_SMALLEST_TILE = 64


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
        Where there is papyrus, ``(y, x)`` bool of the whole segment; the rest is not predicted and stays 0.
    device
        Where the network runs.
    overlap
        Share of a tile's height and width that its neighbour reads too, 0 to 0.75.
    batch_size
        Tiles that go through the network together; None chooses by device and tile.
    tile_size
        Height and width of tiles; None takes the model's own.
    resume
        Go on with `out` if it exists; it must come from the same stack, model, region, mask and overlap.
    """

    stack: DepthStack
    model: InkModel
    out: Path
    region: Region | None = None
    mask: npt.NDArray[np.bool_] | None = None
    device: DeviceName = "auto"
    overlap: float = DEFAULT_OVERLAP
    batch_size: int | None = None
    tile_size: int | None = None
    resume: bool = False


def predict(request: PredictRequest) -> Generator[PredictionEvent, None, None]:
    """Predict ink and edges over a stack, tile by tile, into a prediction store.

    Closing the generator between two events stops the run; what is final by then is stored, and `resume` goes on. Where
    memory does not hold a batch, the run goes on with fewer tiles at once, then with smaller ones if none is stored
    yet, then on the CPU.

    Yields
    ------
    PredictionStarted, TilePredicted, PredictionNote, PredictionEnded
        One at the beginning, one for each tile after its batch, one where the run goes on in another way, one at the
        end.

    Raises
    ------
    BadInputError
        If the stack does not fit the model's contract, the mask or region does not fit the stack, the output exists or
        cannot be written, the device is not there, or files of the stack cannot be read.
    DeviceMemoryError
        If memory does not hold a single small tile, not even the CPU's.
    NapariInkError
        If the network gives values that are not numbers in all of its first tiles; single tiles are left out and told.
    """
    began = time.monotonic()
    while True:
        run = _Run(request)
        try:
            yield from _attempt(run, began)
            return
        except DeviceMemoryError as error:
            instead = run.with_less_memory()
            if instead is None:
                raise
            request, how = instead
            reason = str(error).split(";", 1)[0]
        yield PredictionNote(f"{reason}: {how}.")


def _attempt(run: _Run, began: float) -> Generator[PredictionEvent, None, None]:
    with run.open_writer() as writer:
        plan = run.plan(writer)
        yield run.started(plan)
        writer.mark_done(plan.untouched)
        yield from run.tiles(plan, writer)
        writer.finish()
        yield PredictionEnded(writer.path, plan.tiles, time.monotonic() - began, writer.is_complete)


class _Run:
    """One prediction: everything about the request is checked before anything is written."""

    def __init__(self, request: PredictRequest) -> None:
        stack, model = request.stack, request.model
        self._request = request
        self._shape = stack.shape[1:]
        self._window = model.contract.z_window(stack.shape[0])
        self._region = (request.region or Region.whole(self._shape)).clip(self._shape)
        self._mask = _checked_mask(request.mask, self._shape)
        divisor = int(getattr(model.network, "size_divisor", 1))
        tile_size = request.tile_size or model.contract.tile_size
        self._grid = tile_grid(self._shape, tile_size, divisor, request.overlap)
        self._device = choose_device(request.device)
        if request.batch_size is not None and request.batch_size < 1:
            raise BadInputError(f"A batch of {request.batch_size} tiles is none; give at least 1.")
        self._batch_size = request.batch_size or default_batch_size(self._device, self._grid.tile)
        self._path = Path(request.out).absolute()

    def with_less_memory(self) -> tuple[PredictRequest, str] | None:
        """Return a request that needs less memory, and in words how; None where there is none left."""
        # What is stored already goes on; its tiles must stay as large as they were.
        again = replace(self._request, resume=True)
        side = self._request.tile_size or self._request.model.contract.tile_size
        if self._batch_size > 1:
            fewer = self._batch_size // 2
            return replace(
                again, batch_size=fewer
            ), f"{fewer} {'tiles' if fewer > 1 else 'tile'} at a time from here on"
        if side // 2 >= _SMALLEST_TILE and not self._path.exists():
            return replace(again, tile_size=side // 2), f"tiles are {side // 2} pixels from here on, not {side}"
        if self._device.type != "cpu":
            return replace(again, device="cpu", batch_size=None), "the CPU goes on with it"
        return None

    def open_writer(self) -> PredictionWriter:
        """Make the store, or open the one to go on with."""
        request, path = self._request, self._path
        provenance = describe_run(
            request.stack, request.model, self._region, self._mask, request.overlap, self._grid.tile, self._device.type
        )
        is_new = not (request.resume and path.exists())
        if is_new:
            create_store(path, self._shape, request.stack.voxel_size_um, provenance)
        else:
            check_resumable(path, provenance, MUST_AGREE)
        return PredictionWriter(path, self._region, is_new)

    def plan(self, writer: PredictionWriter) -> TilePlan:
        """Plan the tiles that are left to do."""
        return plan_tiles(self._grid, self._region, writer.pending, self._batch_size, self._has_papyrus)

    def started(self, plan: TilePlan) -> PredictionStarted:
        """Return the first event."""
        stack, contract = self._request.stack, self._request.model.contract
        return PredictionStarted(
            path=self._path,
            shape=self._shape,
            region=self._region,
            device=self._device.type,
            device_name=device_title(self._device),
            tiles=plan.tiles,
            notes=(*contract.notes(stack.shape[0], stack.voxel_size_um), *self._request.model.notes()),
            z_window=self._window,
        )

    def tiles(self, plan: TilePlan, writer: PredictionWriter) -> Iterator[TilePredicted | PredictionNote]:
        """Predict, blend and store batch after batch."""
        from napari_ink.predict.forward import Forward

        model = self._request.model
        feed = TileFeed(self._request.stack, model.contract, self._grid.tile, self._batch_size)
        forward = Forward(model.network, self._device)
        strip = Strip(self._grid, self._region, self._mask)
        done, has_answered = 0, False
        with memory_kept(), closing(feed(plan.batches)) as batches:
            for batch, block in batches:
                answers = forward(block, batch.tiles)
                bad = [tile for tile, one in zip(batch.tiles, answers, strict=True) if np.isnan(one.sum())]
                has_answered |= len(bad) < len(batch.tiles)
                if not has_answered:
                    raise NapariInkError(
                        f"The model gives values that are not numbers in the tile at {bad[0]}; its weights are damaged "
                        "or were trained on other grey values, so choose another model."
                    )
                for tile, probabilities in zip(batch.tiles, answers, strict=True):
                    if tile not in bad:
                        strip.add(tile, probabilities)
                for tile in bad:
                    writer.leave_out(tile)
                    yield PredictionNote(
                        f"The tile at {tile} is left out: the model gives values there that are not numbers."
                    )
                self._store(batch, strip, writer)
                for tile in batch.tiles:
                    done += 1
                    yield self._event(tile, strip, writer, done, plan.tiles)

    def _store(self, batch: Batch, strip: Strip, writer: PredictionWriter) -> None:
        """Write the blocks that this batch finishes: first what they hold, then that they are final."""
        for block in batch.finishes:
            area = block_area(block, self._region)
            writer.write(area, strip.levels(area))
        if batch.finishes:
            writer.mark_done(batch.finishes)

    def _event(self, tile: Region, strip: Strip, writer: PredictionWriter, done: int, total: int) -> TilePredicted:
        area = tile.within(self._region)
        levels = strip.levels(area)
        writer.restore(area, levels)
        return TilePredicted(done, total, *area.slices, ink=levels[0], edge=levels[1])

    def _has_papyrus(self, area: Region) -> bool:
        return self._mask is None or bool(self._mask[area.slices].any())


def _checked_mask(mask: npt.NDArray[np.bool_] | None, shape: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
    if mask is not None and (mask.shape != shape or mask.dtype != np.bool_):
        raise LabelError(
            f"The papyrus mask is {mask.dtype} of {mask.shape} pixels and the segment's height and width are {shape}; "
            "give a bool mask of that size."
        )
    return mask
