"""The request of a run: its name, its region, the run it supersedes, and the earlier run it continues."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from unittest.mock import Mock, create_autospec

import numpy as np
import pytest

from napari_ink.annotation import default_project_folder, project
from napari_ink.errors import BadInputError
from napari_ink.gui.controllers import run_request
from napari_ink.gui.controllers.run_request import RunRequestFactory
from napari_ink.gui.controllers.state_store import StateStore
from napari_ink.gui.jobs.prediction import ModelReady
from napari_ink.gui.layers.manager import LayerManager
from napari_ink.gui.layers.roi_layer import RoiLayer
from napari_ink.predict import PredictionFolder
from napari_ink.region import Region
from napari_ink.stack import open_stack

NOW = datetime(2026, 11, 23, 4, 5, 6)
SQUARE = np.array([[10.0, 20], [30, 20], [30, 50], [10, 50]])
TRIANGLE = np.array([[10.0, 20], [30, 20], [30, 50]])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "user_cache_path", lambda _: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def factory(stack, tmp_path, qapp):
    layers, roi = create_autospec(LayerManager, instance=True), create_autospec(RoiLayer, instance=True)
    layers.viewport = Mock()
    layers.viewport.visible_region.return_value = Region(5, 45, 6, 60)
    roi.polygons.return_value = []
    store = StateStore()
    store.update(stack=stack, mask=Path("mask.png"))
    made = RunRequestFactory(store, layers, roi, lambda _: tmp_path / "seg.ink")
    made.roi, made.viewport = roi, layers.viewport
    return made


def test_all_of_a_segment_has_no_region(factory, stack, settings):
    request = factory.from_settings(stack, settings)
    assert (request.region, request.polygons) == (None, ())
    assert (request.mask, request.model, request.device) == (Path("mask.png"), None, "cpu")
    assert request.out.parent.is_dir() and not request.out.exists()
    assert factory.from_settings(stack, replace(settings, use_mask=False)).mask is None


def test_the_visible_part_is_a_region(factory, stack, settings):
    visible = replace(settings, where="visible")
    assert factory.from_settings(stack, visible).region == Region(5, 45, 6, 60)
    factory.viewport.visible_region.return_value = None
    with pytest.raises(BadInputError, match="is visible"):
        factory.from_settings(stack, visible)


def test_an_upright_box_needs_no_outline_and_other_shapes_do(factory, stack, settings):
    drawn = replace(settings, where="roi")
    with pytest.raises(BadInputError, match="draw a rectangle"):
        factory.from_settings(stack, drawn)
    factory.roi.polygons.return_value = [SQUARE]
    request = factory.from_settings(stack, drawn)
    assert (request.region, request.polygons) == (Region(10, 30, 20, 50), ())
    factory.roi.polygons.return_value = [TRIANGLE]
    request = factory.from_settings(stack, drawn)
    assert request.region == Region(10, 30, 20, 50) and request.polygons[0] is TRIANGLE


def test_a_changed_shape_is_distinguished_from_an_unchanged_one(factory, stack, settings):
    drawn = replace(settings, where="roi")
    factory.roi.polygons.return_value = [TRIANGLE]
    request = factory.from_settings(stack, drawn)
    factory.roi.polygons.return_value = [TRIANGLE.copy()]
    assert not factory.has_area_changed(request, drawn)
    for polygons in ([SQUARE], [TRIANGLE, SQUARE], [TRIANGLE + 1]):
        factory.roi.polygons.return_value = polygons
        assert factory.has_area_changed(request, drawn)
    factory.roi.polygons.return_value = []  # nothing to predict instead, so the run continues
    assert not factory.has_area_changed(request, drawn)


def test_a_replacement_keeps_the_view_of_a_run_and_supersedes_its_store(factory, stack, settings):
    visible = replace(settings, where="visible")
    first = factory.from_settings(stack, visible)
    first.out.mkdir()
    factory.viewport.visible_region.return_value = None
    second = factory.from_settings(stack, visible, instead_of=first)
    assert second.region == first.region and second.superseded == (first.out,)
    second.out.mkdir()
    assert factory.from_settings(stack, settings, instead_of=second).superseded == (first.out, second.out)


def test_a_continued_store_is_not_superseded(factory, stack, settings):
    first = replace(factory.from_settings(stack, settings), resume=True)
    assert factory.from_settings(stack, settings, instead_of=first).superseded == ()


def test_a_name_that_is_free_again_does_not_supersede_itself(factory, stack, settings, monkeypatch):
    monkeypatch.setattr(run_request, "datetime", Mock(now=lambda: NOW))
    first = factory.from_settings(stack, settings)  # removed again within the second of its name
    second = factory.from_settings(stack, settings, instead_of=first)
    assert second.out == first.out and second.superseded == ()


def test_a_matching_model_in_memory_is_used(factory, stack, settings):
    model = Mock()
    factory.ready = ModelReady(settings.model.name_or_path, model)
    assert factory.from_settings(stack, settings).model is model
    factory.ready = ModelReady("another", model)
    assert factory.from_settings(stack, settings).model is None


def test_an_offset_beyond_the_stack_makes_no_folder(factory, stack, settings, tmp_path):
    with pytest.raises(BadInputError, match="An offset of -64 leaves 0 of"):
        factory.from_settings(stack, replace(settings, offset=-64))
    assert not (tmp_path / "seg.ink").exists()


# Continuing an earlier prediction.

RECORD = {
    "model": {"source": "m.safetensors"},
    "device": "cpu",
    "region": [0, 96, 0, 128],
    "mask": None,
    "contract": {"direction": "reversed", "surface_offset": 3, "grey_range": [0, 4095]},
    "augment": ["flips"],
}


def _request(factory, **changes):
    return factory.from_stored(Path("one.zarr"), RECORD | changes)


def test_an_earlier_prediction_continues_with_its_models_input(factory):
    request = _request(factory)
    assert (request.model_name, request.out, request.region) == (
        "m.safetensors",
        Path("one.zarr"),
        Region(0, 96, 0, 128),
    )
    assert (request.direction, request.offset, request.grey_range) == (None, None, None)
    assert request.augment == ("flips",) and request.mask is None


def test_an_earlier_prediction_continues_with_its_requested_input(factory):
    asked = {"direction": "as stored", "surface_offset": 0, "grey_range": None}
    request = _request(factory, asked_instead_of=asked, mask="mask.png")
    assert (request.direction, request.offset, request.grey_range) == ("reversed", 3, (0, 4095))
    assert request.mask == Path("mask.png")


@pytest.mark.parametrize("lack", [{"model": {}}, {"model": "m"}, {"others": ["another"]}])
def test_a_prediction_without_its_model_or_with_several_does_not_continue(factory, lack):
    assert _request(factory, **lack) is None


# Names.


def test_predictions_are_stored_in_the_project_beside_the_segment(stack, tmp_path):
    path = PredictionFolder(default_project_folder(stack)).new_path("ink-tiny-1", NOW)
    assert path == tmp_path / "seg-1.ink" / "predictions" / "ink-tiny-1-20261123-040506.zarr"
    assert path.parent.is_dir()


def test_a_single_file_has_its_project_beside_it(tmp_path):
    np.save(tmp_path / "piece.npy", np.zeros((3, 16, 16), np.uint8))
    assert default_project_folder(open_stack(tmp_path / "piece.npy")) == tmp_path / "piece.ink"


def test_the_cache_is_used_where_nothing_can_be_written(stack, tmp_path, cache):
    (tmp_path / "seg-1.ink").write_text("a file where the folder should be")
    assert default_project_folder(stack).is_relative_to(cache)


def test_nothing_is_written_beside_the_sample(segment, stack, cache):
    assert default_project_folder(stack, keep_clear_of=segment).is_relative_to(cache)
