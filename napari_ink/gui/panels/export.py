"""Step 4, Export: write masks as images of exactly the stack's height and width."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QSizePolicy

from napari_ink.gui.panels.step import StepPanel, button, paragraph, show_text
from napari_ink.gui.state import InkState, Step

_HINT = "Save masks as images of exactly the stack's height and width."
_WHATS = {
    "Ink mask": ("ink", "ink"),
    "Edge mask": ("edges", "edges"),
    "Ink labels (0, 1, 2)": ("labels", "labels"),
    "Supervision mask": ("supervision", "supervision_mask"),
}
_TIPS = (
    "White where there is ink, black elsewhere",
    "White where there is an edge, black elsewhere",
    "0 unreviewed, 1 papyrus, 2 ink",
    "White where somebody has looked: ink or papyrus",
)
_FROMS = {"My labels": "labels", "The prediction, as shown": "prediction"}
_FORMATS = {"PNG": ".png", "TIFF": ".tif"}


class ExportPanel(StepPanel):
    """Save a mask; emits `export_requested` with what, from where, and the path."""

    export_requested = Signal(str, str, object)

    def __init__(self) -> None:
        super().__init__(Step.EXPORT, _HINT)
        self._state = InkState()
        self._had_labels: bool | None = None
        self.what_box, self.from_box, self.format_box = QComboBox(), QComboBox(), QComboBox()
        for box, items in ((self.what_box, _WHATS), (self.from_box, _FROMS), (self.format_box, _FORMATS)):
            box.addItems(list(items))
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for index, tip in enumerate(_TIPS):
            self.what_box.setItemData(index, tip, 3)  # Qt.ItemDataRole.ToolTipRole
        self.from_box.setToolTip("Your labels, or the prediction cut at the thresholds of step 2")
        self.export_button = button("Export…", "Choose a name and save the image", primary=True)
        self.why, self.saved = paragraph(), paragraph()
        form = QFormLayout()
        form.setSpacing(6)
        form.addRow("What", self.what_box)
        form.addRow("From", self.from_box)
        last = QHBoxLayout()
        last.addWidget(self.format_box, 1)
        last.addWidget(self.export_button, 1)
        form.addRow("Format", last)
        self.rows.addLayout(form)
        for label in (self.why, self.saved):
            self.rows.addWidget(label)
        self.export_button.clicked.connect(self._on_export)
        for box in (self.what_box, self.from_box):
            box.currentIndexChanged.connect(lambda: self.show_state(self._state))

    def show_state(self, state: InkState) -> None:
        """Offer what there is, and show where the last image went."""
        super().show_state(state)
        self._state = state
        if state.labels != self._had_labels:
            self._had_labels = state.labels
            self.from_box.setCurrentIndex(0 if state.labels else 1)
        why = self._why_not(state)
        self.export_button.setEnabled(not why and not state.busy)
        show_text(self.why, why)
        show_text(self.saved, f"Saved {state.exported}" if state.exported else "")

    def _why_not(self, state: InkState) -> str:
        what, source = _WHATS[self.what_box.currentText()][0], _FROMS[self.from_box.currentText()]
        if source == "labels":
            return "" if state.labels else "There are no labels yet: make the prediction editable in step 3."
        if what in ("labels", "supervision"):
            return "A prediction has no labels: choose “My labels”."
        if state.run is not None:
            return "Wait for the prediction, or cancel it."
        return "" if state.has_prediction else "There is no prediction yet: run one in step 2."

    def _on_export(self) -> None:
        what, suffix_name = _WHATS[self.what_box.currentText()]
        suffix = _FORMATS[self.format_box.currentText()]
        stack = self._state.stack
        if stack is None:
            return
        suggested = Path.home() / f"{stack.name}_{suffix_name}{suffix}"
        chosen, _ = QFileDialog.getSaveFileName(self, "Export", str(suggested), f"Image (*{suffix})")
        if chosen:
            path = Path(chosen)
            named = path if path.suffix else path.with_suffix(suffix)
            self.export_requested.emit(what, _FROMS[self.from_box.currentText()], named)
