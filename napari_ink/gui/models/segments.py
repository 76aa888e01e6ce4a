"""Which paths look like a segment: judged by their names, so that nothing waits for the data."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from napari_ink.annotation import is_project
from napari_ink.errors import StackError
from napari_ink.stack import LAYER_FOLDERS, is_address, open_stack, suffix_of

_LAYERS = ("*.[tT][iI][fF]*", "*.[pP][nN][gG]", "*.[jJ][pP]*[gG]")


def is_segment_folder(path: Path) -> bool:
    """Return whether a path is the folder of a segment, of a project or of a Zarr stack."""
    if not path.is_dir():
        return False
    if suffix_of(str(path)) == ".zarr":  # labels and predictions are Zarr as well, so it must be opened
        return opens(str(path))
    return is_project(path) or holds_layers(path)


def segment_name(source: str) -> str:
    """Return the name of the segment or project at a path or an address."""
    parts = (PurePosixPath(source) if is_address(source) else Path(source)).parts
    if not parts:
        return source
    return parts[-2] if len(parts) > 1 and parts[-1] in LAYER_FOLDERS else parts[-1]


def holds_layers(folder: Path) -> bool:
    """Return whether a folder holds the pictures of depth layers, itself or in one of the usual folders."""
    inner = [folder / name for name in LAYER_FOLDERS if (folder / name).is_dir()]
    # In a folder with another name, only TIFF files count: other pictures may be anything.
    tries = [(place, names) for place in inner for names in _LAYERS] or [(folder, _LAYERS[0])]
    return any(next(place.glob(names), None) is not None for place, names in tries)


def opens(place: str) -> bool:
    """Return whether a stack can be opened; only its headers are read."""
    try:
        open_stack(place)
    except StackError:
        return False
    return True
