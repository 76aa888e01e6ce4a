"""List of the predictions of a segment: use, compare, rename and delete one, and restore it from the trash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QMessageBox,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_ink.gui.models.predictions import PredictionsStatus, size, title
from napari_ink.gui.models.state import InkState
from napari_ink.gui.preferences import shown_key
from napari_ink.gui.views.prediction_rows import PredictionRows
from napari_ink.gui.views.section import row
from napari_ink.gui.views.step_panel import Lines, button
from napari_ink.gui.views.widgets import fit_rows

if TYPE_CHECKING:
    from napari_ink.predict import StoredPrediction

_ROWS_SHOWN, _LEGEND_LINES, _SPACING = 3, 2, 6
_MOST_IN_MENU = 12
_COMPARE = "Show where the selected prediction differs from the one in use"
_LEGEND = "Yellow: more ink in {first}. Purple: more ink in {second}."
_USE = "Show this prediction, and use it for labels, review and export"
_NONE = "Select a prediction in the list"
_IN_USE = "This prediction is in use"
_RUNNING = "Wait for the running prediction, or cancel it"
_NEED_TWO = "Compare and Flicker need two predictions: run another model, or other settings."
_NEED_OTHER = "To compare, select another prediction than the one in use (●)."
_NEED_COMPARISON = "Flicker alternates between the two predictions of a comparison: press Compare first."
_FLICKER = "Show the compared prediction in place of the one in use, or back ({key})"
_ALTERNATING = "Shown now: {second}. {key} goes back to {first}."


class PredictionsList(QWidget):
    """List of predictions, newest first; the one in use is bold.

    Emits `use_requested`, `discard_requested` and `compare_requested` with the store of a prediction (None ends the
    comparison), `rename_requested` with a store and a name, `restore_requested` with a path in the trash or None for
    the one deleted last, `empty_requested`, and `action_requested` with the name of an action.
    """

    use_requested = Signal(object)
    rename_requested = Signal(object, str)
    discard_requested = Signal(object)
    restore_requested = Signal(object)
    empty_requested = Signal()
    compare_requested = Signal(object)
    action_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._state, self._is_compact = InkState(), False
        self.rows = PredictionRows(self)
        self.list = QListView()
        self.list.setObjectName("inkPredictions")
        self.list.setModel(self.rows)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.list.setToolTip("Double-click uses a prediction, F2 renames it, Delete moves it to the trash")
        self.trash_button = QToolButton()
        self.trash_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.trash_menu = QMenu(self.trash_button)
        self.trash_button.setMenu(self.trash_menu)
        # Qt draws its own arrow over the text.
        self.trash_button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.use_button = button("Use", _USE)
        self.compare_button = button("Compare", _COMPARE)
        self.flicker_button = button("Flicker", "")
        self.rename_button = button("Rename", "Give this prediction another name")
        self.discard_button = button("Delete", "Move this prediction to the trash")
        self.undo_button = button("Undo delete", "Restore the prediction that was deleted last")
        self.legend = Lines(_LEGEND_LINES)
        self._lay_out()
        self._connect()

    def show_state(self, state: InkState) -> None:
        """Show the predictions, the comparison and the trash."""
        before, self._state = self._state, state
        selected = self._selected()
        is_running = state.run is not None
        is_reset = self.rows.show_rows(state.predictions, state.prediction, is_running)
        # The list follows the prediction in use; otherwise each row stays selected.
        if state.prediction != before.prediction or (is_reset and selected is None):
            self._select(self.rows.index_of(state.prediction))
        elif is_reset and selected is not None:
            self._select(self.rows.index_of(selected.path))
        if state.predictions.trash != before.predictions.trash or not self.trash_button.text():
            self._show_trash(state.predictions)
        if len(state.doubts) != len(before.doubts):
            self._fit_list()
        self._show_buttons()

    def set_compact(self, is_compact: bool) -> None:
        """Show fewer rows and a shorter legend, which is hidden where nothing is compared, or all of them."""
        self._is_compact = is_compact
        self._column.setSpacing(_SPACING // 2 if is_compact else _SPACING)
        self.legend.set_count(1 if is_compact else _LEGEND_LINES)
        self._show_legend()
        self._fit_list()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        name = QLabel("Predictions")
        name.setObjectName("inkStrong")
        head.addWidget(name)
        head.addStretch(1)
        head.addWidget(self.trash_button)
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(_SPACING)
        column.addLayout(head)
        column.addWidget(self.list)
        column.addLayout(row(self.use_button, self.compare_button, self.flicker_button))
        column.addLayout(row(self.rename_button, self.discard_button, self.undo_button))
        column.addWidget(self.legend)
        fit_rows(self.list, _ROWS_SHOWN)

    def _connect(self) -> None:
        self.list.doubleClicked.connect(lambda _: self._on_use())
        self.rows.renamed.connect(self.rename_requested)
        if (selection := self.list.selectionModel()) is not None:
            selection.currentChanged.connect(lambda *_: self._show_buttons())
        self.use_button.clicked.connect(self._on_use)
        self.compare_button.clicked.connect(self._on_compare)
        self.flicker_button.clicked.connect(lambda: self.action_requested.emit("flicker"))
        self.rename_button.clicked.connect(lambda: self.list.edit(self.list.currentIndex()))
        self.discard_button.clicked.connect(self._on_discard)
        self.undo_button.clicked.connect(lambda: self.restore_requested.emit(None))
        for keys, act in (
            (QKeySequence(QKeySequence.StandardKey.Delete), self._on_discard),
            (QKeySequence(Qt.Key.Key_Return), self._on_use),
        ):
            shortcut = QShortcut(keys, self.list)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(act)

    def _show_buttons(self) -> None:
        state, selected = self._state, self._selected()
        is_idle, is_other = state.run is None, selected is not None and selected.path != state.prediction
        compared = state.predictions.compared
        self.use_button.setEnabled(is_idle and is_other)
        why_not_use = "" if is_idle and is_other else _RUNNING if not is_idle else _IN_USE if selected else _NONE
        self.use_button.setToolTip(why_not_use or _USE)
        why_not = self._why_no_comparison(is_other)
        self.compare_button.setText("Compare" if compared is None else "Stop comparing")
        self.compare_button.setEnabled(not why_not)
        self.compare_button.setToolTip(why_not or _COMPARE)
        self.flicker_button.setEnabled(compared is not None)
        flicker = _FLICKER.format(key=shown_key("flicker"))
        self.flicker_button.setToolTip(flicker if compared is not None else why_not or _NEED_COMPARISON)
        self.rename_button.setEnabled(selected is not None)
        self.discard_button.setEnabled(selected is not None and (is_idle or is_other))
        self.undo_button.setEnabled(bool(state.predictions.trash))
        # Without a prediction, the step itself says what to do.
        self.legend.show_text(self._legend() or (why_not if state.predictions.rows and is_idle else ""))
        self._show_legend()

    def _show_legend(self) -> None:
        # The tooltip of the button Compare says as well why there is no comparison.
        is_tight = self._is_compact or bool(self._state.doubts)
        self.legend.setVisible(not is_tight or self._state.predictions.compared is not None)

    def _fit_list(self) -> None:
        # In a low window, a second doubt takes the room of a row, so that it is seen without scrolling.
        takes_row = self._is_compact and len(self._state.doubts) > 1
        fit_rows(self.list, _ROWS_SHOWN - self._is_compact - takes_row)

    def _why_no_comparison(self, is_other: bool) -> str:
        """Return the reason why no comparison can be started or ended; empty if one can."""
        state = self._state
        if state.predictions.compared is not None:
            return ""
        if state.run is not None:
            return _RUNNING
        if len(state.predictions.rows) < 2:
            return _NEED_TWO
        return "" if is_other and state.has_prediction else _NEED_OTHER

    def _legend(self) -> str:
        status = self._state.predictions
        first, second = status.row(self._state.prediction), status.row(status.compared)
        if first is None or second is None:
            return ""
        words = {"first": title(first, status.rows), "second": title(second, status.rows), "key": shown_key("flicker")}
        return (_ALTERNATING if status.is_other_shown else _LEGEND).format(**words)

    def _show_trash(self, status: PredictionsStatus) -> None:
        count = len(status.trash)
        self.trash_button.setText(f"Trash: {count}, {size(status.trash_nbytes)} ▾" if count else "Trash: empty")
        self.trash_button.setToolTip("Restore deleted predictions, or delete them for good")
        self.trash_button.setEnabled(bool(count))
        self.trash_menu.clear()
        for one in status.trash[:_MOST_IN_MENU]:
            deleted = one.deleted.astimezone()
            action = self.trash_menu.addAction(f"Restore {one.name}, deleted {deleted:%d %b %H:%M}, {size(one.nbytes)}")
            if action is not None:
                action.triggered.connect(lambda _=False, path=one.path: self.restore_requested.emit(path))
        self.trash_menu.addSeparator()
        empty = self.trash_menu.addAction(f"Empty the trash ({size(status.trash_nbytes)})…")
        if empty is not None:
            empty.triggered.connect(self._on_empty)

    def _selected(self) -> StoredPrediction | None:
        return self.rows.row_at(self.list.currentIndex())

    def _select(self, index: QModelIndex) -> None:
        self.list.setCurrentIndex(index)
        if index.isValid():
            self.list.scrollTo(index)

    def _on_use(self) -> None:
        if (selected := self._selected()) is not None and self.use_button.isEnabled():
            self.use_requested.emit(selected.path)

    def _on_compare(self) -> None:
        selected = self._selected()
        if self._state.predictions.compared is not None:
            self.compare_requested.emit(None)
        elif selected is not None:
            self.compare_requested.emit(selected.path)

    def _on_discard(self) -> None:
        if (selected := self._selected()) is not None and self.discard_button.isEnabled():
            self.discard_requested.emit(selected.path)

    def _on_empty(self) -> None:
        status = self._state.predictions
        count = len(status.trash)
        what = "1 prediction" if count == 1 else f"{count} predictions"
        answer = QMessageBox.question(
            self, "Empty the trash?", f"{what}, {size(status.trash_nbytes)}, are deleted for good."
        )
        if answer == QMessageBox.StandardButton.Yes:
            self.empty_requested.emit()
