"""The contribution of each layer to a model's output: exact for a network that is a weighted sum of layers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_ink.predict import contribution
from tests.predict.stand_ins import ink_model, make_stack


class Weighted(nn.Module):
    """Ink is a sum of layers, each with its own weight."""

    def __init__(self, weights: np.ndarray) -> None:
        super().__init__()
        self.weights = torch.from_numpy(weights.astype(np.float32))[:, None, None]

    def forward(self, block: torch.Tensor) -> torch.Tensor:
        ink = (block * self.weights).sum(dim=1)
        return torch.stack([ink, -ink], dim=1)


@pytest.mark.parametrize("direction", ["as stored", "reversed"])
@pytest.mark.parametrize(("y", "x"), [(45, 60), (0, 0), (89, 119)])
def test_a_sum_of_layers_is_attributed_exactly(tmp_path: Path, direction: str, y: int, x: int) -> None:
    stack = make_stack(tmp_path, (7, 90, 120))
    model = ink_model(Weighted(np.zeros(5)), depth_layers=5).reading(direction=direction)
    window = model.contract.z_window(7)
    weights = np.arange(window.stop - window.start) - 1.5
    model = replace(model, network=Weighted(weights))
    rows, columns = slice(max(y - 4, 0), min(y + 5, 90)), slice(max(x - 4, 0), min(x + 5, 120))
    prepared = model.contract.prepare(stack.read(window, rows, columns))
    truth = np.zeros(7)
    by_layer = weights * prepared.mean(axis=(1, 2))
    truth[window] = by_layer[::-1] if direction == "reversed" else by_layer
    np.testing.assert_allclose(contribution(model, stack, y, x), truth, rtol=1e-4, atol=1e-5)
