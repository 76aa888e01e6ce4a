"""Coarse pictures of layers from a sample of a stack's chunks, to show until the layers have been read.

A stack without levels whose chunks hold many layers has to be unpacked whole for its first picture. The mean of every
n-th chunk gives a coarse picture in a fraction of that time; between these chunks it is interpolated.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_ink.errors import NapariInkError
from napari_ink.stack.depth_stack import DepthStack, Grey

# A sixteenth of what the whole takes, at most: 256 chunks of 65 × 128 × 128 of 16 bits are unpacked in .2 to .5 s.
_MOST_CHUNKS, _MOST_BYTES = 256, 2**29
_TIMES = 4  # a layer with fewer chunks than this many samples is read soon
_WORTH_BYTES = 2**31
_WORTH_REQUESTS = 256  # of a server, which answers a few dozen a second
_ROUNDS = 3
_KEPT = 64

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Means:
    """Means of sampled chunks, of the layers from `first` on.

    Attributes
    ----------
    first
        First layer.
    rows, columns
        Centres of the chunks, in pixels of the stack.
    values
        Means ``(z, row, column)``.
    """

    first: int
    rows: Floats
    columns: Floats
    values: Floats


class CoarseSample:
    """Coarse pictures of layers from sampled chunks, which threads read and the window's thread shows.

    Parameters
    ----------
    stack
        The stack to sample.

    Attributes
    ----------
    on_round
        Function that is called, on a thread, when there is a picture or a finer one.
    """

    def __init__(self, stack: DepthStack) -> None:
        self._stack = stack
        self._stride = _stride(stack)
        self._means: OrderedDict[int, _Means] = OrderedDict()
        self._finished: dict[int, threading.Event] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        self._pool = ThreadPoolExecutor(stack.readers, thread_name_prefix="napari-ink-sample")
        self.on_round: Callable[[], None] = lambda: None

    def is_worth(self, pixels: int) -> bool:
        """Whether a square of so many pixels of the stack takes longer to read than the sample."""
        tall, wide = self._stack.stored_px
        return (pixels / tall) * (pixels / wide) >= _chunk_count(self._stack) / self._stride**2

    def read(self, z: int) -> None:
        """Read the sample for a layer, if it was not read before; returns once it is there.

        A chunk that cannot be read ends it; the error is reported when the whole layer is read.
        """
        first = self._first_beside(z)
        with self._lock:
            is_mine = first not in self._finished
            finished = self._finished.setdefault(first, threading.Event())
        if not is_mine:
            finished.wait()
            return
        try:
            self._read_rounds(first)
        except (NapariInkError, RuntimeError):  # RuntimeError: the pool is closed
            return
        finally:
            finished.set()

    def _first_beside(self, z: int) -> int:
        """Return the first of the layers that are in the same chunks as a layer."""
        return z // self._stack.layers_together * self._stack.layers_together

    def _read_rounds(self, first: int) -> None:
        """Read every n-th chunk along both axes, then those between, and keep the means after each round."""
        z = slice(first, min(first + self._stack.layers_together, self._stack.shape[0]))
        (tall, wide), (_, height, width) = self._stack.stored_px, self._stack.shape
        found: dict[tuple[int, int], Floats] = {}
        for stride in (self._stride << more for more in reversed(range(_ROUNDS))):
            # The same first chunk in all rounds, so that each takes up the chunks of the one before.
            rows, columns = (
                list(range(min(self._stride // 2, count - 1), count, stride))
                for count in (-(-height // tall), -(-width // wide))
            )
            new = [(row, column) for row in rows for column in columns if (row, column) not in found]
            if self._is_closed:
                return
            found |= zip(new, self._pool.map(lambda place: self._mean(z, *place), new), strict=True)
            values = np.stack([np.stack([found[row, column] for column in columns], 1) for row in rows], 1)
            means = _Means(first, _centres(rows, tall, height), _centres(columns, wide, width), values)
            with self._lock:
                self._means[first] = means
                self._means.move_to_end(first)
                while len(self._means) > _KEPT:
                    del self._finished[self._means.popitem(last=False)[0]]
            self.on_round()

    def _mean(self, z: slice, row: int, column: int) -> Floats:
        (tall, wide), (_, height, width) = self._stack.stored_px, self._stack.shape
        y = slice(row * tall, min((row + 1) * tall, height))
        x = slice(column * wide, min((column + 1) * wide, width))
        means: Floats = self._stack.read_block(z, y, x).mean(axis=(1, 2), dtype=np.float32)
        return means

    def picture(self, z: int, rows: Floats, columns: Floats) -> Grey | None:
        """Return a layer interpolated at given rows and columns of the stack; None if there is no sample of it yet."""
        first = self._first_beside(z)
        with self._lock:
            means = self._means.get(first)
        if means is None:
            return None
        values = _weights(rows, means.rows) @ means.values[z - first] @ _weights(columns, means.columns).T
        rounded: Grey = np.rint(values).astype(self._stack.dtype)
        return rounded

    def close(self) -> None:
        """Read no more."""
        self._is_closed, self.on_round = True, lambda: None
        self._pool.shutdown(wait=False, cancel_futures=True)


def sample_of(stack: DepthStack) -> CoarseSample | None:
    """Return a sample of a stack whose first picture takes long; None if the whole is read about as fast."""
    # Where layers are stored apart, the whole of one is read about as fast; a tile of a TIFF is no cheap request.
    if stack.levels or stack.are_layers_apart or stack.by_layer or stack.stored_px == (1, 1):
        return None
    chunks = _chunk_count(stack)
    is_slow = chunks * stack.chunk_bytes >= _WORTH_BYTES
    is_remote = isinstance(stack.source, str) and chunks >= _WORTH_REQUESTS
    is_fewer = chunks >= _TIMES * _chunk_count(stack) / _stride(stack) ** 2
    return CoarseSample(stack) if (is_slow or is_remote) and is_fewer else None


def _chunk_count(stack: DepthStack) -> int:
    """Return the number of chunks that one layer of a stack touches."""
    return math.prod(-(-length // size) for length, size in zip(stack.shape[1:], stack.stored_px, strict=True))


def _stride(stack: DepthStack) -> int:
    """Return the distance of sampled chunks, a power of 2, so that they stay within the limits."""
    most = max(min(_MOST_CHUNKS, _MOST_BYTES // stack.chunk_bytes), 4)
    stride = 1
    while _chunk_count(stack) > most * stride**2:
        stride *= 2
    return stride


def _centres(chunks: list[int], size: int, length: int) -> Floats:
    return np.array([(one * size + min((one + 1) * size, length)) / 2 for one in chunks], np.float32)


def _weights(places: Floats, centres: Floats) -> Floats:
    """Return the weights ``(place, centre)`` of linear interpolation; beyond the outer centres these are repeated."""
    position = np.interp(places, centres, np.arange(len(centres)))
    distance = np.abs(position[:, np.newaxis] - np.arange(len(centres)))
    weights: Floats = np.maximum(1 - distance, 0).astype(np.float32)
    return weights
