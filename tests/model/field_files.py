"""A file of each published layout with random weights, and functions of each description to compare predictions with.

`python -m tests.model.field_files FOLDER` writes one of each, in a folder of its own, with the published sizes;
`--small` writes tiny ones.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import save_file
from torch import Tensor

from napari_ink.model.timesformer import GrandPrizeNetwork, TimeSformerSizes
from tests.model import hecate_oracle, hybrid_files, hybrid_oracle, resnet_files
from tests.model.test_crop_scaling import described as scaled
from tests.model.test_timesformer import lightning_file, reference
from tests.model.test_v8_in import described as plane_logits

TIMESFORMER = TimeSformerSizes(dim=24, depth=2, heads=2, dim_head=12, patch=16, grid=4)
FRAMES = 26


@dataclass(frozen=True)
class Layout:
    """A published layout.

    Attributes
    ----------
    layers, tile
        Layers that a small model reads, and the side of its tiles.
    write
        Function that writes a file to a folder: a small one, or one of the published sizes.
    expected
        Function that maps grey values ``(z, y, x)`` of a tile, 0 to 255, to probabilities ``(y, x)``.
    """

    layers: int
    tile: int
    write: Callable[[Path, bool], Path]
    expected: Callable[[np.ndarray], Tensor]


def _hybrid(is_small: bool) -> hybrid_files.HybridNetwork:
    return hybrid_files.network() if is_small else hybrid_files.network(hybrid_files.PUBLISHED, 128)


def _hybrid_expected(greys: np.ndarray) -> Tensor:
    tile = torch.from_numpy(scaled(greys.astype(np.float64))).float()[None]
    return hybrid_oracle.logits(hybrid_files.network().state_dict(), tile, hybrid_files.SMALL.blocks).sigmoid()[0, 0]


def _hecate(layout: dict[str, int]) -> Layout:
    def write(folder: Path, is_small: bool) -> Path:
        if is_small:
            return resnet_files.hecate_file(folder, resnet_files.network(**layout), layout)
        return resnet_files.published_hecate_file(folder, layout["xy_stride"])

    def expected(greys: np.ndarray) -> Tensor:
        tile = torch.from_numpy(greys / (200 if layout["xy_stride"] == 4 else 255)).float()[None]
        weights = resnet_files.network(**layout).state_dict()
        blocks = resnet_files.SMALL.blocks
        return hecate_oracle.probabilities(weights, tile, blocks, layout["margin"], layout["xy_stride"])[0, 0]

    return Layout(layout["layers"], resnet_files.TILE, write, expected)


def _canonical_file(folder: Path, is_small: bool) -> Path:
    sizes, tile = (resnet_files.SMALL, resnet_files.TILE) if is_small else (resnet_files.PUBLISHED, 256)
    return resnet_files.canonical_file(folder, resnet_files.canonical_network(sizes, tile), sizes=sizes)


def _canonical_expected(greys: np.ndarray) -> Tensor:
    weights = {**resnet_files.canonical_network().state_dict(), "depth_coordinate_scale": torch.zeros(())}
    tile = torch.from_numpy(greys.clip(0, 200) / 200).float()[None]
    return hecate_oracle.probabilities(weights, tile, resnet_files.SMALL.blocks, 0, 4)[0, 0]


def _plane_file(folder: Path, is_small: bool) -> Path:
    if is_small:
        return resnet_files.plane_file(folder, resnet_files.plane_network())
    made = resnet_files.plane_network(resnet_files.PUBLISHED_PLANE_SIZES, 64, 24, 96)
    return resnet_files.plane_file(folder, made, in_depth=24, input_upsample_depth=96, stride=21)


def _plane_expected(greys: np.ndarray) -> Tensor:
    tile = torch.from_numpy(greys.clip(0, 200) / 255).float()[None]
    return plane_logits(resnet_files.plane_network().state_dict(), tile).sigmoid()[0, 0]


def _timesformer(is_small: bool) -> dict[str, Tensor]:
    torch.manual_seed(3)
    return GrandPrizeNetwork(TIMESFORMER if is_small else TimeSformerSizes()).state_dict()


def _timesformer_file(folder: Path, is_small: bool) -> Path:
    return lightning_file(folder, _timesformer(is_small))


def _timesformer_safetensors(folder: Path, is_small: bool) -> Path:
    save_file(_timesformer(is_small), folder / "timesformer.safetensors")
    return folder / "timesformer.safetensors"


def _timesformer_expected(greys: np.ndarray) -> Tensor:
    net = reference(TIMESFORMER, FRAMES)
    weights = {name.removeprefix("backbone."): one for name, one in _timesformer(True).items()}
    net.load_state_dict(weights, strict=True)
    tile = torch.from_numpy(greys.clip(0, 200) / 255).float()
    coarse = net(tile[None, :, None]).sigmoid().reshape(1, 1, TIMESFORMER.grid, TIMESFORMER.grid)
    return F.interpolate(coarse, scale_factor=TIMESFORMER.patch, mode="bilinear", align_corners=False)[0, 0]


LAYOUTS = {
    "ink_9um": Layout(
        hybrid_files.LAYERS,
        hybrid_files.TILE,
        lambda folder, is_small: hybrid_files.pth_file(folder, _hybrid(is_small)),
        _hybrid_expected,
    ),
    "ink_9um bare": Layout(
        hybrid_files.LAYERS,
        hybrid_files.TILE,
        lambda folder, is_small: hybrid_files.safetensors_file(folder, _hybrid(is_small)),
        _hybrid_expected,
    ),
    "hecate 2.4 um": _hecate(resnet_files.FINE),
    "hecate 9.6 um": _hecate(resnet_files.COARSE),
    "ink_canonical_2um": Layout(resnet_files.CANONICAL_LAYERS, resnet_files.TILE, _canonical_file, _canonical_expected),
    "v8-in": Layout(resnet_files.PLANE_LAYERS, resnet_files.TILE, _plane_file, _plane_expected),
    "timesformer": Layout(FRAMES, TIMESFORMER.tile, _timesformer_file, _timesformer_expected),
    "timesformer bare": Layout(FRAMES, TIMESFORMER.tile, _timesformer_safetensors, _timesformer_expected),
}


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    for name, layout in LAYOUTS.items():
        folder = arguments.folder / name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        sys.stdout.write(f"{layout.write(folder, arguments.small)}\n")


if __name__ == "__main__":
    main()
