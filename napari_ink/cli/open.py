"""The command `napari-ink open`: show a stack or a project in napari."""

from __future__ import annotations

import argparse

from napari_ink.cli.common import STACK_SOURCES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("stack", metavar="STACK", help=f"{STACK_SOURCES}; or a project, SEGMENT.ink")


def run(arguments: argparse.Namespace) -> int:
    """Open a stack or a project in napari with the napari-ink panel."""
    from napari_ink.gui.app import need_qt

    # Only now: the window's module imports Qt, which may be missing.
    need_qt()
    from napari_ink.gui.app import open_window

    return open_window(arguments.stack)
