"""The network: shapes, any depth, any tile, and equivariance."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_ink.model import InkEdgeConfig
from napari_ink.model.encoder import ReducedAttention
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.stem import DepthPool, DepthStem, FirstPlaneConv

SMALL = InkEdgeConfig(stem_channels=(2, 4), dims=8, heads=2, reduction_ratio=(4, 2, 1, 1), num_layers=1, decoder_dim=8)


@pytest.fixture(scope="module")
def network() -> InkEdgeNetwork:
    torch.manual_seed(0)
    return InkEdgeNetwork(SMALL).eval()


@settings(max_examples=12, deadline=None)
@given(z=st.integers(1, 40), y=st.integers(1, 3), x=st.integers(1, 3), b=st.integers(1, 2))
def test_any_depth_and_any_tile_size_are_accepted(network: InkEdgeNetwork, z: int, y: int, x: int, b: int) -> None:
    side = network.size_divisor
    with torch.inference_mode():
        logits = network(torch.randn(b, z, y * side, x * side))
    assert logits.shape == (b, 2, y * side, x * side)
    assert torch.isfinite(logits).all()


def test_every_weight_gets_a_gradient(network: InkEdgeNetwork) -> None:
    trained = InkEdgeNetwork(SMALL)
    trained(torch.randn(2, 16, 64, 64)).square().mean().backward()
    idle = [name for name, p in trained.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # A softmax ignores a constant added to all of its inputs, so the bias of a pooling score never learns.
    assert [name for name in idle if not name.endswith("score.bias")] == []


def test_pooling_does_not_depend_on_the_depth_of_a_feature() -> None:
    pool = DepthPool(3)
    block = torch.randn(1, 3, 9, 4, 4)
    torch.testing.assert_close(pool(block), pool(block.roll(4, dims=2)))


def test_the_stem_is_equivariant_to_shifts() -> None:
    stem = DepthStem((2, 4)).eval()
    block = torch.randn(1, 12, 64, 64)
    with torch.inference_mode():
        half, quarter = stem(block)
        half_moved, quarter_moved = stem(block.roll((8, 4), dims=(2, 3)))
    torch.testing.assert_close(half_moved[..., 12:-8, 10:-8], half.roll((4, 2), dims=(2, 3))[..., 12:-8, 10:-8])
    torch.testing.assert_close(quarter_moved[..., 6:-4, 5:-4], quarter.roll((2, 1), dims=(2, 3))[..., 6:-4, 5:-4])


def test_a_plane_convolution_equals_the_3d_one() -> None:
    conv = FirstPlaneConv(1, 5, (1, 5, 5), (1, 2, 2), (0, 2, 2), bias=False)
    block = torch.randn(2, 1, 7, 20, 26)
    torch.testing.assert_close(conv(block), torch.nn.Conv3d.forward(conv, block))


@pytest.mark.parametrize(("size", "millions"), [("tiny", 1.6), ("base", 6.2), ("large", 24.9)])
def test_the_three_sizes_have_their_numbers_of_weights(size: str, millions: float) -> None:
    with torch.device("meta"):  # shapes without values
        network = InkEdgeNetwork(getattr(InkEdgeConfig, size)())
        logits = network(torch.empty(1, 65, 256, 256))
    assert logits.shape == (1, 2, 256, 256)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


def test_a_sample_does_not_depend_on_its_batch(network: InkEdgeNetwork) -> None:
    batch = torch.randn(3, 8, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(batch)[1:2], network(batch[1:2]), atol=1e-5, rtol=1e-4)


def test_a_single_value_applies_to_every_stage() -> None:
    assert InkEdgeConfig(dims=16, heads=2).per_stage("dims") == (16, 16, 16, 16)


@pytest.mark.parametrize("wrong", [{"dims": (8, 8)}, {"dims": 10, "heads": 4}, {"num_layers": 0}])
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        InkEdgeConfig.model_validate(wrong)


@torch.inference_mode()
@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 4), columns=st.integers(1, 4), reduction=st.sampled_from([1, 2, 4]), reach=st.integers(1, 3))
def test_a_token_attends_to_the_coarse_cells_around_its_own(
    rows: int, columns: int, reduction: int, reach: int
) -> None:
    """Compare with attention computed token by token, as softmax(q·k / √d)·v over the cells within reach."""
    torch.manual_seed(0)
    heads, width = 2, 3
    attention = ReducedAttention(heads * width, heads, reduction, reach).eval()
    tokens = torch.randn(2, rows * reduction, columns * reduction, heads * width)
    coarse = tokens if attention.reduce is None else attention.reduce(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    keys_values = attention.key_value(attention.reduce_norm(coarse)).reshape(2, rows, columns, 2, heads, width)
    queries = attention.query(tokens).reshape(*tokens.shape[:3], heads, width)
    expected = torch.zeros_like(queries)
    for b, y, x, head in itertools.product(*map(range, queries.shape[:4])):
        row, column = y // reduction, x // reduction
        near = keys_values[
            b, max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1, :, head
        ]
        keys, values = near.flatten(0, 1).unbind(1)
        weights = torch.softmax(keys @ queries[b, y, x, head] / width**0.5, 0)
        expected[b, y, x, head] = weights @ values
    assert torch.allclose(attention(tokens), attention.out(expected.flatten(3)), atol=1e-5)


def test_values_without_context_equal_those_of_the_whole_tile(network: InkEdgeNetwork) -> None:
    side = network.size_divisor
    with torch.inference_mode():
        planes = network.stem(torch.randn(1, 6, 5 * side, 6 * side))
        whole = network.after_stem(*planes)
        inner = network.after_stem(*planes, 2 * side)
    assert torch.allclose(inner, whole[..., 2 * side : -2 * side, 2 * side : -2 * side], atol=1e-5)


def test_every_new_size_has_attention_with_a_reach() -> None:
    assert {size().attention_reach for size in (InkEdgeConfig.tiny, InkEdgeConfig.base, InkEdgeConfig.large)} == {1}
    assert InkEdgeConfig().attention_reach is None, "older checkpoints have no such entry"
