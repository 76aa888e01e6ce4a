"""napari's reader for depth stacks: a segment's folder, a multi-page TIFF or a NumPy file becomes one lazy image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.stack import LAYER_FOLDERS, open_stack

if TYPE_CHECKING:
    from napari_ink.gui.stack_layer import LayerData

_SUFFIXES = (".tif", ".tiff", ".npy")

ReaderFunction = Callable[[str], "list[LayerData]"]


def get_reader(path: str | Sequence[str]) -> ReaderFunction | None:
    """Return a reader if a path looks like a depth stack, by its names alone, else None."""
    if not isinstance(path, str):
        return None
    place = Path(path)
    looks_right = _holds_tiffs(place) if place.is_dir() else place.suffix.lower() in _SUFFIXES
    return read_stack if looks_right else None


def read_stack(path: str) -> list[LayerData]:
    """Open a stack as layer data for one image; the slider comes to lie on its surface.

    Raises
    ------
    StackError
        If it cannot be opened; the message says why.
    """
    from napari_ink.gui.layers import show_surface_when_added
    from napari_ink.gui.stack_layer import stack_layer_data

    stack = open_stack(path)
    show_surface_when_added(stack)
    return [stack_layer_data(stack, stack.contrast_limits())]


def _holds_tiffs(folder: Path) -> bool:
    places = (folder, *(folder / name for name in LAYER_FOLDERS))
    return any(next(place.glob("*.[tT][iI][fF]*"), None) is not None for place in places if place.is_dir())
