"""A depth stack: grey values ``(z, y, x)`` on disk, of which only what is asked for is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[Any]
Projection = Literal["max", "mean", "min"]

_SAMPLES_A_SIDE = 256
_SAMPLED_LAYERS = 5


class ReadLayer(Protocol):
    """Reads rows `y` and columns `x` of the depth layer `z`."""

    def __call__(self, z: int, y: slice, x: slice) -> Grey:
        """Return grey values ``(y, x)``."""
        ...


@dataclass(frozen=True, eq=False)
class DepthStack:
    """A depth stack that stays on disk; indexed like an array, it reads what the index asks for.

    Attributes
    ----------
    source
        The folder that holds the layers, or the file.
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
    read_layer
        Reads a window of one depth layer.
    """

    source: Path
    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    voxel_size_um: float | None
    format: str
    read_layer: ReadLayer

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
        (z0, z1), (y0, y1), (x0, x1) = (_bounds(s, n) for s, n in zip((z, y, x), self.shape, strict=True))
        block: Grey = np.empty((z1 - z0, y1 - y0, x1 - x0), self.dtype)
        for plane, layer in enumerate(range(z0, z1)):
            block[plane] = self.read_layer(layer, slice(y0, y1), slice(x0, x1))
        return block

    def project(self, z: slice, how: Projection, y: slice = slice(None), x: slice = slice(None)) -> Grey:
        """Project a window of depth layers onto a plane, holding one layer at a time.

        Parameters
        ----------
        z
            The window of depth layers.
        how
            The brightest, the mean or the darkest value along the depth.
        y, x
            Rows and columns.

        Returns
        -------
        ndarray
            ``(y, x)``: float32 for the mean, else of the stack's dtype.
        """
        z0, z1 = _bounds(z, self.shape[0])
        if z0 == z1:
            raise ValueError("an empty window of layers has no projection")
        rows, columns = slice(*_bounds(y, self.shape[1])), slice(*_bounds(x, self.shape[2]))
        if how == "mean":
            total: Grey = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float64)
            for layer in range(z0, z1):
                total += self.read_layer(layer, rows, columns)
            return (total / (z1 - z0)).astype(np.float32)
        choose = np.maximum if how == "max" else np.minimum
        plane = np.array(self.read_layer(z0, rows, columns))
        for layer in range(z0 + 1, z1):
            choose(plane, self.read_layer(layer, rows, columns), out=plane)
        return plane

    def contrast_limits(self) -> tuple[float, float]:
        """Return the greys between which 99 in 100 of sampled voxels lie, empty ones left out; the first is less."""
        sample = np.concatenate([rows.ravel() for rows in self._samples])
        sample = sample[sample > 0] if (sample > 0).any() else sample
        low, high = (float(v) for v in np.percentile(sample, (0.5, 99.5)))
        return (low, high) if low < high else (0.0, max(high, 1.0))

    def fingerprint(self) -> str:
        """Return a digest of the shape, the dtype and a sample of the voxels: a copy elsewhere has the same."""
        digest = hashlib.sha256(repr((self.shape, self.dtype.name)).encode())
        for rows in self._samples:
            digest.update(np.ascontiguousarray(rows).tobytes())
        return digest.hexdigest()

    @cached_property
    def _samples(self) -> tuple[Grey, ...]:
        """Rows of voxels, spread evenly over a few layers: whole rows, since that is how files are laid out."""
        return tuple(self._sample_rows())

    def _sample_rows(self) -> Iterator[Grey]:
        step = max(1, self.shape[2] // _SAMPLES_A_SIDE)
        for z in np.unique(np.linspace(0, self.shape[0] - 1, _SAMPLED_LAYERS).astype(int)):
            for y in np.unique(np.linspace(0, self.shape[1] - 1, 32).astype(int)):
                yield np.array(self.read_layer(int(z), slice(int(y), int(y) + 1), slice(0, self.shape[2]))[0, ::step])

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
