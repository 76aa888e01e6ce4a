"""Tiles of a depth stack, read on threads and cached in memory, so that the viewer never waits for the disk."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from napari_ink.errors import NapariInkError
from napari_ink.stack.coarse_sample import CoarseSample
from napari_ink.stack.depth_stack import DepthStack, Grey, Level

TILE_PX = 512
_KEPT_BYTES = 384 * 2**20
_READERS = 2
_AHEAD = 3
_RETRY_S = 3.0
_SCREEN_PX = 1024
Key = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """The values of a window that are available now.

    Attributes
    ----------
    values
        Grey values ``(y, x)``. Pixels not read yet come from a coarser level or a nearby layer, or are black.
    is_whole
        Whether all tiles of the window have been read.
    is_sampled
        Whether part of it is interpolated from a sample of chunks.
    """

    values: Grey
    is_whole: bool
    is_sampled: bool = False


def viewing_levels(stack: DepthStack) -> list[Level]:
    """Return levels of a stack down to a screen's size: the stored ones, or else every n-th pixel of the stack."""
    levels = [Level(stack.shape, (1, 1, 1), stack.read_block, stack.layers_together), *stack.levels]
    if not stack.levels:
        step = 2
        while max(stack.shape[1:]) > _SCREEN_PX * step // 2:
            levels.append(_thinned(stack, step))
            step *= 2
    return levels


def _thinned(stack: DepthStack, thin: int) -> Level:
    depth, height, width = stack.shape

    def thinned(z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        rows, columns = (
            slice(part.start * thin, min(part.stop * thin, length)) for part, length in ((y, height), (x, width))
        )
        return stack.read_block(z, rows, columns, thin * step)

    shape = (depth, -(-height // thin), -(-width // thin))
    return Level(shape, (1, thin, thin), thinned, stack.layers_together)


class Tiles:
    """A cache of tiles that are read on threads, with bounded memory.

    Tiles that no window needs any more are dropped from the queue.

    Parameters
    ----------
    levels
        Levels of the stack, the finest first.
    dtype
        Dtype of the grey values.
    by_layer
        Whether tiles are as wide as the level, since reading part of a layer takes as long as a band of rows.
    kept_bytes
        Most memory for cached tiles, in bytes.
    sample
        Sample of the stack's chunks, which is read before tiles that take longer, and shown where there is nothing
        better.

    Attributes
    ----------
    on_arrival
        Function that is called, on a thread, after tiles have been read.
    on_failure
        Function that is called, on a thread, with the message of an error in reading.
    """

    def __init__(
        self,
        levels: Sequence[Level],
        dtype: np.dtype,
        by_layer: bool = False,
        kept_bytes: int = _KEPT_BYTES,
        sample: CoarseSample | None = None,
    ) -> None:
        self._levels, self._dtype, self._sample = levels, np.dtype(dtype), sample
        if sample is not None:
            sample.on_round = lambda: self.on_arrival()
        self._size = [(TILE_PX, level.shape[2] if by_layer else TILE_PX) for level in levels]
        self._kept: OrderedDict[Key, Grey] = OrderedDict()
        self._kept_bytes, self._bytes = kept_bytes, 0
        self._coming: dict[Key, Future[None]] = {}
        self._failed: dict[Key, float] = {}
        self._wanted: OrderedDict[int, set[Key]] = OrderedDict()
        self._last: dict[int, int] = {}
        # Reading threads and the GUI thread share all of this; it is only held for bookkeeping, never while reading.
        self._lock = threading.RLock()
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="napari-ink-tiles")
        self.on_arrival: Callable[[], None] = lambda: None
        self.on_failure: Callable[[str], None] = lambda _: None

    def window(self, level: int, z: int, y: slice, x: slice, wait_s: float) -> Shown:
        """Return a window of one layer, after waiting at most `wait_s` seconds for tiles that are being read.

        Missing tiles are requested, and `on_arrival` is called when they have been read.
        """
        keys = list(self._keys(level, z, y, x))
        with self._lock:
            missing = [key for key in keys if key not in self._kept]
            self._want(level, z, keys, missing)
            blocks = {self._block(key) for key in missing}
            coming = [self._coming[block] for block in blocks if block in self._coming]
        if coming and wait_s > 0:
            wait(coming, wait_s)
        with self._lock:
            return self._put_together(level, keys, y, x)

    def close(self) -> None:
        """Stop reading, and drop the callbacks."""
        self.on_arrival, self.on_failure = lambda: None, lambda _: None
        if self._sample is not None:
            self._sample.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _keys(self, level: int, z: int, y: slice, x: slice) -> Iterator[Key]:
        tall, wide = self._size[level]
        for row in range(y.start // tall, -(-y.stop // tall)):
            for column in range(x.start // wide, -(-x.stop // wide)):
                yield level, z, row, column

    def _want(self, level: int, z: int, keys: list[Key], missing: list[Key]) -> None:
        """Request missing tiles, then those of the next layers in the direction of the last move through the depth."""
        depth = self._levels[level].shape[0]
        step = 1 if z >= self._last.get(level, z) else -1
        self._last[level] = z
        ahead = [
            (level, z + n * step, row, column)
            for n in range(1, _AHEAD + 1)
            if 0 <= z + n * step < depth
            for _, _, row, column in keys
        ]
        self._wanted[level] = {*keys, *ahead}
        self._wanted.move_to_end(level)
        while len(self._wanted) > 2:  # keep the level in view, and the coarsest one for napari's thumbnail
            self._wanted.popitem(last=False)
        keep = {self._block(key) for keys in self._wanted.values() for key in keys} - {
            self._block(key) for key in ahead if key not in missing
        }  # tiles read ahead are cancelled, too: they are requested again below, after the tiles in view
        for block in [block for block, future in self._coming.items() if block not in keep and future.cancel()]:
            del self._coming[block]
        for key in [*missing, *(key for key in ahead if key not in self._kept)]:
            block = self._block(key)
            # napari asks again with every redraw, so that a broken file would otherwise be read in a loop.
            if block not in self._coming and time.monotonic() - self._failed.get(block, -_RETRY_S) >= _RETRY_S:
                self._coming[block] = self._pool.submit(self._read, block)

    def _block(self, key: Key) -> Key:
        """Return the first tile of the block that a tile is read with: the layers of one stored chunk."""
        level, z, row, column = key
        together = self._levels[level].layers_together
        return level, z // together * together, row, column

    def _read(self, block: Key) -> None:
        level, z, row, column = block
        last = min(z + self._levels[level].layers_together, self._levels[level].shape[0])
        (tall, wide), (_, height, width) = self._size[level], self._levels[level].shape
        y = slice(row * tall, min((row + 1) * tall, height))
        x = slice(column * wide, min((column + 1) * wide, width))
        if self._sample is not None and self._sample.is_worth(TILE_PX * self._levels[level].step[1]):
            self._sample.read(z * self._levels[level].step[0])
        try:
            tiles = self._levels[level].read(slice(z, last), y, x)
        except NapariInkError as error:
            with self._lock:
                self._coming.pop(block, None)
                self._failed[block] = time.monotonic()
            self.on_failure(str(error))
            return
        with self._lock:
            self._coming.pop(block, None)
            self._failed.pop(block, None)
            for layer, tile in enumerate(tiles, z):
                key = (level, layer, row, column)
                self._bytes += tile.nbytes - (self._kept[key].nbytes if key in self._kept else 0)
                self._kept[key] = tile.copy() if len(tiles) > 1 else tile  # a view would keep all layers in memory
            while self._bytes > self._kept_bytes and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        self.on_arrival()

    def _put_together(self, level: int, keys: list[Key], y: slice, x: slice) -> Shown:
        tall, wide = self._size[level]
        out: Grey = np.zeros((y.stop - y.start, x.stop - x.start), self._dtype)
        is_whole, is_sampled = True, False
        for key in keys:
            _, z, row, column = key
            top, left = max(row * tall, y.start), max(column * wide, x.start)
            tile = self._kept.get(key)
            bottom, right = min((row + 1) * tall, y.stop), min((column + 1) * wide, x.stop)
            place = out[top - y.start : bottom - y.start, left - x.start : right - x.start]
            if tile is not None:
                self._kept.move_to_end(key)
                place[:] = tile[top - row * tall : bottom - row * tall, left - column * wide : right - column * wide]
            else:
                is_whole = False
                if not self._fill(place, level, z, (top, left)):
                    is_sampled |= self._fill_from_sample(place, level, z, (top, left))
        return Shown(out, is_whole, is_sampled)

    def _fill(self, place: Grey, level: int, z: int, corner: tuple[int, int]) -> bool:
        """Fill a part of a window from a coarser level of its layer, or a nearby layer of its own level, if there."""
        near = [z, *(z + sign * n for n in range(1, _AHEAD + 2) for sign in (-1, 1))]
        for other in range(level, len(self._levels)):
            step = [
                mine / finer for mine, finer in zip(self._levels[other].step, self._levels[level].step, strict=True)
            ][1:]
            rows, columns = (
                ((np.arange(length) + start) / one).astype(int)
                for length, start, one in zip(place.shape, corner, step, strict=True)
            )
            _, height, width = self._levels[other].shape
            rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
            tall, wide = self._size[other]
            # The part covers one tile of a coarser level, or few; the tile at its centre is close enough for all.
            row, column = rows[len(rows) // 2] // tall, columns[len(columns) // 2] // wide
            for layer in near if other == level else near[:1]:
                tile = self._kept.get(
                    (other, layer * self._levels[level].step[0] // self._levels[other].step[0], row, column)
                )
                if tile is not None:
                    inside = np.ix_(
                        (rows - row * tall).clip(0, tile.shape[0] - 1),
                        (columns - column * wide).clip(0, tile.shape[1] - 1),
                    )
                    place[:] = tile[inside]
                    return True
        return False

    def _fill_from_sample(self, place: Grey, level: int, z: int, corner: tuple[int, int]) -> bool:
        """Fill a part of a window from the sample of chunks, if there is one of its layer."""
        if self._sample is None:
            return False
        deep, *steps = self._levels[level].step
        rows, columns = (
            ((np.arange(start, start + length) + 0.5) * step).astype(np.float32)
            for length, start, step in zip(place.shape, corner, steps, strict=True)
        )
        found = self._sample.picture(z * deep, rows, columns)
        if found is None:
            return False
        place[:] = found
        return True
