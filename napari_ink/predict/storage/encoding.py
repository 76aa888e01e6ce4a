"""Blocks of a prediction store as the bytes of their chunks, so that workers can encode what one process writes.

zarr writes the same bytes, but takes several times as long for a chunk as compressing it does: it passes each one
through an event loop and a pool of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_ink.predict.tiles import BLOCK, BlockIndex
from napari_ink.region import Region
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    import zarr

EncodedBlock = tuple[bytes | None, ...]
"""For each channel the bytes of its chunk; None if all of it is 0, since such a chunk has no file."""


@dataclass(frozen=True, slots=True)
class BlockCodec:
    """Encodes blocks as the chunks of a store.

    Attributes
    ----------
    level
        Level of zstd.
    has_checksum
        Whether chunks end with a checksum.
    """

    level: int
    has_checksum: bool

    @classmethod
    def of(cls, array: zarr.Array[Any]) -> Self | None:
        """Return the codec of a store's levels; None if they are stored otherwise than `create_store` does it."""
        metadata = array.metadata.to_dict()
        codecs = metadata.get("codecs")
        expected = {
            "zarr_format": 3,
            "data_type": "uint8",
            "fill_value": 0,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": (1, BLOCK, BLOCK)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        }
        if any(metadata.get(name) != value for name, value in expected.items()) or not isinstance(codecs, tuple | list):
            return None
        names = [one.get("name") for one in codecs if isinstance(one, dict)]
        if names != ["bytes", "zstd"]:
            return None
        settings: Any = codecs[1]
        return cls(int(settings["configuration"]["level"]), bool(settings["configuration"]["checksum"]))

    def encode(self, block: BlockIndex, area: Region, levels: UInt8Array) -> EncodedBlock:
        """Return the chunks of a block.

        Parameters
        ----------
        block
            The block.
        area
            Part of it that has levels; the rest is 0.
        levels
            ``(c, y, x)`` uint8 of that part.
        """
        from numcodecs import Zstd

        if levels.shape[1:] != (BLOCK, BLOCK):
            rows, columns = area.slices_in(Region.grid_square(block, BLOCK))
            whole = np.zeros((len(levels), BLOCK, BLOCK), np.uint8)
            whole[:, rows, columns] = levels
            levels = whole
        zstd = Zstd(self.level, self.has_checksum)
        planes = (np.ascontiguousarray(plane) for plane in levels)
        return tuple(bytes(zstd.encode(plane)) if plane.any() else None for plane in planes)

    def decode(self, encoded: EncodedBlock) -> UInt8Array:
        """Return the levels ``(c, y, x)`` of a whole block."""
        from numcodecs import Zstd

        zstd, levels = Zstd(), np.zeros((len(encoded), BLOCK, BLOCK), np.uint8)
        for plane, chunk in zip(levels, encoded, strict=True):
            if chunk is not None:
                plane[...] = np.frombuffer(zstd.decode(chunk), np.uint8).reshape(BLOCK, BLOCK)
        return levels
