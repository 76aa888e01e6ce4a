"""Time the network in lower precisions and in other runtimes, and score their maps, against our own float32.

    pip install openvino nncf "napari-ink[onnx]"
    python benchmarks/precision.py [--phantoms 12] [--rounds 3] [--ways ours "ours, bfloat16" ...] [--device cuda]

Each way runs the shipped model exactly as a prediction does: the stem on cells, everything else on tiles of 768 pixels
with their context. Each way runs in separate processes, in turns, and each table compares with our float32 of its run.
Ways with missing packages are skipped with a message.

one thread    processor time of a tile: the stem on the four cells it needs, and the rest of the network; the minimum
              of nine, since other work on the machine only adds to it
two lanes     wall-clock time of a tile where two threads compute a tile each, the minimum of five
peak          peak memory of the process meanwhile, minus its memory after loading the package and the model
loss          ink F0.5 (the mean of best thresholds) and edge ODS, on the first of the plain and of the hard test
              phantoms, as in benchmarks/unseen.py; negative where scores are lower than in float32
maps          largest and mean difference of a probability from float32

int8 is post-training: activations are calibrated on four training phantoms, by NNCF or onnxruntime, with defaults.
torch's own int8 (pt2e with the X86 quantizer, now in torchao) is missing, since Inductor computes it, which needs a
compiler at run time.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib
import importlib.util
import json
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor, nn

from napari_ink.evaluation import edge_scores, ink_scores, label_edges
from napari_ink.memory import memory_kept
from napari_ink.model import load_model
from napari_ink.model.inference import fold_norms, for_prediction
from napari_ink.phantom import SETS, make_phantom, set_config
from napari_ink.predict.ensemble import EnsembleMember
from napari_ink.predict.forward import Forward
from napari_ink.predict.tile_inference import TileInference
from napari_ink.predict.tiles import TileGrid, tile_grid
from napari_ink.region import Region
from napari_ink.stack import open_stack

BASE = "ours"
CALIBRATION = SETS["train"][:4]
Map = npt.NDArray[np.float32]


class Parts(Protocol):
    """The two parts of a network that a prediction calls."""

    def stem(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map a stack to the planes of the stem."""

    def after_stem(self, half: Tensor, quarter: Tensor, context: int) -> Tensor:
        """Map planes to logits."""


class Autocast:
    """Our float32 copy under autocast."""

    def __init__(self, device: str, dtype: torch.dtype) -> None:
        self._network, self._how = for_prediction(load_model().network).to(device), (device, dtype)

    def stem(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map a stack to the planes of the stem."""
        with torch.autocast(*self._how):
            half, quarter = self._network.stem(x)  # type: ignore[operator]
        return half.float(), quarter.float()

    def after_stem(self, half: Tensor, quarter: Tensor, context: int) -> Tensor:
        """Map planes to logits."""
        with torch.autocast(*self._how):
            logits: Tensor = self._network.after_stem(half, quarter, context)  # type: ignore[operator]
        return logits


class Stem(nn.Module):
    """The stem in the form for other runtimes: planes have their channels last, as in assembled tiles."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.part = network.stem

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map a stack to planes ``(b, y, x, c)``."""
        half, quarter = self.part(x)
        return half.permute(0, 2, 3, 1), quarter.permute(0, 2, 3, 1)


class Rest(nn.Module):
    """The rest of the network in the form for other runtimes."""

    def __init__(self, network: nn.Module, context: int) -> None:
        super().__init__()
        self.network, self.context = network, context

    def forward(self, half: Tensor, quarter: Tensor) -> Tensor:
        """Map planes ``(b, y, x, c)`` to logits."""
        logits: Tensor = self.network.after_stem(half.permute(0, 3, 1, 2), quarter.permute(0, 3, 1, 2), self.context)
        return logits


def parts() -> tuple[nn.Module, nn.Module]:
    """Return stem and rest of the shipped model, norms folded, for other runtimes."""
    model = load_model()
    network = copy.deepcopy(model.network).eval()
    fold_norms(network)
    return Stem(network), Rest(network, model.contract.context_px)


class Foreign:
    """A network whose parts another runtime computes, by two functions of arrays."""

    def __init__(self, run_stem: Callable[..., Any], run_rest: Callable[..., Any]) -> None:
        self._stem, self._rest = run_stem, run_rest

    def stem(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map a stack to the planes of the stem."""
        half, quarter = (torch.from_numpy(plane).permute(0, 3, 1, 2) for plane in self._stem(x.numpy()))
        return half, quarter

    def after_stem(self, half: Tensor, quarter: Tensor, context: int) -> Tensor:
        """Map planes to logits."""
        return torch.from_numpy(self._rest(*(plane.permute(0, 2, 3, 1).numpy() for plane in (half, quarter)))[0])


def calibration(home: Path) -> tuple[list[npt.NDArray[Any]], list[tuple[npt.NDArray[Any], ...]]]:
    """Return inputs of the stem, all of one size, and of the rest, from training phantoms."""
    cells, tiles = [], []
    for seed in CALIBRATION:
        inference, grid = placed(for_prediction(load_model().network), home / f"{seed}.npy")  # type: ignore[arg-type]
        for tile in tiles_of(grid):
            values = {cell: inference.read(cell) for cell in inference.cells.touching(grid.read_area(tile))}
            cells += [one[0][None, :, :256, :256] for one in values.values()]
            blocks = inference.assembled([tile], [{cell: inference.planes(cell, one) for cell, one in values.items()}])
            tiles.append(tuple(block.permute(0, 2, 3, 1).numpy() for block in blocks))
    return cells, tiles


def openvino_parts(number_format: str, home: Path) -> Parts:
    """Return the network in OpenVINO: f32, bf16, or int8 quantised by NNCF."""
    openvino = importlib.import_module("openvino")
    stem, rest = parts()
    depth, side = load_model().contract.depth_layers, load_model().contract.tile_size
    sides = side // 2, side // 4
    examples = (torch.randn(1, sides[0], sides[0], 32), torch.randn(1, sides[1], sides[1], 96))
    shapes = [[1, *example.shape[1:]] for example in examples]
    with torch.no_grad(), contextlib.redirect_stderr(None):
        models = [
            openvino.convert_model(stem, example_input=torch.randn(1, depth, 264, 264), input=[1, depth, -1, -1]),
            openvino.convert_model(rest, example_input=examples, input=shapes),
        ]
    if number_format == "int8":
        nncf = importlib.import_module("nncf")
        cells, tiles = calibration(home)
        # NNCF's quantisation for transformers: activations asymmetric, softmax and norms in float32.
        kinds = (None, nncf.ModelType.TRANSFORMER)
        models = [
            nncf.quantize(model, nncf.Dataset(data), model_type=kind)
            for model, data, kind in zip(models, (cells, tiles), kinds, strict=True)
        ]
    hint = "bf16" if number_format == "bf16" else "f32"
    settings = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    core, compiled = openvino.Core(), {}

    def run(model: Any) -> Callable[..., Any]:
        def infer(*arrays: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
            key = id(model), arrays[0].shape
            if key not in compiled:  # one for each size of a cell, since free sizes are slower
                fixed = model.clone()
                if len(arrays) == 1:
                    fixed.reshape(list(arrays[0].shape))
                compiled[key] = core.compile_model(fixed, "CPU", settings).create_infer_request()
            found = compiled[key].infer(dict(enumerate(arrays)))
            return [np.array(found[n]) for n in range(len(found))]

        return infer

    return Foreign(*map(run, models))


def onnx_parts(number_format: str, home: Path) -> Parts:
    """Return the network in onnxruntime: f32, or int8 with its static quantisation (QDQ)."""
    runtime = importlib.import_module("onnxruntime")
    side, depth = load_model().contract.tile_size, load_model().contract.depth_layers
    inputs = ((torch.randn(1, depth, 264, 264),), tuple(torch.randn(1, side // n, side // n, c) for n, c in _PLANES))
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    sessions = []
    with tempfile.TemporaryDirectory() as folder:
        data = calibration(home) if number_format == "int8" else None
        for n, (part, given) in enumerate(zip(parts(), inputs, strict=True)):
            path = Path(folder) / f"{n}.onnx"
            names = [f"in{k}" for k in range(len(given))]
            free = {name: {1: "y", 2: "x"} for name in names} if n else {"in0": {2: "y", 3: "x"}}
            torch.onnx.export(
                part, given, str(path), dynamo=False, opset_version=17, input_names=names, dynamic_axes=free
            )
            if data is not None:
                path = _quantised(path, names, data[n])
            sessions.append(runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"]))

    def run(session: Any) -> Callable[..., Any]:
        return lambda *arrays: session.run(None, {f"in{n}": np.ascontiguousarray(a) for n, a in enumerate(arrays)})

    return Foreign(*map(run, sessions))


_PLANES = ((2, 32), (4, 96))


def _quantised(path: Path, names: list[str], data: list[Any]) -> Path:
    quantization = importlib.import_module("onnxruntime.quantization")
    shape_inference = importlib.import_module("onnxruntime.quantization.shape_inference")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        """Gives the calibration data one by one."""

        def __init__(self) -> None:
            self._left = iter(data)

        def get_next(self) -> dict[str, Any] | None:
            """Return the next inputs, or None at the end."""
            arrays = next(self._left, None)
            if arrays is None:
                return None
            arrays = arrays if isinstance(arrays, tuple) else (arrays,)
            return {name: np.ascontiguousarray(array) for name, array in zip(names, arrays, strict=True)}

    ready, out = path.with_suffix(".ready.onnx"), path.with_suffix(".int8.onnx")
    shape_inference.quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
    quantization.quantize_static(
        str(ready), str(out), Reader(), per_channel=True, op_types_to_quantize=["Conv", "MatMul", "Gemm"]
    )
    return out


def ways(device: str, home: Path) -> dict[str, tuple[Callable[[], Parts], tuple[str, ...]]]:
    """Return each way: its function, and the packages that it needs."""

    def ours(dtype: torch.dtype) -> Callable[[], Any]:
        return lambda: for_prediction(load_model().network, dtype).to(device)

    found: dict[str, tuple[Callable[[], Parts], tuple[str, ...]]] = {
        BASE: (ours(torch.float32), ()),
        "ours, bfloat16": (ours(torch.bfloat16), ()),
        "bfloat16 autocast": (lambda: Autocast(device, torch.bfloat16), ()),
    }
    if device == "cuda":
        return found | {"float16 autocast": (lambda: Autocast(device, torch.float16), ())}
    return found | {
        "onnxruntime float32": (lambda: onnx_parts("f32", home), ("onnx", "onnxruntime")),
        "onnxruntime int8": (lambda: onnx_parts("int8", home), ("onnx", "onnxruntime")),
        "OpenVINO float32": (lambda: openvino_parts("f32", home), ("openvino",)),
        "OpenVINO bfloat16": (lambda: openvino_parts("bf16", home), ("openvino",)),
        "OpenVINO int8": (lambda: openvino_parts("int8", home), ("openvino", "nncf")),
    }


class Placed(Forward):
    """Runs existing parts of a network."""

    def __init__(self, network: Parts, device: str) -> None:
        super().__init__(torch.device(device))
        self._network = network

    def place(self, network: nn.Module) -> Any:
        """Return the parts instead of a copy of the network."""
        return self._network


def placed(network: Parts, stack: Path, device: str = "cpu") -> tuple[TileInference, TileGrid]:
    """Return the inference of a prediction with these parts, and its grid."""
    model, opened = load_model(), open_stack(stack)
    contract, divisor = model.contract.with_greys_of(opened), int(model.network.size_divisor)  # type: ignore[arg-type]
    grid = tile_grid(opened.shape[1:], contract.tile_size, divisor, 0.0, divisor, contract.context_px)
    return TileInference([EnsembleMember(model.network, contract)], opened, grid, Placed(network, device)), grid


def tiles_of(grid: TileGrid) -> list[Region]:
    """Return the tiles of a grid."""
    return [tile for row in grid.rows(Region.whole(grid.shape)) for tile in row]


def predicted(network: Parts, stack: Path, device: str) -> Map:
    """Return the probabilities of ink and edges of a phantom, ``(2, y, x)``."""
    inference, grid = placed(network, stack, device)
    out = np.zeros((2, *grid.shape), np.float32)
    for tile in tiles_of(grid):
        cells = {c: inference.planes(c, inference.read(c)) for c in inference.cells.touching(grid.read_area(tile))}
        y, x = tile.slices
        found = inference.probabilities([tile], inference.assembled([tile], [cells]))[0]
        out[:, y, x] = found[:, : y.stop - y.start, : x.stop - x.start]
    return out


class Memory(threading.Thread):
    """Watches the memory of this process."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.first = self.now()
        self.most = self.first

    @staticmethod
    def now() -> float:
        """Return the megabytes of this process without mapped files."""
        status = Path("/proc/self/status")
        return int(status.read_text().split("RssAnon:")[1].split()[0]) / 1024 if status.exists() else float("nan")

    def run(self) -> None:
        """Measure every 5 ms."""
        while True:
            self.most = max(self.most, self.now())
            time.sleep(0.005)


def timed(make: Callable[[], Parts], stack: Path, device: str) -> dict[str, float]:
    """Return the time of a tile on one thread and in two lanes, and the peak of memory."""
    lanes = [one_tile(make(), stack, device) for _ in range(1 if device == "cuda" else 2)]
    clock = time.perf_counter if device == "cuda" else time.process_time
    watch = Memory()
    watch.start()
    with memory_kept(), ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        lanes[0]()
        alone = min(seconds(lanes[0], clock) for _ in range(9))
        if len(lanes) == 1:
            return {"alone": alone, "lanes": float("nan"), "megabytes": torch.cuda.max_memory_allocated() / 2**20}
        together = min(seconds(lambda: list(pool.map(lambda lane: lane(), lanes)), time.perf_counter) for _ in range(6))
    return {"alone": alone, "lanes": together / len(lanes), "megabytes": watch.most - watch.first}


def one_tile(network: Parts, stack: Path, device: str) -> Callable[[], Any]:
    """Return a function that computes a tile and its cells, from grey values in memory."""
    inference, grid = placed(network, stack, device)
    tile = tiles_of(grid)[0]
    values = {cell: inference.read(cell) for cell in inference.cells.touching(grid.read_area(tile))}

    def compute() -> Any:
        cells = {cell: inference.planes(cell, one) for cell, one in values.items()}
        return inference.probabilities([tile], inference.assembled([tile], [cells]))

    return compute


def seconds(work: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Return the seconds of a call."""
    began = clock()
    work()
    return clock() - began


def make_phantoms(home: Path, seeds: list[int]) -> None:
    """Write missing phantoms: stacks, ink and masks."""
    for seed in seeds:
        if not (home / f"{seed}_truth.npz").exists():
            phantom = make_phantom(set_config(seed))
            np.save(home / f"{seed}.npy", phantom.volume)
            np.savez_compressed(home / f"{seed}_truth.npz", ink=phantom.ink, mask=phantom.mask)


def scores(maps: dict[int, Map], home: Path) -> tuple[float, float]:
    """Return the mean F0.5 of ink, and the ODS of edges, of maps by seed."""
    ink, edges = [], []
    for seed, found in maps.items():
        with np.load(home / f"{seed}_truth.npz") as truth:
            is_ink, mask = truth["ink"], truth["mask"]
        levels = np.round(found * 255).astype(np.uint8)
        inside = ndimage.binary_erosion(mask, iterations=3)
        ink.append(ink_scores(levels[0], is_ink, mask).f0_5)
        edges.append((np.where(inside, levels[1], 0), label_edges(is_ink) & inside))
    return float(np.mean(ink)), edge_scores(edges).ods


def run_one(way: str, device: str, home: Path, stack: Path, maps: Path | None, sets: list[list[int]]) -> dict[str, Any]:
    """Time one way in this process, or write its maps."""
    torch.set_num_threads(1)
    make, _ = ways(device, home)[way]
    if maps is None:
        return timed(make, stack, device)
    network = make()
    with memory_kept():
        found = {seed: predicted(network, home / f"{seed}.npy", device) for seeds in sets for seed in seeds}
    np.savez(maps, **{str(seed): one for seed, one in found.items()})
    return {"scores": [scores({seed: found[seed] for seed in seeds}, home) for seeds in sets]}


def in_process(way: str, args: argparse.Namespace, maps: Path | None = None) -> dict[str, Any] | None:
    """Run a way in a separate process; None, with a message, if it fails."""
    words = [sys.executable, __file__, "--one", way, "--device", args.device, "--home", str(args.home)]
    words += ["--phantoms", str(args.phantoms), *(() if maps is None else ("--maps", str(maps)))]
    ended = subprocess.run(words, capture_output=True, text=True)
    if ended.returncode:
        print(f"{way}: skipped ({ended.stderr.strip().splitlines()[-1][:200]})", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def possible(args: argparse.Namespace) -> Iterator[str]:
    """Yield the ways with installed packages, and report the others."""
    for way, (_, packages) in ways(args.device, args.home).items():
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if missing:
            print(f"{way}: skipped, {' and '.join(missing)} not installed", file=sys.stderr)
        elif way == BASE or not args.ways or way in args.ways:
            yield way


def rows(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Yield the table, line by line."""
    found = list(possible(args))
    times: dict[str, list[dict[str, Any]]] = {way: [] for way in found}
    for _ in range(args.rounds):
        for way in list(times):
            if (one := in_process(way, args)) is None:
                del times[way]
            else:
                times[way].append(one)
    yield "| way | ms a tile, one thread | × | two lanes | × | peak MB | F0.5, plain, hard | ODS | largest, mean |"
    yield "| --- " * 9 + "|"
    best = {way: {key: min(one[key] for one in all_) for key in all_[0]} for way, all_ in times.items()}
    reference: tuple[Any, Any] | None = None
    for way, one in best.items():
        base, said = best[BASE], in_process(way, args, folder / "maps.npz")
        if said is None:
            continue
        with np.load(folder / "maps.npz") as stored:
            maps = {seed: stored[seed] for seed in stored.files}
        reference = reference or (said["scores"], maps)
        loss = [
            [f"{now - then:+.4f}" for now, then in zip(*pair, strict=True)]
            for pair in zip(said["scores"], reference[0], strict=True)
        ]
        differences = [np.abs(maps[seed] - reference[1][seed]) for seed in maps]
        ink, edges = zip(
            *(loss if way != BASE else [[f"{s:.4f}" for s in pair] for pair in said["scores"]]), strict=True
        )
        yield (
            f"| {way} | {1000 * one['alone']:.0f} | {base['alone'] / one['alone']:.2f} | {1000 * one['lanes']:.0f} "
            f"| {base['lanes'] / one['lanes']:.2f} | {one['megabytes']:.0f} | {', '.join(ink)} | {', '.join(edges)} "
            f"| {max(d.max() for d in differences):.3f}, {np.mean([d.mean() for d in differences]):.5f} |"
        )


def machine(device: str) -> str:
    """Return the name of the processor or GPU, and torch's version."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    told = Path("/proc/cpuinfo")
    flags = set(told.read_text().split()) if told.exists() else set()
    known = [
        flag for flag in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx512_fp16", "amx_bf16") if flag in flags
    ]
    return f"{platform.machine()} ({' '.join(known) or 'flags unknown'}), torch {torch.__version__}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", type=int, default=12, help="number of phantoms of each test set, at most 100")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--home", type=Path, default=Path("runs/precision-phantoms"), help="folder for phantoms")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--maps", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    sets = [[*SETS[name][: args.phantoms]] for name in ("test", "hard test")]
    if args.one:
        stack = args.home / f"{sets[0][0]}.npy"
        print(json.dumps(run_one(args.one, args.device, args.home, stack, args.maps, sets)))
        return
    if args.device == "cuda" and not torch.cuda.is_available():
        print("There is no GPU that torch can use here, so this table is skipped.", file=sys.stderr)
        return
    args.home.mkdir(parents=True, exist_ok=True)
    make_phantoms(args.home, [*sets[0], *sets[1], *CALIBRATION])
    print(f"{load_model().name}, {machine(args.device)}; {args.phantoms} plain and {args.phantoms} hard phantoms\n")
    with tempfile.TemporaryDirectory() as folder:
        for line in rows(args, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
