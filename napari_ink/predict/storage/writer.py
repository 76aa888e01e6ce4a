"""Prediction stores, filled: block by block, on a thread, and by one run at a time."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from filelock import FileLock, Timeout

from napari_ink.durable import sync
from napari_ink.errors import OutputError, storage_errors
from napari_ink.predict.storage.store import ATTRIBUTES, DONE, LEVELS, array_in, read_done
from napari_ink.predict.tiles import BlockIndex, block_area, blocks_in
from napari_ink.region import Region
from napari_ink.typing import UInt8Array

_LOCK = ".lock"
_MOST_COMING = 16
_NOTED_EVERY_S = 0.5


class PredictionWriter:
    """An open store that takes in final blocks; use it in a ``with``. Nobody else can write to it until that ends.

    If an error ends the ``with`` before a first block is final, a store that was made new is taken away again. A
    cancelled one stays, so that it can be resumed.

    Parameters
    ----------
    path
        The store.
    region
        What is predicted.
    going_on
        What is to be noted of a run that goes on with it; None for the run that made it.

    Attributes
    ----------
    pending : tuple of (row, column)
        The region's blocks that were not final when it was opened.

    Raises
    ------
    OutputError
        If another run is writing to it.
    """

    def __init__(self, path: Path, region: Region, going_on: Mapping[str, Any] | None = None) -> None:
        import zarr

        self.path = path
        self._lock = _locked(path)
        self._region = region
        self._is_new = going_on is None
        self._group = zarr.open_group(path, mode="r+")
        self._levels, self._done_on_disk = array_in(self._group, LEVELS), array_in(self._group, DONE)
        self._done = read_done(self._done_on_disk)
        # Writing takes its time, which the network need not wait for.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="napari-ink-write")
        self._coming: deque[Future[None]] = deque()
        self._unnoted: list[BlockIndex] = []
        self._alarm: threading.Timer | None = None
        self._noted_at = -math.inf  # the first one at once
        self._unsettled: set[int] = set()
        self._settled_folders: set[Path] = set()
        self.pending = tuple(block for block in blocks_in(region) if not self._done[block])
        self._kept = frozenset(blocks_in(region)).difference(self.pending)
        if going_on is not None and self.pending:
            self._add_to_record("continued", dict(going_on))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            # What is on its way is final as well; an error of it counts only where there is none yet.
            with suppress(OutputError) if kind is not None else nullcontext():
                self._settled()
        finally:
            self._thread.shutdown(wait=True, cancel_futures=True)
            self._let_go(kind)

    def _let_go(self, kind: type[BaseException] | None) -> None:
        if kind is not None and issubclass(kind, Exception) and self._is_new and not self._done.any():
            shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # of a disk that can be written no more
            (self.path / _LOCK).unlink(missing_ok=True)
        self._lock.release()

    @property
    def has_begun(self) -> bool:
        """Whether anything of it was final before this run."""
        return bool(self._kept)

    @property
    def is_complete(self) -> bool:
        """Whether every block of the region is final."""
        return all(self._done[block] for block in self.pending)

    def store(self, levels: Mapping[BlockIndex, UInt8Array]) -> None:
        """Have blocks' final levels ``(c, y, x)`` of their parts of the region written.

        Done on a thread, which notes them as final within half a second; what goes wrong there is raised by a later
        call, or at the end of the ``with``.

        Raises
        ------
        OutputError
            If earlier ones cannot be written.
        """
        while len(self._coming) >= _MOST_COMING:
            self._coming.popleft().result()
        self._coming.append(self._thread.submit(self._store, levels))

    def _store(self, levels: Mapping[BlockIndex, UInt8Array]) -> None:
        try:
            with storage_errors(self.path):
                for block, values in levels.items():
                    self._levels[:, *block_area(block, self._region).slices] = values
        except OutputError:
            with suppress(OutputError):
                self._note()  # what was stored before is as good as ever
            raise
        self._unnoted += levels
        # Not with each block, which takes longer than to store it; a crash costs the work of half a second.
        if time.monotonic() - self._noted_at > _NOTED_EVERY_S:
            self._note()
        elif self._alarm is None:  # the next block may be long in coming
            self._alarm = threading.Timer(_NOTED_EVERY_S, self._have_noted)
            self._alarm.daemon = True
            self._alarm.start()

    def _have_noted(self) -> None:
        with suppress(RuntimeError):  # at the very end, when all is noted and the thread gone
            self._coming.append(self._thread.submit(self._note))

    def _note(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self.mark_done(self._unnoted)
        self._unnoted.clear()
        self._noted_at = time.monotonic()

    def _settled(self) -> None:
        """Wait for what is being written, and have the notes of it written out.

        Only now: a note that a failing machine loses costs the work on its row of blocks, and no more.
        """
        while self._coming:
            self._coming.popleft().result()
        self._thread.submit(self._note).result()
        with storage_errors(self.path):
            self._settle(DONE, ((row, 0) for row in self._unsettled))
        self._unsettled.clear()

    def mark_done(self, blocks: Iterable[BlockIndex]) -> None:
        """Note that blocks are final; to be called once their levels are written.

        The levels are on the disk before the note is, so that a machine that fails loses no block that is said to be
        final.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        blocks = tuple(blocks)
        rows = set()
        for block in blocks:
            self._done[block] = 1
            rows.add(block[0])
        with storage_errors(self.path):
            self._settle(LEVELS, ((channel, *block) for channel in range(self._levels.shape[0]) for block in blocks))
            for row in rows:
                self._done_on_disk[row] = self._done[row]
        self._unsettled |= rows

    def _settle(self, array: str, chunks: Iterable[tuple[int, ...]]) -> None:
        """Have the system write out chunks of an array, and their names."""
        folders = set()
        for index in chunks:
            chunk = (self.path / array / "c").joinpath(*map(str, index))
            if chunk.exists():  # chunks that are 0 all over are not stored
                sync(chunk)
                is_new = chunk.parent not in self._settled_folders  # then its own name must be written out too
                folders |= {*chunk.parents[: len(index)]} if is_new else {chunk.parent}
        for folder in folders:
            sync(folder)
        self._settled_folders |= folders

    def finish(self) -> None:
        """Write into the provenance that the prediction is complete.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        self._settled()
        if not (self.path / DONE / "zarr.json").exists():  # zarr makes anew what it misses
            raise OutputError(f"{self.path} was moved away while it was written; put it back, and --resume goes on.")
        provenance = cast("dict[str, Any]", self._group.attrs[ATTRIBUTES])
        with storage_errors(self.path):
            self._group.attrs[ATTRIBUTES] = {**provenance, "complete": True}

    def leave_out(self, tile: Region) -> None:
        """Write into the provenance that a tile had no answer.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        self._add_to_record("left_out", [tile.y0, tile.y1, tile.x0, tile.x1])

    def _add_to_record(self, name: str, value: Any) -> None:
        provenance = cast("dict[str, Any]", self._group.attrs[ATTRIBUTES])
        there = provenance.get(name, [])
        if value not in there:  # a tile that was left out is again where a run goes on
            with storage_errors(self.path):
                self._group.attrs[ATTRIBUTES] = {**provenance, name: [*there, value]}

    def restore(self, area: Region, levels: UInt8Array) -> None:
        """Put into `levels` of `area` what an earlier run has stored there for good."""
        for block in self._kept.intersection(blocks_in(area)):
            part = block_area(block, area)
            levels[:, *part.slices_in(area)] = np.asarray(self._levels[:, *part.slices])


def is_being_written(path: Path) -> bool:
    """Whether a run is writing to a store at this moment."""
    if not (path / _LOCK).is_file():
        return False
    lock = FileLock(path / _LOCK, thread_local=False)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # that cannot be written: what else is wrong with the place is told where it is used
        return False


def _locked(path: Path) -> FileLock:
    """Return the lock of a store, taken."""
    # Opened on one thread and closed on another, in a window: a lock of one thread alone would stay behind.
    lock = FileLock(path / _LOCK, thread_local=False)
    with storage_errors(path):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise OutputError(f"Another run is writing {path}; wait for it, or choose another name.") from error
    return lock
