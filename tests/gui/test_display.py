"""Viewing and comparing in a real window: blink, swap, fade, differences, versions."""

import threading
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QInputDialog, QMessageBox

from napari_ink.gui.controllers import compare, profile
from napari_ink.gui.jobs.worker import _alive
from napari_ink.gui.preferences import key_of
from tests.gui.driving import settle


def _shown(viewer, *names):
    return [viewer.layers[name].visible for name in names]


LABELS, PREDICTED = ("Ink labels", "Edge labels"), ("Ink (predicted)", "Edges (predicted)")


def test_labels_and_prediction_blink_and_swap_by_key(labelled_dock, viewer, press):
    assert _shown(viewer, *LABELS, *PREDICTED) == [True, True, False, False]
    press(key_of("blink_labels"))
    assert _shown(viewer, *LABELS) == [False, False]
    press(key_of("blink_labels"))
    press(key_of("blink_prediction"))
    assert _shown(viewer, *LABELS, *PREDICTED) == [True] * 4
    press(key_of("swap")[-1], shift=True)
    assert _shown(viewer, *LABELS, *PREDICTED) == [False, False, True, True]
    press(key_of("swap")[-1], shift=True)
    assert _shown(viewer, *LABELS, *PREDICTED) == [True, True, False, False]


def test_versions_are_saved_compared_and_restored(empty_dock, viewer, click, qtbot, monkeypatch):
    keep, session = empty_dock.correct.versions, empty_dock.session
    keep.expand()
    assert not keep.restore_button.isEnabled()
    session.labels.apply([("ink", 10, 10, np.full((8, 8), 2, np.uint8))], "ink")
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("before lunch", True))
    click(keep.save_button)
    qtbot.waitUntil(lambda: session.state.versions == ("before lunch",))
    assert keep.versions.currentText() == "before lunch"
    session.labels.apply([("ink", 10, 30, np.full((8, 8), 2, np.uint8))], "ink")
    session.labels.apply([("ink", 10, 10, np.full((4, 8), 1, np.uint8))], "papyrus")
    click(keep.compare_button)
    qtbot.waitUntil(lambda: "Difference" in viewer.layers)
    truth = np.zeros((96, 128), np.uint8)
    truth[10:18, 30:38], truth[10:14, 10:18] = 1, 2
    assert np.array_equal(viewer.layers["Difference"].data, truth)
    click(keep.compare_button)
    assert "Difference" not in viewer.layers
    click(keep.restore_button)
    qtbot.waitUntil(lambda: viewer.layers["Ink labels"].data[10, 30] == 0)
    assert (viewer.layers["Ink labels"].data == 2).sum() == 64
    session.labelling.undo()
    assert (viewer.layers["Ink labels"].data[10:18, 30:38] == 2).all()


def test_the_name_of_a_version_is_checked(empty_dock, errors, qtbot):
    empty_dock.correct.versions.version_named.emit("a/b")
    qtbot.waitUntil(lambda: bool(errors))
    assert "cannot name a version" in errors[0]


def test_an_import_asks_before_it_replaces_labels(empty_dock, monkeypatch):
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *words: asked.append(words) or QMessageBox.StandardButton.No)
    empty_dock.session.labels.apply([("ink", 10, 10, np.full((8, 8), 2, np.uint8))], "ink")
    settle()
    imported = []
    keep = empty_dock.correct.versions
    keep.import_requested.connect(lambda *what: imported.append(what))
    monkeypatch.setattr("napari_ink.gui.views.files.QFileDialog.getOpenFileName", lambda *_, **__: ("x.png", ""))
    keep.import_ink.click()
    assert len(asked) == 1
    assert imported == []
    keep.import_requested.disconnect()
    keep.import_requested.connect(lambda *what: imported.append(what))
    monkeypatch.setattr(QMessageBox, "question", lambda *words: QMessageBox.StandardButton.Yes)
    inside = "a/m.zarr/0/zarr.json"  # a file dialog cannot choose folders
    monkeypatch.setattr("napari_ink.gui.views.files.QFileDialog.getOpenFileName", lambda *_, **__: (inside, ""))
    keep.import_ink.click()
    assert imported == [(Path("a/m.zarr"), "ink")]


def test_results_that_arrive_after_closing_the_panel_are_dropped(labelled_dock, viewer, press, qtbot, monkeypatch):
    may_go_on = threading.Event()

    def late(job):
        def wait_first(*words):
            may_go_on.wait(30)
            yield from job(*words)

        return wait_first

    monkeypatch.setattr(profile, "profile_job", late(profile.profile_job))
    monkeypatch.setattr(compare, "_compare", late(compare._compare))
    viewer.cursor.position = (0, 40, 51)
    labelled_dock.session._actions["explain"]()
    press(key_of("difference"))
    gone = []
    labelled_dock.destroyed.connect(lambda: gone.append(True))
    viewer.window.remove_dock_widget(labelled_dock)
    labelled_dock.deleteLater()
    qtbot.waitUntil(lambda: bool(gone))
    assert len(_alive) >= 2
    may_go_on.set()
    qtbot.waitUntil(lambda: not _alive, timeout=20000)
    qtbot.wait(50)
    assert "Difference" not in viewer.layers
