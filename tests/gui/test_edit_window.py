"""The edit window: plain geometry, and a segment larger than it in a real window."""

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
    """A shape, and a view that has some of it in sight."""
    shape = draw(SHAPES)
    y0, x0 = (draw(st.integers(0, length - 1)) for length in shape)
    y1, x1 = draw(st.integers(y0 + 1, shape[0])), draw(st.integers(x0 + 1, shape[1]))
    return shape, Region(y0, y1, x0, x1)


@given(views())
def test_a_window_made_for_a_view_need_not_move(seen):
    shape, view = seen
    window = window_for(view, shape)
    assert 0 <= window.y0 < window.y1 <= shape[0]
    assert 0 <= window.x0 < window.x1 <= shape[1]
    assert window.shape == tuple(min(length, edit_window.WINDOW_PX) for length in shape)
    assert not must_move(window, view, shape)


@given(views())
def test_a_view_that_fits_lies_in_its_window_but_for_the_rim(seen):
    shape, view = seen
    window = window_for(view, shape)
    if max(view.shape) <= edit_window.WINDOW_PX - 1024:
        assert window.holds(view)


@given(views(), views())
def test_a_window_that_misses_what_it_could_hold_must_move(seen, other):
    shape, view = seen
    elsewhere = window_for(other[1], shape)
    if max(view.shape) <= edit_window.WINDOW_PX - 1024:
        assert must_move(elsewhere, view, shape) == (not elsewhere.holds(view))


def test_a_small_segment_is_edited_whole():
    assert window_for(None, (100, 4096)) == Region(0, 100, 0, 4096)
    assert not must_move(Region(0, 100, 0, 4096), Region(0, 10, 0, 10), (100, 4096))


@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_changed_bounds_are_those_of_a_brute_force(height, width, data):
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
def large_dock(dock, tmp_path, click, qtbot, monkeypatch):
    """The dock on a segment four times as large each way as an edit window, which is made small to keep this quick."""
    monkeypatch.setattr(edit_window, "_STEP_PX", 64)
    monkeypatch.setattr(labels, "window_for", lambda view, shape: window_for(view, shape, 512))
    monkeypatch.setattr(labels, "must_move", lambda window, view, shape: must_move(window, view, shape, 512))
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).integers(0, 60000, (2, 1500, 2100), dtype=np.uint16))
    dock.open_stack(tmp_path / "wide.npy")
    qtbot.waitUntil(lambda: dock.session.state.stack is not None and not dock.session.state.busy, timeout=20000)
    click(dock.correct.editable_button)
    qtbot.waitUntil(lambda: dock.session.state.labels)
    return dock


def _look_at(qtbot, dock, y: int, x: int) -> None:
    camera = napari.current_viewer().scene.camera
    camera.zoom = 3
    camera.center = (0, y, x)

    def has_followed() -> bool:
        view = dock.session._layers.viewport.visible_region()  # it is known once it was drawn
        is_there = abs((view.y0 + view.y1) / 2 - y) < 200 and abs((view.x0 + view.x1) / 2 - x) < 250
        return is_there and dock.session._layers.editable.window.holds(view)

    qtbot.waitUntil(has_followed, timeout=10000)


def test_painting_undo_and_redo_go_on_wherever_the_view_goes(large_dock, viewer, click, stroke, press, qtbot):
    layer, annotation = viewer.layers["Ink labels"], large_dock.session.labels.annotation
    places = [(200, 200), (750, 1000), (1400, 2000), (200, 1900)]
    click(large_dock.correct.tools["ink"])
    for y, x in places:
        _look_at(qtbot, large_dock, y, x)
        assert layer.data.shape == (512, 512)
        stroke((y, x - 10), (y, x + 10))
        assert annotation.read("ink", (y, y + 1), (x, x + 1)) == 2
    total = annotation.count("ink")[2]
    for left in (3, 2, 1, 0):  # each of them far out of the window by now
        press("Z", control=True)
        assert annotation.count("ink").get(2, 0) * 4 <= total * (left + 0.5)
    assert annotation.count("ink") == {}
    for _ in places:
        press("Z", control=True, shift=True)
    assert annotation.count("ink") == {2: total}
    for y, x in places:
        _look_at(qtbot, large_dock, y, x)
        assert layer.data[y - int(layer.translate[0]), x - int(layer.translate[1])] == 2


def test_what_a_script_paints_is_kept_though_the_view_goes_on_at_once(large_dock, viewer, qtbot):
    _look_at(qtbot, large_dock, 200, 200)
    layer, annotation = viewer.layers["Ink labels"], large_dock.session.labels.annotation
    window = large_dock.session._layers.editable.window
    viewer.scene.camera.center = (0, 1300, 1900)
    large_dock.session.labels.follow()  # reads on a thread what is in sight now
    layer.paint((100, 100), 1)
    qtbot.waitUntil(lambda: large_dock.session._layers.editable.window != window)
    assert (annotation.read("ink", (window.y0 + 100, window.y0 + 101), (window.x0 + 100, window.x0 + 101)) == 1).all()


def test_a_stroke_across_the_border_of_a_window_is_whole(large_dock, viewer, click, stroke, qtbot):
    _look_at(qtbot, large_dock, 200, 200)
    edge = large_dock.session._layers.editable.window.x1
    _look_at(qtbot, large_dock, 200, edge)
    click(large_dock.correct.tools["ink"])
    stroke((200, edge - 20), (200, edge + 20))
    row = large_dock.session.labels.annotation.read("ink", (200, 201), (edge - 20, edge + 21))
    assert (row == 2).all()


def test_the_whole_segment_stays_in_sight(large_dock, viewer, click, stroke, qtbot, monkeypatch):
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


def test_far_out_it_is_said_that_only_the_middle_can_be_drawn_in(large_dock, viewer, qtbot):
    note = large_dock.correct.edit_note
    _look_at(qtbot, large_dock, 700, 1000)
    qtbot.waitUntil(lambda: not note.isVisible(), timeout=10000)
    viewer.scene.camera.zoom = 0.5
    qtbot.waitUntil(note.isVisible, timeout=10000)
    assert "Zoom in" in note.text()
    _look_at(qtbot, large_dock, 700, 1000)
    qtbot.waitUntil(lambda: not note.isVisible(), timeout=10000)
