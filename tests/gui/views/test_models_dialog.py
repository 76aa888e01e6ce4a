"""The window with published models: what it lists, and what is dropped on it."""

from pathlib import Path

import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_ink.gui.views.models_dialog import ModelsDialog, is_model_file
from napari_ink.model.published_models import PUBLISHED_MODELS


@pytest.fixture
def dialog(qtbot):
    made = ModelsDialog()
    qtbot.addWidget(made)
    return made


def drop(dialog: ModelsDialog, *paths: Path) -> QDropEvent:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    event.ignore()
    dialog.dropEvent(event)
    return event


def test_every_published_model_is_listed_with_its_address_and_licence(dialog):
    text = dialog.list.toPlainText()
    for model in PUBLISHED_MODELS:
        assert model.name in text and model.reads in text and f"Licence: {model.licence}." in text
        assert (model.address or "address not known") in text
    assert dialog.list.openExternalLinks() and not dialog.list.acceptDrops() and dialog.acceptDrops()


def test_a_dropped_model_file_is_chosen_and_nothing_else(dialog, tmp_path):
    chosen = []
    dialog.file_chosen.connect(chosen.append)
    for name in ("reader.pth", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.pth").mkdir()
    assert drop(dialog, tmp_path / "reader.pth").isAccepted()
    assert chosen == [tmp_path / "reader.pth"]
    for paths in ([tmp_path / "notes.txt"], [tmp_path / "folder.pth"], [tmp_path / "gone.pth"], [], [tmp_path] * 2):
        assert not drop(dialog, *paths).isAccepted()
    assert len(chosen) == 1 and is_model_file(tmp_path / "reader.pth") and not is_model_file(tmp_path / "folder.pth")
