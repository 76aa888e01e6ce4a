"""What strokes teach at once: a linear head in whitened features, its share in the answer, and maps of areas."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.special import expit, logit

from napari_ink.model import load_model, save_checkpoint
from napari_ink.model.linear_head import LinearHead
from napari_ink.model.stroke_features import STEP_PX, feature_count, ink_logit_feature, stroke_features
from napari_ink.model.taught_network import with_linear
from napari_ink.region import Region
from napari_ink.training.teaching.features import MARGIN
from napari_ink.training.teaching.samples import Samples
from napari_ink.training.teaching.stroke_forest import enlarged, ink_probability
from napari_ink.training.teaching.stroke_head import (
    BLEND,
    SMOOTHING,
    StrokeHead,
    Whitening,
    blended,
    fit_linear,
    predict_area,
)
from tests.training.teaching.test_stroke_forest import HEIGHT, WIDTH, CountingCache


def correlated(count, seed=0):
    """Features of which the first two share a strong variation, and differ by a little that says what is ink."""
    rng = np.random.default_rng(seed)
    both, is_ink = rng.standard_normal(count), rng.random(count) < 0.5
    noise = 0.05 * rng.standard_normal((2, count))
    rows = np.stack([both + noise[0], both + noise[1] + 0.3 * (is_ink - 0.5), rng.standard_normal(count)], axis=1)
    return rows.astype(np.float16), is_ink


def samples_of(rows, is_ink):
    return Samples(rows, is_ink, np.zeros((len(rows), 2), np.int32))


def test_whitened_features_are_uncorrelated_and_of_about_the_same_variance():
    rows, _ = correlated(4000)
    covariance = np.cov(Whitening.of(rows).whitened(rows).T)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=0.02)
    # The smallest variance is that of the difference, which the ridge keeps from being blown up fully.
    assert 0.2 < np.diag(covariance).min() < np.diag(covariance).max() < 1.02


def test_unlabelled_cells_help_a_few_labelled_ones():
    unlabelled, _ = correlated(4000)
    few, test = correlated(24, seed=1), correlated(2000, seed=2)

    def share_right(whitening):
        head = fit_linear(samples_of(*few), whitening)
        return float(((head(torch.from_numpy(test[0].astype(np.float32))).numpy() > 0) == test[1]).mean())

    plain = Whitening(np.zeros(3, np.float32), np.ones(3, np.float32), np.eye(3, dtype=np.float32))
    assert share_right(Whitening.of(unlabelled)) > share_right(plain) + 0.1


def test_a_linear_head_is_the_classifier_in_whitened_features():
    from sklearn.linear_model import LogisticRegression

    rows, is_ink = correlated(300)
    whitening = Whitening.of(rows)
    theirs = LogisticRegression(C=0.003, class_weight="balanced").fit(whitening.whitened(rows), is_ink)
    ours = fit_linear(samples_of(rows, is_ink), whitening)(torch.from_numpy(rows.astype(np.float32)))
    np.testing.assert_allclose(ours.numpy(), theirs.decision_function(whitening.whitened(rows)), atol=1e-4)


def test_the_answer_is_the_mean_of_both_blended_with_the_network():
    rows, is_ink = correlated(300)
    head = StrokeHead.fit(samples_of(rows, is_ink), Whitening.of(rows), ink_logit=2)
    wide = torch.from_numpy(rows.astype(np.float32))
    forest = logit(np.clip(ink_probability(head.forest, rows), 1e-3, 1 - 1e-3))
    both = (forest + head.linear(wide).numpy()) / 2
    expected = expit(BLEND * both + (1 - BLEND) * rows[:, 2].astype(np.float32))
    np.testing.assert_allclose(head.probability(rows), expected, atol=1e-3)


@pytest.fixture(scope="module")
def taught():
    model = load_model()
    count = feature_count(model.network)
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, count)).astype(np.float16)
    samples = samples_of(rows, rows[:, 3] + rows[:, 90] > 0)
    return model, StrokeHead.fit(samples, Whitening.of(rows), ink_logit_feature(model.network))


def test_a_model_file_predicts_what_the_head_does(tmp_path, taught):
    model, head = taught
    path = save_checkpoint(tmp_path / "a.safetensors", head.on(model.network), model.config, model.contract, {})
    loaded = load_model(path)
    values = torch.from_numpy(np.random.default_rng(1).standard_normal((32, 64, 64)).astype(np.float32))
    with torch.inference_mode():
        features = stroke_features(model.network, values)[0]
        found = torch.sigmoid(loaded.network(values[None])[0, 0]).numpy()
    own = head.cells_of(np.pad(features.numpy(), [(0, 0), *[(MARGIN, MARGIN)] * 2], "edge"))
    np.testing.assert_allclose(found * 255, enlarged(own), atol=0.6)
    assert isinstance(loaded.network.linear, LinearHead)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weight", lambda tensor: tensor[:-1]),
        ("mean", lambda tensor: tensor.double()),
        ("bias", lambda tensor: tensor * float("nan")),
        ("scale", lambda tensor: tensor * 0),
        ("smoothing", lambda tensor: tensor * 100),
    ],
)
def test_a_damaged_linear_head_is_refused(taught, name, change):
    tensors = dict(taught[1].linear.state_dict())
    tensors[name] = change(tensors[name])
    with pytest.raises(ValueError, match=f"linear head's {name}"):
        LinearHead(**tensors).check(feature_count(taught[0].network))


def test_maps_are_smoothed_between_cells_but_not_the_networks_own_ink(taught):
    _, head = taught
    features = np.random.default_rng(3).standard_normal((len(head.linear.mean), 40, 44)).astype(np.float16)
    rows = features.reshape(len(features), -1).T
    forest = ink_probability(head.forest, rows)
    plane = with_linear(torch.from_numpy(forest), head.linear(torch.from_numpy(rows.astype(np.float32))))
    smooth = ndimage.gaussian_filter(logit(plane.numpy().reshape(40, 44)), SMOOTHING, truncate=3, mode="nearest")
    own = features[head.ink_logit].astype(np.float32)
    expected = expit(BLEND * smooth + (1 - BLEND) * own)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    np.testing.assert_allclose(head.cells_of(features), expected, atol=2e-3)


def test_blending_weighs_logits():
    forest, network = np.array([0.5, 0.9, 1.0, np.nan]), np.array([0.9, 0.5, 1.0, 0.5])
    np.testing.assert_allclose(blended(forest, network, 1), [0.5, 0.9, 0.999, np.nan], atol=1e-6)
    np.testing.assert_allclose(blended(forest, network, 0.5), [0.75, 0.75, 0.999, np.nan], atol=1e-6)


def row_by_height(cache):
    """Return the probability that is the row of the cell, by the height of the segment."""
    return lambda block: cache.block(block)[0].astype(np.float32) / HEIGHT


@pytest.mark.parametrize("area", [Region(0, HEIGHT, 0, WIDTH), Region(250, 263, 30, 37), Region(299, 300, 269, 270)])
def test_areas_are_predicted_as_part_of_the_whole(area):
    cells, shape = row_by_height(CountingCache()), (HEIGHT, WIDTH)
    whole = predict_area(cells, shape, Region(0, HEIGHT, 0, WIDTH))
    assert whole.shape == shape
    # Interpolation between the middles of cells gives each row of pixels its own row, as features name the first pixel.
    rows = np.clip(np.arange(HEIGHT) - 1.5, 0, HEIGHT - STEP_PX)
    np.testing.assert_allclose(whole[:, 0], rows / HEIGHT * 255, atol=0.51)
    part = predict_area(cells, shape, area)
    inner = (slice(2, -2),) if area.height > 4 else (slice(None),)
    np.testing.assert_allclose(part[inner], whole[area.slices][inner], atol=1)
