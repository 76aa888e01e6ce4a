"""The dock "Ink": the four steps in their order, joined to the session."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QKeySequence, QShortcut, QShowEvent
from qtpy.QtWidgets import QFileDialog, QFrame, QInputDialog, QScrollArea, QVBoxLayout, QWidget

from napari_ink.annotation import ReviewState
from napari_ink.errors import NapariInkError
from napari_ink.gui.contributions.sample import sample_folder
from napari_ink.gui.controllers import key_bindings
from napari_ink.gui.controllers.depth import JUMP, DepthController
from napari_ink.gui.controllers.display import Looking
from napari_ink.gui.controllers.profile import ProfileController
from napari_ink.gui.layers.gl_context import guard_removal, main_window_of
from napari_ink.gui.layers.manager import LayerManager
from napari_ink.gui.layers.viewport import canvas_of
from napari_ink.gui.models.actions import ACTIONS, TOOL_ACTIONS
from napari_ink.gui.models.prediction import ModelEntry, known_models, model_entry
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.session import InkSession
from napari_ink.gui.tools import ToolManager
from napari_ink.gui.views import CorrectPanel, ExportPanel, PredictPanel, StackPanel, StepPanel
from napari_ink.gui.views.cheat_sheet import CheatSheet
from napari_ink.gui.views.input_filter import PanelManners
from napari_ink.gui.views.style import style_sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import napari

_WIDTH = 390


class CloseWatch(QObject):
    """Tells that a window has been closed, and not merely asked to: napari may ask its user and stay open."""

    closed = Signal()
    _is_asked = False

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Wait for the close that is followed by the window's vanishing."""
        if event is not None and event.type() == QEvent.Type.Close:
            self._is_asked = True
        elif event is not None and event.type() == QEvent.Type.Hide and self._is_asked:
            self.closed.emit()
        return False


class InkDock(QWidget):
    """Open, predict, correct, export.

    Parameters
    ----------
    napari_viewer
        The viewer that it works in.

    Attributes
    ----------
    session : InkSession
        The state of the work.
    stack, predict, correct, export : StepPanel
        The steps.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._shown = InkState()
        self._step = Step.STACK
        self._scroll_later = QTimer(self)
        self._scroll_later.setSingleShot(True)
        self._scroll_later.timeout.connect(self._on_scroll)
        self._layers = LayerManager(napari_viewer, self)
        display = Looking(napari_viewer, self._layers)
        self._depth = DepthController(napari_viewer, self._layers, self)
        self.session = InkSession(self._layers, display, ToolManager(napari_viewer, self), sample_folder(), self)
        self._profile = ProfileController(napari_viewer, self.session.prediction.ready_model, self)
        self.stack, self.predict = StackPanel(), PredictPanel(known_models())
        self.correct, self.export = CorrectPanel(), ExportPanel()
        self._panels: tuple[StepPanel, ...] = (self.stack, self.predict, self.correct, self.export)
        self._closing = CloseWatch(self)
        self._help_keys: list[QShortcut] = []
        self._lay_out()
        PanelManners(self, lambda: canvas_of(self))
        self._connect()
        self._on_theme()
        napari_viewer.events.theme.connect(self._on_theme)
        key_bindings.bind(napari_viewer, {name: partial(self.do, name) for name in self._does()})
        rooms = (self._depth, self._profile)
        end_guard = guard_removal(napari_viewer, self)
        self.destroyed.connect(_let_go(napari_viewer, self.session, rooms, end_guard, self._help_keys))
        if (model := self.predict.model()) is not None:
            self.session.prediction.shown.use_thresholds(model)
        self._on_changed(self.session.state)
        if (layer := self._layers.find_stack()) is not None:
            self.session.adopt(layer)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for a width that shows every button whole."""
        return QSize(self.minimumWidth(), super().sizeHint().height())

    def open_stack(self, source: Path | str) -> None:
        """Open a stack, as the first step does."""
        self.session.open_stack(source)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Watch the window that the dock is in, to stop cleanly when it is closed."""
        super().showEvent(event)
        if (window := main_window_of(self)) is not None:
            window.installEventFilter(self._closing)
            self._listen_for_help(window)

    def _listen_for_help(self, window: QWidget) -> None:
        # napari knows no key ?, and takes the Shift from what makes it on most keyboards; Qt knows it on all of them.
        if not self._help_keys and key_bindings.shown_key("help") == "?":
            shortcut = QShortcut(window)
            shortcut.setKeys([QKeySequence("?"), QKeySequence("Shift+?")])
            shortcut.activated.connect(self._show_keys)
            shortcut.activatedAmbiguously.connect(self._show_keys)  # where the keyboard's ? is both
            self._help_keys.append(shortcut)

    def _lay_out(self) -> None:
        steps = QWidget()
        column = QVBoxLayout(steps)
        column.setContentsMargins(6, 6, 8, 6)
        column.setSpacing(6)
        for panel in self._panels:
            column.addWidget(panel)
        column.addStretch(1)
        self._scroll = scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(steps)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        bar = scroll.verticalScrollBar()
        needed = steps.minimumSizeHint().width() + (0 if bar is None else bar.sizeHint().width())
        self.setMinimumWidth(max(_WIDTH, needed))

    def _connect(self) -> None:
        session = self.session
        session.changed.connect(self._on_changed)
        session.stack_missing.connect(self._on_stack_missing)
        self._closing.closed.connect(session.prediction.cancel)
        self._closing.closed.connect(self._layers.stop)
        self.stack.open_requested.connect(session.open_stack)
        self.stack.sample_requested.connect(self._on_sample)
        self.stack.convert.convert_requested.connect(session.convert)
        self.stack.convert.cancel_requested.connect(session.conversion.cancel)
        depth = self.stack.depths
        depth.action_requested.connect(self.do)
        depth.projection_chosen.connect(session.projection.choose)
        depth.contrast_requested.connect(session.contrast.reset)
        depth.watched.connect(self._profile.watch)
        self._depth.changed.connect(self._on_depth)
        self._profile.arrived.connect(depth.show_profile)
        self._profile.failed.connect(partial(session.store.fail, step=Step.STACK))
        self.predict.run_requested.connect(session.prediction.predict)
        self.predict.cancel_requested.connect(session.prediction.cancel)
        self.predict.pause_requested.connect(session.prediction.pause)
        self.predict.continue_requested.connect(session.prediction.resume)
        self.predict.settings_changed.connect(session.prediction.change)
        self.predict.roi_requested.connect(session.prediction.roi.begin)
        self.predict.model_chosen.connect(self._on_model)
        self.predict.model_file_requested.connect(self._on_model_file)
        self.predict.threshold_changed.connect(session.prediction.shown.set_threshold)
        self.correct.editable_requested.connect(session.labelling.make_editable)
        self.correct.tool_requested.connect(session.labelling.activate_tool)
        self.correct.action_requested.connect(self.do)
        self.correct.plain_view_requested.connect(self._layers.viewport.make_plain)
        self.correct.review.note_chosen.connect(session.review.go_to_note)
        self.correct.review.note_removed.connect(session.review.remove_note)
        self.correct.review.figures_requested.connect(session.review.count)
        self.correct.review.cancel_requested.connect(session.review.cancel)
        self.correct.similar.candidate_chosen.connect(session.similar.show)
        self.correct.similar.cancel_requested.connect(session.similar.cancel)
        self.correct.versions.version_named.connect(session.labelling.save_version)
        self.correct.versions.compare_requested.connect(session.compare.compare_version)
        self.correct.versions.restore_requested.connect(session.labelling.restore_version)
        self.correct.versions.import_requested.connect(session.labelling.import_labels)
        self.export.figure_requested.connect(session.labelling.export_figure)
        self.export.export_requested.connect(session.labelling.export)

    def do(self, name: str) -> None:
        """Do what an action says, as its key does; where it cannot be done yet, why is told."""
        action = next(one for one in ACTIONS if one.name == name)
        if why_not := self.session.state.why_no_action(action):
            self.session.store.tell(why_not, Step.STACK if self.session.state.stack is None else Step.CORRECT)
        else:
            self._does()[name]()

    def _does(self) -> dict[str, Callable[[], None]]:
        """Return what each action does."""
        session = self.session
        labelling, review, display = session.labelling, session.review, session.display
        tools = {action: partial(labelling.activate_tool, tool) for action, tool in TOOL_ACTIONS.items()}
        marks = {state.name.lower(): partial(review.mark, state) for state in ReviewState}
        return tools | marks | {
            "undo": labelling.undo,
            "redo": labelling.redo,
            "ink_from_edges": labelling.ink_from_edges,
            "edges_from_ink": labelling.edges_from_ink,
            "remove_specks": labelling.remove_specks,
            "bridge_gaps": labelling.bridge_gaps,
            "accept": session.similar.accept,
            "reject": session.similar.reject,
            "next_region": partial(review.go, 1),
            "previous_region": partial(review.go, -1),
            "note": self._ask_for_note,
            "blink_labels": display.blink_labels,
            "blink_prediction": display.blink_prediction,
            "swap": display.swap,
            "difference": session.compare.toggle_prediction,
            "projection": session.projection.toggle,
            "surface": self._depth.to_surface,
            "shallower": partial(self._depth.jump, -JUMP),
            "deeper": partial(self._depth.jump, JUMP),
            "flip": self._depth.flip,
            "explain": self._profile.explain,
            "fainter": partial(display.fade, False),
            "stronger": partial(display.fade, True),
            "help": self._show_keys,
        }  # fmt: skip

    def _ask_for_note(self) -> None:
        """Ask for the words of a note on the place under the mouse."""
        y, x = self._viewer.cursor.position[-2:]
        text, is_given = QInputDialog.getText(self, "Note", f"Note on row {y:.0f}, column {x:.0f}")
        if is_given:
            self.session.review.add_note(y, x, text)

    def _on_stack_missing(self, project: Path, message: str) -> None:
        """Ask where the stack of a project lies now."""
        self.session.store.fail(message, Step.STACK)
        if chosen := QFileDialog.getExistingDirectory(self, f"{message} Choose the folder of its depth layers"):
            self.session.open_stack(project, Path(chosen))

    def _show_keys(self) -> None:
        """Show every key there is, or put that away again."""
        if (sheet := self.findChild(CheatSheet)) is not None:
            sheet.close()
        else:
            CheatSheet(self).show()

    def _on_changed(self, state: InkState) -> None:
        is_new_stack = state.stack is not None and state.stack is not self._shown.stack
        is_progress, before, self._shown = state.is_progress_since(self._shown), self._shown, state
        if is_progress:  # several times a second
            self.predict.show_progress(state.run)
            return
        for panel in self._panels:
            panel.show_state(state)
        self._bring_up(state.current_step)
        if new := [step for step, said in state.messages if said != before.message(step)]:
            self._scroll_to(self._panels[list(Step).index(new[-1])].message)
        if is_new_stack and state.stack is not None:
            self._depth.begin(state.stack)
            self._profile.begin(state.stack)
        if is_new_stack and (model := self.predict.model()) is not None:
            self.session.prediction.warm_up(model)

    def _on_depth(self) -> None:
        surface = 0 if self._shown.stack is None else self._shown.stack.surface_z
        self.stack.depths.show_depth(self._depth.where(), surface, self._layers.viewport.current_z())

    def _bring_up(self, step: Step) -> None:
        """Scroll to the step that is to be done now, once when it becomes that."""
        if step is not self._step:
            self._step = step
            self._scroll_to(self._panels[list(Step).index(step)])

    def _scroll_to(self, widget: QWidget) -> None:
        self._to_see = widget
        self._scroll_later.start()  # once the layout knows how tall the steps have become

    def _on_scroll(self) -> None:
        self._scroll.ensureWidgetVisible(self._to_see)

    def _on_sample(self) -> None:
        self.session.open_stack(sample_folder())

    def _on_model(self, model: ModelEntry) -> None:
        self.session.prediction.shown.use_thresholds(model)
        if self.session.state.stack is not None:
            self.session.prediction.warm_up(model)

    def _on_model_file(self, path: Path) -> None:
        try:
            self.predict.add_model(model_entry(path))
        except NapariInkError as error:
            self.session.store.fail(str(error), Step.PREDICT)
        else:
            self.session.store.succeed(Step.PREDICT)

    def _on_theme(self, *_: object) -> None:
        self.setStyleSheet(style_sheet(self._viewer.theme))


def _let_go(
    viewer: napari.viewer.Viewer,
    session: InkSession,
    rooms: Iterable[DepthController | ProfileController],
    take_away_guard: Callable[[], None],
    shortcuts: Iterable[QShortcut],
) -> Callable[[], None]:
    """Return what is to happen once the dock is gone; it holds no reference to the dock itself."""

    def let_go() -> None:
        session.shut_down()
        for room in rooms:
            room.release()
        key_bindings.unbind(viewer)
        for shortcut in shortcuts:
            with suppress(RuntimeError):  # it went with the window
                shortcut.setEnabled(False)
                shortcut.deleteLater()
        take_away_guard()

    return let_go
