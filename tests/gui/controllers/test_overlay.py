"""The overlay without a window, while runs start, fail, continue and change; and its thresholds."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock, create_autospec

import numpy as np
import pytest

import napari_ink.gui.layers.growing_pyramid as growing
from napari_ink.gui.controllers.overlay import OverlayController
from napari_ink.gui.controllers.state_store import StateStore
from napari_ink.gui.jobs.prediction import PredictionBand, PredictionFound
from napari_ink.gui.layers.manager import LayerManager
from napari_ink.gui.layers.prediction_overlay import PredictionOverlay
from napari_ink.gui.models.state import cut_level
from napari_ink.predict import PredictionStarted
from tests.gui.windowless import take_turns

INK, EDGES = "Ink (predicted)", "Edges (predicted)"
PATH = Path("seg.ink/predictions/one.zarr")


@pytest.fixture
def overlay(qapp):
    return PredictionOverlay((40, 60), {"ink": 0.5, "edge": 0.5})


@pytest.fixture
def layers(overlay):
    made = create_autospec(LayerManager, instance=True)
    made.overlay, made.editable, made.gone = overlay, None, Mock()
    return made


@pytest.fixture
def controller(layers, qapp):
    return OverlayController(StateStore(), layers)


def _started(**changes) -> Mock:
    return Mock(spec=PredictionStarted, **({"shape": (40, 60), "third": None, "path": PATH} | changes))


def test_a_new_run_reuses_existing_empty_layers(controller, layers, overlay):
    controller.begin_growing(_started())
    layers.begin_overlay.assert_not_called()
    layers.show_prediction.assert_called_once_with(True)
    assert overlay.shows == PATH


@pytest.mark.parametrize("third", [None, "disagreement", "depth"])
def test_a_new_run_shows_no_part_of_the_previous_one(controller, layers, overlay, third):
    if third is None:
        overlay.put(slice(0, 2), slice(0, 2), np.ones((2, 2), np.uint8), np.ones((2, 2), np.uint8))
    controller.begin_growing(_started(third=third))
    layers.begin_overlay.assert_called_once_with((40, 60), {"ink": 0.5, "edge": 0.5}, third)


def test_a_stored_prediction_stays_behind_labels(controller, layers):
    found = Mock(spec=PredictionFound, shape=(40, 60), third=None)
    controller.begin_stored(found)
    layers.show_prediction.assert_not_called()
    layers.editable = object()
    controller.begin_stored(found)
    layers.show_prediction.assert_called_once_with(False)


def test_a_stored_prediction_is_complete_after_its_last_band(controller, overlay):
    ones = np.full((20, 60), 9, np.uint8)
    controller.put_band(PredictionBand(slice(0, 20), (ones, ones), False), PATH)
    assert not controller.is_of(PATH, None)
    controller.put_band(PredictionBand(slice(20, 40), (ones, ones), True), PATH)
    assert controller.is_of(PATH, None) and not controller.is_of(PATH, "disagreement")
    assert (overlay.probabilities("ink") == 9).all()


def test_thresholds_set_without_an_overlay_apply_to_the_next_one(controller, layers):
    layers.overlay = None
    controller.set_threshold("ink", 0.7)
    controller.put_band(PredictionBand(slice(0, 2), (np.zeros((2, 60), np.uint8),) * 2, True), PATH)
    assert controller.thresholds() == {"ink": 0.7, "edge": 0.5}
    assert not controller.is_of(PATH, None) and not controller.fits(None)


def test_a_model_sets_its_thresholds_and_shows_nothing(controller, overlay):
    overlay.layers["ink"].visible = overlay.layers["edge"].visible = False
    controller.use_thresholds(Mock(thresholds=(0.3, 0.6)))
    assert controller.thresholds() == {"ink": 0.3, "edge": 0.6}
    assert (overlay.level("ink"), overlay.level("edge")) == (cut_level(0.3), cut_level(0.6))
    assert not overlay.layers["ink"].visible


def test_a_threshold_updates_only_its_own_layer(controller, overlay):
    overlay.layers["ink"].visible = overlay.layers["edge"].visible = False
    before = overlay.probabilities("ink").copy()
    controller.set_threshold("ink", 0.7)
    assert not overlay.layers["ink"].visible and not overlay.layers["edge"].visible  # as before
    assert list(overlay.layers["ink"].contrast_limits) == [cut_level(0.7) - 1, cut_level(0.7)]
    assert np.array_equal(overlay.probabilities("ink"), before)


def test_a_changed_threshold_makes_the_previous_export_outdated(controller):
    controller._store.update(exported="ink.png")
    controller.set_threshold("ink", 0.7)
    assert controller._store.state.exported == ""


# The overlay of runs.


@pytest.fixture
def _large_segments(monkeypatch):
    """Treat every segment as one whose planes do not fit into memory."""
    monkeypatch.setattr(growing, "_IN_MEMORY_PX", 1000)


@pytest.mark.usefixtures("_large_segments")
def test_a_continued_run_on_a_large_segment_keeps_its_predicted_part(stopped_run):
    run, layer = stopped_run, stopped_run.layer()
    before = run.stored.read("ink")
    run.session.prediction.resume()
    run.until_tiles(1)
    assert run.layer() is layer and run.shown()[before > 0].all()
    run.until_over()
    assert run.stored.complete and run.shows_all_that_is_stored()


@pytest.mark.usefixtures("_large_segments")
def test_a_large_segment_gets_its_layers_once(run):
    added = []
    run.session._viewer.layers.events.inserted.connect(lambda event: added.append(event.value.name))
    run.begin(tiles=3)
    run.session.prediction.cancel()
    run.until_over()
    assert added == [INK, EDGES]


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_continued_run_without_its_layer_is_read_from_the_store(stopped_run, in_memory, monkeypatch):
    run = stopped_run
    if not in_memory:
        monkeypatch.setattr(growing, "_IN_MEMORY_PX", 1000)
    before = run.stored.read("ink")
    run.session._viewer.layers.remove(INK)
    assert not run.session.state.has_prediction
    run.session.prediction.resume()
    run.until_tiles(1)
    assert run.session.state.has_prediction and run.shown()[before > 0].all()
    run.until_over()
    assert run.shows_all_that_is_stored()


@pytest.mark.parametrize("augment", [(), ("flips",)])
def test_a_run_that_fails_before_its_start_leaves_the_overlay_unchanged(run, augment, errors):
    torch = pytest.importorskip("torch")
    run.begin()
    run.until_over()
    path, shown = run.path, run.shown().copy()
    run.begin(device="cuda" if not torch.cuda.is_available() else "mps", augment=augment)
    run.until_over()
    assert "not available" in errors[0]
    assert run.path == path and run.session.state.has_prediction and not run.session.state.busy
    assert np.array_equal(run.shown(), shown) and run.shows_all_that_is_stored()
    assert "Disagreement (predicted)" not in run.session._viewer.layers


@pytest.mark.parametrize("augment", [(), ("flips",)])
def test_a_run_cancelled_before_its_start_leaves_the_stopped_one(stopped_run, augment):
    run, path = stopped_run, stopped_run.path
    stored = run.stored.read("ink")
    run.session.prediction.predict(replace(run.settings, augment=augment))  # and in the same turn of the event loop:
    run.session.prediction.cancel()
    run.until_over()
    assert run.path == path and run.session.state.can_continue
    assert np.array_equal(run.shown()[stored > 0], stored[stored > 0])
    run.session.prediction.resume()
    run.until_over()
    assert run.path == path and run.stored.complete and run.shows_all_that_is_stored()


def test_a_run_whose_layer_is_removed_is_shown_at_its_end(run):
    run.begin(tiles=3)
    run.session._viewer.layers.remove(INK)
    assert not run.session.state.has_prediction and EDGES not in run.session._viewer.layers
    run.until_over()
    assert run.session.state.has_prediction and not run.session.state.busy
    assert run.shows_all_that_is_stored()


def test_a_large_segment_is_shown_from_coarser_copies(run, monkeypatch):
    monkeypatch.setattr(growing, "_SCREEN_PX", 40)
    monkeypatch.setattr(growing, "_IN_MEMORY_PX", 1000)
    run.begin()
    run.until_over()
    layer = run.layer()
    assert layer.multiscale and [level.shape for level in layer.data] == [(96, 128), (48, 64), (24, 32)]
    assert np.array_equal(layer.data[0], run.stored.read("ink"))
    run.begin()
    run.until_over()
    assert run.layer() is not layer and run.shows_all_that_is_stored()


def test_the_depth_slider_moves_the_stack_below_the_overlay(run, viewer_model):
    run.begin()
    run.until_over()
    take_turns()
    assert run.layer().ndim == 2
    volume = np.asarray(run.session.state.stack)
    for z in (6, 2):
        viewer_model.dims.set_point(0, z)
        assert viewer_model.layers["seg-1"].get_value((z, 40, 50), world=True) == volume[z, 40, 50]
    assert run.layer().visible


def test_the_depth_of_ink_is_a_hidden_layer_that_shows_nothing_beside_ink(qapp):
    overlay = PredictionOverlay((40, 60), {"ink": 0.5, "edge": 0.5}, "depth")
    ink = np.zeros((40, 60), np.uint8)
    ink[:20] = 200
    depth = np.full((40, 60), 77, np.uint8)
    overlay.put(slice(0, 40), slice(0, 60), ink, np.zeros_like(ink), depth)
    layer = overlay.third
    assert layer.name == "Depth of ink (predicted)" and not layer.visible and layer in overlay.all_layers()
    assert (np.asarray(layer.data)[:20] == 77).all() and not np.asarray(layer.data)[20:].any()
    assert layer.colormap.map(np.array([0.0, 0.5]))[:, 3].tolist() == pytest.approx([0, 0.85], abs=0.01)
