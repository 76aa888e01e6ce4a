"""Step Correct: turn the prediction into labels, draw with tools, undo and redo."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMessageBox, QStackedWidget, QVBoxLayout, QWidget

from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.status import StorageStatus
from napari_ink.gui.preferences import shown_key
from napari_ink.gui.views.section import row
from napari_ink.gui.views.similar_section import SimilarSection
from napari_ink.gui.views.step_panel import Lines, StepPanel, button, mark
from napari_ink.gui.views.tool_bar import PLAIN_VIEW, IconButton, ToolBar, title_of
from napari_ink.gui.views.tool_settings import ToolSettingsRow
from napari_ink.gui.views.versions_section import VersionsSection

_HINT_LINES, _NOTE_LINES = 3, 2
_HINT = "Turn the prediction into labels, and correct them. Strokes are saved at once."
_PARTIAL = "At this zoom, labels can be drawn in the middle of the picture only. Zoom in to draw everywhere."
_TURNED = "Labels can be drawn in the plain view only, not in 3-D or with other axes."
_HIDDEN = "The {} labels are hidden. Show them with the eye in the layer list or the key {}."
_NO_TOOL = "Choose a tool. Hold Space to move the picture; [ and ] change the brush size."
_DIFFERENCE = "Yellow: ink only in your labels. Purple: ink only {}."


class CorrectPanel(StepPanel):
    """Panel of the step Correct.

    Emits `editable_requested` (True: replace edited labels), `tool_requested`, `action_requested` with the name of an
    action, and `plain_view_requested`.
    """

    editable_requested = Signal(bool)
    tool_requested = Signal(str)
    action_requested = Signal(str)
    plain_view_requested = Signal()

    def __init__(self) -> None:
        super().__init__(Step.CORRECT, _HINT)
        self._edited = False
        self.editable_button = button("Make editable", "Draft labels at the thresholds of the prediction", primary=True)
        self.bar, self.settings = ToolBar(), ToolSettingsRow()
        self.tools, self.actions_of = self.bar.tools, self.bar.actions_of
        self.tool_hint, self.edit_note = Lines(_HINT_LINES), Lines(_NOTE_LINES, "", "inkWarning")
        self.similar, self.versions = SimilarSection(), VersionsSection()
        # The search takes the place of the notes, so that the tools above never move.
        self._notes, self._below = QWidget(), QStackedWidget()
        first = row(self.editable_button, *self.bar.changes)
        first.setSpacing(3)
        self.rows.addLayout(first)
        self._lay_out_notes()
        for widget in (self.bar, self.settings, self._below):
            self.rows.addWidget(widget)
        self.editable_button.clicked.connect(self._on_editable)
        self.bar.tool_requested.connect(self.tool_requested)
        self.bar.action_requested.connect(self._on_action)
        self.similar.action_requested.connect(self.action_requested)

    def _lay_out_notes(self) -> None:
        notes = QVBoxLayout(self._notes)
        notes.setContentsMargins(0, 0, 0, 0)
        notes.setSpacing(6)
        for widget in (self.tool_hint, self.edit_note, self.versions):
            notes.addWidget(widget)
        notes.addStretch(1)
        for page in (self._notes, self.similar):
            self._below.addWidget(page)

    def show_state(self, state: InkState) -> None:
        """Show the tools that are possible, their settings, and the undo step."""
        super().show_state(state)
        self._edited = state.labels_edited
        storage = state.storage
        self._show_editable(state)
        can_edit = state.labels and not storage.held_by
        self.bar.show_possible(can_edit, state.labels, state.has_prediction, can_edit and storage.is_turned)
        self.bar.show_tool(state.tool)
        self.settings.show_settings(state.tool_settings, can_edit)
        self.actions_of["difference"].setChecked(state.compared == "prediction")
        _show_change(self.actions_of["undo"], storage.undo_name, can_edit)
        _show_change(self.actions_of["redo"], storage.redo_name, can_edit)
        self.similar.show_state(state)
        self.versions.show_state(state)
        self._below.setCurrentWidget(self.similar if SimilarSection.is_needed(state) else self._notes)
        self.tool_hint.show_text(_tool_text(state) if can_edit else "")
        self._show_note(state, can_edit)

    def set_compact(self, is_compact: bool) -> None:
        """Make the tools lower, and let a note take the place of the hint; or give each its own place."""
        super().set_compact(is_compact)
        self.bar.set_compact(is_compact)
        self.similar.set_compact(is_compact)
        self.tool_hint.set_count(_NOTE_LINES if is_compact else _HINT_LINES)
        self._show_either()

    def _show_either(self) -> None:
        has_note = bool(self.edit_note.text())
        self.edit_note.setVisible(has_note or not self._is_compact)
        self.tool_hint.setVisible(not has_note or not self._is_compact)

    def _show_editable(self, state: InkState) -> None:
        again = "Redraft from prediction…" if state.labels_edited else "Redraft from prediction"
        first = "Make editable" if state.has_prediction else "Start with empty labels"
        first = "Show labels" if state.storage.project is not None else first
        self.editable_button.setText(again if state.labels else first)
        is_possible = state.has_prediction or not state.labels
        self.editable_button.setEnabled(
            is_possible and state.run is None and not state.busy and not state.storage.held_by
        )
        mark(self.editable_button, "inkPrimary" if not state.labels else "inkPlain")

    def _show_note(self, state: InkState, can_edit: bool) -> None:
        note = _why_not_here(state.storage) if can_edit else ""
        where = "in the prediction" if state.compared == "prediction" else f"in version {state.compared}"
        self.edit_note.show_text(note or (_DIFFERENCE.format(where) if state.compared else ""))
        mark(self.edit_note, "inkWarning" if note else "inkSmall")
        self._show_either()

    def _on_action(self, name: str) -> None:
        if name == PLAIN_VIEW:
            self.plain_view_requested.emit()
        else:
            self.action_requested.emit(name)

    def _on_editable(self) -> None:
        self.editable_requested.emit(self._edited) if self._may_replace() else None

    def _may_replace(self) -> bool:
        if not self._edited:
            return True
        asked = QMessageBox(
            QMessageBox.Icon.Question,
            "Replace your labels?",
            "You have edited these labels. Replace them with the prediction at the current thresholds? "
            "Undo restores your labels.",
            parent=self,
        )
        replace = asked.addButton("Replace", QMessageBox.ButtonRole.DestructiveRole)
        keep = asked.addButton("Keep my labels", QMessageBox.ButtonRole.RejectRole)
        # Enter must not replace hours of work.
        asked.setDefaultButton(keep)
        asked.exec()
        return asked.clickedButton() is replace


def _show_change(one: IconButton, name: str, can_edit: bool) -> None:
    one.setEnabled(can_edit and bool(name))
    one.explain(f": {name}" if name else ": nothing left")


def _tool_text(state: InkState) -> str:
    """Return how the active tool is used, or what it does."""
    if not state.tool:
        return _NO_TOOL
    return state.tool_hint or f"{title_of(state.tool)}."


def _why_not_here(storage: StorageStatus) -> str:
    if storage.is_turned:
        return _TURNED
    if storage.hidden:
        return _HIDDEN.format(" and ".join(storage.hidden), shown_key("blink_labels"))
    return _PARTIAL if storage.is_partial else ""
