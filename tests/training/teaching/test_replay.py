"""Replay: phantoms look to the taught model as they looked to the start model."""

import numpy as np
import pytest

from napari_ink.model import InputContract
from napari_ink.training.targets import OUTSIDE
from napari_ink.training.teaching.replay import _translated, replay_pairs

TRAINED = InputContract(depth_layers=12, min_depth_layers=4, mean=0.35, std=0.2, voxel_size_um=7.91, tile_size=64)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"mean": 0.6, "std": 0.05},
        {"mean": 0.1, "std": 0.4},
        {"direction": "reversed"},
        {"mean": 0.5, "std": 0.1, "direction": "reversed"},
    ],
)
def test_phantoms_are_prepared_to_the_values_that_the_start_model_saw(change):
    volume = np.random.default_rng(0).integers(0, 65536, (12, 20, 24)).astype(np.uint16)
    # Values that are common under the first contract, so that none of them is cut off under the second.
    volume = (0.3 * 65535 + volume * 0.1).astype(np.uint16)
    taught = TRAINED.changed(**change)
    expected = TRAINED.prepare(volume)
    found = taught.prepare(_translated(volume, TRAINED, taught))
    in_range = (expected * taught.std + taught.mean > 0) & (expected * taught.std + taught.mean < 1)
    assert in_range.mean() > 0.6
    np.testing.assert_allclose(found[in_range], expected[in_range], atol=1 / (65535 * taught.std))


def test_pairs_share_the_crops_and_hold_the_truth():
    first, second = replay_pairs(2, TRAINED, TRAINED, 0.5, seed=3)
    assert first.share == second.share == 0.25
    assert first.stack.name != second.stack.name
    for pair in (first, second):
        assert pair.labels.shape == pair.stack.shape[1:] == (256, 256)
        assert set(np.unique(pair.labels)) <= {1, 2, OUTSIDE}
        assert (pair.labels == 2).any()
    again = replay_pairs(2, TRAINED, TRAINED, 0.5, seed=3)
    np.testing.assert_array_equal(again[0].labels, first.labels)
