"""Whether a window can open here; this module itself needs neither Qt nor napari."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from typing import NoReturn

from napari_ink.errors import NapariInkError


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
