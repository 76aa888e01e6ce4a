"""Step 3, Correct: turn the prediction into labels, and pick the tool to paint with."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QMessageBox, QPushButton, QWidget

from napari_ink.gui.keys import KEYS
from napari_ink.gui.panels.step import StepPanel, button, mark, paragraph, show_text
from napari_ink.gui.state import InkState, Step

_HINT = "Turn the prediction into labels and correct them with napari's brush. Your edits are never overwritten."
_HELP = "Holding Space moves the picture, Ctrl+Z undoes, [ and ] size the brush; fill and polygon are at the top left."
_ROWS = {
    "Ink": (("ink", "Ink", "Paint ink"), ("papyrus", "Papyrus", "Paint papyrus: looked at, and no ink there")),
    "Edges": (("edge", "Edge", "Paint an edge of ink"), ("not edge", "No edge", "Paint what is surely not an edge")),
}
_ERASERS = {"Ink": "erase ink", "Edges": "erase edge"}


class CorrectPanel(StepPanel):
    """Make labels and paint them; emits `editable_requested` (True: replace what was edited) and `tool_requested`."""

    editable_requested = Signal(bool)
    tool_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__(Step.CORRECT, _HINT)
        self._edited = False
        self.editable_button = button("Make editable", "Cut labels at the thresholds above, to be edited", primary=True)
        self.editable_button.clicked.connect(self._on_editable)
        self.tools: dict[str, QPushButton] = {}
        self.tool_box = self._tool_rows()
        self.counts, self.help = paragraph(), paragraph(_HELP)
        self.counts.setToolTip("Labelled pixels")
        self.rows.addWidget(self.editable_button)
        self.rows.addWidget(self.tool_box)
        self.rows.addWidget(self.counts)
        self.rows.addWidget(self.help)

    def show_state(self, state: InkState) -> None:
        """Show the tools once there are labels, and how much is labelled."""
        super().show_state(state)
        self._edited = state.labels_edited
        again = "Cut the labels again…" if state.labels_edited else "Cut the labels again"
        first = "Make editable" if state.has_prediction else "Start with empty labels"
        self.editable_button.setText(again if state.labels else first)
        self.editable_button.setEnabled(state.run is None and not state.busy)
        self.editable_button.setVisible(state.has_prediction or not state.labels)
        mark(self.editable_button, "inkPrimary" if not state.labels else "inkPlain")
        self.tool_box.setVisible(state.labels)
        self.help.setVisible(state.labels)
        for tool, one in self.tools.items():
            one.setChecked(tool == state.tool)
        show_text(self.counts, _counted(state) if state.labels else "")

    def _tool_rows(self) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        for row, (title, tools) in enumerate(_ROWS.items()):
            grid.addWidget(QLabel(title), row, 0)
            eraser = (_ERASERS[title], "Erase", f"Erase back to unreviewed in the {title.lower()} labels")
            for column, (tool, text, tip) in enumerate((*tools, eraser), start=1):
                grid.addWidget(self._tool_button(tool, text, tip), row, column)
                grid.setColumnStretch(column, 1)
        return box

    def _tool_button(self, tool: str, text: str, tip: str) -> QPushButton:
        key = KEYS.get(tool)
        made = button(f"{text}  ({key})" if key else text, f"{tip} (key {key or 'E'})")
        made.setCheckable(True)
        # Without the keyboard's focus on a button, keys keep going to the picture while one paints.
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        made.clicked.connect(lambda: self.tool_requested.emit(tool))
        self.tools[tool] = made
        return made

    def _on_editable(self) -> None:
        self.editable_requested.emit(self._edited) if self._may_replace() else None

    def _may_replace(self) -> bool:
        if not self._edited:
            return True
        asked = QMessageBox(
            QMessageBox.Icon.Question,
            "Replace your labels?",
            "You have edited these labels. Keep them, or replace them with the prediction at the present thresholds?",
            parent=self,
        )
        replace = asked.addButton("Replace", QMessageBox.ButtonRole.DestructiveRole)
        keep = asked.addButton("Keep my labels", QMessageBox.ButtonRole.RejectRole)
        asked.setDefaultButton(keep)
        asked.exec()
        return asked.clickedButton() is replace


def _counted(state: InkState) -> str:
    counts = state.counts
    figures = {"Ink": counts.ink, "papyrus": counts.papyrus, "edges": counts.edge, "no edge": counts.not_edge}
    return " · ".join(f"{name} {pixels:,}".replace(",", "\u202f") for name, pixels in figures.items())
