"""The state store without a window: it emits once a turn of the event loop, and only on changes."""

import pytest

from napari_ink.gui.controllers import state_store
from napari_ink.gui.controllers.state_store import StateStore
from napari_ink.gui.models.state import Step


@pytest.fixture
def store(qtbot, monkeypatch):
    monkeypatch.setattr(state_store, "show_error", lambda message: None)
    monkeypatch.setattr(state_store, "show_info", lambda message: None)
    made = StateStore()
    made.emitted = []
    made.changed.connect(made.emitted.append)
    return made


def test_many_changes_in_a_turn_are_emitted_once_and_readable_immediately(store, qtbot):
    store.update(busy="Reading…")
    store.update(tool="ink")
    store.update(busy="")
    assert (store.state.busy, store.state.tool) == ("", "ink")
    assert not store.emitted
    qtbot.waitUntil(lambda: bool(store.emitted))
    qtbot.wait(20)
    assert store.emitted == [store.state]


def test_an_update_without_a_change_is_not_emitted(store, qtbot):
    store.update(busy="")
    qtbot.wait(20)
    assert not store.emitted


def test_a_failure_stays_in_its_step_until_something_succeeds_there(store):
    store.fail("The disk is full.", Step.EXPORT)
    store.notify("Open a stack first.", Step.STACK)
    assert store.state.message(Step.EXPORT) == "The disk is full."
    store.succeed(Step.STACK)
    assert (store.state.message(Step.STACK), store.state.message(Step.EXPORT)) == ("", "The disk is full.")


def test_after_closing_nothing_is_emitted(store, qtbot):
    store.update(busy="Reading…")
    store.close()
    qtbot.wait(20)
    assert not store.emitted
