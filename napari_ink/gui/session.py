"""Session: the only place that creates controllers and connects them with views; it has no widgets.

Data flow in one cycle. A view emits ``*_requested``; a controller starts a job, changes layers or the
store of labels, and updates the `StateStore`; the store emits once a turn of the event loop; views render. Nothing else
flows back to a view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_ink.annotation import ReviewState
from napari_ink.gui.controllers import key_bindings
from napari_ink.gui.controllers.compare import CompareController
from napari_ink.gui.controllers.compare_predictions import PredictionCompareController
from napari_ink.gui.controllers.contrast import ContrastMemory
from napari_ink.gui.controllers.convert import ConversionController
from napari_ink.gui.controllers.depth import JUMP, DepthController
from napari_ink.gui.controllers.display import DisplayController
from napari_ink.gui.controllers.export import ExportController
from napari_ink.gui.controllers.labelling import LabellingController
from napari_ink.gui.controllers.labels import LabelsController
from napari_ink.gui.controllers.live import LiveController
from napari_ink.gui.controllers.prediction import PredictionController
from napari_ink.gui.controllers.predictions import PredictionListController
from napari_ink.gui.controllers.profile import ProfileController
from napari_ink.gui.controllers.projection import ProjectionController
from napari_ink.gui.controllers.review import ReviewController
from napari_ink.gui.controllers.similar import SimilarController
from napari_ink.gui.controllers.stack import StackController
from napari_ink.gui.controllers.state_store import StateStore
from napari_ink.gui.controllers.teaching import TeachingController
from napari_ink.gui.controllers.view_memory import ViewMemory
from napari_ink.gui.jobs.runner import JobRunner
from napari_ink.gui.layers.manager import LayerManager
from napari_ink.gui.layers.viewport import canvas_of
from napari_ink.gui.models.actions import ACTIONS, TOOL_ACTIONS, Tool
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.models.work import WorkKind
from napari_ink.gui.preferences import remember_source
from napari_ink.gui.tools import ToolManager
from napari_ink.gui.tools.box import BoxTool
from napari_ink.model import DEFAULT_MODEL
from napari_ink.stack import is_address

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_ink.gui.views import (
        CorrectPanel,
        ExportPanel,
        LearnPanel,
        Legend,
        PredictPanel,
        ReviewPanel,
        StackPanel,
        StatusArea,
    )
    from napari_ink.stack import DepthStack


class InkSession(QObject):
    """Session of one viewer, with its controllers and its state.

    Parameters
    ----------
    viewer
        Viewer that the session belongs to.
    parent
        Dock in the window of the viewer.
    sample_folder
        Folder of the shipped sample, which is never written to.

    Attributes
    ----------
    store : StateStore
        State of the window.
    jobs : JobRunner
        Runner of background jobs.
    prediction, predictions, compare_predictions : QObject
        Controllers of the prediction in use, of the list of predictions, and of the comparison of two.
    labels, labelling, export, review, similar, compare, teaching, live : QObject
        Controllers of labels and taught models.
    stack, projection, contrast, conversion, depth, profile, display, view_memory : QObject
        Controllers of the stack and its display.
    model_name : str
        Name or path of the model that is chosen for predictions; the dock keeps it up to date.
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
        self._viewer, self._widget, self._sample_folder = viewer, parent, sample_folder
        self._layers = layers = LayerManager(viewer, parent)
        self.store = store = StateStore(self)
        self.jobs = jobs = JobRunner(store.fail, store.succeed, lambda what: store.update(busy=what))
        self.labels = labels = LabelsController(layers, jobs, self)
        self.stack = StackController(store, jobs, layers, labels, sample_folder, self)
        self.prediction = PredictionController(store, jobs, layers, self.stack.project_folder, self)
        self.predictions = PredictionListController(store, jobs, self.prediction, self.stack.project_folder, self)
        self.compare_predictions = PredictionCompareController(store, jobs, layers, self)
        overlay = self.prediction.shown
        self.labelling = LabellingController(
            store, jobs, layers, labels, overlay, ToolManager(viewer, self), self.stack.project_folder, self
        )
        self.export = ExportController(store, jobs, layers, labels, overlay)
        self.display = DisplayController(viewer, layers)
        self.review = ReviewController(layers, self.display, labels, jobs, self._finished_prediction, self)
        self.similar = SimilarController(layers, self.display, labels, self.labelling.context.preview, jobs, self)
        self.compare = CompareController(layers, labels, jobs, self)
        self.teaching = TeachingController(store, jobs, labels, lambda: self.model_name, self)
        self.live = LiveController(store, jobs, layers, labels, lambda: self.teaching.start_model, self)
        self.projection, self.contrast = ProjectionController(layers, self), ContrastMemory(layers, self)
        self.conversion = ConversionController(jobs, self)
        self.depth = DepthController(viewer, layers, self)
        self.profile = ProfileController(viewer, self.prediction.ready_model, jobs, self)
        self.view_memory = ViewMemory(viewer, layers, labels, overlay, store, jobs, self)
        self.model_name = DEFAULT_MODEL
        self._actions: dict[str, Callable[[], Any]] = {}
        self._connect_stack()
        self._connect_store()

    def _remember(self, stack: DepthStack) -> None:
        """Put a stack into the list of recent ones, unless it is the sample or has no place of its own."""
        source = str(stack.source)
        is_sample = self._sample_folder is not None and Path(source).is_relative_to(self._sample_folder)
        if not is_sample and (is_address(source) or Path(source).exists()):
            remember_source(source)

    def _finished_prediction(self) -> Path | None:
        """Return the path of the shown prediction; None if there is none, or while one is running."""
        state = self.store.state
        return state.prediction if state.run is None else None

    def _connect_stack(self) -> None:
        """Connect the change from one stack to the next; slots run in the order of these lines."""
        stack = self.stack
        stack.missing.connect(self.stack_missing)
        for leave in (
            self.similar.cancel,
            self.compare.end,
            self.compare_predictions.end,
            self.prediction.reset,
            self.predictions.reset,
            self.review.reset,
            self.teaching.reset,
        ):
            stack.left.connect(leave)
        stack.begun.connect(self._remember)
        for controller in (self.projection, self.depth, self.profile, self.contrast):
            stack.begun.connect(controller.begin)
        stack.begun.connect(lambda _: self.predictions.refresh())
        # The view first, because the labels are read for the visible region.
        stack.project_opened.connect(self.view_memory.begin)
        stack.project_opened.connect(self.labels.begin)
        stack.project_opened.connect(lambda _: self.predictions.refresh())  # it may lie elsewhere than by default
        stack.prediction_found.connect(self.prediction.show_again)
        stack.prediction_found.connect(self.view_memory.restore_layers)
        stack.band_read.connect(self.prediction.show_band)
        box_tool = self.labelling.tools[Tool.FIND_SIMILAR]
        assert isinstance(box_tool, BoxTool)
        box_tool.box_drawn.connect(self.similar.search)
        box_tool.given_up.connect(self._stop_searching)

    def _connect_store(self) -> None:
        """Copy the status of controllers into the state, for controllers that do not know the store."""
        store = self.store
        store.changed.connect(self.changed)
        store.failed.connect(self.failed)
        self._layers.reading_failed.connect(lambda message: store.update(reading_error=message))
        self._layers.prediction_hidden.connect(lambda is_hidden: store.update(is_prediction_hidden=is_hidden))
        self._layers.stack_sampled.connect(lambda is_sampled: store.update(is_sampled=is_sampled))
        self.projection.changed.connect(lambda: store.update(projection=self.projection.status))
        self.conversion.changed.connect(lambda: store.update(conversion=self.conversion.status))
        self.conversion.converted.connect(partial(store.succeed, Step.STACK))
        self.review.changed.connect(lambda: store.update(review=self.review.status))
        self.similar.changed.connect(lambda: store.update(similar=self.similar.status))
        self.compare.changed.connect(lambda: store.update(compared=self.compare.against))
        self.teaching.comparison_requested.connect(self.compare_predictions.compare)
        for failed in (self.conversion.failed, self.profile.failed):
            failed.connect(partial(store.fail, step=Step.STACK))
        self.review.failed.connect(partial(store.fail, step=Step.REVIEW))
        for failed in (self.similar.failed, self.compare.failed, self.labels.failed):
            failed.connect(partial(store.fail, step=Step.CORRECT))

    def _stop_searching(self) -> None:
        self.similar.cancel()
        self.labelling.put_tool_away()

    def connect_views(
        self,
        stack: StackPanel,
        predict: PredictPanel,
        correct: CorrectPanel,
        learn: LearnPanel,
        review: ReviewPanel,
        export: ExportPanel,
        legend: Legend,
        status: StatusArea,
    ) -> None:
        """Connect requests of the panels to the controllers."""
        self._connect_status(status)
        legend.action_requested.connect(self.do)
        self._connect_stack_panel(stack)
        self._connect_predict_panel(predict)
        self._connect_correct_panel(correct)
        self._connect_learn_panel(learn)
        self._connect_review_panel(review)
        self._connect_export_panel(export)

    def _connect_stack_panel(self, stack: StackPanel) -> None:
        stack.open_requested.connect(self.stack.open)
        stack.convert.convert_requested.connect(lambda out: self.conversion.start(self.state.stack, out))
        stack.convert.cancel_requested.connect(self.conversion.cancel)
        depths = stack.depths
        depths.action_requested.connect(self.do)
        depths.projection_chosen.connect(self.projection.choose)
        depths.contrast_requested.connect(self.contrast.reset)
        depths.watched.connect(self.profile.watch)
        self.profile.arrived.connect(depths.show_profile)

    def _connect_predict_panel(self, predict: PredictPanel) -> None:
        predict.run_requested.connect(self.prediction.predict)
        predict.cancel_requested.connect(self.prediction.cancel)
        predict.pause_requested.connect(self.prediction.pause)
        predict.continue_requested.connect(self.prediction.resume)
        predict.settings_changed.connect(self.prediction.change)
        predict.roi_requested.connect(self.prediction.roi.begin)
        kept = predict.predictions
        kept.use_requested.connect(self.predictions.use)
        kept.rename_requested.connect(self.predictions.rename)
        kept.discard_requested.connect(self.predictions.discard)
        kept.restore_requested.connect(self.predictions.restore)
        kept.empty_requested.connect(self.predictions.empty_trash)
        kept.compare_requested.connect(self.compare_predictions.compare)
        kept.action_requested.connect(self.do)
        predict.threshold_changed.connect(self.prediction.shown.set_threshold)

    def _connect_correct_panel(self, correct: CorrectPanel) -> None:
        correct.editable_requested.connect(self.labelling.make_editable)
        correct.tool_requested.connect(self.labelling.activate_tool)
        correct.action_requested.connect(self.do)
        correct.settings.brush_chosen.connect(self.labelling.set_brush)
        correct.settings.reach_chosen.connect(self.labelling.set_reach)
        correct.settings.papyrus_chosen.connect(self.labelling.paint_papyrus)
        correct.plain_view_requested.connect(self._layers.viewport.make_plain)
        correct.similar.candidate_chosen.connect(self.similar.show)
        correct.similar.cancel_requested.connect(self._stop_searching)
        correct.versions.version_named.connect(self.labelling.save_version)
        correct.versions.compare_requested.connect(self.compare.compare_version)
        correct.versions.restore_requested.connect(self.labelling.restore_version)
        correct.versions.import_requested.connect(self.labelling.import_labels)

    def _connect_learn_panel(self, learn: LearnPanel) -> None:
        learn.learn_requested.connect(self.teaching.learn)
        learn.adapt_requested.connect(self.teaching.adapt)
        learn.cancel_requested.connect(self.teaching.cancel)
        learn.pause_requested.connect(self.teaching.pause)
        learn.continue_requested.connect(self.teaching.resume)
        learn.project_added.connect(self.teaching.add_project)
        learn.projects_cleared.connect(self.teaching.clear_projects)
        learn.live_requested.connect(self.live.switch)
        learn.predict_requested.connect(self.teaching.predict_with)
        learn.models.use_requested.connect(self.teaching.use)
        learn.models.rename_requested.connect(self.teaching.rename)
        learn.models.export_requested.connect(self.teaching.export)
        learn.models.check_requested.connect(self.teaching.check)
        learn.models.compare_requested.connect(self.teaching.compare)

    def _connect_review_panel(self, review: ReviewPanel) -> None:
        review.action_requested.connect(self.do)
        review.note_chosen.connect(self.review.go_to_note)
        review.note_removed.connect(self.review.remove_note)
        review.statistics_requested.connect(self.review.count)
        review.cancel_requested.connect(self.review.cancel)

    def _connect_export_panel(self, export: ExportPanel) -> None:
        export.figure_requested.connect(self.export.export_figure)
        export.export_requested.connect(self.export.export)
        export.copy_requested.connect(self.export.copy_figure)
        export.count_requested.connect(self.export.count)

    def _connect_status(self, status: StatusArea) -> None:
        cancel = {
            WorkKind.PREDICTION: self.prediction.cancel,
            WorkKind.LEARNING: self.teaching.cancel,
            WorkKind.SEARCH: self.similar.cancel,
            WorkKind.RANKING: self.review.cancel,
            WorkKind.CONVERSION: self.conversion.cancel,
        }
        status.cancel_requested.connect(lambda kind: cancel[WorkKind(kind)]())
        status.pause_requested.connect(self._pause)
        status.message_read.connect(self.store.succeed)

    def _pause(self, kind: str) -> None:
        """Pause a prediction or a lesson, or let it continue."""
        if kind == WorkKind.PREDICTION:
            self.prediction.pause()
        elif self.state.teaching.paused:
            self.teaching.resume()
        else:
            self.teaching.pause()

    def do(self, name: str) -> None:
        """Trigger an action by name, like its key; if it is not possible yet, show the reason."""
        action = next(one for one in ACTIONS if one.name == name)
        if why_not := self.state.why_no_action(action):
            self.store.notify(why_not, Step.STACK if self.state.stack is None else Step.CORRECT)
        else:
            self._actions[name]()

    def actions(self) -> dict[str, Callable[[], Any]]:
        """Return the function of each action by name, except for actions that open a dialog of the dock."""
        # Names of review states and tools are the names of their actions, so that a new one needs no line here.
        tools = {action: partial(self.labelling.activate_tool, tool) for action, tool in TOOL_ACTIONS.items()}
        marks = {state.name.lower(): partial(self.review.mark, state) for state in ReviewState}
        return {
            **tools,
            **marks,
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
            "flicker": self.compare_predictions.flicker,
            "live": self.live.toggle,
            "projection": self.projection.toggle,
            "surface": self.depth.to_surface,
            "shallower": partial(self.depth.jump, -JUMP),
            "deeper": partial(self.depth.jump, JUMP),
            "flip": self.depth.flip,
            "explain": self.profile.explain,
            "fainter": partial(self.display.fade, False),
            "stronger": partial(self.display.fade, True),
        }

    def bind_actions(self, dialogs: Mapping[str, Callable[[], Any]]) -> None:
        """Bind keys to all actions, including the `dialogs` of the dock."""
        self._actions = self.actions() | dict(dialogs)
        key_bindings.bind(self._viewer, {name: partial(self.do, name) for name in self._actions})

    def canvas(self) -> QWidget | None:
        """Return the canvas in the window of the viewer."""
        return canvas_of(self._widget)

    def stop_showing(self) -> None:
        """Cancel the prediction and add no more layers, because the window is closing."""
        self.prediction.cancel()
        self._layers.stop()

    def depth_shown(self) -> tuple[str, int, int]:
        """Return a sentence on the depth slider, the surface layer, and the current layer."""
        stack = self.state.stack
        return self.depth.where(), 0 if stack is None else stack.surface_z, self._layers.viewport.current_z()

    @property
    def state(self) -> InkState:
        """Current state of the window."""
        return self.store.state

    def open_stack(self, source: Path | str, stack_at: Path | None = None) -> None:
        """Open a stack, or a project with its stack; `stack_at` is the new place of a stack that was moved."""
        self.stack.open(source, stack_at)

    def shut_down(self) -> None:
        """Stop all work and disconnect from the viewer when the dock is removed; nothing is emitted."""
        # The store first, so that views that are being deleted render nothing. Labels before the jobs, because closing
        # the project saves the view and pending strokes.
        self.store.close()
        self.view_memory.release()
        self.similar.cancel()
        self.review.cancel()
        self.conversion.cancel()
        self.compare.release()
        self.compare_predictions.release()
        self.projection.release()
        self.contrast.release()
        self.labelling.release()
        self.depth.release()
        self.live.release()
        self.profile.release()
        key_bindings.unbind(self._viewer)
        self.labels.end()
        self._layers.release()
        self.jobs.cancel()
        self.prediction.shut_down()
