"""Write a checkpoint that ships, with what it or networks of its kind reach on worlds that it was not trained on.

    python benchmarks/ship_checkpoint.py ink-tiny-3 --by-quantiles --left-out runs/left-out --name ink-tiny-4
    python benchmarks/ship_checkpoint.py runs/all/all/last.safetensors --calibrate --left-out runs/left-out --name NAME

The card gets the scores of `benchmarks/leave_one_out.py`, what was trained on with its texture, and how much of a
written page reaches a high probability where blank ones do not. With `--calibrate` a factor and an offset of the logits
of ink and the threshold are fitted to the worlds left out, since those of the worlds that a network knows would be too
sure; without, it keeps its own.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from independent_phantoms import TRAINED_ON
from leave_one_out import Known, averaging, expit, fit_calibration, fit_threshold, read_known, rescaled, results
from world_phantoms import entries

from napari_ink.model import InputContract, load_model, save_checkpoint
from napari_ink.model.familiarity import TrainedOn
from napari_ink.model.network import INK, InkEdgeNetwork
from napari_ink.phantom import SETS, WORLDS, make_phantom, make_world_phantom, set_config, world_sets
from napari_ink.stack import DepthStack, open_stack, stack_of_array
from napari_ink.training.trained_on import trained_on as measured

_MEASURED, _SIDE = 16, 256


def calibrated(threshold: float, factor: float, offset: float) -> float:
    """Return what a threshold becomes when logits are scaled and moved."""
    return 1 / (1 + math.exp(-(factor * math.log(threshold / (1 - threshold)) + offset)))


def clear_ink(known: Sequence[Known]) -> dict[str, float]:
    """Return a probability, and a share of the map that reaches it, that best tell written pages from blank.

    Phantoms have 10 to 27 % of ink, but some pages only 4 %, of which half may be unclear: so shares end at 2 %.
    """
    maps = [(expit(one.logits), bool(one.truth.any())) for one in known]
    best = (-1.0, 0.5, 0.01)
    for probability in np.arange(2, 19) / 20:
        shares = np.array([(found >= probability).mean() for found, _ in maps])
        written = np.array([is_written for _, is_written in maps])
        for share in (0.002, 0.005, 0.01, 0.02):
            rate = float((shares[written] >= share).mean() - (shares[~written] >= share).mean())
            best = max(best, (rate, float(probability), share))
    return {"probability": best[1], "share": best[2], "told_apart": round(best[0], 3)}


def trained_on(
    contract: InputContract, worlds: Sequence[str], phantoms: int, stored: Sequence[DepthStack] = ()
) -> TrainedOn:
    """Return what a network was trained on: phantoms of some worlds, of which a few are measured, and stored ones.

    Those of the first generator are always among them, since all shipped networks began with them.
    """
    first = [make_phantom(set_config(seed)).volume for seed in SETS["train"][:_MEASURED]]
    others = [
        make_world_phantom(world, seed, _SIDE, _SIDE).volume
        for world in worlds
        for seed in world_sets(world)["train"][:_MEASURED]
    ]
    stacks = [*(stack_of_array(volume, "phantom") for volume in (*first, *others)), *stored]
    return measured(stacks, contract, scans=0, phantoms=phantoms)


def independent(home: Path) -> list[DepthStack]:
    """Return some of the stored phantoms of independent generators that are trained on."""
    files = [one.file(home) for name in TRAINED_ON for one in entries(name, "train", _MEASURED)]
    return [open_stack(file) for file in files if file.exists()]


def calibrate(network: InkEdgeNetwork, known: Sequence[Known]) -> dict[str, float]:
    """Scale and move a network's logits of ink as fits worlds left out, and return how."""
    factor, offset = fit_calibration(known)
    with torch.no_grad():
        network.heads.weight[INK] *= factor
        network.heads.bias[INK] = network.heads.bias[INK] * factor + offset  # type: ignore[index]
    return {"factor": round(factor, 3), "offset": round(offset, 3)}


def left_out(folder: Path, known_worlds: Sequence[str], is_calibrated: bool) -> dict[str, Any]:
    """Return the scores on each world that the judged network was not trained on, and their means.

    Results with a number of steps are those of networks that were trained without that world.
    """
    names = {"auc": "auc", "f0_5_best": "f0_5_best", "f0_5_crossed": "f0_5", "ods": "edge_ods", "blank": "blank"}
    names |= {"blank_crossed": "blank_marked", "ece_crossed" if is_calibrated else "ece": "calibration_error"}
    rows = {
        world: {new: round(row[old], 3) for old, new in names.items() if old in row}
        for world, row in results(folder).items()
        if world not in known_worlds or "steps" in row
    }
    mean = {name: round(float(np.mean([row[name] for row in rows.values()])), 3) for name in names.values()}
    return {"mean": mean, "worlds": rows}


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--left-out", type=Path, required=True, help="results of benchmarks/leave_one_out.py")
    parser.add_argument("--by-quantiles", action="store_true", help="scale greys by the stack's quantiles")
    parser.add_argument("--ink-average", type=float, help="as it was judged by leave_one_out.py")
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--threshold", type=float, help="of ink, with --calibrate in place of the one that is fitted")
    parser.add_argument("--worlds", nargs="*", default=["gaussian"], choices=tuple(WORLDS), help="those trained on")
    parser.add_argument("--independent", type=Path, metavar="HOME", help="phantoms of independent generators, too")
    parser.add_argument("--phantoms", type=int, default=300, help="number of phantoms trained on")
    parser.add_argument("--started-from", help="the shipped model that the first of several trainings began with")
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", type=Path, default=Path())
    return parser.parse_args()


def main() -> None:
    """Write the checkpoint."""
    args = options()
    torch.set_num_threads(1)
    model = load_model(args.model)
    model = rescaled(model, "stack quantiles") if args.by_quantiles else model
    model = model if args.ink_average is None else averaging(model, args.ink_average)
    network = model.network
    assert isinstance(network, InkEdgeNetwork) and model.config is not None
    scores = left_out(args.left_out, args.worlds, args.calibrate)
    known = [one for world in scores["worlds"] for one in read_known(args.left_out / f"{world}.npz")]
    provenance = {name: value for name, value in model.provenance.items() if name != "pairs"}
    provenance["left_out"] = scores
    stored = [] if args.independent is None else independent(args.independent)
    provenance["trained_on"] = trained_on(model.contract, args.worlds, args.phantoms, stored).model_dump()
    if provenance["made_by"] == "benchmarks/leave_one_out.py":
        # Masks decide there what is held out, which says nothing to a reader of the card.
        provenance["validation"] |= {"data": "phantoms of the same kinds, not trained on"}
    if args.started_from:
        start = load_model(args.started_from)
        provenance["started_from"] = {"name": start.name, "sha256": start.sha256}
    if args.by_quantiles:
        provenance["weights_of"] = {"name": model.name, "sha256": model.sha256}
    if args.calibrate:
        threshold, fitted = fit_threshold(known), calibrate(network, known)
        cut = args.threshold or round(calibrated(threshold, **fitted), 2)
        provenance |= {"calibration": fitted, "thresholds": {**provenance["thresholds"], "ink": cut}}
        known = [Known(fitted["factor"] * one.logits + fitted["offset"], one.truth) for one in known]
    provenance["clear_ink"] = clear_ink(known)
    path = save_checkpoint(args.out / f"{args.name}.safetensors", network, model.config, model.contract, provenance)
    print(json.dumps({name: provenance[name] for name in ("thresholds", "left_out", "trained_on", "clear_ink")}))
    print(path)


if __name__ == "__main__":
    main()
