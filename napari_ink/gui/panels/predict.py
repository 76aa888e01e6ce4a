"""Step 2, Predict: choose a model, a device and an area; run, watch, stop; move the thresholds."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from napari_ink.gui.models import ModelEntry
from napari_ink.gui.panels.step import StepPanel, button, paragraph, show_text
from napari_ink.gui.panels.threshold import ThresholdRow
from napari_ink.gui.state import InkState, RunProgress, Step, time_left
from napari_ink.gui.style import EDGE_CSS, INK_CSS
from napari_ink.model import MODEL_SUFFIXES

_HINT = "Let a model mark where ink and its edges may be. The result appears while it is computed."
_NO_MODEL = "No model comes with this installation: choose a checkpoint with the … button."
_DEVICES = {"Automatic": "auto", "CPU": "cpu", "NVIDIA GPU (CUDA)": "cuda", "Apple GPU (MPS)": "mps"}
_AREAS = {"Whole segment": "whole", "Visible region": "visible"}


class PredictPanel(StepPanel):
    """Run a model; emits what is asked for, and shows how far it is.

    Parameters
    ----------
    models
        The models on offer, the default one first.
    """

    run_requested = Signal(object, str, str, bool)
    cancel_requested = Signal()
    model_chosen = Signal(object)
    model_file_requested = Signal(object)
    threshold_changed = Signal(str, float)

    def __init__(self, models: tuple[ModelEntry, ...]) -> None:
        super().__init__(Step.PREDICT, _HINT)
        self._models: list[ModelEntry] = []
        self.model_box, self.device_box, self.area_box = QComboBox(), QComboBox(), QComboBox()
        self.mask_box = QCheckBox("Only where there is papyrus")
        self.run_button = button("Run prediction", "Predict ink and edges with the chosen model", primary=True)
        self.cancel_button = button("Cancel", "Stop after the batch in hand; what is done is kept")
        self.progress = QProgressBar()
        self.status, self.about = paragraph(), paragraph()
        self.ink_threshold = ThresholdRow("Ink", INK_CSS, "ink")
        self.edge_threshold = ThresholdRow("Edges", EDGE_CSS, "edges")
        self.thresholds = self._threshold_rows()
        self._lay_out()
        self._connect()
        for model in models:
            self.add_model(model, choose=False)

    def add_model(self, model: ModelEntry, choose: bool = True) -> None:
        """Offer one more model, and choose it."""
        names = [known.name_or_path for known in self._models]
        if model.name_or_path not in names:
            self._models.append(model)
            self.model_box.addItem(model.title)
            self.model_box.setItemData(self.model_box.count() - 1, model.about, Qt.ItemDataRole.ToolTipRole)
        if choose:
            self.model_box.setCurrentIndex([known.name_or_path for known in self._models].index(model.name_or_path))

    def model(self) -> ModelEntry | None:
        """Return the chosen model."""
        index = self.model_box.currentIndex()
        return self._models[index] if 0 <= index < len(self._models) else None

    def show_state(self, state: InkState) -> None:
        """Show the settings, the run under way, or what came of it."""
        super().show_state(state)
        is_idle = state.run is None
        model = self.model()
        for widget in (self.model_box, self.file_button, self.device_box, self.area_box):
            widget.setEnabled(is_idle)
        self.mask_box.setEnabled(is_idle and state.mask is not None)
        self.mask_box.setVisible(state.mask is not None)
        self.mask_box.setToolTip(f"Uses {state.mask}")
        self.run_button.setVisible(is_idle)
        self.run_button.setEnabled(model is not None and not state.busy)
        self.run_button.setText("Run again" if state.has_prediction else "Run prediction")
        self.cancel_button.setVisible(not is_idle)
        self.cancel_button.setEnabled(state.run is not None and not state.run.cancelling)
        self._render_progress(state.run)
        show_text(self.status, _progress_text(state.run) or ("" if model else _NO_MODEL))
        kept = f"Kept in {state.prediction.name}." if state.prediction else ""
        show_text(self.about, " ".join(filter(None, (state.outcome, state.device_line, *state.notes, kept))))
        self.about.setToolTip(f"Kept in {state.prediction}" if state.prediction else "")
        self.thresholds.setVisible(state.has_prediction)
        self.ink_threshold.show_value(state.ink_threshold)
        self.edge_threshold.show_value(state.edge_threshold)

    def _render_progress(self, run: RunProgress | None) -> None:
        self.progress.setVisible(run is not None)
        if run is not None:
            self.progress.setRange(0, run.total)
            self.progress.setValue(run.done)

    def _lay_out(self) -> None:
        self.file_button = QToolButton()
        self.file_button.setText("…")
        self.file_button.setToolTip("Choose a model file: a checkpoint, TorchScript or ONNX")
        for box in (self.model_box, self.device_box, self.area_box):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.model_box.setToolTip("The model that predicts; it says what it reads when it runs")
        self.device_box.setToolTip("Automatic takes an NVIDIA GPU if there is one, then an Apple GPU, then the CPU")
        self.device_box.addItems(list(_DEVICES))
        self.area_box.setToolTip("The visible region is what you see of the segment now: zoom in for a quick try")
        self.area_box.addItems(list(_AREAS))
        self.mask_box.setChecked(True)
        model_row = QHBoxLayout()
        model_row.addWidget(self.model_box, 1)
        model_row.addWidget(self.file_button)
        form = QFormLayout()
        form.setSpacing(6)
        form.addRow("Model", model_row)
        form.addRow("Device", self.device_box)
        form.addRow("Area", self.area_box)
        form.addRow("", self.mask_box)
        self.rows.addLayout(form)
        for widget in (self.run_button, self.progress, self.cancel_button):
            self.rows.addWidget(widget)
        for label in (self.status, self.about):
            self.rows.addWidget(label)
        self.rows.addWidget(self.thresholds)

    def _threshold_rows(self) -> QWidget:
        box = QWidget()
        rows = QFormLayout(box)
        rows.setContentsMargins(0, 4, 0, 0)
        title = QLabel("Show what is at least this probable")
        title.setObjectName("inkStrong")
        rows.addRow(title)
        for row in (self.ink_threshold, self.edge_threshold):
            rows.addRow(row)
        return box

    def _connect(self) -> None:
        self.run_button.clicked.connect(self._on_run)
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.file_button.clicked.connect(self._on_file)
        self.model_box.currentIndexChanged.connect(self._on_model)
        self.ink_threshold.changed.connect(lambda value: self.threshold_changed.emit("ink", value))
        self.edge_threshold.changed.connect(lambda value: self.threshold_changed.emit("edge", value))

    def _on_run(self) -> None:
        if (model := self.model()) is not None:
            device, area = _DEVICES[self.device_box.currentText()], _AREAS[self.area_box.currentText()]
            self.run_requested.emit(model, device, area, self.mask_box.isChecked() and self.mask_box.isEnabled())

    def _on_file(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in MODEL_SUFFIXES)
        chosen, _ = QFileDialog.getOpenFileName(self, "Choose a model", filter=f"Models ({kinds})")
        if chosen:
            self.model_file_requested.emit(Path(chosen))

    def _on_model(self) -> None:
        if (model := self.model()) is not None:
            self.model_chosen.emit(model)


def _progress_text(run: RunProgress | None) -> str:
    if run is None:
        return ""
    if run.cancelling:
        return "Stopping after this batch…"
    if not run.total:
        return "Getting the model ready…"
    left = "" if run.seconds_left is None else f", {time_left(run.seconds_left)} left"
    return f"Tile {run.done} of {run.total}{left}"
