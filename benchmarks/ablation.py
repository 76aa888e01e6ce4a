"""Change one building block of the tiny network at a time, and measure the effect on the scores.

    python benchmarks/ablation.py --steps 400 --seeds 2 --out runs/ablation.jsonl

Same phantoms (simulations), same steps, same losses for every row; scores on unseen phantoms, edges too, and ink with
the surface some layers deeper than the window expects. Each finished row is saved in `--out`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from fitting import Batches, Budget, fit, phantom_files
from quality import keep, known, rows_done
from rivals import flops, parameters
from torch import Tensor, nn

from napari_ink.evaluation import edge_scores, ink_scores, label_edges
from napari_ink.model import InkEdgeConfig, InputContract
from napari_ink.model.encoder import Block, OverlappingPatches, ReducedAttention
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.model.stem import conv_norm
from napari_ink.phantom import SETS

LAYERS = 32
CONTRACT = InputContract(
    depth_layers=LAYERS, min_depth_layers=LAYERS, mean=0.31, std=0.24, voxel_size_um=7.91, tile_size=256
)
DEEPER = (-8, -4, 0, 4, 8)


class PlaneStem(nn.Module):
    """A 2-D stem that reads the layers as channels, or only their mean."""

    def __init__(self, like: nn.Module, layers: int) -> None:
        super().__init__()
        self.layers, self.half_channels, self.quarter_channels = layers, like.half_channels, like.quarter_channels
        self.to_half = nn.Sequential(
            nn.Conv2d(layers, self.half_channels, 5, 2, 2, bias=False), nn.BatchNorm2d(self.half_channels), nn.ReLU()
        )
        self.to_quarter = nn.Sequential(
            nn.Conv2d(self.half_channels, self.quarter_channels, 3, 2, 1, bias=False),
            nn.BatchNorm2d(self.quarter_channels),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(b, z, y, x)`` to planes at half and a quarter of the resolution."""
        half = self.to_half(x if self.layers > 1 else x.mean(dim=1, keepdim=True))
        return half, self.to_quarter(half)


class JointStem(nn.Module):
    """The depth stem with full 3-D kernels: fewer, larger convolutions."""

    def __init__(self, like: nn.Module) -> None:
        super().__init__()
        self.half_channels, self.quarter_channels = like.half_channels, like.quarter_channels
        self.to_half = conv_norm(1, self.half_channels // 2, (5, 5, 5), (2, 2, 2))
        self.to_quarter = conv_norm(self.half_channels // 2, self.quarter_channels // 2, (3, 3, 3), (2, 2, 2))
        self.pool_half, self.pool_quarter = like.pool_half, like.pool_quarter

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(b, z, y, x)`` to planes at half and a quarter of the resolution."""
        fine = self.to_half(x.unsqueeze(1))
        return self.pool_half(fine), self.pool_quarter(self.to_quarter(fine))


class OnePool(nn.Module):
    """A depth pool that returns one of its two halves twice: the strongest response, or the weighted mean."""

    def __init__(self, pool: nn.Module, first: bool) -> None:
        super().__init__()
        self.pool, self.first = pool, first

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, c, z, y, x)`` to ``(b, 2c, y, x)``."""
        both = self.pool(x).chunk(2, dim=1)
        return torch.cat([both[0 if self.first else 1]] * 2, dim=1)


class Nothing(nn.Module):
    """No attention: tokens exchange information through convolutions only."""

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros for every token."""
        return torch.zeros_like(x)


class QuarterDecoder(nn.Module):
    """SegFormer's decoder: the stages at a quarter of the resolution, enlarged at the end."""

    def __init__(self, decoder: nn.Module, dim: int) -> None:
        super().__init__()
        self.lateral, self.fuse = decoder.lateral, decoder.fuse
        self.narrow = nn.Conv2d(dim, dim // 4, 1)

    def forward(self, planes: list[Tensor], half: Tensor) -> Tensor:
        """Map the encoder's planes to ``(b, dim/4, y, x)``; the stem's plane at half the resolution is ignored."""
        size = planes[0].shape[-2:]
        lifted = [
            F.interpolate(lateral(plane), size=size, mode="bilinear", align_corners=False)
            for lateral, plane in zip(self.lateral, planes, strict=True)
        ]
        x = self.narrow(self.fuse(torch.cat(lifted, dim=1)))
        return F.interpolate(x, scale_factor=4.0, mode="bilinear", align_corners=False)


class WithoutHalf(nn.Module):
    """The same decoder with zeros in place of the stem's finer plane."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, planes: list[Tensor], half: Tensor) -> Tensor:
        """Map the encoder's planes to ``(b, dim/4, y, x)``."""
        return self.decoder(planes, torch.zeros_like(half))


def tiny() -> InkEdgeNetwork:
    """Leave the network unchanged."""
    return InkEdgeNetwork(InkEdgeConfig.tiny())


def changed(change: Callable[[InkEdgeNetwork], None]) -> Callable[[], InkEdgeNetwork]:
    """Return a builder of the tiny network with one part changed."""

    def build() -> InkEdgeNetwork:
        network = tiny()
        change(network)
        return network

    return build


def separate_patches(network: InkEdgeNetwork) -> None:
    """Embed patches without overlap: kernels as large as their stride."""
    for patches in (part for part in network.modules() if isinstance(part, OverlappingPatches)):
        old = patches.project
        stride = old.stride[0]
        patches.project = nn.Conv2d(old.in_channels, old.out_channels, stride, stride)


def full_attention(network: InkEdgeNetwork) -> None:
    """Read keys and values from the full grid."""
    for attention in (part for part in network.modules() if isinstance(part, ReducedAttention)):
        attention.reduce = None


def no_attention(network: InkEdgeNetwork) -> None:
    """Leave attention out."""
    for block in (part for part in network.modules() if isinstance(part, Block)):
        block.attention = Nothing()


def plain_feed_forward(network: InkEdgeNetwork) -> None:
    """Remove the depth-wise convolution from the feed-forward part."""
    for block in (part for part in network.modules() if isinstance(part, Block)):
        block.feed_forward.neighbours = nn.Identity()


def one_pool(first: bool) -> Callable[[InkEdgeNetwork], None]:
    """Pool the depth in only one of the two ways."""

    def change(network: InkEdgeNetwork) -> None:
        network.stem.pool_half = OnePool(network.stem.pool_half, first)
        network.stem.pool_quarter = OnePool(network.stem.pool_quarter, first)

    return change


def plane_stem(layers: int) -> Callable[[InkEdgeNetwork], None]:
    """Replace the depth stem by a 2-D one."""

    def change(network: InkEdgeNetwork) -> None:
        network.stem = PlaneStem(network.stem, layers)  # type: ignore[assignment]

    return change


def joint_stem(network: InkEdgeNetwork) -> None:
    """Use full 3-D kernels."""
    network.stem = JointStem(network.stem)  # type: ignore[assignment]


def quarter_decoder(network: InkEdgeNetwork) -> None:
    """Decode at a quarter of the resolution."""
    network.decoder = QuarterDecoder(network.decoder, network.config.decoder_dim)  # type: ignore[assignment]


def without_half(network: InkEdgeNetwork) -> None:
    """Decode to full resolution without the stem's finer plane."""
    network.decoder = WithoutHalf(network.decoder)  # type: ignore[assignment]


ROWS: dict[str, Callable[[], nn.Module]] = {
    "tiny, as it is": tiny,
    "patches without overlap": changed(separate_patches),
    "full attention": changed(full_attention),
    "no attention": changed(no_attention),
    "plain feed-forward": changed(plain_feed_forward),
    "stem: layers as channels": changed(plane_stem(LAYERS)),
    "stem: mean of the layers": changed(plane_stem(1)),
    "stem: full 3-D kernels": changed(joint_stem),
    "depth pool: maximum only": changed(one_pool(True)),
    "depth pool: weighted mean only": changed(one_pool(False)),
    "decoder without the finer plane": changed(without_half),
    "decoder at a quarter": changed(quarter_decoder),
}


def maps(network: nn.Module, path: Path, deeper: int) -> np.ndarray:
    """Return probabilities ``(2, y, x)`` of a whole phantom, with the window moved `deeper` layers."""
    stack = np.load(path, mmap_mode="r")
    window = CONTRACT.z_window(len(stack))
    values = CONTRACT.prepare(np.asarray(stack[window.start + deeper : window.stop + deeper]))
    with torch.inference_mode():
        return torch.sigmoid(network(torch.from_numpy(values.copy())[None]))[0].numpy()


def score(network: nn.Module, test: list[Path]) -> dict[str, object]:
    """Return ink's F0.5 for every offset of the window, and the edges' ODS."""
    ink: dict[int, list[float]] = {deeper: [] for deeper in DEEPER}
    edges = []
    for path in test:
        truth, mask, inner = known(path)
        for deeper in DEEPER:
            found = maps(network, path, deeper)
            ink[deeper].append(ink_scores(found[0], truth, mask).f0_5)
            if deeper == 0:
                edges.append((np.where(inner, found[1], 0), label_edges(truth) & inner))
    return {"f0_5": {deeper: float(np.mean(each)) for deeper, each in ink.items()}, "ods": edge_scores(edges).ods}


def compute(args: argparse.Namespace) -> None:
    """Train and score the variants without a row."""
    training = phantom_files(SETS["train"][: args.training], args.home, False)
    test = phantom_files(SETS["test"][: args.test], args.home, False, 320)
    for seed in range(args.seeds):
        for name, build in ROWS.items():
            key = {"name": name, "seed": seed, "steps": args.steps}
            if args.only and name not in args.only or any(key.items() <= row.items() for row in rows_done(args.out)):
                continue
            torch.manual_seed(seed)
            network = build()
            began = time.monotonic()
            _, seconds = fit(network, Batches(training, CONTRACT), Budget(steps=args.steps), 1.5e-3, seed)
            keep(args.out, key | score(network, test) | {"seconds_a_step": seconds / args.steps})
            print(
                name, seed, json.dumps(rows_done(args.out)[-1]["f0_5"]), f"{time.monotonic() - began:.0f} s", flush=True
            )


def table(args: argparse.Namespace) -> None:
    """Print the means over the seeds, one line for each variant."""
    rows = [row for row in rows_done(args.out) if row["steps"] == args.steps]
    print(f"\n{args.steps} steps of 2 × 128² pixels, {args.test} unseen phantoms, mean of the seeds (each seed's F0.5)")
    print(
        "| row |",
        " | ".join(f"F0.5 at {deeper:+d}" for deeper in DEEPER),
        "| ODS | weights, M | GFLOP a 256² tile | s a step |",
    )
    print("| --- " * (len(DEEPER) + 5) + "|")
    for name in ROWS:
        found = [row for row in rows if row["name"] == name]
        if not found:
            continue
        ink = [f"{np.mean([row['f0_5'][str(deeper)] for row in found]):.3f}" for deeper in DEEPER]
        each = ", ".join(f"{row['f0_5']['0']:.3f}" for row in found)
        ods, seconds = (np.mean([row[what] for row in found]) for what in ("ods", "seconds_a_step"))
        network = ROWS[name]()
        size = f"{parameters(network) / 1e6:.2f} | {flops(network, LAYERS, 256) / 1e9:.1f}"
        print(f"| {name} ({each}) | {' | '.join(ink)} | {ods:.3f} | {size} | {seconds:.2f} |")


def main() -> None:
    """Compute the missing rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--training", type=int, default=60, help="phantoms to train with")
    parser.add_argument("--test", type=int, default=4, help="phantoms to score")
    parser.add_argument("--only", action="append", help="a row's name; may be given several times")
    parser.add_argument("--home", type=Path, default=Path("runs/quality-phantoms"))
    parser.add_argument("--out", type=Path, default=Path("runs/ablation.jsonl"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    compute(args)
    table(args)


if __name__ == "__main__":
    main()
