"""Scores on strokes: against plain definitions, and fold by fold."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from napari_ink.region import Region
from napari_ink.training.teaching.judging import (
    INK_SHARE,
    NOT_HELD_OUT,
    choose_folds,
    cross_validate,
    fold_of,
    scores,
    scores_by_fold,
    with_plausible_threshold,
)
from napari_ink.training.teaching.samples import Samples
from napari_ink.training.teaching.stroke_forest import fit_forest, ink_probability
from napari_ink.training.teaching.taught_models import StrokeScores
from napari_ink.training.teaching.units import Unit


def plain_f0_5(values, is_ink, threshold, ink_share=INK_SHARE):
    """F0.5, from its definition, of a page with that share of ink."""
    recall, false = (values >= threshold)[is_ink].mean(), (values >= threshold)[~is_ink].mean()
    found, wrong = ink_share * recall, (1 - ink_share) * false
    precision = found / (found + wrong) if recall else 0.0
    return 1.25 * precision * recall / (0.25 * precision + recall) if recall else 0.0


@st.composite
def judged(draw):
    seed, count, levels = draw(st.integers(0, 10**6)), draw(st.integers(2, 80)), draw(st.sampled_from([2, 5, 1000]))
    rng = np.random.default_rng(seed)
    is_ink = rng.random(count) < draw(st.floats(0.05, 0.95))
    is_ink[0], is_ink[-1] = True, False
    # Few levels, so that many values are the same.
    return np.float32(rng.integers(0, levels, count) / (levels - 1)), is_ink


@settings(max_examples=80, deadline=None)
@given(judged(), st.sampled_from([0.03, INK_SHARE, 0.5]))
def test_scores_equal_their_definitions(case, ink_share):
    values, is_ink = case
    found = scores(values, is_ink, ink_share)
    assert found.auc == pytest.approx(roc_auc_score(is_ink, values), abs=1e-4)
    best = max(plain_f0_5(values, is_ink, threshold, ink_share) for threshold in np.unique(values))
    assert found.f0_5 == pytest.approx(best, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_the_stated_threshold_gives_the_stated_score(seed):
    rng = np.random.default_rng(seed)
    is_ink = np.arange(40) < 15
    values = rng.permutation(np.linspace(0.1, 0.9, 40)) + 0.05 * is_ink
    found = scores(values, is_ink)
    assert plain_f0_5(values, is_ink, found.threshold) == pytest.approx(found.f0_5, abs=1e-4)


def test_folds_are_never_ranked_against_each_other():
    # Each fold is perfect in itself, but all values of the second lie below those of the first.
    values = np.array([0.9, 0.8, 0.3, 0.2], np.float32)
    is_ink = np.array([True, False, True, False])
    fold = np.array([0, 0, 1, 1])
    found = scores_by_fold(values, is_ink, fold)
    assert (found.auc, found.f0_5) == (1, 1)
    assert scores(values, is_ink).auc == 0.75


def test_folds_without_both_kinds_or_numbers_do_not_count():
    values = np.array([0.9, 0.1, 0.4, 0.5, 0.2, np.nan, 0.7, 0.1], np.float32)
    is_ink = np.array([True, False, True, True, True, False, False, True])
    # Fold 0 is right, 1 has no papyrus, the papyrus of 2 was not predicted, −1 is no fold.
    fold = np.array([0, 0, 1, 1, 2, 2, -1, -1])
    assert scores_by_fold(values, is_ink, fold).auc == 1
    assert scores_by_fold(values[2:], is_ink[2:], fold[2:]) is None


def test_folds_weigh_as_much_as_their_rarer_kind():
    values = np.array([1, 0, 0, 1, 1, 1], np.float32)
    is_ink = np.array([True, False, True, True, False, False])
    fold = np.array([0, 0, 1, 1, 1, 1])
    assert scores(values[2:], is_ink[2:]).auc == 0.25
    assert scores_by_fold(values, is_ink, fold).auc == 0.5  # (1 · 1 + 2 · .25) / 3


def test_a_threshold_marks_a_plausible_share_of_the_map():
    cells = np.linspace(0, 1, 10_001)
    found = StrokeScores(auc=0.7, f0_5=0.5, threshold=0.2)
    assert with_plausible_threshold(found, cells).threshold == pytest.approx(0.85)  # 15 % of the map at most
    assert with_plausible_threshold(found.model_copy(update={"threshold": 0.9}), cells).threshold == 0.9
    high = found.model_copy(update={"threshold": 0.99})
    assert with_plausible_threshold(high, cells).threshold == pytest.approx(0.96)  # and 4 % at least
    assert with_plausible_threshold(found, np.zeros(9)).threshold == 0.01
    assert with_plausible_threshold(found, np.ones(9)).threshold == 0.99


def fit(samples):
    return partial(ink_probability, fit_forest(samples))


def unit(number, ink, papyrus):
    return Unit(number, Region(0, 8, 0, 8), ink, papyrus)


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ([(9, 0), (9, 0), (0, 9)], 0),  # fewer than four groups
        ([(9, 0), (9, 0), (9, 0), (0, 9)], 0),  # one group of papyrus, which one fold alone would hold
        ([(9, 0), (0, 9), (9, 0), (0, 9)], 2),
        ([(9, 9)] * 9, 4),
    ],
)
def test_folds_are_chosen_only_where_strokes_suffice(sizes, count):
    found, sentence = choose_folds([unit(number, *size) for number, size in enumerate(sizes)])
    assert len(found) == count
    assert (sentence == NOT_HELD_OUT) == (count == 0)
    if count:
        assert sentence == f"Judged on {len(sizes)} groups of strokes, each by a model that had not seen it."


def test_samples_are_judged_by_forests_that_have_not_seen_their_fold():
    # Every sample of unit 2 contradicts the others, so a forest that has not seen it must be wrong there.
    rng = np.random.default_rng(0)
    unit_of = np.repeat(np.arange(4), 30).astype(np.int32)
    is_ink = np.tile([True, False], 60)
    features = np.where(is_ink, 1.0, -1.0)[:, None] * np.where(unit_of == 2, -1.0, 1.0)[:, None]
    features = (features + 0.1 * rng.standard_normal((120, 6))).astype(np.float16)
    samples = Samples(features, is_ink, np.zeros((120, 2), np.int32))
    held_out = [[0], [1], [2]]
    found = cross_validate(samples, unit_of, held_out, fit)
    fold = fold_of(unit_of, held_out)
    np.testing.assert_array_equal(fold, np.where(unit_of == 3, -1, unit_of))
    np.testing.assert_array_equal(np.isnan(found), unit_of == 3)
    right = (found > 0.5) == is_ink
    assert right[unit_of < 2].all() and not right[unit_of == 2].any()


def test_a_fold_that_leaves_one_kind_is_not_predicted():
    samples = Samples(np.zeros((4, 3), np.float16), np.array([True, False, True, True]), np.zeros((4, 2), np.int32))
    assert np.isnan(cross_validate(samples, np.array([0, 0, 1, 1], np.int32), [[0]], fit)).all()
