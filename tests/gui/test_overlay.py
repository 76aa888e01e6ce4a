"""What is shown while runs begin, fail, go on and are changed: what is stored, and what the panel says is shown."""

import numpy as np
import pytest

import napari_ink.gui.layers.growing_pyramid as growing
from napari_ink.predict import open_prediction
from tests.gui.driving import is_over, settle, tiles_done

INK, EDGES = "Ink (predicted)", "Edges (predicted)"


def _shown(viewer, name: str = INK) -> np.ndarray:
    layer = viewer.layers[name]
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)


def _shows_all_that_is_stored(dock, viewer) -> bool:
    stored = open_prediction(dock.session.state.prediction)
    return np.array_equal(_shown(viewer), stored.read("ink")) and np.array_equal(
        _shown(viewer, EDGES), stored.read("edge")
    )


@pytest.fixture
def stopped_dock(large_dock, click, wait):
    """The dock after a run that was stopped half-way."""
    click(large_dock.predict.run_button)
    wait(lambda: tiles_done(large_dock) > 300)
    click(large_dock.predict.cancel_button)
    wait(lambda: is_over(large_dock))
    return large_dock


@pytest.fixture
def _large_segments(monkeypatch):
    """Take any segment for one whose planes memory does not hold."""
    monkeypatch.setattr(growing, "_IN_MEMORY_PX", 1000)


@pytest.mark.usefixtures("_large_segments")
def test_a_large_segment_that_is_continued_keeps_what_was_predicted(stopped_dock, viewer, click, wait):
    panel, layer = stopped_dock.predict, viewer.layers[INK]
    before = open_prediction(stopped_dock.session.state.prediction).read("ink")
    assert before.any()
    click(panel.continue_button)
    wait(lambda: tiles_done(stopped_dock) > 0)
    assert viewer.layers[INK] == layer and _shown(viewer)[before > 0].all()
    wait(lambda: is_over(stopped_dock))
    assert open_prediction(stopped_dock.session.state.prediction).complete
    assert _shows_all_that_is_stored(stopped_dock, viewer)


@pytest.mark.usefixtures("_large_segments")
def test_a_large_segment_gets_its_layers_once(large_dock, viewer, click, wait):
    added = []
    viewer.layers.events.inserted.connect(lambda event: added.append(event.value.name))
    click(large_dock.predict.run_button)
    wait(lambda: tiles_done(large_dock) > 3)
    click(large_dock.predict.cancel_button)
    wait(lambda: is_over(large_dock))
    assert added == [INK, EDGES]


@pytest.mark.parametrize("in_memory", [True, False])
def test_what_is_continued_without_its_layer_is_read_back(stopped_dock, viewer, click, wait, in_memory, monkeypatch):
    if not in_memory:
        monkeypatch.setattr(growing, "_IN_MEMORY_PX", 1000)
    before = open_prediction(stopped_dock.session.state.prediction).read("ink")
    viewer.layers.remove(viewer.layers[INK])
    assert not stopped_dock.session.state.has_prediction
    click(stopped_dock.predict.continue_button)
    wait(lambda: tiles_done(stopped_dock) > 0)
    assert stopped_dock.session.state.has_prediction and _shown(viewer)[before > 0].all()
    wait(lambda: is_over(stopped_dock))
    assert _shows_all_that_is_stored(stopped_dock, viewer)


@pytest.mark.parametrize("views", [0, 1])
def test_a_run_that_fails_before_it_starts_leaves_what_is_shown(predicted_dock, viewer, click, wait, views, errors):
    state = predicted_dock.session.state
    shown = _shown(viewer).copy()
    torch = pytest.importorskip("torch")
    absent = "Apple GPU (MPS)" if not torch.backends.mps.is_available() else "NVIDIA GPU (CUDA)"
    predicted_dock.predict.device_box.setCurrentText(absent)
    predicted_dock.predict.views_box.setCurrentIndex(views)
    click(predicted_dock.predict.run_button)
    wait(lambda: is_over(predicted_dock) and not predicted_dock.session.state.busy and EDGES in viewer.layers)
    assert "not available" in errors[0]
    assert predicted_dock.session.state.prediction == state.prediction and predicted_dock.session.state.has_prediction
    assert np.array_equal(_shown(viewer), shown) and _shows_all_that_is_stored(predicted_dock, viewer)
    assert "Disagreement (predicted)" not in viewer.layers


@pytest.mark.parametrize("views", [0, 1])
def test_a_run_that_is_cancelled_before_it_starts_leaves_what_was_stopped(stopped_dock, viewer, click, wait, views):
    panel, path = stopped_dock.predict, stopped_dock.session.state.prediction
    shown = _shown(viewer).copy()
    panel.views_box.setCurrentIndex(views)
    panel.run_button.click()
    stopped_dock.session.prediction.cancel()  # within the same turn of the event loop
    wait(lambda: is_over(stopped_dock) and not stopped_dock.session.state.busy and EDGES in viewer.layers)
    assert stopped_dock.session.state.prediction == path
    stored = open_prediction(path).read("ink")
    assert np.array_equal(_shown(viewer)[stored > 0], shown[stored > 0])
    click(panel.continue_button)
    wait(lambda: stopped_dock.session.state.run is not None)
    wait(lambda: is_over(stopped_dock))
    assert stopped_dock.session.state.prediction == path and open_prediction(path).complete
    assert _shows_all_that_is_stored(stopped_dock, viewer)


def test_a_run_whose_layer_is_taken_away_is_shown_at_its_end(large_dock, viewer, click, wait):
    panel = large_dock.predict
    click(panel.run_button)
    wait(lambda: tiles_done(large_dock) > 3)
    viewer.layers.remove(viewer.layers[INK])
    assert not large_dock.session.state.has_prediction and EDGES not in viewer.layers
    settle()
    assert not panel.thresholds.isVisible()
    wait(lambda: is_over(large_dock))
    wait(
        lambda: large_dock.session.state.has_prediction and not large_dock.session.state.busy and EDGES in viewer.layers
    )
    assert panel.thresholds.isVisible() and _shows_all_that_is_stored(large_dock, viewer)


@pytest.mark.parametrize("is_running", [True, False])
def test_a_stack_that_is_taken_away_takes_what_could_go_on_with_it(
    stopped_dock, large_stack, viewer, click, wait, is_running
):
    if is_running:
        click(stopped_dock.predict.continue_button)
        wait(lambda: tiles_done(stopped_dock) > 0)
    viewer.layers.remove(viewer.layers["large"])
    wait(lambda: stopped_dock.session.state.run is None)
    settle()
    assert not stopped_dock.session.state.can_continue and not stopped_dock.predict.continue_button.isVisible()
    assert stopped_dock.session.prediction._unfinished is None
    assert len(viewer.layers) == 0 and not stopped_dock.session.state.has_prediction
    stopped_dock.open_stack(large_stack)
    wait(lambda: stopped_dock.session.state.can_continue)  # it is found again
