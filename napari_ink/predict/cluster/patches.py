"""Patches of tiles, the tasks of a cluster: dividing a run into them, and blending one on a worker.

Blocks that no tile of another patch touches are blended and encoded by the worker; of other blocks it sends
probabilities, half the bytes of float32.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from napari_ink.predict.answers import bad_tiles
from napari_ink.predict.blending import PROBABILITY_STEPS, OpenBlocks
from napari_ink.predict.storage.encoding import BlockCodec, EncodedBlock
from napari_ink.predict.tile_queue import TileQueue
from napari_ink.predict.tiles import Batch, BlockIndex, TileGrid, block_area
from napari_ink.region import Region
from napari_ink.typing import Float32Array

# A patch is this many tiles on a side: large ones share more cells, small ones share work more evenly.
_SMALLEST_PATCH, _LARGEST_PATCH = 2, 8
_NAN = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True)
class Patch:
    """Neighbouring batches, which are one task.

    Attributes
    ----------
    batches
        The batches.
    own_blocks
        Blocks that no other batch touches.
    """

    batches: tuple[Batch, ...]
    own_blocks: frozenset[BlockIndex] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class PatchAnswer:
    """What a worker makes of a patch.

    Attributes
    ----------
    probabilities
        For each batch ``(b, c, y, x)`` uint16: multiples of 1 / `PROBABILITY_STEPS`, and the largest uint16 for NaN;
        None if all its blocks are the patch's own.
    bad
        For each batch its tiles with NaN.
    finished
        The patch's own blocks, encoded.
    """

    probabilities: list[npt.NDArray[np.uint16] | None]
    bad: list[tuple[Region, ...]]
    finished: dict[BlockIndex, EncodedBlock]


def in_patches(batches: Sequence[Batch], grid: TileGrid, most: int) -> Iterator[list[Batch]]:
    """Yield patches of neighbouring batches, as large as possible while there are about `most` of them.

    Tiles of a large patch share more cells. Patches come row by row, so that few blocks are open at a time.
    """
    tiles = sum(len(batch.tiles) for batch in batches)
    side = min(max(math.isqrt(max(tiles // most, 1)), _SMALLEST_PATCH), _LARGEST_PATCH)
    patches: OrderedDict[tuple[int, int], list[Batch]] = OrderedDict()
    for batch in batches:
        first = batch.tiles[0]
        place = first.y0 // (side * grid.stride[0]), first.x0 // (side * grid.stride[1])
        patches.setdefault(place, []).append(batch)
    for place in sorted(patches):
        yield patches[place]


def in_shares(patches: Sequence[list[Batch]], count: int) -> list[deque[list[Batch]]]:
    """Return the patches divided among `count` workers, each share a sequence of neighbours."""
    ends = [len(patches) * n // count for n in range(count + 1)]
    return [deque(patches[first:last]) for first, last in pairwise(ends)]


def with_own_blocks(
    batches: Sequence[Batch], touched: Mapping[BlockIndex, int], may_finish: Callable[[BlockIndex], bool] | None
) -> Patch:
    """Return a patch with the blocks that only its batches touch, and that its worker may finish."""
    if may_finish is None:
        return Patch(tuple(batches))
    here = Counter(block for batch in batches for block in batch.blocks)
    return Patch(tuple(batches), frozenset(b for b, count in here.items() if count == touched[b] and may_finish(b)))


def width_of(batches: Sequence[Batch]) -> int:
    """Return the width of a patch, in pixels."""
    tiles = [tile for batch in batches for tile in batch.tiles]
    return max(tile.x1 for tile in tiles) - min(tile.x0 for tile in tiles)


class BlendedPatch:
    """Blends the tiles of a patch into its own blocks, and encodes each block once no tile of the patch touches it."""

    def __init__(self, patch: Patch, grid: TileGrid, region: Region, codec: BlockCodec | None) -> None:
        self._patch, self._grid, self._region, self._codec = patch, grid, region, codec
        self._queue = TileQueue(patch.batches)
        self._blend: OpenBlocks | None = None
        self.answer = PatchAnswer([], [], {})

    def add(self, batch: Batch, probabilities: Float32Array) -> None:
        """Add the probabilities of a batch, ``(b, c, y, x)``."""
        bad, own = bad_tiles(batch, probabilities), self._patch.own_blocks
        self.answer.bad.append(bad)
        self.answer.probabilities.append(packed(probabilities) if any(b not in own for b in batch.blocks) else None)
        if self._blend is None:
            self._blend = OpenBlocks(self._grid, self._region, None, probabilities.shape[1])
        mine = [block for block in batch.blocks if block in own]
        for tile, one in zip(batch.tiles, probabilities, strict=True):
            if tile not in bad:
                self._blend.add(tile, one, mine)
        for block in self._queue.finish(batch):
            if block in own and self._codec is not None:
                area = block_area(block, self._region)
                self.answer.finished[block] = self._codec.encode(block, area, self._blend.levels(area))
                self._blend.discard(block)


def packed(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Return probabilities as steps, half the bytes of float32; exact, since `rounded` gave multiples of a step."""
    is_nan = np.isnan(probabilities)
    steps = np.where(is_nan, 0, probabilities * PROBABILITY_STEPS).astype(np.uint16)
    steps[is_nan] = _NAN
    return steps


def unpacked(steps: npt.NDArray[np.uint16]) -> Float32Array:
    """Return a worker's probabilities as float32; it sends them as steps, and NaN as the largest uint16."""
    values = steps.astype(np.float32) / np.float32(PROBABILITY_STEPS)
    values[steps > PROBABILITY_STEPS] = np.nan
    return values
