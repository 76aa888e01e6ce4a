"""The session: the one place that builds controllers and connects them with views; it has no widget in it.

One cycle runs through the window. A view emits ``*_requested``; a controller starts a job, changes layers or the
store of labels, and updates the `StateStore`; the store emits once a turn of the event loop; views render. Nothing else
flows back to a view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ink.annotation import ReviewState, default_project_folder
from napari_ink.errors import NapariInkError, StackMovedError
from napari_ink.gui.controllers import key_bindings
from napari_ink.gui.controllers.compare import CompareController
from napari_ink.gui.controllers.contrast import ContrastMemory
from napari_ink.gui.controllers.convert import ConversionController
from napari_ink.gui.controllers.depth import JUMP, DepthController
from napari_ink.gui.controllers.display import DisplayController
from napari_ink.gui.controllers.export import ExportController
from napari_ink.gui.controllers.labelling import LabellingController
from napari_ink.gui.controllers.labels import LabelsController
from napari_ink.gui.controllers.prediction import PredictionController
from napari_ink.gui.controllers.profile import ProfileController
from napari_ink.gui.controllers.projection import ProjectionController
from napari_ink.gui.controllers.review import ReviewController
from napari_ink.gui.controllers.similar import SimilarController
from napari_ink.gui.controllers.state_store import StateStore
from napari_ink.gui.jobs.prediction import PredictionBand, PredictionFound
from napari_ink.gui.jobs.project import ProjectOpened, StackOpened, open_job, project_job
from napari_ink.gui.jobs.runner import JobRunner
from napari_ink.gui.jobs.worker import JobFailed
from napari_ink.gui.layers.manager import LayerManager
from napari_ink.gui.layers.stack_layer import stack_of
from napari_ink.gui.layers.viewport import canvas_of
from napari_ink.gui.models.actions import ACTIONS, TOOL_ACTIONS, Tool
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.status import ConversionStatus, LabelCounts
from napari_ink.gui.tools import ToolManager
from napari_ink.gui.tools.box import BoxTool
from napari_ink.stack import DepthStack, find_beside

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.layers import Layer
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_ink.annotation import Project
    from napari_ink.gui.views import CorrectPanel, ExportPanel, PredictPanel, StackPanel

_REMEMBER_MS = 3000
_RUNNING = "A prediction is running; cancel it before you open another stack."


class InkSession(QObject):
    """The work on one stack in one viewer, from opening it to letting go.

    Parameters
    ----------
    viewer
        The viewer that it works in.
    parent
        The panel, which is in the viewer's window.
    sample_folder
        Where the shipped sample lies: nothing is ever written there.

    Attributes
    ----------
    store : StateStore
        The state of the work.
    jobs : JobRunner
        The jobs in the background.
    prediction, labels, labelling, export, review, similar, compare : QObject
        Controllers of what is predicted and labelled.
    projection, contrast, conversion, depth, profile, display : QObject
        Controllers of how the stack is shown.
    projects_in : Path or None
        A folder for projects, in place of beside their segments.
    """

    changed = Signal(object)
    failed = Signal(str)
    stack_missing = Signal(object, str)

    def __init__(
        self,
        viewer: Viewer,
        parent: QWidget,
        sample_folder: Path | None = None,
    ) -> None:
        super().__init__(parent)
        self.projects_in: Path | None = None
        self._viewer, self._sample_folder = viewer, sample_folder
        self._widget = parent
        self._layers = layers = LayerManager(viewer, parent)
        self.store, self.display = StateStore(self), DisplayController(viewer, layers)
        self.jobs = JobRunner(self.store.fail, self.store.succeed, lambda what: self.store.update(busy=what))
        self.store.changed.connect(self.changed)
        self.store.failed.connect(self.failed)
        self.labels = LabelsController(layers, self.jobs, self)
        self.prediction = PredictionController(self.store, self.jobs, layers, self.project_folder, self)
        overlay = self.prediction.shown
        self.labelling = LabellingController(
            self.store, self.jobs, layers, self.labels, overlay, ToolManager(viewer, self), self.project_folder, self
        )
        self.export = ExportController(self.store, self.jobs, layers, self.labels, overlay)
        self.review = ReviewController(layers, self.display, self.labels, self.jobs, self)
        self.similar = SimilarController(
            layers, self.display, self.labels, self.labelling.context.preview, self.jobs, self
        )
        self.compare = CompareController(layers, self.labels, self.jobs, self)
        self.projection, self.contrast, self.conversion = (
            ProjectionController(layers, self),
            ContrastMemory(self),
            ConversionController(self.jobs, self),
        )
        self.depth = DepthController(viewer, layers, self)
        self.profile = ProfileController(viewer, self.prediction.ready_model, self.jobs, self)
        self.projection.changed.connect(lambda: self.store.update(projection=self.projection.status))
        self.conversion.changed.connect(self._on_converting)
        self.review.changed.connect(lambda: self.store.update(review=self.review.status))
        self.similar.changed.connect(lambda: self.store.update(similar=self.similar.status))
        self.compare.changed.connect(lambda: self.store.update(compared=self.compare.against))
        for stack_signal in (self.conversion.failed, self.profile.failed):
            stack_signal.connect(partial(self.store.fail, step=Step.STACK))
        for label_signal in (self.review.failed, self.similar.failed, self.compare.failed, self.labels.failed):
            label_signal.connect(partial(self.store.fail, step=Step.CORRECT))
        box_tool = self.labelling.tools[Tool.FIND_SIMILAR]
        assert isinstance(box_tool, BoxTool)
        box_tool.box_drawn.connect(self.similar.search)
        layers.stack_arrived.connect(self.adopt)
        layers.gone.connect(self._on_layers_gone)
        self.labels.ending.connect(self._remember)
        self.labels.shown.connect(self._on_shown)
        self._actions: dict[str, Callable[[], Any]] = {}
        self._to_recall: dict[str, Any] = {}
        self._remembering = QTimer(self)
        self._remembering.setInterval(_REMEMBER_MS)
        self._remembering.timeout.connect(self._remember_on_a_thread)

    def connect_views(
        self, stack: StackPanel, predict: PredictPanel, correct: CorrectPanel, export: ExportPanel
    ) -> None:
        """Let controllers do what the steps of the panel ask for."""
        stack.open_requested.connect(self.open_stack)
        stack.convert.convert_requested.connect(self.convert)
        stack.convert.cancel_requested.connect(self.conversion.cancel)
        depths = stack.depths
        depths.action_requested.connect(self.do)
        depths.projection_chosen.connect(self.projection.choose)
        depths.contrast_requested.connect(self.contrast.reset)
        depths.watched.connect(self.profile.watch)
        self.profile.arrived.connect(depths.show_profile)
        predict.run_requested.connect(self.prediction.predict)
        predict.cancel_requested.connect(self.prediction.cancel)
        predict.pause_requested.connect(self.prediction.pause)
        predict.continue_requested.connect(self.prediction.resume)
        predict.settings_changed.connect(self.prediction.change)
        predict.roi_requested.connect(self.prediction.roi.begin)
        predict.threshold_changed.connect(self.prediction.shown.set_threshold)
        correct.editable_requested.connect(self.labelling.make_editable)
        correct.tool_requested.connect(self.labelling.activate_tool)
        correct.action_requested.connect(self.do)
        correct.plain_view_requested.connect(self._layers.viewport.make_plain)
        correct.review.note_chosen.connect(self.review.go_to_note)
        correct.review.note_removed.connect(self.review.remove_note)
        correct.review.figures_requested.connect(self.review.count)
        correct.review.cancel_requested.connect(self.review.cancel)
        correct.similar.candidate_chosen.connect(self.similar.show)
        correct.similar.cancel_requested.connect(self.similar.cancel)
        correct.versions.version_named.connect(self.labelling.save_version)
        correct.versions.compare_requested.connect(self.compare.compare_version)
        correct.versions.restore_requested.connect(self.labelling.restore_version)
        correct.versions.import_requested.connect(self.labelling.import_labels)
        export.figure_requested.connect(self.export.export_figure)
        export.export_requested.connect(self.export.export)

    def do(self, name: str) -> None:
        """Do what an action says, as its key does; where it cannot be done yet, say why."""
        action = next(one for one in ACTIONS if one.name == name)
        if why_not := self.state.why_no_action(action):
            self.store.tell(why_not, Step.STACK if self.state.stack is None else Step.CORRECT)
        else:
            self._actions[name]()

    def actions(self) -> dict[str, Callable[[], Any]]:
        """Return what each action does, by its name; those that ask for something first belong to the panel."""
        tools = {action: partial(self.labelling.activate_tool, tool) for action, tool in TOOL_ACTIONS.items()}
        marks = {state.name.lower(): partial(self.review.mark, state) for state in ReviewState}
        return tools | marks | {
            "undo": self.labelling.undo,
            "redo": self.labelling.redo,
            "ink_from_edges": self.labelling.ink_from_edges,
            "edges_from_ink": self.labelling.edges_from_ink,
            "remove_specks": self.labelling.remove_specks,
            "bridge_gaps": self.labelling.bridge_gaps,
            "accept": self.similar.accept,
            "reject": self.similar.reject,
            "next_region": partial(self.review.go, 1),
            "previous_region": partial(self.review.go, -1),
            "blink_labels": self.display.blink_labels,
            "blink_prediction": self.display.blink_prediction,
            "swap": self.display.swap,
            "difference": self.compare.toggle_prediction,
            "projection": self.projection.toggle,
            "surface": self.depth.to_surface,
            "shallower": partial(self.depth.jump, -JUMP),
            "deeper": partial(self.depth.jump, JUMP),
            "flip": self.depth.flip,
            "explain": self.profile.explain,
            "fainter": partial(self.display.fade, False),
            "stronger": partial(self.display.fade, True),
        }  # fmt: skip

    def bind_actions(self, dialogs: Mapping[str, Callable[[], Any]]) -> None:
        """Bind keys to all actions; those that ask for something first are the panel's `dialogs`."""
        self._actions = self.actions() | dict(dialogs)
        key_bindings.bind(self._viewer, {name: partial(self.do, name) for name in self._actions})

    def canvas(self) -> QWidget | None:
        """Return the canvas of the viewer's window."""
        return canvas_of(self._widget)

    def adopt_open_stack(self) -> None:
        """Work on the stack that the viewer shows already, if it shows one."""
        if (layer := self._layers.find_stack()) is not None:
            self.adopt(layer)

    def stop_showing(self) -> None:
        """Stop the prediction and add no more layers: the window is closing."""
        self.prediction.cancel()
        self._layers.stop()

    def depth_shown(self) -> tuple[str, int, int]:
        """Return where the depth slider is in words, the surface layer, and the depth layer that is shown."""
        stack = self.state.stack
        return self.depth.where(), 0 if stack is None else stack.surface_z, self._layers.viewport.current_z()

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

        def fail(failure: JobFailed) -> None:
            if isinstance(failure.error, StackMovedError):
                self.stack_missing.emit(source, failure.message)
            else:
                self.store.fail(failure.message, Step.STACK)

        busy = f"Opening {str(source).rpartition('/')[2]}…"
        self.jobs.run("open", open_job(source, stack_at), self._on_opened, on_failure=fail, step=Step.STACK, busy=busy)

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
        self.store.close()
        self._remembering.stop()
        self.similar.cancel()
        self.review.cancel()
        self.conversion.cancel()
        self.compare.release()
        self.projection.release()
        self.contrast.release()
        self.labelling.release()
        self.depth.release()
        self.profile.release()
        key_bindings.unbind(self._viewer)
        self.labels.end()
        self._layers.release()
        self.jobs.cancel()
        self.prediction.shut_down()

    def _on_opened(self, event: StackOpened) -> None:
        self.labels.end()  # before the view is another one: it is remembered
        self._layers.show_stack(event.stack, event.contrast_limits)
        self._begin(event.stack, event.beside.mask, event.project)
        self.store.update(missing=event.missing, grey_note=event.grey_note, suggested_greys=event.suggested_greys)

    def _begin(self, stack: DepthStack, mask: Path | None, project: Project | None = None) -> None:
        self.jobs.cancel("draft", "export", "project", "version")
        self.similar.cancel()
        self.compare.end()
        self.prediction.reset()
        self.review.begin()
        now = self.state
        self.store.reset(
            InkState(
                stack=stack,
                mask=mask,
                device_line=now.device_line,
                ink_threshold=now.ink_threshold,
                edge_threshold=now.edge_threshold,
                conversion=now.conversion if now.conversion.done is not None else ConversionStatus(),
            )
        )
        folder = self.project_folder(stack) if project is None else project.folder
        self.projection.begin(stack)
        self.depth.begin(stack)
        self.profile.begin(stack)
        if (layer := self._layers.stack_layer) is not None:
            limits = (float(layer.contrast_limits[0]), float(layer.contrast_limits[1]))
            self.contrast.begin(layer, stack.fingerprint()[:16], limits)
        self.jobs.run(
            "project", project_job(stack, folder, project), self._on_found, step=Step.STACK, busy="Looking for labels…"
        )

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

            self.jobs.run("view", save(), lambda _: None, is_silent=True)

    def _on_converting(self) -> None:
        self.store.update(conversion=self.conversion.status)
        if self.conversion.status.out is not None:
            self.store.succeed(Step.STACK)

    def _on_layers_gone(self) -> None:
        """Keep up with layers that the user took out of the list."""
        if not self._layers.has_stack:
            self.prediction.reset()
            self.labels.end()
            self.store.reset(InkState(device_line=self.state.device_line, run=self.state.run))
        labels = self._layers.editable is not None
        self.store.update(
            has_prediction=self._layers.overlay is not None,
            labels=labels,
            labels_edited=labels and self.state.labels_edited,
            counts=self.state.counts if labels else LabelCounts(),
        )
