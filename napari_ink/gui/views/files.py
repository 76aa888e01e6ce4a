"""File dialogs that open where the user chose a file of the same kind last, or else beside the segment."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_ink.gui.preferences import folder_of, remember_folder
from napari_ink.stack import DepthStack


def ask_for_file(parent: QWidget | None, kind: str, title: str, kinds: str, stack: DepthStack | None) -> Path | None:
    """Ask for a file to open; None if the user cancels.

    Parameters
    ----------
    parent
        Widget in front of which the dialog opens.
    kind
        What the file is for, such as ``"import"``; each kind has its own folder.
    title
        Title of the dialog.
    kinds
        File types to choose from, in Qt's notation.
    stack
        Stack beside which the dialog opens the first time.
    """
    chosen, _ = QFileDialog.getOpenFileName(parent, title, str(start_folder(kind, stack)), kinds)
    return _remembered(kind, chosen)


def ask_where_to_save(
    parent: QWidget | None, kind: str, title: str, name: str, kinds: str, stack: DepthStack | None
) -> Path | None:
    """Ask for a path to write to; None if the user cancels. `name` is the proposed name; others as `ask_for_file`."""
    chosen, _ = QFileDialog.getSaveFileName(parent, title, str(start_folder(kind, stack) / name), kinds)
    return _remembered(kind, chosen)


def ask_for_folder(parent: QWidget | None, kind: str, title: str, stack: DepthStack | None) -> Path | None:
    """Ask for a folder to open; None if the user cancels. Parameters as for `ask_for_file`."""
    chosen = QFileDialog.getExistingDirectory(parent, title, str(start_folder(kind, stack)))
    return _remembered(kind, chosen)


def start_folder(kind: str, stack: DepthStack | None) -> Path:
    """Return the folder that a dialog opens in."""
    folder = folder_of(kind)
    if folder is not None and folder.is_dir():
        return folder
    # A stack from the network has no folder, and a folder of layers is opened beside itself.
    return stack.home.parent if stack is not None and stack.home is not None else Path.home()


def _remembered(kind: str, chosen: str) -> Path | None:
    if not chosen:
        return None
    remember_folder(kind, Path(chosen).parent)
    return Path(chosen)
