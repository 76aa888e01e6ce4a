"""Label planes as OME-Zarr: NGFF 0.5 in Zarr 3, with a pyramid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_ink.annotation.reading import open_zarr_plane
from napari_ink.export.grey_planes import plane_of_levels
from napari_ink.export.planes import LabelPlane
from napari_ink.export.pyramid import level_shapes, write_levels
from napari_ink.typing import UInt8Array

_CHUNK, _BLOCK, _SMALLEST = 512, 2048, 256
_COLOURS = {"papyrus": [0, 158, 115, 255], "ink": [230, 97, 0, 255], "edge": [86, 180, 233, 255]}


def write_ome_zarr(plane: LabelPlane, path: Path) -> None:
    """Write a label plane as an OME-Zarr ``(y, x)`` of uint8.

    Chunks have 512 × 512 pixels, the smallest level of the pyramid at most 256; empty chunks are not stored.

    Parameters
    ----------
    plane
        The labels to write; read in blocks of 2048 pixels.
    path
        The folder to create.
    """
    import zarr
    from zarr.codecs import BloscCodec

    number = 1
    while max(level_shapes(plane.shape, number)[-1]) > _SMALLEST:
        number += 1
    group = zarr.create_group(path, attributes={"ome": _ome(plane, number, path)}, zarr_format=3)
    levels = [
        group.create_array(
            str(level),
            shape=shape,
            chunks=(_CHUNK, _CHUNK),
            dtype="uint8",
            fill_value=0,
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
            dimension_names=("y", "x"),
            config={"write_empty_chunks": False},
        )
        for level, shape in enumerate(level_shapes(plane.shape, number))
    ]

    def put(level: Any, y: int, x: int, part: UInt8Array) -> None:
        level[y : y + part.shape[0], x : x + part.shape[1]] = part

    write_levels(plane, levels, _BLOCK, put, lambda level, y, x: np.asarray(level[y, x], np.uint8))


def read_zarr(path: Path, shape: tuple[int, int] | None, threshold: float | None = None) -> LabelPlane:
    """Open the label plane of a Zarr (found by `open_zarr_plane`), which is read lazily; see `Format.read`."""
    found = open_zarr_plane(path)
    return plane_of_levels(found.values, path, found.voxel_size_um, found.samples, threshold)


def _ome(plane: LabelPlane, number: int, path: Path) -> dict[str, Any]:
    # Without a voxel size, lengths are in pixels, which NGFF expresses by leaving out the unit.
    unit = {} if plane.voxel_size_um is None else {"unit": "micrometer"}
    side = plane.voxel_size_um or 1.0
    return {
        "version": "0.5",
        "multiscales": [
            {
                "name": path.stem,
                "axes": [{"name": name, "type": "space", **unit} for name in ("y", "x")],
                "datasets": [
                    {
                        "path": str(level),
                        "coordinateTransformations": [{"type": "scale", "scale": [side * 2**level, side * 2**level]}],
                    }
                    for level in range(number)
                ],
                "type": "maximum",
            }
        ],
        "image-label": {
            "version": "0.5",
            "colors": [
                {"label-value": value, "rgba": _COLOURS.get(name, [204, 121, 167, 255])}
                for value, name in plane.names.items()
            ],
            "properties": [{"label-value": value, "name": name} for value, name in plane.names.items()],
        },
    }
