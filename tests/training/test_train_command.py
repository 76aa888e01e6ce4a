"""`napari-ink train` with real files: results, exit codes, and one-line errors."""

import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_ink.cli import main
from napari_ink.model import load_model, save_checkpoint
from napari_ink.model.network import InkEdgeNetwork
from napari_ink.phantom import PhantomConfig, make_phantom, write_segment
from tests.interrupting import interrupted
from tests.training.small import CONFIG, CONTRACT

QUICK = ["--batch-size", "2", "--crop-size", "64", "--precision", "fp32", "--device", "cpu", "--workers", "0"]


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = PhantomConfig(seed=1, height=128, width=160, depth_layers=20, letter_height=60)
    return write_segment(make_phantom(config), tmp_path_factory.mktemp("segments") / "seg")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "start.safetensors"
    return save_checkpoint(path, InkEdgeNetwork(CONFIG), CONFIG, CONTRACT, {})


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        code = main([str(argument) for argument in ("train", *arguments)])
    except SystemExit as end:
        code = int(end.code or 0)
    return code, *capfd.readouterr()


def test_a_model_is_trained_further_on_a_phantoms_folder(
    segment: Path, start: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    given = ("--pair", segment, "-o", out, "--from", start, "--steps", 2, "--lanes", 2)
    code, text, progress = run(capfd, *given, *QUICK)
    assert code == 0, progress
    assert re.search(r"best.safetensors: step [012] of 2 \(all steps taken\), ink F0.5 0\.\d+, edge ODS 0\.\d+", text)
    for sentence in (
        "No supervision mask",
        "No validation mask",
        "Reads depth layers 4 to 15 of 20",
        "Runs on the CPU in fp32",
    ):
        assert sentence in progress
    model = load_model(out / "best.safetensors")
    assert model.config == CONFIG and model.provenance["lanes"] == 2
    code, _, progress = run(capfd, "--pair", segment, "-o", out, "--from", start, "--steps", 2, *QUICK)
    assert code == 2 and "exists already" in progress and progress.count("\n") == 1


def test_bad_input_gives_one_line(
    segment: Path, start: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = ["-o", tmp_path / "run"]
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "small.png")
    cases: list[tuple[list[object], str]] = [
        (["--pair", segment, tmp_path / "small.png", *out], "20 × 20 pixels, smaller than the stack's 128 × 160"),
        (["--pair", segment, tmp_path / "none.png", *out], "no image at"),
        (["--pair", tmp_path / "none", *out], "none"),
        (["--pair", segment, segment, segment, *out], "not 3 names"),
        (["--pair", segment, *out, "--steps", "0"], "--steps cannot be 0"),
        (["--pair", segment, *out, "--learning-rate", "-1"], "--learning-rate cannot be -1"),
        (["--pair", segment, *out, "--crop-size", "100"], "multiple of 32"),
        (["--pair", segment, *out, "--from", "nothing"], "no model called nothing"),
        (["--pair", segment, *out, "--from", start, "--size", "base"], "not allowed with"),
        (["--pair", segment, "-o", tmp_path / "no" / "run"], "no folder"),
    ]
    for arguments, words in cases:
        code, text, error = run(capfd, *arguments)
        assert (code, text) == (2, ""), (arguments, error)
        lines = [line for line in error.splitlines() if line.startswith("napari-ink: ")]
        assert len(lines) == 1 and words in lines[0], error
        assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT between processes")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_is_resumed(
    segment: Path, start: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], sent: signal.Signals
) -> None:
    def command(name: str) -> list[str]:
        paths = ["--pair", str(segment), "-o", str(tmp_path / name), "--from", str(start)]
        return [*paths, "--steps", "20", "--validate-every", "20", *QUICK]

    rest = interrupted(["train", *command("run")], lambda process: os.kill(process, sent))
    assert rest.splitlines()[-1].startswith("napari-ink: Interrupted; the run is saved")
    assert (tmp_path / "run" / "state.pt").is_file()
    code, _, progress = run(capfd, *command("run"), "--resume")
    assert code == 0, progress
    assert load_model(tmp_path / "run" / "last.safetensors").provenance["steps"] == 20
