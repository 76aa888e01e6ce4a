"""The context of tools: parts clipped to the segment, the store's labels, and late results from threads."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_ink.annotation import create_project, open_project
from napari_ink.errors import LabelError
from napari_ink.region import Region
from tests.gui.tools.pointing import HEIGHT, WIDTH


def test_parts_are_clipped_to_the_segment(context):
    assert context.around(3, 215, 10) == Region(0, 14, 205, WIDTH)
    assert context.spanning([(150, 20), (10, 30)], 20) == Region(0, HEIGHT, 0, 51)


def test_a_part_far_outside_the_segment_moves_to_its_nearest_pixels(context):
    assert context.around(-500, 900, 10) == Region(0, 11, WIDTH - 11, WIDTH)
    assert context.nearest_pixel(HEIGHT + 3, 7.4) == (HEIGHT - 1, 7)


@pytest.mark.parametrize(
    ("place", "is_on"),
    [((0, 0), True), ((-0.5, 0), True), ((-0.6, 0), False), ((0, WIDTH - 0.6), True), ((0, WIDTH - 0.5), False)],
)
def test_the_segment_includes_its_last_pixel_up_to_its_border(context, place, is_on):
    assert context.holds(*place) is is_on


def test_labels_are_a_copy_that_tools_may_change(context, annotation):
    part = Region(10, 20, 30, 40)
    context.labels("ink", part)[:] = 2
    assert not context.labels("ink", part).any()
    context.apply([("ink", 10, 30, np.full((2, 2), 2, np.uint8))], "ink")
    assert context.labels("ink", part).sum() == 2 * 4


def test_without_a_project_there_are_no_labels(context, labels):
    project, labels.project = labels.project, None
    assert context.shape == (0, 0)
    assert not context.holds(0, 0)
    assert not context.labels("edge", context.around(5, 5, 4)).any()
    assert context.labels("ink", Region(0, 2, 0, 3)).tolist() == [[0, 0, 0], [0, 0, 0]]
    labels.project = project


def test_without_a_prediction_costs_follow_the_picture(context, layers):
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    plane[40:60, 50] = 255
    layers.overlay = SimpleNamespace(probabilities=lambda _: plane, level=lambda _: 64)
    assert context.probability("edge", Region(100, 120, 40, 60)) is None
    assert context.probability("edge", Region(40, 60, 40, 60)) is not None
    beside, on_it = context.edge_cost(40, 60, 40, 60, 1)[5, [3, 10]]
    assert on_it < beside
    layers.viewport.image.assert_not_called()
    context.edge_cost(100, 120, 40, 60, 1)
    layers.viewport.image.assert_called_once_with(Region(100, 120, 40, 60))
    assert context.edge_threshold() == 64 / 255


def test_a_failure_on_a_thread_is_reported(context, held_jobs, messages):
    def fail() -> None:
        raise LabelError("The labels are too small.")

    context.run_in_background(fail, lambda _: pytest.fail("a failed job must not deliver a result"))
    held_jobs.work()
    assert messages == ["The labels are too small."]


def test_results_for_an_earlier_project_are_dropped(context, labels, held_jobs, tmp_path):
    arrived = []
    context.run_in_background(lambda: 1, arrived.append)
    before = labels.project
    labels.project = create_project(tmp_path / "other.ink", before.stack)
    held_jobs.work()
    assert arrived == []
    before.close()


def test_background_jobs_do_not_drop_each_other(context, held_jobs):
    arrived = []
    context.run_in_background(lambda: 1, arrived.append)
    context.run_in_background(lambda: 2, arrived.append)
    held_jobs.work()
    assert sorted(arrived) == [1, 2]


def test_labels_of_a_read_only_project_are_left_unchanged(context, labels, tmp_path):
    own = labels.project
    labels.project = open_project(own.folder)
    assert labels.project.read_only
    context.apply([("ink", 10, 30, np.full((2, 2), 2, np.uint8))], "ink")
    assert context.labels("ink", Region(0, HEIGHT, 0, WIDTH)).max() == 0
    labels.project.close()
    labels.project = own
