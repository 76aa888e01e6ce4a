"""Opening stacks without a window: refusals, the state that a new stack resets, and removal of a stack's layer."""

import numpy as np
import pytest
import tifffile
from napari.layers import Image
from qtpy.QtWidgets import QWidget

from napari_ink.gui.dock import InkDock
from napari_ink.gui.layers.manager import LayerManager
from napari_ink.gui.layers.stack_layer import stack_layer_data
from napari_ink.gui.models.state import Step
from napari_ink.gui.models.status import RunProgress, SearchStatus
from napari_ink.stack import DepthStack, open_stack
from tests.gui.windowless import take_turns


@pytest.fixture
def other(tmp_path):
    np.save(tmp_path / "other.npy", np.zeros((12, 60, 80), np.uint8))
    return tmp_path / "other.npy"


def test_a_stack_is_opened_with_its_mask_and_shown_at_its_surface(open_session, viewer_model):
    state = open_session.state
    assert (state.stack.name, state.mask.name, state.busy) == ("seg-1", "seg-1_mask.png", "")
    assert viewer_model.layers[0].name == "seg-1"
    assert viewer_model.dims.point[0] == state.stack.surface_z


def test_no_other_stack_is_opened_during_a_prediction(open_session, held_jobs, other):
    open_session.store.update(run=RunProgress())
    open_session.open_stack(other)
    assert not held_jobs.waiting
    assert open_session.state.message(Step.STACK).startswith("A prediction is running")


def test_a_stack_that_cannot_be_opened_leaves_the_previous_one(open_session, held_jobs, tmp_path):
    stack = open_session.state.stack
    open_session.open_stack(tmp_path / "nowhere.npy")
    held_jobs.work()
    assert open_session.state.stack is stack
    assert "nowhere.npy" in open_session.state.message(Step.STACK)


def test_another_stack_replaces_the_first_and_keeps_the_thresholds(open_session, held_jobs, viewer_model, other):
    open_session.store.update(ink_threshold=0.3, outcome="Predicted 4 tiles in 1 s.")
    open_session.similar._set_status(SearchStatus(note="No similar stroke was found on the segment; try another box."))
    open_session.open_stack(other)
    held_jobs.work()
    state = open_session.state
    assert (state.stack.name, state.ink_threshold, state.outcome, state.similar) == ("other", 0.3, "", SearchStatus())
    assert [layer.name for layer in viewer_model.layers] == ["other"]


def test_removing_the_layer_of_the_stack_ends_the_work_on_it(open_session, viewer_model):
    open_session.projection.toggle()
    take_turns()
    open_session.similar._set_status(SearchStatus(note="No similar stroke was found on the segment; try another box."))
    viewer_model.layers.remove(viewer_model.layers["seg-1"])
    assert (open_session.state.stack, open_session.similar.status) == (None, SearchStatus())


def test_a_stack_is_shown_lazily_at_the_contrast_of_its_percentiles(open_session, viewer_model, segment):
    (layer,) = viewer_model.layers
    assert isinstance(layer.data, DepthStack)
    assert list(layer.contrast_limits) == list(open_stack(segment).contrast_limits())
    assert tuple(layer.scale) == (1, 1, 1)


def test_a_missing_layer_gives_one_clear_sentence(open_session, held_jobs, segment, errors):
    before = open_session.state.stack
    (segment / "layers" / "03.tif").unlink()
    open_session.open_stack(segment)
    held_jobs.work()
    assert "3" in errors[0] and "\n" not in errors[0]
    assert open_session.state.stack is before and not open_session.state.busy


def test_a_folder_without_layers_and_uneven_files_are_refused(session, held_jobs, segment, tmp_path, errors):
    (tmp_path / "empty").mkdir()
    session.open_stack(tmp_path / "empty")
    held_jobs.work()
    assert "empty" in errors[0] and session.state.stack is None
    tifffile.imwrite(segment / "layers" / "05.tif", np.zeros((96, 100), np.uint16))
    session.open_stack(segment)
    held_jobs.work()
    assert "05.tif" in errors[1] and session.state.stack is None


def test_released_layers_ignore_an_added_stack(viewer_model, segment, qapp):
    parent = QWidget()
    layers, arrived = LayerManager(viewer_model, parent), []
    layers.stack_arrived.connect(arrived.append)
    data, settings, _ = stack_layer_data(open_stack(segment), (0, 1))
    viewer_model.add_layer(Image(data, **settings))
    assert len(arrived) == 1
    layers.release()
    viewer_model.add_layer(Image(data, **settings))
    assert len(arrived) == 1


def test_a_dock_opened_late_uses_the_existing_stack(viewer_model, segment, held_jobs, qtbot):
    data, settings, _ = stack_layer_data(open_stack(segment), (0, 1))
    viewer_model.add_layer(Image(data, **settings))
    dock = InkDock(viewer_model)
    qtbot.addWidget(dock)
    assert isinstance(dock.session.state.stack, DepthStack)
    dock.session.shut_down()
    held_jobs.work()
