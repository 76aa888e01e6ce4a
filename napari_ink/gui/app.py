"""napari's window with the dock in it."""

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
    """Open a stack in napari's window with everything docked, and return once the window is closed.

    Parameters
    ----------
    source
        A stack: a segment's folder, the folder of its depth layers, or one file; or a project, ``<segment>.ink``.

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
    """Return a new viewer and the dock in it: the same one that the Plugins menu shows and hides."""
    import napari

    viewer = napari.Viewer(title="napari-ink")
    _, dock = viewer.window.add_plugin_dock_widget("napari-ink", "Ink")
    return viewer, dock


def _check(source: Path | str) -> None:
    """Say what cannot be opened before there is a window; a project whose stack was moved is asked about in it."""
    if isinstance(source, str) or not is_project(source):
        open_stack(source)
        return
    with suppress(StackMovedError):
        open_project(source, look_only=True).close()


def require_display() -> None:
    """Raise where a window cannot be opened; Qt itself would end the whole program.

    Raises
    ------
    BadInputError
        If neither X nor Wayland is there on a system that needs one of them.
    """
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        raise BadInputError("There is no display to open a window on: run this on a desktop, or under `xvfb-run -a`.")


def need_qt() -> None:
    """See to it that a Qt binding is installed.

    Raises
    ------
    NapariInkError
        If none is.
    """
    if not any(map(importlib.util.find_spec, ("PyQt6", "PySide6", "PyQt5", "PySide2"))):
        raise NapariInkError('Windows need Qt, which is not installed; run `pip install "napari-ink[qt]"`.')


def has_display() -> bool:
    """Return whether there is a screen to show a window on."""
    return sys.platform in ("win32", "darwin") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def run_again_on_virtual_display(command: Sequence[str]) -> NoReturn:
    """Become the same command on a virtual display.

    Raises
    ------
    NapariInkError
        If there is no Xvfb to make one.
    """
    xvfb = shutil.which("xvfb-run")
    if xvfb is None:
        raise NapariInkError("There is no display here, and no Xvfb to make one; install the package xvfb.")
    screen = [xvfb, "-a", "-s", "-screen 0 1920x1080x24"]
    os.execve(
        xvfb,
        [*screen, sys.executable, "-m", "napari_ink.cli", *command],
        {**os.environ, "LIBGL_ALWAYS_SOFTWARE": "1"},
    )
