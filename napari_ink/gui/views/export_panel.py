"""Step Export: masks and labels of exactly the stack's height and width, and figures."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices, QShowEvent
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QSizePolicy, QSpinBox

from napari_ink.export import FORMATS
from napari_ink.gui.models.state import FigureSettings, InkState, Step
from napari_ink.gui.models.words import count_text, size_text
from napari_ink.gui.views.files import ask_where_to_save
from napari_ink.gui.views.section import row
from napari_ink.gui.views.step_panel import Lines, StepPanel, button
from napari_ink.stack import DepthStack

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

    Emits `export_requested` with kind, source and path, `figure_requested` with source, path and settings,
    `copy_requested` with source and settings, and `count_requested` with what to count in the prediction.
    """

    export_requested = Signal(str, str, object)
    figure_requested = Signal(str, object, object)
    copy_requested = Signal(str, object)
    count_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__(Step.EXPORT, _HINT)
        self._state = InkState()
        self._asked: tuple[Path | None, str, float] | None = None
        self._had_labels: bool | None = None
        self.what_box, self.from_box, self.format_box = QComboBox(), QComboBox(), QComboBox()
        for box, items in ((self.what_box, _WHATS), (self.from_box, _FROMS), (self.format_box, _FORMATS)):
            box.addItems(list(items))
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for index, tip in enumerate(_TIPS):
            self.what_box.setItemData(index, tip, 3)  # Qt.ItemDataRole.ToolTipRole
        self.from_box.setToolTip("Your labels, or the prediction at its thresholds")
        self.export_button = button("Export…", "Choose a name and save the image", primary=True)
        self.figure_button = button("Save figure…", "Save the visible region with ink, edges and a scale bar")
        self.copy_button = button("Copy picture", "Copy the same picture to the clipboard")
        self.folder_button = button("Show in folder", "Open the folder of the exported file")
        self.pixels_box, self.dpi_box, self.bar_box = QSpinBox(), QSpinBox(), QDoubleSpinBox()
        self.summary, self.saved = Lines(3), Lines(2)
        self._lay_out()
        self.export_button.clicked.connect(self._on_export)
        self.figure_button.clicked.connect(self._on_figure)
        self.folder_button.clicked.connect(self._on_folder)
        self.copy_button.clicked.connect(lambda: self.copy_requested.emit(self._source(), self.figure_settings()))
        for box in (self.what_box, self.from_box, self.format_box):
            box.currentIndexChanged.connect(lambda: self.show_state(self._state))

    def showEvent(self, a0: QShowEvent | None) -> None:  # noqa: N802
        """Count the pixels that would be exported once the step is open."""
        super().showEvent(a0)
        self.show_state(self._state)

    def figure_settings(self) -> FigureSettings:
        """Return the settings of a figure."""
        bar = self.bar_box.value()
        return FigureSettings(self.pixels_box.value(), self.dpi_box.value(), bar if bar > 0 else None)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setSpacing(6)
        form.addRow("What", self.what_box)
        form.addRow("From", self.from_box)
        form.addRow("Format", row(self.format_box, self.export_button))
        self.rows.addLayout(form)
        self.rows.addWidget(self.summary)
        title = QLabel("Figure of the visible region")
        title.setObjectName("inkStrong")
        self.rows.addWidget(title)
        for number, lowest, highest, value, suffix, tip in (
            (
                self.pixels_box,
                200,
                20000,
                FigureSettings().least_px,
                " px",
                "Least length of the longer side",
            ),
            (self.dpi_box, 50, 1200, FigureSettings().dpi, " dpi", "Resolution that the file records"),
            (self.bar_box, 0, 1000, 0, " mm", "Length of the scale bar"),
        ):
            number.setRange(lowest, highest)
            number.setValue(value)
            number.setSuffix(suffix)
            number.setToolTip(tip)
            number.setKeyboardTracking(False)
        self.bar_box.setSingleStep(0.5)
        self.bar_box.setSpecialValueText("automatic")
        figure = QFormLayout()
        figure.setSpacing(6)
        figure.addRow("Size", self.pixels_box)
        figure.addRow("Resolution", self.dpi_box)
        figure.addRow("Scale bar", self.bar_box)
        self.rows.addLayout(figure)
        self.rows.addLayout(row(self.figure_button, self.copy_button))
        for widget in (self.saved, self.folder_button):
            self.rows.addWidget(widget)

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
        self.summary.show_text(why or self._summary(state))
        for one in (self.figure_button, self.copy_button):
            one.setEnabled(not state.busy and (state.labels or state.has_prediction))
        self.bar_box.setEnabled(state.stack is not None and state.stack.voxel_size_um is not None)
        self.saved.show_text(f"Saved {state.exported}" if state.exported else "")
        self.folder_button.setEnabled(bool(state.exported))

    def _summary(self, state: InkState) -> str:
        """Return name, size and number of pixels of the file that would be written."""
        if state.stack is None:
            return ""
        height, width = state.stack.shape[1:]
        name, count = self._name(state.stack), self._count(state)
        return f"{name}: {size_text(height, width)}{_counted_text(count, self._counted(), height * width)}"

    def _counted(self) -> str:
        return "edges" if self._what() == "edges" else "ink"

    def _count(self, state: InkState) -> int | None:
        """Return the number of pixels of ink or edges; None while they are counted."""
        if self._source() == "labels":
            return state.counts.edge if self._counted() == "edges" else state.counts.ink
        what = self._counted()
        key = state.prediction, what, state.ink_threshold if what == "ink" else state.edge_threshold
        if state.predicted_count is not None and state.predicted_count[:3] == key:
            return state.predicted_count[3]
        if state.run is not None:
            self._asked = None
        elif self.isVisible() and key != self._asked:
            self._asked = key
            self.count_requested.emit(what)
        return None

    def _what(self) -> str:
        return _WHATS[self.what_box.currentText()][0]

    def _source(self) -> str:
        return _FROMS[self.from_box.currentText()]

    def _name(self, stack: DepthStack) -> str:
        form, (what, suffix_name) = self.format_box.currentText(), _WHATS[self.what_box.currentText()]
        # The name tells the two kinds of training .zarr apart.
        return f"{stack.name}_{_KINDS[what] if form == _VILLA else suffix_name}{_FORMATS[form]}"

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
        form, stack = self.format_box.currentText(), self._state.stack
        if stack is None:
            return
        suffix = _FORMATS[form]
        chosen = ask_where_to_save(self, "export", "Export", self._name(stack), f"{form} (*{suffix})", stack)
        if chosen is not None:
            named = chosen if chosen.suffix else chosen.with_suffix(suffix)
            self.export_requested.emit(self._what(), self._source(), named)

    def _on_figure(self) -> None:
        if (stack := self._state.stack) is None:
            return
        kinds = "Figures (*.png *.svg *.pdf)"
        chosen = ask_where_to_save(self, "figure", "Save figure", f"{stack.name}_figure.png", kinds, stack)
        if chosen is not None:
            named = chosen if chosen.suffix else chosen.with_suffix(".png")
            self.figure_requested.emit(self._source(), named, self.figure_settings())

    def _on_folder(self) -> None:
        if self._state.exported:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(self._state.exported).parent)))


def _counted_text(count: int | None, what: str, whole: int) -> str:
    if count is None:
        return ". Counting the pixels…"
    return f", {count_text(count)} pixels of {what} ({count / whole:.1%})."
