"""Current stack: opened by the user or adopted from napari's layers, and closed with its layer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_ink.annotation import default_project_folder
from napari_ink.errors import StackMovedError
from napari_ink.gui.jobs.prediction import PredictionBand, PredictionFound
from napari_ink.gui.jobs.project import ProjectOpened, StackOpened, open_job, project_job
from napari_ink.gui.layers.stack_layer import stack_of
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.status import ConversionStatus
from napari_ink.gui.preferences import author_name, projects_folder
from napari_ink.stack import DepthStack, find_beside

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_ink.annotation import Project
    from napari_ink.gui.controllers.labels import LabelsController
    from napari_ink.gui.controllers.state_store import StateStore
    from napari_ink.gui.jobs.runner import JobRunner
    from napari_ink.gui.jobs.worker import JobFailed
    from napari_ink.gui.layers.manager import LayerManager

_RUNNING = "A prediction is running; cancel it before you open another stack."


class StackController(QObject):
    """Controller that opens and closes stacks.

    Signals: `left` once a stack is closed; `begun` with the next stack, once its layer exists; `project_opened`,
    `prediction_found` and `band_read` with the contents of its project folder; `missing` with the project and a message
    if the stack of a project has moved.

    Parameters
    ----------
    store
        State of the window.
    jobs
        Runner of background jobs.
    layers
        Layers of the viewer.
    labels
        Controller of the labels, whose project is closed before another stack is shown.
    sample_folder
        Folder of the shipped sample, which is never written to.

    Attributes
    ----------
    projects_in : Path or None
        Folder for all projects; None to keep each project beside its segment.
    """

    left = Signal()
    begun = Signal(object)
    project_opened = Signal(object)
    prediction_found = Signal(object)
    band_read = Signal(object)
    missing = Signal(object, str)

    def __init__(
        self,
        store: StateStore,
        jobs: JobRunner,
        layers: LayerManager,
        labels: LabelsController,
        sample_folder: Path | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._jobs, self._layers, self._labels = store, jobs, layers, labels
        self._sample_folder = sample_folder
        self.projects_in: Path | None = projects_folder()
        layers.stack_arrived.connect(self.adopt)
        layers.gone.connect(self._on_layers_gone)

    def open(self, source: Path | str, stack_at: Path | None = None) -> None:
        """Open a stack, or a project with its stack; `stack_at` is the new place of a stack that was moved."""
        if why_not := self._why_not():
            self._store.fail(why_not, Step.STACK)
            return
        project = self._labels.project
        if project is not None and isinstance(source, Path) and source.resolve() == project.folder.resolve():
            return  # already open in this window
        self._jobs.run(
            "open",
            open_job(source, stack_at, author_name()),
            self._on_opened,
            on_failure=partial(self._on_failure, source),
            step=Step.STACK,
            busy=f"Opening {str(source).rpartition('/')[2]}…",
        )

    def adopt(self, layer: Layer) -> None:
        """Make a stack current that was added by other means: dropped, opened by napari, or the sample."""
        stack = stack_of(layer)
        if stack is None:
            return
        if self._store.state.run is not None:
            self._store.fail(_RUNNING, Step.STACK)
            self._layers.reject_layer(layer)
            return
        self._labels.end()
        self._layers.take_over(layer)
        self._begin(stack, find_beside(stack).mask)

    def adopt_open_stack(self) -> None:
        """Make the stack current that the viewer already shows, if any."""
        if (layer := self._layers.find_stack()) is not None:
            self.adopt(layer)

    def project_folder(self, stack: DepthStack) -> Path:
        """Return the project folder of a stack, whether it exists or not."""
        if self._labels.project is not None and stack is self._store.state.stack:
            return self._labels.project.folder
        if self.projects_in is not None:
            return self.projects_in / f"{stack.name}.ink"
        return default_project_folder(stack, keep_clear_of=self._sample_folder)

    def _why_not(self) -> str:
        return _RUNNING if self._store.state.run is not None else self._store.state.storage.problem

    def _on_failure(self, source: Path | str, failure: JobFailed) -> None:
        if isinstance(failure.error, StackMovedError):
            self.missing.emit(source, failure.message)
        else:
            self._store.fail(failure.message, Step.STACK)

    def _on_opened(self, event: StackOpened) -> None:
        # First, because closing the project saves the view, which must be that of the previous stack.
        self._labels.end()
        self._layers.show_stack(event.stack, event.contrast_limits)
        self._begin(event.stack, event.beside.mask, event.project)
        self._store.update(missing=event.missing, grey_note=event.grey_note, suggested_greys=event.suggested_greys)

    def _begin(self, stack: DepthStack, mask: Path | None, project: Project | None = None) -> None:
        # Their answers belong to the previous stack. A conversion continues: it has its own source and target.
        self._jobs.cancel("draft", "export", "project", "version")
        self.left.emit()
        now = self._store.state
        self._store.reset(
            InkState(
                stack=stack,
                mask=mask,
                reading_error=self._layers.reading_error,
                is_sampled=self._layers.is_stack_sampled,
                device_line=now.device_line,
                missing_devices=now.missing_devices,
                ink_threshold=now.ink_threshold,
                edge_threshold=now.edge_threshold,
                conversion=now.conversion if now.conversion.done is not None else ConversionStatus(),
            )
        )
        folder = self.project_folder(stack) if project is None else project.folder
        self.begun.emit(stack)
        job = project_job(stack, folder, project, author_name())
        self._jobs.run("project", job, self._on_project, step=Step.STACK, busy="Looking for labels…")

    def _on_project(self, event: ProjectOpened | PredictionFound | PredictionBand) -> None:
        match event:
            case ProjectOpened():
                self.project_opened.emit(event.project)
            case PredictionFound():
                self.prediction_found.emit(event)
            case PredictionBand():
                self.band_read.emit(event)

    def _on_layers_gone(self) -> None:
        """Close the stack if the user has removed its layer from the list."""
        if not self._layers.has_stack and self._store.state.stack is not None:
            self._labels.end()
            self.left.emit()
            now = self._store.state
            self._store.reset(InkState(device_line=now.device_line, missing_devices=now.missing_devices, run=now.run))
