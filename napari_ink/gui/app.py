"""Start of napari's window with the dock."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from napari_ink.annotation import is_project, open_project
from napari_ink.errors import BadInputError, NapariInkError, StackMovedError
from napari_ink.stack import is_address, open_stack

if TYPE_CHECKING:
    import napari

    from napari_ink.gui.dock import InkDock


def open_window(source: Path | str) -> int:
    """Open a stack in napari's window with the dock, and return once the window is closed.

    Parameters
    ----------
    source
        Stack (folder of a segment, folder of its depth layers, or one file) or project (``<segment>.ink``).

    Returns
    -------
    int
        The exit code, 0.

    Raises
    ------
    BadInputError
        If there is no display, or `source` is neither a stack nor a project.
    """
    require_display()
    place = source if is_address(source) else Path(source)
    _check(place)
    import napari

    _, dock = viewer_with_dock()
    dock.open_stack(place)
    napari.run()
    return 0


def viewer_with_dock() -> tuple[napari.Viewer, InkDock]:
    """Return a new viewer and its dock, the same that the Plugins menu shows and hides."""
    import napari

    # By way of the plugin: napari would not know a dock that is added directly, and its menu would open a second one.
    viewer = napari.Viewer(title="napari-ink")
    _, dock = viewer.window.add_plugin_dock_widget("napari-ink", "Ink")
    return viewer, dock


def _check(source: Path | str) -> None:
    """Raise before there is a window if the source cannot be opened; a moved stack is asked for in the window."""
    # A window takes seconds to open, and an error of the command line belongs on the command line.
    if isinstance(source, str) or not is_project(source):
        open_stack(source)
        return
    with suppress(StackMovedError):
        open_project(source, look_only=True).close()


def require_display() -> None:
    """Raise if no window can be opened, because Qt would end the program without an exception.

    Raises
    ------
    BadInputError
        If neither X nor Wayland is there on a system that needs one of them.
    """
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        raise BadInputError("There is no display to open a window on: run this on a desktop, or under `xvfb-run -a`.")


def need_qt() -> None:
    """Check that a Qt binding is installed.

    Raises
    ------
    NapariInkError
        If none is installed.
    """
    if not any(map(importlib.util.find_spec, ("PyQt6", "PySide6", "PyQt5", "PySide2"))):
        raise NapariInkError('Windows need Qt, which is not installed; run `pip install "napari-ink[qt]"`.')


def has_display() -> bool:
    """Return whether there is a display for a window."""
    return sys.platform in ("win32", "darwin") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def run_again_on_virtual_display(command: Sequence[str]) -> NoReturn:
    """Replace this process by the same command on a virtual display.

    Raises
    ------
    NapariInkError
        If Xvfb is not installed.
    """
    xvfb = shutil.which("xvfb-run")
    if xvfb is None:
        raise NapariInkError("There is no display here, and no Xvfb to make one; install the package xvfb.")
    # 24 bits and software rendering, since a virtual display has no graphics card.
    screen = [xvfb, "-a", "-s", "-screen 0 1920x1080x24"]
    os.execve(
        xvfb,
        [*screen, sys.executable, "-m", "napari_ink.cli", *command],
        {**os.environ, "LIBGL_ALWAYS_SOFTWARE": "1"},
    )
