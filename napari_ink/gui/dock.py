"""Dock "Ink" with the six steps, the legend and the status area, connected to the session."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QKeySequence, QResizeEvent, QShortcut, QShowEvent
from qtpy.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QInputDialog,
    QLayout,
    QMainWindow,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_ink.errors import NapariInkError
from napari_ink.gui.layers.gl_context import guard_removal, main_window_of
from napari_ink.gui.models.prediction import ModelEntry, known_models, model_entry
from napari_ink.gui.models.segments import is_segment_folder
from napari_ink.gui.models.state import InkState, Step
from napari_ink.gui.preferences import preferred_model, shown_key
from napari_ink.gui.session import InkSession
from napari_ink.gui.views import (
    CorrectPanel,
    ExportPanel,
    LearnPanel,
    Legend,
    PredictPanel,
    ReviewPanel,
    StackPanel,
    StatusArea,
    StepBar,
    StepPanel,
)
from napari_ink.gui.views.cheat_sheet import CheatSheet
from napari_ink.gui.views.drop_filter import DropFilter
from napari_ink.gui.views.input_filter import InputFilter
from napari_ink.gui.views.models_dialog import is_model_file
from napari_ink.gui.views.page import Page, lay_out_again
from napari_ink.gui.views.preferences_dialog import PreferencesDialog
from napari_ink.gui.views.recent_menu import RecentMenu
from napari_ink.gui.views.similar_section import SimilarSection
from napari_ink.gui.views.style import style_sheet, text_colour
from napari_ink.phantom import sample_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import napari

_FILE = "File"
# Height of the panel, in lines of text, in which every step has room for all that it shows.
_LINES_OF_ALL = 42


class CloseWatch(QObject):
    """Event filter that emits `closed` once a window is closed, since napari may ask the user and stay open."""

    closed = Signal()
    _is_asked = False

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Emit `closed` when a request to close is followed by the window being hidden."""
        if event is not None and event.type() == QEvent.Type.Close:
            self._is_asked = True
        elif event is not None and event.type() == QEvent.Type.Hide and self._is_asked:
            self.closed.emit()
        return False


class InkDock(QWidget):
    """Dock widget with the steps Stack, Predict, Correct, Learn, Review and Export, of which one is open at a time.

    Parameters
    ----------
    napari_viewer
        Viewer that the dock belongs to.

    Attributes
    ----------
    session : InkSession
        Session with all controllers.
    stack, predict, correct, learn, review, export : StepPanel
        Panels of the steps.
    steps : StepBar
        Bar with the steps.
    legend : Legend
        Legend of the colours.
    status : StatusArea
        What is running, the last message, and whether all is saved.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._shown = InkState()
        self._are_pages_laid_out = False
        self._fitted = (False, 0)  # whether the panel is compact, and the height of a line
        self._fit_later = QTimer(self)
        self._fit_later.setSingleShot(True)
        self._fit_later.timeout.connect(self._fit_width)
        self.session = InkSession(napari_viewer, self, sample_path())
        self.stack, self.predict = StackPanel(), PredictPanel(known_models())
        self.correct, self.learn = CorrectPanel(), LearnPanel()
        self.review, self.export = ReviewPanel(), ExportPanel()
        self._panels: tuple[StepPanel, ...] = (
            self.stack,
            self.predict,
            self.correct,
            self.learn,
            self.review,
            self.export,
        )
        self.steps, self.legend, self.status = StepBar(), Legend(), StatusArea()
        self._closing = CloseWatch(self)
        self._recent = RecentMenu("Recent Segments (Ink)")
        self._recent.open_requested.connect(self.open_stack)
        self._drops = DropFilter(self, lambda path: is_segment_folder(path) or is_model_file(path))
        self._drops.dropped.connect(self._on_dropped)
        self._help_keys: list[QShortcut] = []
        self._lay_out()
        InputFilter(self, self.session.canvas)
        self.session.connect_views(
            self.stack, self.predict, self.correct, self.learn, self.review, self.export, self.legend, self.status
        )
        self._connect()
        self._on_theme()
        napari_viewer.events.theme.connect(self._on_theme)
        self._fonts = get_settings().appearance.events.font_size
        self._fonts.connect(self._on_theme)
        self.session.bind_actions({"note": self._ask_for_note, "help": self._show_keys})
        self.destroyed.connect(_let_go(self.session, guard_removal(napari_viewer, self), self._help_keys, self._recent))
        self._choose_preferred_model()
        if (model := self.predict.model()) is not None:
            self.session.model_name = model.name_or_path
            self.session.prediction.shown.use_thresholds(model)
        self._on_changed(self.session.state)
        self.session.stack.adopt_open_stack()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the width that shows every button in full, in the current font."""
        return QSize(self.minimumSizeHint().width(), super().sizeHint().height())

    def open_step(self, step: Step) -> None:
        """Show the page of a step."""
        self.steps.open(step)
        self._pages.setCurrentIndex(list(Step).index(step))

    def page(self) -> QScrollArea:
        """Return the page of the open step."""
        page = self._pages.currentWidget()
        assert isinstance(page, QScrollArea)
        return page

    def open_stack(self, source: Path | str) -> None:
        """Open a stack or a project."""
        self.session.open_stack(source)

    def showEvent(self, a0: QShowEvent | None) -> None:  # noqa: N802
        """Watch the window of the dock, to stop cleanly when it is closed."""
        super().showEvent(a0)
        self._fit_later.start()  # once napari's style has arrived: before, the fonts of the panel are others
        if (window := main_window_of(self)) is not None:
            window.installEventFilter(self._closing)
            self._listen_for_help(window)
            self._add_to_file_menu(window)
            self._drops.watch(self.session.canvas())

    def _add_to_file_menu(self, window: QMainWindow) -> None:
        bar = window.menuBar()
        menus = [] if bar is None else [action.menu() for action in bar.actions() if _FILE in action.text()]
        if menus and menus[0] is not None and self._recent.parent() is None:
            self._recent.setParent(menus[0], self._recent.windowFlags())
            menus[0].addMenu(self._recent)

    def _on_measured(self) -> None:
        # A dock that the user made wider keeps its width.
        above = self._dock_widget()
        if above is not None and above.width() <= above.minimumWidth():
            self._fit_later.start()

    def _dock_widget(self) -> QDockWidget | None:
        above = self.parentWidget()
        while above is not None and not isinstance(above, QDockWidget):
            above = above.parentWidget()
        return above

    def resizeEvent(self, a0: QResizeEvent | None) -> None:  # noqa: N802
        """Make the steps compact in a window that is low for its font."""
        super().resizeEvent(a0)
        self._fit_height()

    def _fit_height(self) -> None:
        line = self.status.work.fontMetrics().lineSpacing()
        is_compact = self.height() < _LINES_OF_ALL * line
        # Only when one of them changes, since each part asks for another layout then.
        if (is_compact, line) != self._fitted:
            self._fitted = is_compact, line
            for panel in self._panels:
                panel.set_compact(is_compact)
            self.status.set_compact(is_compact)

    def _fit_width(self) -> None:
        """Give the dock the width that the panel needs, and the rest to the picture."""
        self._fit_height()  # by now, another font has arrived
        window, above = main_window_of(self), self._dock_widget()
        if window is not None and above is not None and not above.isFloating():
            if not self._are_pages_laid_out:
                self._are_pages_laid_out = True  # before, since laying out asks for another fit
                self._lay_out_pages()
            # Qt never lowers the least width of a dock by itself; before napari's style arrived, it was larger.
            above.setMinimumWidth(0)
            lay_out_again(above.layout())
            window.resizeDocks([above], [self.sizeHint().width()], Qt.Orientation.Horizontal)

    def _lay_out_pages(self) -> None:
        """Lay out all pages; those that were never open would else ask for the room that they needed unstyled."""
        for widget in self._pages.findChildren(QWidget):
            widget.ensurePolished()
        for layout in self._pages.findChildren(QLayout):
            lay_out_again(layout)

    def _listen_for_help(self, window: QWidget) -> None:
        # napari has no key "?" and drops the Shift that most keyboards need for it; Qt handles it on all keyboards.
        if not self._help_keys and shown_key("help") == "?":
            shortcut = QShortcut(window)
            shortcut.setKeys([QKeySequence("?"), QKeySequence("Shift+?")])
            shortcut.activated.connect(self._show_keys)
            shortcut.activatedAmbiguously.connect(self._show_keys)  # on keyboards where both sequences match
            self._help_keys.append(shortcut)

    def _lay_out(self) -> None:
        self._pages = QStackedWidget()
        # Where no part of a dock wants to grow, napari adds empty space below, which would take half of the height.
        self._pages.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        for panel in self._panels:
            page = Page(panel)
            page.measured.connect(self._on_measured)
            self._pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.steps)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self.status)
        layout.addWidget(self.legend)
        self.open_step(Step.STACK)

    def _connect(self) -> None:
        session = self.session
        session.changed.connect(self._on_changed)
        self.steps.step_chosen.connect(self.open_step)
        session.stack_missing.connect(self._on_stack_missing)
        session.depth.changed.connect(lambda: self.stack.depths.show_depth(*session.depth_shown()))
        self._closing.closed.connect(session.stop_showing)
        self.stack.sample_requested.connect(self._on_sample)
        self.predict.model_chosen.connect(self._on_model)
        self.predict.model_file_requested.connect(self._on_model_file)
        session.teaching.model_chosen.connect(self.predict.add_model)
        session.teaching.prediction_requested.connect(self.predict.request_run)

    def do(self, name: str) -> None:
        """Trigger an action by name, like its key."""
        self.session.do(name)

    def _ask_for_note(self) -> None:
        """Ask for the text of a note on the place under the mouse."""
        y, x = self._viewer.cursor.position[-2:]
        text, is_given = QInputDialog.getText(self, "Note", f"Note on row {y:.0f}, column {x:.0f}")
        if is_given:
            self.session.review.add_note(y, x, text)

    def _on_stack_missing(self, project: Path, message: str) -> None:
        """Ask for the new folder of the stack of a project."""
        self.session.store.fail(message, Step.STACK)
        if chosen := QFileDialog.getExistingDirectory(self, f"{message} Choose the folder of its depth layers"):
            self.session.open_stack(project, Path(chosen))

    def _show_keys(self) -> None:
        """Show the list of keys, or close it if it is open."""
        if (sheet := self.findChild(CheatSheet)) is not None:
            sheet.close()
        else:
            sheet = CheatSheet(self)
            sheet.preferences_requested.connect(self.change_preferences)
            sheet.show()

    def change_preferences(self) -> None:
        """Open the dialog for colours and keys."""
        PreferencesDialog(self).open()

    def _on_changed(self, state: InkState) -> None:
        is_new_stack = state.stack is not None and state.stack is not self._shown.stack
        is_progress, before, self._shown = state.is_progress_since(self._shown), self._shown, state
        if is_progress:  # several times per second, so only the progress is rendered
            self.predict.show_progress(state.run)
            self.status.show_progress(state)
            return
        for panel in self._panels:
            panel.show_state(state)
        if SimilarSection.is_needed(state) and not SimilarSection.is_needed(before):
            self.open_step(Step.CORRECT)  # its key works in all steps, and only there are the candidates
        self.steps.show_state(state)
        self.legend.show_state(state)
        self.status.show_state(state)
        if is_new_stack and (model := self.predict.model()) is not None:
            self.session.prediction.warm_up(model)

    def _on_sample(self) -> None:
        self.session.open_stack(sample_path())

    def _on_model(self, model: ModelEntry) -> None:
        self.session.model_name = model.name_or_path
        self.session.prediction.choose_model(model)
        if self.session.state.stack is not None:
            self.session.prediction.warm_up(model)

    def _choose_preferred_model(self) -> None:
        """Select the model from Preferences, a shipped one or a file."""
        if not (name := preferred_model()):
            return
        shipped = next((model for model in known_models() if model.name_or_path == name), None)
        if shipped is not None:
            self.predict.add_model(shipped)
        else:
            self._on_model_file(Path(name).expanduser())

    def _on_dropped(self, path: Path) -> None:
        if not is_model_file(path):
            self.open_stack(path)
        elif self.session.state.run is not None:
            self.session.store.fail("A prediction is running; cancel it, or wait, to use another model.", Step.PREDICT)
        else:
            self._on_model_file(path)

    def _on_model_file(self, path: Path) -> None:
        try:
            self.predict.add_model(model_entry(path))
        except NapariInkError as error:
            self.session.store.fail(str(error), Step.PREDICT)
        else:
            self.session.store.succeed(Step.PREDICT)

    def _on_theme(self, *_: object) -> None:
        self._are_pages_laid_out = False
        self._fit_later.start()
        self.setStyleSheet(style_sheet(self._viewer.theme, get_settings().appearance.font_size))
        self.correct.bar.show_colour(text_colour(self._viewer.theme))


def _let_go(
    session: InkSession,
    take_away_guard: Callable[[], None],
    shortcuts: Iterable[QShortcut],
    recent: RecentMenu,
) -> Callable[[], None]:
    """Return a function that cleans up after the dock; it must not refer to the dock, which is deleted by then."""

    def let_go() -> None:
        session.shut_down()
        for shortcut in shortcuts:
            with suppress(RuntimeError):  # it went with the window
                shortcut.setEnabled(False)
                shortcut.deleteLater()
        with suppress(RuntimeError):
            recent.deleteLater()
        take_away_guard()

    return let_go
