"""List of the taught models: their scores, and what can be done with each."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QInputDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_ink.gui.models.state import InkState
from napari_ink.gui.models.status import TeachingStatus
from napari_ink.gui.views.section import Section, row
from napari_ink.gui.views.step_panel import Lines, button, paragraph, show_text
from napari_ink.gui.views.widgets import fit_rows

if TYPE_CHECKING:
    from napari_ink.training import TaughtModel

_ROWS_SHOWN, _DETAIL_LINES = 2, 2
_PICTURES = ("curves", "examples")
_PICTURE_PX = 900


class ModelList(QWidget):
    """List of taught models, newest first.

    Emits `use_requested` (an empty key: the start model), `rename_requested`, `export_requested`, `check_requested` and
    `compare_requested` with the key of a model.
    """

    use_requested = Signal(str)
    rename_requested = Signal(str, str)
    export_requested = Signal(str, object)
    check_requested = Signal(str)
    compare_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._status, self._can_choose = TeachingStatus(), True
        self.list = QListWidget()
        self.list.setObjectName("inkModels")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setToolTip("AUC: probability that ink gets a higher value than papyrus, on strokes; 0.5 is chance")
        self.details, self.checking = Lines(_DETAIL_LINES), paragraph()
        self.use_button = button("Use", "Predict with this model from now on")
        self.back_button = button("Back to start model", "Predict with the model that teaching started from")
        self.rename_button = button("Rename…", "Give this model another name")
        self.export_button = button("Save a copy…", "Save this model as a file, to use or share elsewhere")
        self.check_button = button(
            "Check", "Measure what moved labels and the reversed stack teach, and what was forgotten; takes minutes"
        )
        self.compare_button = button(
            "Compare", "Show where the prediction of this model differs from the shown one, and alternate between them"
        )
        self.pictures_button = button("Curves…", "Show the curves of the training and example crops")
        self.more = Section("Rename, check, compare")
        self._lay_out()
        self._connect()

    def show_state(self, state: InkState) -> None:
        """Show the models, and the details of the selected one."""
        status = state.teaching
        if (status.rows, status.in_use) != (self._status.rows, self._status.in_use):
            self._fill(status)
        self._status = status
        self.setVisible(bool(status.rows))
        self._can_choose = state.run is None and not state.busy
        self._show_selected()

    def set_compact(self, is_compact: bool) -> None:
        """Fold what is rarely done with a model and show one of them, or show more."""
        self.more.unfold(not is_compact)
        self.details.set_count(1 if is_compact else _DETAIL_LINES)
        fit_rows(self.list, 1 if is_compact else _ROWS_SHOWN)

    def _lay_out(self) -> None:
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(6)
        title = QLabel("Taught models")
        title.setObjectName("inkStrong")
        rows.addWidget(title)
        rows.addWidget(self.list)
        rows.addLayout(row(self.use_button, self.back_button))
        self.more.rows.setContentsMargins(0, 0, 0, 0)
        self.more.rows.addLayout(row(self.rename_button, self.export_button))
        self.more.rows.addLayout(row(self.check_button, self.compare_button, self.pictures_button))
        self.more.unfold(True)
        rows.addWidget(self.more)
        rows.addWidget(self.checking)
        rows.addWidget(self.details)
        fit_rows(self.list, _ROWS_SHOWN)

    def _connect(self) -> None:
        self.list.currentItemChanged.connect(lambda *_: self._show_selected())
        self.use_button.clicked.connect(lambda: self.use_requested.emit(self._key()))
        self.back_button.clicked.connect(lambda: self.use_requested.emit(""))
        self.check_button.clicked.connect(lambda: self.check_requested.emit(self._key()))
        self.compare_button.clicked.connect(lambda: self.compare_requested.emit(self._key()))
        self.rename_button.clicked.connect(self._on_rename)
        self.export_button.clicked.connect(self._on_export)
        self.pictures_button.clicked.connect(self._on_pictures)

    def _fill(self, status: TeachingStatus) -> None:
        """List the rows, and select the one that was selected, or else the newest."""
        is_longer, selected = len(status.rows) != len(self._status.rows), self._key()
        self.list.blockSignals(True)
        self.list.clear()
        for model in reversed(status.rows):
            item = QListWidgetItem(_in_list(model, model.key == status.in_use))
            item.setData(Qt.ItemDataRole.UserRole, model.key)
            self.list.addItem(item)
            if model.key == selected and not is_longer:
                self.list.setCurrentItem(item)
        if self.list.currentRow() < 0 and status.rows:
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)

    def _show_selected(self) -> None:
        model, status = self._selected(), self._status
        self.use_button.setEnabled(self._can_choose and model is not None and model.key != status.in_use)
        self.back_button.setEnabled(self._can_choose and bool(status.in_use))
        for one in (self.rename_button, self.export_button, self.compare_button):
            one.setEnabled(model is not None)
        self.check_button.setEnabled(model is not None and not status.checking and not status.is_running)
        self.pictures_button.setEnabled(bool(self._pictures()))
        checks = () if model is None else tuple(f"{name}: {result}" for name, result in model.checks.items())
        if model is not None and model.kind == "quick":
            checks = (*checks, "Its edges are those of the start model: strokes taught it ink only.")
        show_text(self.checking, status.checking)
        result = () if model is None or model.in_words in status.outcome else (model.in_words,)
        show_text(self.details, " ".join((*result, *checks)))

    def _key(self) -> str:
        item = self.list.currentItem()
        return "" if item is None else str(item.data(Qt.ItemDataRole.UserRole))

    def _selected(self) -> TaughtModel | None:
        return next((model for model in self._status.rows if model.key == self._key()), None)

    def _pictures(self) -> list[Path]:
        """Return the pictures of the selected model; a quick one has none."""
        folder, key = self._status.folder, self._key()
        if folder is None or not key:
            return []
        found = [folder / f"{key}-{name}.png" for name in _PICTURES]
        return [path for path in found if path.is_file()]

    def _on_rename(self) -> None:
        if (model := self._selected()) is None:
            return
        name, is_given = QInputDialog.getText(
            self, "Rename", "Name of the model", QLineEdit.EchoMode.Normal, model.name
        )
        if is_given and name.strip() and name.strip() != model.name:
            self.rename_requested.emit(model.key, name.strip())

    def _on_export(self) -> None:
        if (model := self._selected()) is None:
            return
        name = str(Path.home() / f"{model.name}.safetensors")
        chosen, _ = QFileDialog.getSaveFileName(self, "Save a copy of the model", name, "Models (*.safetensors)")
        if chosen:
            # Not `with_suffix`, which would cut the name "v1.2" short.
            path = chosen if chosen.endswith(".safetensors") else f"{chosen}.safetensors"
            self.export_requested.emit(model.key, Path(path))

    def _on_pictures(self) -> None:
        if pictures := self._pictures():
            PicturesDialog(f"Training of {self._key()}", pictures, self).show()


class PicturesDialog(QDialog):
    """Window with pictures, one below the other."""

    def __init__(self, title: str, pictures: list[Path], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        inside = QWidget()
        column = QVBoxLayout(inside)
        for path in pictures:
            label, pixmap = QLabel(), QPixmap(str(path))
            if pixmap.width() > _PICTURE_PX:
                pixmap = pixmap.scaledToWidth(_PICTURE_PX, Qt.TransformationMode.SmoothTransformation)
            label.setPixmap(pixmap)
            column.addWidget(label)
        scroll = QScrollArea()
        scroll.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll)
        self.resize(_PICTURE_PX + 60, 640)


def _in_list(model: TaughtModel, is_in_use: bool) -> str:
    """Return the two lines of a model in the list."""
    made = datetime.fromisoformat(model.made_at).astimezone()
    used = ", in use" if is_in_use else "" if model.is_better else ", candidate"
    return f"{model.name}{used}\n{model.kind}, {made:%d %b %H:%M}, AUC {model.before.auc:.2f} → {model.after.auc:.2f}"
