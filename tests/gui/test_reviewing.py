"""Review in a real window: regions are marked by key, the queue is visited, notes are written, statistics are shown."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QInputDialog

from napari_ink.annotation import ReviewState, open_project
from napari_ink.gui.models.review_marks import pattern
from napari_ink.gui.models.state import Step
from napari_ink.gui.preferences import key_of
from tests.gui.doubtful import SIDE, doubtful_ink, save_wide
from tests.gui.driving import settle


@pytest.fixture
def wide_dock(dock, tmp_path, label_in_dock, qtbot):
    """The dock with empty labels on a segment of nine regions, and a prediction that is doubtful in one of them."""
    label_in_dock(save_wide(tmp_path))
    session = dock.session
    session._layers.begin_overlay((SIDE, SIDE), {"ink": 0.5, "edge": 0.5})
    ink = doubtful_ink()
    session._layers.overlay.put(slice(None), slice(None), ink, np.zeros_like(ink))
    session.store.update(has_prediction=True)
    qtbot.wait(100)
    dock.open_step(Step.REVIEW)
    return dock


def _go(dock, press, qtbot, name="next_region"):
    before = dock.session.review.region
    press(_qt(key_of(name)))
    qtbot.waitUntil(lambda: dock.session.review.region != before and not dock.session.state.review.busy)
    settle()


def _qt(key: str) -> str:
    return {".": "Period", ",": "Comma"}.get(key, key)


def test_a_reviewed_region_is_stored_with_author_and_time_and_the_next_one_opens(
    wide_dock, viewer, press, qtbot, tmp_path
):
    _go(wide_dock, press, qtbot)
    press(key_of("reviewed"))
    assert wide_dock.session.review.region == (0, 0)
    press("K", shift=True)  # flagged
    status = wide_dock.session.state.review
    assert (status.reviewed, status.flagged, status.regions) == (1, 1, 9)
    assert wide_dock.review.progress.value() == 1
    assert "7 in the queue" in wide_dock.review.left.text()
    assert "at your pace" in wide_dock.review.left.text()
    qtbot.waitUntil(lambda: "Review" in [layer.name for layer in viewer.layers])
    layer = viewer.layers["Review"]
    reviewed, flagged = pattern(ReviewState.REVIEWED, 64), pattern(ReviewState.FLAGGED, 64)
    assert (layer.data[64:128, 64:128] == reviewed).all()
    assert (layer.data[:64, :64] == flagged).all()
    assert (layer.data > 0).sum() == (reviewed > 0).sum() + (flagged > 0).sum()
    assert tuple(layer.data_to_world((64, 64))) == (257.5, 257.5)  # the middle of 256…259
    wide_dock.session.labels.annotation.flush()
    display = open_project(tmp_path / "wide.ink")
    assert display.annotation.read("review", (0, 3), (0, 3)).tolist() == [[3, 0, 0], [0, 2, 0], [0, 0, 0]]
    assert display.annotation.history()[-1].author
    display.close()
    _go(wide_dock, press, qtbot, "previous_region")
    assert "flagged" in wide_dock.review.region.text()
    assert "UTC" in wide_dock.review.region.text()


def test_the_end_of_the_queue_is_reported(wide_dock, press, qtbot):
    _go(wide_dock, press, qtbot)
    for _ in range(9):
        press(key_of("reviewed"))
    assert "reached the end of the queue" in wide_dock.review.left.text()
    press("Period")
    qtbot.waitUntil(lambda: "Every region" in wide_dock.review.left.text())


def test_notes_are_written_at_the_mouse_listed_and_removed(wide_dock, viewer, press, stroke, qtbot, monkeypatch):
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("a strange fibre", True))
    stroke((200, 150))
    press(key_of("note"))
    qtbot.waitUntil(lambda: len(wide_dock.session.labels.project.notes) == 1)
    (note,) = wide_dock.session.labels.project.notes
    assert (abs(note.y - 200) <= 1, abs(note.x - 150) <= 1, note.text) == (True, True, "a strange fibre")
    qtbot.waitUntil(lambda: "Notes" in [layer.name for layer in viewer.layers])
    assert len(viewer.layers["Notes"].data) == 1
    listed = wide_dock.review.notes
    assert "a strange fibre" in listed.item(0).text()
    viewer.scene.camera.center = (0, 0, 0)
    listed.itemClicked.emit(listed.item(0))
    assert viewer.scene.camera.center[-2:] == (note.y, note.x)
    listed.setCurrentRow(0)
    listed.setFocus()
    qtbot.keyClick(listed, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(wide_dock.session.labels.project.notes) == 0)
    settle()
    assert listed.count() == 0


def test_statistics_are_shown(wide_dock, click, qtbot):
    session = wide_dock.session
    session.labels.apply([("ink", 20, 20, np.full((20, 20), 2, np.uint8))], "ink")
    session.labels.apply([("ink", 100, 100, np.full((20, 20), 2, np.uint8))], "ink")
    click(wide_dock.review.statistics_button)
    statistics = wide_dock.review.statistics
    qtbot.waitUntil(lambda: bool(statistics.text()))
    assert "Ink: 800 px" in statistics.text()
    assert "0 of 9 regions" in statistics.text()
    assert "2 today, 2 in all" in statistics.text()
    assert "agree on 50.0%" in statistics.text()
