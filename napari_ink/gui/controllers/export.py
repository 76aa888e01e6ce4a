"""Export of masks, labels and figures, written on a worker thread."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication

from napari_ink.gui.jobs.export import (
    Exported,
    Figure,
    PixelsCounted,
    count_job,
    export_job,
    figure_job,
    plane_to_export,
)
from napari_ink.gui.models.state import FigureSettings, Step
from napari_ink.gui.models.words import size_text

if TYPE_CHECKING:
    from napari_ink.export import LabelPlane
    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.controllers.overlay import OverlayController
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.jobs.worker import Events
    from napari_ink.gui.layers.manager import LayerManager
    from napari_ink.gui.models.state import ExportFrom, ExportWhat


class ExportController:
    """Controller that exports masks, labels and figures of the labels or the prediction.

    Parameters
    ----------
    store
        State of the window.
    jobs
        Runner of background jobs.
    layers
        Layers of the viewer.
    labels
        Controller of the labels.
    overlay
        Controller of the prediction overlay and its thresholds.
    """

    def __init__(
        self,
        store: StateStore,
        jobs: JobRunner,
        layers: LayerManager,
        labels: LabelsController,
        overlay: OverlayController,
    ) -> None:
        self._store, self._jobs, self._layers = store, jobs, layers
        self._labels, self._predicted = labels, overlay

    def export(self, what: ExportWhat, source: ExportFrom, path: Path) -> None:
        """Write a mask or labels of the segment's height and width, replacing an existing file."""
        if (plane := self._plane(what, source)) is None:
            self._store.fail(f"There is nothing to export {what} from; predict or label something first.", Step.EXPORT)
            return
        self._run(export_job(plane, path), path)

    def count(self, what: ExportWhat) -> None:
        """Count the pixels of ink or edges in the prediction at its threshold."""
        if (plane := self._plane(what, "prediction")) is None:
            return
        prediction = self._store.state.prediction
        threshold = self._predicted.thresholds()["ink" if what == "ink" else "edge"]

        def show(event: PixelsCounted) -> None:
            self._store.update(predicted_count=(prediction, what, threshold, event.count))

        self._jobs.run("count", count_job(plane), show, is_silent=True)

    def copy_figure(self, source: ExportFrom, settings: FigureSettings) -> None:
        """Copy a figure to the clipboard."""
        if (figure := self._figure(source, settings)) is not None:
            folder = tempfile.TemporaryDirectory()

            def copy(event: Exported) -> None:
                image, clipboard = QImage(str(event.path)), QApplication.clipboard()
                folder.cleanup()
                if clipboard is not None:
                    clipboard.setImage(image)
                    show_info(f"Copied a picture of {size_text(image.height(), image.width())}.")

            job = figure_job(figure, Path(folder.name) / "figure.png")
            self._jobs.run("copy", job, copy, step=Step.EXPORT, busy="Drawing the figure…")

    def export_figure(self, source: ExportFrom, path: Path, settings: FigureSettings | None = None) -> None:
        """Write a picture of the visible region with ink, edges and a scale bar."""
        if (figure := self._figure(source, settings or FigureSettings())) is not None:
            self._run(figure_job(figure, path), path)

    def _figure(self, source: ExportFrom, settings: FigureSettings) -> Figure | None:
        stack, part = self._store.state.stack, self._layers.viewport.visible_region()
        if stack is None or part is None:
            self._store.fail("No part of the segment is visible; press the home button, bottom left.", Step.EXPORT)
            return None
        planes = self._plane("ink", source), self._plane("edges", source)
        return Figure(stack, self._layers.viewport.current_z(), part, *planes, settings)

    def _run(self, job: Events, path: Path) -> None:
        self._store.update(exported="")  # otherwise a failed export would look like the previous, successful one
        self._jobs.run("export", job, self._on_exported, step=Step.EXPORT, busy=f"Writing {path.name}…")

    def _plane(self, what: ExportWhat, source: ExportFrom) -> LabelPlane | None:
        stack, overlay = self._store.state.stack, self._layers.overlay
        return plane_to_export(
            what,
            source,
            self._labels.annotation,
            None if overlay is None else overlay.probabilities,
            self._predicted.thresholds(),
            None if stack is None else stack.voxel_size_um,
        )

    def _on_exported(self, event: Exported) -> None:
        self._store.update(exported=str(event.path))
        for note in event.notes:
            self._store.notify(note, Step.EXPORT)
