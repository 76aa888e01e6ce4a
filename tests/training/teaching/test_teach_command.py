"""`napari-ink teach` with real files: results, exit codes, one-line errors, and a kill at any instant."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

import napari_ink.training
from napari_ink.cli import main
from napari_ink.model import DEFAULT_MODEL
from napari_ink.training import TaughtModels
from napari_ink.training.teaching import stroke_head
from napari_ink.training.teaching.corrections import labels_digest, read_corrections


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(stroke_head, "fit_forest", partial(stroke_head.fit_forest, trees=25))


def run(capfd, *arguments, command="teach"):
    try:
        code = main([str(argument) for argument in (command, *arguments)])
    except SystemExit as end:
        code = int(end.code or 0)
    return code, *capfd.readouterr()


def test_models_are_taught_listed_used_and_left(new_project, start_file, phantom_file, tmp_path, capfd):
    folder = new_project()
    code, text, _ = run(capfd, folder, "--list")
    assert (code, text) == (0, "No model was taught in this project yet.\n")
    code, text, progress = run(capfd, folder, "--from", start_file, "--minutes", 0)
    assert code == 0, progress
    assert re.search(r"\* quick-1 +\d{4}-\d\d-\d\dT\d\d:\d\d  quick-1: better than before \(AUC 0\.\d+", text)
    assert "Learns from" in progress and "quick-1.safetensors" in progress
    code, text, _ = run(capfd, folder, "--use", "start", "--json")
    assert code == 0
    (listed,) = json.loads(text)
    assert listed["key"] == "quick-1" and listed["in_use"] is False
    code, text, _ = run(capfd, folder, "--use", "quick-1", "--json")
    assert (code, json.loads(text)[0]["in_use"]) == (0, True)
    code, text, error = run(capfd, folder, "--use", "quick-7")
    assert (code, text) == (2, "") and "there are: quick-1." in error
    # A second lesson starts from the same model as the first one, unless another is named.
    code, _, progress = run(capfd, folder, "--minutes", 0, "--seed", 1)
    assert code == 0, progress
    first, second = TaughtModels.of_project(folder).rows()
    assert second.started_from == first.started_from == str(start_file)
    assert "start.safetensors" in progress

    taught = folder / "models" / "quick-1.safetensors"
    code, _, progress = run(capfd, phantom_file, "-o", tmp_path / "map.zarr", "--model", taught, command="predict")
    assert code == 0, progress
    model = json.loads((tmp_path / "map.zarr" / "zarr.json").read_text())["attributes"]["napari_ink"]["model"]
    assert model["name"] == "quick-1"
    assert model["provenance"]["taught"] == first.model_dump(mode="json")


def test_bad_input_gives_one_line(new_project, start_file, strokes, tmp_path, capfd):
    folder = new_project()
    no_ink = new_project("papyrus.ink", np.where(strokes == 1, strokes, 0))
    no_papyrus = new_project("ink.ink", np.where(strokes == 2, strokes, 0))
    for arguments, words in [
        ([tmp_path / "none.ink"], "is no project"),
        ([folder, tmp_path], "is no project"),
        ([no_ink, "--from", start_file], "No ink is labelled"),
        ([no_papyrus, "--from", start_file], "No papyrus is labelled"),
        ([folder, "--from", "nothing"], "no model called nothing"),
        ([folder, "--from", start_file, "--minutes", "-1"], "cannot take -1 minutes"),
        ([folder, "--check", "quick-1"], "no taught model quick-1"),
    ]:
        code, text, error = run(capfd, *arguments)
        assert (code, text) == (2, ""), (arguments, error)
        lines = [line for line in error.splitlines() if line.startswith("napari-ink: ")]
        assert len(lines) == 1 and words in lines[0], error
        assert "Traceback" not in error
    assert TaughtModels.of_project(folder).rows() == []


def test_without_a_lesson_the_shipped_model_is_the_start(new_project, capfd, monkeypatch):
    requests = []

    def nothing(request):
        requests.append(request)
        yield from ()

    monkeypatch.setattr(napari_ink.training, "teach", nothing)
    assert run(capfd, new_project())[0] == 0
    assert requests[0].start.name == DEFAULT_MODEL and requests[0].minutes == 3


def test_checks_are_written_into_the_row(new_project, start_file, capfd, monkeypatch):
    monkeypatch.setattr("napari_ink.training.teaching.checks._PHANTOMS", 1)
    folder = new_project()
    assert run(capfd, folder, "--from", start_file, "--minutes", 0)[0] == 0
    code, text, error = run(capfd, folder, "--check", "quick-1")
    assert code == 0, error
    checks = TaughtModels.of_project(folder).row("quick-1").checks
    assert list(checks) == ["moved labels", "reversed depth", "known phantoms"]
    assert all(f"{name}: {result}" in text for name, result in checks.items())


def popen(*arguments):
    command = [sys.executable, "-m", "napari_ink.cli", "teach", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(condition, process):
    until = time.monotonic() + 120
    while not condition():
        assert process.poll() is None and time.monotonic() < until, process.stderr.read()
        time.sleep(0.02)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_an_interrupted_and_a_killed_lesson_leave_labels_and_models_whole(new_project, start_file, capfd):
    folder = new_project()
    models, before = TaughtModels.of_project(folder), labels_digest([read_corrections(folder)])
    with popen(folder, "--from", start_file, "--minutes", 5) as process:
        # Imports, which this instant meets, must not swallow the interrupt.
        wait_for(lambda: models.rows() and any((folder / "teaching").glob("*/request.json")), process)
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=120)[1]
        assert process.returncode == 130, rest
    assert "napari-ink: Interrupted; run the same command again to continue." in rest and "Traceback" not in rest
    assert any((folder / "teaching").glob("*/state.pt"))
    with popen(folder, "--from", start_file, "--minutes", 5) as process:
        for line in process.stderr:
            if "quick-1.safetensors" in line:  # from here on, the training continues
                break
        process.kill()
        process.wait(60)
        process.stderr.close()
    assert labels_digest([read_corrections(folder)]) == before
    assert [row.key for row in models.rows()] == ["quick-1"]
    assert models.current == "quick-1"
    code, text, _ = run(capfd, folder, "--list")
    assert code == 0 and "* quick-1" in text
