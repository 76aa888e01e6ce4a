"""What the sections have in common: a title that opens and closes them, and buttons that do what keys do."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLayout, QPushButton, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_ink.gui.actions import ACTIONS
from napari_ink.gui.keys import shown_key
from napari_ink.gui.panels.step import button
from napari_ink.gui.state import InkState

_TITLES = {action.name: action.title for action in ACTIONS}


class Section(QCollapsible):
    """A part of a step that is closed until somebody opens it.

    Emits `action_requested` with the name of an action.

    Parameters
    ----------
    title
        What it is for.
    """

    action_requested = Signal(str)

    def __init__(self, title: str) -> None:
        super().__init__(title, collapsedIcon="▸", expandedIcon="▾")
        self.setDuration(0)
        inside = QWidget()
        self.rows = QVBoxLayout(inside)
        self.rows.setContentsMargins(4, 0, 0, 4)
        self.rows.setSpacing(6)
        self.setContent(inside)
        self.buttons: dict[str, QPushButton] = {}

    def show_state(self, state: InkState) -> None:
        """Show what the state says."""

    def action_button(self, name: str, text: str) -> QPushButton:
        """Return a button that does what an action's key does."""
        key = shown_key(name)
        made = button(f"{text}  ({key})" if key else text, _TITLES[name])
        # Without the keyboard's focus on a button, keys keep going to the picture.
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        made.clicked.connect(lambda: self.action_requested.emit(name))
        self.buttons[name] = made
        return made


def row(*widgets: QWidget) -> QLayout:
    """Return widgets side by side."""
    made = QHBoxLayout()
    made.setSpacing(6)
    for widget in widgets:
        made.addWidget(widget)
    return made
