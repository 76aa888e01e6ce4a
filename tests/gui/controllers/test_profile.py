"""The depth profile without a window: it follows the mouse only while it is visible, and late results are dropped."""

from unittest.mock import Mock

import numpy as np
import pytest

from napari_ink.gui.controllers.profile import ProfileController
from tests.gui.windowless import take_turns


@pytest.fixture
def profile(viewer_model, job_runner, stack):
    made = ProfileController(viewer_model, lambda: None, job_runner)
    made.profiles = []
    made.arrived.connect(made.profiles.append)
    made.begin(stack)
    made.profiles.clear()
    return made


def _point(viewer_model, *place):
    viewer_model.cursor.position = place
    take_turns()


def test_the_mouse_is_followed_only_while_the_profile_is_visible(profile, viewer_model, held_jobs, stack):
    _point(viewer_model, 6, 40, 50)
    assert not held_jobs.waiting
    profile.watch(True)
    _point(viewer_model, 6, 40, 51)
    held_jobs.work()
    truth = np.asarray(stack)[:, 38:43, 49:54].mean(axis=(1, 2))
    np.testing.assert_allclose(profile.profiles[-1].grey, truth, rtol=1e-5)
    profile.watch(False)
    _point(viewer_model, 6, 40, 52)
    assert not held_jobs.waiting


def test_a_corner_averages_fewer_pixels_and_the_outside_none(profile, viewer_model, held_jobs, stack):
    profile.watch(True)
    _point(viewer_model, 6, 0, 127)
    held_jobs.work()
    np.testing.assert_allclose(profile.profiles[-1].grey, np.asarray(stack)[:, :3, 125:].mean(axis=(1, 2)), rtol=1e-5)
    _point(viewer_model, 6, -2, 40)
    _point(viewer_model, 6, 40, 128)
    assert not held_jobs.waiting


def test_a_late_result_for_an_earlier_position_is_dropped(profile, viewer_model, held_jobs):
    profile.watch(True)
    _point(viewer_model, 6, 40, 50)
    _point(viewer_model, 6, 60, 70)
    held_jobs.work()
    assert [(one.y, one.x) for one in profile.profiles] == [(60, 70)]


def test_explaining_without_a_model_gives_a_hint(profile, held_jobs):
    listener = Mock()
    profile.failed.connect(listener)
    profile.explain()
    assert "run a prediction first" in listener.call_args[0][0] and not held_jobs.waiting


def test_pending_results_are_dropped_on_another_stack_and_at_the_end(profile, viewer_model, held_jobs, stack):
    profile.watch(True)
    _point(viewer_model, 6, 40, 50)
    profile.begin(stack)
    held_jobs.work()
    assert profile.profiles == [None]
    _point(viewer_model, 6, 40, 52)
    profile.release()
    held_jobs.work()
    _point(viewer_model, 6, 40, 54)
    assert profile.profiles == [None] and not held_jobs.waiting


def test_a_model_reports_the_layers_that_it_uses(run):
    run.begin()
    run.until_over()
    session, profiles = run.session, []
    session.profile.arrived.connect(profiles.append)
    _point(session._viewer, 6, 40, 51)
    session.profile.explain()
    run.jobs.work()
    added = profiles[-1].contribution
    assert added.shape == (12,) and added[2:10].any() and not added[:2].any()
