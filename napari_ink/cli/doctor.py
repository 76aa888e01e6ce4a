"""The command `napari-ink doctor`: describe this installation and machine, for a report of a problem."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from napari_ink import __version__
from napari_ink.cli.common import json_argument, print_json
from napari_ink.decoding import reason_of
from napari_ink.errors import NapariInkError

_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_FOR_DEVELOPERS = "docs"
_SETTINGS = (
    "CUDA_VISIBLE_DEVICES",
    "LIBGL_ALWAYS_SOFTWARE",
    "NAPARI_INK_CACHE_GB",
    "OMP_NUM_THREADS",
    "QT_API",
    "QT_QPA_PLATFORM",
)
# A driver that hangs must not stop the report. Loading torch or Qt takes seconds, on a network drive a minute.
_LONGEST_CHECK_S = 90

Facts = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    json_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Describe this installation and machine (versions, GPU, memory, OpenGL, folders), for a report of a problem."""
    problems: list[str] = []
    report: Facts = {
        "napari-ink": {"version": __version__, "python": platform.python_version(), "system": platform.platform()},
        "packages": _packages(problems),
        "machine": {**_machine(), **_checked_apart("napari_ink.cli.device_report", problems)},
        "window": _window(problems),
        "folders": _folders(problems),
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
        "problems": problems,
    }
    if arguments.json:
        print_json(report)
        return
    for heading, facts in report.items():
        print(f"{heading}\n" + ("\n".join(_lines(facts)) or "  none"))


def _lines(facts: Facts | list[str]) -> list[str]:
    if isinstance(facts, list):
        return [f"  {fact}" for fact in facts]
    return [f"  {name:22}{value}" for name, value in facts.items()]


def _window(problems: list[str]) -> Facts:
    """Return the display and OpenGL, asked for in another process; nothing without Qt, which the packages show."""
    from napari_ink.gui.app import has_display, need_qt

    try:
        need_qt()
    except NapariInkError:
        return {}
    if not has_display():
        return {"display": "none, so windows cannot be opened (a virtual one: xvfb-run -a)"}
    return _checked_apart("napari_ink.gui.layers.opengl_report", problems)


def _packages(problems: list[str]) -> Facts:
    """Return the version of each package that napari-ink names, and the extra that would install a missing one."""
    try:
        requirements = metadata.requires("napari-ink") or []
    except metadata.PackageNotFoundError:
        problems.append("napari-ink is not installed, so napari does not list it; run `pip install napari-ink`.")
        return {}
    found: Facts = {}
    for requirement in requirements:
        # The rest of a requirement is versions and markers.
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"](\w+)", requirement)
        # Users lack the tools of developers, and nothing is wrong with that.
        if extra is not None and extra[1] == _FOR_DEVELOPERS:
            continue
        version = _version(name)
        if version is None and extra is None:
            problems.append(f"{name} is not installed; run `pip install napari-ink`.")
        found.setdefault(name, version or (f"not installed: extra {extra[1]}" if extra else "missing"))
    bindings = {name: version for name in _QT_BINDINGS if (version := _version(name))}
    if not bindings:
        problems.append('Windows need Qt, which is not installed; run `pip install "napari-ink[qt]"`.')
    if len(bindings) > 1:
        problems.append(f"{' and '.join(bindings)} are installed, which may be mixed up; set QT_API, or remove one.")
    return {**found, **bindings}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _machine() -> Facts:
    import psutil

    memory = psutil.virtual_memory()
    facts = {
        "processor": f"{_processor()}, {psutil.cpu_count()} logical cores",
        "memory": f"{_gigabytes(memory.total)}, {_gigabytes(memory.available)} free",
    }
    if limit := _memory_limit():
        facts["memory limit"] = f"{_gigabytes(limit)} for this container or job"
    return facts


def _processor() -> str:
    # Linux tells Python the architecture alone.
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.is_file() and (name := re.search(r"model name\s*: (.+)", cpu_info.read_text(errors="replace"))):
        return name[1]
    return platform.processor() or platform.machine()


def _memory_limit() -> int | None:
    # psutil reports the memory of the machine, of which a container may get a part.
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return int(text) if text.isdigit() else None


def _checked_apart(module: str, problems: list[str]) -> Facts:
    """Return what a module prints as JSON in a process of its own, which a broken driver may crash or hang."""
    try:
        ended = subprocess.run(
            # -P: a file of the same name in the current folder must not run instead.
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_CHECK_S,
        )
        facts: Facts = json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        problems.append(f"`python -m {module}` did not end within {_LONGEST_CHECK_S} s; check the graphics driver.")
        return {}
    except json.JSONDecodeError:
        problems.append(f"`python -m {module}` failed ({_reason(ended)}); run it by itself to see all that it prints.")
        return {}
    problems.extend(facts.pop("problems", []))
    return facts


def _reason(ended: subprocess.CompletedProcess[str]) -> str:
    """Return the line of a failed check that says most: the first of Qt's messages, the last of a traceback."""
    lines = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def _folders(problems: list[str]) -> Facts:
    from platformdirs import user_cache_path

    folders = {"current": Path.cwd(), "cache": user_cache_path("napari-ink"), "temporary": Path(tempfile.gettempdir())}
    return {name: _folder(path, problems) for name, path in folders.items()}


def _folder(path: Path, problems: list[str]) -> str:
    """Describe a folder, or the one that it would be made in, without making it."""
    there = next(folder for folder in (path, *path.parents) if folder.is_dir())
    # Access rights do not tell of a read-only or a full disk; a file does.
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"napari-ink")
    except OSError as error:
        problems.append(f"{_short(there)} cannot be written: {reason_of(error)}; make room, or ask for the right to.")
        return f"{_short(path)}, cannot be written"
    free = _gigabytes(shutil.disk_usage(there).free)
    return f"{_short(path)}, {free} free" + ("" if there == path else ", not made yet")


def _short(path: Path) -> str:
    """Return a path with the home folder as ``~``, since a report is public."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) and path != home else str(path)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
