"""Targets: each depends only on the labels of its pixel and the neighbours."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_ink.model.losses import IGNORE
from napari_ink.training import OUTSIDE, edge_target, ink_target
from napari_ink.training.targets import OUTLINE_REACH_PX


def around(labels: np.ndarray, y: int, x: int, reach: int, cross: bool = False) -> set[int]:
    """The labels within a square around a pixel, or those of the pixel and its four neighbours."""
    height, width = labels.shape
    return {
        int(labels[v, u])
        for v in range(max(0, y - reach), min(height, y + reach + 1))
        for u in range(max(0, x - reach), min(width, x + reach + 1))
        if not cross or v == y or u == x
    }


@settings(deadline=None, max_examples=60)
@given(labels=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=3), elements=st.integers(0, 3)))
def test_targets_follow_their_definitions(labels: np.ndarray) -> None:
    ink, edge = ink_target(labels), edge_target(labels)
    for (y, x), value in np.ndenumerate(labels):
        assert ink[y, x] == {0: IGNORE, 1: 0, 2: 1, OUTSIDE: IGNORE}[value]
        near = around(labels, y, x, 1, cross=True)
        if value == OUTSIDE:
            wide = around(labels, y, x, OUTLINE_REACH_PX)
            known = 1 in wide and not {0, 2} & wide and 0 not in near
            assert edge[y, x] == (0 if known else IGNORE)
        else:
            unknown = 0 in near or (value == 2 and OUTSIDE in near)
            assert edge[y, x] == (IGNORE if unknown else int(value == 2 and 1 in near))


def test_the_outline_of_papyrus_is_no_edge_and_is_ignored_where_ink_meets_it() -> None:
    labels = np.ones((60, 40), np.uint8)
    labels[:, 20:] = OUTSIDE
    labels[30:, 10:20] = 2
    edge = edge_target(labels)
    # Beside papyrus: no edge, on both sides of the outline; farther out, ignored.
    assert (edge[:20, 10 : 20 + OUTLINE_REACH_PX] == 0).all()
    assert (edge[:20, 20 + OUTLINE_REACH_PX :] == IGNORE).all()
    # Beside ink: ignored, since the stroke may continue or end there.
    assert (edge[31:, 19] == IGNORE).all() and (edge[40:, 20:] == IGNORE).all()
    assert (edge[31:, 10] == 1).all()
