"""The key sheet."""

from qtpy.QtWidgets import QWidget

from napari_ink.gui.models.actions import ACTIONS
from napari_ink.gui.preferences import shown_key
from napari_ink.gui.views.cheat_sheet import CheatSheet


def test_one_sheet_shows_every_key(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    text = CheatSheet(parent).text.text()
    for action in ACTIONS:
        assert action.title in text
        assert f"<b>{shown_key(action.name)}</b>" in text
