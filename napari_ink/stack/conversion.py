"""Conversion of any depth stack to an OME-Zarr pyramid: in bounded memory, resumable, and verified by checksums."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from napari_ink.errors import NapariInkError, OutputError, storage_errors
from napari_ink.stack.conversion_folder import ConversionFolder, is_finished
from napari_ink.stack.conversion_folder import partial_path as partial_path
from napari_ink.stack.depth_stack import DepthStack, ReadBlock
from napari_ink.stack.pyramid import SHARD_PX, layout, level_shapes, ngff_attributes
from napari_ink.stack.shard_file import ZSTD_LEVEL, ShardedLevel, check_sum
from napari_ink.stack.shards import Place, bytes_of, places_of, read_halved, reads_back, write_shards
from napari_ink.stack.spool import Spool

if TYPE_CHECKING:
    import zarr

_WORKERS = 2
_SPOOLED = -1  # stands for a level in the shards of spooled layers
_LARGE_LAYER = 128 * 2**20  # two of them at once would be too much memory
# Reading 512 columns of an uncompressed file takes as long as reading whole rows, so several shards are read together;
# their packed bytes, about as many, are in memory until they are written.
_MOST_TOGETHER = 4
_MOST_TOGETHER_BYTES = 2**27
_S = TypeVar("_S")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Converted:
    """The progress of a conversion.

    Attributes
    ----------
    done, total
        Number of shards of all levels.
    done_bytes, total_bytes
        Size of their grey values, uncompressed.
    """

    done: int
    total: int
    done_bytes: int
    total_bytes: int


def convert(stack: DepthStack, out: Path, workers: int | None = None) -> Generator[Converted, None, None]:
    """Write a stack as OME-Zarr 0.5: sharded, compressed with Zstandard, with coarser levels.

    Shards go to ``OUT.partial``, which is renamed when complete. A conversion that was stopped or killed resumes with
    the shards whose stored checksum still matches. Every shard is read back and compared with the checksum of the
    values from the source. Layers that can only be decoded whole are first copied to an uncompressed file, so that
    each is decoded once.

    Parameters
    ----------
    stack
        The stack to convert.
    out
        Folder to write, with a name that ends in ``.zarr``; it must not exist.
    workers
        Number of shards to write at the same time; two by default.

    Yields
    ------
    Converted
        After each shard.

    Raises
    ------
    OutputError
        If `out` exists, cannot be written, or holds an unfinished conversion of another stack.
    StackError
        If the stack cannot be read.
    """
    if out.suffix != ".zarr":
        raise OutputError(f"{out} does not end in .zarr; give the OME-Zarr a name that does.")
    workers = workers or _WORKERS
    with storage_errors(out):
        if os.path.lexists(out):
            if not is_finished(out, stack):
                raise OutputError(f"{out} exists already; choose another name, or delete it.")
            nbytes = stack.size * stack.dtype.itemsize
            yield Converted(1, 1, nbytes, nbytes)
            return
        with ConversionFolder(out, stack) as folder:
            job = _Job(stack, folder)
            yield job.progress()
            yield from job.check(workers)
            for level in job.levels():  # a level is computed from the one before, which must be complete
                work = _in_parallel(job.together(level), job.work_of(level), job.at_once(level, workers))
                for places, checks in work:
                    for place, check in zip(places, checks, strict=True):
                        job.note(place, check)
                        yield job.progress()
            job.describe()
            folder.finish()


class _Job:
    """The shards of one conversion, and which of them are done.

    Parameters
    ----------
    stack
        The stack to convert.
    folder
        Working folder; shards in its list count as done until `check` finds them damaged.
    """

    def __init__(self, stack: DepthStack, folder: ConversionFolder) -> None:
        self._stack, self._folder = stack, folder
        self._group, self._levels = _make_levels(folder.path, stack)
        self._sizes = {place: bytes_of(self._levels[place[0]], place[1:]) for place in places_of(self._levels)}
        if stack.by_layer:
            layer_bytes = stack.shape[1] * stack.shape[2] * stack.dtype.itemsize
            self._sizes |= {(_SPOOLED, z, 0, 0): layer_bytes for z in range(stack.shape[0])}
        self._spool: Spool | None = None
        self._noted = {place: check for place, check in folder.read_done().items() if place in self._sizes}
        self._done = dict(self._noted)
        self._done_bytes = sum(self._sizes[place] for place in self._done)
        self._total_bytes = sum(self._sizes.values())

    def progress(self) -> Converted:
        """Return the progress."""
        return Converted(len(self._done), len(self._sizes), self._done_bytes, self._total_bytes)

    def note(self, place: Place, check: int) -> None:
        """Record a shard as done, with its checksum."""
        if self._noted.get(place) != check:
            self._folder.note_done(place, check)
        self._done[place] = check
        self._done_bytes += self._sizes[place]

    def check(self, workers: int) -> Iterator[Converted]:
        """Read all shards that an earlier run wrote; those whose checksum differs are written again.

        Copied layers are compared with their checksums only when they are needed.
        """
        for place, is_sound in _in_parallel(self._places(lambda level: level >= 0), self._is_sound, workers):
            if not is_sound:
                self._forget(place)
            yield self.progress()
        copied = self._places(lambda level: level == _SPOOLED)
        if self.todo(0):
            for place in copied:
                self._forget(place)
            if self._stack.by_layer:
                self._spool = Spool(self._folder.spool_path, self._stack)
            return
        for place in [one for one in self._sizes if one[0] == _SPOOLED]:  # level 0 is complete: no copy is needed
            if place in self._done:
                self._forget(place)
            self._total_bytes -= self._sizes.pop(place)

    def _places(self, of_level: Callable[[int], bool]) -> list[Place]:
        return sorted(place for place in self._done if of_level(place[0]))

    def _forget(self, place: Place) -> None:
        del self._done[place]
        self._done_bytes -= self._sizes[place]

    def _is_sound(self, place: Place) -> bool:
        return reads_back(self._levels[place[0]], self._noted[place], place[1:])

    def levels(self) -> list[int]:
        """Return the levels to write in order, starting with the copies of layers if these are needed."""
        return sorted({place[0] for place in self._sizes})

    def todo(self, level: int) -> list[Place]:
        """Return the shards of a level that are not done."""
        return sorted(place for place in self._sizes if place[0] == level and place not in self._done)

    def together(self, level: int) -> list[tuple[Place, ...]]:
        """Return the shards of a level that are not done, in groups to write together: side by side in one row."""
        most = 1
        if level == 0 and self._spool is None and self._stack.are_layers_apart:
            largest = max(self._sizes[place] for place in self._sizes if place[0] == 0)
            most = min(_MOST_TOGETHER, max(_MOST_TOGETHER_BYTES // largest, 1))
        groups: list[tuple[Place, ...]] = []
        for place in self.todo(level):
            group = groups[-1] if groups else ()
            is_next = group and (*group[-1][:3], group[-1][3] + SHARD_PX) == place
            if is_next and len(group) < most:
                groups[-1] = (*group, place)
            else:
                groups.append((place,))
        return groups

    def at_once(self, level: int, workers: int) -> int:
        """Return how many shards of a level to write at the same time."""
        is_large = level == _SPOOLED and self._spool is not None and self._spool.layer_bytes >= _LARGE_LAYER
        return 1 if is_large else workers

    def work_of(self, level: int) -> Callable[[tuple[Place, ...]], list[int]]:
        """Return the function that writes shards of a level and returns their checksums."""
        if level == _SPOOLED:
            return self._copy_layer
        if level == 0:
            read = self._stack.read_block if self._spool is None else self._spool.read
            return partial(self._write, read)
        finer = {place[1:]: check for place, check in self._done.items() if place[0] == level - 1}
        return partial(self._write, partial(read_halved, self._levels[level - 1], finer))

    def _write(self, read: ReadBlock, places: Sequence[Place]) -> list[int]:
        level = places[0][0]
        in_bands = level == 0 and (self._spool is not None or self._stack.are_layers_apart)
        is_last = level == len(self._levels) - 1
        return write_shards(self._levels[level], read, [place[1:] for place in places], in_bands, is_last)

    def _copy_layer(self, places: Sequence[Place]) -> list[int]:
        """Copy a layer, unless an earlier run did so and the copy still has its checksum."""
        assert self._spool is not None
        (place,) = places
        if (noted := self._noted.get(place)) is not None:
            with suppress(NapariInkError, OSError):
                if check_sum(self._spool.layer(place[1])) == noted:
                    return [noted]
        return [check_sum(self._spool.copy(place[1]))]

    def describe(self) -> None:
        """Store the source, its fingerprint and the checksums in the attributes."""
        self._group.attrs["napari_ink"] = {
            "converted_from": str(self._stack.source),
            "fingerprint": self._stack.fingerprint(),
            "crc32_of_shards": [self._done[place] for place in self._places(lambda level: level == 0)],
        }


def _make_levels(work: Path, stack: DepthStack) -> tuple[zarr.Group, list[ShardedLevel]]:
    """Create the group and the arrays of all levels, and return the group and the levels.

    Each run writes the metadata again, since a killed run may have left damaged ones; existing shards stay.
    """
    import zarr
    from zarr.codecs import ZstdCodec

    shapes = level_shapes(stack.shape)
    (work / "zarr.json").unlink(missing_ok=True)
    group = zarr.create_group(
        work, zarr_format=3, attributes=ngff_attributes(stack.name, stack.voxel_size_um, len(shapes))
    )
    levels = []
    for number, shape in enumerate(shapes):
        (work / str(number) / "zarr.json").unlink(missing_ok=True)
        chunks, shards = layout(number, shape[0])
        group.create_array(
            str(number),
            shape=shape,
            dtype=stack.dtype,
            chunks=chunks,
            shards=shards,
            fill_value=0,
            compressors=ZstdCodec(level=ZSTD_LEVEL),
            dimension_names=("z", "y", "x"),
        )
        levels.append(ShardedLevel(work / str(number), shape, stack.dtype, chunks, shards))
    return group, levels


def _in_parallel(tasks: Sequence[_S], work: Callable[[_S], _T], workers: int) -> Iterator[tuple[_S, _T]]:
    """Do all tasks on `workers` threads, and yield each with its result as soon as it is there."""
    with ThreadPoolExecutor(workers, thread_name_prefix="napari-ink-convert") as pool:
        remaining = iter(tasks)
        running: dict[Future[_T], _S] = {}
        try:
            while True:
                for task in remaining:
                    running[pool.submit(work, task)] = task
                    # One more than there are workers, so that none waits for the next shard; all at once would fill the
                    # queue with futures of a whole segment.
                    if len(running) > workers:
                        break
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)
