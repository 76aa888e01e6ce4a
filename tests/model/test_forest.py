"""Forests as tensors, and checkpoints that hold one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from napari_ink.errors import CheckpointError
from napari_ink.model import load_model, save_checkpoint
from napari_ink.model.forest import Forest
from napari_ink.model.inference import for_prediction
from napari_ink.model.stroke_features import feature_count, stroke_features
from napari_ink.model.taught_network import TaughtNetwork


def fitted(kind, seed: int, features: int, rows: int = 300, **settings):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((rows, features)).astype(np.float32)
    truth = values[:, 0] + values[:, -1] ** 2 + 0.3 * rng.standard_normal(rows) > 0.8
    return kind(12, random_state=seed, n_jobs=1, **settings).fit(values, truth)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 8), st.sampled_from([ExtraTreesClassifier, RandomForestClassifier]))
def test_forest_of_tensors_equals_scikit_learns(seed, features, kind):
    theirs = fitted(kind, seed, features, class_weight="balanced", min_samples_leaf=2)
    rows = np.random.default_rng(seed + 1).standard_normal((200, features)).astype(np.float32)
    ours = Forest.of_scikit_learn(theirs)(torch.from_numpy(rows))
    assert ours.numpy() == pytest.approx(theirs.predict_proba(rows)[:, 1], abs=1e-6)


@pytest.fixture(scope="module")
def taught():
    model = load_model()
    return model, TaughtNetwork(
        model.network, Forest.of_scikit_learn(fitted(ExtraTreesClassifier, 3, feature_count(model.network)))
    )


def test_the_number_of_features_is_as_stated(taught):
    model, _ = taught
    features, logits = stroke_features(model.network, torch.zeros(32, 64, 96))
    assert features.shape == (feature_count(model.network), 16, 24)
    assert logits.shape == (2, 64, 96)


def test_checkpoint_with_a_forest_predicts_the_same_after_loading(tmp_path, taught):
    model, network = taught
    path = save_checkpoint(tmp_path / "mine.safetensors", network, model.config, model.contract, {"made_by": "a test"})
    loaded = load_model(path)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 32, 64, 64)).astype(np.float32))
    expected = network(x)
    assert torch.equal(loaded.network(x), expected)
    # The edges are those of the network, and the fast form predicts the same.
    assert torch.allclose(expected[:, 1], model.network(x)[:, 1], atol=1e-5)
    assert torch.allclose(for_prediction(loaded.network)(x)[:, 1], expected[:, 1], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("left", lambda tensor: tensor + 1000),
        ("feature", lambda tensor: tensor - 5),
        ("value", lambda tensor: tensor[:-1]),
        ("threshold", lambda tensor: tensor.float()),
        ("depth", lambda tensor: tensor * 10**6),
    ],
)
def test_damaged_forest_is_refused_in_one_sentence(tmp_path, taught, name, change):
    model, network = taught
    tensors = dict(network.forest.state_dict())
    tensors[name] = change(tensors[name])
    path = save_checkpoint(
        tmp_path / "mine.safetensors", TaughtNetwork(model.network, Forest(**tensors)), model.config, model.contract, {}
    )
    with pytest.raises(CheckpointError, match="forest"):
        load_model(path)
