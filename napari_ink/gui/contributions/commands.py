"""Commands in napari's command palette: one for each action, and one for each reader and writer.

The palette runs commands of the manifest without arguments. An action is sent to the Ink panel of the front window; a
reader or a writer, which napari otherwise calls with a path, asks the user for one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.errors import NapariInkError
from napari_ink.gui.models.actions import ACTIONS

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_ink.gui.dock import InkDock

PREFIX = "do_"


def __getattr__(name: str) -> Callable[[], None]:
    """Return the command ``do_<action>``, which the manifest names."""
    # Commands are made on demand, so that a new action needs no function of its own here.
    action = name.removeprefix(PREFIX)
    if name.startswith(PREFIX) and any(one.name == action for one in ACTIONS):
        return partial(_do, action)
    raise AttributeError(f"{__name__} has no {name}")


def ask_for_stack() -> None:
    """Ask the user for a folder of depth layers, and open it in the Ink panel."""
    if (dock := _dock()) is not None:
        dock.stack.ask_for_folder()


def change_preferences() -> None:
    """Open the dialog for the colours and keys of the Ink panel."""
    if (dock := _dock()) is not None:
        dock.change_preferences()


def bring_up_panel() -> None:
    """Show the Ink panel of the front window; open it if there is none. Without a visible window, do nothing."""
    from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget

    if not any(isinstance(one, QMainWindow) and one.isVisible() for one in QApplication.topLevelWidgets()):
        return
    above: QWidget | None = _dock()
    while above is not None and not isinstance(above, QDockWidget):
        above = above.parentWidget()
    if above is not None:
        above.show()
        above.raise_()


def ask_and_save(kind: str, suffixes: str) -> None:
    """Ask the user for a path, and save the selected layer there.

    Parameters
    ----------
    kind
        Type of layer in napari: ``labels`` or ``image``.
    suffixes
        File patterns to choose from, such as ``*.png *.npy``.
    """
    from napari import current_viewer
    from napari.utils.notifications import show_error, show_info
    from qtpy.QtWidgets import QFileDialog

    viewer: Viewer | None = current_viewer()
    layer = None if viewer is None else viewer.layers.selection.active
    if layer is None or type(layer).__name__.lower() != kind:
        article = "an" if kind == "image" else "a"
        show_info(f"Select {article} {kind} layer in the layer list first.")
        return
    chosen, _ = QFileDialog.getSaveFileName(None, f"Save {layer.name}", str(Path.home() / layer.name), suffixes)
    if not chosen:
        return
    try:
        layer.save(chosen, plugin="napari-ink")
    except NapariInkError as error:
        show_error(str(error))


def _do(action: str) -> None:
    if (dock := _dock()) is not None:
        dock.do(action)


def _dock() -> InkDock | None:
    """Return the Ink panel of the front window, or open one if there is none."""
    from napari import current_viewer
    from qtpy.QtWidgets import QApplication

    from napari_ink.gui.dock import InkDock
    from napari_ink.gui.layers.gl_context import main_window_of

    def is_in_front(dock: InkDock) -> bool:
        window = main_window_of(dock)
        return window is not None and window.isActiveWindow()

    # napari offers no list of its windows; docks that are not in a window are being closed.
    docks = [one for one in QApplication.allWidgets() if isinstance(one, InkDock) and main_window_of(one) is not None]
    if docks:
        return next(filter(is_in_front, docks), docks[-1])
    viewer = current_viewer()
    if viewer is None:
        return None
    _, dock = viewer.window.add_plugin_dock_widget("napari-ink", "Ink")
    return dock if isinstance(dock, InkDock) else None
