"""Conversion of any depth stack to an OME-Zarr pyramid: in bounded memory, taken up again where it stopped, checked."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from napari_ink.errors import OutputError, storage_errors
from napari_ink.stack.depth_stack import DepthStack
from napari_ink.stack.pyramid import layout, level_shapes, ngff_attributes
from napari_ink.stack.shards import Place, bytes_of, check_sum, places_of, read_halved, write_shard
from napari_ink.stack.spool import Spool

if TYPE_CHECKING:
    import zarr

_PLAN, _DONE, _LOCK, _SPOOL = "convert.json", "done.jsonl", "convert.lock", "layers.raw"
_WORKERS = 2
_SPOOLED = -1  # the level of what is only spooled
_LARGE_LAYER = 128 * 2**20  # two of them at once would be too much memory


@dataclass(frozen=True, slots=True)
class Converted:
    """How much has been written: shards of all levels, and bytes of grey values.

    Attributes
    ----------
    done, total
        Shards.
    done_bytes, total_bytes
        Grey values, uncompressed.
    """

    done: int
    total: int
    done_bytes: int
    total_bytes: int


def partial_path(out: Path) -> Path:
    """Return the folder in which a conversion is under way, beside where it will be."""
    return out.with_name(f"{out.name}.partial")


def convert(stack: DepthStack, out: Path, workers: int | None = None) -> Generator[Converted, None, None]:
    """Write a stack as OME-Zarr 0.5: sharded, compressed by zstd, with levels for looking at more of it at once.

    It is written to ``OUT.partial`` and moved once it is whole. A conversion that was stopped there goes on. Every
    shard is read back and held against the check sum of what was read from the source. Layers that can only be decoded
    whole are first copied to a file beside it, so that each is decoded once.

    Parameters
    ----------
    stack
        What is converted.
    out
        The folder to write, whose name ends in ``.zarr``; there must be nothing yet.
    workers
        Shards that are written at once; default: two.

    Yields
    ------
    Converted
        After each shard.

    Raises
    ------
    OutputError
        If `out` exists, cannot be written, or a conversion of another stack was begun there.
    StackError
        If the stack cannot be read.
    """
    if out.suffix != ".zarr":
        raise OutputError(f"{out} does not end in .zarr; give the OME-Zarr a name that does.")
    if out.exists():
        raise OutputError(f"{out} exists already; choose another name, or delete it.")
    work = partial_path(out)
    with storage_errors(out), ExitStack() as on_exit:
        work.mkdir(parents=True, exist_ok=True)
        on_exit.enter_context(_alone(work))
        done = _begin(work, stack)
        arrays = _arrays(work, stack)
        spool = Spool(work / _SPOOL, stack) if stack.by_layer else None
        sizes = {place: bytes_of(arrays, place) for place in places_of(arrays)}
        if spool is not None:
            sizes |= {(_SPOOLED, z, 0, 0): spool.layer_bytes for z in range(stack.shape[0])}
        is_large = spool is not None and spool.layer_bytes >= _LARGE_LAYER
        total, counted = sum(sizes.values()), sum(sizes[place] for place in done)
        yield Converted(len(done), len(sizes), counted, total)
        log = on_exit.enter_context((work / _DONE).open("a", encoding="utf-8"))
        for level in sorted({place[0] for place in sizes}):  # each is made of the one before, which must be whole
            todo = [place for place in sorted(sizes) if place[0] == level and place not in done]
            at_once = 1 if level == _SPOOLED and is_large else workers or _WORKERS
            for place, check in _in_parallel(todo, _work_of(level, stack, spool, arrays, done), at_once):
                done[place] = check
                log.write(json.dumps([*place, check]) + "\n")
                log.flush()
                counted += sizes[place]
                yield Converted(len(done), len(sizes), counted, total)
        log.close()
        _finish(work, out, stack, done)


def _work_of(
    level: int, stack: DepthStack, spool: Spool | None, arrays: list[zarr.Array[Any]], done: dict[Place, int]
) -> partial[int]:
    """Return what is to be done at each place of a level."""
    if level == _SPOOLED and spool is not None:
        return partial(_copy_layer, spool)
    if level == 0:
        return partial(write_shard, arrays, stack.read_block if spool is None else spool.read)
    finer = {place[1:]: check for place, check in done.items() if place[0] == level - 1}
    return partial(write_shard, arrays, partial(read_halved, arrays[level - 1], finer))


def _copy_layer(spool: Spool, place: Place) -> int:
    return check_sum(spool.copy(place[1]))


def _begin(work: Path, stack: DepthStack) -> dict[Place, int]:
    """Begin a conversion, or take one up again; return the check sums of what is written already."""
    plan = {"fingerprint": stack.fingerprint(), "shape": list(stack.shape), "dtype": stack.dtype.name}
    try:
        begun = json.loads((work / _PLAN).read_text())
    except FileNotFoundError:
        if any(child.name != _LOCK for child in work.iterdir()):
            raise OutputError(f"{work} is no conversion that could go on; delete it and run again.") from None
        (work / _PLAN).write_text(json.dumps(plan))
        return {}
    except ValueError:
        begun = None
    if begun != plan:
        raise OutputError(f"{work} is the conversion of another stack; delete it, or choose another name.")
    done: dict[Place, int] = {}
    log = work / _DONE
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            level, z, y, x, check = json.loads(line)
        except ValueError:
            continue  # the last line of a killed program
        done[level, z, y, x] = check
    if log.exists() and not log.read_bytes().endswith(b"\n"):
        with log.open("a") as file:
            file.write("\n")
    return done


def _arrays(work: Path, stack: DepthStack) -> list[zarr.Array[Any]]:
    """Return the arrays of all levels; they are made if they are not there."""
    import zarr
    from zarr.codecs import ZstdCodec

    shapes = level_shapes(stack.shape)
    group = zarr.open_group(work, mode="a", zarr_format=3)
    group.attrs.update(ngff_attributes(stack.name, stack.voxel_size_um, len(shapes)))
    for level, shape in enumerate(shapes):
        if str(level) not in group:
            chunks, shards = layout(level, shape[0])
            group.create_array(
                str(level), shape=shape, dtype=stack.dtype, chunks=chunks, shards=shards, fill_value=0,
                compressors=ZstdCodec(level=1), dimension_names=("z", "y", "x"),
                config={"write_empty_chunks": True},  # looking for empty ones costs a sixth of the time
            )  # fmt: skip
    return [cast("zarr.Array[Any]", group[str(level)]) for level in range(len(shapes))]


def _in_parallel(places: list[Place], work: partial[int], workers: int) -> Iterator[tuple[Place, int]]:
    """Do the work of all places, so many at once, and hand each out as soon as it is done."""
    with ThreadPoolExecutor(workers, thread_name_prefix="napari-ink-convert") as pool:
        coming = iter(places)
        under_way: dict[Future[int], Place] = {}
        try:
            while True:
                for place in coming:
                    under_way[pool.submit(work, place)] = place
                    if len(under_way) > workers:
                        break
                if not under_way:
                    return
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    yield under_way.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _finish(work: Path, out: Path, stack: DepthStack, done: dict[Place, int]) -> None:
    """Say in the attributes what was converted and checked, and give the folder its name."""
    import zarr

    checks = [done[place] for place in sorted(done) if place[0] == 0]
    group = zarr.open_group(work, mode="a")
    group.attrs["napari_ink"] = {
        "converted_from": str(stack.source),
        "fingerprint": stack.fingerprint(),
        "crc32_of_shards": checks,
    }
    for name in (_SPOOL, _DONE, _PLAN, _LOCK):
        (work / name).unlink(missing_ok=True)
    if hasattr(os, "sync"):
        os.sync()  # what has its final name must outlive a power cut, too
    os.replace(work, out)


def _alone(work: Path) -> Any:
    """Hold the folder for this program: two conversions to one place would spoil each other."""
    from filelock import FileLock, Timeout

    lock = FileLock(work / _LOCK)
    try:
        return lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError(f"{work} is being written by another program; wait for it, or stop it.") from error
