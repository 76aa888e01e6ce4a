"""Measure how predictions scale with the number of workers, beyond the cores of this machine, on simulated GPUs.

    python benchmarks/cluster.py [--waits 5 20 80] [--workers 1 2 4 8] [--size 8192] [--reading-elsewhere]
    python benchmarks/cluster.py --device cuda [--workers 1 2]

**A simulation**: each worker waits 5, 20 or 80 ms per batch, as if a GPU computed it, without using the processor
(`cluster_simulation.py`). A batch is that of a GPU with the shipped model: a tile of 768 × 768 pixels, of which 512 ×
512, four blocks, are kept. Everything else is real: workers read (32 layers of uncompressed TIFFs of noise, in the
system's memory), prepare, blend, encode and send a map that was predicted before, and this process stores it. With
`--reading-elsewhere` workers read nothing, as if their own machines read beside the network.

With `--device cuda` nothing is simulated: there is one worker for each GPU.

Workers and stack are opened before the clock starts. Processor time includes this process, the scheduler's process
(with dask's nannies) and all workers; the share of each part in a batch is printed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import tifffile
from cluster_simulation import has_prepared, seconds_by_part, simulate
from devices import add_device, device_or_exit, machine_name

from napari_ink.model import load_model
from napari_ink.phantom import sample_path
from napari_ink.predict import PredictionStarted, PredictRequest, blending, open_prediction, predict
from napari_ink.predict.cluster.connect import open_cluster
from napari_ink.predict.device import usable_cores
from napari_ink.stack import open_stack
from napari_ink.typing import Float32Array

LAYERS, DIFFERENT = 65, 8
PARTS = ("reading", "transfer", "blending and encoding")


def write_stack(folder: Path, size: int) -> None:
    """Write 65 layers of noise, eight of them different and the others links, since more would not fit into memory."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 65535, (size, size), dtype=np.uint16)
    for z in range(LAYERS):
        path = folder / f"{z:02}.tif"
        if z < DIFFERENT:
            tifffile.imwrite(path, np.roll(noise, 97 * z))
        else:
            os.link(folder / f"{z % DIFFERENT:02}.tif", path)


def sample_levels(folder: Path, side: int) -> Float32Array:
    """Return the map that the shipped model predicts for the sample, repeated over ``(2, side, side)``."""
    stack = open_stack(sample_path())
    for _ in predict(PredictRequest(stack, load_model(), folder / "sample.zarr", device="cpu")):
        pass
    stored = open_prediction(folder / "sample.zarr")
    levels = np.stack([stored.read("ink"), stored.read("edge")]).astype(np.float32)
    times = [-(-side // length) for length in levels.shape[1:]]
    steps = np.rint(np.tile(levels, (1, *times))[:, :side, :side] * (blending.PROBABILITY_STEPS / 255))
    return np.asarray(steps / blending.PROBABILITY_STEPS, np.float32)


@contextmanager
def workers(count: int, device: str) -> Iterator[tuple[str, int]]:
    """Start workers, and yield the address of their scheduler and its process id."""
    words = [sys.executable, __file__, "--serve", str(count), "--device", device]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid


def serve(count: int, device: str) -> None:
    """Keep a scheduler and its workers until standard input ends, as it does when the process that started it ends."""
    from distributed import LocalCluster

    here = 0 if device == "cuda" else count
    local = LocalCluster(n_workers=here, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs="CRITICAL")
    for gpu in range(count - here):
        words = [sys.executable, "-m", "distributed.cli.dask_worker", local.scheduler_address, "--no-dashboard"]
        words += ["--nthreads", str(max(usable_cores() // count, 1))]
        paths = f"{Path(__file__).parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"  # of `cluster_simulation`
        subprocess.Popen(
            words,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": str(gpu), "PYTHONPATH": paths},
            stderr=subprocess.DEVNULL,
        )
    print(local.scheduler_address, flush=True)
    sys.stdin.read()
    os.killpg(os.getpgid(0), signal.SIGKILL)  # immediately, since an orderly end takes seconds


def seconds_by_thread() -> Counter[str]:
    """Return the processor seconds of the running threads of this process, by their names."""
    hertz, found = os.sysconf("SC_CLK_TCK"), Counter[str]()
    for thread in threading.enumerate():
        try:
            fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[thread.name] += (int(fields[11]) + int(fields[12])) / hertz
    return found


@dataclass
class Run:
    """A measured run: its batches and blocks, its duration, and the processor time of each part, in seconds."""

    batches: int
    blocks: int
    seconds: float
    parts: dict[str, float]


def measure(request: PredictRequest, count: int, device: str, simulation: tuple[float, bool, Float32Array]) -> Run:
    """Predict on existing workers that have opened the stack and the model before the clock starts."""
    with workers(count, device) as (address, process):
        _wait_for_workers(address, count)
        with open_cluster(address, request.device) as opened:
            if device == "cpu":
                opened.client.run(simulate, *simulation)
            request = replace(request, scheduler=opened)
            with closing(predict(replace(request, out=request.out.with_name("first.zarr")))) as first:
                for event in first:
                    if not isinstance(event, PredictionStarted) and all(opened.client.run(has_prepared).values()):
                        break
            time.sleep(1)  # wait for the end of running tasks

            def sample() -> Counter[str]:
                found = Counter[str]()
                for one in opened.client.run(seconds_by_part).values():
                    found.update(one)
                times, here = psutil.Process(process).cpu_times(), seconds_by_thread()
                found["scheduler"] = times.user + times.system
                found["this process"] = time.process_time()
                found["the busiest thread of it"] = max(here.values())
                return found

            before, began, batches = sample(), time.perf_counter(), 0
            for event in predict(request):
                if isinstance(event, PredictionStarted):
                    batches = event.tiles
            seconds = time.perf_counter() - began
            parts = sample()
            parts.subtract(before)
    return Run(batches, int(open_prediction(request.out).done().sum()), seconds, dict(parts))


def _wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address) as client:
        client.wait_for_workers(count, timeout=120)


def row(wait: str, count: int, run: Run, one: Run | None) -> str:
    """Return a row of the table."""
    rate = run.batches / run.seconds
    times = f"{rate / (one.batches / one.seconds):.2f}" if one is not None else "–"
    in_ms = {part: 1000 * seconds / run.batches for part, seconds in run.parts.items()}
    rest = in_ms["workers"] - sum(in_ms.get(part, 0) for part in PARTS)
    shares = [*(in_ms.get(part, 0) for part in PARTS), rest, in_ms["scheduler"], in_ms["this process"]]
    whole = in_ms["workers"] + in_ms["scheduler"] + in_ms["this process"]
    cells = [wait, count, f"{3600 * run.blocks / run.seconds:,.0f}", times, *(f"{one:.1f}" for one in (*shares, whole))]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waits", type=float, nargs="+", default=[5, 20, 80], help="milliseconds")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--reading-elsewhere", action="store_true")
    parser.add_argument("--folder", type=Path, help="folder for the stack and the predictions")
    add_device(parser)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.device)
        return
    device = device_or_exit(arguments.device)
    waits = arguments.waits
    if device.type == "cuda":
        import torch

        waits = [0.0]
        arguments.workers = [count for count in arguments.workers if count <= torch.cuda.device_count()]
    how = "no simulation" if device.type == "cuda" else f"simulated GPUs, {usable_cores()} cores"
    print(f"{machine_name(device)}; {how}; processor time in ms a batch, four blocks\n")
    print(
        "| batch, ms | workers | blocks an hour | × one worker | reading | transfer | blending, encoding | rest of",
        end="",
    )
    print(" workers | scheduler | this process | all |\n" + "| --- " * 11 + "|", flush=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as home:
        folder = Path(home)
        write_stack(folder / "layers", arguments.size)
        levels, stack, model = sample_levels(folder, 1024), open_stack(folder / "layers"), load_model()
        for wait in waits:
            one = None
            for count in arguments.workers:
                (out := folder / f"{wait} {count}").mkdir()
                request = PredictRequest(stack, model, out / "p.zarr", device=device.type)
                run = measure(request, count, device.type, (wait / 1000, not arguments.reading_elsewhere, levels))
                one = run if count == 1 else one
                print(row(f"{wait:g}" if wait else "model", count, run, one), flush=True)


if __name__ == "__main__":
    main()
