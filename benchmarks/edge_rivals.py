"""Train our edge network and one of TEED's size for equal processor time on photographs, each at a searched rate.

    python benchmarks/edge_rivals.py --bsds DIR --seconds 300 --search-seconds 60

`--bsds` names a copy of BSDS500, as in `edge_losses.py`. Learning rates are searched with a twentieth of its `train`
held out, on the same grid for all: a third of the usual rate, this rate, and thrice as much, and further while the best
is at an end. Then each network is trained once on all of `train` and scored on `val`. To tell the network from the
loss, `--only` takes each network with the other loss, too. Finished rows are stored in `--out` and not computed again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from edge_loss_candidates import EdgeLoss, hed
from edge_loss_data import Sample, bsds
from edge_losses import Budget, fit, our_network, scored
from rivals import parameters
from searching import FACTOR, best_step, rows_done, stored_or
from torch import Tensor, nn

from napari_ink.model.losses import edge_loss


def convolutions(channels: int, more: int, stride: int = 1) -> nn.Sequential:
    """Return two convolutions, each with a norm; the first with an activation, too."""
    return nn.Sequential(
        nn.Conv2d(channels, more, 3, stride, 1, bias=False),
        nn.BatchNorm2d(more),
        nn.SiLU(inplace=True),
        nn.Conv2d(more, more, 3, 1, 1, bias=False),
        nn.BatchNorm2d(more),
    )


class SmallEdgeNetwork(nn.Module):
    """A network of the size and shape of TEED (Soria et al. 2023), 58,000 weights.

    Three stages of 16, 32 and 48 channels give a map of edges each; a small fusion makes one map of them. It has norms
    and SiLU where the paper has Smish, since that is faster here and learns in few steps.
    """

    size_divisor = 4

    def __init__(self, widths: tuple[int, int, int] = (16, 32, 48), head: int = 34, fusion: int = 24) -> None:
        super().__init__()
        first, second, third = widths
        self.first = convolutions(3, first, stride=2)
        self.second = convolutions(first, second)
        self.skip = nn.Conv2d(first, second, 1)
        self.third = convolutions(second, third)
        self.deep_skip = nn.Conv2d(second, third, 1)
        self.maps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(n, head, 1), nn.SiLU(), nn.Conv2d(head, 1, 1)) for n in widths
        )
        self.fusion = nn.Sequential(
            nn.Conv2d(3, fusion, 3, 1, 1), nn.SiLU(), nn.Conv2d(fusion, fusion, 3, 1, 1, groups=fusion), nn.SiLU()
        )
        self.fused = nn.Conv2d(fusion, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, 3, y, x)`` to logits ``(b, 4, y, x)``: a map of each stage, and last their fusion."""
        first = F.silu(self.first(x))
        second = F.silu(self.second(first) + self.skip(first))
        pooled = F.max_pool2d(second, 3, 2, 1)
        third = F.silu(self.third(pooled) + self.deep_skip(pooled))
        found = [
            F.interpolate(head(stage), size=x.shape[-2:], mode="bilinear", align_corners=False)
            for head, stage in zip(self.maps, (first, second, third), strict=True)
        ]
        stages = torch.cat(found, dim=1)
        return torch.cat([stages, self.fused(self.fusion(stages)) + stages.mean(dim=1, keepdim=True)], dim=1)


def on_each(loss: EdgeLoss) -> EdgeLoss:
    """Return a loss that judges every plane of edges, as HED does."""
    return lambda planes, target: torch.stack([loss(plane, target) for plane in planes.unbind(1)]).mean()


def on_last(loss: EdgeLoss) -> EdgeLoss:
    """Return a loss that judges the last plane, which is ours of edges."""
    return lambda planes, target: loss(planes[:, -1], target)


@dataclass(frozen=True)
class Entrant:
    """A network and its loss, with its usual learning rate."""

    build: Callable[[], nn.Module]
    loss: EdgeLoss
    learning_rate: float


ENTRANTS = {
    "ours": Entrant(our_network, on_last(edge_loss), 3e-3),
    "TEED's size, HED's loss": Entrant(SmallEdgeNetwork, on_each(hed), 3e-3),
    "our network, HED's loss": Entrant(our_network, on_last(hed), 3e-3),
    "TEED's size, our loss": Entrant(SmallEdgeNetwork, on_each(edge_loss), 3e-3),
}


def row(entrant: Entrant, step: int, seconds: float, seed: int, train: list[Sample], test: list[Sample]) -> dict:
    """Train at a rate of the grid and score."""
    rate = entrant.learning_rate * FACTOR**step
    network, steps = fit(entrant.build, entrant.loss, train, Budget(cpu_seconds=seconds, learning_rate=rate), seed)
    found = asdict(scored(network, test))
    return {"rate": rate, "steps": steps, "images": len(test), "weights": parameters(network)} | found


def compute(args: argparse.Namespace) -> None:
    """Search the rate of each entrant, then train and score it."""
    train, val = bsds(args.bsds, "train", args.target), bsds(args.bsds, "val", args.target)
    held_out, others = train[::20], [sample for i, sample in enumerate(train) if i % 20]
    for name in args.only:

        def result(stage: str, step: int, name: str = name) -> dict:
            seconds = args.search_seconds if stage == "search" else args.seconds
            data = (others, held_out) if stage == "search" else (train, val)
            key = {"stage": stage, "name": name, "step": step, "seconds": seconds, "seed": args.seed}
            return stored_or(
                key | {"target": args.target}, args.out, lambda: row(ENTRANTS[name], step, seconds, args.seed, *data)
            )

        step = best_step(lambda step: float(result("search", step)["ods"]), args.most_rates)
        result("full", step)


def main() -> None:
    """Compute the missing rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bsds", type=Path, required=True)
    parser.add_argument("--target", choices=("consensus", "person"), default="consensus")
    parser.add_argument("--seconds", type=float, default=600, help="of processor time for a full run")
    parser.add_argument("--search-seconds", type=float, default=90, help="of processor time for each rate")
    parser.add_argument("--most-rates", type=int, default=5, help="rates to try for each network; 1: the usual one")
    parser.add_argument("--only", nargs="+", choices=tuple(ENTRANTS), default=list(ENTRANTS)[:2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/edge-rivals.jsonl"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    compute(args)
    print("| stage | network | weights | rate | seconds | steps | ODS | OIS | AP |\n" + "| --- " * 9 + "|")
    for one in rows_done(args.out):
        result = " | ".join(f"{one[name]:.3f}" for name in ("ods", "ois", "average_precision"))
        size = f"{one['weights']:,} | {one['rate']:.2g} | {one['seconds']:g} | {one['steps']}"
        print(f"| {one['stage']} | {one['name']} | {size} | {result} |")


if __name__ == "__main__":
    main()
