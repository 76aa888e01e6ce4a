"""`napari-ink open`."""

from __future__ import annotations

import argparse

from napari_ink.cli.common import stack_argument as add_arguments

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Open a stack in napari, with the panel docked."""
    from napari_ink.gui.display import need_qt

    need_qt()
    from napari_ink.gui.window import open_window

    return open_window(arguments.stack)
