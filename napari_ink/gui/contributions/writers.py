"""napari writers for labels and image layers, used by File › Save Selected Layers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ink.durable import replacing
from napari_ink.errors import BadInputError
from napari_ink.gui.layers.stack_layer import STACK_KEY
from napari_ink.stack import DepthStack, convert, stack_of_array

if TYPE_CHECKING:
    from napari_ink.export import LabelPlane


def write_labels(path: str | None = None, data: Any = None, attributes: dict[str, Any] | None = None) -> list[str]:
    """Write a labels layer of ink labels, edge labels or a mask in the format of the name's suffix.

    An existing file is replaced, since napari has asked already. Formats with one mask get the ink of the layer, or
    its edges if its name contains "edge".

    Parameters
    ----------
    path
        Path to write to. Without one, as called by napari's command palette, the user is asked.
    data
        Values ``(y, x)``: 0, 1 and 2, or 0 and 255; the levels of a multiscale layer.
    attributes
        Attributes of the layer in napari.

    Returns
    -------
    list of str
        Path of the written file or folder; empty if the user was asked for it.

    Raises
    ------
    BadInputError
        If the layer holds other values, or covers only a part of its segment.
    """
    if path is None:
        from napari_ink.gui.contributions.commands import ask_and_save

        ask_and_save("labels", "Labels (*.png *.npy *.zarr *.csv *.geojson *.svg *.json)")
        return []
    attributes = attributes or {}
    from napari.utils.notifications import show_info

    from napari_ink.export import notes_on_writing, write_plane

    # The edit window is moved to its place in the segment; its pixels alone would be too small for any mask.
    if any(np.asarray(attributes.get("translate", 0)) != 0):
        raise BadInputError(
            f"{_name(attributes)} covers a part of its segment only; the Ink panel's export writes all of it."
        )
    plane = _plane(data, attributes, Path(path))
    written = write_plane(plane, path, overwrite=True)
    for note in notes_on_writing(plane, written):
        show_info(note)
    return [str(written)]


def _plane(data: Any, attributes: Mapping[str, Any], path: Path) -> LabelPlane:
    from napari_ink.export import (
        EDGE_LABELS,
        EDGE_MASK,
        INK_LABELS,
        INK_MASK,
        edge_mask,
        format_of,
        ink_mask,
        mask_plane,
        plane_of,
    )

    values = np.asarray(data[0] if attributes.get("multiscale") else data)
    is_edges = "edge" in _name(attributes).lower()
    found = np.unique(values)
    if values.ndim != 2 or not (found.max(initial=0) <= 2 and found.min(initial=0) >= 0 or set(found) <= {0, 255}):
        raise BadInputError(
            f"{_name(attributes)} holds other values than 0, 1 and 2, or 0 and 255, of one plane; "
            "save it as .tif, which takes any labels."
        )
    if 255 in found:
        return mask_plane(values == 255, EDGE_MASK if is_edges else INK_MASK)
    # napari's labels are often int32 or int64, and all their values are known to fit by now.
    labels = values.astype(np.uint8, copy=False)
    form = format_of(path)
    if form is None or not form.masks_only:
        return plane_of(labels, EDGE_LABELS if is_edges else INK_LABELS)
    return mask_plane(edge_mask(labels), EDGE_MASK) if is_edges else mask_plane(ink_mask(labels), INK_MASK)


def _name(attributes: Mapping[str, Any]) -> str:
    return str(attributes.get("name") or "The layer")


def write_stack(path: str | None = None, data: Any = None, attributes: dict[str, Any] | None = None) -> list[str]:
    """Write an image layer as an OME-Zarr pyramid.

    An existing folder is replaced, since napari has asked already.

    Parameters
    ----------
    path
        Path that ends in ``.zarr``. Without one, as called by napari's command palette, the user is asked.
    data
        Grey values ``(z, y, x)``; the levels of a multiscale layer.
    attributes
        Attributes of the layer in napari.

    Returns
    -------
    list of str
        Path of the written file or folder; empty if the user was asked for it.

    Raises
    ------
    BadInputError
        If the layer is not a stack of grey values.
    OutputError
        If the stack cannot be written.
    """
    if path is None:
        from napari_ink.gui.contributions.commands import ask_and_save

        ask_and_save("image", "OME-Zarr (*.zarr)")
        return []
    attributes = attributes or {}
    known = (attributes.get("metadata") or {}).get(STACK_KEY)
    name = str(attributes.get("name", "The layer"))
    stack = known if isinstance(known, DepthStack) else _of_values(data, attributes, name)
    out = Path(path)
    # A new store is written under its own name, so that a stopped conversion resumes; one that is there stays until the
    # other is complete, since the layer may be reading from it.
    with replacing(out) if out.exists() else nullcontext(out) as target:
        for _ in convert(stack, target):
            pass
    return [str(out)]


def _of_values(data: Any, attributes: dict[str, Any], name: str) -> DepthStack:
    values = np.asarray(data[0] if attributes.get("multiscale") else data)
    if values.ndim != 3 or attributes.get("rgb"):
        raise BadInputError(f"{name} has the shape {values.shape}; a depth stack has layers, height and width.")
    return stack_of_array(values, name)
