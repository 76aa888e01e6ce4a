"""A project that is open in another program: it is shown, its holder is named, and nothing can be changed."""

import subprocess
import sys

import numpy as np
import pytest
from qtpy.QtWidgets import QInputDialog

from napari_ink.annotation import open_project
from napari_ink.gui.models.actions import ACTIONS
from tests.gui.driving import settle

_HOLD = """
import sys
from pathlib import Path
from napari_ink.annotation import create_project, default_project_folder
from napari_ink.stack import open_stack
import numpy as np
stack = open_stack(Path(sys.argv[1]))
project = create_project(default_project_folder(stack), stack, "Berenike")
project.annotation.apply([("ink", 30, 30, np.full((40, 50), 2, np.uint8))], "ink")
project.annotation.flush()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(segment):
    """Another program that has the project open."""
    command = [sys.executable, "-c", _HOLD, str(segment)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()


def test_nothing_can_be_changed_in_a_project_that_is_open_elsewhere(
    holder, dock, viewer, segment, stroke, monkeypatch, errors, qtbot
):
    dock.open_stack(segment)
    qtbot.waitUntil(lambda: dock.session.state.labels and not dock.session.state.busy, timeout=20000)
    labels = viewer.layers["Ink labels"].data.copy()
    assert (labels == 2).sum() == 2000
    settle()
    assert "Berenike" in dock.status.message.toPlainText()
    assert dock.status.saved.text() == "Read only"
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("words", True))
    dock.correct.versions.expand()
    does = dock.session._actions
    for action in ACTIONS:
        if action.name == "help":
            continue
        does[action.name]()  # like its key
        stroke((50, 50), (60, 90))
        qtbot.wait(20)
    qtbot.waitUntil(lambda: not dock.session.state.busy and not dock.session.state.review.busy, timeout=20000)
    assert np.array_equal(viewer.layers["Ink labels"].data, labels)
    assert not viewer.layers["Edge labels"].data.any()
    assert all("no prediction" in error for error in errors)
    project = open_project(dock.session.labels.project.folder)
    assert project.read_only
    assert len(project.annotation.history()) == 1
    assert not len(project.notes)
    assert not project.versions.names()
    project.close()
