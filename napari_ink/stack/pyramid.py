"""How a depth stack is laid out as an OME-Zarr: its levels, chunks and shards, and what its metadata say."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_ink.stack.depth_stack import Grey

# Measured by benchmarks/chunks.py: a few layers by 256² serve both a view of one layer and a tile through the depth;
# coarser levels are only looked at, layer by layer.
_DEEP, _FLAT = (8, 256, 256), (1, 512, 512)
SHARD_PX = 512
_DEEPEST_SHARD = 128
_SCREEN_PX = 1024


def level_shapes(shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """Return the shapes of all levels: each has half the rows and columns of the one before, the last fits a screen."""
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
    """Return the means of squares of two by two pixels, rounded; the last row and column of an odd side count twice."""
    _, height, width = block.shape
    if height % 2 or width % 2:
        block = np.pad(block, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    halved: Grey = np.empty((len(block), block.shape[1] // 2, block.shape[2] // 2), block.dtype)
    # Two neighbours in a row are read as one number of twice the size, so that all sums run over contiguous memory; and
    # layer by layer, so that they stay in the processor's cache.
    bits = 8 * block.dtype.itemsize
    wide = np.dtype(f"u{bits // 4}").type
    for layer, out in zip(np.ascontiguousarray(block), halved, strict=True):
        pairs = layer.view(wide)
        sums = (pairs >> wide(bits)) + (pairs & wide((1 << bits) - 1))
        total = sums[::2] + sums[1::2]
        total += wide(2)
        np.right_shift(total, wide(2), out=out, casting="unsafe")
    return halved


def ngff_attributes(name: str, voxel_size_um: float | None, levels: int) -> dict[str, Any]:
    """Return the attributes of NGFF 0.5; without a voxel size the unit stays unsaid."""
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
                                # The middle of the first pixel of a level lies between those that it is the mean of.
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
