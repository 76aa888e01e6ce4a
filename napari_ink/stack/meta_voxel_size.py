"""The voxel size that a segment's ``meta.json`` states, and a note where it states one that cannot be used."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

from napari_ink.decoding import decode_text, decoder_errors, read_bounded
from napari_ink.errors import StackError

_MOST_SHOWN = 40  # characters of what the file states


def meta_voxel_size(folder: Path) -> float | None:
    """Return the voxel size in micrometres from a segment's ``meta.json``; None without a usable one."""
    return _stated(folder)[0]


def note_on_voxel_size(folder: Path) -> str:
    """Return a note on a ``meta.json`` whose voxel size cannot be used; empty if it can, or if none is stated."""
    return _stated(folder)[1]


def _stated(folder: Path) -> tuple[float | None, str]:
    """Return the voxel size of a folder's ``meta.json``, and a note on one that cannot be used."""
    file = folder / "meta.json"
    if not os.path.exists(file):  # unlike `Path.exists`, false where permissions forbid to look
        return None, ""
    try:
        # Other programs write this file, perhaps with NaN elsewhere, so it is not parsed as strictly as our own files.
        with decoder_errors(StackError, file, "write it again"):
            meta = json.loads(decode_text(read_bounded(file, StackError), StackError, file))
            stated = {key.lower(): value for key, value in meta.items()}
    except StackError as error:
        return None, f"{str(error).rstrip('.')}. A voxel size in it is not known."
    if "voxelsize" not in stated:
        return None, ""
    size = _micrometres(stated["voxelsize"])
    if size is None:
        shown = json.dumps(stated["voxelsize"])[:_MOST_SHOWN]
        return None, f"{file} states the voxel size {shown}, which is not used: write a number of micrometres, as 7.91."
    return size, ""


def _micrometres(stated: object) -> float | None:
    """Return a positive, finite number, also from its text; None from anything else."""
    if isinstance(stated, bool) or not isinstance(stated, (int, float, str)):
        return None
    try:
        size = float(stated)
    except (ValueError, OverflowError):
        return None
    return size if 0 < size < math.inf else None
