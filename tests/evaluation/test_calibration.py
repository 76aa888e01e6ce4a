"""Thresholds from labelled segments, in the file that the Vesuvius Challenge's tools share."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_ink.calibration_file import read_calibration
from napari_ink.cli import main
from napari_ink.errors import BadInputError
from napari_ink.evaluation.calibration import calibration_record, cell_of, median_threshold
from napari_ink.model import load_model
from tests.model.hybrid_files import network, pth_file

RNG = np.random.default_rng(2)


def segment(level: int) -> tuple[np.ndarray, np.ndarray]:
    """Make a map that separates ink from papyrus exactly at a level, and its labels."""
    ink = RNG.random((40, 50)) < 0.3
    above, below = RNG.integers(level, 256, ink.shape), RNG.integers(0, level, ink.shape)
    levels = np.where(ink, above, below).astype(np.uint8)
    levels[ink] = np.where(RNG.random(ink.sum()) < 0.02, level, levels[ink])
    return levels, ink


def f1_at(levels: np.ndarray, ink: np.ndarray, threshold: int) -> float:
    called = levels >= threshold
    right = (called & ink).sum()
    return float(2 * right / (called.sum() + ink.sum()))


def test_the_threshold_is_the_median_of_the_best_of_each_segment() -> None:
    made = {name: segment(level) for name, level in (("a", 60), ("b", 110), ("c", 201))}
    cells = [cell_of(name, f"{name}.tif", levels, ink, None) for name, (levels, ink) in made.items()]
    for cell, (levels, ink) in zip(cells, made.values(), strict=True):
        assert cell.f1.max() == 1.0
        for threshold in (1, 77, 128, 230):
            assert cell.f1[threshold] == pytest.approx(f1_at(levels, ink, threshold))
    assert [cell.best for cell in cells] == sorted(cell.best for cell in cells)
    record = calibration_record(cells, "reader-v3")
    assert record["threshold"] == median_threshold(cells) == cells[1].best
    assert record["checkpoint"] == "reader-v3" and [one["scroll"] for one in record["cells"]] == ["a", "b", "c"]
    assert record["cells"][0]["f1_at_128"] == pytest.approx(f1_at(*made["a"], 128))
    check = record["check_against_other_scrolls"]["a"]
    borrowed = median_threshold(cells[1:])
    assert check["threshold_from_other_scrolls"] == borrowed
    assert check["mean_f1_loss_borrowed"] == pytest.approx(1 - f1_at(*made["a"], borrowed))


def test_only_pixels_inside_count_and_ink_is_needed() -> None:
    levels, ink = segment(90)
    inside = np.zeros_like(ink)
    inside[:20] = True
    levels[20:] = 255 - levels[20:]
    assert cell_of("a", "x", levels, ink, inside).f1.max() == 1.0
    with pytest.raises(BadInputError, match="no labelled ink"):
        cell_of("a", "x", levels, np.zeros_like(ink), None)


def files(folder: Path, name: str, level: int) -> list[str]:
    levels, ink = segment(level)
    Image.fromarray(levels).save(folder / f"{name}.png")
    Image.fromarray(ink.astype(np.uint8) * 255).save(folder / f"{name}_inklabels.png")
    return ["--cell", name, str(folder / f"{name}.png"), str(folder / f"{name}_inklabels.png")]


def test_the_command_writes_what_export_and_models_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "calibration.json"
    words = [*files(tmp_path, "s1", 60), *files(tmp_path, "s4", 80)]
    assert main(["calibrate", *words, "-o", str(out), "--checkpoint", "step-075000"]) == 0
    said = capsys.readouterr().err
    assert "was calibrated on 2 segments." in said and "s1: the threshold of the other scrolls" in said
    threshold = read_calibration(out).threshold
    mask = tmp_path / "mask.png"
    assert main(["export", str(tmp_path / "s1.png"), "-o", str(mask), "--calibration", str(out)]) == 0
    expected = np.asarray(Image.open(tmp_path / "s1.png")) >= threshold
    np.testing.assert_array_equal(np.asarray(Image.open(mask)) > 0, expected)
    model = pth_file(tmp_path, network())
    assert load_model(model).provenance["thresholds"] == {"ink": threshold / 255}
    capsys.readouterr()
    assert main(["models", str(model)]) == 0
    assert "a guess" not in (told := capsys.readouterr().out) and "calibrated on 2 segments" in told
    assert main(["models", str(model.rename(tmp_path / "other.pth"))]) == 0
    assert "a guess: none is known" in capsys.readouterr().out
    assert main(["calibrate", *words, "-o", str(out)]) == 2


def test_a_threshold_from_one_segment_is_a_guess(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "calibration.json"
    assert main(["calibrate", *files(tmp_path, "s1", 60), "-o", str(out)]) == 0
    assert "on 1 segment, which makes it a guess: calibrate on at least two." in capsys.readouterr().err
    assert read_calibration(out).is_guess and json.loads(out.read_text())["check_against_other_scrolls"] is None
    assert main(["calibrate", "--cell", "s1", "x.png", "-o", str(tmp_path / "c.json")]) == 2


@pytest.mark.parametrize(
    "content", ["{}", "[]", '{"threshold": 300}', '{"threshold": true}', '{"threshold": "9"}', "x"]
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "calibration.json").write_text(content)
    with pytest.raises(BadInputError):
        read_calibration(tmp_path / "calibration.json")
