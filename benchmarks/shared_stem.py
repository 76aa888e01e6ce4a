"""Measure the effect of running the stem once, on cells with their context: seconds, and scores on known ink.

    python benchmarks/shared_stem.py [--size 1024] [--overlap 0.25]

The inputs are simulated segments (phantoms) outside the training set. "Whole tiles" sends every tile through the whole
network, as in training: beyond the border of a tile, the stem then reads zeros.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from napari_ink.model import InkModel, load_model
from napari_ink.model.inference import for_prediction
from napari_ink.predict import PredictRequest, predict
from napari_ink.stack import open_stack

SEGMENTS: tuple[tuple[int, Sequence[str]], ...] = ((991, ()), (992, ()), (993, ("--hard",)))


class WholeTiles(nn.Module):
    """Hides the type of a network, so that whole tiles pass through it; its layout is still that of predictions."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.size_divisor = for_prediction(network), network.size_divisor

    def forward(self, x: Tensor) -> Tensor:
        """Predict."""
        logits: Tensor = self.network(x)
        return logits


def napari_ink(*arguments: object) -> str:
    """Run the command line."""
    words = [sys.executable, "-m", "napari_ink.cli", *map(str, arguments)]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def score(segment: Path, model: InkModel, out: Path, overlap: float) -> tuple[float, dict[str, float]]:
    """Return seconds, and the scores against the true ink of the phantom."""
    began = time.perf_counter()
    for _ in predict(PredictRequest(open_stack(segment), model, out, device="cpu", overlap=overlap)):
        pass
    seconds = time.perf_counter() - began
    return seconds, json.loads(napari_ink("evaluate", out, segment / f"{segment.name}_inklabels.png", "--json"))


def main() -> None:
    """Print a line for each way and segment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--overlap", type=float, default=0.25)
    arguments = parser.parse_args()
    model = load_model()
    ways = {"stem on cells": model, "whole tiles": replace(model, network=WholeTiles(model.network))}
    with tempfile.TemporaryDirectory() as folder:
        for seed, options in SEGMENTS:
            segment = Path(folder) / f"s{seed}"
            napari_ink("phantom", segment, "--seed", seed, "--size", arguments.size, arguments.size, *options)
            for name, one in ways.items():
                seconds, scores = score(segment, one, Path(folder) / f"{seed} {name}.zarr", arguments.overlap)
                print(
                    f"phantom {seed} {' '.join(options):6} {name:13} {seconds:6.1f} s  F0.5 {scores['f0_5']:.4f}"
                    f"  AP {scores['average_precision']:.4f}  edge ODS {scores['edge_ods']:.4f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
