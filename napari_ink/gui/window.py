"""napari's window with the dock in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.errors import BadInputError
from napari_ink.stack import open_stack

if TYPE_CHECKING:
    import napari

    from napari_ink.gui.dock import InkDock


def open_window(source: Path) -> int:
    """Open a stack in napari's window with everything docked, and return once the window is closed.

    Parameters
    ----------
    source
        A stack: a segment's folder, the folder of its depth layers, or one file.

    Returns
    -------
    int
        The exit code, 0.

    Raises
    ------
    BadInputError
        If there is no display, `source` is a project, which this version cannot open, or it is no stack.
    """
    if source.suffix == ".ink":
        raise BadInputError(f"{source} is a project, and projects cannot be opened yet; give the segment's own folder.")
    require_display()
    open_stack(source)  # what cannot be opened is better said before there is a window
    import napari

    _, dock = viewer_with_dock()
    dock.open_stack(source)
    napari.run()
    return 0


def viewer_with_dock() -> tuple[napari.Viewer, InkDock]:
    """Return a new viewer and the dock in it: the same one that the Plugins menu shows and hides."""
    import napari

    viewer = napari.Viewer(title="napari-ink")
    _, dock = viewer.window.add_plugin_dock_widget("napari-ink", "Ink")
    return viewer, dock


def require_display() -> None:
    """Raise where a window cannot be opened; Qt itself would end the whole program.

    Raises
    ------
    BadInputError
        If neither X nor Wayland is there on a system that needs one of them.
    """
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        raise BadInputError("There is no display to open a window on: run this on a desktop, or under `xvfb-run -a`.")
