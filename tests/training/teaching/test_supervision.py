"""Supervision in one byte: labels, edges and hints come out as they went in."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.annotation import EdgeValue
from napari_ink.model.losses import IGNORE
from napari_ink.training import CropSampler, batches
from napari_ink.training.supervision import (
    HINT_LEVELS,
    edge_labels,
    hinted_ink,
    ink_labels,
    pack,
    to_hints,
    unpack_labels,
)
from napari_ink.training.targets import EDGE_UNKNOWN
from tests.training.small import CONTRACT, PLAIN


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_packed_planes_come_out_as_they_went_in(seed, has_edges, has_hints):
    rng = np.random.default_rng(seed)
    labels, edges, hints = (rng.integers(0, n, (9, 7), dtype=np.uint8) for n in (4, 3, HINT_LEVELS + 1))
    before = labels.copy()
    packed = pack(labels, edges if has_edges else None, hints if has_hints else None)
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(unpack_labels(packed), labels)
    planes = torch.from_numpy(packed)[None]
    np.testing.assert_array_equal(ink_labels(planes)[0], labels)
    np.testing.assert_array_equal(edge_labels(planes)[0], edges if has_edges else 0 * edges)
    expected = np.where(hints > 0, (hints.astype(float) - 1) / (HINT_LEVELS - 1), -1) if has_hints else -1.0
    np.testing.assert_allclose(hinted_ink(planes)[0], np.broadcast_to(expected, labels.shape), atol=1e-6)


def test_hints_are_probabilities_in_fifteen_levels():
    probabilities = np.arange(256, dtype=np.uint8)
    hints = to_hints(probabilities)
    assert (hints.min(), hints.max()) == (1, HINT_LEVELS)
    hinted = hinted_ink(torch.from_numpy(pack(np.zeros(256, np.uint8), None, hints))[None])[0].numpy()
    np.testing.assert_allclose(hinted, probabilities / 255, atol=0.5 / (HINT_LEVELS - 1) + 1e-6)


@pytest.mark.parametrize(("value", "target"), [(EdgeValue.EDGE, 1), (EdgeValue.NOT_EDGE, 0), (EDGE_UNKNOWN, IGNORE)])
def test_strokes_of_edges_are_the_target_there(pair, value, target):
    # Wherever an edge is drawn it is the target, also where the outline of the ink says otherwise.
    drawn = first_batch(replace(pair, edges=np.full_like(pair.labels, value)))
    assert (drawn.edge == target).all()
    plain = first_batch(pair)
    assert torch.equal(plain.ink, drawn.ink)
    assert len(plain.edge.unique()) > 1
    nothing = first_batch(replace(pair, edges=np.zeros_like(pair.labels)))
    assert torch.equal(nothing.edge, plain.edge)


def first_batch(pair):
    return next(iter(batches(CropSampler([pair], CONTRACT, 64), PLAIN, torch.device("cpu"))))
