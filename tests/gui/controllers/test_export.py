"""The export controller without a window: the export shown while a file is being written, and after it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_ink.errors import OutputError
from napari_ink.gui.controllers import export, state_store
from napari_ink.gui.controllers.export import ExportController
from napari_ink.gui.controllers.state_store import StateStore
from napari_ink.gui.jobs.runner import JobRunner
from napari_ink.gui.models.state import Step


@pytest.fixture
def store(qtbot, monkeypatch):
    monkeypatch.setattr(state_store, "show_error", lambda message: None)
    return StateStore()


def test_a_failed_export_does_not_show_the_previous_one_as_done(store, qtbot, monkeypatch):
    def failing(plane, path):
        raise OutputError("The disk is full.")
        yield

    jobs = JobRunner(store.fail, store.succeed, lambda what: store.update(busy=what))
    monkeypatch.setattr(export, "plane_to_export", lambda *_: "a plane")
    monkeypatch.setattr(export, "export_job", failing)
    overlay = SimpleNamespace(thresholds=lambda: {})
    controller = ExportController(store, jobs, SimpleNamespace(overlay=None), SimpleNamespace(annotation=None), overlay)
    store.update(exported="earlier.tif")
    controller.export("ink", "labels", Path("later.tif"))
    assert store.state.exported == ""
    qtbot.waitUntil(lambda: not store.state.busy)
    assert (store.state.exported, store.state.message(Step.EXPORT)) == ("", "The disk is full.")
