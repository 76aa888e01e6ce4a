"""Features of blocks: the same as those of a larger area, at any size of the segment."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ink.errors import BadInputError, ContractError
from napari_ink.model.stroke_features import STEP_PX, feature_count, ink_logit_feature, stroke_features
from napari_ink.region import Region
from napari_ink.stack import stack_of_array
from napari_ink.training.teaching.blocks import BLOCK_PX, block_region, blocks_of
from napari_ink.training.teaching.features import MARGIN, FeatureCache


def noise_stack(height, width, layers=12):
    rng = np.random.default_rng(0)
    return stack_of_array(rng.integers(0, 255, (layers, height, width)).astype(np.uint8), "noise")


def whole(model, stack):
    values = model.contract.prepare(stack.read(model.contract.z_window(stack.shape[0]), slice(None), slice(None)))
    return stroke_features(model.network, torch.from_numpy(np.ascontiguousarray(values)))[0].float().numpy()


def test_a_blocks_features_equal_those_of_the_whole_segment(start):
    stack = noise_stack(512, 768)
    expected = whole(start, stack)
    cells = BLOCK_PX // STEP_PX
    # The middle column of the first row: its left and right sides are no borders of the segment.
    found = FeatureCache(start, stack).block((0, 1)).astype(np.float32)
    assert found.shape == (feature_count(start.network), cells, cells)
    expected = expected[:, :cells, cells : 2 * cells]
    # Near the segment's upper border, a block repeats the outermost values, and the whole was padded by the network.
    inner = (slice(64 // STEP_PX, None), slice(None))
    spread = expected.reshape(len(expected), -1).std(axis=1) + 1e-3
    off = np.abs(found - expected)[:, *inner].max(axis=(1, 2)) / spread
    logit, seen = ink_logit_feature(start.network), feature_count(start.network) - 96
    of_network = np.arange(seen) % (seen // 2)
    # The logits alone depend on what lies beyond the halo, by the network's attention.
    is_logit = np.append((of_network == logit) | (of_network == logit + 1), np.zeros(96, bool))
    assert off[~is_logit].max() < 0.02
    assert off[is_logit].max() < 2


@pytest.mark.parametrize("shape", [(256, 256), (257, 510), (3, 5), (130, 1)])
def test_blocks_cover_segments_of_any_size(start, shape):
    stack = noise_stack(*shape)
    cache = FeatureCache(start, stack)
    assert cache.shape == shape
    covered = np.zeros(shape, int)
    for block in blocks_of(Region.whole(shape)):
        area = block_region(block, shape)
        covered[area.slices] += 1
        found = cache.block(block)
        assert found.shape == (feature_count(start.network), -(-area.height // 4), -(-area.width // 4))
        assert np.isfinite(found).all()
    assert (covered == 1).all()


def test_the_margin_of_a_block_is_what_lies_beside_it(start):
    cache = FeatureCache(start, noise_stack(300, 512))
    left, right = (cache.wide_block((0, column)).astype(np.float32) for column in (0, 1))
    spread = left.reshape(len(left), -1).std(axis=1)[:, None, None] + 1e-3
    # The next block computes the same cells; in the margin, a few features lack the end of what they depend on.
    off = np.abs(left[:, :, -MARGIN:] - right[:, :, MARGIN : 2 * MARGIN]) / spread
    assert np.median(off) < 0.01
    assert np.quantile(off, 0.9) < 0.2
    np.testing.assert_array_equal(cache.block((0, 1)), cache.wide_block((0, 1))[:, MARGIN:-MARGIN, MARGIN:-MARGIN])


def test_blocks_of_a_region_are_those_it_touches():
    assert blocks_of(Region(255, 257, 256, 512)) == [(0, 1), (1, 1)]


def test_blocks_unused_for_longest_are_dropped(start):
    cache = FeatureCache(start, noise_stack(64, 800))
    one = cache.wide_block((0, 0)).nbytes
    cache = FeatureCache(start, noise_stack(64, 800), most_bytes=2 * one)
    first = cache.wide_block((0, 0))
    cache.block((0, 1))
    assert cache.wide_block((0, 0)) is first
    cache.block((0, 2))
    assert [(0, n) in cache for n in range(3)] == [True, False, True]


def test_features_stay_finite_at_extreme_greys(start):
    # Squares of such values do not fit in 16 bits, and a forest refuses what is not finite.
    values = 3000 * torch.randn(12, 64, 64)
    assert stroke_features(start.network, values)[0].isfinite().all()


def test_only_our_networks_can_be_taught_and_only_on_deep_enough_stacks(start):
    with pytest.raises(ContractError):
        FeatureCache(start, noise_stack(64, 64, layers=3))
    with pytest.raises(BadInputError, match="only those can be taught"):
        FeatureCache(replace(start, network=torch.nn.Identity()), noise_stack(64, 64))
