"""A file of each published layout from the command line: it opens, predicts, is recorded, resumes, and runs no code."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_ink.cli import main
from napari_ink.model import load_model
from napari_ink.predict import PredictRequest, open_prediction
from napari_ink.stack import open_stack
from tests.model.field_files import LAYOUTS
from tests.model.test_ink_9um import RunsCode
from tests.predict.stand_ins import run, run_until
from tests.predict.test_interruption import chunks, has_more_than

KILLED = ("ink_9um", "timesformer")
PICKLED = [name for name in LAYOUTS if "bare" not in name and name != "v8-in"]


ROOT = Path(__file__).parents[2]
# By its own hand as soon as a block is stored: a small network is done before another process could kill it.
KILLS_ITSELF = """
import os, signal, sys
from pathlib import Path
from napari_ink.model import load_model
from napari_ink.predict import PredictRequest, predict
from napari_ink.stack import open_stack
from tests.predict.test_interruption import has_more_than
stack, model, out = sys.argv[1:]
for _ in predict(PredictRequest(open_stack(stack), load_model(model), Path(out), device="cpu")):
    if has_more_than(Path(out), 0):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@dataclass(frozen=True)
class Ended:
    """What a command returned and printed."""

    returncode: int
    stdout: str
    stderr: str


def here(capfd: pytest.CaptureFixture[str], *words: str | Path) -> Ended:
    """Run a command in this process, without another start of Python and torch."""
    capfd.readouterr()
    return Ended(main([str(word) for word in words]), *capfd.readouterr())


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "napari_ink.cli", *map(str, words)]


def shell(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def stack_file(folder: Path, shape: tuple[int, int, int]) -> Path:
    np.save(folder / "segment.npy", np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8))
    return folder / "segment.npy"


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_published_layout_predicts_what_its_description_says(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    layout = LAYOUTS[name]
    path, out = layout.write(tmp_path, True), tmp_path / "p.zarr"
    # Of 65 layers, the TimeSformer reads from the 17th on; the others read the middle ones.
    first = 17 if "timesformer" in name else 1
    stack = stack_file(tmp_path, (65 if first > 1 else layout.layers + 2, layout.tile, layout.tile))
    words = ("predict", stack, "-o", out, "--model", path, "--device", "cpu", "--tile-size", str(layout.tile))
    done = here(capfd, *words)
    assert done.returncode == 0, done.stderr
    assert "This model predicts no edges." in done.stderr
    prediction = open_prediction(out)
    with torch.inference_mode():
        expected = layout.expected(np.load(stack)[first : first + layout.layers]).numpy()
    # A single tile: its values are those of the network, in steps of 1/255.
    assert np.abs(prediction.read("ink") / 255 - expected).max() < 0.7 / 255
    assert expected.std() > 1e-3
    model = prediction.provenance["model"]
    beside = sorted(tmp_path.glob("*.json"))
    assert model["source"] == str(path)
    assert model["sha256"] == hashlib.sha256(b"".join(one.read_bytes() for one in (path, *beside))).hexdigest()
    assert prediction.provenance["z_window"] == [first, first + layout.layers]


@pytest.mark.parametrize("name", KILLED)
def test_a_run_goes_on_after_kill_9(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    layout = LAYOUTS[name]
    path, out, whole = layout.write(tmp_path, True), tmp_path / "p.zarr", tmp_path / "whole.zarr"
    stack = stack_file(tmp_path, (layout.layers + 4, layout.tile, 800))
    words = ("predict", stack, "--model", path, "--device", "cpu")
    assert here(capfd, *words, "-o", whole).returncode == 0
    killed = subprocess.run([sys.executable, "-c", KILLS_ITSELF, stack, path, out], check=False, cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert 0 < open_prediction(out).done_fraction < 1
    resumed = here(capfd, *words, "-o", out, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert chunks(out) == chunks(whole)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name not in KILLED])
def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path: Path, name: str) -> None:
    """Other layouts are stopped in this process: the store, which a kill puts at risk, is the same for all of them."""
    layout = LAYOUTS[name]
    stack = open_stack(stack_file(tmp_path, (layout.layers + 4, layout.tile, 600)))
    model = load_model(layout.write(tmp_path, True))
    request = PredictRequest(stack, model, tmp_path / "p.zarr", device="cpu", batch_size=1)
    run(whole := replace(request, out=tmp_path / "whole.zarr"))
    run_until(request, lambda _: has_more_than(request.out, 0))
    assert 0 < open_prediction(request.out).done_fraction < 1
    run(replace(request, resume=True))
    assert chunks(request.out) == chunks(whole.out)


@pytest.mark.parametrize("name", PICKLED)
def test_a_hostile_file_runs_nothing(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    layout, trap = LAYOUTS[name], tmp_path / "it ran"
    path = layout.write(tmp_path, True)
    content: dict[str, Any] = torch.load(path, weights_only=False)
    torch.save({**content, "more": RunsCode(trap)}, path)
    stack = stack_file(tmp_path, (layout.layers + 2, layout.tile, layout.tile))
    for words in (("models", path), ("predict", stack, "-o", tmp_path / "p.zarr", "--model", path)):
        # One layout from a real shell; the others in this process, where the trap would work as well.
        done = shell(*words) if name == PICKLED[0] and words[0] == "predict" else here(capfd, *words)
        assert done.returncode == 2
        assert "open beside its weights" in done.stderr and "Traceback" not in done.stderr
        assert not trap.exists()
    # The trap works: a program that unpickles such a file runs it.
    content = torch.load(path, weights_only=False)
    content["more"].close()
    assert trap.exists()


def test_the_models_command_describes_each_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = []
    for name, layout in LAYOUTS.items():
        folder = tmp_path / name
        folder.mkdir()
        paths.append(layout.write(folder, True))
    done = here(capfd, "models", *paths, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [Path(one["path"]) for one in found] == paths
    assert not any(one["predicts_edges"] for one in found)
    assert [one["contract"]["depth_layers"] for one in found] == [one.layers for one in LAYOUTS.values()]
