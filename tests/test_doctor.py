"""`napari-ink doctor`: its report, and that no broken part of a machine stops it."""

import errno
import json
import tempfile
from importlib import metadata
from pathlib import Path

import pytest

from napari_ink import __version__
from napari_ink.cli import doctor, main


@pytest.fixture
def without_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("without_display")
def test_the_report_describes_this_machine(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["napari-ink"]["version"] == __version__
    assert report["packages"]["torch"] == metadata.version("torch")
    assert report["machine"]["cores for networks"] == 1
    assert report["window"]["display"].startswith("none")
    assert report["settings"]["OMP_NUM_THREADS"] == "1"
    assert report["problems"] == []


@pytest.mark.window
def test_the_report_has_the_opengl_of_a_display() -> None:
    problems: list[str] = []
    facts = doctor._window(problems)
    assert {"display", "Qt", "OpenGL", "renderer", "largest texture"} == set(facts)
    assert problems == []


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import time; time.sleep(60)", "did not end within 0.5 s"),
        ("import os; os.abort()", "failed (exit code -6)"),
        ("raise OSError('libcuda is damaged')", "failed (OSError: libcuda is damaged)"),
        ("print('not JSON')", "failed (exit code 0)"),
    ],
)
def test_a_broken_driver_is_a_problem_in_the_report(
    program: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_check.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if "sleep" in program:
        monkeypatch.setattr(doctor, "_LONGEST_CHECK_S", 0.5)
    problems: list[str] = []
    assert doctor._checked_apart("broken_check", problems) == {}
    (problem,) = problems
    assert reason in problem


def test_missing_packages_are_listed_with_the_extra_that_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    named = ["numpy>=1", "no-such-base>=1", 'no-such-docs; extra == "docs"', 'no-such-extra>=1; extra == "hdf5"']
    monkeypatch.setattr(metadata, "requires", lambda package: named)
    monkeypatch.setattr(doctor, "_QT_BINDINGS", ())
    problems: list[str] = []
    found = doctor._packages(problems)
    assert found == {
        "numpy": metadata.version("numpy"),
        "no-such-base": "missing",
        "no-such-extra": "not installed: extra hdf5",
    }
    assert [problem.split()[0] for problem in problems] == ["no-such-base", "Windows"]


def test_two_qt_bindings_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda package: [])
    monkeypatch.setattr(doctor, "_QT_BINDINGS", ("numpy", "zarr"))
    problems: list[str] = []
    doctor._packages(problems)
    assert len(problems) == 1 and "numpy and zarr are installed" in problems[0]


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**where: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    problems: list[str] = []
    assert doctor._folder(tmp_path / "cache", problems).endswith("not made yet") and not problems
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert doctor._folder(tmp_path, problems).endswith("cannot be written")
    assert len(problems) == 1 and "No space left" in problems[0]


def test_the_home_folder_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    assert doctor._short(Path("/home/somebody/scrolls/a")) == "~/scrolls/a"
    assert doctor._short(Path("/data/a")) == "/data/a"
