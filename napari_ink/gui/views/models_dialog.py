"""Window with the models that others publish, into which a downloaded file can be dropped."""

from __future__ import annotations

from html import escape
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from napari_ink.gui.views.step_panel import paragraph
from napari_ink.model.loading import MODEL_SUFFIXES
from napari_ink.model.published_models import PUBLISHED_MODELS, PublishedModel

_SIZE = (760, 520)


class ModelsDialog(QDialog):
    """Window with published models.

    Emits `file_chosen` with the path of a model file that was dropped on it.
    """

    file_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Published models")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAcceptDrops(True)
        says = paragraph()
        says.setText(
            "Nothing is downloaded by this program: a link opens in your browser. Then drop the file here or on the "
            "picture, or choose it with … beside the list of models. It stays where it is. No code in it is run."
        )
        self.list = QTextBrowser(self)
        self.list.setAcceptDrops(False)  # drops go to the window
        self.list.setOpenExternalLinks(True)
        # Qt's blue of links is hard to read on a dark theme; they are underlined in any case.
        self.list.ensurePolished()
        text = self.list.palette().text().color().name()
        if (document := self.list.document()) is not None:
            document.setDefaultStyleSheet(f"a {{ color: {text}; }}")
        self.list.setHtml("".join(map(_in_html, PUBLISHED_MODELS)))
        column = QVBoxLayout(self)
        column.addWidget(says)
        column.addWidget(self.list)
        self.resize(*_SIZE)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802
        """Accept a single model file."""
        if event is not None and _model_file(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802
        """Choose the model file that was dropped."""
        if event is not None and (path := _model_file(event)) is not None:
            event.acceptProposedAction()
            self.file_chosen.emit(path)


def is_model_file(path: Path) -> bool:
    """Return whether a path ends like a model file."""
    return path.suffix in MODEL_SUFFIXES and path.is_file()


def _model_file(event: QDropEvent) -> Path | None:
    mime = event.mimeData()
    urls = [] if mime is None else mime.urls()
    if len(urls) != 1 or not urls[0].isLocalFile():
        return None
    path = Path(urls[0].toLocalFile())
    return path if is_model_file(path) else None


def _in_html(model: PublishedModel) -> str:
    address = f'<a href="{escape(model.address)}">{escape(model.address)}</a>' if model.address else "address not known"
    scored = f"<br>Reported: {escape(model.scored)}" if model.scored else ""
    return (
        f"<p><b>{escape(model.name)}</b><br>{address}<br>Licence: {escape(model.licence)}. "
        f"Reads {escape(model.reads)}.{scored}</p>"
    )
