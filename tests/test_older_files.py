"""Files of earlier versions: a project, a prediction, a checkpoint and a journal open unchanged."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_ink.annotation import open_project
from napari_ink.cli import main
from napari_ink.predict import open_prediction

BEFORE = Path(__file__).parent / "data" / "before-0.2"
SHAPE = (160, 176)


@pytest.fixture
def here(tmp_path):
    """The files of commit 86ea848 in a separate folder, beside their stack."""
    shutil.copytree(BEFORE, tmp_path, dirs_exist_ok=True)
    values = np.random.default_rng(5).integers(0, 256, (16, 40, 44), dtype=np.uint8)
    np.save(tmp_path / "piece.npy", values.repeat(4, 1).repeat(4, 2))
    return tmp_path


def _digest(values):
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def test_a_project_opens_with_its_labels_history_and_versions(here):
    project = open_project(here / "piece.ink", author="bob")
    labels = project.annotation
    planes = {"ink": SHAPE, "edge": SHAPE, "review": (1, 1)}
    found = {plane: _digest(labels.read(plane, (0, rows), (0, columns))) for plane, (rows, columns) in planes.items()}
    assert found == {"ink": "6814b75707641290", "edge": "db40af70a4604ca9", "review": "dbc1b4c900ffe48d"}
    assert [(header.number, header.tool) for header in labels.history()] == [
        (1, "ink"),
        (2, "papyrus"),
        (3, "edge"),
        (4, "not edge"),
        (5, "find similar"),
        (9, "review"),
        (10, "livewire"),
    ]
    assert project.versions.names() == ["first look"]
    assert project.view == {"zoom": 2.5, "centre": [3, 4]}
    assert (labels.undo_name, labels.redo_name) == ("review", "livewire")
    project.close()


def test_an_older_journal_undoes_and_redoes_its_edits(here):
    project = open_project(here / "piece.ink", author="bob")
    labels = project.annotation
    labels.redo()
    assert (labels.read("ink", (30, 35), (30, 120)) == 2).all()
    for _ in range(3):  # livewire, review and the edge that was marked as none
        labels.undo()
    assert labels.count("edge") == {1: 84}
    project.close()


def test_a_prediction_opens_and_its_checkpoint_makes_the_same_map(here):
    stored = open_prediction(here / "piece.zarr")
    ink = stored.read("ink", slice(0, 160), slice(0, 176))
    assert (_digest(ink), stored.done_fraction) == ("671d71c8d2a02357", 1.0)
    model, out = str(here / "small.safetensors"), here / "again.zarr"
    words = ["predict", here / "piece.npy", "-o", out, "--model", model, "--device", "cpu", "--region", "0:128,0:176"]
    assert main([str(word) for word in words]) == 0
    again = open_prediction(out).read("ink", slice(0, 160), slice(0, 176))
    assert np.abs(again.astype(int) - ink).max() <= 1
