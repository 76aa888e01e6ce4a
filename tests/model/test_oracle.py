"""The network compared with its NumPy form: as trained, as converted for prediction, and as exported."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.model import InkEdgeConfig, InkModel, InputContract, load_model
from napari_ink.model.inference import for_prediction
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.onnx import export_onnx
from tests.model.numpy_network import logits


def random_network(config: InkEdgeConfig) -> InkEdgeNetwork:
    """Return a network without any weight or statistic that is 0 or 1."""
    torch.manual_seed(3)
    network = InkEdgeNetwork(config).eval()
    for name, value in network.state_dict().items():
        if value.dtype.is_floating_point and value.ndim == 1:
            value.copy_(
                torch.rand(value.shape) + 0.5 if name.endswith(("var", "weight")) else torch.randn(value.shape) / 2
            )
    return network


def in_numpy(network: InkEdgeNetwork, x: np.ndarray) -> np.ndarray:
    """Return the logits of the NumPy form."""
    weights = {name: value.numpy().astype(float) for name, value in network.state_dict().items()}
    return logits(x.astype(float), weights, network.config)


def close(found: torch.Tensor, expected: np.ndarray) -> bool:
    """Whether logits agree to 1e-5 of their range, or of 1 if it is smaller."""
    return bool(np.abs(found[0].numpy() - expected).max() <= 1e-5 * max(1.0, np.ptp(expected)))


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_torch_equals_numpy_for_any_size(data: st.DataObject) -> None:
    heads = data.draw(st.tuples(*[st.integers(1, 2)] * 4))
    config = InkEdgeConfig(
        stem_channels=data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        dims=tuple(4 * n for n in heads),
        heads=heads,
        ff_expansion=data.draw(st.integers(1, 3)),
        reduction_ratio=data.draw(st.sampled_from([(8, 4, 2, 1), (4, 2, 1, 1), (1, 1, 1, 1)])),
        attention_reach=data.draw(st.sampled_from([None, 1, 2])),
        num_layers=data.draw(st.tuples(*[st.integers(1, 2)] * 4)),
        decoder_dim=data.draw(st.sampled_from([4, 8])),
        ink_average_px=data.draw(st.sampled_from([1.5, 12.0])),
        ink_average_share=data.draw(st.sampled_from([0.0, 0.5, 1.0])),
    )
    network = random_network(config)
    z, y, x = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    side = network.size_divisor
    values = np.random.default_rng(0).normal(size=(z, y * side, x * side)).astype(np.float32)
    expected = in_numpy(network, values)
    block = torch.from_numpy(values)[None]
    with torch.inference_mode():
        assert close(network(block), expected)
        assert close(for_prediction(network)(block), expected), "the form for prediction differs"


def test_the_shipped_model_equals_numpy() -> None:
    network = load_model().network
    assert isinstance(network, InkEdgeNetwork)
    values = np.random.default_rng(1).normal(size=(8, 64, 96)).astype(np.float32)
    with torch.inference_mode():
        assert close(network(torch.from_numpy(values)[None]), in_numpy(network, values))


@pytest.mark.parametrize("reach", [None, 1])
@pytest.mark.parametrize("shape", [(6, 64, 64), (6, 96, 160)])
def test_an_exported_network_equals_numpy(tmp_path: Path, reach: int | None, shape: tuple[int, int, int]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    config = InkEdgeConfig(stem_channels=(2, 4), dims=8, heads=2, num_layers=1, decoder_dim=8, attention_reach=reach)
    contract = InputContract(depth_layers=6, min_depth_layers=6, mean=0.5, std=0.25, voxel_size_um=None, tile_size=64)
    network = random_network(config)
    file = export_onnx(InkModel("random", network, config, contract, {}, "0" * 64), tmp_path / "n.onnx")
    values = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    (found,) = onnxruntime.InferenceSession(str(file)).run(None, {"stack": values[None]})
    assert close(torch.from_numpy(found), in_numpy(network, values))
