"""Comparison of the labels with the prediction, or with a saved version of the labels."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject, Signal
from superqt.utils import QSignalDebouncer

from napari_ink.annotation import LabelValue
from napari_ink.gui.models.palette import ONLY_FIRST_RGB, ONLY_SECOND_RGB
from napari_ink.typing import UInt8Array

if TYPE_CHECKING:
    from napari_ink.annotation import Annotation
    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.jobs.worker import JobFailed
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.region import Region

ReadMask = Callable[["Region"], npt.NDArray[np.bool_]]
_JOB = "comparison"
ONLY_LABELS, ONLY_OTHER = 1, 2
_SETTLE_MS = 400
_COLOURS: dict[int | None, tuple[float, ...]] = {
    0: (0, 0, 0, 0),
    ONLY_LABELS: (*ONLY_FIRST_RGB, 0.85),
    ONLY_OTHER: (*ONLY_SECOND_RGB, 0.85),
    None: (0, 0, 0, 0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Differences in a part of the segment, uint8 ``(y, x)``: `ONLY_LABELS`, `ONLY_OTHER` or 0."""

    window: Region
    values: UInt8Array


class CompareController(QObject):
    """Controller that shows differences in the edit window, and updates them after each edit.

    Parameters
    ----------
    layers, labels, jobs
        Layers of the viewer, controller of the labels, and runner of background jobs.

    Attributes
    ----------
    against : str
        What the labels are compared with: ``prediction`` or the name of a version; empty without a comparison.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(
        self, layers: LayerManager, labels: LabelsController, jobs: JobRunner, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._layers, self._labels, self._jobs = layers, labels, jobs
        self.against = ""
        self._other: ReadMask | None = None
        self._again = QSignalDebouncer(parent=self)
        self._again.setTimeout(_SETTLE_MS)
        self._again.triggered.connect(self._compare)
        labels.edited.connect(lambda _: self._again.throttle() if self._other else None)
        layers.viewport.settled.connect(lambda: self._again.throttle() if self._other else None)

    def toggle_prediction(self) -> None:
        """Show the differences between labels and prediction, or hide them if they are shown."""
        if self.against == "prediction":
            self.end()
            return
        overlay = self._layers.overlay
        if overlay is None:
            self.failed.emit("There is no prediction to compare the labels with; run one in the step Predict.")
            return
        # Read now, since layers must not be read from the worker thread.
        plane, level = overlay.probabilities("ink"), overlay.level("ink")
        self._begin("prediction", lambda part: plane[part.y0 : part.y1, part.x0 : part.x1] >= level)

    def compare_version(self, name: str) -> None:
        """Show the differences between the labels and a version; an empty name hides them."""
        project = self._labels.project
        if project is None or not name:
            self.end()
            return

        def read(part: Region) -> npt.NDArray[np.bool_]:
            then = project.versions.plane(name, "ink", (part.y0, part.y1), (part.x0, part.x1))
            return np.asarray(then == LabelValue.INK)

        self._begin(name, read)

    def end(self) -> None:
        """End the comparison, and remove its layer."""
        self.against, self._other = "", None
        self._jobs.cancel(_JOB)
        self._layers.remove_auxiliary("difference")
        self.changed.emit()

    def release(self) -> None:
        """Cancel a running comparison, without emitting anything."""
        self._other = None
        self._jobs.cancel(_JOB)

    def _begin(self, against: str, other: ReadMask) -> None:
        self.against, self._other = against, other
        self.changed.emit()
        self._compare()

    def _window(self) -> Region | None:
        return self._layers.viewport.visible_region() if self._layers.editable is None else self._layers.editable.window

    def _compare(self) -> None:
        annotation, other, window = self._labels.annotation, self._other, self._window()
        if annotation is None or other is None or window is None:
            return
        comparison = _compare(annotation, window, other, self.against == "prediction")
        self._jobs.run(_JOB, comparison, self._show, on_failure=self._on_failure)

    def _on_failure(self, failure: JobFailed) -> None:
        self.failed.emit(failure.message)
        self.end()

    def _show(self, event: Compared) -> None:
        # Reusing the layer keeps the opacity and the place in the list that the user gave it.
        layer = self._layers.auxiliary("difference")
        if layer is not None and layer.data.shape == event.values.shape:
            layer.data[:] = event.values
            layer.translate = (event.window.y0, event.window.x0)
            layer.refresh(extent=False, highlight=False)
            return
        layer = Labels(event.values, name="Difference", colormap=DirectLabelColormap(color_dict=_COLOURS), opacity=1.0)
        layer.translate = (event.window.y0, event.window.x0)
        layer.editable = False
        self._layers.show_auxiliary("difference", layer)


def _compare(
    annotation: Annotation, window: Region, other: ReadMask, reviewed_only: bool
) -> Generator[Compared, None, None]:
    labels = annotation.read("ink", (window.y0, window.y1), (window.x0, window.x1))
    there = other(window)
    values = np.zeros(labels.shape, np.uint8)
    values[(labels == LabelValue.INK) & ~there] = ONLY_LABELS
    # Unreviewed pixels do not contradict a prediction, but they do differ from a version in which they were ink.
    values[there & ((labels == LabelValue.PAPYRUS) if reviewed_only else (labels != LabelValue.INK))] = ONLY_OTHER
    yield Compared(window, values)
