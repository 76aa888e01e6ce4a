"""Keys: one table, listed in Preferences, without clashes with napari's keys, changed by Preferences."""

from collections import Counter
from pathlib import Path

import pytest
import yaml
from napari import settings
from napari._app_model import get_app_model
from napari.settings._plugin_config_generator import plugin_configuration_generator
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_ink.gui import preferences
from napari_ink.gui.controllers import key_bindings
from napari_ink.gui.models.actions import ACTIONS

MANIFEST = yaml.safe_load((Path(__file__).parents[2] / "napari_ink/napari.yaml").read_text())["contributions"]


def test_preferences_have_every_key_with_its_default():
    properties = MANIFEST["configurations"]["keys"]["properties"]
    assert {name: one["default"] for name, one in properties.items()} == {one.name: one.key for one in ACTIONS}
    assert {name: one["title"] for name, one in properties.items()} == {one.name: one.title for one in ACTIONS}


def test_no_key_is_used_twice():
    assert [key for key, count in Counter(one.key for one in ACTIONS).items() if count > 1] == []


@pytest.fixture
def chosen(monkeypatch):
    """Change keys as Preferences do, without the user's own settings."""
    mine = plugin_configuration_generator()["napari-ink"](config_path=None)
    monkeypatch.setattr(settings, "get_plugin_settings", {"napari-ink": mine}.__getitem__)

    def forget() -> None:
        preferences.key_of.cache_clear()
        preferences._chosen.cache_clear()

    def choose(**new: str) -> None:
        for name, key in new.items():
            setattr(mine.keys, name, key)
        forget()

    yield choose
    monkeypatch.undo()
    forget()


def test_a_key_from_preferences_replaces_the_default(chosen, viewer_model):
    chosen(ink="F9", papyrus="")
    assert preferences.shown_key("ink") == "F9"
    viewer = viewer_model
    done = []
    key_bindings.bind(viewer, {"ink": lambda: done.append("ink"), "papyrus": lambda: done.append("papyrus")})
    bound = {str(key): what for key, what in viewer.keymap.items()}
    assert "F9" in bound
    assert not {"Q", "W"} & set(bound)
    bound["F9"](viewer)
    assert done == ["ink"]
    key_bindings.unbind(viewer)
    assert "F9" not in {str(key) for key in viewer.keymap}


def test_an_invalid_key_is_reported_and_the_default_used(chosen):
    texts = []
    notification_manager.notification_ready.connect(note := lambda one: texts.append(one.message))
    chosen(ink="Hyper-Q")
    assert preferences.key_of("ink") == "Q"
    notification_manager.notification_ready.disconnect(note)
    assert "is not a valid key" in texts[0]


def test_the_manifest_has_a_command_for_every_action():
    listed = {one["id"]: one for one in MANIFEST["commands"]}
    for action in ACTIONS:
        command = listed[f"napari-ink.{action.name}"]
        assert command["title"] == action.title
        assert command["python_name"] == f"napari_ink.gui.contributions.commands:do_{action.name}"


def test_every_entry_of_the_palette_runs(empty_dock, viewer, monkeypatch, tmp_path, wait, errors):
    done, asked = [], []
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("", False))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: asked.append("folder") or "")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "saved.png"), ""))
    app = get_app_model()
    entries = {item.command.id: item.command.title for item in app.menus.get_menu(app.menus.COMMAND_PALETTE_ID)}
    ours = {name: title for name, title in entries.items() if name.startswith("napari-ink.")}
    assert {f"napari-ink.{one.name}" for one in ACTIONS} <= set(ours)
    viewer.layers.selection.active = viewer.layers["Ink labels"]
    for name in ("napari-ink.get_reader", "napari-ink.write_labels", "napari-ink.write_stack"):
        app.commands.execute_command(name).result()
    assert asked == ["folder"]
    assert (tmp_path / "saved.png").is_file()
    monkeypatch.setattr(empty_dock, "do", lambda name: done.append(name))
    for action in ACTIONS:
        app.commands.execute_command(f"napari-ink.{action.name}").result()
    assert done == [one.name for one in ACTIONS]
    monkeypatch.undo()
    app.commands.execute_command("napari-ink.papyrus").result()
    assert empty_dock.session.state.tool == "papyrus"
    assert errors == []
