"""The network of the `ink_9um` family, compared with functions of its description, and with nnU-Net's own package."""

import dataclasses

import pytest
import torch
from torch import nn

from napari_ink.model.hybrid import HybridNetwork, HybridSizes, UNet, sizes_of
from tests.model import hybrid_oracle
from tests.model.hybrid_files import PUBLISHED, SMALL, network, published_names


def shapes_of(made: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in made.state_dict().items()}


# Figures of the published files, and of a tiny network in a public test of the code that made them.
@pytest.mark.parametrize(
    ("sizes", "parameters", "names", "numbers"),
    [
        (PUBLISHED, 34_546_498, 508, 68_175_426),
        (HybridSizes(16, (4, 8), (1, 1), ((3, 3),) * 2, ((1, 1), (2, 2)), (1,)), 10_298, 66, None),
    ],
)
def test_the_published_sizes_give_the_published_numbers_of_weights(
    sizes: HybridSizes, parameters: int, names: int, numbers: int | None
) -> None:
    with torch.device("meta"):
        made = HybridNetwork(sizes, 128)
    assert sum(weight.numel() for weight in made.parameters()) == parameters
    published = published_names(made.state_dict())
    assert len(published) == names
    assert numbers is None or sum(weight.numel() for weight in published.values()) == numbers
    assert sizes_of(shapes_of(made)) == sizes


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("layers", [1, 5, 17])
def test_logits_equal_those_of_the_description(seed: int, layers: int) -> None:
    made = network(seed=seed)
    tiles = torch.randn(2, layers, 32, 32)
    with torch.inference_mode():
        found = made(tiles)
        expected = hybrid_oracle.logits(made.state_dict(), tiles, SMALL.blocks)
        torch.testing.assert_close(
            made.depth_fusion(tiles[:, None]), hybrid_oracle.depth_features(made.state_dict(), tiles)
        )
    torch.testing.assert_close(found[:, :1], expected, atol=1e-4, rtol=1e-4)
    assert expected.std() > 0.01
    assert not found[:, 1].sigmoid().any()  # no edges


def test_logits_equal_those_of_the_description_at_the_published_sizes() -> None:
    made = network(PUBLISHED, 128).double()  # in float32, sums of so many layers differ by up to 1.2e-4
    tile = torch.randn(1, 17, 64, 64, dtype=torch.float64)
    with torch.inference_mode():
        expected = hybrid_oracle.logits(made.state_dict(), tile, PUBLISHED.blocks)
        torch.testing.assert_close(made(tile)[:, :1].double(), expected, atol=1e-5, rtol=1e-5)


class Reference(nn.Module):
    """The U-Net of nnU-Net's package, without its own head and with the names of the published files."""

    def __init__(self, sizes: HybridSizes) -> None:
        super().__init__()
        from dynamic_network_architectures.building_blocks.residual_encoders import ResidualEncoder
        from dynamic_network_architectures.building_blocks.unet_decoder import UNetDecoder

        stages = len(sizes.features)
        encoder = ResidualEncoder(
            2 * sizes.stem_channels,
            stages,
            list(sizes.features),
            nn.Conv2d,
            [list(kernel) for kernel in sizes.kernels],
            [list(stride) for stride in sizes.strides],
            list(sizes.blocks),
            conv_bias=True,
            norm_op=nn.InstanceNorm2d,
            norm_op_kwargs={"affine": True, "eps": 1e-5},
            nonlin=nn.LeakyReLU,
            nonlin_kwargs={"inplace": True},
            return_skips=True,
        )
        self.shared_encoder = encoder
        self.shared_decoder = UNetDecoder(encoder, 1, list(sizes.decoder_convs), deep_supervision=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.shared_decoder(self.shared_encoder(x))
        return out


@pytest.mark.parametrize(
    "sizes",
    [
        SMALL,
        dataclasses.replace(SMALL, kernels=((5, 5), (3, 3), (1, 3)), decoder_convs=(1, 2)),
        dataclasses.replace(SMALL, strides=((1, 1), (2, 2), (1, 2)), features=(4, 4, 7)),
        PUBLISHED,
    ],
)
def test_the_u_net_equals_that_of_the_package(sizes: HybridSizes) -> None:
    pytest.importorskip("dynamic_network_architectures", reason="tools/setup.sh installs it without what it asks for")
    torch.manual_seed(1)
    theirs, ours = Reference(sizes).eval(), UNet(sizes).eval()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    weights = theirs.state_dict()
    head = f"shared_decoder.seg_layers.{len(sizes.features) - 2}"
    wanted = {
        **{name: weights[name] for name in ours.state_dict() if not name.startswith("task_heads")},
        **{f"task_heads.ink.{part}": weights[f"{head}.{part}"] for part in ("weight", "bias")},
    }
    # All of their names but copies, the other heads and the encoder within the decoder are ours.
    left = {n for n in weights if not any(part in n for part in (".all_modules.", "seg_layers", "decoder.encoder."))}
    assert left == {name for name in wanted if not name.startswith("task_heads")}
    ours.load_state_dict(wanted, strict=True)
    x = torch.randn(2, 2 * sizes.stem_channels, 64, 64)
    with torch.inference_mode():
        expected = theirs(x)
        torch.testing.assert_close(ours(x), expected, atol=1e-4, rtol=1e-4)
    assert expected.std() > 0.01
