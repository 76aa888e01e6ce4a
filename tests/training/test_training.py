"""Training: what counts as a target, what is drawn, and a network that learns."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_ink.errors import LabelError
from napari_ink.model import InkEdgeConfig, InputContract, load_model
from napari_ink.model.losses import IGNORE
from napari_ink.phantom import PhantomConfig, make_phantom
from napari_ink.stack import open_stack
from napari_ink.training import (
    CheckpointSaved,
    CropSampler,
    StepEnded,
    TrainingPair,
    TrainRequest,
    edge_target,
    ink_target,
    train,
)

CONTRACT = InputContract(depth_layers=12, min_depth_layers=4, mean=0.3, std=0.2, voxel_size_um=7.91, tile_size=64)
CONFIG = InkEdgeConfig(stem_channels=(2, 4), dims=8, heads=1, reduction_ratio=1, num_layers=1, decoder_dim=8)


@pytest.fixture
def pair(tmp_path: Path) -> TrainingPair:
    phantom = make_phantom(PhantomConfig(seed=1, height=96, width=128, depth_layers=20, letter_height=60))
    np.save(tmp_path / "stack.npy", phantom.volume)
    labels = np.where(phantom.mask, np.where(phantom.ink, 2, 1), 0).astype(np.uint8)
    return TrainingPair(open_stack(tmp_path / "stack.npy"), labels)


@settings(deadline=None)
@given(labels=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=3), elements=st.integers(0, 2)))
def test_targets_follow_their_definitions(labels: np.ndarray) -> None:
    ink, edge = ink_target(labels), edge_target(labels)
    for (y, x), value in np.ndenumerate(labels):
        assert ink[y, x] == {0: IGNORE, 1: 0, 2: 1}[value]
        around = [
            labels[v, u]
            for v, u in ((y, x), (y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
            if 0 <= v < labels.shape[0] and 0 <= u < labels.shape[1]
        ]
        assert edge[y, x] == (IGNORE if 0 in around else int(value == 2 and 1 in around))


def test_crops_are_of_one_place(pair: TrainingPair) -> None:
    """Values and targets are turned together: where the segment is empty, the targets are unknown."""
    sampler = CropSampler([pair], CONTRACT, 64)
    rng = np.random.default_rng(0)
    for _ in range(20):
        crop = sampler.draw(rng)
        assert crop.values.shape == (12, 64, 64) and crop.values.dtype == np.float32
        unknown = crop.ink == IGNORE
        if unknown.any():
            assert crop.values[:, unknown].max() < crop.values[:, ~unknown].mean()


def test_one_seed_one_crop(pair: TrainingPair) -> None:
    sampler = CropSampler([pair], CONTRACT, 64)
    once, twice = (sampler.draw(np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(once.values, twice.values)
    np.testing.assert_array_equal(once.ink, twice.ink)


def test_labels_of_another_segment_are_refused(pair: TrainingPair) -> None:
    with pytest.raises(LabelError, match="96"):
        TrainingPair(pair.stack, pair.labels[:50])


def test_a_pair_without_labels_is_refused(pair: TrainingPair) -> None:
    with pytest.raises(LabelError, match="reviewed"):
        CropSampler([TrainingPair(pair.stack, np.zeros_like(pair.labels))], CONTRACT, 64)
    with pytest.raises(LabelError, match="200"):
        CropSampler([pair], CONTRACT, 200)


def test_training_learns_and_repeats(pair: TrainingPair, tmp_path: Path) -> None:
    def run(name: str) -> list[StepEnded]:
        request = TrainRequest(
            [pair],
            CONFIG,
            CONTRACT,
            tmp_path / name,
            steps=25,
            batch_size=4,
            crop_size=64,
            save_every=20,
            learning_rate=0.02,
        )
        events = list(train(request))
        saved = [event for event in events if isinstance(event, CheckpointSaved)]
        assert [event.step for event in saved] == [20, 25]
        return [event for event in events if isinstance(event, StepEnded)]

    first, second = run("a.safetensors"), run("b.safetensors")
    losses = [step.ink_loss + step.edge_loss for step in first]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    assert losses == [step.ink_loss + step.edge_loss for step in second]
    model = load_model(tmp_path / "a.safetensors")
    assert model.contract == CONTRACT and model.provenance["steps"] == 25
