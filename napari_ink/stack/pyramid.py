"""Layout of a depth stack as OME-Zarr: its levels, chunks, shards and metadata."""

from __future__ import annotations

from typing import Any

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
