"""Calibrate a checkpoint that was trained on all worlds, and write it with what networks of its kind reach elsewhere.

    python benchmarks/ship_checkpoint.py runs/all/all/last.safetensors --left-out runs/left-out --name ink-tiny-4

What may be expected of it on papyri unlike any that it knows is what `benchmarks/leave_one_out.py` measured on worlds
left out. So its probabilities are calibrated, and its threshold is chosen, on those: its own on the worlds that it
knows would be too sure. The calibration is a factor and an offset of the logits of ink, which its last layer takes up.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from leave_one_out import fit_calibration, fit_threshold, held_out, predicted, read_known, results
from scipy import ndimage

from napari_ink.evaluation import edge_scores, label_edges
from napari_ink.model import load_model, save_checkpoint
from napari_ink.model.network import INK, InkEdgeNetwork
from napari_ink.phantom import WORLDS


def calibrated(threshold: float, factor: float, offset: float) -> float:
    """Return what a threshold becomes when logits are scaled and moved."""
    return 1 / (1 + math.exp(-(factor * math.log(threshold / (1 - threshold)) + offset)))


def main() -> None:
    """Fit, and write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--left-out", type=Path, required=True, help="results of benchmarks/leave_one_out.py")
    parser.add_argument("--home", type=Path, default=Path("runs/worlds"), help="folder of the phantoms")
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", type=Path, default=Path())
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model)
    network = model.network
    assert isinstance(network, InkEdgeNetwork) and model.config is not None
    rows = results(args.left_out)
    known = [one for world in rows for one in read_known(args.left_out / f"{world}.npz")]
    factor, offset = fit_calibration(known)
    edges = []
    for pair in held_out(tuple(WORLDS), args.home):
        one = predicted(model, pair)
        if one.truth.any():
            inside = ndimage.binary_erosion(one.mask, iterations=3)
            edges.append((np.where(inside, one.edge, 0), label_edges(one.truth) & inside))
    with torch.no_grad():
        network.heads.weight[INK] *= factor
        network.heads.bias[INK] *= factor  # type: ignore[index]
        network.heads.bias[INK] += offset  # type: ignore[index]
    names = {"auc": "auc", "f0_5_crossed": "f0_5", "ods": "edge_ods", "blank": "blank_at_recall_0.8"}
    names |= {"blank_crossed": "blank_marked", "ece_crossed": "calibration_error"}
    left_out = {
        world: {new: round(row[old], 3) for old, new in names.items() if old in row} for world, row in rows.items()
    }
    mean = {name: round(float(np.mean([row[name] for row in left_out.values()])), 3) for name in names.values()}
    provenance = {name: value for name, value in model.provenance.items() if name != "pairs"}
    provenance |= {
        "made_by": "benchmarks/leave_one_out.py and benchmarks/ship_checkpoint.py",
        "thresholds": {
            "ink": round(calibrated(fit_threshold(known), factor, offset), 2),
            "edge": round(edge_scores(edges, thresholds=49).ods_threshold, 2),
        },
        "validation": {
            "data": f"phantoms of {len(rows)} worlds, each by a network that was trained on none like it",
            "ink_f0_5": mean["f0_5"],
            "edge_ods": mean["edge_ods"],
        },
        "left_out": {"mean": mean, "worlds": left_out},
        "calibration": {"factor": round(factor, 3), "offset": round(offset, 3)},
    }
    path = save_checkpoint(args.out / f"{args.name}.safetensors", network, model.config, model.contract, provenance)
    print(json.dumps({name: provenance[name] for name in ("thresholds", "validation", "left_out", "trained_on")}))
    print(path)


if __name__ == "__main__":
    main()
