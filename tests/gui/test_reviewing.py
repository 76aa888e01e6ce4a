"""Review in a real window: regions are marked by key, the queue is walked, notes are written, figures told."""

import threading

import numpy as np
import pytest
from napari.layers import Labels
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QInputDialog

from napari_ink.annotation import ReviewState, open_project
from napari_ink.gui.controllers import review
from napari_ink.gui.jobs.review import FiguresRead
from napari_ink.gui.preferences import key_of
from tests.gui.driving import settle

SIDE = 600  # three regions by three, the last ones cut off


@pytest.fixture
def wide_dock(dock, tmp_path, click, qtbot):
    """The dock with empty labels on a segment of nine regions, and a prediction whose doubts are in one of them."""
    np.save(tmp_path / "wide.npy", np.full((3, SIDE, SIDE), 20000, np.uint16))
    dock.open_stack(tmp_path / "wide.npy")
    qtbot.waitUntil(lambda: dock.session.state.stack is not None and not dock.session.state.busy, timeout=20000)
    click(dock.correct.editable_button)
    qtbot.waitUntil(lambda: dock.session.state.labels)
    session = dock.session
    session._layers.begin_overlay((SIDE, SIDE), {"ink": 0.5, "edge": 0.5})
    ink = np.zeros((SIDE, SIDE), np.uint8)
    ink[300:420, 300:420] = 140  # in the middle: unsure, and without edges around it
    ink[20:60, 20:60] = 240
    session._layers.overlay.put(slice(None), slice(None), ink, np.zeros_like(ink))
    session.store.update(has_prediction=True)
    qtbot.wait(100)
    dock.correct.review.expand()
    return dock


def _go(dock, press, qtbot, name="next_region"):
    before = dock.session.review.region
    press(_qt(key_of(name)))
    qtbot.waitUntil(lambda: dock.session.review.region != before and not dock.session.state.review.busy)
    settle()


def _qt(key: str) -> str:
    return {".": "Period", ",": "Comma"}.get(key, key)


def test_the_queue_begins_with_what_is_most_in_doubt_and_is_walked_by_key(wide_dock, viewer, press, qtbot):
    _go(wide_dock, press, qtbot)
    assert wide_dock.session.review.region == (1, 1)
    view = wide_dock.session._layers.viewport.visible_region()
    assert view.y0 <= 260 < 508 <= view.y1 + 8
    qtbot.waitUntil(lambda: "Region" in viewer.layers)
    assert "Uncertain" in wide_dock.correct.review.region.text()
    _go(wide_dock, press, qtbot)
    assert wide_dock.session.review.region == (0, 0)
    _go(wide_dock, press, qtbot, "previous_region")
    assert wide_dock.session.review.region == (1, 1)
    assert "9 in the queue" in wide_dock.correct.review.left.text()


def test_a_region_marked_reviewed_is_kept_with_who_and_when_and_the_next_one_comes(
    wide_dock, viewer, press, qtbot, tmp_path
):
    _go(wide_dock, press, qtbot)
    press(key_of("reviewed"))
    assert wide_dock.session.review.region == (0, 0)
    press("K", shift=True)  # flagged
    status = wide_dock.session.state.review
    assert (status.reviewed, status.flagged, status.regions) == (1, 1, 9)
    assert wide_dock.correct.review.progress.value() == 1
    assert "7 in the queue" in wide_dock.correct.review.left.text()
    assert "at your pace" in wide_dock.correct.review.left.text()
    qtbot.waitUntil(lambda: "Review" in [layer.name for layer in viewer.layers])
    layer = viewer.layers["Review"]
    assert (layer.data[16:32, 16:32] == ReviewState.REVIEWED).all()
    assert (layer.data[:16, :16] == ReviewState.FLAGGED).all()
    assert (layer.data > 0).sum() == 2 * 16**2
    assert tuple(layer.data_to_world((16, 16))) == (263.5, 263.5)  # the middle of 256…271
    wide_dock.session.labels.annotation.flush()
    display = open_project(tmp_path / "wide.ink")
    assert display.annotation.read("review", (0, 3), (0, 3)).tolist() == [[3, 0, 0], [0, 2, 0], [0, 0, 0]]
    assert display.annotation.history()[-1].author
    display.close()
    _go(wide_dock, press, qtbot, "previous_region")
    assert "flagged" in wide_dock.correct.review.region.text()
    assert "UTC" in wide_dock.correct.review.region.text()


def test_marks_are_undone_like_strokes_and_the_mask_follows(wide_dock, viewer, press, qtbot, tmp_path):
    _go(wide_dock, press, qtbot)
    press(key_of("reviewed"))
    wide_dock.session.export.export("supervision", "labels", tmp_path / "seen.png")
    qtbot.waitUntil(lambda: bool(wide_dock.session.state.exported))
    seen = np.asarray(Image.open(tmp_path / "seen.png"))
    assert (seen[256:512, 256:512] == 255).all()
    assert seen.sum() == 255 * 256 * 256
    press("Z", control=True)
    assert wide_dock.session.state.review.reviewed == 0
    assert viewer.layers["Review"].data.max() == 0


def test_without_a_queue_the_region_in_the_middle_is_marked(wide_dock, viewer, press):
    viewer.scene.camera.center = (0, 550.0, 100.0)
    viewer.scene.camera.zoom = 8
    press(key_of("in_progress"))
    assert wide_dock.session.review.region == (2, 0)
    assert wide_dock.session.state.review.in_progress == 1


def test_the_end_of_the_queue_is_told(wide_dock, press, qtbot):
    _go(wide_dock, press, qtbot)
    for _ in range(9):
        press(key_of("reviewed"))
    assert "been through the queue" in wide_dock.correct.review.left.text()
    press("Period")
    qtbot.waitUntil(lambda: "Every region" in wide_dock.correct.review.left.text())


def test_notes_are_written_at_the_mouse_listed_and_taken_away(wide_dock, viewer, press, stroke, qtbot, monkeypatch):
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("a strange fibre", True))
    stroke((200, 150))
    press(key_of("note"))
    (note,) = wide_dock.session.labels.project.notes
    assert (abs(note.y - 200) <= 1, abs(note.x - 150) <= 1, note.text) == (True, True, "a strange fibre")
    qtbot.waitUntil(lambda: "Notes" in [layer.name for layer in viewer.layers])
    assert len(viewer.layers["Notes"].data) == 1
    listed = wide_dock.correct.review.notes
    assert "a strange fibre" in listed.item(0).text()
    viewer.scene.camera.center = (0, 0, 0)
    listed.itemClicked.emit(listed.item(0))
    assert viewer.scene.camera.center[-2:] == (note.y, note.x)
    listed.setCurrentRow(0)
    listed.setFocus()
    qtbot.keyClick(listed, Qt.Key.Key_Delete)
    assert len(wide_dock.session.labels.project.notes) == 0
    settle()
    assert listed.count() == 0


def test_figures_are_told(wide_dock, click, qtbot):
    session = wide_dock.session
    session.labels.apply([("ink", 20, 20, np.full((20, 20), 2, np.uint8))], "ink")
    session.labels.apply([("ink", 100, 100, np.full((20, 20), 2, np.uint8))], "ink")
    click(wide_dock.correct.review.figures_button)
    figures = wide_dock.correct.review.figures
    qtbot.waitUntil(lambda: bool(figures.text()))
    assert "Ink: 800 px" in figures.text()
    assert "0 of 9 regions" in figures.text()
    assert "2 today, 2 in all" in figures.text()
    assert "agree on 50.0%" in figures.text()


def test_ranking_can_be_cancelled(wide_dock, qtbot):
    wide_dock.session.do("next_region")
    wide_dock.session.review.cancel()
    qtbot.wait(300)
    assert wide_dock.session.review.region is None
    assert not wide_dock.session.state.review.busy


def test_the_tint_lets_the_papyrus_through(wide_dock, viewer, press, qtbot):
    _go(wide_dock, press, qtbot)
    press(key_of("reviewed"))
    qtbot.waitUntil(lambda: "Review" in [layer.name for layer in viewer.layers])
    layer = viewer.layers["Review"]
    assert isinstance(layer, Labels)
    assert all(colour[3] <= 0.4 for colour in layer.colormap.color_dict.values())
    qtbot.waitUntil(lambda: viewer.layers.index("Review") < viewer.layers.index("Ink labels"))


def test_figures_of_one_segment_are_not_told_of_the_next(wide_dock, click, segment, monkeypatch, qtbot):
    gate, told = threading.Event(), threading.Event()

    def slow(*arguments):
        try:
            gate.wait(20)
            yield FiguresRead("Ink: far too much")
        finally:
            told.set()

    monkeypatch.setattr(review, "figures_job", slow)  # nothing else makes the answer come late for certain
    click(wide_dock.correct.review.figures_button)
    before = wide_dock.session.state.stack
    wide_dock.open_stack(segment)
    qtbot.waitUntil(lambda: wide_dock.session.state.stack is not before and not wide_dock.session.state.busy)
    click(wide_dock.correct.editable_button)
    qtbot.waitUntil(lambda: wide_dock.session.labels.project is not None)
    gate.set()
    qtbot.waitUntil(told.is_set)
    qtbot.wait(50)
    assert "too much" not in wide_dock.correct.review.figures.text()
