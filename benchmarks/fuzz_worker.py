"""A worker process of `fuzz.py`: creates an input, runs a command on it, and reports the outcome."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from types import FrameType
from typing import Literal

from fuzz_mutations import damage
from fuzz_seeds import SEEDS, Seed

MOST_SECONDS = 20
MOST_SECONDS_BUSY = 60  # while other programs use the processor
_IDLE_SECONDS = 0.5
_START_SECONDS = 20  # additional time for the start of Python and torch, on a busy machine
_MOST_FILE_BYTES = 4 * 10**9
_WORN_BYTES = 10**9  # a process above this is replaced, so that peaks belong to single inputs

Outcome = Literal[
    "accepted", "noted", "refused", "failed", "foreign", "traceback", "unclear", "half", "hang", "memory", "crash"
]
BROKEN: tuple[Outcome, ...] = ("foreign", "traceback", "unclear", "half", "hang", "memory", "crash")
"""Outcomes that break a promise: a foreign exception, a traceback on standard error, an unclear refusal, a half-written
export, too much time or memory, and an end by a signal."""

_ROUTINE = ("Runs on ", "Counts ", "1 of ", "2 of ")


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a command on a damaged input."""

    number: int
    kind: str
    command: list[str]
    damage: list[str]
    outcome: Outcome
    text: str = ""
    where: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0
    left: tuple[str, ...] = ()
    has_warning: bool = False
    is_real: bool = False
    is_reusable: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that all processes of a run share."""

    corpus: Path
    scratch: Path
    keep: Path
    seed: int
    kinds: tuple[str, ...]
    real_stride: int
    keep_all: bool

    def random(self, number: int) -> tuple[str, Random]:
        """Return an input's kind, and the random numbers that make it."""
        kind = self.kinds[number % len(self.kinds)]
        return kind, Random(f"{self.seed} {kind} {number}")

    def lost(self, number: int, outcome: Outcome, text: str) -> Result:
        """Return the result of an input whose process died; the input is saved."""
        kind, _ = self.random(number)
        folder = self.scratch / str(number)
        with contextlib.suppress(OSError):
            text += "\n" + (folder / "output").read_text(errors="replace")[-2000:]
        note = {"command": ["(none yet)"], "damage": ["(not made yet)"]}
        with contextlib.suppress(OSError, ValueError):  # the process may have ended before it wrote the file
            note = json.loads((folder / "input.json").read_text())
        result = Result(number, kind, note["command"], note["damage"], outcome, text, f"{kind} {note['command'][0]}")
        _keep(self, folder, result)
        return result


def work(settings: Settings, pipe: Connection) -> None:
    """Run commands on inputs whose numbers come through a pipe, until it is closed."""
    _import_what_is_slow()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_FILE_BYTES, _MOST_FILE_BYTES))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _CLOCK.on_alarm)
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        pipe.send(_one(settings, number))


def _import_what_is_slow() -> None:
    """Import slow modules ahead, so that the first input of a kind does not pay for them on a busy machine."""
    for name in (
        "napari_ink.cli",
        "napari_ink.training",
        "napari_ink.predict",
        "h5py",
        "nrrd",
        "skimage.morphology",
        "matplotlib.pyplot",
        "scipy.ndimage",
        "onnxruntime",
        "imagecodecs",
    ):
        importlib.import_module(name)


class _TimeUp(BaseException):
    """A time-out; not an `Exception`, so that no code takes it for a decoder's."""


class _Clock:
    """Ends inputs that take longer than `MOST_SECONDS`; the limit is higher while other programs use the machine."""

    def __init__(self) -> None:
        self._began = self._began_cpu = 0.0

    def start(self) -> None:
        self._began, self._began_cpu = time.monotonic(), time.process_time()
        signal.alarm(MOST_SECONDS)

    def stop(self) -> None:
        signal.alarm(0)

    def on_alarm(self, number: int, frame: FrameType | None) -> None:
        used, passed = time.process_time() - self._began_cpu, time.monotonic() - self._began
        # A process that waits for nothing uses no processor time, and an endless loop uses all it can get.
        if _IDLE_SECONDS < used < 0.8 * MOST_SECONDS and passed < MOST_SECONDS_BUSY:
            signal.alarm(5)
            return
        raise _TimeUp


_CLOCK = _Clock()


def _one(settings: Settings, number: int) -> Result:
    kind, rng = settings.random(number)
    seeds = [at for at, seed in enumerate(SEEDS) if seed.kind == kind]
    at = rng.choice(seeds)
    folder = settings.scratch / str(number)
    given, out = folder / "in", folder / "out"
    folder.mkdir()
    shutil.copytree(settings.corpus / str(at), given)
    out.mkdir()
    damages = damage(rng, given)
    command = _command(rng, SEEDS[at], given, out, settings.corpus / "helpers")
    (folder / "input.json").write_text(json.dumps({"command": command, "damage": damages}))
    is_real = settings.real_stride > 0 and number % settings.real_stride == 0
    began = time.monotonic()
    ran = _run_process(command, folder / "output") if is_real else _run_here(command, folder / "output")
    outcome, where = _judge(command, ran, out)
    left = tuple(sorted(p.name for p in out.iterdir())) if ran.code else ()
    held = _memory("VmRSS")
    is_fresh = outcome != "hang" and held < _WORN_BYTES and threading.active_count() < 60
    result = Result(
        number,
        kind,
        command,
        damages,
        outcome,
        text=ran.text[-3000:] + ran.error,
        where=where,
        seconds=time.monotonic() - began,
        peak_bytes=ran.peak_bytes,
        left=left,
        has_warning="Warning: " in ran.text,
        is_real=is_real,
        is_reusable=is_fresh,
    )
    if outcome in BROKEN or settings.keep_all:
        _keep(settings, folder, result)
    shutil.rmtree(folder, ignore_errors=True)
    return result


def _keep(settings: Settings, folder: Path, result: Result) -> None:
    """Copy an input to the folder of saved inputs, without following pipes and links."""
    settings.keep.mkdir(parents=True, exist_ok=True)
    saved = settings.keep / str(result.number)
    shutil.rmtree(saved, ignore_errors=True)
    subprocess.run(["cp", "-a", str(folder), str(saved)], check=False)
    (saved / "result.txt").write_text(
        f"{result.outcome} {result.where}\n{result.command}\n{result.damage}\n{result.text}", errors="replace"
    )


# Commands -------------------------------------------------------------------------------------------------------------

_PLANES = ("ink", "edges", "labels", "supervision")
_SUFFIXES = ("png", "tif", "npy", "zarr", "csv", "geojson", "svg", "json")


def _command(rng: Random, seed: Seed, given: Path, out: Path, helpers: Path) -> list[str]:
    """Return a command line for a damaged input."""
    main, stack, model = f"{given}/{seed.main}", str(helpers / "s.npy"), str(helpers / "m.safetensors")
    cpu, ink, truth = ["--device", "cpu"], str(helpers / "ink.png"), str(helpers / "truth.png")
    file = str(out / f"o.{rng.choice(_SUFFIXES)}")
    region = rng.choice((["--region", "0:40,0:40"], []))
    predict = ["predict", main, "-o", str(out / "p.zarr"), "--model", model, *cpu, *region]
    short = "--steps 1 --batch-size 1 --crop-size 64 --workers 0 --precision fp32"
    train = ["train", "-o", str(out / "run"), *short.split(), "--from", model, *cpu]
    match seed.role:
        case "stack":
            ways = (
                ["info", main],
                ["info", main, "--json"],
                predict,
                predict,
                ["convert", main, str(out / "c.zarr")],
                ["probe", main, "--model", model, "--tiles", "1", "--reach", "1", "--json", *cpu],
                [*train, "--pair", main, truth],
            )
        case "labels":
            size = ["--size", "70", "90"] if seed.kind == "csv" or rng.random() < 0.3 else []
            export = ["export", main, "-o", file, "--what", rng.choice(("ink", "ink", *_PLANES)), *size]
            others = (
                ["evaluate", ink, main, "--json"],
                ["evaluate", main, truth],
                ["evaluate", ink, truth, "--mask", main],
                ["predict", stack, *predict[2:], "--mask", main],
                ["probe", stack, "--model", model, "--tiles", "1", "--reach", "1", "--labels", main, *cpu],
                [*train, "--pair", stack, main],
            )
            # A file of a wrong format is refused as a mask, whatever its content.
            ways = (
                (export, export, export, rng.choice(others)) if _is_image(seed) else (*[export] * 9, rng.choice(others))
            )
        case "prediction":
            here = ["predict", f"{given}/s.npy", "-o", main, "--model", f"{given}/m.safetensors", *cpu, "--resume"]
            export = ["export", main, "-o", file, "--what", rng.choice(_PLANES)]
            ways = (["info", main], ["info", main, "--json"], export, export, ["evaluate", main, truth], here)
        case "project":
            export = ["export", main, "-o", file, "--what", rng.choice(_PLANES)]
            ways = (export, export, ["open-project", main], ["open-project", main])
        case "model":
            probe = ["probe", stack, "--model", main, "--tiles", "1", "--reach", "1", *cpu]
            here = ["predict", stack, "-o", str(out / "p.zarr"), "--model", main, *cpu]
            ways = (["models", main], ["models", main, "--json"], here, here, probe)
        case "list":
            ways = (["predict", main, "-o", str(out / "all"), "--model", model, *cpu],)
        case _:  # a conversion that was stopped
            go_on = ["convert", f"{given}/layers", f"{given}/out.zarr"]
            ways = (go_on, go_on, go_on, ["info", f"{given}/out.zarr.partial"])
    return list(rng.choice(ways))


def _is_image(seed: Seed) -> bool:
    return seed.kind in ("labels-png", "labels-tif")


def _open_project(folder: Path) -> int:
    """Open a project for editing as the window does, and close it; no command does that without a window."""
    from napari_ink.annotation import open_project
    from napari_ink.errors import NapariInkError

    try:
        project = open_project(folder)
        try:
            height, width = project.stack.shape[1:]
            project.annotation.read("ink", (0, height), (0, width))
            for name in project.versions.names():
                project.versions.plane(name, "ink", (0, height), (0, width))
        finally:
            project.close()
    except NapariInkError as error:
        print("napari-ink:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


# Running --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Ran:
    code: int | None = None  # None after an exception or a time-out
    text: str = ""
    error: str = ""
    where: str = ""
    is_late: bool = False
    peak_bytes: int = 0
    printed: str = field(default="", repr=False)


@contextlib.contextmanager
def _captured(path: Path) -> Iterator[None]:
    """Redirect both outputs, of Python and of native code, into files."""
    sys.stdout.flush(), sys.stderr.flush()
    before = os.dup(1), os.dup(2)
    results = os.open(path.with_name("results"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    errors = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(results, 1), os.dup2(errors, 2)
    try:
        yield
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        for copy, original in zip(before, (1, 2), strict=True):
            os.dup2(copy, original)
        for descriptor in (*before, results, errors):
            os.close(descriptor)


def _run_here(command: list[str], output: Path) -> _Ran:
    """Run a command within this process."""
    from napari_ink.cli import main

    ran = _Ran()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    with _captured(output), warnings.catch_warnings():
        warnings.simplefilter("always")
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)  # which are hidden in an ordinary run
        _CLOCK.start()
        try:
            ran.code = _open_project(Path(command[1])) if command[0] == "open-project" else main(command)
        except SystemExit as error:
            ran.code = int(error.code or 0)
        except _TimeUp as error:
            ran.is_late, ran.error, ran.where = True, traceback.format_exc(), _ours(error)
        except BaseException as error:  # noqa: BLE001 - any exception is a finding here
            ran.error, ran.where = traceback.format_exc(), f"{type(error).__name__} in {_ours(error)}"
        finally:
            _CLOCK.stop()
    ran.peak_bytes = _memory("VmHWM")
    ran.text = output.read_text(errors="replace")
    ran.printed = output.with_name("results").read_text(errors="replace")
    return ran


def _run_process(command: list[str], output: Path) -> _Ran:
    """Run a command as a separate process, and measure it."""
    words = [sys.executable, "-m", "napari_ink.cli", *command]
    if command[0] == "open-project":
        code = f"import sys; from fuzz_worker import _open_project, Path; sys.exit(_open_project(Path({command[1]!r})))"
        words = [sys.executable, "-c", code]
    ran = _Ran()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with output.open("wb") as errors, output.with_name("results").open("wb") as results:
        process = subprocess.Popen(words, stdout=results, stderr=errors, stdin=subprocess.DEVNULL, env=environment)
        ended = threading.Timer(MOST_SECONDS + _START_SECONDS, process.kill)
        ended.start()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        ran.is_late = ended.finished.is_set()
        ended.cancel()
    ran.code, ran.peak_bytes = process.returncode, used.ru_maxrss * 1024
    ran.text = output.read_text(errors="replace")
    ran.printed = output.with_name("results").read_text(errors="replace")
    return ran


def _memory(name: str) -> int:
    """Return one of this process's memory figures in bytes."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


def _ours(error: BaseException) -> str:
    """Return the innermost place of an exception within this package."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "napari_ink" in frame.filename]
    if not frames:
        return "?"
    last = frames[-1]
    return f"napari_ink{last.filename.rpartition('napari_ink')[2]}:{last.lineno} ({last.name})"


# Outcomes -------------------------------------------------------------------------------------------------------------


def _judge(command: list[str], ran: _Ran, out: Path) -> tuple[Outcome, str]:
    """Return the kind of outcome, and a key that is the same for equal faults."""
    name = command[0]
    if ran.is_late:
        return "hang", f"{name}: {ran.where}"
    if ran.peak_bytes > 2 * 10**9:
        return "memory", f"{name}: {ran.peak_bytes / 1e9:.1f} GB"
    if ran.code is None:
        return "foreign", ran.where
    if ran.code < 0:
        return "crash", f"{name}: signal {-ran.code}"
    if "Traceback (most recent call last)" in ran.text:
        return "traceback", f"{name}: {ran.text.strip().splitlines()[-1][:150]}"
    if ran.code == 0:
        return _judge_done(command, ran, out)
    lines = [line for line in ran.text.splitlines() if line.strip()]
    sentences = [line for line in lines if line.startswith("napari-ink: ")]
    if ran.code == 2:
        is_clear = len(sentences) == 1 and sentences[0].endswith((".", ";")) and len(sentences[0]) < 1500
        if not is_clear:
            return "unclear", f"{name}: {lines[-1][:100] if lines else 'no message'}"
        if name == "export" and any(out.iterdir()):
            return "half", f"{name}: leaves {sorted(p.name for p in out.iterdir())}"
        return "refused", ""
    return "failed", f"{name}: exit code {ran.code}"


def _judge_done(command: list[str], ran: _Ran, out: Path) -> tuple[Outcome, str]:
    if "--json" in command:
        try:
            json.loads(ran.printed)
        except ValueError as error:
            return "unclear", f"{command[0]} --json: prints no JSON ({error})"
    if command[0] == "export" and not any(out.iterdir()):
        return "half", "export: reports success, but wrote nothing"
    lines = [line for line in ran.text.splitlines() if line.strip() and not line.startswith(_ROUTINE)]
    return ("noted" if lines else "accepted"), ""
