"""Files of the `ink_9um` family with random weights, in the published layout."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from napari_ink.model.hybrid import HybridNetwork, HybridSizes

PUBLISHED = HybridSizes(
    16,
    (32, 64, 128, 256, 320, 320),
    (1, 3, 4, 6, 6, 6),
    ((3, 3),) * 6,
    ((1, 1), *((2, 2),) * 5),
    (1,) * 5,
)
SMALL = HybridSizes(3, (4, 6, 6), (1, 2, 1), ((3, 3),) * 3, ((1, 1), (2, 2), (2, 2)), (1, 1))
LAYERS, TILE = 17, 32


def network(sizes: HybridSizes = SMALL, tile: int = TILE, seed: int = 0) -> HybridNetwork:
    """Make a network whose every weight is random: torch's own start leaves norms at 1 and 0."""
    torch.manual_seed(seed)
    made = HybridNetwork(sizes, tile).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return made


def published_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights as they are published: those of the U-Net's convolutions and norms under two names each."""
    second = {"conv": "all_modules.0", "norm": "all_modules.1"}
    found = dict(weights)
    for name, weight in weights.items():
        if part := re.fullmatch(r"(network\.shared_.*)\.(conv|norm)\.(weight|bias)", name):
            found[f"{part[1]}.{second[part[2]]}.{part[3]}"] = weight
    return found


def config(layers: int = LAYERS, tile: int = TILE, **changes: Any) -> dict[str, Any]:
    """Make a configuration with the entries of the published recipe that matter, and some that do not."""
    return {
        "model_type": "vesuvius_unet_3d_stem_2d",
        "mode": "flat",
        "model_config": {"autoconfigure": True, "basic_encoder_block": "BasicBlockD", "stem_channels": 3},
        "targets": {"ink": {"activation": "none", "out_channels": 1, "z_projection_mode": "none"}},
        "in_channels": 1,
        "patch_size": [layers, tile, tile],
        "crop_size": (layers, tile, tile),
        "image_normalization": {"mode": "robust_mad", "percentile_lower": 1.0, "percentile_upper": 99.0},
        "learning_rate": np.float64(0.01),
        "datasets": [{"sampling_scroll": "0139"}, {"sampling_scroll": "Paris4"}],
        **changes,
    }


def pth_file(folder: Path, made: HybridNetwork, entry: str = "model", **changes: Any) -> Path:
    """Save a file as the published training code does, with what a run that goes on needs beside the weights."""
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.SGD([parameter], 0.1, momentum=0.9)
    content = {
        entry: published_names(made.state_dict()),
        "config": config(tile=made.fixed_tile),
        "step": 75000,
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10),
        "best": np.float32(0.5),
        "rng": {"numpy": np.random.default_rng(0).bit_generator.state, "keys": np.arange(5)},
        **changes,
    }
    path = folder / "step-075000.pth"
    torch.save(content, path)
    return path


def safetensors_file(folder: Path, made: HybridNetwork, beside: str | None = "soup.json") -> Path:
    """Save bare weights, every name with a copy of its own, and the configuration in a JSON file."""
    path = folder / "soup.safetensors"
    save_file({name: weight.clone() for name, weight in published_names(made.state_dict()).items()}, path)
    if beside is not None:
        stated = {**config(tile=made.fixed_tile), "learning_rate": 0.01}
        (folder / beside).write_text(json.dumps(stated))
    return path
