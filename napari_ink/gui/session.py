"""The session: the work on one stack in one viewer, from opening it to letting go; it has no widget in it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.annotation import default_project_folder
from napari_ink.errors import NapariInkError, StackMovedError
from napari_ink.gui.controllers.compare import CompareController
from napari_ink.gui.controllers.contrast import ContrastMemory
from napari_ink.gui.controllers.convert import ConversionController
from napari_ink.gui.controllers.display import Looking
from napari_ink.gui.controllers.labelling import LabellingController
from napari_ink.gui.controllers.labels import LabelsController
from napari_ink.gui.controllers.prediction import PredictionController
from napari_ink.gui.controllers.projection import ProjectionController
from napari_ink.gui.controllers.review import ReviewController
from napari_ink.gui.controllers.similar import SimilarController
from napari_ink.gui.controllers.state_store import Desk
from napari_ink.gui.jobs.prediction import PredictionBand, PredictionFound
from napari_ink.gui.jobs.project import ProjectOpened, StackOpened, open_job, project_job
from napari_ink.gui.jobs.worker import JobFailed, start_worker
from napari_ink.gui.layers.manager import LayerManager
from napari_ink.gui.layers.stack_layer import stack_of
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.status import ConversionStatus, LabelCounts
from napari_ink.gui.tools import ToolManager
from napari_ink.stack import DepthStack, find_beside

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.layers import Layer

    from napari_ink.annotation import Project

_REMEMBER_MS = 3000
_RUNNING = "A prediction is running; cancel it before you open another stack."


class InkSession(QObject):
    """The work on one stack: panels call its rooms, and render each `InkState` that the desk's `changed` carries.

    Parameters
    ----------
    layers
        The viewer's layers.
    display
        Where one looks in the viewer.
    tool_manager
        What gives the mouse to the tool in hand.
    sample_folder
        Where the shipped sample lies: nothing is ever written there.

    Attributes
    ----------
    store : Desk
        The state of the work.
    prediction, labelling, review, similar, compare, display, labels
        The rooms.
    projects_in : Path or None
        A folder for projects, in place of beside their segments.
    """

    changed = Signal(object)
    failed = Signal(str)
    stack_missing = Signal(object, str)

    def __init__(
        self,
        layers: LayerManager,
        display: Looking,
        tool_manager: ToolManager,
        sample_folder: Path | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.projects_in: Path | None = None
        self._layers, self._sample_folder = layers, sample_folder
        self.store, self.display = Desk(self), display
        self.store.changed.connect(self.changed)
        self.store.failed.connect(self.failed)
        self.labels = LabelsController(layers, self)
        self.prediction = PredictionController(self.store, layers, self.project_folder, self)
        self.labelling = LabellingController(
            self.store,
            layers,
            self.labels,
            self.prediction.shown,
            tool_manager,
            self.project_folder,
            self._on_boxed,
            self,
        )
        self.review = ReviewController(layers, display, self.labels, self)
        self.similar = SimilarController(layers, display, self.labels, self.labelling.context.preview, self)
        self.compare = CompareController(layers, self.labels, self)
        self.projection, self.contrast, self.conversion = (
            ProjectionController(layers, self),
            ContrastMemory(self),
            ConversionController(self),
        )
        self.projection.changed.connect(lambda: self.store.set(projection=self.projection.status))
        self.conversion.changed.connect(self._on_converting)
        self.review.changed.connect(lambda: self.store.set(review=self.review.status))
        self.similar.changed.connect(lambda: self.store.set(similar=self.similar.status))
        self.compare.changed.connect(lambda: self.store.set(compared=self.compare.against))
        self.conversion.failed.connect(partial(self.store.fail, step=Step.STACK))
        for room in (self.review, self.similar, self.compare):
            room.failed.connect(partial(self.store.fail, step=Step.CORRECT))
        layers.stack_arrived.connect(self.adopt)
        layers.gone.connect(self._on_layers_gone)
        self.labels.ending.connect(self._remember)
        self.labels.shown.connect(self._on_shown)
        self._to_recall: dict[str, Any] = {}
        self._remembering = QTimer(self)
        self._remembering.setInterval(_REMEMBER_MS)
        self._remembering.timeout.connect(self._remember_on_a_thread)

    @property
    def state(self) -> InkState:
        """What is shown now."""
        return self.store.state

    def open_stack(self, source: Path | str, stack_at: Path | None = None) -> None:
        """Open a stack, or a project with its stack, and show it; `stack_at` says where a project's was moved."""
        if self.state.run is not None:
            self.store.fail(_RUNNING, Step.STACK)
            return
        if self.state.storage.problem:
            self.store.fail(self.state.storage.problem, Step.STACK)
            return
        project = self.labels.project
        if project is not None and isinstance(source, Path) and source.resolve() == project.folder.resolve():
            return
        self.store.set(busy=f"Opening {str(source).rpartition('/')[2]}…")

        def fail(failure: JobFailed) -> None:
            if isinstance(failure.error, StackMovedError):
                self.stack_missing.emit(source, failure.message)
            else:
                self.store.fail(failure.message, Step.STACK)

        self.store.launch("open", open_job(source, stack_at), self._on_opened, fail)

    def adopt(self, layer: Layer) -> None:
        """Work on a stack that came into the viewer another way: dropped on it, opened by napari, or the sample."""
        stack = stack_of(layer)
        if stack is None:
            return
        if self.state.run is not None:
            self.store.fail(_RUNNING, Step.STACK)
            self._layers.reject_layer(layer)
            return
        self.labels.end()
        self._layers.take_over(layer)
        self._begin(stack, find_beside(stack).mask)

    def convert(self, out: Path) -> None:
        """Convert the stack to an OME-Zarr."""
        if self.state.stack is not None:
            self.conversion.start(self.state.stack, out)

    def project_folder(self, stack: DepthStack) -> Path:
        """Return where a stack's project is, or will be."""
        if self.labels.project is not None and stack is self.state.stack:
            return self.labels.project.folder
        if self.projects_in is not None:
            return self.projects_in / f"{stack.name}.ink"
        return default_project_folder(stack, keep_apart=self._sample_folder)

    def shut_down(self) -> None:
        """Stop what is running and let go of the viewer; for when the panel goes away, so nothing is emitted."""
        self.store.blockSignals(True)
        self._remembering.stop()
        self.similar.cancel()
        self.review.cancel()
        self.conversion.cancel()
        self.compare.release()
        self.projection.release()
        self.contrast.release()
        self.labelling.release()
        self.labels.end()
        self._layers.release()
        self.store.drop()
        self.prediction.shut_down()

    def _on_opened(self, event: StackOpened) -> None:
        self.labels.end()  # before the view is another one: it is remembered
        self._layers.show_stack(event.stack, event.contrast_limits)
        self._begin(event.stack, event.beside.mask, event.project)
        self.store.set(missing=event.missing, grey_note=event.grey_note, suggested_greys=event.suggested_greys)

    def _begin(self, stack: DepthStack, mask: Path | None, project: Project | None = None) -> None:
        self.store.drop("draft", "export", "project", "version")
        self.similar.cancel()
        self.compare.end()
        self.prediction.reset()
        self.review.begin()
        now = self.state
        self.store.state = InkState(
            stack=stack,
            mask=mask,
            device_line=now.device_line,
            ink_threshold=now.ink_threshold,
            edge_threshold=now.edge_threshold,
            conversion=now.conversion if now.conversion.done is not None else ConversionStatus(),
        )
        folder = self.project_folder(stack) if project is None else project.folder
        self.projection.begin(stack)
        if (layer := self._layers.stack_layer) is not None:
            limits = (float(layer.contrast_limits[0]), float(layer.contrast_limits[1]))
            self.contrast.begin(layer, stack.fingerprint()[:16], limits)
        self.store.set(busy="Looking for labels…")
        self.store.launch("project", project_job(stack, folder, project), self._on_found)

    def _on_found(self, event: ProjectOpened | PredictionFound | PredictionBand) -> None:
        if isinstance(event, PredictionBand):
            self.prediction.show_band(event)
            return
        if isinstance(event, PredictionFound):
            self.prediction.show_again(event)
            self.display.recall_layers(self._to_recall)
            return
        self._to_recall = view = event.project.view
        self.display.recall(view)
        said = view.get("thresholds")
        for what in ("ink", "edge"):
            if isinstance(said, dict) and isinstance(said.get(what), float) and 0 <= said[what] <= 1:
                self.prediction.shown.set_threshold(what, said[what])
        self.labels.begin(event.project)
        self._remembering.start()

    def _on_shown(self) -> None:
        self._remembering.start()
        self.display.recall_layers(self._to_recall)
        self._to_recall = {}

    def _view(self) -> dict[str, Any]:
        project, shown = self.labels.project, self.state.prediction
        view = self.display.describe()
        if project is None or not view:
            return {}
        if shown is not None and shown.is_relative_to(project.folder):
            view["prediction"] = shown.relative_to(project.folder).as_posix()
        return view | {"thresholds": self.prediction.shown.thresholds()}

    def _remember(self) -> None:
        """Keep how the segment is looked at, for when it is opened again."""
        project, view = self.labels.project, self._view()
        if project is None or not view or view == project.view:
            return
        try:
            project.save_view(view)
        except NapariInkError as error:
            self.store.fail(str(error), Step.CORRECT)

    def _remember_on_a_thread(self) -> None:
        project, view = self.labels.project, self._view()
        if project is not None and view and view != project.view and not self.state.busy:

            def save() -> Generator[None]:
                project.save_view(view)
                yield

            start_worker(save(), lambda _: None, lambda: None)

    def _on_converting(self) -> None:
        self.store.set(conversion=self.conversion.status)
        if self.conversion.status.out is not None:
            self.store.succeed(Step.STACK)

    def _on_boxed(self, box: Any) -> None:
        self.similar.search(box)

    def _on_layers_gone(self) -> None:
        """Keep up with layers that the user took out of the list."""
        if not self._layers.has_stack:
            self.prediction.reset()
            self.labels.end()
            self.store.state = InkState(device_line=self.state.device_line, run=self.state.run)
        labels = self._layers.editable is not None
        self.store.set(
            has_prediction=self._layers.overlay is not None,
            labels=labels,
            labels_edited=labels and self.state.labels_edited,
            counts=self.state.counts if labels else LabelCounts(),
        )
