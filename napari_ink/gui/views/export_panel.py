"""Step Export: masks and labels of exactly the stack's height and width, and figures."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QSizePolicy

from napari_ink.export import FORMATS
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.views.step_panel import StepPanel, button, paragraph, show_text

_HINT = "Save masks or labels in the exact size of the stack, in common formats."
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
    "White where pixels are reviewed: ink or papyrus",
)
_FROMS = {"My labels": "labels", "Prediction, as shown": "prediction"}
_FORMATS: dict[str, str] = {form.name: form.suffixes[0] for form in FORMATS}
_MASKS_ONLY: set[str] = {form.name for form in FORMATS if form.masks_only}
_VILLA = "Training Zarr (villa)"
_KINDS = {"ink": "inklabels", "supervision": "supervision_mask"}


class ExportPanel(StepPanel):
    """Panel of the step Export.

    Emits `export_requested` with kind, source and path, and `figure_requested` with source and path.
    """

    export_requested = Signal(str, str, object)
    figure_requested = Signal(str, object)

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
        self.from_box.setToolTip("Your labels, or the prediction at its thresholds")
        self.export_button = button("Export…", "Choose a name and save the image", primary=True)
        self.figure_button = button("Figure…", "Save a picture of the visible region with ink, edges and a scale bar")
        self.folder_button = button("Show in folder", "Open the folder of the exported file")
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
        for widget in (self.figure_button, self.why, self.saved, self.folder_button):
            self.rows.addWidget(widget)
        self.export_button.clicked.connect(self._on_export)
        self.figure_button.clicked.connect(self._on_figure)
        self.folder_button.clicked.connect(self._on_folder)
        for box in (self.what_box, self.from_box, self.format_box):
            box.currentIndexChanged.connect(lambda: self.show_state(self._state))

    def show_state(self, state: InkState) -> None:
        """Enable what can be exported, and show the path of the last export."""
        super().show_state(state)
        self._state = state
        # The source follows the labels only when they appear or disappear; in between, the user's choice stays.
        if state.labels != self._had_labels:
            self._had_labels = state.labels
            self.from_box.setCurrentIndex(0 if state.labels else 1)
        why = self._why_not(state)
        self.export_button.setEnabled(not why and not state.busy)
        show_text(self.why, why)
        self.figure_button.setEnabled(not state.busy and (state.labels or state.has_prediction))
        show_text(self.saved, f"Saved {state.exported}" if state.exported else "")
        self.folder_button.setVisible(bool(state.exported))

    def _why_not(self, state: InkState) -> str:
        what, source = _WHATS[self.what_box.currentText()][0], _FROMS[self.from_box.currentText()]
        form = self.format_box.currentText()
        if what == "labels" and form in _MASKS_ONLY:
            return f"{form} holds one mask; choose a mask, or another format."
        if form == _VILLA and what not in _KINDS:
            return f"{form} can hold ink and supervision masks only; choose one of these, or another format."
        if source == "labels":
            return "" if state.labels else "There are no labels yet; make the prediction editable in the step Correct."
        if what in ("labels", "supervision"):
            return "A prediction has no labels; choose “My labels”."
        if state.run is not None:
            return "Wait for the prediction, or cancel it."
        return "" if state.has_prediction else "There is no prediction yet; run one in the step Predict."

    def _on_export(self) -> None:
        what, suffix_name = _WHATS[self.what_box.currentText()]
        form = self.format_box.currentText()
        suffix = _FORMATS[form]
        stack = self._state.stack
        if stack is None:
            return
        if form == _VILLA:  # the name tells the two kinds of .zarr apart
            suffix_name = _KINDS[what]
        chosen = self._ask("Export", f"{stack.name}_{suffix_name}{suffix}", f"{form} (*{suffix})")
        if chosen is not None:
            named = chosen if chosen.suffix else chosen.with_suffix(suffix)
            self.export_requested.emit(what, _FROMS[self.from_box.currentText()], named)

    def _on_figure(self) -> None:
        stack = self._state.stack
        if stack is None:
            return
        chosen = self._ask("Save figure", f"{stack.name}_figure.png", "Figures (*.png *.svg *.pdf)")
        if chosen is not None:
            named = chosen if chosen.suffix else chosen.with_suffix(".png")
            self.figure_requested.emit(_FROMS[self.from_box.currentText()], named)

    def _on_folder(self) -> None:
        if self._state.exported:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(self._state.exported).parent)))

    def _ask(self, title: str, name: str, kinds: str) -> Path | None:
        chosen, _ = QFileDialog.getSaveFileName(self, title, str(Path.home() / name), kinds)
        return Path(chosen) if chosen else None
