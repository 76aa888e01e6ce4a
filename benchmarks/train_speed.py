"""Compare training steps with those of commit 86ea848: time, losses, and scores after the same time.

    python benchmarks/train_speed.py                      # seconds a step
    python benchmarks/train_speed.py --losses 150         # loss curves side by side
    python benchmarks/train_speed.py --quality 150        # F0.5 on unseen phantoms after 150 processor seconds each
    python benchmarks/train_speed.py --device cuda        # the same on a GPU

A step is eight crops of 160 pixels and 32 layers, read from memory-mapped files, augmented and learned from. Each way
is a separate process; they take steps in turns, so that other work on the machine affects all equally. The code of
commit 86ea848 is taken from this repository's history, or from a folder (`--old`); it needs kornia (`pip install -r
benchmarks/requirements.txt`).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from devices import add_device, device_or_exit, machine_name
from train_shipped import CONTRACT, phantom_files

from napari_ink.annotation import LabelValue
from napari_ink.evaluation import ink_scores
from napari_ink.phantom import SETS

OLD_COMMIT = "86ea848"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Way:
    """A way to take steps: its name, its code, precision, torch's threads, and lanes (0 for plain modules)."""

    name: str
    is_old: bool
    precision: str
    threads: int
    lanes: int = 0


def ways(cores: int, device: str) -> list[Way]:
    """Return the ways to compare; the first is the reference."""
    old = [Way(f"{OLD_COMMIT}, {kind}", True, kind, cores) for kind in ("fp32", "bf16")]
    if device != "cpu":
        return [*old, *(Way(f"now, {kind}", False, kind, cores) for kind in ("fp32", "bf16"))]
    now = [Way(f"one lane, one thread, {kind}", False, kind, 1, 1) for kind in ("fp32", "bf16")]
    now += [Way(f"one lane, {cores} threads, {kind}", False, kind, cores, 1) for kind in ("fp32", "bf16")]
    return [*old, *now, *(Way(f"{cores} lanes, {kind}", False, kind, cores, cores) for kind in ("fp32", "bf16"))]


def asked_for(args: argparse.Namespace, some: list[Way]) -> list[Way]:
    """Return the ways whose names hold one of the texts that were asked for."""
    return [way for way in some if not args.only or any(text in way.name for text in args.only)]


class Process:
    """A process that takes steps in one way."""

    def __init__(self, way: Way, args: argparse.Namespace, files: list[tuple[Path, Path]], **settings: Any) -> None:
        asked = {
            "precision": way.precision,
            "threads": way.threads,
            "lanes": way.lanes,
            "device": args.device,
            "whole_tile": args.losses > 0,  # the old network's attention, so that losses are of the same network
            "pairs": [[str(stack), str(labels)] for stack, labels in files],
            "contract": CONTRACT.model_dump(mode="json"),
            "settings": {"batch_size": args.batch_size, "crop_size": args.crop_size, **settings},
        }
        command = [sys.executable, str(Path(__file__).with_name("train_speed_worker.py")), json.dumps(asked)]
        path = str(args.old if way.is_old else ROOT)
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(way.threads)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, *command: object) -> dict[str, float]:
        """Send a command and return its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(*command, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("The process that takes the steps has ended; its error is printed above.")
        answer: dict[str, float] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@contextmanager
def old_code(given: Path | None) -> Iterator[Path]:
    """Yield a folder with the code of the old commit."""
    if given is not None:
        yield given
        return
    packed = subprocess.run(
        ["git", "archive", OLD_COMMIT, "napari_ink"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout
    with tempfile.TemporaryDirectory() as home:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(home, filter="data")
        yield Path(home)


def print_speed(args: argparse.Namespace, files: list[tuple[Path, Path]]) -> None:
    """Print the seconds of a step in each way."""
    found: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        processes = {way.name: Process(way, args, files) for way in asked_for(args, ways(args.cores, args.device))}
        for process in processes.values():
            stack.callback(process.close)
        for turn in range(args.rounds + 2):  # the first two are warm-ups
            for name, process in processes.items():
                answer = process.ask("step")
                found.setdefault(name, []).extend([answer] if turn > 1 else [])
    first = statistics.median(step["wall"] for step in next(iter(found.values())))
    print(f"{'way':32} {'seconds':>8} {'processor':>10} {'steps an hour':>14} {'times':>6}")
    for name, steps in found.items():
        wall, cpu = (statistics.median(step[kind] for step in steps) for kind in ("wall", "cpu"))
        print(f"{name:32} {wall:8.3f} {cpu:10.3f} {3600 / wall:14.0f} {first / wall:6.2f}")


def print_losses(args: argparse.Namespace, files: list[tuple[Path, Path]]) -> None:
    """Print the mean losses of groups of steps, of all ways side by side."""
    some = [way for way in ways(args.cores, args.device) if way.is_old or way.lanes in (0, args.cores)]
    curves = {}
    for way in asked_for(args, some):
        process = Process(way, args, files, steps=args.losses)
        steps = [process.ask("step") for _ in range(args.losses)]
        process.close()
        curves[way.name] = [step["ink"] + step["edge"] for step in steps]
    print("ink + edge loss, mean of the steps up to", *(f"{name:>16}" for name in curves), sep="  ")
    part = max(1, args.losses // 8)
    for end in range(part, args.losses + 1, part):
        means = [statistics.mean(curve[end - part : end]) for curve in curves.values()]
        print(f"{end:40}", *(f"{mean:16.3f}" for mean in means), sep="  ")


def print_quality(args: argparse.Namespace, files: list[tuple[Path, Path]]) -> None:
    """Print the scores on unseen phantoms after the same processor time, with one thread for each step."""
    tests = [phantom_files(seed, args.home) for seed in (*SETS["validation"][:4:2], *SETS["test"][: args.tests])]
    some = [Way(f"{OLD_COMMIT}, {kind}", True, kind, 1) for kind in ("fp32", "bf16")]
    some += [Way(f"one lane, {kind}", False, kind, 1, 1) for kind in ("fp32", "bf16")]
    for way in asked_for(args, some):
        process = Process(way, args, files, steps=5)
        cost = min(process.ask("step")["cpu"] for _ in range(5))
        process.close()
        # Steps are set beforehand, so that the learning rate reaches its end in each way.
        steps = max(1, round(args.quality / cost))
        process = Process(way, args, files, steps=steps)
        spent = sum(process.ask("step")["cpu"] for _ in range(steps))
        scores = score(process, tests, args.home)
        process.close()
        ends = f"F0.5 {scores[0]:.3f}, at a threshold found elsewhere {scores[1]:.3f}"
        print(f"{way.name:16} {steps:5} steps, {spent:4.0f} s: {ends}", flush=True)


def score(process: Process, tests: list[tuple[Path, Path]], home: Path) -> tuple[float, float]:
    """Return the mean F0.5 at each phantom's best threshold, and at that of the first two, which are not scored."""
    maps = []
    for stack, labels in tests:
        process.ask("predict", stack, home / "map.npy")
        planes = np.load(labels)
        known = planes != LabelValue.UNREVIEWED
        maps.append((np.load(home / "map.npy")[known][None], (planes == LabelValue.INK)[known][None]))
    chosen = ink_scores(*(np.concatenate(part, axis=1) for part in zip(*maps[:2], strict=True))).best_threshold
    best = [ink_scores(*one).f0_5 for one in maps[2:]]
    cut = [ink_scores((ink >= chosen * 255).astype(np.uint8) * 255, truth).f0_5 for ink, truth in maps[2:]]
    return float(np.mean(best)), float(np.mean(cut))


def main() -> None:
    """Run the requested measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_device(parser)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="default: all")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--losses", type=int, default=0, metavar="STEPS", help="print loss curves of this many steps")
    parser.add_argument("--quality", type=float, default=0, metavar="SECONDS", help="train each way for this long")
    parser.add_argument("--tests", type=int, default=4, help="unseen phantoms for --quality")
    parser.add_argument("--phantoms", type=int, default=8, help="phantoms to train on")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="only the ways with one of these in their name")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop-size", type=int, default=160)
    parser.add_argument("--old", type=Path, help=f"a checkout of commit {OLD_COMMIT}")
    parser.add_argument("--home", type=Path, default=Path("runs/phantoms"), help="folder of the phantoms")
    args = parser.parse_args()
    device = device_or_exit(args.device)
    print(f"{machine_name(device)}, {args.batch_size} crops of {args.crop_size} pixels and 32 layers, tiny network")
    args.home.mkdir(parents=True, exist_ok=True)
    files = [phantom_files(seed, args.home) for seed in SETS["train"][: 2 * args.phantoms : 2]]  # the plain ones
    with old_code(args.old) as args.old:
        if args.losses:
            print_losses(args, files)
        elif args.quality:
            print_quality(args, files)
        else:
            print_speed(args, files)


if __name__ == "__main__":
    main()
