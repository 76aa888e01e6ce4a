"""`napari-ink info PROJECT`: the predictions of a project as a table and as JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from napari_ink.annotation import create_project
from napari_ink.cli import main
from napari_ink.predict import PredictionFolder
from napari_ink.predict.storage.stored import record_path
from napari_ink.stack import open_stack
from tests.predict.stored_predictions import noise, write_prediction


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a whole prediction, one that was cancelled, and a deleted one."""
    folder = PredictionFolder(tmp_path / "seg.ink")
    disagreeing = noise(1, 3)
    disagreeing[2] = 51
    whole = write_prediction(folder.path / "a.zarr", disagreeing)
    write_prediction(folder.path / "b.zarr", noise(2), blocks=3, started="2026-11-24T04:05:06+00:00")
    folder.rename(whole, "the first")
    folder.discard(write_prediction(folder.path / "c.zarr", noise(3)))
    return tmp_path / "seg.ink"


def test_the_predictions_of_a_project_are_listed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["info", str(project)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"project:       {project}"
    assert lines[1] == "predictions:   2"
    assert lines[2].startswith("trash:         1, 0.")
    assert lines[4].split("  ")[0].strip() == "name"
    assert [line.split()[0] for line in lines[5:]] == ["stand-in", "the"]
    assert "whole segment" in lines[5] and " 50 % " in lines[5] and lines[5].endswith("predictions/b.zarr")
    assert "100 %" in lines[6] and "0.200" in lines[6]


def test_a_program_reads_them_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "predictions" / "d.zarr").mkdir()
    main(["info", str(project), "--json"])
    ended = capsys.readouterr()
    info = json.loads(ended.out)
    assert info["project"] == str(project)
    unfinished, whole = info["predictions"]
    assert (unfinished["name"], unfinished["done"], unfinished["complete"]) == ("stand-in", 0.5, False)
    assert whole == {
        "name": "the first",
        "path": str(project / "predictions/a.zarr"),
        "model": "stand-in",
        "model_sha256": "0" * 64,
        "started": "2026-11-23T04:05:06+00:00",
        "region": [0, 300, 0, 520],
        "done": 1.0,
        "complete": True,
        "mean_disagreement": 0.2,
        "unfamiliar_share": None,
        "doubts": [],
        "contract": {"direction": "as stored", "surface_offset": 0},
    }
    (trashed,) = info["trash"]
    assert trashed["name"] == "stand-in" and trashed["bytes"] > 0
    assert "d.zarr is not listed" in info["not_listed"][0]


def test_info_writes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    main(["info", str(project)])
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before
    assert record_path(project / "predictions/a.zarr") in before


def test_a_project_without_predictions_has_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "seg.npy", np.full((3, 40, 50), 9, np.uint8))
    create_project(tmp_path / "seg.ink", open_stack(tmp_path / "seg.npy")).close()
    main(["info", str(tmp_path / "seg.ink")])
    assert capsys.readouterr().out.splitlines()[1:] == ["predictions:   0", "trash:         0"]


def test_a_grey_range_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(project), "--grey-range", "0", "9"]) == 2
    assert "is a project, and only stacks have a grey range" in capsys.readouterr().err
