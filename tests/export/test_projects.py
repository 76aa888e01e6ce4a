"""Projects as a source: masks of the current labels, read through the store."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_ink.annotation import create_project
from napari_ink.cli import main
from napari_ink.errors import BadInputError
from napari_ink.export import annotation_plane, export_source, read_labels
from napari_ink.stack import open_stack

SHAPE = (600, 700)
RNG = np.random.default_rng(1)
INK = RNG.integers(0, 3, SHAPE, dtype=np.uint8)
EDGES = RNG.integers(0, 3, SHAPE, dtype=np.uint8)
REVIEW = np.array([[0, 2, 3], [2, 0, 1], [3, 0, 2]], np.uint8)
STATE = np.kron(REVIEW, np.ones((256, 256), np.uint8))[:600, :700]
TRUTH = {
    "ink": (INK == 2) * 255,
    "edges": (EDGES == 1) * 255,
    "labels": INK,
    "supervision": (((INK > 0) | (STATE == 2)) & (STATE != 3)) * 255,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    np.save(tmp_path / "7.npy", RNG.integers(0, 255, (3, *SHAPE), dtype=np.uint8))
    project = create_project(tmp_path / "7.ink", open_stack(tmp_path / "7.npy"))
    project.annotation.apply([("ink", 0, 0, INK), ("edge", 0, 0, EDGES), ("review", 0, 0, REVIEW)], "test")
    project.close()
    return tmp_path / "7.ink"


@pytest.mark.parametrize("what", list(TRUTH))
def test_a_project_is_a_source(project: Path, tmp_path: Path, what: str) -> None:
    (tmp_path / "7.npy").unlink()  # the stack is not needed
    out = export_source(project, tmp_path / "out.zarr", what)  # type: ignore[arg-type]
    np.testing.assert_array_equal(read_labels(out).whole(), TRUTH[what])


def test_parts_equal_those_of_the_whole_plane(project: Path) -> None:
    from napari_ink.annotation import Annotation

    plane = annotation_plane(Annotation(project, SHAPE, read_only=True), "supervision")
    for y, x in (((0, 1), (0, 1)), ((250, 513), (511, 700)), ((256, 512), (256, 512)), ((599, 600), (300, 690))):
        np.testing.assert_array_equal(plane.read(y, x), TRUTH["supervision"][slice(*y), slice(*x)])


def test_a_damaged_project_is_refused(project: Path, tmp_path: Path) -> None:
    shutil.rmtree(project / "annotation.zarr")
    with pytest.raises(BadInputError, match="cannot be read"):
        export_source(project, tmp_path / "out.png", "ink")
    (project / "project.json").write_text("{}")
    with pytest.raises(BadInputError, match="cannot be read"):
        export_source(project, tmp_path / "out.png", "ink")


def test_a_damaged_journal_is_reported(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray((project / "journal.bin").read_bytes())
    data[-1] ^= 1
    (project / "journal.bin").write_bytes(data)
    assert main(["export", str(project), "-o", str(tmp_path / "out.png")]) == 0
    assert "journal.bin is damaged: one change in it cannot be read" in capsys.readouterr().err
    np.testing.assert_array_equal(read_labels(tmp_path / "out.png").whole(), TRUTH["ink"])


def test_the_export_command_takes_a_project(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    csv, png = tmp_path / "7_inklabels.csv", tmp_path / "cropped.png"
    assert main(["export", str(project), "-o", str(csv)]) == 0
    assert capsys.readouterr().out.strip() == str(csv)
    assert main(["export", str(csv), "-o", str(png)]) == 2
    assert "size" in capsys.readouterr().err
    assert main(["export", str(csv), "-o", str(png), "--size", "600", "700"]) == 0
    np.testing.assert_array_equal(read_labels(png).whole(), TRUTH["ink"])
    assert main(["export", str(png), "-o", str(tmp_path / "b.png"), "--size", "0", "700"]) == 2
    assert main(["export", str(png), "-o", str(tmp_path / "b.npy"), "--size", "100", "90"]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), TRUTH["ink"][:100, :90])
