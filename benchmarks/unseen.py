"""Score the shipped model on unseen phantoms, beside methods without learning.

    python benchmarks/unseen.py [--phantoms 12] [--hard] [--model NAME_OR_PATH] [--device cuda] [--json FILE]

Ink: F0.5 inside the mask, against a threshold on a projection of the depth layers. Edges: ODS, OIS and AP by the BSDS
protocol (one-to-one matching within 0.0075 of the diagonal), against Canny on a projection. The plain methods are
get every advantage: the projection, its window, Canny's smoothing and the thresholds are all chosen on the test
phantoms themselves, while the model's score for ink is also given at a fixed threshold of 0.5.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from devices import add_device, device_or_exit, machine_name
from scipy import ndimage
from skimage.feature import canny
from tqdm import tqdm

from napari_ink.evaluation import edge_scores, ink_scores, label_edges
from napari_ink.model import DEFAULT_MODEL, load_model, read_card, recommended_thresholds
from napari_ink.phantom import SETS, Phantom, make_phantom, set_config
from napari_ink.predict import PredictRequest, open_prediction, predict
from napari_ink.stack import open_stack

WINDOWS = tuple(slice(a, b) for a, b in ((16, 48), (20, 44), (24, 36), (28, 34), (30, 40)))
SIGMAS = (2.0, 4.0, 8.0)
Plane = npt.NDArray[Any]


def projections(phantom: Phantom) -> Iterator[tuple[str, Plane]]:
    """Yield every tested projection with its name, as grey values of 0 to 255."""
    for window in WINDOWS:
        block = (phantom.volume[window] // 257).astype(np.uint8)
        for how, project in (("max", np.max), ("mean", np.mean), ("min", np.min)):
            yield f"{how} of layers {window.start}–{window.stop - 1}", project(block, axis=0).astype(np.float32)


def canny_map(plane: Plane, sigma: float) -> Plane:
    """Return for each pixel the highest of 20 thresholds at which Canny finds an edge there, from 0 to 1."""
    best = np.zeros(plane.shape, dtype=np.float32)
    for quantile in np.linspace(0.5, 0.99, 20):
        best[canny(plane, sigma, 0.5 * quantile, quantile, use_quantiles=True)] = quantile
    return best


def predicted(phantom: Phantom, model_name: str, device: torch.device) -> tuple[Plane, Plane]:
    """Predict a phantom with the prediction engine; return ink and edge maps, uint8."""
    with tempfile.TemporaryDirectory() as home:
        np.save(Path(home) / "stack.npy", phantom.volume)
        stack, out = open_stack(Path(home) / "stack.npy"), Path(home) / "prediction.zarr"
        for _ in predict(PredictRequest(stack=stack, model=load_model(model_name), out=out, device=device.type)):
            pass
        prediction = open_prediction(out)
        whole = slice(0, stack.shape[1]), slice(0, stack.shape[2])
        return prediction.read("ink", *whole), prediction.read("edge", *whole)


def main() -> None:
    """Make the phantoms, predict, score, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", type=int, default=12)
    parser.add_argument("--hard", action="store_true", help="the hard test set instead of the plain one")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--model-only", action="store_true", help="skip the methods without learning")
    parser.add_argument("--json", type=Path)
    add_device(parser)
    args = parser.parse_args()
    device = device_or_exit(args.device)
    began = time.monotonic()
    ink: dict[str, list[float]] = {}
    at_half: list[float] = []
    recommended: list[float] = []
    cut = recommended_thresholds(read_card(args.model).provenance)["ink"]
    edges: dict[str, list[tuple[Plane, Plane]]] = {}
    for seed in tqdm(SETS["hard test" if args.hard else "test"][: args.phantoms]):
        phantom = make_phantom(set_config(seed))
        # At the outline of the segment, it is unknown whether a stroke ended there.
        inside = ndimage.binary_erosion(phantom.mask, iterations=3)
        truth = label_edges(phantom.ink) & inside
        ink_map, edge_map = predicted(phantom, args.model, device)
        scores = ink_scores(ink_map, phantom.ink, phantom.mask)
        ink.setdefault("model", []).append(scores.f0_5)
        at_half.append(scores.f0_5_at_half)
        recommended.append(ink_scores(np.where(ink_map >= cut * 255, 1.0, 0.0), phantom.ink, phantom.mask).f0_5)
        edges.setdefault("model", []).append((np.where(inside, edge_map, 0), truth))
        for name, plane in () if args.model_only else projections(phantom):
            for sign, grey in (("bright", plane), ("dark", 255 - plane)):
                found = ink_scores(grey.astype(np.uint8), phantom.ink, phantom.mask)
                ink.setdefault(f"threshold on {name} ({sign})", []).append(found.f0_5)
            for sigma in SIGMAS:
                soft = np.where(inside, canny_map(plane, sigma), 0)
                edges.setdefault(f"Canny σ={sigma:g} on {name}", []).append((soft, truth))
    fixed = {"0.5": at_half, f"{cut:g}, which it recommends": recommended}
    report(ink, fixed, {name: asdict(edge_scores(pairs)) for name, pairs in tqdm(edges.items())}, args, began)


def report(
    ink: dict[str, list[float]],
    fixed: dict[str, list[float]],
    edges: dict[str, dict[str, float]],
    args: argparse.Namespace,
    began: float,
) -> None:
    """Print the model's scores beside the best of each plain method."""
    mean = {name: float(np.mean(values)) for name, values in ink.items()}
    plain = max((name for name in mean if name != "model"), key=mean.__getitem__, default="model")
    maximum = max((name for name in mean if "max of" in name), key=mean.__getitem__, default="model")
    outline = max((name for name in edges if name != "model"), key=lambda name: edges[name]["ods"], default="model")
    machine = machine_name(torch.device(args.device))
    print(f"\nThe first {args.phantoms} of the {'hard ' * args.hard}test set, 512 × 512 × 65; {machine}")
    print("\n| ink | F0.5, best threshold each | worst phantom |\n| --- | --- | --- |")
    for name in dict.fromkeys(("model", maximum, plain)):
        print(f"| {args.model if name == 'model' else name} | {mean[name]:.3f} | {min(ink[name]):.3f} |")
    for threshold, found in fixed.items():
        print(f"| {args.model} at a fixed threshold of {threshold} | {np.mean(found):.3f} | {min(found):.3f} |")
    print("\n| edges | ODS | OIS | AP |\n| --- | --- | --- | --- |")
    for name in dict.fromkeys(("model", outline)):
        row = edges[name]
        label = args.model if name == "model" else name
        print(f"| {label} | {row['ods']:.3f} | {row['ois']:.3f} | {row['average_precision']:.3f} |")
    print(f"\n{time.monotonic() - began:.0f} s")
    if args.json:
        args.json.write_text(json.dumps({"ink_f0_5": mean, "ink_f0_5_fixed": fixed, "edges": edges}, indent=2))


if __name__ == "__main__":
    main()
