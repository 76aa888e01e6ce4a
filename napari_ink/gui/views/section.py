"""Base of the sections: a title that opens and closes them, and buttons for actions."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_ink.gui.models.actions import TITLES
from napari_ink.gui.models.state import InkState
from napari_ink.gui.preferences import shown_key
from napari_ink.gui.views.step_panel import button


class Section(QWidget):
    """Collapsible part of a step, closed at first.

    superqt's `QCollapsible` is not used, because it keeps the height that its content had when it was opened, and cuts
    off text that is added later (superqt 0.9).

    Emits `action_requested` with the name of an action.

    Parameters
    ----------
    title
        Title of the section.
    """

    action_requested = Signal(str)

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self.header = button(f"▸  {title}", f"Open or close: {title.lower()}")
        self.header.setObjectName("inkSection")
        self.header.setCheckable(True)
        self.header.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.header.toggled.connect(self._on_toggled)
        self._body = QWidget()
        self._body.setVisible(False)
        self.rows = QVBoxLayout(self._body)
        self.rows.setContentsMargins(0, 4, 0, 8)
        self.rows.setSpacing(6)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self._body)
        self.buttons: dict[str, QPushButton] = {}

    def expand(self) -> None:
        """Open the section."""
        self.header.setChecked(True)

    def unfold(self, is_unfolded: bool) -> None:
        """Show the content without a title, or fold it below its title."""
        self.header.setVisible(not is_unfolded)
        self.header.setChecked(is_unfolded)

    def _on_toggled(self, is_open: bool) -> None:
        self.header.setText(f"{'▾' if is_open else '▸'}  {self._title}")
        self._body.setVisible(is_open)

    def show_state(self, state: InkState) -> None:
        """Render the state; overridden by the sections."""

    def action_button(self, name: str, text: str, says_key: bool = True) -> QPushButton:
        """Return a button that emits `action_requested`, with its key on the button or else in the tooltip."""
        made = self.buttons[name] = action_button(name, text, says_key)
        made.clicked.connect(lambda: self.action_requested.emit(name))
        return made


def action_button(name: str, text: str, says_key: bool = True) -> QPushButton:
    """Return a button for an action, with its key on the button or else in the tooltip."""
    key = shown_key(name)
    on_it = f"{text}  ({key})" if key and says_key else text
    made = button(on_it, f"{TITLES[name]} ({key})" if key and not says_key else TITLES[name])
    # Without the focus on the button, keys continue to go to the canvas.
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


def row(*widgets: QWidget) -> QHBoxLayout:
    """Return a layout with widgets side by side."""
    made = QHBoxLayout()
    made.setSpacing(6)
    for widget in widgets:
        made.addWidget(widget)
    return made
