"""Kill a program that edits labels, at random instants, and count what was lost and what failed to open.

    python benchmarks/crashes.py --kills 200

The program draws, fills, undoes and redoes as fast as it can. After each kill -9 the labels are opened again and
compared, pixel by pixel, with the same changes made without any kill.
"""

from __future__ import annotations

import argparse
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_ink.annotation import Annotation, Plane

SHAPE = (1300, 1100)
PLANES: tuple[Plane, Plane] = ("ink", "edge")


def scribble(annotation: Annotation, seed: int, steps: int, told: Callable[[], None]) -> None:
    """Do `steps` seeded changes; the same seed does the same changes on the same labels."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        kind = str(rng.choice(["stroke", "fill", "undo", "redo"], p=[0.6, 0.2, 0.12, 0.08]))
        y, x = (int(rng.integers(0, length)) for length in SHAPE)
        height, width = (rng.integers(200, 700, 2) if kind == "fill" else rng.integers(3, 90, 2)).tolist()
        value, plane = int(rng.integers(0, 3)), PLANES[int(rng.integers(2))]
        if kind == "undo":
            annotation.undo()
        elif kind == "redo":
            annotation.redo()
        else:
            shape = min(height, SHAPE[0] - y), min(width, SHAPE[1] - x)
            annotation.apply([(plane, y, x, np.full(shape, value, np.uint8))], kind)
        told()


def lost_after_kill(folder: Path, seed: int, wait_s: float) -> int:
    """Kill a program that edits labels in `folder`, and open them; returns how many changes in hand were kept, 0 or 1.

    Raises
    ------
    AssertionError
        If the labels are neither what they were after the last finished change nor with the one in hand.
    """
    finished = kill(folder, seed, wait_s)
    annotation = Annotation(folder, SHAPE, "reader")
    found = _planes(annotation)
    annotation.close()
    for in_hand in (0, 1):
        twin = Annotation(folder / f"twin-{in_hand}", SHAPE, "twin")
        scribble(twin, seed, finished + in_hand, lambda: None)
        expected = _planes(twin)
        twin.close()
        if all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True)):
            return in_hand
    raise AssertionError(f"after {finished} finished changes the labels are neither these nor with the next one")


def kill(folder: Path, seed: int, wait_s: float) -> int:
    """Start a program that edits labels in `folder`, kill it, and return how many changes it had finished."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--scribble", str(folder), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdout.readline().strip() != "ready":
            raise RuntimeError("the program that edits did not start")
        time.sleep(wait_s)
        process.kill()
        return process.stdout.read().count("done")


def _planes(annotation: Annotation) -> list[npt.NDArray[np.uint8]]:
    return [annotation.read(plane, (0, SHAPE[0]), (0, SHAPE[1])) for plane in PLANES]


def main() -> None:
    """Kill, open, compare, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--longest", type=float, default=1.5, help="the latest instant, in seconds after the start")
    parser.add_argument("--scribble", nargs=2, metavar=("FOLDER", "SEED"), help="be the program that is killed")
    args = parser.parse_args()
    if args.scribble:
        annotation = Annotation(Path(args.scribble[0]), SHAPE, "scribbler")
        print("ready", flush=True)
        scribble(annotation, int(args.scribble[1]), 100_000, lambda: print("done", flush=True))
        return
    outcomes: Counter[str] = Counter()
    began = time.monotonic()
    for seed in range(args.kills):
        with tempfile.TemporaryDirectory() as folder:
            try:
                in_hand = lost_after_kill(Path(folder), seed, random.Random(seed).uniform(0, args.longest))
            except AssertionError as error:
                outcomes["a finished change lost"] += 1
                print(f"kill {seed}: {error}", file=sys.stderr)
            except Exception as error:  # noqa: BLE001 - whatever keeps the labels from opening is what is counted here
                outcomes["failed to open"] += 1
                print(f"kill {seed}: {type(error).__name__}: {error}", file=sys.stderr)
            else:
                outcomes["every finished change there" + (", and the one in hand" if in_hand else "")] += 1
    print(f"{args.kills} kills, {time.monotonic() - began:.0f} s; {platform.machine()}, {platform.system()}")
    for outcome, number in outcomes.most_common():
        print(f"- {outcome}: {number}")


if __name__ == "__main__":
    main()
