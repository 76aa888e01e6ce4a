"""Comparison of the prediction in use with another one of the list."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_ink.gui.jobs.predictions import ComparisonOpened, compare_job
from napari_ink.gui.layers.prediction_comparison import PredictionComparison
from napari_ink.gui.models.state import Step

if TYPE_CHECKING:
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.typing import LabelKind

_JOB = "predictions to compare"


class PredictionCompareController(QObject):
    """Controller that shows where two predictions differ, and alternates between them.

    Parameters
    ----------
    store
        State of the window, with the prediction in use and the one that it is compared with.
    jobs
        Runner of background jobs.
    layers
        Layers of the viewer.
    """

    def __init__(self, store: StateStore, jobs: JobRunner, layers: LayerManager, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._jobs, self._layers = store, jobs, layers
        self._comparison: PredictionComparison | None = None
        self._first: Path | None = None
        store.changed.connect(self._on_state)
        layers.gone.connect(self._on_layers_gone)

    def compare(self, other: Path | None) -> None:
        """Compare the prediction in use with another one; None ends the comparison."""
        self.end()
        first = self._store.state.prediction
        if other is not None and first is not None and other != first:
            self._first = first
            job = compare_job(first, other)
            self._jobs.run(_JOB, job, partial(self._on_opened, other), step=Step.PREDICT)

    def flicker(self) -> None:
        """Show the other prediction in place of the one in use, or the reverse."""
        if self._comparison is not None:
            self._comparison.flicker()
            self._tell(self._store.state.predictions.compared)

    def end(self) -> None:
        """End the comparison, and remove its layers."""
        self._jobs.cancel(_JOB)
        if self._comparison is not None:
            self._comparison.close(is_in_use=self._store.state.prediction == self._first)
            self._comparison = None
        self._first = None
        self._tell(None)

    def release(self) -> None:
        """Stop reading tiles, because the panel is closed."""
        if self._comparison is not None:
            self._comparison.release()
            self._comparison = None

    def _on_opened(self, other: Path, event: ComparisonOpened) -> None:
        thresholds: dict[LabelKind, float] = {"ink": event.ink_threshold, "edge": event.edge_threshold}
        self._comparison = PredictionComparison(self._layers, event.difference, thresholds)
        self._tell(other)

    def _tell(self, compared: Path | None) -> None:
        is_other_shown = self._comparison is not None and self._comparison.is_other_shown
        predictions = replace(self._store.state.predictions, compared=compared, is_other_shown=is_other_shown)
        self._store.update(predictions=predictions)

    def _on_state(self) -> None:
        """End the comparison if another prediction is in use, or the other one was deleted."""
        state = self._store.state
        compared = state.predictions.compared
        is_listed = compared is None or state.predictions.row(compared) is not None
        if self._first is not None and (state.prediction != self._first or not is_listed):
            self.end()

    def _on_layers_gone(self) -> None:
        """End the comparison if the user has removed one of its layers from the list."""
        if self._comparison is not None and not self._comparison.is_shown:
            self.end()
