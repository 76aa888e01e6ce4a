"""Step Predict: choose model, device and area, run, and set the thresholds."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from napari_ink.gui.models.prediction import ModelEntry, RunSettings, Where
from napari_ink.gui.models.predictions import title
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.status import RunProgress
from napari_ink.gui.models.words import left_text
from napari_ink.gui.preferences import colour, preferred_device
from napari_ink.gui.views.doubts import Doubts
from napari_ink.gui.views.files import ask_for_file
from napari_ink.gui.views.grey_range_section import GreyRangeBox
from napari_ink.gui.views.models_dialog import ModelsDialog
from napari_ink.gui.views.predictions_list import PredictionsList
from napari_ink.gui.views.section import Section, row
from napari_ink.gui.views.step_panel import Lines, StepPanel, button
from napari_ink.gui.views.widgets import OffsetBox, ThresholdRow
from napari_ink.model import MODEL_SUFFIXES, Direction
from napari_ink.predict import DeviceName, PrecisionName, TestTimeAugmentation
from napari_ink.stack import DepthStack

_HINT = "Predict ink and edges with a model. The result appears while it is computed."
_WHILE_IT_RUNS = (
    "Fixed during a run; cancel it to change this. Direction, offset, grey range and regions can be changed"
)
_RUN = "Predict ink and edges with the chosen model"
_RUN_AGAIN = f"{_RUN}; the earlier predictions stay in the list below"
_NO_MODEL = "No model comes with this installation: choose a checkpoint with the … button."
_DEVICES: dict[str, DeviceName] = {
    "Automatic": "auto",
    "CPU": "cpu",
    "NVIDIA GPU (CUDA)": "cuda",
    "Apple GPU (MPS)": "mps",
}
_AREAS: dict[str, Where] = {"Whole segment": "whole", "Visible region": "visible", "Region of interest": "roi"}
_ABOUT_LINES, _DOUBT_LINES, _SPACING = 3, 4, 6
_BOTH = "Both, one after the other"
_DIRECTIONS: dict[str, Direction | None] = {
    "Model default": None,
    "As stored": "as stored",
    "Reversed": "reversed",
    _BOTH: None,
}
_VIEWS: dict[str, tuple[TestTimeAugmentation, ...]] = {
    "None": (),
    "Flips (4 × the time)": ("flips",),
    "Flips and rotations (8 ×)": ("flips", "rotations"),
    "Flips, rotations and depth (24 ×)": ("flips", "rotations", "depth"),
}
_MEANS: dict[str, tuple[int, int] | None] = {
    "By voxel size": None,
    "Off": (1, 1),
    **{f"Means of {n} × {n} × {n} voxels": (n, n) for n in (2, 3, 4, 8)},
}
_PRECISIONS: dict[str, PrecisionName] = {"Full (float32)": "float32", "Fast (bfloat16)": "fast"}


class PredictPanel(StepPanel):
    """Panel of the step Predict, which emits requests and shows the progress.

    Parameters
    ----------
    models
        Models to choose from, the default one first.
    """

    run_requested = Signal(object)
    settings_changed = Signal(object)
    continue_requested = Signal()
    pause_requested = Signal()
    cancel_requested = Signal()
    roi_requested = Signal()
    model_chosen = Signal(object)
    model_file_requested = Signal(object)
    threshold_changed = Signal(str, float)

    def __init__(self, models: tuple[ModelEntry, ...]) -> None:
        super().__init__(Step.PREDICT, _HINT)
        self._models: list[ModelEntry] = []
        self._tips: dict[QWidget, str] = {}
        self._stack: DepthStack | None = None
        self._greys: tuple[DepthStack | None, tuple[int, int] | None] = (None, None)
        self.model_box, self.device_box, self.area_box = QComboBox(), QComboBox(), QComboBox()
        self.mask_box = QCheckBox("Mask")
        self.run_button = button("Run prediction", _RUN, primary=True)
        self.continue_button = button("Continue", "Resume the prediction that was stopped")
        self.pause_button = button("Pause", "Wait after the current batch, with the model in memory")
        self.cancel_button = button("Cancel", "Stop after the current batch; finished tiles are kept")
        self.more = Section("More settings")
        self.direction_box, self.views_box, self.offset_box = QComboBox(), QComboBox(), OffsetBox()
        self.grey_box, self.precision_box, self.resample_box = GreyRangeBox(), QComboBox(), QComboBox()
        self._has_mask, self._why_not = False, ""
        self.about = Lines(_ABOUT_LINES)
        self.doubts = Doubts(_DOUBT_LINES)
        self.ink_threshold = ThresholdRow("Ink", colour("predicted_ink"), "ink")
        self.edge_threshold = ThresholdRow("Edges", colour("predicted_edges"), "edges")
        self.thresholds = self._threshold_rows()
        self.predictions = PredictionsList()
        self._lay_out()
        self._connect()
        for model in models:
            self.add_model(model, choose=False)
        self.choose_device(preferred_device())

    def add_model(self, model: ModelEntry, choose: bool = True) -> None:
        """Add a model to the list, unless it is there, and select it."""
        # Compared by path, not by title: two checkpoints may have the same title.
        names = [known.name_or_path for known in self._models]
        if model.name_or_path in names:
            index = names.index(model.name_or_path)
            self._models[index] = model  # a taught model may have been renamed
            self.model_box.setItemText(index, model.title)
        else:
            self._models.append(model)
            self.model_box.addItem(model.title)
            self.model_box.setItemData(self.model_box.count() - 1, model.about, Qt.ItemDataRole.ToolTipRole)
        if choose:
            self.model_box.setCurrentIndex([known.name_or_path for known in self._models].index(model.name_or_path))

    def model(self) -> ModelEntry | None:
        """Return the selected model; None if there is none."""
        index = self.model_box.currentIndex()
        return self._models[index] if 0 <= index < len(self._models) else None

    def settings(self) -> RunSettings | None:
        """Return the selected settings; None without a model."""
        if (model := self.model()) is None:
            return None
        return RunSettings(
            model=model,
            device=_DEVICES[self.device_box.currentText()],
            where=self._area(),
            use_mask=self.mask_box.isChecked() and self._has_mask,
            direction=_DIRECTIONS[self.direction_box.currentText()],
            both_directions=self.direction_box.currentText() == _BOTH,
            offset=self.offset_box.offset(),
            augment=_VIEWS[self.views_box.currentText()],
            grey_range=self.grey_box.grey_range(),
            precision=_PRECISIONS[self.precision_box.currentText()],
            resample=_MEANS[self.resample_box.currentText()],
        )

    def show_state(self, state: InkState) -> None:
        """Show the settings, the run, or its outcome."""
        super().show_state(state)
        is_idle = state.run is None
        model = self.model()
        # A run needs a new request for these; the other settings restart it by themselves.
        boxes = (self.model_box, self.device_box, self.area_box, self.views_box, self.precision_box)
        for widget in (*boxes, self.resample_box, self.file_button):
            widget.setEnabled(is_idle and not (widget is self.resample_box and (model is None or model.is_ours)))
            widget.setToolTip(self._tips.setdefault(widget, widget.toolTip()) if is_idle else _WHILE_IT_RUNS)
        self._has_mask = state.mask is not None
        self._grey_devices(dict(state.missing_devices))
        self.mask_box.setEnabled(is_idle and self._has_mask)
        where = f"Predict only inside the papyrus mask {state.mask}"
        self.mask_box.setToolTip(where if self._has_mask else "There is no papyrus mask beside the stack")
        # Run and Pause share one row, since only one of them can apply; so nothing else moves.
        self.run_button.setVisible(is_idle)
        self.run_button.setEnabled(model is not None and not state.busy and not state.why_no_prediction)
        self.run_button.setText("Run again" if state.has_prediction else "Run prediction")
        self.run_button.setToolTip(_RUN_AGAIN if state.has_prediction else _RUN)
        self.continue_button.setVisible(is_idle)
        self.continue_button.setEnabled(state.can_continue and not state.why_no_prediction)
        self.continue_button.setToolTip(_continue_tip(state))
        for stop in (self.pause_button, self.cancel_button):
            stop.setVisible(not is_idle)
            stop.setEnabled(state.run is not None and not state.run.cancelling)
        self.pause_button.setText("Resume" if state.run is not None and state.run.paused else "Pause")
        if self._stack is not state.stack:
            self._stack = state.stack
            self._fit_offset()
            if self._area() == "roi":  # the drawn regions belonged to the previous stack
                self.area_box.setCurrentIndex(0)
        # Only for another stack or suggestion: otherwise each render would reset what the user has typed.
        if self._greys != (greys := (state.stack, state.suggested_greys)):
            self._greys = greys
            top = 65535 if state.stack is None else int(np.iinfo(state.stack.dtype).max)
            self.grey_box.fit(top, state.suggested_greys)
        self._why_not = state.why_no_prediction or ("" if model else _NO_MODEL)
        self._show_doubts(state)
        self._show_about(state)
        self.thresholds.setEnabled(state.has_prediction)
        self.ink_threshold.show_value(state.ink_threshold)
        self.edge_threshold.show_value(state.edge_threshold)
        self.predictions.show_state(state)

    def set_compact(self, is_compact: bool) -> None:
        """Show fewer lines about the run and fewer predictions, or all of them."""
        super().set_compact(is_compact)
        self.doubts.set_count(1 if is_compact else _DOUBT_LINES)
        self._fit_about()
        self._thresholds_title.setVisible(not is_compact)
        for layout in (self._form, self._threshold_form):
            layout.setSpacing(_SPACING // 2 if is_compact else _SPACING)
        self.predictions.set_compact(is_compact)

    def choose_device(self, name: DeviceName) -> None:
        """Select a device."""
        self.device_box.setCurrentIndex(list(_DEVICES.values()).index(name))

    def _grey_devices(self, missing: dict[str, str]) -> None:
        """Disable devices that this machine does not have, with the reason in their tooltips."""
        items = self.device_box.model()
        for index, name in enumerate(_DEVICES.values()):
            item = items.item(index) if isinstance(items, QStandardItemModel) else None
            if item is not None:
                item.setEnabled(name not in missing)
                item.setToolTip(missing.get(name, ""))
                if name in missing and self.device_box.currentIndex() == index:
                    self.device_box.setCurrentIndex(0)

    def show_progress(self, run: RunProgress | None) -> None:
        """Show the progress of a run; its bar is in the status area."""
        if run is not None:
            self.about.show_text(_progress_text(run))

    def _show_doubts(self, state: InkState) -> None:
        """Show why the map may be wrong."""
        self.doubts.show_sentences(state.doubts)
        self._fit_about()

    def _fit_about(self) -> None:
        # Doubts take lines of what is said about the run, so that they are seen without scrolling.
        has_doubts = bool(self.doubts.shown)
        self.about.set_count(1 if self._is_compact or has_doubts else _ABOUT_LINES)
        # Why no prediction can be started is said nowhere else.
        self.about.setVisible(bool(self._why_not) or not (self._is_compact and has_doubts))

    def _show_about(self, state: InkState) -> None:
        """Show the progress of a run, else why none can be started, else what is known of the last one."""
        if state.run is not None:
            self.show_progress(state.run)
            return
        model = self.model()
        # Said before the run, too; its notes repeat it.
        told = () if model is None or state.notes else model.resampling_of(state.stack, self._means())
        kept = f"Stored in {state.prediction.name}." if state.prediction else ""
        sentences = (self._why_not, state.outcome, *told, *state.notes, state.device_line, kept)
        self.about.show_text(" ".join(filter(None, sentences)))

    def _lay_out(self) -> None:
        self.file_button, self.models_button = QToolButton(), QToolButton()
        self.file_button.setText("…")
        self.file_button.setToolTip("Choose a model file: a checkpoint, TorchScript or ONNX")
        self.models_button.setText("Models…")
        self.models_button.setToolTip("List models that others publish: where to get them, and what each reads")
        for box in (self.model_box, self.device_box, self.area_box):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.model_box.setToolTip("The model that predicts")
        self.device_box.setToolTip("Automatic uses an NVIDIA GPU if there is one, then an Apple GPU, then the CPU")
        self.device_box.addItems(list(_DEVICES))
        self.area_box.setToolTip(
            "The visible region is the part of the segment that you see now: zoom in for a quick try. "
            "A region of interest is drawn by you: rectangles, polygons, ellipses"
        )
        self.area_box.addItems(list(_AREAS))
        self.mask_box.setChecked(True)
        model_row = QHBoxLayout()
        model_row.addWidget(self.model_box, 1)
        model_row.addWidget(self.file_button)
        model_row.addWidget(self.models_button)
        form = self._form = QFormLayout()
        form.setSpacing(_SPACING)
        form.addRow("Model", model_row)
        area = row(self.area_box, self.mask_box)
        area.setStretch(0, 1)
        form.addRow("Area", area)
        self.rows.addLayout(form)
        self._lay_out_more()
        self.rows.addWidget(self.more)
        self.rows.addLayout(row(self.run_button, self.continue_button, self.pause_button, self.cancel_button))
        for widget in (self.thresholds, self.predictions, self.doubts, self.about):
            self.rows.addWidget(widget)

    def _lay_out_more(self) -> None:
        self.direction_box.addItems(list(_DIRECTIONS))
        self.direction_box.setToolTip(
            "Direction of reading along the depth; a running prediction restarts when you change it. Both makes two "
            "predictions, and says in which of them ink stands out better"
        )
        self.views_box.addItems(list(_VIEWS))
        self.views_box.setToolTip(
            "Average the predictions of several transformed copies of the stack. This takes that many times as long "
            "and adds a layer, hidden at first, that shows where the copies disagree"
        )
        self.precision_box.addItems(list(_PRECISIONS))
        self.precision_box.setToolTip(
            "Fast computes in bfloat16 where model and processor allow it. Maps are nearly the same"
        )
        self.resample_box.addItems(list(_MEANS))
        self.resample_box.setToolTip(
            "For models from elsewhere: read means of voxels if the stack's are smaller than those trained on. If the "
            "stack does not state its voxel size, choose a number"
        )
        form = QFormLayout()
        form.setSpacing(6)
        form.addRow("Device", self.device_box)
        form.addRow("Direction", self.direction_box)
        form.addRow("Offset", self.offset_box)
        form.addRow("Grey range", self.grey_box)
        form.addRow("Precision", self.precision_box)
        form.addRow("Resample", self.resample_box)
        form.addRow(QLabel("Test-time augmentation"))
        form.addRow(self.views_box)
        for box in (self.direction_box, self.views_box, self.precision_box, self.resample_box):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.more.rows.addLayout(form)

    def _threshold_rows(self) -> QWidget:
        box = QWidget()
        rows = self._threshold_form = QFormLayout(box)
        rows.setContentsMargins(0, 4, 0, 0)
        self._thresholds_title = QLabel("Thresholds")
        self._thresholds_title.setObjectName("inkStrong")
        rows.addRow(self._thresholds_title)
        for threshold in (self.ink_threshold, self.edge_threshold):
            rows.addRow(threshold)
        return box

    def _connect(self) -> None:
        self.run_button.clicked.connect(self.request_run)
        self.continue_button.clicked.connect(self.continue_requested)
        self.pause_button.clicked.connect(self.pause_requested)
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.area_box.currentTextChanged.connect(self._on_area)
        self.direction_box.currentTextChanged.connect(self._on_settings)
        self.offset_box.settled.connect(self._on_settings)
        self.grey_box.settled.connect(self._on_settings)
        self.resample_box.currentTextChanged.connect(self._fit_offset)
        self.file_button.clicked.connect(self._on_file)
        self.models_button.clicked.connect(self._on_models)
        self.model_box.currentIndexChanged.connect(self._on_model)
        self.ink_threshold.changed.connect(lambda value: self.threshold_changed.emit("ink", value))
        self.edge_threshold.changed.connect(lambda value: self.threshold_changed.emit("edge", value))

    def request_run(self) -> None:
        """Request a prediction with the selected settings."""
        if (settings := self.settings()) is not None:
            self.run_requested.emit(settings)

    def _on_settings(self) -> None:
        if (settings := self.settings()) is not None:
            self.settings_changed.emit(settings)

    def _on_area(self, area: str) -> None:
        if _AREAS[area] == "roi":
            self.roi_requested.emit()

    def _on_file(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in MODEL_SUFFIXES)
        chosen = ask_for_file(self, "model", "Choose a model", f"Models ({kinds})", self._stack)
        if chosen is not None:
            self.model_file_requested.emit(chosen)

    def _on_models(self) -> None:
        dialog = ModelsDialog(self)
        dialog.file_chosen.connect(self.model_file_requested)
        dialog.show()

    def _area(self) -> Where:
        return _AREAS[self.area_box.currentText()]

    def _means(self) -> tuple[int, int] | None:
        return _MEANS[self.resample_box.currentText()]

    def _fit_offset(self) -> None:
        model = self.model()
        self.offset_box.fit(
            None if model is None else model.contract_for(self._stack, self._means()),
            None if self._stack is None else self._stack.shape[0],
        )

    def _on_model(self) -> None:
        self._fit_offset()
        self.resample_box.setEnabled((model := self.model()) is not None and not model.is_ours)
        if (model := self.model()) is not None:
            self.model_chosen.emit(model)


def _continue_tip(state: InkState) -> str:
    """Return which prediction Continue resumes."""
    unfinished = state.predictions.row(state.predictions.to_continue)
    if unfinished is None:
        return "Resume the prediction that was stopped"
    return f"Resume {title(unfinished, state.predictions.rows)}, {unfinished.share} done"


def _progress_text(run: RunProgress) -> str:
    if run.cancelling:
        return "Stopping after this batch…"
    if run.paused:
        return f"Paused at tile {run.done} of {run.total}"
    if not run.total:
        return "Loading the model…"
    left = left_text(run.seconds_left)
    return f"Tile {run.done} of {run.total}{left}"
