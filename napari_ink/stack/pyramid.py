"""Layout of a depth stack as OME-Zarr: its levels, chunks, shards and metadata."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_ink.stack.depth_stack import Grey

# Measured by benchmarks/chunks.py: chunks of a few layers by 256² pixels suit both viewing one layer and reading a tile
# of all layers. Coarser levels are only viewed, layer by layer.
_DEEP, _FLAT = (8, 256, 256), (1, 512, 512)
SHARD_PX = 512
_DEEPEST_SHARD = 128
_SCREEN_PX = 1024


def level_shapes(shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """Return the shapes of all levels: rows and columns are halved until the last level fits a screen."""
    shapes = [shape]
    while max(shapes[-1][1:]) > _SCREEN_PX:
        depth, height, width = shapes[-1]
        shapes.append((depth, -(-height // 2), -(-width // 2)))
    return shapes


def layout(level: int, depth: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the chunks and the shards of a level."""
    chunks = _DEEP if level == 0 else _FLAT
    layers = min(-(-depth // chunks[0]) * chunks[0], _DEEPEST_SHARD)
    return chunks, (layers, SHARD_PX, SHARD_PX)


def halve(block: Grey) -> Grey:
    """Return the rounded means of squares of 2 × 2 pixels; the last row or column of an odd side counts twice.

    Parameters
    ----------
    block
        Grey values ``(z, y, x)``, uint8 or uint16.

    Returns
    -------
    ndarray
        Block of the same dtype, with half the rows and columns, rounded up.
    """
    _, height, width = block.shape
    if height % 2 or width % 2:
        block = np.pad(block, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    halved: Grey = np.empty((len(block), block.shape[1] // 2, block.shape[2] // 2), block.dtype)
    # Two neighbours in a row are read as one integer of twice the size, so that all sums run over contiguous memory.
    # Layers are processed one by one, so that temporary arrays stay in the processor's cache.
    bits = 8 * block.dtype.itemsize
    wide = np.dtype(f"u{bits // 4}").type
    for layer, out in zip(np.ascontiguousarray(block), halved, strict=True):
        pairs = layer.view(wide)
        sums = (pairs >> wide(bits)) + (pairs & wide((1 << bits) - 1))
        total = sums[::2] + sums[1::2]
        # Adding 2 before the shift by 2 bits rounds the mean of four.
        total += wide(2)
        np.right_shift(total, wide(2), out=out, casting="unsafe")
    return halved


def ngff_attributes(name: str, voxel_size_um: float | None, levels: int) -> dict[str, Any]:
    """Return the attributes of NGFF 0.5; without a voxel size they state no unit."""
    size = voxel_size_um or 1.0
    unit = {} if voxel_size_um is None else {"unit": "micrometer"}
    return {
        "ome": {
            "version": "0.5",
            "multiscales": [
                {
                    "name": name,
                    "type": "mean",
                    "axes": [{"name": axis, "type": "space", **unit} for axis in "zyx"],
                    "datasets": [
                        {
                            "path": str(level),
                            "coordinateTransformations": [
                                {"type": "scale", "scale": [size, size * 2**level, size * 2**level]},
                                # A coarse pixel's centre lies between the centres of the pixels that it averages.
                                {
                                    "type": "translation",
                                    "translation": [0.0, *([size * (2**level - 1) / 2] * 2)],
                                },
                            ],
                        }
                        for level in range(levels)
                    ],
                }
            ],
        }
    }
