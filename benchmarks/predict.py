"""Measure a whole prediction, ours and others', relative to the model alone: seconds, peak memory, several sizes.

    pip install -r benchmarks/requirements.txt
    python benchmarks/predict.py [--sizes 2048 4096 8192] [--ways alone ours ...] [--rounds 3] [--device cpu]

All ways run the same network (the shipped one, laid out to predict fast unless noted) over the same stack: 65
uncompressed 16-bit TIFFs of noise, in tiles of 256 pixels with the same overlap, and on the same cores. Each way runs
in a separate process, in turn, a few rounds, since only ratios within one run count on a shared machine. The ways:

alone         the network on as many tiles, already in memory, one tile for each core at a time: the lower limit for
              any program that runs it on tiles
ours          `napari_ink.predict`
ours-tiles    the same, but whole tiles pass through the network, as for foreign models
ours-masked   the same with a mask, an ellipse as large as the stack, which is read from a PNG first
no-network    the same with a network that only returns zeros: the cost of reading, preparing, blending and storing
workers-N     `napari_ink.predict` on N workers of dask.distributed on this machine, which it starts, with all cores
cluster-N     the same on N existing workers of one core each: the gain of an additional worker
monai         MONAI's SlidingWindowInferer with its defaults, Gaussian weights, on the stack in memory
monai-plain   the same with the network as trained, which a simple script would load
monai-best    MONAI's with buffering along the rows, the best of the tested options
grand-prize   the loop of the Vesuvius Challenge's Grand Prize, re-created: the stack in memory, a Gaussian on the
              output of each tile, divided by the count of tiles instead of their weights: its sums are not a mean

Memory is the peak of the process's own memory (RssAnon) minus that after loading the model; pages of mapped files,
which the system can drop at any time, are not counted.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from devices import add_device, device_or_exit, machine_name
from torch import Tensor, nn

from napari_ink.memory import memory_kept
from napari_ink.model import DEFAULT_MODEL, InkModel, load_model
from napari_ink.model.inference import for_prediction
from napari_ink.predict import PredictRequest, cores_for_torch, predict
from napari_ink.predict.device import default_batch_size, lanes_for
from napari_ink.predict.tiles import tile_grid
from napari_ink.stack import DepthStack, open_stack, read_segment_mask

TILE = 256
WAYS = ("alone", "ours", "ours-tiles", "monai", "monai-plain", "monai-best", "grand-prize")
Loop = Callable[[Tensor, nn.Module, float, torch.device], None]


class Hidden(nn.Module):
    """Hides the type of a network, so that whole tiles pass through it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.size_divisor = for_prediction(network), network.size_divisor

    def forward(self, x: Tensor) -> Tensor:
        """Predict."""
        logits: Tensor = self.network(x)
        return logits


class Nothing(nn.Module):
    """Returns zeros without computing anything."""

    size_divisor = 1

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros."""
        return x.new_zeros(len(x), 2, *x.shape[-2:])


class Memory(threading.Thread):
    """Watches the memory of this process and its children."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.first = self.most = 0.0

    def run(self) -> None:
        """Measure every 20 ms."""
        import psutil

        me = psutil.Process()
        while True:
            total = 0
            for one in (me, *me.children(recursive=True)):
                try:
                    status = Path(f"/proc/{one.pid}/status").read_text()
                    total += int(status.split("RssAnon:")[1].split()[0])
                except (OSError, IndexError):
                    continue
            self.first = self.first or total
            self.most = max(self.most, total)
            time.sleep(0.02)


def write_stack(folder: Path, size: int) -> None:
    """Write 65 layers of noise, `size` pixels a side; the values do not affect times."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 65535, (size, size), dtype=np.uint16)
    for z in range(65):
        tifffile.imwrite(folder / f"{z:02}.tif", np.roll(noise, 97 * z))


def write_mask(path: Path, size: int) -> None:
    """Write a mask that is white in an ellipse as large as the stack."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (size, size))
    ImageDraw.Draw(image).ellipse((0, 0, size - 1, size - 1), fill=255)
    image.save(path)


def in_memory(stack: DepthStack, model: InkModel) -> Tensor:
    """Return the prepared stack ``(1, z, y, x)``, the input of these ways."""
    z = model.contract.z_window(stack.shape[0])
    everywhere = slice(0, stack.shape[1]), slice(0, stack.shape[2])
    return torch.from_numpy(model.contract.with_greys_of(stack).prepare(stack.read(z, *everywhere)))[None]


def monai(volume: Tensor, network: nn.Module, overlap: float, device: torch.device) -> None:
    """Run MONAI's sliding window with its defaults."""
    from monai.inferers import SlidingWindowInferer

    SlidingWindowInferer((TILE, TILE), 1, overlap, mode="gaussian", sw_device=device, device="cpu")(volume, network)


def monai_best(volume: Tensor, network: nn.Module, overlap: float, device: torch.device) -> None:
    """Run MONAI's sliding window with buffered rows, and weights computed once."""
    from monai.inferers import SlidingWindowInferer

    infer = SlidingWindowInferer(
        (TILE, TILE),
        1 if device.type == "cpu" else 8,
        overlap,
        mode="gaussian",
        sw_device=device,
        device="cpu",
        cache_roi_weight_map=True,
        buffer_steps=4,
        buffer_dim=0,
    )
    infer(volume, network)


def grand_prize(volume: Tensor, network: nn.Module, overlap: float, device: torch.device) -> None:
    """Run the Grand Prize's sliding window."""
    # Padded to a multiple of the tile, by a whole tile if it is one already; the part beyond the stack is dropped.
    volume = torch.nn.functional.pad(volume, [n for side in volume.shape[:1:-1] for n in (0, TILE - side % TILE)])
    height, width = volume.shape[-2:]
    stride = TILE - round(TILE * overlap)
    axis = torch.arange(TILE) - (TILE - 1) / 2
    kernel = torch.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * (TILE / 8) ** 2)).numpy()
    predicted, count = np.zeros((2, height, width)), np.zeros((height, width))
    for y in range(0, height - TILE + 1, stride):
        for x in range(0, width - TILE + 1, stride):
            tile = volume[:, :, y : y + TILE, x : x + TILE].contiguous().to(device)
            probability = torch.sigmoid(network(tile))[0].cpu().numpy()
            predicted[:, y : y + TILE, x : x + TILE] += probability * kernel
            count[y : y + TILE, x : x + TILE] += 1
    predicted /= np.maximum(count, 1)


LOOPS: dict[str, Loop] = {"monai": monai, "monai-plain": monai, "monai-best": monai_best, "grand-prize": grand_prize}


def tiles_of(size: int, overlap: float) -> int:
    """Return the number of tiles."""
    grid = tile_grid((size, size), TILE, 32, overlap, 4)
    return sum(len(row) for row in grid.rows(_everywhere(size)))


def _everywhere(size: int) -> Any:
    from napari_ink.region import Region

    return Region.whole((size, size))


def alone(network: nn.Module, batch: Tensor, tiles: int, cores: int) -> None:
    """Send tiles through a network as fast as possible: on a CPU one on each core at a time, on a GPU eight."""
    lanes, threads = lanes_for(batch.device, cores, (TILE, TILE))

    @torch.inference_mode()
    def through(_: int) -> None:
        torch.sigmoid(network(batch)).cpu()

    with ThreadPoolExecutor(lanes, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        list(pool.map(through, range(-(-tiles // len(batch)))))


def single_cores(count: int) -> Any:
    """Start workers of one core each that have imported their modules."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0")
    with Client(cluster) as client:
        client.run(importlib.import_module, "napari_ink.predict.tile_inference")
    return cluster


def run_way(way: str, folder: Path, overlap: float, device_name: str, cores: int) -> dict[str, float]:
    """Run one way in this process, and return its seconds and megabytes."""
    torch.set_num_threads(cores)
    importlib.import_module("monai.inferers" if way.startswith("monai") else "zarr")  # imports are not counted
    cluster = single_cores(int(way.removeprefix("cluster-"))) if way.startswith("cluster-") else None
    device, model, stack = torch.device(device_name), load_model(), open_stack(folder)
    network = (model.network.eval() if way == "monai-plain" else for_prediction(model.network)).to(device)
    number = default_batch_size(device, (TILE, TILE))
    batch = torch.randn(number, model.contract.depth_layers, TILE, TILE, device=device)
    with torch.inference_mode(), memory_kept():
        for _ in range(3):
            network(batch)
    watch = Memory()
    watch.start()
    time.sleep(0.1)
    began = time.perf_counter()
    if way == "alone":
        with memory_kept():
            alone(network, batch, tiles_of(stack.shape[1], overlap), cores)
    elif way in LOOPS:
        with torch.inference_mode(), memory_kept():
            LOOPS[way](in_memory(stack, model), network, overlap, device)
    else:
        others = {"ours-tiles": lambda: Hidden(model.network), "no-network": Nothing}
        model = replace(model, network=others[way]()) if way in others else model
        with tempfile.TemporaryDirectory(dir=folder.parent) as out:
            # A model with a context has its own grid of tiles, which need no overlap.
            wanted = None if model.contract.context_px else overlap
            request = PredictRequest(
                stack, model, Path(out) / "p.zarr", device=device_name, overlap=wanted, cores=cores
            )
            if way == "ours-masked":
                mask = folder.parent / "mask.png"
                request = replace(request, mask=read_segment_mask(mask, stack.shape[1:]), mask_source=mask)
            if way.startswith("workers-"):
                request = replace(request, scheduler=way.removeprefix("workers-"))
            if cluster is not None:
                request = replace(request, scheduler=cluster.scheduler_address)
            for _ in predict(request):
                pass
    seconds = time.perf_counter() - began
    time.sleep(0.05)
    return {"seconds": seconds, "megabytes": (watch.most - watch.first) / 1024}


def main() -> None:
    """Print, for each size, the medians of each way, and its ratio to the model alone round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2048])
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--overlap", type=float, default=0.25)
    add_device(parser)
    parser.add_argument("--cores", type=int, default=cores_for_torch())
    parser.add_argument("--one", nargs=2, metavar=("WAY", "STACK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device = device_or_exit(arguments.device)
    if arguments.one:
        way, folder = arguments.one
        print(json.dumps(run_way(way, Path(folder), arguments.overlap, arguments.device, arguments.cores)))
        return
    machine = f"{machine_name(device)}, {arguments.cores} cores"
    print(f"{DEFAULT_MODEL}, overlap {arguments.overlap}, {machine}\n")
    print("| size | tiles | way | seconds | ÷ alone | peak MB |\n| --- | --- | --- | --- | --- | --- |")
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as home:
            write_stack(Path(home) / "layers", size)
            write_mask(Path(home) / "mask.png", size)
            results: dict[str, list[dict[str, float]]] = {way: [] for way in arguments.ways}
            for _ in range(arguments.rounds):
                for way in arguments.ways:
                    words = [sys.executable, __file__, "--one", way, str(Path(home) / "layers")]
                    words += ["--overlap", str(arguments.overlap), "--device", arguments.device]
                    words += ["--cores", str(arguments.cores)]
                    ended = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
                    results[way].append(json.loads(ended.stdout.splitlines()[-1]))
        for way, rounds in results.items():
            ratios = [one["seconds"] / alone["seconds"] for one, alone in zip(rounds, results["alone"], strict=True)]
            seconds, megabytes = (statistics.median(one[key] for one in rounds) for key in ("seconds", "megabytes"))
            print(
                f"| {size} | {tiles_of(size, arguments.overlap)} | {way} | {seconds:.1f} "
                f"| {statistics.median(ratios):.2f} | {megabytes:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
