"""Opening a mask or a plane of labels in whatever format it is stored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_ink.decoding import check_regular, exists
from napari_ink.errors import LabelError
from napari_ink.stack.plane import StoredPlane, numpy_plane


@contextmanager
def opened_plane(path: str | os.PathLike[str]) -> Iterator[StoredPlane]:
    """Open a mask or label plane: a grey or palette image (PNG, TIFF, others of Pillow's formats), NumPy file or Zarr.

    Raises
    ------
    LabelError
        If the file does not exist or is not a plane of integers; also raised later, while it is open.
    """
    # Here, so that naming a plane loads no readers of formats.
    from napari_ink.stack.picture_plane import opened_picture_plane
    from napari_ink.stack.tiff_plane import is_tiff, tiff_plane
    from napari_ink.stack.zarr_plane import zarr_plane
    from napari_ink.stack.zarr_stack import holds_zarr

    path = Path(path)
    if not exists(path, LabelError):
        raise LabelError(f"There is no image at {path}; check the path.")
    if path.is_dir():
        if not holds_zarr(path):
            raise LabelError(f"{path} is a folder that is not a Zarr; name an image, a NumPy file or a Zarr.")
        # Zarr and NumPy planes stay on the disk without an open file; only pictures need closing.
        yield zarr_plane(path)
        return
    check_regular(path, LabelError)
    if path.suffix.lower() == ".npy":
        yield numpy_plane(path)
    elif is_tiff(path):
        yield tiff_plane(path)
    else:
        with opened_picture_plane(path) as plane:
            yield plane
