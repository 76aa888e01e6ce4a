"""Train our network and others on the same phantoms with the same budget, and score them on unseen phantoms.

    pip install -r benchmarks/requirements.txt
    python benchmarks/quality.py --steps 100 --seconds 240 --out runs/quality.jsonl

Every network is trained twice: with the same number of optimiser steps on the same area, and for the same processor
time on one thread. Thresholds are chosen on validation phantoms. Phantoms are simulations; `--hard` takes the hard
ones. Each finished row is stored in `--out` and not computed again. For a larger run: more `--steps`, `--seconds`,
`--training`, `--device cuda`.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from devices import add_device, device_or_exit
from fitting import Batches, Budget, fit, is_papyrus, labels_of, phantom_files
from rivals import ENTRANTS, Entrant, flops, parameters
from scipy import ndimage
from searching import keep, rows_done
from torch import nn

from napari_ink.annotation import LabelValue
from napari_ink.evaluation import edge_scores, ink_scores, label_edges
from napari_ink.model import InkModel, InputContract
from napari_ink.phantom import SETS
from napari_ink.predict import PredictRequest, open_prediction, predict
from napari_ink.stack import open_stack

Plane = npt.NDArray[Any]


def contract(entrant: Entrant) -> InputContract:
    """Return an entrant's input contract: the middle layers, scaled in the same way for all."""
    return InputContract(
        depth_layers=entrant.layers,
        min_depth_layers=entrant.layers,
        mean=0.31,
        std=0.24,
        voxel_size_um=7.91,
        tile_size=entrant.tile,
    )


def predicted(network: nn.Module, entrant: Entrant, path: Path, device: str) -> tuple[Plane, Plane]:
    """Predict a phantom with the prediction engine; return ink and edge maps, uint8."""
    model = InkModel(entrant.name, network, None, contract(entrant), {}, "none")
    with tempfile.TemporaryDirectory() as home:
        stack, out = open_stack(path), Path(home) / "prediction.zarr"
        for _ in predict(PredictRequest(stack=stack, model=model, out=out, device=device, overlap=entrant.overlap)):  # type: ignore[arg-type]
            pass
        found = open_prediction(out)
        whole = slice(0, stack.shape[1]), slice(0, stack.shape[2])
        return found.read("ink", *whole), found.read("edge", *whole)


def known(path: Path) -> tuple[Plane, Plane, Plane]:
    """Return the ink of a phantom, the pixels to score ink in, and those to score edges in (without the outline)."""
    labels = labels_of(path)
    mask = is_papyrus(labels)
    return labels == LabelValue.INK, mask, ndimage.binary_erosion(mask, iterations=3)


def score(network: nn.Module, entrant: Entrant, validation: Sequence[Path], test: Sequence[Path], device: str) -> dict:
    """Return the scores on the test phantoms, for ink also at the best threshold of the validation phantoms."""
    maps = [predicted(network, entrant, path, device) for path in validation]
    truths = [known(path) for path in validation]
    joined = [
        np.concatenate([m[0][mask] for m, (_, mask, _) in zip(maps, truths, strict=True)]),
        np.concatenate([ink[mask] for ink, mask, _ in truths]),
    ]
    threshold = ink_scores(joined[0][None], joined[1][None]).best_threshold
    best, fixed, edges = [], [], []
    for path in test:
        (ink_map, edge_map), (ink, mask, inner) = predicted(network, entrant, path, device), known(path)
        best.append(ink_scores(ink_map, ink, mask).f0_5)
        fixed.append(ink_scores((ink_map >= threshold * 255).astype(np.uint8) * 255, ink, mask).f0_5)
        edges.append((np.where(inner, edge_map, 0), label_edges(ink) & inner))
    return {"f0_5": float(np.mean(best)), "f0_5_fixed": float(np.mean(fixed)), "ods": edge_scores(edges).ods}


def projection_row(validation: Sequence[Path], test: Sequence[Path]) -> dict:
    """Return the F0.5 of a threshold on the maximum of the middle layers, its window chosen on the test phantoms."""
    rows = []
    for reach in (2, 4, 8, 16):
        planes = [np.load(path)[32 - reach : 32 + reach].max(axis=0) for path in test]
        truths = [known(path) for path in test]
        rows.append(np.mean([ink_scores(p, ink, mask).f0_5 for p, (ink, mask, _) in zip(planes, truths, strict=True)]))
    return {"name": "threshold on a maximum projection", "f0_5": float(max(rows))}


def speeds(rounds: int, device: str) -> dict[str, dict[str, float]]:
    """Measure every network on its own tile, in turns; return its size, its operations and its area per second."""
    networks = {entrant: entrant.build().to(device).eval() for entrant in ENTRANTS}
    tiles = {e: torch.randn(1, e.layers, e.tile, e.tile, device=device) for e in ENTRANTS}
    times: dict[Entrant, list[float]] = {entrant: [] for entrant in ENTRANTS}
    with torch.inference_mode():
        for _ in range(rounds + 1):  # the first is a warm-up
            for entrant, network in networks.items():
                began = time.process_time() if device == "cpu" else time.perf_counter()
                network(tiles[entrant]).sum().item()
                times[entrant].append((time.process_time() if device == "cpu" else time.perf_counter()) - began)
    return {
        entrant.name: {
            "parameters": parameters(networks[entrant]),
            "gflop_a_tile": flops(networks[entrant].cpu(), entrant.layers, entrant.tile) / 1e9,
            "megapixels_a_second": entrant.tile**2 / 1e6 / statistics.median(times[entrant][1:]),
        }
        for entrant in ENTRANTS
    }


def compute(args: argparse.Namespace) -> None:
    """Train and score the entrants without a row."""
    kind = "hard" if args.hard else "plain"
    training = phantom_files(SETS["train"][: args.training], args.home, args.hard)
    validation = phantom_files(SETS["validation"][:2], args.home, args.hard, 320)
    test = phantom_files(SETS["hard test" if args.hard else "test"][: args.test], args.home, args.hard, 320)
    budgets = {
        f"{args.seconds:g} s": Budget(cpu_seconds=args.seconds) if args.seconds else None,
        f"{args.steps} steps": Budget(steps=args.steps) if args.steps else None,
    }
    sizes = {"training": args.training, "test": args.test, "rate": args.rate}
    for budget_name, budget in budgets.items():
        for entrant in ENTRANTS if budget else ():
            key = {"name": entrant.name, "budget": budget_name, "kind": kind, "seed": args.seed} | sizes
            if (args.only and entrant.name not in args.only) or any(
                key.items() <= row.items() for row in rows_done(args.out)
            ):
                continue
            torch.manual_seed(args.seed)
            network = entrant.build()
            batches = Batches(training, contract(entrant))
            steps, seconds = fit(network, batches, budget, args.rate * entrant.learning_rate, args.seed, args.device)
            found = score(network, entrant, validation, test, args.device)
            keep(args.out, key | found | {"steps": steps, "seconds": seconds})
            print(json.dumps(rows_done(args.out)[-1]), flush=True)
    key = {"name": "threshold on a maximum projection", "budget": "none", "kind": kind, "test": args.test}
    if not any(key.items() <= row.items() for row in rows_done(args.out)):
        keep(args.out, key | projection_row(validation, test))


def table(args: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the report."""
    kind = "hard" if args.hard else "plain"
    size = speeds(args.rounds, args.device)
    rows = [row for row in rows_done(args.out) if row["kind"] == kind and row["test"] == args.test]
    yield f"{args.test} unseen {kind} phantoms of 320 × 320 × 65; {platform.machine()}, {args.device}, one thread"
    for budget in dict.fromkeys(row["budget"] for row in rows if row["budget"] != "none"):
        yield f"\n| {budget} | rate | steps | F0.5 | at validation's threshold | edge ODS |\n" + "| --- " * 6 + "|"
        for row in (row for row in rows if row["budget"] == budget):
            scores = " | ".join(f"{row[name]:.3f}" for name in ("f0_5", "f0_5_fixed", "ods"))
            yield f"| {row['name']} | × {row['rate']:g} | {row['steps']} | {scores} |"
    for row in (row for row in rows if row["budget"] == "none"):
        yield f"\n{row['name']}: F0.5 {row['f0_5']:.3f}"
    yield (
        "\n| network | weights, millions | tile | GFLOP a tile | GFLOP a megapixel "
        "| tiles a second | megapixels a second | with the overlap of tiles |"
    )
    yield "| --- " * 8 + "|"
    for entrant in ENTRANTS:
        cost = size[entrant.name]
        area, fast = entrant.tile**2 / 1e6, cost["megapixels_a_second"]
        yield (
            f"| {entrant.name} | {cost['parameters'] / 1e6:.1f} | {entrant.layers} × {entrant.tile}² | "
            f"{cost['gflop_a_tile']:.1f} | {cost['gflop_a_tile'] / area:.0f} | {fast / area:.2f} | {fast:.4f} | "
            f"{fast * (1 - entrant.overlap) ** 2:.4f} |"
        )


def main() -> None:
    """Compute the missing rows and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100, help="0 skips this budget")
    parser.add_argument("--seconds", type=float, default=240, help="of processor time; 0 skips this budget")
    parser.add_argument("--training", type=int, default=60, help="phantoms to train with")
    parser.add_argument("--test", type=int, default=4, help="phantoms to score")
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=1.0, help="factor on each network's own learning rate")
    parser.add_argument("--rounds", type=int, default=5)
    add_device(parser)
    parser.add_argument("--only", action="append", help="a network's name; may be given several times")
    parser.add_argument("--home", type=Path, default=Path("runs/quality-phantoms"))
    parser.add_argument("--out", type=Path, default=Path("runs/quality.jsonl"))
    args = parser.parse_args()
    device_or_exit(args.device)
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    compute(args)
    print("\n".join(table(args)))


if __name__ == "__main__":
    main()
