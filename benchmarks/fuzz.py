"""Damage files of every supported format, and check that the command line handles them as documented.

    python benchmarks/fuzz.py --inputs 10000 --seconds 600 [--seed N] [--kinds tiff,png] [--real 100]
    python benchmarks/fuzz.py --seed 0 --kinds png --only 1234    # repeat and save one input

The promise: a damaged input is either read, with or without a message, or refused in one sentence with exit code 2. It
never causes a foreign exception or a traceback, takes no more than 20 s or 2 GB, and leaves no half-written export.
Inputs are made from small valid ones (`fuzz_seeds.py`) by `fuzz_mutations.py`; the same seed and number make the same
input. Commands run within worker processes (`fuzz_worker.py`), since Python's start takes longer than most of them;
`--real` runs some of them as separate processes. Inputs that break a promise are saved in `--keep`, and the exit code
is then 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
from fuzz_seeds import KINDS, build_all
from fuzz_worker import BROKEN, MOST_SECONDS_BUSY, Outcome, Result, Settings, work

MOST_BYTES = 2 * 10**9
_GRACE_SECONDS = 10  # beyond its own alarm, for code that blocks Python's signals
_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class Worker:
    """A process that runs commands, and its current input."""

    process: BaseProcess
    pipe: Connection
    number: int | None = None
    since: float = 0.0

    def give(self, number: int) -> None:
        """Send an input to the process."""
        self.number, self.since = number, time.monotonic()
        self.pipe.send(number)

    def overdue(self) -> Outcome | None:
        """Return the reason to end the process, or None if there is none."""
        if self.number is None:
            return None
        if time.monotonic() - self.since > MOST_SECONDS_BUSY + _GRACE_SECONDS:
            return "hang"
        try:
            ours = psutil.Process(self.process.pid)
            held = sum(one.memory_info().rss for one in (ours, *ours.children(recursive=True)))
        except psutil.Error:
            return None
        return "memory" if held > MOST_BYTES else None

    def end(self) -> None:
        """Kill the process and its children."""
        try:
            for one in psutil.Process(self.process.pid).children(recursive=True):
                one.kill()
        except psutil.Error:
            pass
        self.process.kill()
        self.process.join()
        self.pipe.close()


@dataclass
class Report:
    """The results of all inputs."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    broken: dict[tuple[str, str], list[Result]] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    real: int = 0
    warnings: int = 0
    peak: tuple[int, int] = (0, 0)
    slowest: tuple[float, int] = (0.0, 0)

    def add(self, result: Result) -> None:
        """Count one result."""
        self.outcomes.setdefault(result.kind, Counter())[result.outcome] += 1
        self.real += result.is_real
        self.warnings += result.has_warning
        self.peak = max(self.peak, (result.peak_bytes, result.number))
        self.slowest = max(self.slowest, (result.seconds, result.number))
        if result.left:
            self.left[result.command[0]] += 1
        if result.outcome in (*BROKEN, "failed"):
            self.broken.setdefault((result.outcome, result.where), []).append(result)

    @property
    def is_good(self) -> bool:
        """Whether all promises hold."""
        return not any(outcome in BROKEN for outcome, _ in self.broken)

    def print(self, seed: int, seconds: float, keep: Path) -> None:
        """Print the tables, and each fault once."""
        names = ("accepted", "noted", "refused", "failed", *BROKEN)
        total = sum((counts for counts in self.outcomes.values()), Counter())
        print(f"{'kind':14}{'inputs':>8}" + "".join(f"{name:>11}" for name in names))
        for kind, counts in (*sorted(self.outcomes.items()), ("all", total)):
            print(f"{kind:14}{counts.total():8}" + "".join(f"{counts[name] or '·':>11}" for name in names))
        print(f"{total.total()} inputs, {self.real} of them as separate processes, in {seconds:.0f} s")
        print(
            f"highest peak {self.peak[0] / 1e6:.0f} MB (input {self.peak[1]}), "
            f"longest {self.slowest[0]:.1f} s (input {self.slowest[1]})"
        )
        print(f"{self.warnings} unedited warnings of other packages")
        if self.left:
            print("files left behind after a refusal:", ", ".join(f"{n} × {c}" for c, n in self.left.items()))
        for (outcome, where), results in sorted(self.broken.items()):
            one = results[0]
            print(f"\n{outcome.upper()} × {len(results)}: {where}")
            print(f"  {' '.join(one.command)}\n  damaged: {'; '.join(one.damage)}\n  text: {one.text.strip()[-700:]}")
            print(f"  repeat: python benchmarks/fuzz.py --seed {seed} --kinds {one.kind} --only {one.number}")
            if outcome in BROKEN:
                print(f"  saved in: {keep / str(one.number)}")


def run(settings: Settings, numbers: Iterator[int], jobs: int, seconds: float) -> Iterator[Result]:
    """Run inputs on several processes, and replace processes that have to be ended."""
    deadline = time.monotonic() + seconds
    workers = [_start(settings) for _ in range(jobs)]
    try:
        for worker in workers:
            _next(worker, numbers, deadline)
        while busy := [worker for worker in workers if worker.number is not None]:
            connection.wait([worker.pipe for worker in busy], _LOOK_SECONDS)
            for worker in busy:
                if (result := _result_of(worker, settings)) is None:
                    continue
                yield result
                if not result.is_reusable:
                    worker.end()
                    workers[workers.index(worker)] = worker = _start(settings)
                _next(worker, numbers, deadline)
    finally:
        for worker in workers:
            worker.end()


def _result_of(worker: Worker, settings: Settings) -> Result | None:
    """Return the result of a worker's input, or None if it is not known yet."""
    number = worker.number
    assert number is not None
    if worker.pipe.poll():
        try:
            result: Result = worker.pipe.recv()
            return result
        except (EOFError, OSError):
            worker.process.join()
            return settings.lost(number, "crash", f"ended by signal {-(worker.process.exitcode or 0)}")
    if (why := worker.overdue()) is not None:
        return settings.lost(number, why, f"after {time.monotonic() - worker.since:.1f} s")
    return None


def _next(worker: Worker, numbers: Iterator[int], deadline: float) -> None:
    number = next(numbers, None) if time.monotonic() < deadline else None
    if number is None:
        worker.number = None
    else:
        worker.give(number)


def _start(settings: Settings) -> Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(settings, theirs), daemon=False)
    process.start()
    theirs.close()
    return Worker(process, ours)


def main() -> int:
    """Run the requested inputs and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10000)
    parser.add_argument("--seconds", type=float, default=600.0, help="time after which no new input starts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS), help="default: %(default)s")
    parser.add_argument("--real", type=int, default=0, help="number of inputs to run as separate processes")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--only", type=int, metavar="NUMBER", help="repeat one input of the kind in --kinds")
    args = parser.parse_args()
    kinds = tuple(args.kinds.split(","))
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"unknown kind: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        corpus, scratch = Path(name, "corpus"), Path(name, "scratch")
        corpus.mkdir(), scratch.mkdir()
        os.environ |= {"HOME": name, "XDG_CACHE_HOME": name, "XDG_CONFIG_HOME": name, "TMPDIR": str(scratch)}
        os.environ |= {
            "MPLBACKEND": "Agg",
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore:resource_tracker",
        }  # of processes that were ended
        build_all(corpus)
        stride = max(1, args.inputs // args.real) if args.real else 0
        settings = Settings(corpus, scratch, args.keep.absolute(), args.seed, kinds, stride, args.only is not None)
        numbers = iter(range(args.inputs)) if args.only is None else iter([args.only])
        report, began = Report(), time.monotonic()
        for result in run(settings, numbers, 1 if args.only is not None else args.jobs, args.seconds):
            report.add(result)
        report.print(args.seed, time.monotonic() - began, args.keep)
        # Files without permissions must not keep the others from being removed.
        subprocess.run(["chmod", "-R", "u+rwX", str(scratch)], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(scratch, ignore_errors=True)
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
