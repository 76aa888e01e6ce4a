"""The edit window: its geometry, and a larger segment in a real window."""

import napari
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.gui.controllers import labels
from napari_ink.gui.models import edit_window
from napari_ink.gui.models.edit_window import changed_bounds, must_move, window_for
from napari_ink.region import Region

SHAPES = st.tuples(st.integers(1, 40_000), st.integers(1, 40_000))


@st.composite
def views(draw):
    """A shape, and a view that shows some of it."""
    shape = draw(SHAPES)
    y0, x0 = (draw(st.integers(0, length - 1)) for length in shape)
    y1, x1 = draw(st.integers(y0 + 1, shape[0])), draw(st.integers(x0 + 1, shape[1]))
    return shape, Region(y0, y1, x0, x1)


@given(views())
def test_a_window_made_for_a_view_stays_in_place(seen):
    shape, view = seen
    window = window_for(view, shape)
    assert 0 <= window.y0 < window.y1 <= shape[0]
    assert 0 <= window.x0 < window.x1 <= shape[1]
    assert window.shape == tuple(min(length, edit_window.WINDOW_PX) for length in shape)
    assert not must_move(window, view, shape)


@given(views())
def test_a_view_that_fits_is_inside_its_window_except_the_margin(seen):
    shape, view = seen
    window = window_for(view, shape)
    if max(view.shape) <= edit_window.WINDOW_PX - 1024:
        assert window.holds(view)


@given(views(), views())
def test_a_window_that_misses_a_part_it_could_hold_must_move(seen, other):
    shape, view = seen
    elsewhere = window_for(other[1], shape)
    if max(view.shape) <= edit_window.WINDOW_PX - 1024:
        assert must_move(elsewhere, view, shape) == (not elsewhere.holds(view))


def test_a_small_segment_is_edited_as_a_whole():
    assert window_for(None, (100, 4096)) == Region(0, 100, 0, 4096)
    assert not must_move(Region(0, 100, 0, 4096), Region(0, 10, 0, 10), (100, 4096))


@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_changed_bounds_equal_a_brute_force(height, width, data):
    seed = data.draw(st.integers(0, 9999))
    before = np.random.default_rng(seed).integers(0, 3, (height, width), dtype=np.uint8)
    now = before.copy()
    for _ in range(data.draw(st.integers(0, 3))):
        now[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] ^= 1
    rows, columns = np.nonzero(now != before)
    bounds = changed_bounds(now, before)
    if not rows.size:
        assert bounds is None
    else:
        assert bounds == Region(rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)


@pytest.fixture
def large_dock(dock, tmp_path, label_in_dock, monkeypatch):
    """The dock on a segment four times as wide and high as an edit window, which is made small to keep this quick."""
    monkeypatch.setattr(edit_window, "_STEP_PX", 64)
    monkeypatch.setattr(labels, "window_for", lambda view, shape: window_for(view, shape, 512))
    monkeypatch.setattr(labels, "must_move", lambda window, view, shape: must_move(window, view, shape, 512))
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).integers(0, 60000, (2, 1500, 2100), dtype=np.uint16))
    label_in_dock(tmp_path / "wide.npy")
    return dock


def _look_at(qtbot, dock, y: int, x: int) -> None:
    camera = napari.current_viewer().scene.camera
    camera.zoom = 3
    camera.center = (0, y, x)

    def has_followed() -> bool:
        view = dock.session._layers.viewport.visible_region()  # known once it is drawn
        is_there = abs((view.y0 + view.y1) / 2 - y) < 200 and abs((view.x0 + view.x1) / 2 - x) < 250
        return is_there and dock.session._layers.editable.window.holds(view)

    qtbot.waitUntil(has_followed, timeout=10000)


def test_painting_undo_and_redo_work_as_the_view_moves(large_dock, viewer, click, stroke, press, qtbot):
    layer, annotation = viewer.layers["Ink labels"], large_dock.session.labels.annotation
    places = [(200, 200), (750, 1000), (1400, 2000), (200, 1900)]
    click(large_dock.correct.tools["ink"])
    for y, x in places:
        _look_at(qtbot, large_dock, y, x)
        assert layer.data.shape == (512, 512)
        stroke((y, x - 10), (y, x + 10))
        assert annotation.read("ink", (y, y + 1), (x, x + 1)) == 2
    total = annotation.count("ink")[2]
    for left in (3, 2, 1, 0):  # each of them is far outside the window by now
        press("Z", control=True)
        assert annotation.count("ink").get(2, 0) * 4 <= total * (left + 0.5)
    assert annotation.count("ink") == {}
    for _ in places:
        press("Z", control=True, shift=True)
    assert annotation.count("ink") == {2: total}
    for y, x in places:
        _look_at(qtbot, large_dock, y, x)
        assert layer.data[y - int(layer.translate[0]), x - int(layer.translate[1])] == 2


def test_painting_by_a_script_is_stored_even_if_the_view_moves_immediately(large_dock, viewer, qtbot):
    _look_at(qtbot, large_dock, 200, 200)
    layer, annotation = viewer.layers["Ink labels"], large_dock.session.labels.annotation
    window = large_dock.session._layers.editable.window
    viewer.scene.camera.center = (0, 1300, 1900)
    large_dock.session.labels.follow()  # reads the visible part on a thread
    layer.paint((100, 100), 1)
    qtbot.waitUntil(lambda: large_dock.session._layers.editable.window != window)
    assert (annotation.read("ink", (window.y0 + 100, window.y0 + 101), (window.x0 + 100, window.x0 + 101)) == 1).all()


def test_a_stroke_across_the_border_of_a_window_is_complete(large_dock, viewer, click, stroke, qtbot):
    _look_at(qtbot, large_dock, 200, 200)
    edge = large_dock.session._layers.editable.window.x1
    _look_at(qtbot, large_dock, 200, edge)
    click(large_dock.correct.tools["ink"])
    stroke((200, edge - 20), (200, edge + 20))
    row = large_dock.session.labels.annotation.read("ink", (200, 201), (edge - 20, edge + 21))
    assert (row == 2).all()


def test_the_whole_segment_stays_visible(large_dock, viewer, click, stroke, qtbot, monkeypatch):
    _look_at(qtbot, large_dock, 200, 200)
    click(large_dock.correct.tools["ink"])
    viewer.layers["Ink labels"].brush_size = 40
    stroke((200, 180), (200, 220))
    _look_at(qtbot, large_dock, 1300, 1900)
    overview = viewer.layers["Ink labels, all"]
    step = int(overview.scale[0])
    qtbot.waitUntil(lambda: overview.data[200 // step, 200 // step] == 2, timeout=5000)
    assert not overview.editable
    window = large_dock.session._layers.editable.window
    assert not overview.data[window.y0 // step + 1 : window.y1 // step, window.x0 // step + 1 : window.x1 // step].any()


def test_zoomed_out_a_message_explains_that_only_the_middle_is_editable(large_dock, viewer, qtbot):
    note = large_dock.correct.edit_note
    _look_at(qtbot, large_dock, 700, 1000)
    qtbot.waitUntil(lambda: not note.text(), timeout=10000)
    viewer.scene.camera.zoom = 0.5
    qtbot.waitUntil(lambda: bool(note.text()), timeout=10000)
    assert "Zoom in" in note.text()
    _look_at(qtbot, large_dock, 700, 1000)
    qtbot.waitUntil(lambda: not note.text(), timeout=10000)
