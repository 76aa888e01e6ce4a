"""Two predictions compared without a window: where they differ, and alternating between them by a key."""

import numpy as np
import pytest

from napari_ink.gui.layers.prediction_comparison import difference_colormap
from napari_ink.gui.layers.prediction_levels import plane_levels
from napari_ink.gui.models.state import cut_level
from napari_ink.predict import open_prediction
from tests.gui.controllers.conftest import make_editable
from tests.gui.windowless import take_turns

DIFFERENCE, OTHER = "Difference of predictions", "Ink (compared)"


@pytest.fixture
def compared(run):
    """Two predictions, the second in use and compared with the first."""
    run.begin()
    run.until_over()
    run.first = run.path
    run.begin(direction="reversed")
    run.until_over()
    run.second = run.path
    run.session.compare_predictions.compare(run.first)
    run.until_over()
    take_turns()
    return run


def test_the_difference_says_where_each_has_more_ink(compared):
    run = compared
    used, other = open_prediction(run.second).read("ink"), open_prediction(run.first).read("ink")
    values = np.asarray(run.layer(DIFFERENCE).data[0]).astype(np.int8)
    assert np.array_equal(np.sign(values), np.sign(used.astype(int) - other))
    assert (values != 0).any() and run.session.state.predictions.compared == run.first


def test_the_colours_say_which_one_has_more():
    none, little, first, second, barely = difference_colormap().map(np.array([0, 1, 127, 128, 255]) / 255)
    assert none[3] == little[3] == barely[3] == 0
    assert first[3] > 0.8 and first[2] < 0.5  # yellow
    assert second[3] > 0.8 and second[2] > 0.5  # purple


def test_flicker_shows_one_or_the_other_at_its_own_threshold(compared):
    run = compared
    used, other = run.layer(), run.layer(OTHER)
    assert run.layer(DIFFERENCE).visible and not used.visible and not other.visible
    run.session.do("flicker")
    assert other.visible and not used.visible and not run.layer(DIFFERENCE).visible
    assert run.session.state.predictions.is_other_shown
    assert np.array_equal(np.asarray(other.data[0]), open_prediction(run.first).read("ink"))
    level = cut_level(open_prediction(run.first).recommended_threshold("ink"))
    assert other.contrast_limits == [level - 1, level]
    run.session.do("flicker")
    assert used.visible and not other.visible and not run.session.state.predictions.is_other_shown
    assert not run.layer(DIFFERENCE).visible
    run.session.compare_predictions.compare(None)
    assert used.visible and run.layer("Edges (predicted)").visible and run.session.state.predictions.compared is None


def test_the_comparison_ends_when_another_prediction_is_used_or_the_other_is_deleted(compared):
    run = compared
    run.session.do("flicker")
    run.session.predictions.use(run.first)
    run.until_over()
    assert run.session.state.predictions.compared is None and run.layer().visible
    assert {DIFFERENCE, OTHER}.isdisjoint(layer.name for layer in run.session._viewer.layers)
    run.session.compare_predictions.compare(run.second)
    run.until_over()
    assert run.session.state.predictions.compared == run.second
    run.session.predictions.discard(run.second)
    run.until_over()
    assert run.session.state.predictions.compared is None
    assert DIFFERENCE not in run.session._viewer.layers


def test_a_prediction_that_labels_hide_is_hidden_again_after_a_comparison(compared):
    run = compared
    run.session.compare_predictions.compare(None)
    make_editable(run.session, run.jobs)
    assert not run.layer().visible
    run.session.compare_predictions.compare(run.first)
    run.until_over()
    run.session.do("flicker")
    assert run.layer(OTHER).visible
    run.session.compare_predictions.compare(None)
    assert not run.layer().visible and not run.layer("Edges (predicted)").visible


def test_the_comparison_ends_with_its_layer(compared):
    run = compared
    run.session._viewer.layers.remove(DIFFERENCE)
    take_turns()
    assert run.session.state.predictions.compared is None
    assert OTHER not in run.session._viewer.layers


def test_flicker_without_a_comparison_says_what_to_do(run, messages):
    run.session.do("flicker")
    assert "choose Compare in the list of predictions" in messages[-1]


def test_levels_of_a_large_plane_are_read_where_they_are_seen():
    shape, parts = (20000, 30000), []

    def read(y, x):
        parts.append((y, x))
        return np.full((y.stop - y.start, x.stop - x.start), 7, np.uint8)

    levels = plane_levels(read, shape)
    assert [level.shape for level in levels][0] == (1, 20000, 30000) and max(levels[-1].shape) <= 1024
    assert (levels[-1].read(slice(0, 1), slice(0, 5), slice(0, 6)) == 7).all()
    step = levels[-1].step[1]
    assert all(x.stop <= 6 * step and y.stop <= 5 * step for y, x in parts)
