"""Uncompressed copies of layers in a file, so that layers that can only be decoded whole are decoded once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_ink.decoding import check_regular
from napari_ink.errors import NapariInkError, OutputError
from napari_ink.stack.depth_stack import DepthStack, Grey
from napari_ink.stack.file_blocks import read_into, write_from
from napari_ink.stack.pyramid import SHARD_PX


class Spool:
    """A stack's layers in a scratch file.

    The file is divided into bands of columns as wide as a shard, each with all layers, so that reading a shard takes
    one contiguous read a layer, however wide the stack is.

    Parameters
    ----------
    path
        The file; created if missing. It becomes as large as the uncompressed stack.
    stack
        The stack to copy.

    Attributes
    ----------
    layer_bytes
        Size of one uncompressed layer in bytes.

    Raises
    ------
    OutputError
        If the path is not a regular file.
    OSError
        If the file cannot be created.
    """

    def __init__(self, path: Path, stack: DepthStack) -> None:
        self._path, self._stack = path, stack
        _, height, width = stack.shape
        self.layer_bytes = height * width * stack.dtype.itemsize
        # Appending creates the file, but keeps the layers that an earlier run copied.
        path.open("ab").close()
        check_regular(path, OutputError)

    def copy(self, z: int) -> Grey:
        """Copy one layer, and return it.

        Raises
        ------
        OSError
            If the copy cannot be written.
        StackError
            If the layer cannot be read.
        """
        _, height, width = self._stack.shape
        layer: Grey = self._stack.read_block(slice(z, z + 1), slice(0, height), slice(0, width))[0]
        with self._path.open("r+b", buffering=0) as file:
            for x in range(0, width, SHARD_PX):
                band = np.ascontiguousarray(layer[:, x : x + SHARD_PX])
                write_from(file, self._place(z, 0, x), band)
        return layer

    def read(self, z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        """Return a block of copied layers, whose columns must begin at a band's and stay within it.

        Raises
        ------
        NapariInkError
            If the block was not copied, or the file was truncated since.
        """
        out: Grey = np.empty((z.stop - z.start, y.stop - y.start, x.stop - x.start), self._stack.dtype)
        with self._path.open("rb", buffering=0) as file:
            for layer, at in zip(out, range(z.start, z.stop), strict=True):
                try:
                    read_into(file, self._place(at, y.start, x.start), layer)
                except EOFError as error:
                    raise NapariInkError(f"{self._path} was truncated by another program; run again.") from error
        return out[:, ::step, ::step]

    def layer(self, z: int) -> Grey:
        """Return one copied layer.

        Raises
        ------
        NapariInkError
            If the layer was not copied, or the file was truncated since.
        """
        _, height, width = self._stack.shape
        out: Grey = np.empty((height, width), self._stack.dtype)
        for x in range(0, width, SHARD_PX):
            columns = slice(x, min(x + SHARD_PX, width))
            out[:, columns] = self.read(slice(z, z + 1), slice(0, height), columns)[0]
        return out

    def _place(self, z: int, y: int, x: int) -> int:
        """Return the byte at which row `y` of layer `z` begins in the band that starts at column `x`."""
        depth, height, width = self._stack.shape
        # All bands before this one are full, so together they are x columns wide.
        band_width = min(SHARD_PX, width - x)
        return (depth * height * x + (z * height + y) * band_width) * self._stack.dtype.itemsize
