"""Ink painted on crops of bare papyrus: where labels say ink, something changed, and nothing elsewhere."""

import numpy as np
import torch

from napari_ink.annotation import LabelValue
from napari_ink.training import AugmentationSettings
from napari_ink.training.augmentation import Augmenter
from napari_ink.training.painted_ink import can_be_painted, paint_ink
from napari_ink.training.targets import OUTSIDE
from tests.training.small import CONTRACT

VALUES = torch.randn(24, 96, 96, generator=torch.Generator().manual_seed(1))
BARE = torch.full((96, 96), int(LabelValue.PAPYRUS), dtype=torch.uint8)


def test_only_strokes_change_and_only_on_papyrus() -> None:
    labels = BARE.clone()
    labels[:, :20] = OUTSIDE
    before, changed = VALUES.clone(), 0
    for seed in range(12):
        values, painted = paint_ink(VALUES, labels, np.random.default_rng(seed))
        is_ink = painted == LabelValue.INK
        assert values.shape == VALUES.shape and values.isfinite().all()
        assert torch.equal(painted[~is_ink], labels[~is_ink]) and not is_ink[:, :20].any()
        far = torch.nn.functional.max_pool2d(is_ink.float()[None], 15, 1, 7)[0] == 0
        assert torch.equal(values[:, far], VALUES[:, far])  # softened outlines reach a few pixels beyond the strokes
        changed += bool((values != VALUES)[:, is_ink].any())
        assert 0.01 < is_ink.float().mean() < 0.6
    assert changed >= 11 and torch.equal(VALUES, before)


def test_a_seed_decides_everything() -> None:
    first, second = (paint_ink(VALUES, BARE, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


def test_crops_with_ink_hints_or_little_papyrus_are_left_alone() -> None:
    inked, hinted, little = BARE.clone(), BARE.clone(), BARE.clone()
    inked[0, 0], hinted[0, 0], little[:60] = LabelValue.INK, 64, OUTSIDE
    assert can_be_painted(BARE) and not any(map(can_be_painted, (inked, hinted, little)))


def test_the_augmenter_paints_the_share_that_is_asked_for() -> None:
    def painted(share: float) -> int:
        augment = Augmenter(AugmentationSettings.none().model_copy(update={"painted_ink": share}), CONTRACT)
        return sum(bool((augment(VALUES, BARE, seed)[1] == LabelValue.INK).any()) for seed in range(20))

    assert painted(0) == 0 and painted(1) == 20 and 4 < painted(0.5) < 16
