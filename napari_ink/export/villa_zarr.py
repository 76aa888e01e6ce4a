"""Masks in the Zarr layout that villa trains on: one layer of an otherwise empty stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_ink.annotation.reading import SURFACE_Z
from napari_ink.export.planes import LabelPlane
from napari_ink.export.pyramid import level_shapes, write_levels
from napari_ink.typing import UInt8Array

_LAYERS, _LEVELS, _CHUNKS, _BLOCK = 65, 6, (65, 128, 128), 1024


def write_villa_zarr(plane: LabelPlane, path: Path) -> None:
    """Write a mask as a Zarr 2 of uint8, ``(65, y, x)`` with the mask in layer 32, in six levels with NGFF 0.4.

    Chunks are (65, 128, 128), compressed by Blosc with zstd 3 and bitshuffle, separated by ``/``; the fill value is 0
    and empty chunks are not stored.

    Parameters
    ----------
    plane
        The mask to write; read in blocks of 1024 pixels.
    path
        The folder to create.
    """
    import zarr
    from numcodecs import Blosc

    group = zarr.create_group(path, attributes=_ngff(plane, path), zarr_format=2)
    levels = [
        group.create_array(
            str(level),
            shape=(_LAYERS, *shape),
            chunks=_CHUNKS,
            dtype="uint8",
            fill_value=0,
            compressors=Blosc(cname="zstd", clevel=3, shuffle=Blosc.BITSHUFFLE),
            chunk_key_encoding={"name": "v2", "separator": "/"},
            config={"write_empty_chunks": False},
        )
        for level, shape in enumerate(level_shapes(plane.shape, _LEVELS))
    ]

    def put(level: Any, y: int, x: int, part: UInt8Array) -> None:
        if part.any():  # a new Zarr is 0 everywhere
            stack = np.zeros((_LAYERS, *part.shape), np.uint8)
            stack[SURFACE_Z] = part
            level[:, y : y + part.shape[0], x : x + part.shape[1]] = stack

    write_levels(plane, levels, _BLOCK, put, lambda level, y, x: np.asarray(level[SURFACE_Z, y, x], np.uint8))


def _ngff(plane: LabelPlane, path: Path) -> dict[str, Any]:
    unit = {} if plane.voxel_size_um is None else {"unit": "micrometer"}
    side = plane.voxel_size_um or 1.0
    return {
        "multiscales": [
            {
                "version": "0.4",
                "name": path.stem,
                "axes": [{"name": name, "type": "space", **unit} for name in "zyx"],
                "datasets": [
                    {
                        "path": str(level),
                        "coordinateTransformations": [
                            # Only y and x are halved from level to level; all levels have 65 layers.
                            {"type": "scale", "scale": [side, side * 2**level, side * 2**level]}
                        ],
                    }
                    for level in range(_LEVELS)
                ],
            }
        ]
    }
