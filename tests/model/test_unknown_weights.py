"""Descriptions of files whose network is not known."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_ink.errors import CheckpointError
from napari_ink.model import load_model


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("decoder.depth_collapse.attn_conv.weight", ", and it looks like ink_canonical_2um"),
        ("encoder.segformer.x", ", and it looks like a SegFormer"),
        ("odd", ""),
    ],
)
@pytest.mark.parametrize("suffix", [".ckpt", ".pth", ".safetensors"])
def test_an_unknown_file_is_described(tmp_path: Path, name: str, family: str, suffix: str) -> None:
    # Without a configuration, the beginning of a name would tell a family.
    name = f"net.{name}" if suffix == ".safetensors" else name
    weights = {"a.bias": torch.zeros(()), "b.weight": torch.zeros(3, 4), name: torch.zeros(2)}
    if suffix == ".safetensors":
        save_file(weights, tmp_path / f"x{suffix}", {"format": "pt"})
    else:
        torch.save({"state_dict": weights, "config": {"model_type": "other"}}, tmp_path / f"x{suffix}")
    with pytest.raises(CheckpointError) as caught:
        load_model(tmp_path / f"x{suffix}")
    sentence = str(caught.value)
    assert f"it begins with a.bias, b.weight, {name}; its largest weight is b.weight, 3 × 4{family})" in sentence
    assert "TorchScript or ONNX" in sentence and "\n" not in sentence
