"""napari's reader for depth stacks: a segment's folder, a Zarr or a file with all layers becomes one lazy image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.errors import StackError
from napari_ink.stack import LAYER_FOLDERS, is_address, open_stack, suffix_of

if TYPE_CHECKING:
    from napari.utils.events import Event

    from napari_ink.gui.layers.stack_layer import LayerData
    from napari_ink.stack import DepthStack

_SUFFIXES = (".tif", ".tiff", ".npy", ".nrrd", ".nhdr", ".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".ozx")
_LAYERS = ("*.[tT][iI][fF]*", "*.[pP][nN][gG]", "*.[jJ][pP]*[gG]")

ReaderFunction = Callable[[str], "list[LayerData]"]


def get_reader(path: str | Sequence[str] | None = None) -> ReaderFunction | None:
    """Return a reader if a path looks like a depth stack, else None; of files and folders by their names alone.

    Without a path, as napari's command palette calls it, a person is asked for one, and the stack is opened.
    """
    if path is None:
        from napari_ink.gui.contributions.commands import ask_for_stack

        ask_for_stack()
        return None
    if not isinstance(path, str):
        return None
    place, suffix = Path(path), suffix_of(path)
    if is_address(path) or suffix == ".zarr":
        return read_stack if _opens(path) else None  # many things are Zarr: labels, predictions
    looks_right = _holds_layers(place) if place.is_dir() else suffix in _SUFFIXES
    return read_stack if looks_right else None


def read_stack(path: str) -> list[LayerData]:
    """Open a stack as layer data for one image; the slider comes to lie on its surface.

    Raises
    ------
    StackError
        If it cannot be opened; the message says why.
    """
    from napari_ink.gui.layers.stack_layer import stack_layer_data

    stack = open_stack(path)
    _show_surface_when_added(stack)
    return [stack_layer_data(stack, stack.contrast_limits())]


def _opens(path: str) -> bool:
    try:
        open_stack(path)
    except StackError:
        return False
    return True


def _holds_layers(folder: Path) -> bool:
    inner = [folder / name for name in LAYER_FOLDERS if (folder / name).is_dir()]
    # Pictures in a folder of no such name may be anybody's.
    tries = [(place, names) for place in inner for names in _LAYERS] or [(folder, _LAYERS[0])]
    return any(next(place.glob(names), None) is not None for place, names in tries)


def _show_surface_when_added(stack: DepthStack) -> None:
    """Turn the current viewer's depth slider to a stack's surface as soon as its layer is there.

    A reader hands napari layers only; where the sliders go, it cannot say.
    """
    from napari import current_viewer

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

    viewer.layers.events.inserted.connect(show)
