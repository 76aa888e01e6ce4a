"""The session: the work on one stack in one viewer, from opening it to letting go; it has no widget in it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.annotation import default_project_folder
from napari_ink.errors import NapariInkError, StackMovedError
from napari_ink.gui import jobs, workers
from napari_ink.gui.annotating import Annotating
from napari_ink.gui.comparing import Comparing
from napari_ink.gui.contrast import Contrast
from napari_ink.gui.converting import Converting
from napari_ink.gui.desk import Desk
from napari_ink.gui.finding import Finding
from napari_ink.gui.labelling import Labelling
from napari_ink.gui.layers import InkLayers
from napari_ink.gui.looking import Looking
from napari_ink.gui.news import Conversion, LabelCounts
from napari_ink.gui.predicting import Predicting
from napari_ink.gui.projecting import Projecting
from napari_ink.gui.reviewing import Reviewing
from napari_ink.gui.stack_layer import stack_of
from napari_ink.gui.state import InkState, Step
from napari_ink.gui.tools import Hand
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
    looking
        Where one looks in the viewer.
    hand
        What gives the mouse to the tool in hand.
    sample_folder
        Where the shipped sample lies: nothing is ever written there.

    Attributes
    ----------
    desk : Desk
        The state of the work.
    predicting, labelling, reviewing, finding, comparing, looking, annotating
        The rooms.
    projects_in : Path or None
        A folder for projects, in place of beside their segments.
    """

    changed = Signal(object)
    failed = Signal(str)
    stack_missing = Signal(object, str)

    def __init__(
        self,
        layers: InkLayers,
        looking: Looking,
        hand: Hand,
        sample_folder: Path | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.projects_in: Path | None = None
        self._layers, self._sample_folder = layers, sample_folder
        self.desk, self.looking = Desk(self), looking
        self.desk.changed.connect(self.changed)
        self.desk.failed.connect(self.failed)
        self.annotating = Annotating(layers, self)
        self.predicting = Predicting(self.desk, layers, self.project_folder, self)
        self.labelling = Labelling(
            self.desk, layers, self.annotating, self.predicting.shown, hand, self.project_folder, self._on_boxed, self
        )
        self.reviewing = Reviewing(layers, looking, self.annotating, self)
        self.finding = Finding(layers, looking, self.annotating, self.labelling.bench.preview, self)
        self.comparing = Comparing(layers, self.annotating, self)
        self.projecting, self.contrast, self.converting = Projecting(layers, self), Contrast(self), Converting(self)
        self.projecting.changed.connect(lambda: self.desk.set(projection=self.projecting.news))
        self.converting.changed.connect(self._on_converting)
        self.reviewing.changed.connect(lambda: self.desk.set(review=self.reviewing.news))
        self.finding.changed.connect(lambda: self.desk.set(similar=self.finding.news))
        self.comparing.changed.connect(lambda: self.desk.set(compared=self.comparing.against))
        self.converting.failed.connect(partial(self.desk.fail, step=Step.STACK))
        for room in (self.reviewing, self.finding, self.comparing):
            room.failed.connect(partial(self.desk.fail, step=Step.CORRECT))
        layers.stack_arrived.connect(self.adopt)
        layers.gone.connect(self._on_layers_gone)
        self.annotating.ending.connect(self._remember)
        self.annotating.shown.connect(self._on_shown)
        self._to_recall: dict[str, Any] = {}
        self._remembering = QTimer(self)
        self._remembering.setInterval(_REMEMBER_MS)
        self._remembering.timeout.connect(self._remember_on_a_thread)

    @property
    def state(self) -> InkState:
        """What is shown now."""
        return self.desk.state

    def open_stack(self, source: Path | str, stack_at: Path | None = None) -> None:
        """Open a stack, or a project with its stack, and show it; `stack_at` says where a project's was moved."""
        if self.state.run is not None:
            self.desk.fail(_RUNNING, Step.STACK)
            return
        if self.state.keeping.problem:
            self.desk.fail(self.state.keeping.problem, Step.STACK)
            return
        project = self.annotating.project
        if project is not None and isinstance(source, Path) and source.resolve() == project.folder.resolve():
            return
        self.desk.set(busy=f"Opening {str(source).rpartition('/')[2]}…")

        def fail(failure: workers.JobFailed) -> None:
            if isinstance(failure.error, StackMovedError):
                self.stack_missing.emit(source, failure.message)
            else:
                self.desk.fail(failure.message, Step.STACK)

        self.desk.launch("open", jobs.open_job(source, stack_at), self._on_opened, fail)

    def adopt(self, layer: Layer) -> None:
        """Work on a stack that came into the viewer another way: dropped on it, opened by napari, or the sample."""
        stack = stack_of(layer)
        if stack is None:
            return
        if self.state.run is not None:
            self.desk.fail(_RUNNING, Step.STACK)
            self._layers.turn_away(layer)
            return
        self.annotating.end()
        self._layers.take_over(layer)
        self._begin(stack, find_beside(stack).mask)

    def convert(self, out: Path) -> None:
        """Convert the stack to an OME-Zarr."""
        if self.state.stack is not None:
            self.converting.start(self.state.stack, out)

    def project_folder(self, stack: DepthStack) -> Path:
        """Return where a stack's project is, or will be."""
        if self.annotating.project is not None and stack is self.state.stack:
            return self.annotating.project.folder
        if self.projects_in is not None:
            return self.projects_in / f"{stack.name}.ink"
        return default_project_folder(stack, keep_apart=self._sample_folder)

    def shut_down(self) -> None:
        """Stop what is running and let go of the viewer; for when the panel goes away, so nothing is emitted."""
        self.desk.blockSignals(True)
        self._remembering.stop()
        self.finding.cancel()
        self.reviewing.cancel()
        self.converting.cancel()
        self.comparing.release()
        self.projecting.release()
        self.contrast.release()
        self.labelling.release()
        self.annotating.end()
        self._layers.release()
        self.desk.drop()
        self.predicting.abandon()

    def _on_opened(self, event: jobs.StackOpened) -> None:
        self.annotating.end()  # before the view is another one: it is remembered
        self._layers.show_stack(event.stack, event.contrast_limits)
        self._begin(event.stack, event.beside.mask, event.project)
        self.desk.set(missing=event.missing, grey_note=event.grey_note, suggested_greys=event.suggested_greys)

    def _begin(self, stack: DepthStack, mask: Path | None, project: Project | None = None) -> None:
        self.desk.drop("draft", "export", "project", "version")
        self.finding.cancel()
        self.comparing.end()
        self.predicting.forget()
        self.reviewing.begin()
        now = self.state
        self.desk.state = InkState(
            stack=stack,
            mask=mask,
            device_line=now.device_line,
            ink_threshold=now.ink_threshold,
            edge_threshold=now.edge_threshold,
            conversion=now.conversion if now.conversion.done is not None else Conversion(),
        )
        folder = self.project_folder(stack) if project is None else project.folder
        self.projecting.begin(stack)
        if (layer := self._layers.stack_layer) is not None:
            limits = (float(layer.contrast_limits[0]), float(layer.contrast_limits[1]))
            self.contrast.begin(layer, stack.fingerprint()[:16], limits)
        self.desk.set(busy="Looking for labels…")
        self.desk.launch("project", jobs.project_job(stack, folder, project), self._on_found)

    def _on_found(self, event: jobs.ProjectOpened | jobs.PredictionFound | jobs.PredictionBand) -> None:
        if isinstance(event, jobs.PredictionBand):
            self.predicting.show_band(event)
            return
        if isinstance(event, jobs.PredictionFound):
            self.predicting.show_again(event)
            self.looking.recall_layers(self._to_recall)
            return
        self._to_recall = view = event.project.view
        self.looking.recall(view)
        said = view.get("thresholds")
        for what in ("ink", "edge"):
            if isinstance(said, dict) and isinstance(said.get(what), float) and 0 <= said[what] <= 1:
                self.predicting.shown.set_threshold(what, said[what])
        self.annotating.begin(event.project)
        self._remembering.start()

    def _on_shown(self) -> None:
        self._remembering.start()
        self.looking.recall_layers(self._to_recall)
        self._to_recall = {}

    def _view(self) -> dict[str, Any]:
        project, shown = self.annotating.project, self.state.prediction
        view = self.looking.describe()
        if project is None or not view:
            return {}
        if shown is not None and shown.is_relative_to(project.folder):
            view["prediction"] = shown.relative_to(project.folder).as_posix()
        return view | {"thresholds": self.predicting.shown.thresholds()}

    def _remember(self) -> None:
        """Keep how the segment is looked at, for when it is opened again."""
        project, view = self.annotating.project, self._view()
        if project is None or not view or view == project.view:
            return
        try:
            project.save_view(view)
        except NapariInkError as error:
            self.desk.fail(str(error), Step.CORRECT)

    def _remember_on_a_thread(self) -> None:
        project, view = self.annotating.project, self._view()
        if project is not None and view and view != project.view and not self.state.busy:

            def save() -> Generator[None]:
                project.save_view(view)
                yield

            workers.start(save(), lambda _: None, lambda: None)

    def _on_converting(self) -> None:
        self.desk.set(conversion=self.converting.news)
        if self.converting.news.out is not None:
            self.desk.succeed(Step.STACK)

    def _on_boxed(self, box: Any) -> None:
        self.finding.search(box)

    def _on_layers_gone(self) -> None:
        """Keep up with layers that the user took out of the list."""
        if not self._layers.has_stack:
            self.predicting.forget()
            self.annotating.end()
            self.desk.state = InkState(device_line=self.state.device_line, run=self.state.run)
        labels = self._layers.editable is not None
        self.desk.set(
            has_prediction=self._layers.overlay is not None,
            labels=labels,
            labels_edited=labels and self.state.labels_edited,
            counts=self.state.counts if labels else LabelCounts(),
        )
