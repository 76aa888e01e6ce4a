"""Files of Hecate, `ink_canonical_2um` and `v8-in` with random weights, in the published layouts."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_ink.model.resnet3d import BackboneSizes, HecateNetwork, ResNetSizes
from napari_ink.model.resnet3d_planes import PlaneNetwork

PUBLISHED = ResNetSizes(
    64, (64, 128, 256, 512), (256, 512, 1024, 2048), (3, 8, 36, 3), (64, 128, 256, 512), has_norm=True
)
SMALL = ResNetSizes(3, (2, 3, 4, 5), (6, 8, 9, 10), (1, 2, 1, 2), (4, 5, 6, 7), has_norm=True)
CLASSES = 1039
FINE, COARSE = {"layers": 12, "margin": 1, "xy_stride": 4}, {"layers": 9, "margin": 0, "xy_stride": 1}
TILE = 32


def network(margin: int, xy_stride: int, sizes: ResNetSizes = SMALL, **_: object) -> HecateNetwork:
    """Make a network whose every weight and statistic is random."""
    torch.manual_seed(4)
    made = HecateNetwork(sizes, TILE, margin, xy_stride).eval()
    with torch.no_grad():
        for name, one in made.state_dict().items():
            if one.is_floating_point():
                one.add_(torch.rand_like(one) if name.endswith("running_var") else torch.randn_like(one) * 0.2)
    return made


def config(layers: int, margin: int, xy_stride: int) -> dict[str, Any]:
    return {
        "model_type": "multiteacher_3d_projection",
        "mode": "flat",
        "in_channels": 1,
        "projection": {"kind": "canonical_logits"},
        "model_config": {
            "projection": {"kind": "canonical_logits"},
            "canonical": {
                "with_norm": True,
                "input_depth": layers,
                "depth_margin": margin,
                "native_xy_stride": xy_stride,
                "native_refinement": False,
            },
        },
        "patch_size": [layers, TILE, TILE],
        "image_normalization": {"mode": "divide", "divisor": 200.0 if xy_stride == 4 else 255.0},
    }


def unused(sizes: ResNetSizes) -> dict[str, Tensor]:
    """Make the weights of published files that only training used."""
    shapes = {
        "backbone.fc.weight": (CLASSES, sizes.outputs[-1]),
        "backbone.fc.bias": (CLASSES,),
        "decoder.aux_head_s2.conv.weight": (1, sizes.decoder[2], 1, 1),
        "decoder.aux_head_s2.conv.bias": (1,),
        "decoder.aux_head_s1.conv.weight": (1, sizes.decoder[1], 1, 1),
        "decoder.aux_head_s1.conv.bias": (1,),
    }
    return {f"canonical.{name}": torch.zeros(shape) for name, shape in shapes.items()}


def hecate_file(folder: Path, made: HecateNetwork, layout: dict[str, int], **changes: Any) -> Path:
    content = {
        "format_version": 1,
        "architecture_family": "hecate",
        "sampling_um": 2.4 if layout["xy_stride"] == 4 else 9.6,
        "weight_source": "ema_model",
        "config": config(**layout),
        "ema_model": {**made.state_dict(), **unused(SMALL)},
        **changes,
    }
    torch.save(content, folder / "hecate.pth")
    return folder / "hecate.pth"


def randomised(made: nn.Module, seed: int = 4) -> nn.Module:
    """Change every weight and statistic by a random number."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, one in made.state_dict().items():
            if one.is_floating_point():
                one.add_(torch.rand_like(one) if name.endswith("running_var") else torch.randn_like(one) * 0.2)
    return made.eval()


CANONICAL_LAYERS = 62
PLANE_LAYERS, PLANE_DEPTH = 6, 24
PLANE_SIZES = BackboneSizes(SMALL.stem, SMALL.planes, SMALL.outputs, SMALL.blocks)
PUBLISHED_PLANE_SIZES = BackboneSizes(64, (64, 128, 256, 512), (256, 512, 1024, 2048), (3, 4, 6, 3))


def canonical_network(sizes: ResNetSizes = SMALL, tile: int = TILE) -> HecateNetwork:
    torch.manual_seed(4)
    made = HecateNetwork(sizes, tile, margin=0, xy_stride=4, has_slope=False)
    randomised(made)
    return made


def published_hecate_file(folder: Path, xy_stride: int) -> Path:
    """Save a file of the published sizes."""
    layers, margin, tile = (64, 1, 256) if xy_stride == 4 else (16, 0, 64)
    layout = {"layers": layers, "margin": margin, "xy_stride": xy_stride}
    made = HecateNetwork(PUBLISHED, tile, layout["margin"], xy_stride)
    randomised(made)
    settings = {**config(**layout), "patch_size": [layout["layers"], tile, tile]}
    return hecate_file(folder, made, layout, config=settings, ema_model={**made.state_dict(), **unused(PUBLISHED)})


def canonical_file(
    folder: Path, made: HecateNetwork, wrapper: str = "", sizes: ResNetSizes = SMALL, **changes: Any
) -> Path:
    """Save a file as Lightning does: without layers or scaling, and with heads that only training used."""
    weights = {name.removeprefix("canonical."): one for name, one in {**made.state_dict(), **unused(sizes)}.items()}
    content = {
        "epoch": 13,
        "global_step": 113246,
        "pytorch-lightning_version": "2.0.9",
        "state_dict": {wrapper + name: one for name, one in weights.items()},
        "hyper_parameters": {
            "pred_shape": [4608, 13824],
            "size": made.fixed_tile,
            "enc": "r152",
            "with_norm": True,
            "total_steps": 8089,
        },
        "optimizer_states": [],
        **changes,
    }
    torch.save(content, folder / "r152.ckpt")
    return folder / "r152.ckpt"


def plane_network(
    sizes: BackboneSizes = PLANE_SIZES, tile: int = TILE, layers: int = PLANE_LAYERS, depth: int = PLANE_DEPTH
) -> PlaneNetwork:
    torch.manual_seed(4)
    made = PlaneNetwork(sizes, tile, (depth, 4 * tile, 4 * tile))
    randomised(made)
    return made


def plane_file(folder: Path, made: PlaneNetwork, beside: bool = True, **changes: Any) -> Path:
    """Save bare safetensors and the settings in config.json, as `huggingface_hub` does."""
    save_file(dict(made.state_dict()), folder / "model.safetensors")
    settings = {
        "in_depth": PLANE_LAYERS,
        "tile_size": made.fixed_tile,
        "input_upsample_hw": 4 * made.fixed_tile,
        "input_upsample_depth": PLANE_DEPTH,
        "encoder_depth": 50,
        "stride": made.fixed_tile // 3,
        "clip_max": 200,
        "reverse_layers": False,
        **changes,
    }
    if beside:
        (folder / "config.json").write_text(json.dumps(settings))
    return folder / "model.safetensors"
