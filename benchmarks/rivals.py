"""Networks to compare ours with, as used in the field; all map ``(b, z, y, x)`` to ``(b, 2, y, x)``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from napari_ink.model.config import InkEdgeConfig
from napari_ink.model.network import InkEdgeNetwork


@dataclass(frozen=True)
class Entrant:
    """A network in the comparison: its builder, the layers it reads, its tile in pixels, its learning rate."""

    name: str
    build: Callable[[], nn.Module]
    layers: int
    tile: int
    learning_rate: float
    overlap: float = 0.25


class TimeSformerTiles(nn.Module):
    """The Grand Prize's TimeSformer for larger crops: cut into its tiles, one logit per patch, then enlarged."""

    def __init__(self, dim: int, depth: int, heads: int, layers: int = 26, tile: int = 64, patch: int = 16) -> None:
        super().__init__()
        from timesformer_pytorch import TimeSformer

        self.tile, self.grid = tile, tile // patch
        self.backbone = TimeSformer(
            dim=dim,
            image_size=tile,
            patch_size=patch,
            num_frames=layers,
            num_classes=2 * self.grid**2,
            channels=1,
            depth=depth,
            heads=heads,
            dim_head=64,
            attn_dropout=0.1,
            ff_dropout=0.1,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, z, y, x)``, height and width multiples of the tile, to ``(b, 2, y, x)``."""
        b, z, height, width = x.shape
        rows, columns = height // self.tile, width // self.tile
        tiles = x.reshape(b, z, rows, self.tile, columns, self.tile).permute(0, 2, 4, 1, 3, 5)
        tiles = tiles.reshape(-1, z, 1, self.tile, self.tile)
        logits = self.backbone(tiles).reshape(-1, 2, self.grid, self.grid)
        fine = F.interpolate(logits, scale_factor=self.tile // self.grid, mode="bilinear", align_corners=False)
        fine = fine.reshape(b, rows, columns, 2, self.tile, self.tile).permute(0, 3, 1, 4, 2, 5)
        return fine.reshape(b, 2, height, width)


class UNet3DSegFormer(nn.Module):
    """A small 3-D U-Net, the maximum of its features over the depth, then SegFormer (1st place at Kaggle)."""

    def __init__(self, features: tuple[int, ...] = (8, 8, 16, 32, 64, 8), planes: int = 16) -> None:
        super().__init__()
        from monai.networks.nets import BasicUNet
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        self.volume = BasicUNet(spatial_dims=3, in_channels=1, out_channels=planes, features=features)
        self.plane = SegformerForSemanticSegmentation(  # b1
            SegformerConfig(
                num_channels=planes,
                num_labels=2,
                depths=[2, 2, 2, 2],
                hidden_sizes=[64, 128, 320, 512],
                num_attention_heads=[1, 2, 5, 8],
                decoder_hidden_size=256,
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, z, y, x)`` to ``(b, 2, y, x)``."""
        plane = self.volume(x.unsqueeze(1)).amax(dim=2)
        logits = self.plane(pixel_values=plane).logits
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear", align_corners=False)


def unet_2_5d(layers: int) -> nn.Module:
    """Return a U-Net with the depth layers as channels."""
    from monai.networks.nets import BasicUNet

    return BasicUNet(spatial_dims=2, in_channels=layers, out_channels=2, features=(32, 32, 64, 128, 256, 32))


ENTRANTS = (
    Entrant("ours, tiny", lambda: InkEdgeNetwork(InkEdgeConfig.tiny()), 32, 256, 1.5e-3),
    Entrant("ours, base", lambda: InkEdgeNetwork(InkEdgeConfig.base()), 32, 256, 1.5e-3),
    Entrant("ours, large", lambda: InkEdgeNetwork(InkEdgeConfig.large()), 32, 256, 1.5e-3),
    Entrant("TimeSformer, Grand Prize", lambda: TimeSformerTiles(512, 8, 6), 26, 64, 3e-4, overlap=0.5),
    Entrant("TimeSformer, small", lambda: TimeSformerTiles(128, 4, 4), 26, 64, 1e-3, overlap=0.5),
    Entrant("2.5-D U-Net", lambda: unet_2_5d(32), 32, 256, 1.5e-3),
    Entrant("3-D U-Net + SegFormer-b1", UNet3DSegFormer, 32, 256, 6e-4),
)


def parameters(network: nn.Module) -> int:
    """Return the number of trainable weights."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


@torch.inference_mode()
def flops(network: nn.Module, layers: int, tile: int) -> int:
    """Return the floating-point operations of one tile: two for each multiplication in convolutions and products.

    Norms, activations, pooling and resizing are not counted.
    """
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

    def attention(query: list[int], key: list[int], value: list[int], *_: object, **__: object) -> int:
        return int(sdpa_flop_count(query, key, value))

    # The counter knows only the fused attention of GPUs.
    fused = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention}
    with FlopCounterMode(display=False, custom_mapping=fused) as counter:
        network.eval()(torch.zeros(1, layers, tile, tile))
    return int(counter.get_total_flops())
