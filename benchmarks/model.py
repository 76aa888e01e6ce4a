"""Time ways of running a model, and compare their outputs with plain float32.

    python benchmarks/model.py [--model ink-tiny-2] [--device cuda] [--rounds 9] [--threads 1] [--compile]

    python benchmarks/model.py --families [--rounds 2]

`--families` times a tile of each published family instead, with random weights of the published sizes, in processor
time of one core, and says what area a minute that is with the model's own overlap.

Tiles are from the sample. All ways run in turn in each round, because only ratios within a round count on a shared
machine; the table shows medians of ratios. "Agrees to" is the largest difference of a probability, of ink or edge,
over all tiles. `--compile` needs a C++ compiler and minutes; the ONNX row needs the extra [onnx].
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from devices import add_device, device_or_exit
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from napari_ink.errors import CheckpointError
from napari_ink.memory import memory_kept
from napari_ink.model import DEFAULT_MODEL, InkModel, load_model
from napari_ink.model.inference import fold_norms, for_prediction
from napari_ink.model.onnx import OnnxNetwork, export_onnx
from napari_ink.phantom import sample_path
from napari_ink.stack import open_stack

Run = Callable[[Tensor], Tensor]
LIMIT = 1e-3
CONTEXT = multiprocessing.get_context("spawn")


@dataclass
class Way:
    """One way of running the model: its name, its function and its results."""

    name: str
    run: Run
    threads: int = 1
    batch: int = 1
    is_timed: bool = True
    seconds: list[float] = field(default_factory=list)
    agrees: float = 0.0


def sample_tiles(model: InkModel, count: int) -> Tensor:
    """Return prepared tiles ``(count, z, y, x)`` from the whole sample."""
    stack, side = open_stack(sample_path()), model.contract.tile_size
    window = model.contract.z_window(stack.shape[0])
    rng = np.random.default_rng(0)
    places = [[int(rng.integers(0, length - side + 1)) for length in stack.shape[1:]] for _ in range(count)]
    contract = model.contract.with_greys_of(stack)
    tiles = [contract.prepare(stack.read(window, slice(y, y + side), slice(x, x + side))) for y, x in places]
    return torch.from_numpy(np.stack(tiles))


def channels_last(network: nn.Module) -> nn.Module:
    """Return a copy whose 2-D convolutions have their channels last, the usual layout for speed in torch."""
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
    return copied


def folded(network: nn.Module) -> nn.Module:
    """Return a copy with folded batch norms."""
    copied = copy.deepcopy(network)
    fold_norms(copied)
    return copied


def under(run: Run, device: str, dtype: torch.dtype) -> Run:
    """Return `run` under autocast."""

    def automatic(x: Tensor) -> Tensor:
        with torch.autocast(device, dtype):
            return run(x)

    return automatic


def unfused(run: Run) -> Run:
    """Return `run` with attention computed step by step."""

    def plain(x: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):
            return run(x)

    return plain


def as_tf32(network: nn.Module) -> nn.Module:
    """Return a copy that rounds the factors of convolutions and linear layers as TF32 does (10 bits of mantissa)."""
    copied = copy.deepcopy(network)

    def rounded(x: Tensor) -> Tensor:
        bits = x.contiguous().view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)

    for module in copied.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
            module.weight.data = rounded(module.weight.data)
            module.register_forward_pre_hook(lambda _, inputs: (rounded(inputs[0]),))
    return copied


def ways(model: InkModel, device: str, threads: int, with_compile: bool, folder: Path) -> list[Way]:
    """Return all ways, plain float32 first."""
    plain = model.network.to(device)
    fast = for_prediction(plain)
    half, brain = torch.float16, torch.bfloat16
    found = [
        Way("float32 as trained", plain),
        Way("attention step by step", unfused(plain)),
        Way("norms folded", folded(plain)),
        Way("2-D convolutions channels last", channels_last(plain)),
        Way("**for_prediction**: folded, flat convolutions, channels last", fast),
        Way("bfloat16 autocast", under(plain, device, brain)),
        Way("bfloat16 autocast, for_prediction", under(fast, device, brain)),
        Way("float16 autocast, for_prediction", under(fast, device, half)),
        Way("TF32 (rounding imitated), for_prediction", as_tf32(fast), is_timed=False),
        *(Way(f"for_prediction, batches of {n}", fast, batch=n) for n in (2, 4)),
    ]
    for way in found:
        way.threads = threads
    if device == "cpu":
        found += [Way(f"for_prediction, {threads + 1} threads", fast, threads + 1)]
        found += onnx_ways(model, threads, folder)
    if with_compile:
        found += [Way("torch.compile", torch.compile(plain), threads)]
        found += [Way("torch.compile, for_prediction", torch.compile(fast), threads)]
    return found


def onnx_ways(model: InkModel, threads: int, folder: Path) -> list[Way]:
    """Return the ONNX way, if its packages are installed."""
    try:
        path = export_onnx(model, folder / "model.onnx")
        torch.set_num_threads(threads + 1)  # it leaves one core free
        return [Way("ONNX, onnxruntime", OnnxNetwork(path), threads)]
    except CheckpointError as error:
        print(error)
        return []


def seconds_a_tile(way: Way, tiles: Tensor, device: str) -> float:
    """Return the seconds of a tile, in a batch of the way's size."""
    block = tiles[: way.batch].to(device)
    torch.set_num_threads(way.threads)
    began = time.perf_counter()
    way.run(block)
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / way.batch


def measure(found: list[Way], tiles: Tensor, device: str, rounds: int) -> None:
    """Fill in the agreement of each way with the first, and its time in each round."""
    with torch.inference_mode():
        expected = torch.cat([found[0].run(tile[None].to(device)).sigmoid() for tile in tiles])
        for way in found:
            found = torch.cat([way.run(part.to(device)).float().sigmoid() for part in tiles.split(way.batch)])
            way.agrees = float((found - expected).abs().max())
        for _ in range(rounds):
            for way in (way for way in found if way.is_timed):
                seconds_a_tile(way, tiles, device)  # releases memory of the previous way and allocates this one's
                way.seconds.append(seconds_a_tile(way, tiles, device))


def in_processes(model: InkModel, tiles: Tensor, rounds: int, folder: Path) -> str:
    """Compare two ways that depend on the process: memory kept between calls, and onnxruntime, which always does so.

    Each runs in separate processes, in turn, on one thread.
    """
    fast, onnx = for_prediction(model.network), folder / "model.onnx"
    candidates: dict[str, tuple[nn.Module | Path, bool]] = {"for_prediction": (fast, False)}
    candidates["for_prediction, memory kept"] = (fast, True)
    candidates["float32 as trained"] = (model.network, False)
    if onnx.exists():
        candidates["ONNX, onnxruntime"] = (onnx, False)
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, (network, kept) in candidates.items():
            receiver, sender = CONTEXT.Pipe(duplex=False)
            child = CONTEXT.Process(target=_time_in_process, args=(network, tiles, kept, sender))
            child.start()
            seconds[name].append(receiver.recv())
            child.join()
    base = seconds["for_prediction"]
    lines = ["| alone in its process | times as fast as for_prediction |", "| --- | --- |"]
    for name, times in seconds.items():
        lines.append(f"| {name} | {statistics.median(b / t for b, t in zip(base, times, strict=True)):.2f} |")
    return "\n".join(lines)


def _time_in_process(network: nn.Module | Path, tiles: Tensor, kept: bool, sender: Connection) -> None:
    torch.set_num_threads(1)
    way = Way("", OnnxNetwork(network) if isinstance(network, Path) else network)
    with torch.inference_mode(), memory_kept() if kept else nullcontext():
        times = [seconds_a_tile(way, tiles, "cpu") for _ in range(15)]
    sender.send(statistics.median(times[3:]))


def families_table(names: list[str], device: str, rounds: int) -> str:
    """Return what a tile of each published family costs, as Markdown."""
    from tests.model.field_files import LAYOUTS

    torch.set_num_threads(1)
    lines = [
        f"One core of {machine(device)}; processor time on a CPU, wall clock on a GPU.\n",
        "| family | reads | s a tile | cm² a minute | bfloat16: s a tile | cm² a minute | probabilities differ |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, layout in LAYOUTS.items():
        if "bare" in name or (names and name not in names):
            continue
        with tempfile.TemporaryDirectory() as folder:
            model = load_model(layout.write(Path(folder), False))
        for module in model.network.modules():  # random weights as large as those of the files amplify rounding
            if reset := getattr(module, "reset_parameters", None):
                reset()
        with torch.inference_mode(), memory_kept():
            lines.append(family_row(name, model, device, rounds))
    return "\n".join(lines)


def family_row(name: str, model: InkModel, device: str, rounds: int) -> str:
    """Return the row of a family."""
    contract, side = model.contract, model.contract.tile_size
    tile = torch.rand(1, contract.depth_layers, side, side).to(device)
    clock = time.process_time if device == "cpu" else time.perf_counter
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        network = for_prediction(model.network, dtype).to(device)
        seconds = []
        for _ in range(rounds):
            began = clock()
            ink = network(tile)[:, 0].sigmoid()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds.append(clock() - began)
        found.append((min(seconds), ink))
    # Each tile adds the square of a stride to the area.
    stride_cm = side * (1 - (contract.overlap or 0.25)) * (contract.voxel_size_um or 0) * 1e-4
    cells = []
    for seconds, _ in found:
        cells += [f"{seconds:.3g}", f"{60 / seconds * stride_cm**2:.3g}"]
    difference = (found[0][1] - found[1][1]).abs()
    reads = f"{contract.depth_layers} × {side}² of {contract.voxel_size_um} µm"
    differ = f"{difference.max():.3f} at most, {difference.mean():.4f} on average"
    return f"| {name} | {reads} | {' | '.join(cells)} | {differ} |"


def machine(device: str) -> str:
    """Return the name of the processor or GPU, and torch's version."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    told = Path("/proc/cpuinfo")
    flags = told.read_text().split() if told.exists() else []
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16") if flag in flags]
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} ({capability}; {' '.join(known) or 'flags unknown'}), torch {torch.__version__}"


def table(found: list[Way]) -> str:
    """Return the results as Markdown."""
    base = found[0].seconds
    lines = ["| way | ms a tile | times as fast | agrees to |", "| --- | --- | --- | --- |"]
    for way in found:
        verdict = f"{way.agrees:.0e}" + ("" if way.agrees <= LIMIT else " ✗")
        figures = ["–", "–"]
        if way.is_timed:
            ratio = statistics.median(b / t for b, t in zip(base, way.seconds, strict=True))
            figures = [f"{1000 * statistics.median(way.seconds):.1f}", f"{ratio:.2f}"]
        lines.append(f"| {way.name} | {' | '.join(figures)} | {verdict} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    add_device(parser)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tiles", type=int, default=8)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--families", nargs="*", metavar="NAME", help="published families to time; none for all")
    arguments = parser.parse_args()
    device_or_exit(arguments.device)
    if arguments.families is not None:
        print(families_table(arguments.families, arguments.device, arguments.rounds))
        return
    model = load_model(arguments.model)
    tiles = sample_tiles(model, arguments.tiles)
    with tempfile.TemporaryDirectory() as folder:
        found = ways(model, arguments.device, arguments.threads, arguments.compile, Path(folder))
        measure(found, tiles, arguments.device, arguments.rounds)
        print(f"{model.name}, tiles of {tuple(tiles.shape[1:])}, {machine(arguments.device)}\n")
        print(table(found), flush=True)
        if arguments.device == "cpu":
            print("\n" + in_processes(model, tiles, arguments.rounds, Path(folder)))


if __name__ == "__main__":
    main()
