"""The command `napari-ink demo`: predict a sample and show it."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--headless",
        type=Path,
        metavar="DIR",
        help="save a screenshot, the masks and the scores in DIR, then close",
    )


def run(arguments: argparse.Namespace) -> int:
    """Open a sample in napari, predict it, and show its ink and edges."""
    from napari_ink.gui.app import has_display, need_qt, run_again_on_virtual_display

    need_qt()
    if arguments.headless is not None and not has_display():
        run_again_on_virtual_display(["demo", "--headless", str(arguments.headless)])
    from napari_ink.gui.demo import run_demo

    return run_demo(arguments.headless)
