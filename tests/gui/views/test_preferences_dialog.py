"""The dialog for colours and keys: fields of their kind, stored in napari's settings of the plugin."""

import pytest
from napari import settings
from napari.settings._plugin_config_generator import plugin_configuration_generator
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QKeySequence
from qtpy.QtWidgets import QColorDialog, QDialogButtonBox, QWidget

from napari_ink.gui import preferences
from napari_ink.gui.models.actions import ACTIONS
from napari_ink.gui.views.preferences_dialog import PreferencesDialog, napari_key, sequence_of


@pytest.fixture
def mine(monkeypatch):
    """Settings of the plugin that are not the user's own."""
    made = plugin_configuration_generator()["napari-ink"](config_path=None)
    monkeypatch.setattr(settings, "get_plugin_settings", {"napari-ink": made}.__getitem__)
    return made


@pytest.fixture
def dialog(mine, qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    made = PreferencesDialog(parent)
    made.show()
    yield made  # not returned, since the dialog goes with its parent


def _ok(dialog):
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)


def test_every_key_survives_the_field():
    assert {one.name: napari_key(sequence_of(one.key)) for one in ACTIONS} == {one.name: one.key for one in ACTIONS}
    assert napari_key(QKeySequence("Ctrl+Shift+F5")) == "Control-Shift-F5"
    assert napari_key(QKeySequence("Shift+?")) == napari_key(QKeySequence("?")) == "Shift-/"
    assert napari_key(QKeySequence()) == ""


def test_a_colour_is_chosen_in_a_colour_dialog_and_stored(dialog, mine, monkeypatch, qtbot):
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#ff8000"))
    button = dialog.colours["labelled_ink"]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert button.text() == "#ff8000" and button.icon().pixmap(32, 16).toImage().pixelColor(8, 8).name() == "#ff8000"
    assert preferences.colour("labelled_ink") == preferences.default_colour("labelled_ink")  # not before OK
    _ok(dialog).click()
    assert mine.colours.labelled_ink == "#ff8000" and mine.colours.predicted_ink == ""


def test_a_key_is_pressed_and_stored_unless_another_action_has_it(dialog, mine, qtbot):
    field = dialog.keys["ink"]
    qtbot.keyClick(field, Qt.Key.Key_W)
    assert dialog.note.text().startswith("“W” is used for “Paint ink” and “Paint papyrus")
    assert not _ok(dialog).isEnabled()
    field.clear()
    qtbot.keyClick(field, Qt.Key.Key_F9)
    assert _ok(dialog).isEnabled()
    _ok(dialog).click()
    assert mine.keys.ink == "F9" and mine.keys.papyrus == "W"


def test_defaults_are_restored(mine, qtbot):
    mine.keys.ink, mine.colours.predicted_ink = "F9", "#00ff00"
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = PreferencesDialog(parent)
    assert dialog.colours["predicted_ink"].text() == "#00ff00"
    assert dialog.keys["ink"].keySequence() == QKeySequence("F9")
    dialog.buttons.button(QDialogButtonBox.StandardButton.RestoreDefaults).click()
    assert mine.keys.ink == "F9"  # not before OK
    _ok(dialog).click()
    assert mine.keys.ink == "Q" and mine.colours.predicted_ink == ""


def test_a_napari_without_settings_of_plugins_is_named(monkeypatch, qtbot):
    monkeypatch.delattr(settings, "get_plugin_settings")
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = PreferencesDialog(parent)
    assert "napari 0.9" in dialog.note.text() and not _ok(dialog).isEnabled()


def test_every_colour_that_can_be_set_has_a_button(dialog):
    assert dialog.colours.keys() == preferences._COLOURS.keys()
