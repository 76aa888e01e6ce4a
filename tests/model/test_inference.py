"""The network converted for prediction gives the outputs of the trained one."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_ink.model import InkEdgeConfig, load_model
from napari_ink.model.inference import (
    FlatConv,
    PointwiseConv,
    StripDecoder,
    attend_to_few,
    fold_norms,
    for_prediction,
)
from napari_ink.model.network import InkEdgeNetwork


def trained(config: InkEdgeConfig, seed: int) -> InkEdgeNetwork:
    """A network with non-trivial statistics in its batch norms, so that folding them matters."""
    torch.manual_seed(seed)
    network = InkEdgeNetwork(config)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            for tensor in (module.running_mean, module.weight.data, module.bias.data):
                tensor.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.eval()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 99),
    batch=st.integers(1, 3),
    layers=st.integers(1, 11),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_conversion_keeps_the_logits_of_any_input(seed: int, batch: int, layers: int, size: tuple[int, int]) -> None:
    network = trained(InkEdgeConfig(stem_channels=(3, 4), dims=8, heads=2, num_layers=1, decoder_dim=8), seed)
    before = copy.deepcopy(network.state_dict())
    stack = torch.randn(batch, layers, 32 * size[0], 32 * size[1])
    with torch.inference_mode():
        expected, found = network(stack), for_prediction(network)(stack)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_the_shipped_model_agrees_to_a_thousandth_in_probability() -> None:
    network = load_model().network
    fast = for_prediction(network)
    assert not any(isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d | nn.Conv3d) for m in fast.modules())
    torch.manual_seed(0)
    stack = torch.randn(2, 32, 96, 128)
    with torch.inference_mode():
        difference = fast(stack).sigmoid() - network(stack).sigmoid()
    assert difference.abs().max() < 1e-4


@pytest.mark.parametrize(("heads", "queries"), [(1, 64), (6, 1)])
def test_attention_to_few_keys_is_that_of_torch(heads: int, queries: int) -> None:
    torch.manual_seed(0)
    q, (k, v) = torch.randn(5, heads, queries, 8), torch.randn(2, 5, heads, 9, 8)
    is_key = torch.rand(5, 1, 1, 9) > 0.3
    is_key[..., 4] = True  # a token's own cell
    expected = nn.functional.scaled_dot_product_attention(q, k, v, is_key)
    torch.testing.assert_close(attend_to_few(q, k, v, is_key), expected, atol=1e-6, rtol=1e-5)


def test_in_bfloat16_the_shipped_model_computes_nearly_the_same() -> None:
    network = load_model().network
    brief = for_prediction(network, torch.bfloat16)
    assert {tensor.dtype for tensor in brief.state_dict().values()} == {torch.bfloat16}
    torch.manual_seed(0)
    stack = torch.randn(1, 32, 96, 128)
    with torch.inference_mode():
        difference = (brief(stack).float().sigmoid() - network(stack).sigmoid()).abs()
    assert 1e-5 < difference.mean() < 2e-2 and difference.max() < 0.1


@pytest.mark.parametrize("rows", [1, 24])  # 16 or more are a batch that oneDNN computes
def test_single_pixels_are_computed_as_before(rows: int) -> None:
    torch.manual_seed(0)
    tokens = torch.randn(2, rows, 5, 12)
    for layer in (nn.Linear(12, 7), nn.Linear(12, 7, bias=False)):
        torch.testing.assert_close(PointwiseConv(layer)(tokens), layer(tokens), atol=1e-5, rtol=1e-5)
    conv = nn.Conv2d(12, 7, 1)
    assert PointwiseConv.fits(conv)
    planes = tokens.permute(0, 3, 1, 2)
    torch.testing.assert_close(PointwiseConv(conv)(planes), conv(planes), atol=1e-5, rtol=1e-5)
    for other in (nn.Conv2d(12, 7, 3), nn.Conv2d(12, 7, 1, 2), nn.Conv2d(12, 6, 1, groups=2)):
        assert not PointwiseConv.fits(other)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), size=st.tuples(st.integers(3, 7), st.integers(3, 7)), border=st.sampled_from((0, 32)))
def test_decoding_in_strips_changes_no_value(seed: int, size: tuple[int, int], border: int) -> None:
    torch.manual_seed(seed)
    network = for_prediction(trained(InkEdgeConfig.tiny(), seed))
    strips = network.decoder
    assert isinstance(strips, StripDecoder)
    channels_last = torch.channels_last
    height, width = (8 * side for side in size)  # at a quarter of the resolution: one to three strips
    half = torch.randn(2, 32, 2 * height, 2 * width).contiguous(memory_format=channels_last)
    planes = [
        torch.randn(2, dim, height >> n, width >> n).contiguous(memory_format=channels_last)
        for n, dim in enumerate((32, 64, 128, 192))
    ]
    with torch.inference_mode():
        expected = strips.heads(strips.decoder(planes, half, border))
        # Bit for bit on all processors tried; some other may add up the columns of a part in another order.
        torch.testing.assert_close(strips(planes, half, border), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("conv", "fits"),
    [
        (nn.Conv3d(3, 4, (1, 5, 3), (1, 2, 1), (0, 2, 1)), True),
        (nn.Conv3d(3, 4, (5, 1, 1), (2, 1, 1), (1, 0, 0), bias=False), True),
        (nn.Conv3d(3, 4, 1), True),
        (nn.Conv3d(3, 4, 1, (2, 1, 1)), True),
        (nn.Conv3d(3, 4, 3), False),
        (nn.Conv3d(3, 4, (1, 3, 3), (2, 1, 1)), False),
        (nn.Conv3d(3, 4, (3, 1, 1), (1, 2, 2)), False),
        (nn.Conv3d(3, 4, (3, 1, 1), (1, 1, 1), (0, 1, 1)), False),
        (nn.Conv3d(4, 4, (1, 3, 3), groups=2), False),
        (nn.Conv3d(4, 4, (1, 3, 3), dilation=2), False),
        (nn.Conv3d(4, 4, (1, 3, 3), padding="same"), False),
        (nn.Conv3d(4, 4, (1, 3, 3), padding=(0, 1, 1), padding_mode="reflect"), False),
    ],
)
def test_only_flat_convolutions_run_in_2d(conv: nn.Conv3d, fits: bool) -> None:
    assert FlatConv.fits(conv) is fits
    if fits:
        volume = torch.randn(2, conv.in_channels, 6, 7, 9)
        with torch.inference_mode():
            torch.testing.assert_close(FlatConv(conv)(volume), conv(volume), atol=1e-5, rtol=1e-5)


def test_norms_without_a_convolution_before_them_stay() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())).eval()
    fold_norms(network)
    assert isinstance(network[0], nn.BatchNorm2d) and len(network[2]) == 2


def test_other_networks_are_left_unchanged() -> None:
    network = nn.Conv2d(1, 1, 1)
    assert for_prediction(network) is network
