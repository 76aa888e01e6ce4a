"""Qt model of the list of predictions: two lines each, the name to edit, and sentences on damaged ones at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtGui import QFont

from napari_ink.gui.models.predictions import PredictionsStatus, details, when

if TYPE_CHECKING:
    from napari_ink.predict import StoredPrediction

_IN_USE = "● "


class PredictionRows(QAbstractListModel):
    """Rows of the list of predictions, newest first.

    Signals: `renamed` with the store of a prediction and its new name, once the user has edited a row.
    """

    renamed = Signal(object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._status = PredictionsStatus()
        self._in_use: Path | None = None
        self._is_running = False

    def show_rows(self, status: PredictionsStatus, in_use: Path | None, is_running: bool) -> bool:
        """Show rows, mark the one in use, and return whether the number or order of rows changed."""
        paths = self._paths()
        self._status, self._in_use, self._is_running = status, in_use, is_running
        # A reset drops the selection and closes an editor, and progress arrives several times a second.
        if self._paths() != paths:
            self.beginResetModel()
            self.endResetModel()
            return True
        if self.rowCount():
            self.dataChanged.emit(self.index(0), self.index(self.rowCount() - 1))
        return False

    def row_at(self, index: QModelIndex) -> StoredPrediction | None:
        """Return the prediction of a row; None for a sentence on damage."""
        rows = self._status.rows
        return rows[index.row()] if index.isValid() and index.row() < len(rows) else None

    def index_of(self, path: Path | None) -> QModelIndex:
        """Return the index of a prediction; an invalid one if it is not in the list."""
        paths = [row.path for row in self._status.rows]
        return self.index(paths.index(path)) if path in paths else QModelIndex()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: N802, B008
        """Return the number of rows."""
        return 0 if parent.isValid() else len(self._status.rows) + len(self._status.faults)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text, the tooltip or the font of a row, or its name to edit."""
        if not index.isValid():
            return None
        row = self.row_at(index)
        if row is None:
            is_text = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
            return self._status.faults[index.row() - len(self._status.rows)] if is_text else None
        is_in_use = row.path == self._in_use
        match role:
            case Qt.ItemDataRole.DisplayRole:
                mark = _IN_USE if is_in_use else ""
                return f"{mark}{row.name}, {when(row)}\n{details(row, is_in_use and self._is_running)}"
            case Qt.ItemDataRole.EditRole:
                return row.name
            case Qt.ItemDataRole.ToolTipRole:
                return _tip(row, is_in_use)
            case Qt.ItemDataRole.FontRole if is_in_use:
                font = QFont()
                font.setBold(True)
                return font
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        """Emit the new name of a row; it is shown once it is on the disk."""
        row = self.row_at(index)
        name = str(value).strip()
        if row is None or role != Qt.ItemDataRole.EditRole or not name or name == row.name:
            return False
        self.renamed.emit(row.path, name)
        return True

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Return flags: predictions can be selected and edited, sentences cannot."""
        if self.row_at(index) is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable

    def _paths(self) -> tuple[object, ...]:
        return (*(row.path for row in self._status.rows), *self._status.faults)


def _tip(row: StoredPrediction, is_in_use: bool) -> str:
    """Return the tooltip of a row."""
    contract = row.provenance["contract"]
    lines = [
        f"{row.model}, {row.started:%d %b %Y %H:%M}",
        f"Rows {row.region.y0} to {row.region.y1}, columns {row.region.x0} to {row.region.x1}; {row.share} done",
        f"Read {contract['direction']}, offset {contract['surface_offset']}",
        f"Stored in {row.path.name}",
    ]
    if row.mean_disagreement is not None:
        lines.insert(2, f"Mean disagreement on ink: {row.mean_disagreement:.1%} of the largest possible")
    return "\n".join([*(["In use"] if is_in_use else []), *lines])
