"""Regions of interest, drawn with the mouse before and during a run."""

import numpy as np
import pytest
from qtpy.QtCore import QEvent, Qt

from napari_ink.predict import open_prediction
from tests.gui.driving import on_canvas, send

ROI, INK = "Region of interest", "Ink (predicted)"
NONE, LEFT = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
NO_KEY = Qt.KeyboardModifier.NoModifier


def _done(dock) -> int:
    run = dock.session.state.run
    return 0 if run is None else run.done


@pytest.fixture
def drawing_dock(large_dock, viewer, wait, qtbot):
    """The dock with the active tool for rectangles."""
    large_dock.predict.area_box.setCurrentText(ROI)
    wait(lambda: ROI in viewer.layers)
    wait(lambda: viewer.layers[ROI].mode == "add_rectangle")
    yield large_dock
    large_dock.session.prediction.cancel()
    wait(lambda: large_dock.session.state.run is None)


@pytest.fixture
def running_dock(drawing_dock, viewer, stroke, click, wait):
    """The dock during the prediction of a large rectangle, paused so that there is time to draw."""
    stroke((10, 10), (200, 200), (700, 700))
    click(drawing_dock.predict.run_button)
    wait(lambda: _done(drawing_dock) > 2)
    click(drawing_dock.predict.pause_button)
    viewer.layers.selection.active = viewer.layers[ROI]
    return drawing_dock


@pytest.fixture
def slow_hand(canvas, viewer, qtbot):
    """Press at the first position, rest at each for longer than the delay of a change, and release if requested."""

    def drag(*places: tuple[float, float], lets_go: bool = True) -> None:
        points = [on_canvas(viewer, canvas, place) for place in places]
        send(canvas, QEvent.Type.MouseMove, points[0], NONE, NONE, NO_KEY)
        send(canvas, QEvent.Type.MouseButtonPress, points[0], LEFT, LEFT, NO_KEY)
        for point in points[1:]:
            qtbot.wait(600)
            send(canvas, QEvent.Type.MouseMove, point, NONE, LEFT, NO_KEY)
        qtbot.wait(600)
        if lets_go:
            send(canvas, QEvent.Type.MouseButtonRelease, points[-1], LEFT, NONE, NO_KEY)

    return drag


def test_a_shape_restarts_the_run_only_when_it_is_finished(running_dock, viewer, slow_hand, canvas, wait):
    first, layer = running_dock.session.state.prediction, viewer.layers[ROI]
    assert open_prediction(first).region.slices[0].start in (10, 11)
    layer.mode = "add_ellipse"
    slow_hand((100, 720), (300, 740), lets_go=False)
    assert len(layer.data) == 2
    assert running_dock.session.state.prediction == first and not running_dock.session.state.run.cancelling
    end = on_canvas(viewer, canvas, (400, 760))
    send(canvas, QEvent.Type.MouseMove, end, NONE, LEFT, NO_KEY)
    send(canvas, QEvent.Type.MouseButtonRelease, end, LEFT, NONE, NO_KEY)
    wait(lambda: running_dock.session.state.prediction != first)
    assert open_prediction(running_dock.session.state.prediction).region.slices[1].stop in (760, 761)


def test_a_polygon_does_not_restart_the_run_between_its_corners(running_dock, viewer, stroke, canvas, wait, qtbot):
    first, layer = running_dock.session.state.prediction, viewer.layers[ROI]
    layer.mode = "add_polygon"
    for place in ((20, 720), (20, 760), (300, 760), (300, 730)):
        stroke(place)
        qtbot.wait(600)
        assert running_dock.session.state.prediction == first and not running_dock.session.state.run.cancelling
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    wait(lambda: running_dock.session.state.prediction != first)
    assert layer.shape_type == ["rectangle", "polygon"]


def test_a_shape_moved_again_restarts_the_run_only_on_release(running_dock, viewer, stroke, slow_hand, wait):
    first, layer = running_dock.session.state.prediction, viewer.layers[ROI]
    layer.mode = "select"
    stroke((300, 300))
    assert layer.selected_data == {0}
    stroke((300, 300), (310, 310), (320, 320))
    slow_hand((320, 320), (330, 330), (340, 340))  # grabbed before the delay of the first move is over
    assert running_dock.session.state.prediction == first
    wait(lambda: running_dock.session.state.prediction != first)
    region = open_prediction(running_dock.session.state.prediction).region
    y0, x0 = layer.data[0].min(axis=0)[-2:]  # the position of release; a busy machine skips mouse moves
    assert abs(region.y0 - y0) <= 1 and abs(region.x0 - x0) <= 1
    assert y0 > 35 and x0 > 35


def test_a_click_on_a_shape_changes_nothing(running_dock, viewer, stroke, qtbot):
    first, layer = running_dock.session.state.prediction, viewer.layers[ROI]
    layer.mode = "add_polygon"
    stroke((20, 720))
    layer.mode = "select"  # which discards the polygon
    stroke((300, 300))
    qtbot.wait(800)
    assert running_dock.session.state.prediction == first and not running_dock.session.state.run.cancelling


def test_the_outline_is_on_top_and_equally_wide_at_every_zoom(drawing_dock, viewer, stroke, canvas, wait, click, qtbot):
    stroke((100, 100), (300, 300), (600, 600))
    layer = viewer.layers[ROI]
    for zoom in (0.25, 1.0, 6.0):
        viewer.scene.camera.center = (0, 350, 350)
        viewer.scene.camera.zoom = zoom
        wait(lambda zoom=zoom: np.allclose(layer.edge_width, 3 / zoom))
        assert np.isclose(layer.current_edge_width, 3 / zoom)
    viewer.scene.camera.zoom = 0.25
    wait(lambda: np.allclose(layer.edge_width, 12))
    layer.mode = "pan_zoom"
    layer.selected_data = set()
    qtbot.wait(300)
    picture = viewer.screenshot(flash=False)
    scale = picture.shape[0] / canvas.height()
    middle = on_canvas(viewer, canvas, (350, 100))
    row = picture[round(middle.y() * scale), :, :3].astype(int)
    near = row[round((middle.x() - 6) * scale) : round((middle.x() + 6) * scale)]
    yellow = (np.abs(near - (0xF0, 0xE4, 0x42)).max(axis=1) < 60).sum()
    assert 2 <= yellow / scale <= 4
    click(drawing_dock.predict.run_button)
    wait(lambda: _done(drawing_dock) > 0)
    wait(lambda: INK in viewer.layers)
    wait(lambda: viewer.layers[-1].name == ROI)
