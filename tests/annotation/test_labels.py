"""Label values and drafts from a prediction."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_ink.annotation import EdgeValue, LabelValue, draft_edge_labels, draft_ink_labels

MAPS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(ink=MAPS, threshold=st.floats(0, 1))
def test_a_draft_never_contains_papyrus(ink: np.ndarray, threshold: float) -> None:
    labels = draft_ink_labels(ink, threshold)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels == LabelValue.INK, ink >= threshold * 255)
    assert not (labels == LabelValue.PAPYRUS).any()


@settings(deadline=None)
@given(edge=MAPS)
def test_drafted_edges_are_thin_and_follow_the_map(edge: np.ndarray) -> None:
    labels = draft_edge_labels(edge, 0.5)
    assert set(np.unique(labels)) <= {EdgeValue.UNREVIEWED, EdgeValue.EDGE}
    assert (edge[labels == EdgeValue.EDGE] >= 128).all()
    whole, lines = edge >= 128, labels == EdgeValue.EDGE
    eight = np.ones((3, 3))
    assert ndimage.label(lines, eight)[1] == ndimage.label(whole, eight)[1]  # no line is lost or torn
