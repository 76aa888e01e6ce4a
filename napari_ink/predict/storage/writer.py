"""Writing prediction stores: block by block, on a thread, and by one run at a time."""

from __future__ import annotations

import math
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from napari_ink.decoding import decoder_errors
from napari_ink.durable import replacing_unsynced, sync
from napari_ink.errors import BadInputError, OutputError, storage_errors
from napari_ink.predict.storage.encoding import BlockCodec, EncodedBlock
from napari_ink.predict.storage.store import ATTRIBUTES, DONE, LEVELS, UNFAMILIAR, array_in, read_done
from napari_ink.predict.tiles import BlockIndex, block_area, blocks_in
from napari_ink.predict.unfamiliar import UNMEASURED, UnfamiliarMap
from napari_ink.region import Region
from napari_ink.typing import UInt8Array

_LOCK = ".lock"
# Writes that may be queued; beyond, the run waits for the disk rather than fill memory.
_MOST_PENDING = 16
_RECORD_EVERY_S = 0.5
_SYNCS_AT_ONCE = 16


class PredictionWriter:
    """A context manager that writes final blocks to a store; it locks the store until it is closed.

    If an error ends the ``with`` before the first block is final, a store that this run created is removed. The store
    of a cancelled run stays, so that it can be resumed.

    Parameters
    ----------
    path
        Folder of the store.
    region
        Region that is predicted.
    resumption
        Record of a run that resumes the store; None for the run that created it.

    Attributes
    ----------
    pending : tuple of (row, column)
        The region's blocks that were not final when the store was opened.
    codec : BlockCodec or None
        Encodes blocks as this store's chunks; None if it is stored in a way that only zarr knows.

    Raises
    ------
    OutputError
        If another run is writing to the store.
    """

    def __init__(self, path: Path, region: Region, resumption: Mapping[str, Any] | None = None) -> None:
        import zarr

        self.path = path
        self._lock = _locked(path)
        self._region = region
        self._is_new = resumption is None
        self._group = zarr.open_group(path, mode="r+")
        self._levels, self._done_on_disk = array_in(self._group, LEVELS), array_in(self._group, DONE)
        self._done = read_done(self._done_on_disk)
        self.codec = BlockCodec.of(self._levels)
        self._chunk_folder, self._made_folders = path / LEVELS / "c", set[Path]()
        # One thread, so that the network does not wait for the disk and blocks are written in order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="napari-ink-write")
        self._syncing = ThreadPoolExecutor(_SYNCS_AT_ONCE, thread_name_prefix="napari-ink-sync")
        self._writes: deque[Future[None]] = deque()
        self._unrecorded: list[BlockIndex] = []
        self._timer: threading.Timer | None = None
        self._recorded_at = -math.inf  # so that the first block is recorded at once
        self._unsynced_rows: set[int] = set()
        self._synced_folders: set[Path] = set()
        self.pending = tuple(block for block in blocks_in(region) if not self._done[block])
        self._final_before = frozenset(blocks_in(region)).difference(self.pending)
        if resumption is not None and self.pending:
            self._add_to_record("continued", dict(resumption))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            # Queued blocks are final too. Their errors are raised only if no other error ended the run.
            with suppress(OutputError) if kind is not None else nullcontext():
                self._flush()
        finally:
            self._thread.shutdown(wait=True, cancel_futures=True)
            self._syncing.shutdown(wait=True)
            self._close(kind)

    def _close(self, kind: type[BaseException] | None) -> None:
        # Cancel raises GeneratorExit or KeyboardInterrupt, which are not Exceptions: such a store stays.
        if kind is not None and issubclass(kind, Exception) and self._is_new and not self._done.any():
            shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # the disk may not be writable any more
            (self.path / _LOCK).unlink(missing_ok=True)
        self._lock.release()

    @property
    def has_begun(self) -> bool:
        """Whether any block of the region was final before this run."""
        return bool(self._final_before)

    @property
    def is_complete(self) -> bool:
        """Whether every block of the region is final."""
        return all(self._done[block] for block in self.pending)

    def store(
        self, levels: Mapping[BlockIndex, UInt8Array], encoded: Mapping[BlockIndex, EncodedBlock] | None = None
    ) -> None:
        """Queue final blocks for writing.

        A thread writes them and records them as final within half a second; its errors are raised by a later call or at
        the end of the ``with``.

        Parameters
        ----------
        levels
            For each block the levels ``(c, y, x)`` uint8 of its part of the region.
        encoded
            More blocks, encoded by `codec` already.

        Raises
        ------
        OutputError
            If earlier blocks cannot be written.
        """
        while len(self._writes) >= _MOST_PENDING:
            self._writes.popleft().result()
        self._writes.append(self._thread.submit(self._store, levels, encoded or {}))

    def _store(self, levels: Mapping[BlockIndex, UInt8Array], encoded: Mapping[BlockIndex, EncodedBlock]) -> None:
        try:
            with storage_errors(self.path):
                for block, values in levels.items():
                    self._store_block(block, values)
                for block, chunks in encoded.items():
                    self._write_chunks(block, chunks)
        except OutputError:
            with suppress(OutputError):
                self._record_done()  # blocks written before the error are final
            raise
        self._unrecorded += [*levels, *encoded]
        # Not for each block: recording one takes longer than writing it, and a crash loses only half a second's work.
        if time.monotonic() - self._recorded_at > _RECORD_EVERY_S:
            self._record_done()
        elif self._timer is None:  # the next block may take long, so record these without it
            self._timer = threading.Timer(_RECORD_EVERY_S, self._queue_recording)
            self._timer.daemon = True
            self._timer.start()

    def _store_block(self, block: BlockIndex, levels: UInt8Array) -> None:
        area = block_area(block, self._region)
        if self.codec is None:
            self._levels[:, *area.slices] = levels
        else:
            self._write_chunks(block, self.codec.encode(block, area, levels))

    def _write_chunks(self, block: BlockIndex, chunks: EncodedBlock) -> None:
        """Write the chunks of a block, each beside its name and then moved there, as zarr does."""
        for channel, chunk in enumerate(chunks):
            path = self._chunk_folder / str(channel) / str(block[0]) / str(block[1])
            if chunk is None:
                path.unlink(missing_ok=True)  # a run that was killed may have left one
                continue
            if path.parent not in self._made_folders:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._made_folders.add(path.parent)
            with replacing_unsynced(path) as file:  # many are synced together later
                file.write(chunk)

    def _queue_recording(self) -> None:
        with suppress(RuntimeError):  # the thread has ended, and with it everything was recorded
            self._writes.append(self._thread.submit(self._record_done))

    def _record_done(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.mark_done(self._unrecorded)
        self._unrecorded.clear()
        self._recorded_at = time.monotonic()

    def _flush(self) -> None:
        """Wait for queued blocks, record them as final, and sync the flags to disk.

        Flags are synced only here: one that is lost in a power failure costs the work on its row of blocks and no more.
        """
        while self._writes:
            self._writes.popleft().result()
        self._thread.submit(self._record_done).result()
        with storage_errors(self.path):
            self._sync_chunks(DONE, ((row, 0) for row in self._unsynced_rows))
        self._unsynced_rows.clear()

    def mark_done(self, blocks: Iterable[BlockIndex]) -> None:
        """Record blocks as final; call it after their levels were written.

        The levels are synced to disk before the flags are written, so that no block is recorded as final whose levels
        are lost in a power failure.

        Raises
        ------
        OutputError
            If the flags cannot be written.
        """
        blocks = tuple(blocks)
        rows = set()
        for block in blocks:
            self._done[block] = 1
            rows.add(block[0])
        with storage_errors(self.path):
            self._sync_chunks(
                LEVELS, ((channel, *block) for channel in range(self._levels.shape[0]) for block in blocks)
            )
            for row in rows:
                self._done_on_disk[row] = self._done[row]
        self._unsynced_rows |= rows

    def _sync_chunks(self, array: str, chunks: Iterable[tuple[int, ...]]) -> None:
        """Sync chunks of an array to disk, and the folders that hold their names."""
        home, folders = self.path / array / "c", set[Path]()
        paths = (home.joinpath(*map(str, index)) for index in chunks)
        present = [chunk for chunk in paths if chunk.exists()]  # chunks that are all 0 have no file
        for folder in {chunk.parent for chunk in present}:
            # A folder that may be new: its own name, and those of the folders above it, must be synced as well.
            above = (
                [] if folder in self._synced_folders else [one for one in folder.parents if one.is_relative_to(home)]
            )
            folders |= {folder, *above}
        # Side by side: each sync waits for the disk's journal, which takes many in the time of one. Names come last.
        for together in (present, folders):
            list(self._syncing.map(sync, together))
        self._synced_folders |= folders

    def finish(self) -> None:
        """Write all queued blocks, and record in the provenance that the prediction is complete.

        Raises
        ------
        OutputError
            If blocks or the provenance cannot be written.
        """
        self._flush()
        # zarr creates missing folders without a word, so a store that was moved would be half here and half there.
        if not (self.path / DONE / "zarr.json").exists():
            raise OutputError(
                f"{self.path} was moved away while it was being written; move it back, then --resume continues."
            )
        provenance = cast("dict[str, Any]", self._group.attrs[ATTRIBUTES])
        with storage_errors(self.path):
            self._group.attrs[ATTRIBUTES] = {**provenance, "complete": True}

    def record_left_out(self, tile: Region) -> None:
        """Record in the provenance that a tile was left out, since the model gave NaN for it.

        Raises
        ------
        OutputError
            If the provenance cannot be written.
        """
        self._add_to_record("left_out", [tile.y0, tile.y1, tile.x0, tile.x1])

    def record_doubt(self, sentence: str) -> None:
        """Record in the provenance why the map is doubtful.

        Raises
        ------
        OutputError
            If the provenance cannot be written.
        """
        self._add_to_record("doubts", sentence)

    def store_unfamiliar(self, found: UnfamiliarMap) -> None:
        """Store the map of where not to trust, and record how large a share lies outside.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        with storage_errors(self.path):
            # If the chunk is lost, squares read as not measured, and not as inside.
            self._group.create_array(
                UNFAMILIAR, data=found.levels, chunks=found.levels.shape, fill_value=UNMEASURED, overwrite=True
            )
            provenance = cast("dict[str, Any]", self._group.attrs[ATTRIBUTES])
            self._group.attrs[ATTRIBUTES] = {**provenance, UNFAMILIAR: found.record}

    def ink_histogram(self, papyrus: Callable[[Region], npt.NDArray[np.bool_]]) -> npt.NDArray[np.int64]:
        """Return the number of pixels of papyrus at each level of ink, read block by block.

        Parameters
        ----------
        papyrus
            Function that returns which pixels of an area are papyrus.

        Raises
        ------
        BadInputError
            If a block is damaged.
        """
        counts = np.zeros(256, np.int64)
        for block in blocks_in(self._region):
            area = block_area(block, self._region)
            counts += np.bincount(self._stored(area, slice(1))[0][papyrus(area)], minlength=256)
        return counts

    def _add_to_record(self, name: str, value: Any) -> None:
        provenance = cast("dict[str, Any]", self._group.attrs[ATTRIBUTES])
        values = provenance.get(name, [])
        if value not in values:  # a resumed run may leave out the same tile again
            with storage_errors(self.path):
                self._group.attrs[ATTRIBUTES] = {**provenance, name: [*values, value]}

    def restore(self, area: Region, levels: UInt8Array) -> None:
        """Fill `levels` of `area` with the stored levels of blocks that were final before this run, in place.

        Raises
        ------
        BadInputError
            If a block is damaged.
        """
        for block in self._final_before.intersection(blocks_in(area)):
            part = block_area(block, area)
            levels[:, *part.slices_in(area)] = self._stored(part)

    def _stored(self, area: Region, planes: slice = slice(None)) -> UInt8Array:
        with decoder_errors(BadInputError, f"A part of {self.path}", "predict again under another name"):
            return np.asarray(self._levels[planes, *area.slices], np.uint8)


def is_being_written(path: Path) -> bool:
    """Return whether a run is writing to a store at this moment."""
    if not (path / _LOCK).is_file():
        return False
    lock = FileLock(path / _LOCK, thread_local=False)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # the lock cannot be opened for writing; the caller's next step reports why
        return False


def move_store(store: Path, target: Path) -> None:
    """Move a store to another place on the same disk, at a moment at which no run writes to it.

    Raises
    ------
    OutputError
        If a run is writing to it, or it cannot be moved.
    """
    lock = FileLock(store / _LOCK, thread_local=False)
    with storage_errors(store):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise OutputError(f"A run is writing {store}; wait for it to end, or cancel it.") from error
        try:
            if os.name == "nt":  # Windows moves no folder in which a file is open
                lock.release()
            os.rename(store, target)
        finally:
            lock.release()
    with suppress(OSError):
        (target / _LOCK).unlink(missing_ok=True)


def _locked(path: Path) -> FileLock:
    """Return a store's lock, acquired."""
    # The window opens the store on one thread and closes it on another; a thread-local lock would not be released.
    lock = FileLock(path / _LOCK, thread_local=False)
    with storage_errors(path):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise OutputError(f"Another run is writing {path}; wait for it to end, or choose another name.") from error
    return lock
