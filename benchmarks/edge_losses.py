"""Train one small network with each of many edge losses, on photographs and on phantoms with shifted labels.

    python benchmarks/edge_losses.py [--bsds DIR] [--losses NAME …] [--shifts 0 3 6] [--seeds 0 1] [--quick]

The network, the crops, the steps and the optimiser stay the same; only the loss differs. `--bsds` names a copy of
BSDS500 (folders `images` and `groundTruth` with `train` and `val`): networks are trained on `train` and scored on
`val`; with `--dev`, to choose settings, trained on four fifths of `train` and scored on 20 images of the rest. Without
it: phantoms whose labels are shifted by `--shifts` pixels, in a random direction each, scored against the true ink.
Finished rows are stored in `--out` and not trained again.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fitting
import numpy as np
import torch
from edge_loss_candidates import RIVALS, EdgeLoss, named
from edge_loss_data import Sample, bsds, draw_batch, edge_map, phantom_samples
from torch import nn

from napari_ink.evaluation import EdgeScores, edge_scores
from napari_ink.model import InkEdgeConfig
from napari_ink.model.network import EDGE, InkEdgeNetwork

# A quarter of the weights of tiny, so that a row takes minutes.
CONFIG = InkEdgeConfig(
    stem_channels=(8, 16), dims=(24, 48, 64, 96), heads=(1, 2, 2, 3), ff_expansion=2, num_layers=1, decoder_dim=32
)
THRESHOLDS = 33  # a third of the protocol's, since thinning at each takes most of the time
TRAIN_SEEDS, VALIDATION_SEEDS = range(1000, 1032), range(2000, 2008)


@dataclass(frozen=True)
class Budget(fitting.Budget):
    """The length of training of each row, its crops and its learning rate."""

    batch_size: int = 8
    crop_size: int = 128
    learning_rate: float = 3e-3


@dataclass(frozen=True, slots=True)
class Task:
    """The data to train on and to score: ``val``, ``dev`` or ``shift N``."""

    name: str
    train: list[Sample]
    test: list[Sample]


def tasks(args: argparse.Namespace) -> Iterator[Task]:
    """Yield the requested tasks; a quick run uses a few images of each."""
    few = slice(0, 6 if args.quick else None)
    if args.bsds:
        train = bsds(args.bsds, "train", args.target)
        if args.dev:
            yield Task(f"dev, {args.target}", [s for i, s in enumerate(train) if i % 5], train[::10][few])
        else:
            yield Task(f"val, {args.target}", train, bsds(args.bsds, "val", args.target)[:: args.every][few])
        return
    for shift in args.shifts:
        train = phantom_samples(TRAIN_SEEDS[few], args.home, shift)
        yield Task(f"shift {shift}", train, phantom_samples(VALIDATION_SEEDS[few], args.home, 0))


def fit(
    build: Callable[[], nn.Module], loss: EdgeLoss, samples: list[Sample], budget: Budget, seed: int
) -> tuple[nn.Module, int]:
    """Train a network from scratch; return a moving average of its weights, and the number of steps.

    The loss gets all planes ``(b, c, y, x)`` that the network returns.
    """
    torch.manual_seed(seed)
    network = build().train()
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    rng = np.random.default_rng(seed)
    step, seconds = 0, 0.0
    while (spent := budget.share_spent(step, seconds)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = budget.learning_rate * _rate(spent)
        values, target = draw_batch(samples, rng, budget.batch_size, budget.crop_size)
        began = time.process_time()  # drawing batches is the same for all
        optimiser.zero_grad(set_to_none=True)
        loss(network(values), target).backward()
        optimiser.step()
        _follow(average, network, min(0.98, (step + 1) / (step + 20)))
        seconds += time.process_time() - began
        step += 1
    return average, step


def _rate(done: float) -> float:
    return min(1.0, done / 0.04) * 0.5 * (1.01 + 0.99 * math.cos(math.pi * done))


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    for weight, new in zip(average.parameters(), network.parameters(), strict=True):
        weight.lerp_(new, 1 - decay)
    for statistic, now in zip(average.buffers(), network.buffers(), strict=True):
        statistic.copy_(now)


def our_network() -> InkEdgeNetwork:
    """Return the network that all losses are tried with."""
    return InkEdgeNetwork(CONFIG)


def scored(network: nn.Module, samples: list[Sample]) -> EdgeScores:
    """Return the scores of a network whose last plane is the edges, on whole images."""
    return edge_scores(((edge_map(network, one), one.truths) for one in samples), thresholds=THRESHOLDS)


def row(task: Task, name: str, budget: Budget, seed: int) -> dict[str, Any]:
    """Train with one loss and score."""
    began, loss = time.process_time(), named(name)
    network, _ = fit(our_network, lambda planes, target: loss(planes[:, EDGE], target), task.train, budget, seed)
    trained = time.process_time()
    scores = scored(network, task.test)
    return {
        "task": task.name,
        "images": len(task.test),
        "loss": name,
        "seed": seed,
        **asdict(budget),
        **asdict(scores),
        "train_cpu_s": round(trained - began, 1),
        "score_cpu_s": round(time.process_time() - trained, 1),
    }


def table(rows: list[dict[str, Any]]) -> None:
    """Print the mean of the seeds for every task and loss."""
    print("| task | loss | seeds | ODS | OIS | AP | at threshold | training, CPU s |\n" + "| --- " * 8 + "|")
    for task, name, steps in dict.fromkeys((r["task"], r["loss"], r["steps"]) for r in rows):
        same = [r for r in rows if (r["task"], r["loss"], r["steps"]) == (task, name, steps)]
        keys = ("ods", "ois", "average_precision", "ods_threshold", "train_cpu_s")
        ods, ois, ap, at, seconds = (np.mean([r[key] for r in same]) for key in keys)
        print(f"| {task} | {name} | {len(same)} | {ods:.3f} | {ois:.3f} | {ap:.3f} | {at:.2f} | {seconds:.0f} |")


def main() -> None:
    """Train the rows that are missing from the file, then print all rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bsds", type=Path)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--target", choices=("consensus", "person"), default="consensus")
    parser.add_argument("--every", type=int, default=1, help="score every nth photograph of val")
    parser.add_argument("--losses", nargs="*", default=["ours", *RIVALS])
    parser.add_argument("--shifts", nargs="*", type=int, default=[0, 3, 6])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--home", type=Path, default=Path("runs/edge_phantoms"))
    parser.add_argument("--out", type=Path, default=Path("runs/edge_losses.jsonl"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    budget = Budget(steps=args.steps or (20 if args.quick else 800 if args.bsds else 400))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {(r["task"], r["loss"], r["seed"], r["steps"]) for r in rows}
    for task in tasks(args):
        for seed in args.seeds:
            for name in args.losses:
                if (task.name, name, seed, budget.steps) not in done:
                    rows.append(row(task, name, budget, seed))
                    print(json.dumps(rows[-1]), flush=True)
                    with args.out.open("a") as file:
                        print(json.dumps(rows[-1]), file=file)
    table(rows)


if __name__ == "__main__":
    main()
