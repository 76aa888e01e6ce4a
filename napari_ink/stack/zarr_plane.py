"""Mask and label planes in Zarr stores: OME-Zarr, villa's label Zarrs and plain arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ink.decoding import decoder_errors
from napari_ink.errors import LabelError
from napari_ink.mask_meaning import EDGE_LABELS, INK_LABELS, Samples, bits_of
from napari_ink.stack.ngff import ome_attributes
from napari_ink.stack.plane import STRIP_PX, StoredPlane, check_plane

if TYPE_CHECKING:
    import zarr

SURFACE_Z = 32
_LAYERS = 65  # usual number of layers, with the surface in the middle
_ADVICE = "name an OME-Zarr of labels or a mask"
# A strip covers a whole row of chunks if that fits in this size, so that no chunk is decoded twice.
_MOST_AT_ONCE_BYTES = 2**26


@dataclass(frozen=True)
class ZarrPlane:
    """A plane of a Zarr store, which stays on the disk.

    Attributes
    ----------
    values
        The plane; slicing it reads values.
    samples
        What the store states about its values.
    voxel_size_um
        Side of a pixel in micrometres; None if the store does not state it in this unit.
    """

    values: PlaneOfArray
    samples: Samples
    voxel_size_um: float | None


class PlaneOfArray:
    """A Zarr array ``(y, x)``, or the surface layer of an array ``(layers, y, x)``; sliced like a plane.

    Parameters
    ----------
    array
        The array; additional leading axes must have length 1.
    path
        The store, for the messages.

    Attributes
    ----------
    shape
        Height and width.
    dtype
        Dtype of the values.
    layer
        Index of the layer; None if there is only one.
    """

    def __init__(self, array: zarr.Array[Any], path: Path) -> None:
        self._array, self._path = array, path
        layers = array.shape[-3] if array.ndim > 2 else 1
        self.layer = None if layers == 1 else SURFACE_Z if layers > SURFACE_Z else layers // 2
        self._before = (*(0,) * (array.ndim - 3), self.layer or 0) if array.ndim > 2 else ()
        self.shape: tuple[int, int] = (array.shape[-2], array.shape[-1])
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)

    def __getitem__(self, part: Any) -> npt.NDArray[Any]:
        index: Any = (*self._before, *(part if isinstance(part, tuple) else (part,)))
        with decoder_errors(LabelError, self._path, "copy it again"):
            return np.asarray(self._array[index])

    @property
    def rows_at_once(self) -> int:
        """Number of rows to read at once, a multiple of 256: a row of chunks, if it fits in bounded memory."""
        rows = -(-(self._array.shards or self._array.chunks)[-2] // STRIP_PX)
        most = _MOST_AT_ONCE_BYTES // max(self.shape[1] * self.dtype.itemsize * STRIP_PX, 1)
        return STRIP_PX * max(min(rows, most), 1)


def open_zarr_plane(path: Path) -> ZarrPlane:
    """Open the mask or label plane of an OME-Zarr (0.4 or 0.5) or a plain Zarr array.

    In an array ``(layers, y, x)`` it is the layer at the surface: layer 32, or the middle one of fewer than 33.

    Raises
    ------
    LabelError
        If the store cannot be read or holds no such plane.
    """
    import zarr

    from napari_ink.zarr_reading import open_node, sound_array

    found: Any = open_node(path, LabelError)
    with decoder_errors(LabelError, path, _ADVICE, "as a label plane"):
        voxel_size_um, are_labels = None, False
        if isinstance(found, zarr.Group):
            metadata = ome_attributes(found.attrs.asdict())
            if metadata.get("multiscales") is None:
                raise LabelError(f"{path} holds no label plane; {_ADVICE}.")
            image = metadata["multiscales"][0]
            dataset = image["datasets"][0]
            found = found[dataset["path"]]
            are_labels, voxel_size_um = _names_label_values(metadata), _voxel_size(image, dataset)
            _check_axes(path, image, getattr(found, "shape", ()))
        if not isinstance(found, zarr.Array) or found.ndim < 2 or any(length != 1 for length in found.shape[:-3]):
            raise ValueError("it holds no array of two or three axes")
        found = sound_array(path, found, LabelError)
    values = PlaneOfArray(found, path)
    samples = Samples(bits_of(values.dtype), are_labels=are_labels, note=_note(path, found, values.layer))
    return ZarrPlane(values, samples, voxel_size_um)


def zarr_plane(path: Path) -> StoredPlane:
    """Open the mask or label plane of a Zarr store for reading by rows; see `open_zarr_plane`.

    Raises
    ------
    LabelError
        If the store cannot be read or holds no plane of integers.
    """
    found = open_zarr_plane(path)
    check_plane(found.values.shape, found.values.dtype, path)
    values = found.values
    return StoredPlane(path, values.shape, values.dtype, found.samples, lambda y: values[y], values.rows_at_once)


def _note(path: Path, array: zarr.Array[Any], layer: int | None) -> str:
    """Return sentences on missing chunks, and on the layer that is read if there are not 65 of them."""
    from napari_ink.zarr_reading import has_chunks

    notes = []
    if not has_chunks(array):
        notes.append(f"{path} has no chunk stored, so all of it is read as {array.fill_value}.")
    if layer is not None and array.shape[-3] != _LAYERS:
        notes.append(f"{path} has {array.shape[-3]} layers, and its layer {layer} is read.")
    return " ".join(notes)


def _check_axes(path: Path, image: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    """Refuse several channels or times, such as ink and edges of a prediction, which are not layers."""
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in image.get("axes") or ()]
    for axis, length in zip(axes, shape, strict=False):
        if length > 1 and (axis.get("name") in ("c", "t") or axis.get("type") in ("channel", "time")):
            raise LabelError(
                f"{path} has {length} planes along its axis {axis.get('name')}, and a mask or labels have one; "
                f"name a Zarr of one plane, or an image that `napari-ink export {path} -o MASK.tif` makes of a "
                "prediction."
            )


def _names_label_values(metadata: Mapping[str, Any]) -> bool:
    """Whether the metadata name the values 1 and 2 in the way of our exports of label values."""
    label = metadata.get("image-label")
    parts = label.get("properties") if isinstance(label, dict) else None
    if not isinstance(parts, list):
        return False
    named = {one.get("label-value"): one.get("name") for one in parts if isinstance(one, dict)}
    return any(named == dict(names) for names in (INK_LABELS, EDGE_LABELS))


def _voxel_size(image: Mapping[str, Any], dataset: Mapping[str, Any]) -> float | None:
    """Return the side of a pixel in micrometres; None if the metadata state none."""
    axis = (image.get("axes") or (None,))[-1]  # NGFF 0.1 and 0.2 name no axes, and 0.3 no units
    if not isinstance(axis, dict) or axis.get("unit") != "micrometer":
        return None
    transforms = [*image.get("coordinateTransformations", ()), *dataset.get("coordinateTransformations", ())]
    scales = [float(transform["scale"][-1]) for transform in transforms if transform.get("type") == "scale"]
    side = math.prod(scales)
    return side if scales and 0 < side < math.inf else None
