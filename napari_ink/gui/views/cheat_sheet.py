"""Cheat sheet with all keys."""

from __future__ import annotations

from html import escape
from itertools import groupby

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDialog, QLabel, QVBoxLayout, QWidget

from napari_ink.gui.models.actions import ACTIONS
from napari_ink.gui.preferences import shown_key
from napari_ink.gui.views.step_panel import button

_NAPARIS = (
    ("Space (held)", "Move the picture"),
    ("[ and ]", "Smaller or larger brush"),
    ("E, P, F, 3", "Erase, paint, fill and polygon on the selected layer"),
    ("Left and Right", "Through the depth layers"),
    ("V", "Show or hide the selected layer"),
)
_COLUMNS = 2


class CheatSheet(QDialog):
    """Window that lists all keys by group; Escape closes it.

    Emits `preferences_requested`.

    Parameters
    ----------
    parent
        Widget that owns the window.
    """

    preferences_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        # A tool window stays above the main window without taking it over.
        super().__init__(parent, Qt.WindowType.Tool)
        self.setWindowTitle("Keys of napari-ink")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.text = QLabel(_sheet())
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.preferences_button = button("Change colours and keys…", "Choose other colours and keys for the next start")
        self.preferences_button.clicked.connect(self.preferences_requested)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(self.preferences_button, 0, Qt.AlignmentFlag.AlignLeft)


def _sheet() -> str:
    groups = [(name, [(shown_key(one.name), one.title) for one in of]) for name, of in groupby(ACTIONS, _group)]
    groups.append(("napari's own", list(_NAPARIS)))
    half = -(-len(groups) // _COLUMNS)
    columns = ("".join(map(_table, groups[start : start + half])) for start in range(0, len(groups), half))
    return (
        "<table><tr>"
        + "".join(f"<td style='padding-right: 28px'>{column}</td>" for column in columns)
        + "</tr></table>"
    )


def _group(action: object) -> str:
    return str(getattr(action, "group", ""))


def _table(group: tuple[str, list[tuple[str, str]]]) -> str:
    name, keys = group
    rows = "".join(
        f"<tr><td style='padding-right: 12px'><b>{escape(key or 'none')}</b></td><td>{escape(title)}</td></tr>"
        for key, title in keys
    )
    return f"<h3>{escape(name)}</h3><table>{rows}</table>"
