"""Crops: their positions, their layers, and the pixels that they never contain."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.annotation import LabelValue
from napari_ink.errors import ContractError, LabelError
from napari_ink.model.losses import IGNORE
from napari_ink.stack import open_stack
from napari_ink.training import AugmentationSettings, CropSampler, DepthVariation, TrainingPair, batches
from napari_ink.training.augmentation import Augmenter
from napari_ink.training.crops import HELD_OUT_MARGIN_PX, LabelledBlocks
from napari_ink.training.validation_split import hold_out
from tests.training.small import CONTRACT, PLAIN, QUICK

CPU = torch.device("cpu")


def coded(tmp_path: Path, labels: np.ndarray, depth: int = 16, name: str = "coded") -> TrainingPair:
    """A pair whose voxels encode their own position: layer · 1024 + row · 32 + column, each limited to 5 bits."""
    z, y, x = np.indices((depth, *labels.shape))
    np.save(tmp_path / f"{name}.npy", (z * 1024 + y % 32 * 32 + x % 32).astype(np.uint16))
    return TrainingPair(open_stack(tmp_path / f"{name}.npy"), labels)


def decoded(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    raw = np.rint((values.astype(np.float64) * CONTRACT.std + CONTRACT.mean) * 65535).astype(int)
    return raw // 1024, raw // 32 % 32, raw % 32


def test_crops_are_cut_at_their_positions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (70, 90)).astype(np.uint8)
    sampler = CropSampler([coded(tmp_path, labels)], CONTRACT, 32, DepthVariation(shift=0, stretch=0))
    for _ in range(20):
        crop = sampler.draw(rng)
        _, y, x = crop.place
        assert crop.values.shape == (12, 32, 32) and crop.values.dtype == np.float32
        np.testing.assert_array_equal(crop.labels, labels[y : y + 32, x : x + 32])
        z, row, column = decoded(crop.values)
        np.testing.assert_array_equal(z[:, 0, 0], np.arange(2, 14))  # the 12 middle layers of 16
        np.testing.assert_array_equal(row[0, :, 0], (y + np.arange(32)) % 32)
        np.testing.assert_array_equal(column[0, 0], (x + np.arange(32)) % 32)


def test_a_small_segment_is_padded_with_unreviewed_pixels(tmp_path: Path) -> None:
    sampler = CropSampler([coded(tmp_path, np.full((20, 50), 2, np.uint8))], CONTRACT, 32)
    crop = sampler.draw(np.random.default_rng(0))
    assert crop.values.shape == (12, 32, 32) and crop.labels.shape == (32, 32)
    assert (crop.labels[:20] == 2).all() and (crop.labels[20:] == 0).all()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), share=st.floats(0.001, 0.3), side=st.sampled_from([1, 7, 16, 32]))
def test_blocks_draw_the_requested_crops(seed: int, share: float, side: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((50, 71)) < share, rng.integers(1, 3, (50, 71)), 0).astype(np.uint8)
    labels[3, 4] = 2
    blocks = LabelledBlocks(labels, side)
    assert (blocks.ink_px, blocks.reviewed_px) == ((labels == 2).sum(), (labels > 0).sum())
    for on_ink in (True, False):
        y, x = blocks.draw(rng, on_ink)
        assert 0 <= y < 50 and 0 <= x < 71
        block = labels[y // side * side : (y // side + 1) * side, x // side * side : (x // side + 1) * side]
        assert (block == 2).any() if on_ink else (block > 0).any()


def test_half_of_the_crops_contain_ink_and_pairs_are_weighted_by_reviewed_area(tmp_path: Path) -> None:
    few, much = np.zeros((256, 256), np.uint8), np.ones((256, 256), np.uint8)
    few[:64, :128] = 1  # an eighth of the other pair's
    much[200:210, 200:210] = 2
    pairs = [coded(tmp_path, few, name="few"), coded(tmp_path, much, name="much")]
    sampler = CropSampler(pairs, CONTRACT, 32)
    rng = np.random.default_rng(1)
    crops = [sampler.draw(rng) for _ in range(300)]
    assert all(((crop.labels == 1) | (crop.labels == 2)).any() for crop in crops)
    with_ink = np.mean([(crop.labels == 2).any() for crop in crops])
    assert 0.42 < with_ink < 0.62
    others = [crop for crop in crops if not (crop.labels == 2).any()]
    assert 0.04 < np.mean([crop.place[0] == 0 for crop in others]) < 0.22


@settings(deadline=None, max_examples=100)
@given(
    seed=st.integers(0, 10**6),
    depth=st.integers(12, 70),
    shift=st.integers(0, 9),
    stretch=st.floats(0, 0.5),
    turned=st.booleans(),
)
def test_depth_varies_within_the_stack(seed: int, depth: int, shift: int, stretch: float, turned: bool) -> None:
    variation = DepthVariation(shift=shift, stretch=stretch, reversed_share=float(turned))
    layers = variation.layers(np.random.default_rng(seed), CONTRACT, depth, 12)
    assert len(layers) == 12 and layers.min() >= 0 and layers.max() < depth
    steps = np.diff(layers)[:: -1 if turned else 1] * (-1 if turned else 1)
    assert (steps >= 0).all() and steps.max() <= 2
    if shift == 0 and stretch == 0:
        window = CONTRACT.z_window(depth)
        np.testing.assert_array_equal(np.sort(layers), np.arange(window.start, window.stop))


@given(seed=st.integers(0, 10**6), depth=st.integers(12, 70), offset=st.integers(-9, 9), count=st.integers(1, 20))
def test_crops_read_in_reverse_mirror_those_of_the_reversed_stack(
    seed: int, depth: int, offset: int, count: int
) -> None:
    contract = CONTRACT.changed(surface_offset=offset, min_depth_layers=1)
    draw = partial(DepthVariation(shift=3, stretch=0.3).layers, depth=depth, count=count)
    try:
        front = draw(np.random.default_rng(seed), contract)
    except ContractError:
        return  # too few layers are left
    back = draw(np.random.default_rng(seed), contract.changed(direction="reversed"))
    np.testing.assert_array_equal(depth - 1 - back[::-1], front)


def test_crops_never_touch_the_held_out_part(pair: TrainingPair) -> None:
    """Crops overlap it without its labels; edges there, or in a margin around it, are not learnt either."""
    held_out = np.zeros(pair.labels.shape, bool)
    held_out[40:100, 60:120] = True
    pair = replace(pair, held_out=held_out)
    sampler = CropSampler([pair], CONTRACT, 64)
    rng = np.random.default_rng(0)
    overlaps = 0
    margin = np.zeros_like(held_out)
    reach = HELD_OUT_MARGIN_PX
    margin[40 - reach : 100 + reach, 60 - reach : 120 + reach] = True
    for _ in range(60):
        crop = sampler.draw(rng)
        _, y, x = crop.place
        near = margin[y : y + 64, x : x + 64]
        overlaps += bool(held_out[y : y + 64, x : x + 64].any())
        assert (crop.ink[near] == IGNORE).all() and (crop.edge[near] == IGNORE).all()
    assert overlaps > 10
    assert set(np.unique(pair.to_judge()[~held_out])) == {0}


def test_without_a_validation_mask_a_part_is_held_out(pair: TrainingPair) -> None:
    (chosen,), note = hold_out([pair])
    assert "No validation mask" in note and chosen.held_out is not None
    judged = chosen.to_judge()
    assert (judged == 2).any() and (judged == 1).any()
    assert 0.05 < chosen.held_out.mean() < 0.4
    again = hold_out([pair])[0][0]
    np.testing.assert_array_equal(again.held_out, chosen.held_out)
    pairs, note = hold_out([pair, chosen])
    assert "validation mask" in note and pairs[0].held_out is None


def test_unusable_labels_are_refused(pair: TrainingPair) -> None:
    with pytest.raises(LabelError, match=r"\(50, 192\).*\(160, 192\)"):
        TrainingPair(pair.stack, pair.labels[:50])
    with pytest.raises(LabelError, match="No pair has reviewed labels"):
        CropSampler([TrainingPair(pair.stack, np.zeros_like(pair.labels))], CONTRACT, 64)
    with pytest.raises(LabelError, match="No ink is labelled"):
        hold_out([TrainingPair(pair.stack, np.ones_like(pair.labels))])
    everything = np.ones(pair.labels.shape, bool)
    with pytest.raises(LabelError, match="none is left to train on"):
        hold_out([replace(pair, held_out=everything)])


def strokes(shape: tuple[int, int], ink: int, papyrus: int) -> np.ndarray:
    """Return labels with separate strokes of 8 × 24 pixels, ink in the upper half and papyrus in the lower one."""
    labels = np.zeros(shape, np.uint8)
    for value, count, top in ((LabelValue.INK, ink, 0), (LabelValue.PAPYRUS, papyrus, shape[0] // 2)):
        for number in range(count):
            labels[top + 8 : top + 16, 4 + 60 * number : 28 + 60 * number] = value
    return labels


def test_whole_groups_of_strokes_are_held_out(pair: TrainingPair) -> None:
    labels = strokes(pair.labels.shape, 3, 3)
    [split], note = hold_out([replace(pair, labels=labels, held_out=None)])
    assert "groups of strokes" in note
    judged, trained = split.to_judge(), split.to_train()
    assert set(np.unique(judged)) == {0, LabelValue.PAPYRUS, LabelValue.INK}
    assert set(np.unique(trained)) == {0, LabelValue.PAPYRUS, LabelValue.INK}
    for number in range(3):
        stroke = (slice(8, 16), slice(4 + 60 * number, 28 + 60 * number))
        assert np.unique(judged[stroke]).size == 1  # whole or not at all
        assert judged[stroke].any() != trained[stroke].any()


def test_too_few_strokes_are_judged_by_what_they_taught(pair: TrainingPair) -> None:
    labels = strokes(pair.labels.shape, 1, 1)
    [split], note = hold_out([replace(pair, labels=labels, held_out=None)])
    assert "do not rely" in note
    np.testing.assert_array_equal(split.to_judge(), labels)
    np.testing.assert_array_equal(split.to_train(), labels)


def test_batches_depend_only_on_seed_and_step(pair: TrainingPair) -> None:
    sampler = CropSampler([pair], CONTRACT, 64)
    straight = list(batches(sampler, QUICK, CPU))
    assert len(straight) == QUICK.steps
    torch.rand(7)  # other draws of random numbers change nothing
    later = list(batches(sampler, QUICK, CPU, first_step=4))
    for one, other in zip(straight[4:], later, strict=True):
        assert torch.equal(one.values, other.values) and torch.equal(one.edge, other.edge)
        assert one.places == other.places
    threaded = list(batches(sampler, QUICK, CPU, threads=3))
    assert all(torch.equal(one.values, other.values) for one, other in zip(straight, threaded, strict=True))
    assert [one.places for one in straight] == [other.places for other in threaded]
    beside = list(batches(sampler, QUICK, CPU, rank=1, world_size=2))
    assert not torch.equal(beside[0].values, straight[0].values)


@pytest.mark.skipif("fork" not in torch.multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_workers_read_the_same_batches(pair: TrainingPair) -> None:
    sampler = CropSampler([pair], CONTRACT, 64)
    alone = list(batches(sampler, PLAIN, CPU))
    ahead = list(batches(sampler, PLAIN.model_copy(update={"workers": 1}), CPU))
    assert all(torch.equal(one.values, other.values) for one, other in zip(alone, ahead, strict=True))


def marked() -> tuple[torch.Tensor, torch.Tensor]:
    """Crops that are bright exactly on ink labels, dark on papyrus, and black on unreviewed pixels."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.repeat(rng.integers(0, 3, (6, 8, 8)), 12, axis=1), 12, axis=2).astype(np.uint8)
    greys = np.array([0.0, 0.3, 0.7])[labels][:, None].repeat(12, axis=1)
    return torch.from_numpy(((greys - CONTRACT.mean) / CONTRACT.std).astype(np.float32)), torch.from_numpy(labels)


def augmented(
    settings: AugmentationSettings, values: torch.Tensor, labels: torch.Tensor, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Augment a batch; the crops that were given stay as they are."""
    augmenter, before = Augmenter(settings, CONTRACT), (values.clone(), labels.clone())
    crops = [augmenter(*crop, seed + i) for i, crop in enumerate(zip(values, labels, strict=True))]
    assert torch.equal(values, before[0]) and torch.equal(labels, before[1])
    return torch.stack([crop[0] for crop in crops]), torch.stack([crop[1] for crop in crops])


def test_labels_follow_the_augmentation_of_crops() -> None:
    values, labels = marked()
    quiet = AugmentationSettings(brightness=0, contrast=0, noise=0, layer_dropout=0, affine=1, cut_out=1)
    varied, followed = augmented(quiet, values, labels, seed=5)
    assert varied.shape == values.shape and followed.shape == labels.shape and followed.dtype == torch.uint8
    assert set(followed.unique().tolist()) <= {0, 1, 2}
    assert not torch.equal(followed, labels)
    greys = varied[:, 0] * CONTRACT.std + CONTRACT.mean
    meant = torch.tensor([0.0, 0.3, 0.7])[followed.long()]
    # At the borders of the squares, grey values are blends of two; everywhere else they match the labels.
    assert ((greys - meant).abs() < 0.02).float().mean() > 0.75
    assert (followed == 0).float().mean() > (labels == 0).float().mean()  # from cut-outs, and from beyond the border


def test_flips_alone_lose_no_pixel() -> None:
    values, labels = marked()
    only = AugmentationSettings.none().model_copy(update={"flips": True})
    varied, followed = augmented(only, values, labels, seed=1)
    for one, other in zip(values, varied, strict=True):
        torch.testing.assert_close(one.flatten().sort().values, other.flatten().sort().values, rtol=0, atol=1e-4)
    for one, other in zip(labels, followed, strict=True):
        assert torch.equal(one.flatten().bincount(), other.flatten().bincount())
    turned = [not torch.equal(one, other) for one, other in zip(labels, followed, strict=True)]
    assert any(turned)


def test_each_variation_changes_values_and_is_repeatable_by_seed() -> None:
    values, labels = marked()
    off = AugmentationSettings.none()
    for name, value in {"brightness": 0.2, "contrast": 0.3, "noise": 0.05, "layer_dropout": 1, "cut_out": 1}.items():
        only = off.model_copy(update={name: value})
        once, again, other = (augmented(only, values, labels, seed)[0] for seed in (1, 1, 20))
        assert torch.equal(once, again) and not torch.equal(once, other) and not torch.equal(once, values), name
    unchanged, same = augmented(off, values, labels, 1)
    assert torch.equal(unchanged, values) and torch.equal(same, labels)
    assert torch.isfinite(once).all()


def test_stacks_of_different_depth_share_a_batch_around_their_middle_layers(tmp_path: Path) -> None:
    labels = np.full((40, 40), 2, np.uint8)
    pairs = [coded(tmp_path, labels, depth=depth, name=str(depth)) for depth in (7, 16, 33)]
    sampler = CropSampler(pairs, CONTRACT, 32, DepthVariation(shift=0, stretch=0))
    rng = np.random.default_rng(0)
    seen = {}
    for _ in range(30):
        crop = sampler.draw(rng)
        seen[crop.place[0]] = decoded(crop.values)[0][:, 0, 0].tolist()
    assert seen == {0: list(range(7)), 1: list(range(5, 12)), 2: list(range(13, 20))}
    with pytest.raises(ContractError, match="too few depth layers"):
        CropSampler([coded(tmp_path, labels, depth=3, name="3")], CONTRACT, 32)


def test_gamma_bends_greys_between_air_and_papyrus_and_blur_smooths_layers() -> None:
    greys = torch.tensor([14.0, 80.0, 157.0]).div(255).repeat(12, 4, 1)
    values = (greys - CONTRACT.mean) / CONTRACT.std
    plain = AugmentationSettings.none()
    bent = Augmenter(plain.model_copy(update={"gamma": 0.35}), CONTRACT)(values, torch.ones(4, 3).byte(), 5)[0]
    torch.testing.assert_close(bent[..., ::2], values[..., ::2])
    assert (bent[..., 1] - values[..., 1]).abs().min() > 0.01 and not bent.isnan().any()
    noise = torch.randn(12, 32, 32, generator=torch.Generator().manual_seed(1))
    blur = Augmenter(plain.model_copy(update={"blur": 1.0}), CONTRACT)
    spreads = [float(blur(noise, torch.ones(32, 32).byte(), seed)[0].std()) for seed in range(12)]
    assert max(spreads) < noise.std() and min(spreads) < 0.4  # from hardly any blur to one and a half pixels


def test_coarse_greys_are_rounded_to_steps_of_a_scan_of_low_contrast() -> None:
    values = torch.linspace(-1, 2, 12 * 32 * 32).reshape(12, 32, 32)
    coarse = Augmenter(AugmentationSettings.none().model_copy(update={"coarse_greys": 1.0}), CONTRACT)
    for seed in range(5):
        rounded = coarse(values, torch.ones(32, 32).byte(), seed)[0]
        levels = rounded.unique()
        steps = levels.diff() * CONTRACT.std * 255
        assert (steps > 1e-3).all()
        step = float(steps.median())
        assert 1.5 <= step <= 5 and torch.allclose(steps, torch.full_like(steps, step), atol=1e-3)
        assert float((rounded - values).abs().max()) * CONTRACT.std * 255 <= step / 2 + 1e-3
