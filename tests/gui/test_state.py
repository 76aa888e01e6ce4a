from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.gui.controllers.prediction_run import seconds_left
from napari_ink.gui.models.state import InkState, Step, cut_level
from napari_ink.gui.models.status import LabelCounts, ReviewStatus, RunProgress, TeachingStatus
from napari_ink.gui.models.words import time_left
from napari_ink.stack import DepthStack, open_stack


@pytest.fixture
def stack(tmp_path) -> DepthStack:
    np.save(tmp_path / "seg.npy", np.zeros((3, 16, 16), np.uint8))
    return open_stack(tmp_path / "seg.npy")


@given(st.floats(0.0, 1.0))
def test_the_cut_includes_probabilities_equal_to_the_threshold(threshold):
    level = cut_level(threshold)
    assert 1 <= level <= 255
    assert level / 255 >= threshold - 1e-6
    assert level == 1 or (level - 1) / 255 < threshold


@pytest.mark.parametrize("level", range(1, 256))
def test_a_threshold_equal_to_a_level_is_that_level(level):
    assert cut_level(level / 255) == level


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "a few seconds"),
        (9.9, "a few seconds"),
        (43.4, "about 40 s"),
        (56, "about 1 min"),
        (70, "about 1 min"),
        (170, "about 3 min"),
        (4800, "about 1 h 20 min"),
        (3599, "about 1 h 00 min"),
    ],
)
def test_time_left_in_words(seconds, words):
    assert time_left(seconds) == words


def test_a_review_has_a_result_once_a_region_is_reviewed_or_flagged():
    states = (ReviewStatus(regions=6), ReviewStatus(regions=6, in_progress=1), ReviewStatus(regions=6, flagged=1))
    assert [InkState(review=review).is_done(Step.REVIEW) for review in states] == [False, False, True]


def test_time_left_follows_the_average_pace():
    assert seconds_left(10.0, 0, 5) is None
    assert seconds_left(10.0, 2, 6) == pytest.approx(20.0)


def test_the_first_step_is_to_open_a_stack():
    state = InkState()
    assert state.current_step is Step.STACK
    assert [state.why_not(step) for step in Step] == ["", *["Open a stack first."] * 5]


def test_each_step_enables_the_next(stack):
    assert InkState(stack=stack).current_step is Step.PREDICT
    assert InkState(stack=stack, run=RunProgress(), has_prediction=True).current_step is Step.PREDICT
    assert InkState(stack=stack, has_prediction=True).current_step is Step.CORRECT
    assert InkState(stack=stack, has_prediction=True, labels=True, exported="ink.png").current_step is Step.EXPORT


def test_a_running_prediction_blocks_other_stacks_but_not_labels(stack):
    running = InkState(stack=stack, run=RunProgress(), has_prediction=True)
    assert "cancel" in running.why_not(Step.STACK)
    assert "cancel" in running.why_not(Step.CORRECT)
    assert InkState(stack=stack, run=RunProgress(), labels=True).why_not(Step.CORRECT) == ""


def test_export_needs_a_prediction_or_labels(stack):
    assert "first" in InkState(stack=stack).why_not(Step.EXPORT)
    assert InkState(stack=stack, labels=True).why_not(Step.EXPORT) == ""


def test_learning_needs_ink_and_papyrus_and_no_prediction(stack):
    state = InkState(stack=stack, labels=True)
    assert state.why_no_learning == "Paint some ink and some papyrus first."
    assert replace(state, counts=LabelCounts(ink=9)).why_no_learning == "Paint some papyrus first."
    assert replace(state, counts=LabelCounts(papyrus=9)).why_no_learning == "Paint some ink first."
    both = replace(state, counts=LabelCounts(ink=9, papyrus=9))
    assert both.why_no_learning == ""
    assert replace(state, counts=LabelCounts(ink=9), review=ReviewStatus(reviewed=1)).why_no_learning == ""
    assert "Wait for the prediction" in replace(both, run=RunProgress()).why_no_learning
    assert "not installed" in replace(both, teaching=TeachingStatus(missing="x is not installed")).why_no_learning


def test_a_prediction_waits_for_learning(stack):
    assert InkState(stack=stack).why_no_prediction == ""
    assert "learning" in InkState(stack=stack, teaching=TeachingStatus(progress="Step")).why_no_prediction
