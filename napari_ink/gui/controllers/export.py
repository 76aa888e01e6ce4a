"""Export from the window: masks, labels and figures, written in the background."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_ink.gui.jobs.export import Exported, Figure, export_job, figure_job, plane_to_export
from napari_ink.gui.models.state import Step

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
    """Writes masks, labels and figures of what is labelled or predicted.

    Parameters
    ----------
    store
        The state of the work.
    jobs
        Writes the files.
    layers
        The viewer's layers.
    labels
        The labels.
    overlay
        The prediction that is shown, and its thresholds.
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
        """Write a mask or labels of the segment's height and width; what is there under that name is replaced."""
        if (plane := self._plane(what, source)) is None:
            self._store.fail(f"There is nothing to export {what} from; predict or label something first.", Step.EXPORT)
            return
        self._run(export_job(plane, path), path)

    def export_figure(self, source: ExportFrom, path: Path) -> None:
        """Write a picture of what is in sight, with ink and edges over it and a scale bar."""
        stack, part = self._store.state.stack, self._layers.viewport.visible_region()
        if stack is None or part is None:
            self._store.fail("No part of the segment is in sight; press the house, bottom left.", Step.EXPORT)
            return
        planes = self._plane("ink", source), self._plane("edges", source)
        figure = Figure(stack, self._layers.viewport.current_z(), part, *planes)
        self._run(figure_job(figure, path), path)

    def _run(self, job: Events, path: Path) -> None:
        self._store.update(exported="")  # else a failed export would look like the one before it, done
        self._jobs.run("export", job, self._on_exported, step=Step.EXPORT, busy=f"Writing {path.name}…")

    def _plane(self, what: ExportWhat, source: ExportFrom) -> LabelPlane | None:
        stack = self._store.state.stack
        return plane_to_export(
            what,
            source,
            self._labels.annotation,
            self._layers.overlay,
            self._predicted.thresholds(),
            None if stack is None else stack.voxel_size_um,
        )

    def _on_exported(self, event: Exported) -> None:
        self._store.update(exported=str(event.path))
        for note in event.notes:
            self._store.tell(note, Step.EXPORT)
