"""Step 3, Correct: turn the prediction into labels, draw with tools, undo and redo."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QMessageBox, QPushButton, QWidget

from napari_ink.gui.models.actions import TITLES, Tool
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.status import StorageStatus
from napari_ink.gui.preferences import shown_key
from napari_ink.gui.views.compare_section import CompareSection
from napari_ink.gui.views.review_section import ReviewSection
from napari_ink.gui.views.section import Section
from napari_ink.gui.views.similar_section import SimilarSection
from napari_ink.gui.views.step_panel import StepPanel, button, mark, paragraph, show_text
from napari_ink.gui.views.versions_section import VersionsSection

_HINT = "Turn the prediction into labels and correct them. Each stroke is saved at once and can be undone."
_PARTIAL = "At this zoom, labels can be drawn in the middle of the picture only. Zoom in to draw everywhere."
_TURNED = "Labels can be drawn in the plain view only, not in 3-D or with other axes."
_HIDDEN = "The {} labels are hidden. Show them with the eye in the layer list or the key {}."
_HELP = (
    "Hold Space to move the picture. [ and ] change the brush size. The layer controls, top left, have a polygon tool."
)
# Tools and the texts on their buttons. Tooltips and keys are those of their actions.
_TOOLS: dict[str, tuple[tuple[Tool, str], ...]] = {
    "Ink": (
        (Tool.INK, "Ink"),
        (Tool.PAPYRUS, "Papyrus"),
        (Tool.ERASE_INK, "Erase"),
        (Tool.EDGE_BRUSH, "Up to edges"),
        (Tool.FILL_INK, "Fill"),
        (Tool.GROW, "Grow"),
    ),
    "Edges": (
        (Tool.EDGE, "Edge"),
        (Tool.NOT_EDGE, "No edge"),
        (Tool.ERASE_EDGE, "Erase"),
        (Tool.LIVEWIRE, "Outline"),
        (Tool.ERASE_FRAGMENT, "Remove"),
        (Tool.JOIN, "Join"),
    ),
}
# The erasers have no action, because E is napari's own key.
_ERASER_TIPS = {
    Tool.ERASE_INK: "Erase back to unreviewed in the ink labels (key E)",
    Tool.ERASE_EDGE: "Erase back to unreviewed in the edge labels (key E)",
}
_COLUMNS = 3


class CorrectPanel(StepPanel):
    """Panel of step 3.

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
        self.editable_button = button("Make editable", "Draft labels at the thresholds of step 2", primary=True)
        self.editable_button.clicked.connect(self._on_editable)
        self.tools: dict[str, QPushButton] = {}
        self.actions_of: dict[str, QPushButton] = {}
        self.change_box = self._actions("", ("undo", "Undo"), ("redo", "Redo"), ("help", "Keys"), columns=3)
        self.tool_box = self._tool_rows()
        self.visible_box = self._actions(
            "Visible\nregion",
            ("remove_specks", "Remove specks"),
            ("bridge_gaps", "Bridge gaps"),
            ("ink_from_edges", "Edges to ink"),
            ("edges_from_ink", "Ink to edges"),
            columns=2,
        )
        self.saved, self.tool_hint, self.counts, self.help = (paragraph(text) for text in ("", "", "", _HELP))
        self.edit_note = paragraph("", "inkWarning")
        self.plain_button = button("Plain view", "Show rows and columns in 2-D again")
        self.plain_button.clicked.connect(self.plain_view_requested)
        self.counts.setToolTip("Labelled pixels")
        for widget in (
            self.editable_button,
            self.change_box,
            self.saved,
            self.tool_box,
            self.visible_box,
            self.edit_note,
            self.plain_button,
            self.tool_hint,
            self.counts,
            self.help,
        ):
            self.rows.addWidget(widget)
        self.review, self.similar, self.compare, self.versions = (
            ReviewSection(),
            SimilarSection(),
            CompareSection(),
            VersionsSection(),
        )
        self.sections: tuple[Section, ...] = (self.similar, self.review, self.compare, self.versions)
        for section in self.sections:
            section.action_requested.connect(self.action_requested)
            self.rows.addWidget(section)

    def show_state(self, state: InkState) -> None:
        """Show the tools once there are labels, the undo step, the label counts, and whether all is saved."""
        super().show_state(state)
        self._edited = state.labels_edited
        storage = state.storage
        again = "Redraft from prediction…" if state.labels_edited else "Redraft from prediction"
        first = "Make editable" if state.has_prediction else "Start with empty labels"
        first = "Show labels" if storage.project is not None else first
        self.editable_button.setText(again if state.labels else first)
        self.editable_button.setEnabled(state.run is None and not state.busy and not storage.held_by)
        self.editable_button.setVisible(state.has_prediction or not state.labels)
        mark(self.editable_button, "inkPrimary" if not state.labels else "inkPlain")
        can_edit = state.labels and not storage.held_by
        for widget in (self.change_box, self.tool_box, self.visible_box, self.help):
            widget.setVisible(can_edit)
        for tool, one in self.tools.items():
            one.setChecked(tool == state.tool)
        _show_change(self.actions_of["undo"], "Undo", storage.undo_name)
        _show_change(self.actions_of["redo"], "Redo", storage.redo_name)
        # The tools need labels; versions and import do not.
        for section in self.sections:
            section.setVisible(state.labels or section is self.versions)  # which can import labels from a file
            section.show_state(state)
        show_text(self.tool_hint, state.tool_hint if can_edit else "")
        show_text(self.edit_note, _why_not_here(storage) if can_edit else "")
        self.plain_button.setVisible(can_edit and storage.is_turned)
        show_text(self.counts, _counted(state) if state.labels else "")
        show_text(self.saved, _saved(storage) if state.labels else "")
        mark(self.saved, "inkWarning" if storage.problem or storage.held_by or storage.warnings else "inkSmall")

    def _actions(self, title: str, *actions: tuple[str, str], columns: int) -> QWidget:
        box, grid = _grid()
        if title:
            grid.addWidget(QLabel(title), 0, 0, -1, 1)
        for place, (name, text) in enumerate(actions):
            made = button(text, f"{TITLES[name]} (key {shown_key(name)})")
            # Without the focus on the button, keys continue to go to the canvas.
            made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            made.clicked.connect(lambda _=False, name=name: self.action_requested.emit(name))
            self.actions_of[name] = made
            grid.addWidget(made, place // columns, 1 + place % columns)
            grid.setColumnStretch(1 + place % columns, 1)
        return box

    def _tool_rows(self) -> QWidget:
        box, grid = _grid()
        line = 0
        for title, tools in _TOOLS.items():
            grid.addWidget(QLabel(title), line, 0)
            for place, tool in enumerate(tools):
                row, column = divmod(place, _COLUMNS)
                grid.addWidget(self._tool_button(*tool), line + row, column + 1)
                grid.setColumnStretch(column + 1, 1)
            line += -(-len(tools) // _COLUMNS)
        return box

    def _tool_button(self, tool: Tool, text: str) -> QPushButton:
        has_action = tool.action in TITLES
        key = shown_key(tool.action) if has_action else ""
        tip = TITLES[tool.action] if has_action else _ERASER_TIPS[tool]
        made = button(f"{text} ({key})" if key else text, f"{tip} (key {key})" if key else tip)
        made.setCheckable(True)
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
            "You have edited these labels. Replace them with the prediction at the current thresholds? "
            "Undo restores your labels.",
            parent=self,
        )
        replace = asked.addButton("Replace", QMessageBox.ButtonRole.DestructiveRole)
        keep = asked.addButton("Keep my labels", QMessageBox.ButtonRole.RejectRole)
        asked.setDefaultButton(keep)
        asked.exec()
        return asked.clickedButton() is replace


def _grid() -> tuple[QWidget, QGridLayout]:
    box = QWidget()
    grid = QGridLayout(box)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setSpacing(4)
    return box, grid


def _show_change(one: QPushButton, text: str, name: str) -> None:
    one.setEnabled(bool(name))
    one.setToolTip(f"{text}: {name} (key {shown_key(text.lower())})" if name else f"There is nothing to {text.lower()}")


def _why_not_here(storage: StorageStatus) -> str:
    if storage.is_turned:
        return _TURNED
    if storage.hidden:
        return _HIDDEN.format(" and ".join(storage.hidden), shown_key("blink_labels"))
    return _PARTIAL if storage.is_partial else ""


def _saved(storage: StorageStatus) -> str:
    return " ".join((*storage.warnings, _saved_where(storage)))


def _saved_where(storage: StorageStatus) -> str:
    if storage.held_by:
        return f"Read only: {storage.held_by} has these labels open; close them there to edit them here."
    if storage.problem:
        return storage.problem
    where = storage.project.name if storage.project is not None else ""
    return f"All saved in {where}." if storage.is_saved else f"Saving in {where}…"


def _counted(state: InkState) -> str:
    counts = state.counts
    shown = {"Ink": counts.ink, "papyrus": counts.papyrus, "edges": counts.edge, "no edge": counts.not_edge}
    return " · ".join(f"{name} {pixels:,}".replace(",", "\u202f") for name, pixels in shown.items())
