"""The engine: tiles go through the network, and blocks are stored as soon as no tile to come touches them."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError, DeviceMemoryError, LabelError
from napari_ink.predict.blending import OpenBlocks
from napari_ink.predict.cells import CellStore
from napari_ink.predict.cluster.cluster import Cluster
from napari_ink.predict.cluster.connect import open_cluster
from napari_ink.predict.cluster.worker import Job, job_model
from napari_ink.predict.device import choose_device, cores_for_torch, default_batch_size, device_title
from napari_ink.predict.ensemble import channels_of, check_augmentations, members_of
from napari_ink.predict.events import (
    PredictionEnded,
    PredictionEvent,
    PredictionNote,
    PredictionStarted,
    TilePredicted,
)
from napari_ink.predict.memory import memory_kept
from napari_ink.predict.nan_tiles import drop_nan_tiles
from napari_ink.predict.request import PredictRequest
from napari_ink.predict.storage.create import check_resumable, create_store
from napari_ink.predict.storage.provenance import MUST_AGREE, describe_going_on, describe_run, written_since
from napari_ink.predict.storage.store import open_prediction
from napari_ink.predict.storage.writer import PredictionWriter
from napari_ink.predict.tile_queue import TileQueue
from napari_ink.predict.tiles import Batch, BlockIndex, TilePlan, block_area, choose_grid, plan_tiles, smaller_side
from napari_ink.region import Region
from napari_ink.stack import SegmentMask, grey_note

Answers = Generator[tuple[Batch, npt.NDArray[np.float32]], None, None]


def predict(request: PredictRequest) -> Generator[PredictionEvent, None, None]:
    """Predict ink and edges over a stack, tile by tile, into a prediction store.

    Closing the generator between two events stops the run; what is final by then is stored, and `resume` goes on. Where
    memory does not hold a batch, the run goes on with fewer tiles at once, then with smaller ones if none is stored
    yet, then on the CPU; on a CPU with fewer cores.

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
    with nullcontext() if request.scheduler is None else open_cluster(request.scheduler, request.device) as cluster:
        yield from _until_it_fits(request, cluster)


def _until_it_fits(request: PredictRequest, cluster: Cluster | None) -> Generator[PredictionEvent, None, None]:
    began, asked = time.monotonic(), request.tile_size
    while True:
        run = _Run(request, cluster, asked)
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

    def __init__(self, request: PredictRequest, cluster: Cluster | None, tile_asked: int | None) -> None:
        stack, model = request.stack, request.model
        self._request, self._cluster, self._tile_asked = request, cluster, tile_asked
        self._shape = stack.shape[1:]
        self._window = model.contract.z_window(stack.shape[0])
        check_augmentations(request.augment)
        for one in (model, *request.others):
            one.contract.check_greys(stack.dtype)
        self._members = members_of((model, *request.others), request.augment, stack.shape[0])
        self._region = (request.region or Region.whole(self._shape)).clip(self._shape)
        self._mask = _checked_mask(request.mask, self._shape, self._region)
        self._path = Path(request.out).absolute()
        self._begun = self._begun_with()
        self._going_on: Mapping[str, Any] | None = None
        self._grid = choose_grid(request, self._members, self._begun)
        self._device = choose_device(request.device) if cluster is None else cluster.torch_device()
        for name, number in (("A batch of {} tiles", request.batch_size), ("A machine of {} cores", request.cores)):
            if number is not None and number < 1:
                raise BadInputError(f"{name.format(number)} is none; give at least 1.")
        self._batch_size = request.batch_size or default_batch_size(self._device, self._grid.tile)
        self._cores = request.cores or cores_for_torch()

    def _begun_with(self) -> Mapping[str, Any] | None:
        """Return the record of the run to go on with; None where there is none."""
        try:
            return open_prediction(self._path).provenance if self._request.resume else None
        except BadInputError:
            return None  # it is refused where the store is opened to write

    def with_less_memory(self) -> tuple[PredictRequest, str] | None:
        """Return a request that needs less memory, and in words how; None where there is none left."""
        # What is stored already goes on; its tiles must stay as large as they were.
        again = replace(self._request, resume=True)
        if self._batch_size > 1:
            fewer = self._batch_size // 2
            return replace(
                again, batch_size=fewer
            ), f"{fewer} {'tiles' if fewer > 1 else 'tile'} at a time from here on"
        if self._device.type == "cpu" and self._cores > 1 and self._cluster is None:
            fewer = self._cores // 2
            return replace(again, cores=fewer), f"{fewer} {'cores' if fewer > 1 else 'core'} from here on"
        if not self._path.exists() and (side := smaller_side(self._request, self._members, self._grid)) is not None:
            return replace(again, tile_size=side), f"tiles are {side} pixels from here on, not {max(self._grid.tile)}"
        if self._device.type != "cpu" and self._cluster is None:
            return replace(again, device="cpu", batch_size=None), "the CPU goes on with it"
        return None

    def open_writer(self) -> PredictionWriter:
        """Make the store, or open the one to go on with."""
        request, path = self._request, self._path
        provenance = describe_run(
            request, self._region, self._mask, self._grid.tile, self._batch_size, self._device.type, self._tile_asked
        )  # fmt: skip
        is_new = not (request.resume and path.exists())
        if is_new:
            create_store(path, self._shape, request.stack.voxel_size_um, provenance, channels_of(self._members))
        else:
            begun = check_resumable(path, provenance, MUST_AGREE)
            self._going_on = describe_going_on(provenance, written_since(request.stack, begun["started"]))
        return PredictionWriter(path, self._region, self._going_on)

    def plan(self, writer: PredictionWriter) -> TilePlan:
        """Plan the tiles that are left to do."""
        return plan_tiles(self._grid, self._region, writer.pending, self._batch_size, self._has_papyrus)

    def started(self, plan: TilePlan) -> PredictionStarted:
        """Return the first event."""
        notes = [*self._notes_on_models(), *self._notes_on_going_on(), *self._notes_on_mask()]
        if len(self._members) > 1:
            notes.append(f"Each pixel is the mean of {len(self._members)} predictions; their disagreement is kept too.")
        return PredictionStarted(
            path=self._path,
            shape=self._shape,
            region=self._region,
            device=self._device.type,
            device_name=device_title(self._device) if self._cluster is None else self._cluster.device_title,
            tiles=plan.tiles,
            notes=tuple(notes),
            z_window=self._window,
            members=len(self._members),
        )

    def _notes_on_models(self) -> Iterator[str]:
        models, stack = (self._request.model, *self._request.others), self._request.stack
        sample, narrow = stack.grey_sample(), grey_note(stack)
        for model in models:
            whose = f"{model.name}: " if len(models) > 1 else ""
            reads = model.contract.notes(stack.shape[0], stack.voxel_size_um)
            for note in (*reads, *model.contract.grey_notes(sample, narrow), *model.notes()):
                yield whose + note

    def _notes_on_mask(self) -> Iterator[str]:
        if isinstance(self._request.mask, SegmentMask) and self._request.mask.note:
            yield self._request.mask.note

    def _notes_on_going_on(self) -> Iterator[str]:
        if self._going_on is None or self._begun is None:
            return
        if (newer := self._going_on["written_since"]) is not None:
            yield (
                f"{newer} was written after the run began; a sample of grey values is the same, but if others changed, "
                "predict anew."
            )
        for name, words in (("version", "napari-ink"), ("torch", "torch"), ("device", "the device")):
            if self._begun.get(name) != self._going_on[name]:
                yield f"It was begun with {words} {self._begun.get(name)} and goes on with {self._going_on[name]}."

    def tiles(self, plan: TilePlan, writer: PredictionWriter) -> Iterator[TilePredicted | PredictionNote]:
        """Predict, blend and store batch after batch."""
        is_in_strips = self._request.stack.stored_px[1] >= self._shape[1]
        queue = TileQueue(plan.batches, self._request.looking_at, in_rows=is_in_strips)
        blend = OpenBlocks(self._grid, self._region, self._mask, channels_of(self._members))
        done = 0
        with memory_kept(), closing(self._run_batches(plan, queue)) as answered:
            for batch, answers, bad in drop_nan_tiles(answered, writer.has_begun):
                for tile, probabilities in zip(batch.tiles, answers, strict=True):
                    if tile not in bad:
                        blend.add(tile, probabilities, batch.blocks)
                for tile in bad:
                    writer.leave_out(tile)
                    yield PredictionNote(
                        f"The tile at {tile} is left out: the model gives values there that are not numbers."
                    )
                shown = [
                    self._event(tile, blend, writer, done + n, plan.tiles) for n, tile in enumerate(batch.tiles, 1)
                ]
                self._store(queue.finish(batch), blend, writer)
                done += len(batch.tiles)
                yield from shown

    def _run_batches(self, plan: TilePlan, queue: TileQueue) -> Answers:
        """Have the batches of a queue answered, in its order, or by a cluster as they are done."""
        if self._cluster is not None:
            return self._cluster.run_batches(self._job(), plan.batches)
        return self._answers_here(plan, queue)

    def _job(self) -> Job:
        request, cluster = self._request, self._cluster
        assert cluster is not None
        models = tuple(job_model(model) for model in (request.model, *request.others))
        return Job(
            str(request.stack.source), request.stack.fingerprint(), models, request.augment,
            self._grid, cluster.device,
        )  # fmt: skip

    def _answers_here(self, plan: TilePlan, queue: TileQueue) -> Answers:
        from napari_ink.predict.forward import Forward
        from napari_ink.predict.pipeline import run_batches
        from napari_ink.predict.tile_inference import TileInference

        # Where somebody looks, tiles are taken from there outwards, else row by row.
        row_px = self._region.width if self._request.looking_at() is None else None
        inference = TileInference(self._members, self._request.stack, self._grid, Forward(self._device), row_px)
        tiles = (self._grid.padded(tile) for batch in plan.batches for tile in batch.tiles)
        store = CellStore(inference.cells, tiles)
        inference.expect(store.awaited)
        yield from run_batches(inference, self._grid, store, queue, self._cores)

    def _store(self, final: Sequence[BlockIndex], blend: OpenBlocks, writer: PredictionWriter) -> None:
        """Have the blocks written that are final now."""
        if final:
            writer.store({block: blend.levels(block_area(block, self._region)) for block in final})
            for block in final:
                blend.let_go(block)

    def _event(self, tile: Region, blend: OpenBlocks, writer: PredictionWriter, done: int, total: int) -> TilePredicted:
        area = tile.within(self._region)
        levels = blend.levels(area)
        writer.restore(area, levels)
        return TilePredicted(done, total, *area.slices, *levels)

    def _has_papyrus(self, area: Region) -> bool:
        return self._mask is None or self._mask.any(*area.slices)


def _checked_mask(
    mask: npt.NDArray[np.bool_] | SegmentMask | None, shape: tuple[int, int], region: Region
) -> SegmentMask | None:
    if mask is None:
        return None
    if mask.shape != shape or not (isinstance(mask, SegmentMask) or mask.dtype == np.bool_):
        kind = "a mask" if isinstance(mask, SegmentMask) else mask.dtype
        raise LabelError(
            f"The papyrus mask is {kind} of {mask.shape} pixels and the segment's height and width are {shape}; "
            "give a bool mask of that size."
        )
    kept = mask if isinstance(mask, SegmentMask) else SegmentMask(shape, [mask])
    if not kept.any(*region.slices):
        raise LabelError(
            f"The papyrus mask leaves nothing to predict in {region}; give one that is white where there is papyrus, "
            "or another region."
        )
    return kept
