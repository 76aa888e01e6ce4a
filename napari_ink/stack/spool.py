"""Layers copied to a file as they are in memory, so that what can only be decoded whole is decoded once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_ink.decoding import check_regular
from napari_ink.errors import NapariInkError, OutputError
from napari_ink.stack.depth_stack import DepthStack, Grey
from napari_ink.stack.file_blocks import read_into, write_from
from napari_ink.stack.pyramid import SHARD_PX


class Spool:
    """A stack's layers in a scratch file, written and read by ordinary calls.

    They lie there in bands of columns as wide as a shard, each with all layers: so a shard is read as one piece a
    layer, however wide the stack is.

    Parameters
    ----------
    path
        The file; it is made if it is not there. It takes as much of the disk as the stack uncompressed.
    stack
        The stack that is copied.

    Attributes
    ----------
    layer_bytes
        Of one layer, uncompressed.

    Raises
    ------
    OutputError
        If there is something else than a file in its place.
    OSError
        If it cannot be made.
    """

    def __init__(self, path: Path, stack: DepthStack) -> None:
        self._path, self._stack = path, stack
        _, height, width = stack.shape
        self.layer_bytes = height * width * stack.dtype.itemsize
        path.open("ab").close()
        check_regular(path, OutputError)

    def copy(self, z: int) -> Grey:
        """Copy one layer, and return it.

        Raises
        ------
        OSError
            If it cannot be written.
        StackError
            If it cannot be read.
        """
        _, height, width = self._stack.shape
        layer: Grey = self._stack.read_block(slice(z, z + 1), slice(0, height), slice(0, width))[0]
        with self._path.open("r+b", buffering=0) as file:
            for x in range(0, width, SHARD_PX):
                band = np.ascontiguousarray(layer[:, x : x + SHARD_PX])
                write_from(file, self._place(z, 0, x), band)
        return layer

    def read(self, z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        """Read a block of what was copied, whose columns begin where a band does and do not leave it.

        Raises
        ------
        NapariInkError
            If it was not copied, or the file was cut since.
        """
        out: Grey = np.empty((z.stop - z.start, y.stop - y.start, x.stop - x.start), self._stack.dtype)
        with self._path.open("rb", buffering=0) as file:
            for layer, at in zip(out, range(z.start, z.stop), strict=True):
                try:
                    read_into(file, self._place(at, y.start, x.start), layer)
                except EOFError as error:
                    raise NapariInkError(f"{self._path} was cut while it was needed; run again.") from error
        return out[:, ::step, ::step]

    def layer(self, z: int) -> Grey:
        """Read one layer of what was copied.

        Raises
        ------
        NapariInkError
            If it was not copied, or the file was cut since.
        """
        _, height, width = self._stack.shape
        out: Grey = np.empty((height, width), self._stack.dtype)
        for x in range(0, width, SHARD_PX):
            columns = slice(x, min(x + SHARD_PX, width))
            out[:, columns] = self.read(slice(z, z + 1), slice(0, height), columns)[0]
        return out

    def _place(self, z: int, y: int, x: int) -> int:
        """Return the byte at which a row of a band begins."""
        depth, height, width = self._stack.shape
        band_width = min(SHARD_PX, width - x)
        return (depth * height * x + (z * height + y) * band_width) * self._stack.dtype.itemsize
