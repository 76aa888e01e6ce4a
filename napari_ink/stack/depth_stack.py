"""Depth stacks: grey values ``(z, y, x)`` that stay in their files and are read block by block."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby, product
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_ink.stack.projection import How, project_layers

Grey = npt.NDArray[Any]

MOST_TOGETHER = 16  # layers of a chunk that are read together, at most
# Projects and predictions store fingerprints of the first of each pair, which must therefore stay.
_SAMPLED_LAYERS, _SAMPLED_WINDOW_LAYERS = 3, 8
# Few places would give a stack that was cut by some rows other quantiles, and so other maps.
_SAMPLED_PLACES, _SAMPLED_WINDOW_PLACES = 4, 8
_SAMPLE_PX = 64
_LAYERS_AT_ONCE = 8
# Each request to a server waits, so many are made at once; fewer for large chunks, to bound memory.
_READERS, _READERS_BYTES = 8, 2**28


class ReadBlock(Protocol):
    """A function that reads a block of a stack."""

    def __call__(self, z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        """Return grey values ``(z, y, x)`` of half-open ranges; of rows and columns only every `step`-th."""
        ...


@dataclass(frozen=True, eq=False)
class Level:
    """One resolution level of a stack, for viewing more of it at once.

    Attributes
    ----------
    shape
        Depth layers, height and width of the level.
    step
        Voxels of the stack to one voxel of the level, along each axis.
    read
        Function that reads a block of the level.
    layers_together
        Number of layers in a stored chunk: reading one of them takes as long as reading all.
    """

    shape: tuple[int, int, int]
    step: tuple[int, int, int]
    read: ReadBlock
    layers_together: int = 1


@dataclass(frozen=True, eq=False)
class DepthStack:
    """A depth stack that stays in its files; indexing it like an array reads the indexed voxels.

    Attributes
    ----------
    source
        The folder that holds the layers, the file, or the address.
    name
        The segment's name.
    shape
        Depth layers, height and width.
    dtype
        uint8 or uint16.
    voxel_size_um
        Edge of a voxel in micrometres; None if the source does not state it.
    format
        Storage format, in words for the user.
    read_block
        Function that reads a block of the stack.
    home
        Folder of the stack's masks and labels; None for an address or an array in memory.
    levels
        Coarser levels that are stored with the stack, the finest first.
    scaling
        Conversion of stored values to grey values, in words; empty if stored values are grey values.
    slow
        Reason why moving through the stack is slow, in words; empty if it is not.
    layers_together
        Number of layers in a stored chunk: reading one of them takes as long as reading all.
    stored_px
        Rows and columns of a stored chunk; 1 and 1 if any part can be read by itself.
    by_layer
        Whether reading part of a layer takes as long as reading a whole band of rows, or all of it.
    are_layers_apart
        Whether each layer is stored by itself, so that reading a few of them takes no longer than their share of all.
    missing
        Function that returns which parts are missing and read as black, in words; empty if none are.
    notes
        What was guessed or left out on opening, one sentence each.
    layer_step_um
        Distance of neighbouring layers in micrometres; None for the edge of a voxel.
    """

    source: Path | str
    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    voxel_size_um: float | None
    format: str
    read_block: ReadBlock
    home: Path | None = None
    levels: tuple[Level, ...] = ()
    scaling: str = ""
    slow: str = ""
    by_layer: bool = False
    layers_together: int = 1
    are_layers_apart: bool = False
    stored_px: tuple[int, int] = (1, 1)
    missing: Callable[[], str] = field(default=str)
    notes: tuple[str, ...] = ()
    layer_step_um: float | None = None

    ndim = 3

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def chunk_bytes(self) -> int:
        """Most bytes of a stored chunk; `layers_together` is limited, and then the whole depth is taken."""
        layers = self.layers_together if self.layers_together < MOST_TOGETHER else self.shape[0]
        return layers * self.stored_px[0] * self.stored_px[1] * self.dtype.itemsize

    @property
    def readers(self) -> int:
        """Number of chunks to read at once, so that they take little memory."""
        return max(min(_READERS, _READERS_BYTES // self.chunk_bytes), 1)

    @property
    def surface_z(self) -> int:
        """The depth layer that the surface was flattened to: the middle one."""
        return self.shape[0] // 2

    def read(self, z: slice, y: slice, x: slice) -> Grey:
        """Return the block of half-open ranges as an array ``(z, y, x)`` of the stack's dtype.

        Raises
        ------
        ValueError
            If a range has a step, runs backwards, or leaves the stack.
        StackError
            If the files can no longer be read.
        """
        z, y, x = (slice(*_bounds(s, n)) for s, n in zip((z, y, x), self.shape, strict=True))
        return self.read_block(z, y, x)

    def project(
        self,
        z: slice,
        how: How,
        y: slice = slice(None),
        x: slice = slice(None),
        limits: tuple[float, float] = (0.0, 1.0),
    ) -> Grey:
        """Return the projection of a window of depth layers, holding a few layers in memory at a time.

        Parameters
        ----------
        z
            Half-open range of depth layers.
        how
            Kind of projection, as in `project_layers`.
        y, x
            Half-open ranges of rows and columns; all by default.
        limits
            Grey values that are fully transparent and fully opaque, for ``"alpha"`` only.

        Returns
        -------
        ndarray
            Projection ``(y, x)``, of the dtype that `project_layers` states.

        Raises
        ------
        ValueError
            If the window is empty.
        """
        z0, z1 = _bounds(z, self.shape[0])
        if z0 == z1:
            raise ValueError("an empty window of layers has no projection")
        rows, columns = slice(*_bounds(y, self.shape[1])), slice(*_bounds(x, self.shape[2]))
        return project_layers(self._layers(z0, z1, rows, columns), how, limits)

    def _layers(self, z0: int, z1: int, y: slice, x: slice) -> Iterator[Grey]:
        """Yield layers, read a few at a time: in a chunked store, one alone takes as long as its neighbours with it."""
        for z in range(z0, z1, _LAYERS_AT_ONCE):
            yield from self.read_block(slice(z, min(z + _LAYERS_AT_ONCE, z1)), y, x)

    def contrast_limits(self) -> tuple[float, float]:
        """Return the 0.5th and 99.5th percentile of sampled voxels, without empty ones; the first is always smaller."""
        sample = self.grey_sample()
        low, high = (float(v) for v in np.percentile(sample, (0.5, 99.5)))
        return (low, high) if low < high else (0.0, max(high, 1.0))

    def grey_sample(self) -> Grey:
        """Return the grey values ``(n,)`` of sampled voxels, without empty ones unless all are empty."""
        return _without_empty(self._samples)

    def window_quantiles(self, z: slice, shares: tuple[float, ...]) -> tuple[float, ...]:
        """Return quantiles of grey values sampled from a window of layers, without empty voxels.

        Parameters
        ----------
        z
            Half-open range of layers, of which a few are sampled.
        shares
            Shares of the voxels below each quantile, 0 to 1.

        Raises
        ------
        StackError
            If the files cannot be read.
        """
        key = (z.start, z.stop, shares)
        if key not in self._quantiles:
            sample = _without_empty(block for layer in self.window_blocks(z) for block in layer)
            self._quantiles[key] = tuple(np.quantile(sample, shares).tolist())
        return self._quantiles[key]

    def window_blocks(self, z: slice) -> tuple[tuple[Grey, ...], ...]:
        """Return for a few layers of a window the same small blocks ``(y, x)``, evenly spaced over the segment.

        Raises
        ------
        StackError
            If the files cannot be read.
        """
        key = (z.start, z.stop)
        if key not in self._blocks:
            rows, columns = (_spread(length, _SAMPLED_WINDOW_PLACES) for length in self.shape[1:])
            self._blocks[key] = self.blocks_of_window(z, rows, columns)
        return self._blocks[key]

    def blocks_of_window(
        self, z: slice, rows: Sequence[slice], columns: Sequence[slice]
    ) -> tuple[tuple[Grey, ...], ...]:
        """Return for a few layers of a window the blocks ``(y, x)`` of some rows and columns, row by row.

        Raises
        ------
        StackError
            If the files cannot be read.
        """
        layers = _evenly_spaced(z)
        blocks = [block[0] for block in self._blocks_at(layers, rows, columns)]
        places = len(rows) * len(columns)
        return tuple(tuple(blocks[i : i + places]) for i in range(0, len(blocks), places))

    def fingerprint(self) -> str:
        """Return a digest of the shape, the dtype and sampled voxels, which is the same for a copy elsewhere."""
        digest = hashlib.sha256(repr((self.shape, self.dtype.name)).encode())
        for rows in self._samples:
            digest.update(np.ascontiguousarray(rows).tobytes())
        return digest.hexdigest()

    @cached_property
    def _samples(self) -> tuple[Grey, ...]:
        """Small blocks of voxels, evenly spaced in a few layers: each touches only few strips or chunks of a file."""
        layers = np.unique(np.linspace(0, self.shape[0] - 1, _SAMPLED_LAYERS).astype(int)).tolist()
        rows, columns = (_spread(length, _SAMPLED_PLACES) for length in self.shape[1:])
        return tuple(self._blocks_at(layers, rows, columns))

    @cached_property
    def _blocks(self) -> dict[tuple[int, int], tuple[tuple[Grey, ...], ...]]:
        return {}

    @cached_property
    def _quantiles(self) -> dict[tuple[int, int, tuple[float, ...]], tuple[float, ...]]:
        return {}

    def _blocks_at(self, sampled: Iterable[int], rows: Sequence[slice], columns: Sequence[slice]) -> Iterator[Grey]:
        """Yield the blocks of some rows and columns, layer by layer."""
        if not self.by_layer and self.stored_px != (1, 1):
            with ThreadPoolExecutor(self.readers, thread_name_prefix="napari-ink-samples") as pool:
                for group in _together(sampled, self.layers_together):
                    blocks = list(pool.map(lambda place: self._layers_at(*place), product([group], rows, columns)))
                    for layers in zip(*blocks, strict=True):
                        yield from layers
            return
        for layer in (slice(z, z + 1) for z in sampled):
            if not self.by_layer:
                yield from (np.array(self.read_block(layer, y, x)) for y in rows for x in columns)
                continue
            # Rows that are compressed as a whole are decoded once, not once a block.
            for _, alike in groupby(rows, key=lambda y: y.start // self.stored_px[0]):
                together = [*alike]
                top, left = together[0].start, columns[0].start
                band = self.read_block(layer, slice(top, together[-1].stop), slice(left, columns[-1].stop))
                for y, x in product(together, columns):
                    yield np.array(band[:, y.start - top : y.stop - top, x.start - left : x.stop - left])

    def _layers_at(self, sampled: Sequence[int], y: slice, x: slice) -> list[Grey]:
        """Return blocks ``(1, y, x)`` of layers that are stored together, and so are read at once."""
        first = sampled[0]
        block = self.read_block(slice(first, sampled[-1] + 1), y, x)
        return [np.array(block[z - first : z - first + 1]) for z in sampled]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Grey:
        """Return what a NumPy index of integers and slices selects; steps are applied after reading."""
        parts = index if isinstance(index, tuple) else (index,)
        if Ellipsis in [p for p in parts if p is Ellipsis]:
            # Not `parts.index(Ellipsis)`: comparing an array in the index with `==` would give an array.
            at = next(i for i, p in enumerate(parts) if p is Ellipsis)
            parts = parts[:at] + (slice(None),) * (3 - len(parts) + 1) + parts[at + 1 :]
        parts = parts + (slice(None),) * (3 - len(parts))
        if len(parts) != 3:
            raise IndexError(f"a depth stack has 3 axes, and {index} names {len(parts)}")
        windows, after = zip(*(_window(p, n) for p, n in zip(parts, self.shape, strict=True)), strict=True)
        block: Grey = self.read(*windows)[after]
        return block

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Grey:
        """Return the whole stack as an array; NumPy calls this in `np.asarray`."""
        return self.read(slice(None), slice(None), slice(None)).astype(dtype or self.dtype, copy=False)


def _without_empty(blocks: Iterable[Grey]) -> Grey:
    sample = np.concatenate([rows.ravel() for rows in blocks])
    return sample[sample > 0] if (sample > 0).any() else sample


def _together(sampled: Iterable[int], layers_together: int) -> list[list[int]]:
    """Return rising layers in groups, each of the layers in one row of stored chunks."""
    return [list(group) for _, group in groupby(sampled, key=lambda z: z // layers_together)]


def _evenly_spaced(z: slice) -> list[int]:
    """Return some layers of a window, the same ones if the stack is read from its other end."""
    before = np.rint(np.linspace(0, z.stop - z.start - 1, _SAMPLED_WINDOW_LAYERS)[: _SAMPLED_WINDOW_LAYERS // 2])
    sampled: list[int] = np.union1d(z.start + before, z.stop - 1 - before).astype(int).tolist()
    return sampled


def _spread(length: int, most: int) -> list[slice]:
    """Return short ranges, evenly spaced; fewer if they would overlap."""
    number = min(most, max(1, length // _SAMPLE_PX))
    size = min(_SAMPLE_PX, length)
    starts = (round((place + 0.5) * length / number - size / 2) for place in range(number))
    return [slice(start, start + size) for start in (min(max(one, 0), length - size) for one in starts)]


def _bounds(window: slice, size: int) -> tuple[int, int]:
    start = 0 if window.start is None else int(window.start)
    stop = size if window.stop is None else int(window.stop)
    if window.step not in (None, 1) or not 0 <= start <= stop <= size:
        raise ValueError(f"{start}:{stop} is not a forward range within 0:{size}")
    return start, stop


def _window(part: Any, size: int) -> tuple[slice, Any]:
    """Return the half-open range that one part of an index touches, and the index to apply within it."""
    if isinstance(part, slice):
        start, stop, step = part.indices(size)
        if step == 1:
            return slice(start, max(start, stop)), slice(None)
        return slice(0, size), part
    place = int(part)
    if not -size <= place < size:
        raise IndexError(f"{place} lies outside an axis of {size}")
    place %= size
    return slice(place, place + 1), 0
