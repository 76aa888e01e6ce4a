"""Masks and label values as PNG and TIFF, under their final names only once they are whole."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_ink.errors import OutputError, storage_errors

SUFFIXES = (".png", ".tif", ".tiff")


def write_mask(mask: npt.NDArray[np.bool_], path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write a mask ``(y, x)`` as 0 and 255, PNG or TIFF by the suffix.

    Raises
    ------
    OutputError
        If the name has another suffix, is taken (unless `overwrite`), or cannot be written.
    """
    return _write(np.asarray(mask, dtype=np.uint8) * np.uint8(255), Path(path), overwrite)


def write_label_values(labels: npt.NDArray[np.uint8], path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write label values ``(y, x)`` as they are: 0, 1 and 2.

    Raises
    ------
    OutputError
        As in `write_mask`.
    """
    return _write(labels, Path(path), overwrite)


def check_output(path: Path, overwrite: bool = False) -> None:
    """Refuse a name that no image can be written under.

    Raises
    ------
    OutputError
        If the name has another suffix, is taken (unless `overwrite`), or its folder is not there.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path} ends in {path.suffix or 'no suffix'}; name a .png, .tif or .tiff file.")
    # os.path answers no, where a Path raises, for names too long and folders that must not be looked into.
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"{path} exists already; choose another name or remove it.")
    if not os.path.isdir(path.parent):
        raise OutputError(f"There is no folder {path.parent}; make it or choose another.")


def _write(plane: npt.NDArray[np.uint8], path: Path, overwrite: bool) -> Path:
    path = path.absolute()
    check_output(path, overwrite)
    content = _encode(plane, path.suffix.lower())
    partial = path.with_name(f".{path.stem[:40]}.{os.getpid()}.partial")
    try:
        with storage_errors(path):
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _encode(plane: npt.NDArray[Any], suffix: str) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".png":
        Image.fromarray(np.ascontiguousarray(plane)).save(buffer, "PNG")
    else:
        tifffile.imwrite(buffer, plane, compression="zlib", photometric="minisblack")
    return buffer.getvalue()
