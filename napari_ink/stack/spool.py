"""Layers copied to a file as they are in memory, so that what can only be decoded whole is decoded once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_ink.stack.depth_stack import DepthStack, Grey


class Spool:
    """A stack's layers in a scratch file, mapped into memory.

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
    """

    def __init__(self, path: Path, stack: DepthStack) -> None:
        self._stack = stack
        _, height, width = stack.shape
        self.layer_bytes = height * width * stack.dtype.itemsize
        mode = "r+" if path.exists() and path.stat().st_size == self.layer_bytes * stack.shape[0] else "w+"
        self._map = np.memmap(path, stack.dtype, mode, shape=stack.shape)  # type: ignore[call-overload]

    def copy(self, z: int) -> Grey:
        """Copy one layer, and return it."""
        _, height, width = self._stack.shape
        layer: Grey = self._stack.read_block(slice(z, z + 1), slice(0, height), slice(0, width))[0]
        self._map[z] = layer
        return layer

    def read(self, z: slice, y: slice, x: slice, step: int = 1) -> Grey:
        """Read a block of what was copied."""
        return np.array(self._map[z, y.start : y.stop : step, x.start : x.stop : step])
