"""napari's writer for image layers of three axes: File › Save Selected Layers writes a depth stack as OME-Zarr."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from napari_ink.errors import BadInputError
from napari_ink.gui.stack_layer import STACK_KEY
from napari_ink.stack import DepthStack, convert, stack_of_array


def write_stack(path: str | None = None, data: Any = None, attributes: dict[str, Any] | None = None) -> list[str]:
    """Write an image layer as an OME-Zarr pyramid.

    napari has asked already whether something may be replaced.

    Parameters
    ----------
    path
        Where to; it ends in ``.zarr``. Without one, as napari's command palette calls it, a person is asked.
    data
        Grey values ``(z, y, x)``; the levels of a multiscale layer.
    attributes
        What napari knows of the layer.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    BadInputError
        If the layer is no stack of grey values.
    OutputError
        If it cannot be written.
    """
    if path is None:
        from napari_ink.gui.commands import ask_and_save

        ask_and_save("image", "OME-Zarr (*.zarr)")
        return []
    attributes = attributes or {}
    known = (attributes.get("metadata") or {}).get(STACK_KEY)
    name = str(attributes.get("name", "The layer"))
    stack = known if isinstance(known, DepthStack) else _of_values(data, attributes, name)
    out, before = Path(path), Path(f"{path}.before")
    if out.exists():
        out.rename(before)
    try:
        for _ in convert(stack, out):
            pass
    except BaseException:
        if before.exists() and not out.exists():
            before.rename(out)
        raise
    shutil.rmtree(before, ignore_errors=True)
    return [str(out)]


def _of_values(data: Any, attributes: dict[str, Any], name: str) -> DepthStack:
    values = np.asarray(data[0] if attributes.get("multiscale") else data)
    if values.ndim != 3 or attributes.get("rgb"):
        raise BadInputError(f"{name} has the shape {values.shape}; a depth stack has layers, height and width.")
    return stack_of_array(values, name)
