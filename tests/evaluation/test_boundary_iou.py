"""Boundary IoU, compared with a pixel-by-pixel implementation and with cases of known result."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.evaluation import boundary_iou


def band(mask: np.ndarray, known: np.ndarray, distance: int) -> np.ndarray:
    """Return the pixels of a mask that have a pixel known to be outside it within a distance."""
    outside = np.pad(~mask & known, distance, constant_values=True)
    near = np.zeros(mask.shape, bool)
    for y, x in np.ndindex(*mask.shape):
        near[y, x] = outside[y : y + 2 * distance + 1, x : x + 2 * distance + 1].any()
    return mask & near


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    distance=st.integers(1, 4),
    masked=st.booleans(),
    rows=st.integers(1, 20),
)
def test_scores_equal_the_definition(seed: int, distance: int, masked: bool, rows: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 20, 2)
    truth, found = rng.random((2, height, width)) < rng.random((2, 1, 1))
    inside = rng.random(truth.shape) < 0.7 if masked else np.ones_like(truth)
    bands = [band(mask, inside, distance) & inside for mask in (found, truth)]
    both, either = (bands[0] & bands[1]).sum(), (bands[0] | bands[1]).sum()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_ink.evaluation.boundary._PIXELS_AT_ONCE", rows * width)
        score = boundary_iou(found, truth, inside if masked else None, distance)
    assert score == pytest.approx(both / either if either else 1)


def test_a_square_moved_by_a_pixel() -> None:
    truth, found = np.zeros((2, 40, 40), bool)
    truth[10:30, 10:30] = found[10:30, 11:31] = True
    assert boundary_iou(truth, truth, distance=1) == 1
    # Rings of 76 pixels each, one pixel wide, which share 19 pixels of the upper and 19 of the lower side.
    assert boundary_iou(found, truth, distance=1) == pytest.approx(38 / (2 * 76 - 38))
    # The wider the band, the closer to the plain intersection over union.
    assert boundary_iou(found, truth, distance=20) == pytest.approx(380 / 420)


def test_the_distance_follows_the_diagonal() -> None:
    truth, found = np.zeros((2, 60, 80), bool)
    truth[10:50, 10:70] = found[11:50, 10:70] = True
    assert boundary_iou(found, truth) == boundary_iou(found, truth, distance=2)


def test_two_empty_masks_agree() -> None:
    nothing = np.zeros((5, 5), bool)
    assert boundary_iou(nothing, nothing) == 1
    assert boundary_iou(nothing, ~nothing) == 0


def test_masks_of_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        boundary_iou(np.zeros((3, 3), bool), np.zeros((3, 4), bool))
    with pytest.raises(ValueError, match="at least 1"):
        boundary_iou(np.zeros((3, 3), bool), np.zeros((3, 3), bool), distance=0)
