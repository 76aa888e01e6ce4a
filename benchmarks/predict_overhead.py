"""Measure what a prediction costs around its model: the whole run against the same tiles through the network alone.

    python benchmarks/predict_overhead.py [--size 1024] [--rounds 3]

Both run in turn, a few rounds in one process, because only ratios within one run count on a machine that is shared.
Peak memory is that of the process, and the stack is a folder of uncompressed 16-bit TIFFs, as segments are.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import torch

from napari_ink.model import InkEdgeConfig, InkModel, InputContract
from napari_ink.model.inference import for_prediction
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.predict import PredictRequest, TilePredicted, predict
from napari_ink.predict.device import cores_left_free
from napari_ink.predict.memory import memory_kept
from napari_ink.stack import DepthStack, open_stack


def write_stack(folder: Path, size: int) -> DepthStack:
    """Write 65 layers of noise, `size` pixels a side."""
    layers = folder / "layers"
    layers.mkdir()
    rng = np.random.default_rng(0)
    for z in range(65):
        tifffile.imwrite(layers / f"{z:02}.tif", rng.integers(0, 65535, (size, size), dtype=np.uint16))
    return open_stack(layers)


def model_alone(model: InkModel, tiles: int) -> float:
    """Return the seconds that `tiles` single tiles take in the network, laid out and with the threads as in a run."""
    side = model.contract.tile_size
    block = torch.randn(1, model.contract.depth_layers, side, side)
    network = for_prediction(model.network)
    began = time.perf_counter()
    with torch.inference_mode(), cores_left_free(), memory_kept():
        for _ in range(tiles):
            network(block)
    return time.perf_counter() - began


def whole_run(stack: DepthStack, model: InkModel, out: Path) -> tuple[float, int]:
    """Return seconds and number of tiles of a run."""
    began = time.perf_counter()
    tiles = sum(isinstance(event, TilePredicted) for event in predict(PredictRequest(stack, model, out, device="cpu")))
    return time.perf_counter() - began, tiles


def main() -> None:
    """Print seconds, the ratio of each round and their median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    config = InkEdgeConfig.tiny()
    contract = InputContract(depth_layers=65, min_depth_layers=8, mean=0.4, std=0.2, voxel_size_um=7.91)
    model = InkModel("random", InkEdgeNetwork(config).eval(), config, contract, {}, "0" * 64)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        stack = write_stack(Path(folder), arguments.size)
        model_alone(model, 2)
        before = model_alone(model, 8) / 8
        for number in range(arguments.rounds):
            run, tiles = whole_run(stack, model, Path(folder) / f"{number}.zarr")
            # Before and after, since other work on the machine comes and goes.
            after = model_alone(model, tiles) / tiles
            alone, before = tiles * (before + after) / 2, after
            ratios.append(run / alone)
            around = 1000 * (run - alone) / tiles
            print(
                f"{tiles} tiles: run {run:.2f} s, model alone {alone:.2f} s, {ratios[-1]:.3f}×, {around:+.0f} ms a tile"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"median {statistics.median(ratios):.3f}×, peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
