"""`napari-ink evaluate`: the pixels that it counts, and its notes on them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from napari_ink.cli import main
from napari_ink.evaluation import boundary_iou, edge_scores, ink_scores, label_edges

SHAPE = (40, 60)
TOLERANCE_PX = 0.0075 * 512 * 2**0.5
Scores = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture
def scores(capsys: pytest.CaptureFixture[str]) -> Scores:
    def scores(*arguments: object) -> tuple[dict[str, Any], str]:
        assert main(["evaluate", *map(str, arguments), "--json"]) == 0
        out, err = capsys.readouterr()
        return json.loads(out), err

    return scores


def save(path: Path, plane: np.ndarray) -> Path:
    Image.fromarray(plane.astype(np.uint8) * (255 if plane.dtype == bool else 1)).save(path)
    return path


@pytest.fixture
def planes(tmp_path: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    truth, reviewed = np.zeros((2, *SHAPE), bool)
    truth[10:30, 10:50] = reviewed[5:35, 5:40] = True
    ink = np.clip(rng.normal(90 + 60 * truth, 40), 0, 255).astype(np.uint8)
    save(tmp_path / "ink.png", ink)
    save(tmp_path / "seg_inklabels.png", truth)
    return {"ink": ink, "truth": truth, "reviewed": reviewed}


def test_every_pixel_counts_by_default(scores: Scores, planes: dict[str, np.ndarray], tmp_path: Path) -> None:
    found, notes = scores(tmp_path / "ink.png", tmp_path / "seg_inklabels.png")
    assert "every pixel, since no supervision mask" in notes
    expected = ink_scores(planes["ink"], planes["truth"])
    assert (found["f0_5"], found["calibration_error"]) == (expected.f0_5, expected.calibration_error)
    called = planes["ink"] >= round(expected.best_threshold * 255)
    assert found["boundary_iou"] == boundary_iou(called, planes["truth"], distance=5)
    assert found["edge_ois"] is None and found["pixels"] == planes["truth"].size


@pytest.mark.parametrize("version", ["", "_v2"])
def test_the_supervision_mask_of_the_same_version_is_used(
    scores: Scores, planes: dict[str, np.ndarray], tmp_path: Path, version: str
) -> None:
    labels = save(tmp_path / f"seg_inklabels{version}.png", planes["truth"])
    save(tmp_path / f"seg_supervision_mask{version}.png", planes["reviewed"])
    save(tmp_path / "seg_supervision_mask_v7.png", ~planes["reviewed"])
    found, notes = scores(tmp_path / "ink.png", labels)
    assert f"inside seg_supervision_mask{version}.png" in notes
    assert found["f0_5"] == ink_scores(planes["ink"], planes["truth"], planes["reviewed"]).f0_5
    assert found["pixels"] == planes["reviewed"].sum()
    everywhere, notes = scores(tmp_path / "ink.png", labels, "--everywhere")
    assert everywhere["pixels"] == planes["truth"].size and "every pixel, as requested" in notes


def test_unreviewed_label_values_do_not_count(scores: Scores, planes: dict[str, np.ndarray], tmp_path: Path) -> None:
    values = np.where(planes["reviewed"], 1 + planes["truth"], 0).astype(np.uint8)
    labels, half = save(tmp_path / "mine.png", values), np.zeros(SHAPE, bool)
    found, notes = scores(tmp_path / "ink.png", labels)
    assert "reviewed pixels of mine.png" in notes
    assert found["f0_5"] == ink_scores(planes["ink"], planes["truth"], planes["reviewed"]).f0_5
    half[:20] = True
    both, notes = scores(tmp_path / "ink.png", labels, "--mask", save(tmp_path / "half.png", half))
    assert "mine.png" in notes and "half.png" in notes
    assert both["pixels"] == (planes["reviewed"] & half).sum()


def test_sixteen_bits_score_as_eight(scores: Scores, planes: dict[str, np.ndarray], tmp_path: Path) -> None:
    Image.fromarray(planes["ink"].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    one, two = (scores(tmp_path / name, tmp_path / "seg_inklabels.png")[0] for name in ("ink.png", "deep.png"))
    assert one == two


def test_impossible_requests_are_refused_in_one_sentence(
    planes: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [str(tmp_path / "ink.png"), str(tmp_path / "seg_inklabels.png")]
    assert main(["evaluate", *both, "--boundary-px", "0"]) == 2
    assert "--boundary-px is 0" in capsys.readouterr().err
    save(tmp_path / "seg_supervision_mask.png", np.zeros(SHAPE, bool))
    assert main(["evaluate", *both]) == 2
    assert "seg_supervision_mask.png leaves nothing to score" in capsys.readouterr().err


def test_thinned_edges_are_scored_as_they_are(
    scores: Scores, planes: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Suppression would remove a line beside a stronger one."""
    edge = np.zeros(SHAPE, np.uint8)
    outline = label_edges(planes["truth"])
    edge[outline], edge[ndimage.binary_erosion(planes["truth"], iterations=2) & ~outline] = 80, 255
    inside = edge_scores([(edge, outline)], reach=TOLERANCE_PX, thinned=True)
    whole = slice(0, SHAPE[0]), slice(0, SHAPE[1])
    monkeypatch.setattr("napari_ink.cli.evaluate.read_probabilities", lambda path: (planes["ink"], edge, SHAPE, whole))
    both = tmp_path / "store.zarr", tmp_path / "seg_inklabels.png"
    as_it_is, suppressed = scores(*both, "--thinned")[0], scores(*both)[0]
    assert as_it_is["edge_ods"] == inside.ods != suppressed["edge_ods"]


def test_thinned_reports_a_prediction_without_edges(
    scores: Scores, planes: dict[str, np.ndarray], tmp_path: Path
) -> None:
    found, notes = scores(tmp_path / "ink.png", tmp_path / "seg_inklabels.png", "--thinned")
    assert "contains no edges, so --thinned has no effect" in notes and found["edge_ods"] is None


def test_the_printed_table(planes: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(tmp_path / "ink.png"), str(tmp_path / "seg_inklabels.png")]) == 0
    out = capsys.readouterr().out
    for word in ("F0.5", "boundary IoU", "average precision", "calibration error", "Brier"):
        assert word in out
    assert "edges" not in out
