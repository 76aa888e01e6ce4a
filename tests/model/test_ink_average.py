import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_ink.model import InkEdgeConfig
from napari_ink.model.inference import for_prediction
from napari_ink.model.ink_average import InkAverage
from napari_ink.model.network import EDGE, INK, InkEdgeNetwork


@pytest.mark.parametrize(("spread", "share"), [(12.0, 0.5), (3.0, 1.0), (0.7, 0.2)])
def test_an_average_mixes_logits_with_those_around_them_as_scipy_does(spread: float, share: float) -> None:
    logits = torch.randn(2, 2, 45, 60, generator=torch.Generator().manual_seed(1))
    found = InkAverage(spread, share).eval()(logits)
    for one, given in zip(found, logits, strict=True):
        ink = given[INK].numpy().astype(np.float64)
        radius = InkAverage(spread, share).reach_px
        mean = ndimage.gaussian_filter(ink, spread, mode="nearest", radius=radius)
        np.testing.assert_allclose(one[INK], (1 - share) * ink + share * mean, atol=1e-5)
        torch.testing.assert_close(one[EDGE], given[EDGE])


def test_nothing_is_averaged_in_training_or_without_a_share() -> None:
    logits = torch.randn(1, 2, 20, 20)
    assert InkAverage(12.0, 0.5).train()(logits) is logits
    assert InkAverage(12.0, 0.0).eval()(logits) is logits
    assert InkEdgeConfig.tiny().ink_average_share == 0, "older checkpoints have no such entry"


def test_a_network_averages_in_all_of_its_forms_and_beside_a_tile() -> None:
    torch.manual_seed(0)
    plain = InkEdgeNetwork(InkEdgeConfig.tiny()).eval()
    torch.nn.init.normal_(plain.heads.weight, std=5.0)  # so that logits vary
    network = InkEdgeNetwork(InkEdgeConfig.tiny().model_copy(update={"ink_average_share": 0.5})).eval()
    network.load_state_dict(plain.state_dict())
    values = torch.randn(1, 6, 160, 192)
    with torch.inference_mode():
        expected = InkAverage(12.0, 0.5).eval()(plain(values))
        whole = network(values)
        torch.testing.assert_close(whole, expected)
        assert float((whole - plain(values)).abs().max()) > 0.1
        torch.testing.assert_close(for_prediction(network)(values), whole, atol=1e-4, rtol=1e-4)
        inner = for_prediction(network).after_stem(*for_prediction(network).stem(values), 64)  # type: ignore[operator]
    torch.testing.assert_close(inner[:, EDGE], whole[:, EDGE, 64:-64, 64:-64], atol=1e-4, rtol=1e-4)
    difference = (inner - whole[..., 64:-64, 64:-64])[:, INK].abs()
    # What the decoder computes at the outermost pixels of its margin differs, and has hardly any weight.
    assert float(difference.max()) < 0.02 * float(whole[:, INK].std())
