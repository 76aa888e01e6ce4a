"""The engine: runs tiles through the network and stores each block as soon as no remaining tile touches it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ink.errors import BadInputError, DeviceMemoryError, LabelError
from napari_ink.memory import memory_kept
from napari_ink.model.bfloat16 import has_bfloat16
from napari_ink.model.familiarity import on_ink
from napari_ink.predict.answers import Answer, bad_tiles
from napari_ink.predict.augmented_views import check_augmentations
from napari_ink.predict.blending import OpenBlocks
from napari_ink.predict.cells import CellStore
from napari_ink.predict.cluster.cluster import Cluster
from napari_ink.predict.cluster.connect import open_cluster
from napari_ink.predict.cluster.worker import Job, job_model
from napari_ink.predict.device import choose_device, cores_for_torch, default_batch_size, device_title
from napari_ink.predict.ensemble import gives_depth, members_of, third_plane
from napari_ink.predict.events import (
    PredictionEnded,
    PredictionEvent,
    PredictionNote,
    PredictionStarted,
    TilePredicted,
)
from napari_ink.predict.familiarity import familiarity_notes
from napari_ink.predict.grid_choice import choose_grid, overlap_of, smaller_side
from napari_ink.predict.nan_tiles import refuse_only_nan
from napari_ink.predict.precision import choose_format
from napari_ink.predict.request import PredictRequest
from napari_ink.predict.resampling import resampled
from napari_ink.predict.storage.create import check_resumable, create_store
from napari_ink.predict.storage.encoding import BlockCodec
from napari_ink.predict.storage.provenance import MUST_AGREE, describe_resumption, describe_run, written_since
from napari_ink.predict.storage.store import What, open_prediction
from napari_ink.predict.storage.writer import PredictionWriter
from napari_ink.predict.tile_queue import TileQueue
from napari_ink.predict.tiles import BlockIndex, TilePlan, block_area, blocks_in, plan_tiles
from napari_ink.predict.unfamiliar import UnfamiliarMap, unfamiliar_map
from napari_ink.region import Region
from napari_ink.stack import SegmentMask, grey_note
from napari_ink.typing import UInt8Array

Answers = Generator[Answer, None, None]


def predict(request: PredictRequest) -> Generator[PredictionEvent, None, None]:
    """Predict ink and edges over a stack, tile by tile, into a prediction store.

    Closing the generator between two events stops the run; blocks that are final by then are stored, and a request with
    `resume` continues from them. If a batch does not fit into memory, the run continues with fewer tiles per batch,
    then (on a CPU) with fewer cores, then with smaller tiles if nothing is stored yet, and last on the CPU.

    Yields
    ------
    PredictionStarted
        At the beginning, and again after a note that the run continues with less memory.
    TilePredicted
        For each tile, after its batch.
    PredictionNote
        When the run continues with less memory, for each tile that is left out, and at the end if the map marks more
        ink than pages have, or hardly any, or if part of the stack is unlike what the model was trained on.
    PredictionEnded
        At the end.

    Raises
    ------
    BadInputError
        If the stack does not fit the model's contract, the mask or region does not fit the stack, the output exists or
        cannot be written, the device is not available, or files of the stack cannot be read.
    DeviceMemoryError
        If a single small tile does not fit into memory, not even on the CPU.
    NapariInkError
        If the network's output is NaN in all of its first tiles; single such tiles are left out with a note.
    """
    with nullcontext() if request.scheduler is None else open_cluster(request.scheduler, request.device) as cluster:
        yield from _with_memory_fallback(request, cluster)


def _with_memory_fallback(request: PredictRequest, cluster: Cluster | None) -> Generator[PredictionEvent, None, None]:
    """Run a request, and run it again with less memory each time that memory runs out."""
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
            # The error's remedy (after the semicolon) is dropped, because the note says how the run continues.
            reason = str(error).split(";", 1)[0]
        yield PredictionNote(f"{reason}: {how}.")


def _attempt(run: _Run, began: float) -> Generator[PredictionEvent, None, None]:
    with run.open_writer() as writer:
        plan = run.plan(writer)
        yield run.started(plan)
        writer.mark_done(plan.untouched)
        yield from run.tiles(plan, writer)
        writer.finish()
        unfamiliar = run.unfamiliar()
        if unfamiliar is not None:
            writer.store_unfamiliar(unfamiliar)
        told = () if unfamiliar is None else unfamiliar.sentences
        for sentence in (*run.notes_on_ink(writer), *told):
            writer.record_doubt(sentence)
            yield PredictionNote(sentence, is_doubt=True)
        yield PredictionEnded(writer.path, plan.tiles, time.monotonic() - began, writer.is_complete, unfamiliar)


class _Run:
    """One attempt at a prediction; the request is checked completely before anything is written."""

    def __init__(self, request: PredictRequest, cluster: Cluster | None, tile_asked: int | None) -> None:
        stack = request.stack
        self._cluster, self._tile_asked = cluster, tile_asked
        self._shape, self._path = stack.shape[1:], Path(request.out).absolute()
        # Read first: a run is resumed with the means and the tiles that it began with.
        self._earlier = _earlier_record(self._path) if request.resume else None
        self._request = request = _resampled_request(request, self._earlier)
        model = request.model
        self._window = model.contract.z_window(stack.shape[0])
        check_augmentations(request.augment)
        for one in (model, *request.others):
            one.contract.check_greys(stack.dtype)
        model, *others = (one.with_greys_of(stack) for one in (model, *request.others))
        request = replace(request, model=model, others=tuple(others))
        self._members = members_of((model, *others), request.augment, stack.shape[0])
        request = self._request = replace(request, overlap=overlap_of(request.overlap, self._members))
        self._region = (request.region or Region.whole(self._shape)).clip(self._shape)
        self._mask = _checked_mask(request.mask, self._shape, self._region)
        self._resumed: Mapping[str, Any] | None = None
        self._histogram = np.zeros(256, np.int64)  # predicted pixels of the papyrus at each level of ink
        self._grid = choose_grid(request, self._members, self._earlier)
        self._device = choose_device(request.device) if cluster is None else cluster.torch_device()
        for name, number in (("A batch of {} tiles", request.batch_size), ("A machine of {} cores", request.cores)):
            if number is not None and number < 1:
                raise BadInputError(f"{name.format(number)} is not possible; give at least 1.")
        is_large = any(getattr(member.network, "is_large", False) for member in self._members)
        self._batch_size = request.batch_size or default_batch_size(self._device, self._grid.seen.tile, is_large)
        self._cores = request.cores or cores_for_torch()
        has = has_bfloat16(self._device) if cluster is None else cluster.has_bfloat16
        self._number_format, self._note_on_precision = choose_format(
            request.precision, self._members, self._device, has
        )

        # A store of a version that stored no depth is continued without one.
        self._has_depth = gives_depth(self._members) and (self._earlier is None or "planes" in self._earlier)

    @property
    def _channels(self) -> int:
        """Number of values of a pixel."""
        return 2 if third_plane(self._members, self._has_depth) is None else 3

    def with_less_memory(self) -> tuple[PredictRequest, str] | None:
        """Return a request that needs less memory, and how in words; None if nothing is left to try.

        The order is from the cheapest change to the dearest: a smaller batch, fewer cores, smaller tiles, the CPU.
        """
        # Stored blocks are kept, so the tiles of a store that exists must keep their size.
        again = replace(self._request, resume=True)
        if self._batch_size > 1:
            fewer = self._batch_size // 2
            return replace(
                again, batch_size=fewer
            ), f"continuing with {fewer} {'tiles' if fewer > 1 else 'tile'} at a time"
        if self._device.type == "cpu" and self._cores > 1 and self._cluster is None:
            fewer = self._cores // 2
            return replace(again, cores=fewer), f"continuing with {fewer} {'cores' if fewer > 1 else 'core'}"
        if not self._path.exists() and (side := smaller_side(self._request, self._members, self._grid)) is not None:
            return replace(
                again, tile_size=side
            ), f"continuing with tiles of {side} pixels instead of {max(self._grid.tile)}"
        if self._device.type != "cpu" and self._cluster is None:
            return replace(again, device="cpu", batch_size=None), "continuing on the CPU"
        return None

    def open_writer(self) -> PredictionWriter:
        """Create the store, or open the one to resume, and return its writer."""
        request, path = self._request, self._path
        provenance = describe_run(
            request,
            self._region,
            self._mask,
            self._grid.tile,
            self._batch_size,
            self._device.type,
            self._tile_asked,
            self._number_format,
        )
        provenance["outside_of_training"] = list(self._outside_of_training)
        third = third_plane(self._members, self._has_depth)
        planes: tuple[What, ...] = ("ink", "edge") if third is None else ("ink", "edge", third)
        if self._has_depth:
            provenance["planes"] = list(planes)
        is_new = not (request.resume and path.exists())
        if is_new:
            create_store(path, self._shape, request.stack.voxel_size_um, provenance, planes)
        else:
            earlier = check_resumable(path, provenance, MUST_AGREE)
            self._resumed = describe_resumption(provenance, written_since(request.stack, earlier["started"]))
        return PredictionWriter(path, self._region, self._resumed)

    def plan(self, writer: PredictionWriter) -> TilePlan:
        """Return the plan of the tiles that are left to predict."""
        return plan_tiles(self._grid, self._region, writer.pending, self._batch_size, self._has_papyrus)

    def started(self, plan: TilePlan) -> PredictionStarted:
        """Return the first event."""
        notes = [*self._notes_on_models(), *self._notes_on_overlap(), *self._notes_on_resuming()]
        notes.extend(self._notes_on_mask())
        if self._note_on_precision is not None:
            notes.append(self._note_on_precision)
        if len(self._members) > 1:
            notes.append(
                f"Each pixel is the mean of {len(self._members)} predictions; their disagreement is stored too."
            )
        if self._has_depth:
            notes.append("The model says at which depth it saw ink, which is stored too.")
        return PredictionStarted(
            path=self._path,
            shape=self._shape,
            region=self._region,
            device=self._device.type,
            device_name=device_title(self._device) if self._cluster is None else self._cluster.device_title,
            tiles=plan.tiles,
            doubts=self._outside_of_training,
            notes=tuple(notes),
            z_window=self._window,
            members=len(self._members),
            third=third_plane(self._members, self._has_depth),
        )

    def _notes_on_models(self) -> Iterator[str]:
        models, stack = (self._request.model, *self._request.others), self._request.stack
        sample, narrow = stack.grey_sample(), grey_note(stack)
        for model in models:
            whose = f"{model.name}: " if len(models) > 1 else ""
            reads = model.contract.notes(stack.shape[0], stack.voxel_size_um, stack.layer_step_um)
            for note in (*reads, *model.contract.grey_notes(sample, narrow), *model.notes()):
                yield whose + note

    @cached_property
    def _outside_of_training(self) -> tuple[str, ...]:
        """Sentences on models that were trained on nothing like the stack."""
        models, stack = (self._request.model, *self._request.others), self._request.stack
        return tuple(
            f"{model.name}: {note}" if len(models) > 1 else note
            for model in models
            for note in familiarity_notes(model, stack)
        )

    def notes_on_ink(self, writer: PredictionWriter) -> tuple[str, ...]:
        """Return a sentence if the map of a whole run marks more ink than pages have, or hardly any."""
        # Blocks of an earlier run, and those that workers encoded, were not counted here.
        is_counted = self._resumed is None and self._cluster is None
        histogram = self._histogram if is_counted else writer.ink_histogram(self._papyrus_of)
        return on_ink(histogram.tolist(), self._request.model.provenance)

    def unfamiliar(self) -> UnfamiliarMap | None:
        """Return where the stack lies outside of what the model was trained on."""
        return unfamiliar_map(self._request.model, self._request.stack, self._region, self._has_papyrus)

    def _papyrus_of(self, area: Region) -> npt.NDArray[np.bool_]:
        return np.ones(area.shape, bool) if self._mask is None else self._mask[area.slices]

    def _notes_on_overlap(self) -> Iterator[str]:
        own = overlap_of(None, self._members)
        if any(one.contract.overlap is not None for one in self._members) and self._request.overlap != own:
            yield f"Tiles overlap by {self._request.overlap:g} as asked; the model's own overlap is {own:g}."

    def _notes_on_mask(self) -> Iterator[str]:
        if isinstance(self._request.mask, SegmentMask) and self._request.mask.note:
            yield self._request.mask.note

    def _notes_on_resuming(self) -> Iterator[str]:
        if self._resumed is None or self._earlier is None:
            return
        if (newer := self._resumed["written_since"]) is not None:
            yield (
                f"{newer} was written after the run began; a sample of grey values is unchanged, but if others "
                "changed, predict again under another name."
            )
        for name, words in (("version", "napari-ink"), ("torch", "torch"), ("device", "the device")):
            if self._earlier.get(name) != self._resumed[name]:
                yield f"The run began with {words} {self._earlier.get(name)} and continues with {self._resumed[name]}."

    def tiles(self, plan: TilePlan, writer: PredictionWriter) -> Iterator[TilePredicted | PredictionNote]:
        """Predict, blend and store the batches of a plan, and yield an event for each tile."""
        # A file in strips decodes whole rows, so whole rows of blocks are predicted together.
        is_in_strips = self._request.stack.stored_px[1] >= self._shape[1]
        queue = TileQueue(plan.batches, self._request.looking_at, in_rows=is_in_strips)
        blend = OpenBlocks(self._grid, self._region, self._mask, self._channels)
        done = 0
        with memory_kept(), closing(self._run_batches(plan, queue, writer.codec)) as answered:
            for answer in refuse_only_nan(answered, writer.has_begun):
                batch = answer.batch
                self._blend(answer, blend)
                for tile in answer.bad:
                    writer.record_left_out(tile)
                    yield PredictionNote(f"The tile at {tile} is left out: the model's output there is not a number.")
                # Events read the blend, so they are made before `_store` discards the blocks that became final.
                levels = [self._levels_reader(tile, answer, blend, writer) for tile in batch.tiles]
                self._store(queue.finish(batch), answer, blend, writer)
                for tile, read_levels in zip(batch.tiles, levels, strict=True):
                    done += 1
                    yield TilePredicted(done, plan.tiles, *tile.within(self._region).slices, read_levels)

    def _run_batches(self, plan: TilePlan, queue: TileQueue, codec: BlockCodec | None) -> Answers:
        """Return an iterator of answers: in the queue's order, or as a cluster completes them."""
        if self._cluster is not None:
            return self._cluster.run_batches(self._job(codec), plan.batches, self._is_whole)
        return self._run_batches_here(plan, queue)

    def _is_whole(self, block: BlockIndex) -> bool:
        """Return whether the mask leaves a block whole, so that workers, who have no mask, can finish it."""
        return self._mask is None or bool(self._mask[block_area(block, self._region).slices].all())

    def _job(self, codec: BlockCodec | None) -> Job:
        request, cluster = self._request, self._cluster
        assert cluster is not None
        models = tuple(job_model(model) for model in (request.model, *request.others))
        stack, fingerprint = str(request.stack.source), request.stack.fingerprint()
        return Job(
            stack,
            fingerprint,
            models,
            request.augment,
            self._grid,
            self._region,
            codec,
            cluster.device,
            number_format=self._number_format,
            has_depth=self._has_depth,
        )

    def _run_batches_here(self, plan: TilePlan, queue: TileQueue) -> Answers:
        from napari_ink.predict.forward import Forward
        from napari_ink.predict.pipeline import run_batches
        from napari_ink.predict.tile_inference import TileInference

        # Without a view to start from, tiles go row by row, so parts of files as wide as the region pay off.
        row_px = self._region.width if self._request.looking_at() is None else None
        forward = Forward(self._device, self._number_format)
        stack = self._request.stack
        inference = TileInference(self._members, stack, self._grid, forward, row_px, self._has_depth)
        tiles = (self._grid.read_area(tile) for batch in plan.batches for tile in batch.tiles)
        store = CellStore(inference.cells, tiles)
        inference.expect(store.awaited)
        with closing(run_batches(inference, self._grid, store, queue, self._cores)) as answered:
            for batch, probabilities in answered:
                yield Answer(batch, probabilities, bad_tiles(batch, probabilities))

    def _blend(self, answer: Answer, blend: OpenBlocks) -> None:
        """Add a batch's tiles to the sums of the blocks that are still open."""
        if answer.probabilities is None:
            return
        for tile, probabilities in zip(answer.batch.tiles, answer.probabilities, strict=True):
            if tile not in answer.bad:
                blend.add(tile, probabilities, answer.open_blocks)

    def _store(self, final: Sequence[BlockIndex], answer: Answer, blend: OpenBlocks, writer: PredictionWriter) -> None:
        """Write the blocks that have become final, and discard their sums."""
        if final:
            encoded = {block: answer.finished[block] for block in final if block in answer.finished}
            here = [block for block in final if block not in encoded]
            levels = {block: blend.levels(block_area(block, self._region)) for block in here}
            writer.store(levels, encoded)
            for block in here:
                self._count(block, levels[block][0])
                blend.discard(block)

    def _count(self, block: BlockIndex, ink: UInt8Array) -> None:
        inside = ink[self._papyrus_of(block_area(block, self._region))]
        self._histogram += np.bincount(inside.ravel(), minlength=256)

    def _levels_reader(
        self, tile: Region, answer: Answer, blend: OpenBlocks, writer: PredictionWriter
    ) -> Callable[[], UInt8Array]:
        """Return a function that returns the levels of a tile as they are now."""
        area = tile.within(self._region)
        finished = {block: answer.finished[block] for block in blocks_in(area) if block in answer.finished}
        is_open = any(block not in finished for block in blocks_in(area))
        # Sums change with the next tile, so only final blocks are read later.
        so_far = blend.levels(area) if is_open else np.zeros((self._channels, *area.shape), np.uint8)

        def read_levels() -> UInt8Array:
            levels = so_far.copy() if finished else so_far
            for block, chunks in finished.items():
                part, whole = block_area(block, area), block_area(block, Region.whole(self._shape))
                assert writer.codec is not None
                decoded = writer.codec.decode(chunks)
                levels[:, *part.slices_in(area)] = decoded[:, *part.slices_in(whole)]
            return levels

        # Blocks of an earlier run are final and have no sums here; their stored levels fill the gap.
        writer.restore(area, so_far)
        return read_levels

    def _has_papyrus(self, area: Region) -> bool:
        return self._mask is None or self._mask.any(*area.slices)


def _earlier_record(path: Path) -> Mapping[str, Any] | None:
    """Return the provenance of the run to resume, or None if there is none."""
    try:
        return open_prediction(path).provenance
    except BadInputError:
        return None  # `open_writer` refuses it with a full message


def _resampled_request(request: PredictRequest, earlier: Mapping[str, Any] | None) -> PredictRequest:
    """Return a request whose models state the means that they read."""
    began = () if earlier is None else (earlier, *earlier.get("others", ()))
    contracts = [record.get("contract") for record in began]
    model, *others = (
        resampled(one, request.stack, request.resample, contract)
        for one, contract in zip_longest((request.model, *request.others), contracts[: 1 + len(request.others)])
    )
    return replace(request, model=model, others=tuple(others))


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
    packed = mask if isinstance(mask, SegmentMask) else SegmentMask(shape, [mask])
    if not packed.any(*region.slices):
        raise LabelError(
            f"The papyrus mask leaves nothing to predict in {region}; give one that is white where there is papyrus, "
            "or another region."
        )
    return packed
