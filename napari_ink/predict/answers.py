"""The answer to a batch of tiles, from the networks here or from a worker that has finished some blocks already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_ink.predict.storage.encoding import EncodedBlock
from napari_ink.predict.tiles import Batch, BlockIndex
from napari_ink.region import Region
from napari_ink.typing import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Probabilities of a batch of tiles, or the final blocks that a worker made of them.

    Attributes
    ----------
    batch
        The batch.
    probabilities
        ``(b, c, y, x)`` float32; None if no block is left to blend.
    bad
        Tiles for which the model gave NaN.
    finished
        Blocks, of this batch and others, that a worker has blended and encoded.
    """

    batch: Batch
    probabilities: Float32Array | None
    bad: tuple[Region, ...] = ()
    finished: Mapping[BlockIndex, EncodedBlock] = field(default_factory=dict)

    @property
    def open_blocks(self) -> tuple[BlockIndex, ...]:
        """Blocks of the batch that are still to be blended."""
        return tuple(block for block in self.batch.blocks if block not in self.finished)


def bad_tiles(batch: Batch, probabilities: Float32Array) -> tuple[Region, ...]:
    """Return the tiles of a batch whose probabilities ``(b, c, y, x)`` contain NaN."""
    # A sum is NaN if any value is, and needs no array of flags.
    return tuple(tile for tile, one in zip(batch.tiles, probabilities, strict=True) if np.isnan(one.sum()))
