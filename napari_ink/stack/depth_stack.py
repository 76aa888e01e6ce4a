"""A depth stack: grey values ``(z, y, x)`` on disk, of which only what is asked for is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_ink.stack.projection import How, project_layers

Grey = npt.NDArray[Any]

_SAMPLED_LAYERS = 3
_SAMPLED_PLACES = 4
_SAMPLE_PX = 64
_LAYERS_AT_ONCE = 8


class ReadBlock(Protocol):
    """Reads the block of the half-open ranges `z`, `y` and `x`; of rows and columns only every so many."""

    def __call__(self, z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        """Return grey values ``(z, y, x)``."""
        ...


@dataclass(frozen=True, eq=False)
class Level:
    """A coarser copy of a stack, for looking at more of it at once.

    Attributes
    ----------
    shape
        Depth layers, height and width of it.
    step
        Voxels of the stack to one of the copy, along each axis.
    read
        Reads a block of it.
    layers_together
        Layers that are stored together: one of them costs as much as all.
    """

    shape: tuple[int, int, int]
    step: tuple[int, int, int]
    read: ReadBlock
    layers_together: int = 1


@dataclass(frozen=True, eq=False)
class DepthStack:
    """A depth stack that stays where it is; indexed like an array, it reads what the index asks for.

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
        Edge of a voxel in micrometres; None where nothing tells.
    format
        How it is stored, in words.
    read_block
        Reads a block of it.
    home
        The folder that masks and labels lie in; None where there is none.
    levels
        Coarser copies that are stored with it, the finest first.
    scaling
        How stored values became grey values, in words; empty where they are what is stored.
    slow
        Why moving through it takes long, in words; empty where it does not.
    layers_together
        Layers that are stored together: one of them costs as much to read as all.
    stored_px
        Rows and columns that are stored together, likewise; 1 and 1 where any part can be read by itself.
    by_layer
        Whether a part of a layer costs as much to read as a whole band of it, or all of it.
    missing
        Says what of it is not there and reads as black; empty when nothing is.
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
    stored_px: tuple[int, int] = (1, 1)
    missing: Callable[[], str] = field(default=str)

    ndim = 3

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def surface_z(self) -> int:
        """The depth layer that the surface was flattened to: the middle one."""
        return self.shape[0] // 2

    def read(self, z: slice, y: slice, x: slice) -> Grey:
        """Read the block ``(z, y, x)`` of half-open ranges.

        Raises
        ------
        ValueError
            If a range has a step, runs backwards, or leaves the stack.
        StackError
            If the files can no longer be read there.
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
        """Project a window of depth layers onto a plane, holding a few layers at a time; see `project_layers`.

        Parameters
        ----------
        z
            The window of depth layers.
        how
            Which projection.
        y, x
            Rows and columns.
        limits
            For the composite.

        Returns
        -------
        ndarray
            ``(y, x)``.
        """
        z0, z1 = _bounds(z, self.shape[0])
        if z0 == z1:
            raise ValueError("an empty window of layers has no projection")
        rows, columns = slice(*_bounds(y, self.shape[1])), slice(*_bounds(x, self.shape[2]))
        return project_layers(self._layers(z0, z1, rows, columns), how, limits)

    def _layers(self, z0: int, z1: int, y: slice, x: slice) -> Iterator[Grey]:
        """Read layers a few at a time: where blocks are stored, one alone costs as much as its neighbours with it."""
        for z in range(z0, z1, _LAYERS_AT_ONCE):
            yield from self.read_block(slice(z, min(z + _LAYERS_AT_ONCE, z1)), y, x)

    def contrast_limits(self) -> tuple[float, float]:
        """Return the greys between which 99 in 100 of sampled voxels lie, empty ones left out; the first is less."""
        sample = self.grey_sample()
        low, high = (float(v) for v in np.percentile(sample, (0.5, 99.5)))
        return (low, high) if low < high else (0.0, max(high, 1.0))

    def grey_sample(self) -> Grey:
        """Return the grey values ``(n,)`` of sampled voxels; empty ones are left out where there are others."""
        sample = np.concatenate([rows.ravel() for rows in self._samples])
        return sample[sample > 0] if (sample > 0).any() else sample

    def fingerprint(self) -> str:
        """Return a digest of the shape, the dtype and a sample of the voxels: a copy elsewhere has the same."""
        digest = hashlib.sha256(repr((self.shape, self.dtype.name)).encode())
        for rows in self._samples:
            digest.update(np.ascontiguousarray(rows).tobytes())
        return digest.hexdigest()

    @cached_property
    def _samples(self) -> tuple[Grey, ...]:
        """Small blocks of voxels, spread evenly over a few layers: each touches few of a file's strips or chunks."""
        return tuple(self._sample_blocks())

    def _sample_blocks(self) -> Iterator[Grey]:
        depth, height, width = self.shape
        for z in np.unique(np.linspace(0, depth - 1, _SAMPLED_LAYERS).astype(int)):
            layer = slice(int(z), int(z) + 1)
            for y in _spread(height):
                # Where a band of a layer is stored together it is decoded once, not for each place in it.
                band = self.read_block(layer, y, slice(0, width)) if self.by_layer else None
                for x in _spread(width):
                    yield np.array(self.read_block(layer, y, x) if band is None else band[:, :, x])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Grey:
        """Read what a NumPy index of whole numbers and slices selects; what else is in it is applied after reading."""
        parts = index if isinstance(index, tuple) else (index,)
        if Ellipsis in [p for p in parts if p is Ellipsis]:
            at = next(i for i, p in enumerate(parts) if p is Ellipsis)
            parts = parts[:at] + (slice(None),) * (3 - len(parts) + 1) + parts[at + 1 :]
        parts = parts + (slice(None),) * (3 - len(parts))
        if len(parts) != 3:
            raise IndexError(f"a depth stack has 3 axes, and {index} names {len(parts)}")
        windows, after = zip(*(_window(p, n) for p, n in zip(parts, self.shape, strict=True)), strict=True)
        block: Grey = self.read(*windows)[after]
        return block

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Grey:
        """Read the whole stack; NumPy calls it where somebody asks for an array."""
        return self.read(slice(None), slice(None), slice(None)).astype(dtype or self.dtype, copy=False)


def _spread(length: int) -> list[slice]:
    """Return short ranges, evenly spread; fewer where they would overlap."""
    number = min(_SAMPLED_PLACES, max(1, length // _SAMPLE_PX))
    size = min(_SAMPLE_PX, length)
    starts = (round((place + 0.5) * length / number - size / 2) for place in range(number))
    return [slice(start, start + size) for start in (min(max(one, 0), length - size) for one in starts)]


def _bounds(window: slice, size: int) -> tuple[int, int]:
    start = 0 if window.start is None else int(window.start)
    stop = size if window.stop is None else int(window.stop)
    if window.step not in (None, 1) or not 0 <= start <= stop <= size:
        raise ValueError(f"{start}:{stop} is no forward range within 0:{size}")
    return start, stop


def _window(part: Any, size: int) -> tuple[slice, Any]:
    """Return the half-open window that one part of an index touches, and the index to apply within it."""
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
