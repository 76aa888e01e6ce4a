"""The marks of reviewed regions in the picture: patterns that differ in shape, not in hue."""

from itertools import combinations

import numpy as np
import pytest

from napari_ink.annotation import ReviewState
from napari_ink.gui.layers.review_layers import cell_px, marks, review_layer
from napari_ink.gui.models.review_marks import MARKED_STATES, Mark, pattern

LEAST_SHARE = 0.05  # of the cells, in which two patterns differ


@pytest.mark.parametrize("cells", [8, 17, 64])  # of a large segment, a legend and a small segment
def test_any_two_states_are_told_apart_by_their_shape(cells):
    for one, other in combinations((*MARKED_STATES, ReviewState.UNREVIEWED), 2):
        assert (pattern(one, cells) != pattern(other, cells)).mean() > LEAST_SHARE, (one, other)


def test_unreviewed_regions_have_no_mark():
    assert not pattern(ReviewState.UNREVIEWED, 16).any()


def test_each_region_has_the_pattern_of_its_state_and_is_cut_off_at_the_edge_of_the_segment():
    states = np.array([[ReviewState.REVIEWED, 0], [0, ReviewState.FLAGGED]], np.uint8)
    made = marks(states, (300, 500))
    assert made.shape == (75, 125)
    np.testing.assert_array_equal(made[:64, :64], pattern(ReviewState.REVIEWED, 64))
    assert not made[:64, 64:].any() and not made[64:, :64].any()
    np.testing.assert_array_equal(made[64:, 64:], pattern(ReviewState.FLAGGED, 64)[:11, :61])
    layer = review_layer(states, (300, 500))
    assert tuple(layer.data_to_world((0, 0))) == (1.5, 1.5)  # the middle of the pixels 0…3


def test_a_large_segment_takes_no_more_than_four_million_cells():
    for side in (8192, 16_384, 32_768, 65_536):
        assert (side // cell_px((side, side))) ** 2 <= 2048**2
    assert cell_px((512, 640)) == 4


def test_light_and_dark_lines_lie_side_by_side():
    made = pattern(ReviewState.FLAGGED, 64)
    light = made[1:-1, 1:-2] == Mark.LIGHT
    assert (made[1:-1, 2:-1][light] == Mark.DARK).all()
