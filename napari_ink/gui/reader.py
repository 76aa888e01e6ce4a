"""napari's reader for depth stacks: a segment's folder, a multi-page TIFF or a NumPy file becomes one lazy image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.stack import LAYER_FOLDERS, open_stack

if TYPE_CHECKING:
    from napari.utils.events import Event

    from napari_ink.gui.stack_layer import LayerData
    from napari_ink.stack import DepthStack

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
    from napari_ink.gui.stack_layer import stack_layer_data

    stack = open_stack(path)
    _show_surface_when_added(stack)
    return [stack_layer_data(stack, stack.contrast_limits())]


def _holds_tiffs(folder: Path) -> bool:
    places = (folder, *(folder / name for name in LAYER_FOLDERS))
    return any(next(place.glob("*.[tT][iI][fF]*"), None) is not None for place in places if place.is_dir())


def _show_surface_when_added(stack: DepthStack) -> None:
    """Turn the current viewer's depth slider to a stack's surface as soon as its layer is there.

    A reader hands napari layers only; where the sliders go, it cannot say.
    """
    from napari import current_viewer

    from napari_ink.gui.stack_layer import attach, stack_of

    viewer = current_viewer()
    if viewer is None:
        return

    def show(event: Event) -> None:
        if stack_of(event.value) is stack:
            viewer.layers.events.inserted.disconnect(show)
            attach(event.value)
            viewer.dims.set_point(0, stack.surface_z)

    viewer.layers.events.inserted.connect(show)
