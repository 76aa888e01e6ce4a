"""Ink scores, compared with a loop over every threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.evaluation import ink_scores


def at_threshold(probability: np.ndarray, truth: np.ndarray, threshold: float) -> tuple[float, float, float]:
    called = probability >= threshold
    right = (called & truth).sum()
    precision = right / called.sum() if called.any() else 0.0
    recall = right / truth.sum() if truth.any() else 0.0
    bottom = 0.25 * precision + recall
    return precision, recall, 1.25 * precision * recall / bottom if bottom else 0.0


def calibration_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """Return the calibration error by its definition, bin by bin."""
    error = 0.0
    for low in range(15):
        within = (predicted > low / 15 + 1e-9) & (predicted <= (low + 1) / 15 + 1e-9) | (predicted == 0) & (low == 0)
        if within.any():
            error += within.mean() * abs(predicted[within].mean() - true[within].mean())
    return error


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.05, 0.9), skill=st.floats(0, 3), masked=st.booleans())
def test_scores_equal_those_of_each_threshold_alone(seed: int, share: float, skill: float, masked: bool) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((12, 13)) < share
    probability = np.clip(rng.normal(100 + 40 * skill * truth, 40), 0, 255).astype(np.uint8)
    inside = rng.random(truth.shape) < 0.7 if masked else np.ones_like(truth)
    inside[0, 0] = True
    scores = ink_scores(probability, truth, inside if masked else None)
    p, t = probability[inside], truth[inside]
    rows = [at_threshold(p, t, level) for level in range(256)]
    assert scores.f0_5 == pytest.approx(max(row[2] for row in rows[1:]))
    chosen = rows[round(scores.best_threshold * 255)]
    assert (scores.precision, scores.recall, scores.f0_5) == pytest.approx(chosen)
    assert scores.f0_5_at_half == pytest.approx(rows[128][2])
    area = sum((rows[k][1] - (rows[k + 1][1] if k < 255 else 0)) * rows[k][0] for k in range(256))
    assert scores.average_precision == pytest.approx(area)
    f1 = [2 * precision * recall / max(precision + recall, 1e-9) for precision, recall, _ in rows]
    assert scores.best_f1 == pytest.approx(max(f1[1:])) == pytest.approx(f1[round(scores.best_f1_threshold * 255)])
    assert scores.brier == pytest.approx(((p / 255 - t) ** 2).mean())
    assert scores.calibration_error == pytest.approx(calibration_error(p / 255, t))


def test_a_perfect_and_an_empty_map() -> None:
    truth = np.zeros((8, 8), bool)
    truth[2:5, 2:5] = True
    perfect = ink_scores(truth.astype(np.uint8) * 255, truth)
    assert perfect.f0_5 == perfect.f1 == perfect.average_precision == 1
    assert ink_scores(np.zeros((8, 8), np.uint8), truth).f0_5 == 0


def test_the_calibration_error_is_low_for_calibrated_probabilities() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.random((400, 400))
    honest, never = rng.random(predicted.shape) < predicted, np.zeros(predicted.shape, bool)
    assert ink_scores(predicted, honest).calibration_error < 0.01
    assert ink_scores(predicted, never).calibration_error == pytest.approx(0.5, abs=0.01)


def test_a_segment_of_many_strips_scores_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    predicted, truth, inside = rng.random((31, 20)), rng.random((31, 20)) < 0.4, rng.random((31, 20)) < 0.5
    whole = ink_scores(predicted, truth, inside)
    monkeypatch.setattr("napari_ink.evaluation.ink._PIXELS_AT_ONCE", 60)
    assert ink_scores(predicted, truth, inside) == whole


def test_floating_point_is_rounded_to_255ths() -> None:
    rng = np.random.default_rng(0)
    levels, truth = rng.integers(0, 256, (9, 9), dtype=np.uint8), rng.random((9, 9)) < 0.5
    assert ink_scores(levels / 255, truth) == ink_scores(levels, truth)


def test_pixels_outside_the_mask_do_not_count() -> None:
    truth = np.eye(10, dtype=bool)
    inside = np.zeros((10, 10), bool)
    inside[:5] = True
    probability = np.where(truth, 255, 0).astype(np.uint8)
    probability[5:] = 255
    assert ink_scores(probability, truth, inside).f0_5 == 1


def test_planes_of_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        ink_scores(np.zeros((3, 3)), np.zeros((3, 4), bool))
    with pytest.raises(ValueError, match="no pixel"):
        ink_scores(np.zeros((3, 3)), np.zeros((3, 3), bool), np.zeros((3, 3), bool))


@pytest.mark.parametrize("wrong", [np.full((5, 5), np.nan), np.zeros((5, 5), np.uint16)], ids=["NaN", "uint16"])
def test_values_other_than_probabilities_are_refused(wrong: np.ndarray) -> None:
    truth = np.eye(5, dtype=bool)
    with pytest.raises(ValueError, match="NaN|uint16"):
        ink_scores(wrong, truth)
