"""Opening stacks without a window: what is refused, what a new stack resets, and a stack whose layer is removed."""

import numpy as np
import pytest

from napari_ink.gui.models.state import Step
from napari_ink.gui.models.status import RunProgress, SearchStatus
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


def test_while_a_prediction_runs_no_other_stack_is_opened(open_session, held_jobs, other):
    open_session.store.update(run=RunProgress())
    open_session.open_stack(other)
    assert not held_jobs.waiting
    assert open_session.state.message(Step.STACK).startswith("A prediction is running")


def test_a_stack_that_cannot_be_opened_leaves_the_one_before(open_session, held_jobs, tmp_path):
    stack = open_session.state.stack
    open_session.open_stack(tmp_path / "nowhere.npy")
    held_jobs.work()
    assert open_session.state.stack is stack
    assert "nowhere.npy" in open_session.state.message(Step.STACK)


def test_another_stack_takes_the_place_of_the_first_and_keeps_the_thresholds(
    open_session, held_jobs, viewer_model, other
):
    open_session.store.update(ink_threshold=0.3, outcome="Predicted 4 tiles in 1 s.")
    open_session.similar._tell(SearchStatus(note="Nothing on the segment looks like it; try another box."))
    open_session.open_stack(other)
    held_jobs.work()
    state = open_session.state
    assert (state.stack.name, state.ink_threshold, state.outcome, state.similar) == ("other", 0.3, "", SearchStatus())
    assert [layer.name for layer in viewer_model.layers] == ["other"]


def test_removing_the_layer_of_the_stack_ends_the_work_on_it(open_session, viewer_model):
    open_session.projection.toggle()
    take_turns()
    open_session.similar._tell(SearchStatus(note="Nothing on the segment looks like it; try another box."))
    viewer_model.layers.remove(viewer_model.layers["seg-1"])
    assert (open_session.state.stack, open_session.similar.status) == (None, SearchStatus())
