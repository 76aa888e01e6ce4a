import numpy as np
import pytest

from napari_ink.gui.models.state import cut_level
from napari_ink.predict import open_prediction
from tests.gui.driving import is_over

EVERYWHERE = (slice(0, 96), slice(0, 128))


@pytest.fixture
def busy_dock(dock, large_stack, click, qtbot):
    """The dock during a prediction of some hundred tiles."""
    dock.open_stack(large_stack)
    qtbot.waitUntil(lambda: dock.session.state.stack is not None, timeout=20000)
    click(dock.predict.run_button)
    qtbot.waitUntil(lambda: dock.session.state.run is not None and dock.session.state.run.done > 2, timeout=30000)
    return dock


def test_a_run_shows_exactly_what_it_stores(predicted_dock, viewer, segment):
    state = predicted_dock.session.state
    stored = open_prediction(state.prediction)
    assert stored.complete
    assert np.array_equal(viewer.layers["Ink (predicted)"].data, stored.read("ink", *EVERYWHERE))
    assert np.array_equal(viewer.layers["Edges (predicted)"].data, stored.read("edge", *EVERYWHERE))
    assert stored.read("ink", *EVERYWHERE)[:, 16:].min() > 0
    assert state.prediction.is_relative_to(segment.parent / "seg-1.ink")
    assert not state.prediction.name.startswith(".")


def test_only_the_visible_region_is_predicted(open_dock, viewer, click, qtbot):
    viewer.scene.camera.zoom = 20
    viewer.scene.camera.center = (0, 40, 64)
    qtbot.wait(100)
    open_dock.predict.area_box.setCurrentText("Visible region")
    click(open_dock.predict.run_button)
    qtbot.waitUntil(lambda: is_over(open_dock), timeout=60000)
    region = open_prediction(open_dock.session.state.prediction).provenance["region"]
    rows, columns = np.nonzero(viewer.layers["Ink (predicted)"].data)
    seen = viewer.layers["seg-1"].corner_pixels[:, 1:]
    assert rows.min() == seen[0, 0]
    assert rows.max() == seen[1, 0]
    assert columns.min() == seen[0, 1]
    assert columns.max() == seen[1, 1]
    assert rows.max() < 95
    assert str(rows.min()) in str(region)


def test_a_threshold_changes_the_overlay_immediately_without_the_model(predicted_dock, viewer):
    panel = predicted_dock.predict
    for name, row in (("Ink (predicted)", panel.ink_threshold), ("Edges (predicted)", panel.edge_threshold)):
        layer = viewer.layers[name]
        before = layer.data.copy()
        shown = []
        for percent in (1, 40, 60, 99):
            row.slider.setValue(percent)
            level = cut_level(percent / 100)
            assert layer.contrast_limits == [level - 1, level]
            assert np.array_equal(_painted(viewer, layer), before >= level)
            shown.append(int((before >= level).sum()))
        assert shown == sorted(shown, reverse=True)
        assert len(set(shown)) > 2
        assert np.array_equal(layer.data, before)
        assert not panel.cancel_button.isVisible()


def _painted(viewer, layer) -> np.ndarray:
    """Return, for every segment pixel, whether the window shows the layer's colour there."""
    for other in viewer.layers:
        other.visible = other == layer
    viewer.reset_view()
    picture = viewer.screenshot(flash=False)
    (cy, cx), zoom = viewer.scene.camera.center[-2:], viewer.scene.camera.zoom
    rows = np.round(picture.shape[0] / 2 + (np.arange(96) - cy) * zoom).astype(int)
    columns = np.round(picture.shape[1] / 2 + (np.arange(128) - cx) * zoom).astype(int)
    return picture[np.ix_(rows, columns)][..., :3].sum(axis=-1) > 0


def test_closing_the_window_stops_a_run_and_keeps_finished_tiles(busy_dock, viewer, qtbot):
    run, path = busy_dock.session.prediction._run, busy_dock.session.state.prediction
    viewer.close()
    qtbot.waitUntil(lambda: not run._worker.is_running, timeout=20000)
    assert 0 < run.progress.done < run.progress.total
    assert not path.exists() or not open_prediction(path).complete
