"""Differences without a window: from the prediction or a version, updated while drawing, and removed."""

import numpy as np
import pytest

from napari_ink.gui.models.state import Step
from tests.gui.controllers.conftest import make_editable
from tests.gui.windowless import take_turns


@pytest.fixture
def labelled(run):
    """The session with labels cut from a prediction."""
    run.begin()
    run.until_over()
    make_editable(run.session, run.jobs)
    return run


def _settle(run):
    take_turns()
    run.jobs.work()
    take_turns()


def test_the_difference_follows_edits(labelled, viewer_model):
    session, truth = labelled.session, np.zeros((96, 128), np.uint8)
    predicted = labelled.shown() >= session._layers.overlay.level("ink")
    assert predicted.any() and not predicted.all()
    session.compare.toggle_prediction()
    _settle(labelled)
    assert viewer_model.layers["Difference"].data.max() == 0  # the labels have just been cut from the prediction
    session.labels.apply([("ink", 40, 40, np.full((20, 30), 2, np.uint8))], "ink")
    session.labels.apply([("ink", 70, 40, np.full((20, 30), 1, np.uint8))], "papyrus")
    assert predicted[:20, 40:70].any()
    session.labels.apply([("ink", 0, 40, np.zeros((20, 30), np.uint8))], "erase")  # unreviewed, which is no difference
    _settle(labelled)
    truth[40:60, 40:70] = np.where(predicted[40:60, 40:70], 0, 1)
    truth[70:90, 40:70] = np.where(predicted[70:90, 40:70], 2, 0)
    assert np.array_equal(viewer_model.layers["Difference"].data, truth) and session.state.compared == "prediction"
    session.compare.toggle_prediction()
    take_turns()
    assert "Difference" not in viewer_model.layers and session.state.compared == ""


def test_a_difference_that_arrives_after_the_comparison_is_dropped(labelled, viewer_model):
    labelled.session.compare.toggle_prediction()
    labelled.session.compare.toggle_prediction()
    _settle(labelled)
    assert "Difference" not in viewer_model.layers


def test_without_a_prediction_a_comparison_gives_a_hint(open_session, held_jobs):
    open_session.compare.toggle_prediction()
    assert "run one in the step Predict" in open_session.state.message(Step.CORRECT) and not held_jobs.waiting


def test_a_failed_comparison_is_reported_and_ends(labelled):
    session = labelled.session
    session.compare.compare_version("none of that name")
    _settle(labelled)
    assert session.state.message(Step.CORRECT) and session.compare.against == ""
