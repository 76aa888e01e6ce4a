"""Planes as OME-Zarr: NGFF 0.5 on Zarr 3, with a pyramid; and whatever label Zarrs others write, read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_ink.annotation.reading import Samples, bits_of
from napari_ink.decoding import decoder_errors
from napari_ink.errors import LabelError
from napari_ink.export.levels import plane_of_levels
from napari_ink.export.planes import EDGE_LABELS, INK_LABELS, LabelPlane, UInt8Array
from napari_ink.export.pyramid import level_shapes, write_levels

if TYPE_CHECKING:
    import zarr

_CHUNK, _BLOCK, _SMALLEST = 512, 2048, 256
SURFACE_Z = 32
_COLOURS = {"papyrus": [0, 158, 115, 255], "ink": [230, 97, 0, 255], "edge": [86, 180, 233, 255]}


def write_ome_zarr(plane: LabelPlane, path: Path) -> None:
    """Write an OME-Zarr ``(y, x)``: chunks of 512 pixels, levels down to 256; empty chunks are not stored."""
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
    """Open the label plane of an OME-Zarr (0.4 or 0.5) or of a plain Zarr array; it stays on the disk.

    Of an array ``(layers, y, x)`` the plane is the one at the surface: layer 32, or the middle one of fewer than 33.

    Raises
    ------
    LabelError
        If there is no such plane.
    """
    import zarr

    from napari_ink.zarr_reading import open_node, sound_array

    found: Any = open_node(path, LabelError)
    with decoder_errors(LabelError, path, "name an OME-Zarr of labels or a mask", "as a label plane"):
        voxel_size_um, are_labels = None, False
        if isinstance(found, zarr.Group):
            if _described(found).get("multiscales") is None:
                raise LabelError(f"{path} holds no label plane; name an OME-Zarr of labels or a mask.")
            are_labels = _names_label_values(found)
            dataset = _first_dataset(found)
            voxel_size_um = _voxel_size(found, dataset)
            found = found[dataset["path"]]
        if not isinstance(found, zarr.Array) or found.ndim < 2 or any(length != 1 for length in found.shape[:-3]):
            raise ValueError("it holds no array of two or three axes")
        found = sound_array(path, found, LabelError)
    samples = Samples(bits_of(np.dtype(found.dtype)), are_labels=are_labels)
    return plane_of_levels(_Layer(found, path), path, voxel_size_um, samples, threshold)


class _Layer:
    """A plane, or the surface's of an array ``(layers, y, x)``, read where it is sliced."""

    def __init__(self, array: zarr.Array[Any], path: Path) -> None:
        self._array, self._path = array, path
        before: tuple[int, ...] = (0,) * (array.ndim - 2)
        if array.ndim > 2:
            layers = array.shape[-3]
            before = (*before[:-1], SURFACE_Z if layers > SURFACE_Z else layers // 2)
        self._before = before
        self.shape, self.dtype = array.shape[-2:], array.dtype

    def __getitem__(self, part: Any) -> Any:
        index: Any = (*self._before, *(part if isinstance(part, tuple) else (part,)))
        with decoder_errors(LabelError, self._path, "copy it again"):
            return self._array[index]


def _names_label_values(group: zarr.Group) -> bool:
    """Whether its metadata name the values 1 and 2, as our exports of label values do."""
    said = _described(group).get("image-label")
    parts = said.get("properties") if isinstance(said, dict) else None
    if not isinstance(parts, list):
        return False
    named = {one.get("label-value"): one.get("name") for one in parts if isinstance(one, dict)}
    return any(named == dict(names) for names in (INK_LABELS, EDGE_LABELS))


def _multiscale(group: zarr.Group) -> dict[str, Any]:
    return cast("dict[str, Any]", _described(group)["multiscales"][0])


def _described(group: zarr.Group) -> dict[str, Any]:
    """Return the attributes that NGFF defines: since 0.5 they have a place of their own."""
    attributes: dict[str, Any] = group.attrs.asdict()
    ome = attributes.get("ome")
    return ome if isinstance(ome, dict) else attributes


def _first_dataset(group: zarr.Group) -> dict[str, Any]:
    return cast("dict[str, Any]", _multiscale(group)["datasets"][0])


def _voxel_size(group: zarr.Group, dataset: dict[str, Any]) -> float | None:
    """Return the side of a pixel if it is said in micrometres."""
    if _multiscale(group)["axes"][-1].get("unit") != "micrometer":
        return None
    side = 1.0
    transforms = [
        *_multiscale(group).get("coordinateTransformations", ()),
        *dataset.get("coordinateTransformations", ()),
    ]
    scales = [transform["scale"] for transform in transforms if transform.get("type") == "scale"]
    for scale in scales:
        side *= float(scale[-1])
    return side if scales and 0 < side < math.inf else None


def _ome(plane: LabelPlane, number: int, path: Path) -> dict[str, Any]:
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
