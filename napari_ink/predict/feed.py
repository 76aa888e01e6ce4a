"""Reading ahead: the next batch of tiles is read and prepared on a thread while the network is at work on this one."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from napari_ink.model import InputContract
from napari_ink.predict.region import Region
from napari_ink.predict.tiles import Batch
from napari_ink.stack import DepthStack

Float32Array = npt.NDArray[np.float32]


class TileFeed:
    """Prepared tiles of a stack, in one of two buffers that are used over and over.

    Parameters
    ----------
    stack
        Where grey values come from.
    contract
        What the network expects.
    tile
        Height and width of the network's input.
    batch_size
        Most tiles in a batch.
    """

    def __init__(self, stack: DepthStack, contract: InputContract, tile: tuple[int, int], batch_size: int) -> None:
        self._stack = stack
        self._contract = contract
        self._z = contract.z_window(stack.shape[0])
        layers = self._z.stop - self._z.start
        self._buffers = [np.empty((batch_size, layers, *tile), np.float32) for _ in range(2)]

    def __call__(self, batches: Sequence[Batch]) -> Generator[tuple[Batch, Float32Array], None, None]:
        """Go through batches, each with its prepared tiles ``(b, z, y, x)``, good until the next is asked for."""
        if not batches:
            return
        with ThreadPoolExecutor(1, thread_name_prefix="napari-ink-read") as reader:

            def ask(number: int) -> Future[Float32Array]:
                return reader.submit(self._fill, self._buffers[number % 2], batches[number].tiles)

            ahead = ask(0)
            for number, batch in enumerate(batches):
                block = ahead.result()
                if number + 1 < len(batches):
                    ahead = ask(number + 1)
                yield batch, block

    def _fill(self, buffer: Float32Array, tiles: Sequence[Region]) -> Float32Array:
        for place, tile in zip(buffer, tiles, strict=False):
            self._fill_tile(place, tile)
        return buffer[: len(tiles)]

    def _fill_tile(self, place: Float32Array, tile: Region) -> None:
        """Read one tile, and repeat its last row and column where the segment is smaller than the network's input."""
        height, width = tile.shape
        place[:, :height, :width] = self._contract.prepare(self._stack.read(self._z, *tile.slices))
        place[:, height:, :width] = place[:, height - 1 : height, :width]
        place[:, :, width:] = place[:, :, width - 1 : width]
