"""Kill a program that edits labels or converts a stack at random moments, and count the losses.

    python benchmarks/crashes.py --kills 200
    python benchmarks/crashes.py --what convert --kills 140

The program opens a project, draws, fills, undoes, redoes and saves versions as fast as it can. It is killed (-9)
repeatedly in the same project, also while it opens it. After each kill the project is opened and compared, pixel by
pixel, with plain arrays after the same steps: labels, versions, counts, history, and the effects of undo and redo.
Only the last steps may be lost, and only those that ended less than the budget before the kill; a saved version keeps
everything before it. The report gives the age of the oldest lost step at the kill.

A conversion is killed at any instant from its start to its end, its last moves included, and restarted by the same
command; after a few kills it runs to its end, and each of its files must equal that of a conversion without a kill.
"""

from __future__ import annotations

import argparse
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import tifffile

from napari_ink.annotation import Plane, Project, create_project, open_project
from napari_ink.annotation.store.journal_writer import BUDGET_S
from napari_ink.stack import open_stack
from napari_ink.stack.conversion_folder import partial_path

SHAPE = (1300, 1100)
PLANES: tuple[Plane, Plane] = ("ink", "edge")
KILLS_A_PROJECT = 4
_WHOLE = "no finished step was lost"
Planes = dict[Plane, npt.NDArray[np.uint8]]


class Step(NamedTuple):
    """One step of editing; strokes and fills apply to a block of a plane."""

    kind: str
    plane: Plane
    y: int
    x: int
    values: npt.NDArray[np.uint8]
    name: str


class Killed(NamedTuple):
    """A killed program: the end times of its finished steps, and the time of the kill."""

    ends: tuple[float, ...]
    at: float


class Found(NamedTuple):
    """The steps of a killed program that a project contains.

    Attributes
    ----------
    steps
        Number of steps in the project, which may include the unfinished one.
    lost_s
        Seconds from the end of the oldest lost step to the kill; 0 if none is lost.
    """

    steps: int
    lost_s: float


class Labels(Protocol):
    """Something that steps can be applied to."""

    def do(self, step: Step) -> None:
        """Do one step."""


class StoredLabels:
    """A project's labels."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def do(self, step: Step) -> None:
        """Do one step."""
        match step.kind:
            case "undo":
                self.project.annotation.undo()
            case "redo":
                self.project.annotation.redo()
            case "version":
                self.project.versions.save(step.name)
            case tool:
                self.project.annotation.apply([(step.plane, step.y, step.x, step.values)], tool)


class PlainLabels:
    """Labels in plain arrays, with a full copy of every earlier state."""

    def __init__(self) -> None:
        self.planes: Planes = {plane: np.zeros(SHAPE, np.uint8) for plane in PLANES}
        self.versions: dict[str, Planes] = {}
        self.history: list[str] = []
        self.done: list[tuple[str, Plane, npt.NDArray[np.uint8]]] = []
        self.undone: list[tuple[str, Plane, npt.NDArray[np.uint8]]] = []

    def do(self, step: Step) -> None:
        """Do one step."""
        match step.kind:
            case "undo":
                self._move(self.done, self.undone)
            case "redo":
                self._move(self.undone, self.done)
            case "version":
                self.versions[step.name] = dict(self.planes)
            case tool:
                after = self.planes[step.plane].copy()
                after[step.y : step.y + step.values.shape[0], step.x : step.x + step.values.shape[1]] = step.values
                if not np.array_equal(after, self.planes[step.plane]):
                    self.done.append((tool, step.plane, self.planes[step.plane]))
                    self.planes[step.plane] = after
                    self.undone.clear()
                    self.history.append(tool)

    def copy(self) -> PlainLabels:
        """Return a copy that can be changed independently; arrays themselves are never changed."""
        other = PlainLabels()
        other.planes, other.versions, other.history = dict(self.planes), dict(self.versions), list(self.history)
        other.done, other.undone = list(self.done), list(self.undone)
        return other

    def adopt(self, other: PlainLabels) -> None:
        """Take over the state of another."""
        vars(self).update(vars(other))

    def _move(
        self, from_: list[tuple[str, Plane, npt.NDArray[np.uint8]]], to: list[tuple[str, Plane, npt.NDArray[np.uint8]]]
    ) -> None:
        if from_:
            tool, plane, values = from_.pop()
            to.append((tool, plane, self.planes[plane]))
            self.planes[plane] = values


def steps(seed: int) -> Iterator[Step]:
    """Yield an endless sequence of steps; the same seed yields the same steps."""
    rng = np.random.default_rng(seed)
    number = 0
    while True:
        number += 1
        kind = str(rng.choice(["stroke", "fill", "undo", "redo", "version"], p=[0.58, 0.2, 0.12, 0.08, 0.02]))
        y, x = (int(rng.integers(0, length)) for length in SHAPE)
        height, width = (rng.integers(200, 700, 2) if kind == "fill" else rng.integers(3, 90, 2)).tolist()
        values = np.full((min(height, SHAPE[0] - y), min(width, SHAPE[1] - x)), rng.integers(0, 3), np.uint8)
        yield Step(kind, PLANES[int(rng.integers(2))], y, x, values, f"{seed}-{number}")


def new_project(folder: Path) -> Path:
    """Create an empty project in `folder` and return its path."""
    np.save(folder / "seg.npy", np.zeros((1, *SHAPE), np.uint8))
    create_project(folder / "seg.ink", open_stack(folder / "seg.npy"), "nobody").close()
    return folder / "seg.ink"


def kill(project: Path, seed: int, wait_s: float) -> Killed:
    """Start a program that opens a project and edits it, and kill it."""
    command = [sys.executable, __file__, "--scribble", str(project), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdout.readline().strip() != "opening":
            raise RuntimeError("the program that edits did not start")
        time.sleep(wait_s)
        if process.poll() is not None:
            raise RuntimeError(f"the program that edits ended by itself with {process.returncode}")
        at = time.monotonic()
        process.kill()
        # The last line may be incomplete.
        ends = (line.split()[1] for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n"))
        return Killed(tuple(map(float, ends)), at)


def check(folder: Path, expected: PlainLabels, seed: int, killed: Killed, budget_s: float = BUDGET_S) -> Found:
    """Open a project after a kill, compare it with plain arrays, and return the steps it contains.

    `expected` is updated to the project's state.

    Raises
    ------
    AssertionError
        If the project is in none of the states that are allowed after the kill.
    """
    project = open_project(folder, author="reader")
    try:
        if project.read_only:
            raise AssertionError(f"the project is still locked by the killed program: {project.holder}")
        stored, finished = Contents(project), len(killed.ends)
        begun = [step for step, _ in zip(steps(seed), range(finished + 1), strict=False)]
        fewest = fewest_steps(begun, killed, budget_s)
        found, differs = None, ""
        for number in range(finished + 2):
            if number >= fewest and not (difference := stored.difference(expected)):
                found = number, expected.copy()  # the last match counts, since some steps change nothing
            elif number == finished:
                differs = difference
            if number <= finished:
                expected.do(begun[number])
        if found is None:
            raise AssertionError(f"of {finished} finished steps {fewest} must be present: {differs}")
        expected.adopt(found[1])
        lost = killed.ends[found[0] :]
        return Found(found[0], killed.at - lost[0] if lost else 0.0)
    finally:
        project.close()


def fewest_steps(begun: Sequence[Step], killed: Killed, budget_s: float) -> int:
    """Return the number of steps that must be present: those older than the budget or before the last saved version."""
    old = sum(end <= killed.at - budget_s for end in killed.ends)
    return max([old, *(at + 1 for at in range(len(killed.ends)) if begun[at].kind == "version")])


class Contents:
    """The complete content of a project, read once."""

    def __init__(self, project: Project) -> None:
        annotation, versions = project.annotation, project.versions
        sides = (0, SHAPE[0]), (0, SHAPE[1])
        self._planes = _planes(project)
        self._counts = {plane: annotation.count(plane) for plane in PLANES}
        self._names = (annotation.undo_name, annotation.redo_name)
        self._history = [header.tool for header in annotation.history()]
        self._versions: dict[str, Planes] = {
            name: {plane: versions.plane(name, plane, *sides) for plane in PLANES} for name in versions.names()
        }

    def difference(self, expected: PlainLabels) -> str:
        """Return the first difference from the expected labels in words, quick checks first; empty if there is none."""
        if self._history != expected.history:
            return "the history"
        if self._names != tuple(stack[-1][0] if stack else "" for stack in (expected.done, expected.undone)):
            return "the undo history"
        if set(self._versions) != set(expected.versions):
            return f"versions {sorted(set(self._versions) ^ set(expected.versions))}"
        for plane, values in self._planes.items():
            if not np.array_equal(values, expected.planes[plane]):
                return f"the {plane} plane"
            pixels = np.bincount(expected.planes[plane].ravel(), minlength=3).tolist()
            if self._counts[plane] != {value: pixels[value] for value in (1, 2) if pixels[value]}:
                return f"the counts of {plane}"
        for name, planes in expected.versions.items():
            for plane in PLANES:
                if not np.array_equal(self._versions[name][plane], planes[plane]):
                    return f"the {plane} plane of version {name}"
        return ""


def check_undo(folder: Path, expected: PlainLabels) -> None:
    """Undo all steps and redo them.

    Raises
    ------
    AssertionError
        If that does not lead to empty labels, and back to the previous ones.
    """
    project = open_project(folder, author="reader")
    done = 0
    while project.annotation.undo() is not None:
        done += 1
    is_empty = not any(project.annotation.count(plane) for plane in PLANES)
    if done != len(expected.done) or not is_empty or any(one.any() for one in _planes(project).values()):
        raise AssertionError(f"{done} steps were undone instead of {len(expected.done)}, or labels are left")
    for _ in range(done):
        project.annotation.redo()
    different = [
        plane for plane, values in _planes(project).items() if not np.array_equal(values, expected.planes[plane])
    ]
    project.close()
    if different:
        raise AssertionError(f"after undo and redo, labels differ in {', '.join(different)}")


def _planes(project: Project) -> Planes:
    return {plane: project.annotation.read(plane, (0, SHAPE[0]), (0, SHAPE[1])) for plane in PLANES}


def scribble(folder: Path, seed: int) -> None:
    """Run as the program that gets killed."""
    print("opening", flush=True)
    labels = StoredLabels(open_project(folder, author="scribbler"))
    for step in steps(seed):
        labels.do(step)
        print("done", time.monotonic(), flush=True)  # this clock is the same for all programs of a machine


def convert_command(source: Path, out: Path) -> list[str]:
    """Return the command that converts a stack."""
    return [sys.executable, "-m", "napari_ink.cli", "convert", str(source), str(out)]


def new_stacks(folder: Path) -> list[Path]:
    """Write a stack that is read in place, and one whose layers are copied first."""
    values = np.random.default_rng(0).integers(0, 65535, (9, 700, 2100), dtype=np.uint16)
    np.save(folder / "array.npy", values)
    (folder / "strips").mkdir()
    for z, layer in enumerate(values):
        tifffile.imwrite(folder / "strips" / f"{z}.tif", layer, compression="zlib", rowsperstrip=64)
    return [folder / "array.npy", folder / "strips"]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files in a folder."""
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def kill_conversions(kills: int, longest_s: float) -> Counter[str]:
    """Kill conversions and count their outcomes."""
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for source in new_stacks(folder):
            whole, out = folder / f"{source.stem}-whole.zarr", folder / f"{source.stem}.zarr"
            began = time.monotonic()
            subprocess.run(convert_command(source, whole), check=True, capture_output=True)
            # Half of the kills are in the last part of a run, in which the folder is moved and cleaned up.
            takes_s, expected = time.monotonic() - began, contents(whole)
            for number in range(kills // 2):
                rng = random.Random(number)
                wait_s = rng.uniform(0, min(longest_s, takes_s)) if number % 2 else rng.uniform(0.7, 1.05) * takes_s
                with subprocess.Popen(
                    convert_command(source, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                ) as process:
                    time.sleep(wait_s)
                    process.kill()
                is_last = number == kills // 2 - 1
                if number % KILLS_A_PROJECT and not out.exists() and not is_last:
                    outcomes["killed and restarted"] += 1
                    continue
                ended = subprocess.run(convert_command(source, out), capture_output=True, text=True, check=False)
                is_there = out.exists() and ended.returncode == 2 and "exists already" in ended.stderr
                is_right = out.exists() and contents(out) == expected and not partial_path(out).exists()
                if (ended.returncode == 0 or is_there) and is_right:
                    outcomes["all files equal"] += 1
                else:
                    outcomes["went wrong"] += 1
                    print(f"kill {number} of {source.name}: {ended.returncode}: {ended.stderr[-300:]}", file=sys.stderr)
                shutil.rmtree(out, ignore_errors=True)
                shutil.rmtree(partial_path(out), ignore_errors=True)
    return outcomes


def main() -> None:
    """Kill, open and compare, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--what", choices=("annotate", "convert"), default="annotate", help="program to kill")
    parser.add_argument("--longest", type=float, default=1.5, help="latest kill, in seconds after the start")
    parser.add_argument("--scribble", nargs=2, metavar=("PROJECT", "SEED"), help="run as the program that gets killed")
    args = parser.parse_args()
    if args.scribble:
        scribble(Path(args.scribble[0]), int(args.scribble[1]))
        return
    if args.what == "convert":
        began = time.monotonic()
        outcomes = kill_conversions(args.kills, max(args.longest, 5.0))
        print(f"{sum(outcomes.values())} kills of conversions, {time.monotonic() - began:.0f} s")
        for outcome, number in outcomes.most_common():
            print(f"- {outcome}: {number}")
        sys.exit(1 if outcomes["went wrong"] else 0)
    outcomes = Counter()
    finished, lost, longest_s = 0, 0, 0.0
    began = time.monotonic()
    for first in range(0, args.kills, KILLS_A_PROJECT):
        with tempfile.TemporaryDirectory() as place:
            folder, expected = new_project(Path(place)), PlainLabels()
            try:
                for seed in range(first, min(first + KILLS_A_PROJECT, args.kills)):
                    killed = kill(folder, seed, random.Random(seed).uniform(0, args.longest))
                    found = check(folder, expected, seed, killed)
                    finished += len(killed.ends)
                    lost += max(len(killed.ends) - found.steps, 0)
                    longest_s = max(longest_s, found.lost_s)
                    outcomes["only steps just before the kill were lost" if found.lost_s else _WHOLE] += 1
                check_undo(folder, expected)
            except AssertionError as error:
                outcomes["an older step was lost, or labels are wrong"] += 1
                print(f"kill {seed}: {error}", file=sys.stderr)
            except Exception as error:  # noqa: BLE001 - any reason that a project does not open is counted
                outcomes["failed to open"] += 1
                print(f"kill {seed}: {type(error).__name__}: {error}", file=sys.stderr)
    print(f"{sum(outcomes.values())} kills, {finished} finished steps, {time.monotonic() - began:.0f} s;", end=" ")
    print(f"{platform.machine()}, {platform.system()}")
    for outcome, number in outcomes.most_common():
        print(f"- {outcome}: {number}")
    print(f"{lost} steps were lost; the oldest had ended {1000 * longest_s:.0f} ms before the kill")
    if any(outcome.startswith(("something", "failed")) for outcome in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
