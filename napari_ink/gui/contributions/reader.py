"""napari reader for depth stacks: a folder, a Zarr or a file becomes one lazy image layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.gui.models.segments import holds_layers, opens
from napari_ink.stack import is_address, open_stack, suffix_of

if TYPE_CHECKING:
    from napari.utils.events import Event

    from napari_ink.gui.layers.lazy_levels import TiledSource
    from napari_ink.gui.layers.stack_layer import LayerData
    from napari_ink.stack import DepthStack

_SUFFIXES = (".tif", ".tiff", ".npy", ".nrrd", ".nhdr", ".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".ozx")

ReaderFunction = Callable[[str], "list[LayerData]"]


def get_reader(path: str | Sequence[str] | None = None) -> ReaderFunction | None:
    """Return a reader if a path looks like a depth stack, else None; files and folders are judged by name only.

    Without a path, as called by napari's command palette, the user is asked for one, and the stack is opened.
    """
    if path is None:
        from napari_ink.gui.contributions.commands import ask_for_stack

        ask_for_stack()
        return None
    if not isinstance(path, str):
        return None
    place, suffix = Path(path), suffix_of(path)
    if is_address(path) or suffix == ".zarr":
        return read_stack if opens(path) else None  # labels and predictions are Zarr as well, so it must be opened
    looks_right = holds_layers(place) if place.is_dir() else suffix in _SUFFIXES
    return read_stack if looks_right else None


def read_stack(path: str) -> list[LayerData]:
    """Return the layer data of a stack; the depth slider moves to its surface once the layer is added.

    Raises
    ------
    StackError
        If the stack cannot be opened.
    """
    from napari_ink.gui.layers.stack_layer import SOURCE_KEY, stack_layer_data

    stack = open_stack(path)
    data, settings, kind = stack_layer_data(stack, stack.contrast_limits())
    _show_surface_when_added(stack, settings["metadata"].get(SOURCE_KEY))
    return [(data, settings, kind)]


def _show_surface_when_added(stack: DepthStack, source: TiledSource | None) -> None:
    """Move the depth slider to the surface of a stack once its layer is added, and bring up the Ink panel.

    A reader returns layers only, and cannot set the sliders itself. Until then nothing is read: napari slices the first
    depth layer, which may take long and is not shown.
    """
    from napari import current_viewer
    from qtpy.QtCore import QTimer

    from napari_ink.gui.contributions.commands import bring_up_panel
    from napari_ink.gui.layers.stack_layer import attach, detach, stack_of

    viewer = current_viewer()
    if viewer is None:
        return

    def let_go(event: Event) -> None:
        if stack_of(event.value) is stack:
            viewer.layers.events.removed.disconnect(let_go)
            detach(event.value)

    def show(event: Event) -> None:
        if stack_of(event.value) is stack:
            viewer.layers.events.inserted.disconnect(show)
            attach(event.value)
            viewer.layers.events.removed.connect(let_go)
            viewer.dims.set_point(0, stack.surface_z)
            if source is not None:
                source.release()
            # Later, because napari is still opening the file; the panel adopts the stack.
            QTimer.singleShot(0, bring_up_panel)

    if source is not None:
        source.hold()
        QTimer.singleShot(0, source.release)  # for a script that reads the layer and does not add it
    viewer.layers.events.inserted.connect(show)
