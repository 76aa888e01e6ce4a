"""Train our network and others for equal processor time on some worlds of phantoms, and score them on worlds left out.

    python benchmarks/world_phantoms.py --home runs/worlds
    python benchmarks/rivals_left_out.py --home runs/worlds --left-out swirls+foam --out runs/rivals-left-out.jsonl

Each network's learning rate is searched first, on the same grid for all: a third of its usual rate, this rate, and
thrice as much, and further while the best is at an end. The search is shorter than the full run, and its score is the
mean AUC of ink on validation phantoms of worlds that no split leaves out. Then each network is trained once at its best
rate on all worlds but those left out (`swirls+foam`: both at once), and scored on these and on new phantoms of the
known ones. Finished rows are stored in `--out` and not computed again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from devices import add_device, device_or_exit
from fitting import Batches, Budget, fit
from leave_one_out import Judged, scores
from quality import contract, known, predicted
from rivals import ENTRANTS, Entrant
from searching import FACTOR, best_step, rows_done, stored_or
from torch import nn
from world_phantoms import Kind, entries
from world_table import auc

from napari_ink.phantom import WORLDS

# A step of the full TimeSformer takes 9 s of one thread, so that no affordable budget gives it enough of them.
USUAL = ("ours, tiny", "ours, base", "3-D U-Net + SegFormer-b1", "2.5-D U-Net", "TimeSformer, small")
COLUMNS = ("auc", "f0_5", "f0_5_best", "all_ink", "ods", "blank")
# Phantoms of each known world: slow networks take 5 s for one.
VALIDATION, KNOWN_TEST = 1, 1


def files(worlds: Sequence[str], kind: Kind, home: Path, count: int | None = None) -> list[Path]:
    """Return stored phantoms of some worlds."""
    found = [one.file(home) for world in worlds for one in entries(world, kind, count) if one.file(home).exists()]
    if not found:
        raise SystemExit(f"There are no phantoms ({kind}) in {home}; make them with benchmarks/world_phantoms.py.")
    return found


def judged(network: nn.Module, entrant: Entrant, path: Path, device: str) -> Judged:
    """Predict a phantom as `quality.py` does, with the entrant's own tiles and overlap."""
    (ink_map, edge_map), (truth, mask, _) = predicted(network, entrant, path, device), known(path)
    probability = (ink_map.astype(np.float32) + 0.5) / 256
    return Judged(np.log(probability / (1 - probability)), edge_map.astype(np.float32) / 255, truth, mask)


def trained(entrant: Entrant, worlds: Sequence[str], seconds: float, step: int, args: Any) -> tuple[nn.Module, dict]:
    """Train from scratch at a rate of the grid; return the network and its number of optimiser steps."""
    torch.manual_seed(args.seed)
    network = entrant.build()
    training = files(worlds, "train", args.home) + files(worlds, "bare", args.home)
    batches = Batches(training, contract(entrant))
    rate = entrant.learning_rate * FACTOR**step
    steps, _ = fit(network, batches, Budget(cpu_seconds=seconds), rate, args.seed, args.device)
    return network, {"steps": steps, "rate": rate}


def search_row(entrant: Entrant, step: int, args: argparse.Namespace) -> dict:
    """Return the mean AUC on validation phantoms after a short training at a rate of the grid."""
    left_out = {world for group in args.left_out for world in group.split("+")}
    worlds = [world for world in WORLDS if world not in left_out]
    network, spent = trained(entrant, worlds, args.search_seconds, step, args)
    validation = files(worlds, "validation", args.home, VALIDATION)
    found = [judged(network, entrant, path, args.device).known for path in validation]
    return spent | {"auc": float(np.mean([auc(one.logits[::5], one.truth[::5]) for one in found]))}


def full_row(entrant: Entrant, step: int, group: str, args: argparse.Namespace) -> dict:
    """Return the scores on worlds left out and on known ones, with a threshold from known ones."""
    left_out = group.split("+")
    worlds = [world for world in WORLDS if world not in left_out]
    network, spent = trained(entrant, worlds, args.seconds, step, args)

    def all_of(chosen: Sequence[str], kind: Kind, count: int | None = None) -> list[Judged]:
        return [judged(network, entrant, path, args.device) for path in files(chosen, kind, args.home, count)]

    fitted_to = [one.known for one in all_of(worlds, "validation", VALIDATION)]
    found = {world: scores(all_of([world], "test"), all_of([world], "blank test"), fitted_to) for world in left_out}
    for world in worlds:
        found[world] = scores(all_of([world], "test", KNOWN_TEST), all_of([world], "blank test", KNOWN_TEST), fitted_to)
    return spent | {"worlds": found}


def best_rate(entrant: Entrant, args: argparse.Namespace) -> int:
    """Search the rate of a network; return the power of `FACTOR` whose AUC is best."""

    def tried(step: int) -> float:
        key = {"stage": "search", "name": entrant.name, "step": step, "seconds": args.search_seconds, "seed": args.seed}
        key["left_out"] = "+".join(args.left_out)
        return float(stored_or(key, args.out, lambda: search_row(entrant, step, args))["auc"])

    return best_step(tried, args.most_rates)


def compute(args: argparse.Namespace) -> None:
    """Search the rates of all entrants, then train and score each on each split."""
    named = {entrant.name: entrant for entrant in ENTRANTS}
    if unknown := set(args.only) - set(named):
        raise SystemExit(f"There is no network {', '.join(sorted(unknown))}; choose from: {'; '.join(named)}.")
    chosen = [named[name] for name in args.only]
    steps = {entrant: best_rate(entrant, args) for entrant in chosen}
    for group in args.left_out:
        for entrant, step in steps.items():
            key = {"stage": "full", "name": entrant.name, "left_out": group, "seconds": args.seconds, "step": step}
            key["seed"] = args.seed
            stored_or(key, args.out, lambda e=entrant, s=step, g=group: full_row(e, s, g, args))


def mean_scores(rows: Sequence[dict], left_out: bool) -> str:
    """Return the cells of a table: mean scores of the worlds left out, or of the known ones."""
    chosen = [found for row in rows for world, found in row["worlds"].items() if (world in row["left_out"]) == left_out]
    return " | ".join(f"{np.mean([found[column] for found in chosen]):.3f}" for column in COLUMNS)


def table(args: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the report."""
    rows = rows_done(args.out)
    yield "| network | rate | seconds | steps | AUC on validation phantoms |\n" + "| --- " * 5 + "|"
    for row in (row for row in rows if row["stage"] == "search"):
        yield f"| {row['name']} | {row['rate']:.2g} | {row['seconds']:g} | {row['steps']} | {row['auc']:.3f} |"
    full = [row for row in rows if row["stage"] == "full"]
    for left_out in (True, False):
        yield f"\n| {'worlds left out' if left_out else 'known worlds'} | rate | steps | " + " | ".join(COLUMNS) + " |"
        yield "| --- " * (3 + len(COLUMNS)) + "|"
        for name in dict.fromkeys(row["name"] for row in full):
            own = [row for row in full if row["name"] == name]
            steps = ", ".join(str(row["steps"]) for row in own)
            yield f"| {name} | {own[0]['rate']:.2g} | {steps} | {mean_scores(own, left_out)} |"


def main() -> None:
    """Compute the missing rows and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("runs/worlds"), help="folder of the phantoms")
    parser.add_argument("--left-out", nargs="+", default=["swirls+foam"], help="splits, computed one after the other")
    parser.add_argument("--seconds", type=float, default=240, help="of processor time for a full run")
    parser.add_argument("--search-seconds", type=float, default=60, help="of processor time for each rate")
    parser.add_argument("--most-rates", type=int, default=5, help="rates to try for each network; 1: the usual one")
    parser.add_argument("--only", nargs="+", default=USUAL, help="names of networks")
    parser.add_argument("--seed", type=int, default=0)
    add_device(parser)
    parser.add_argument("--out", type=Path, default=Path("runs/rivals-left-out.jsonl"))
    args = parser.parse_args()
    device_or_exit(args.device)
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    compute(args)
    print("\n".join(table(args)))


if __name__ == "__main__":
    main()
