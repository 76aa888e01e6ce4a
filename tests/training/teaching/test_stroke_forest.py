"""The live head: samples under strokes, and forests that depend on these alone."""

import numpy as np
import pytest

from napari_ink.errors import BadInputError
from napari_ink.model.stroke_features import STEP_PX
from napari_ink.training.teaching import stroke_forest
from napari_ink.training.teaching.blocks import BLOCK_PX
from napari_ink.training.teaching.samples import Samples, StrokeSampler
from napari_ink.training.teaching.stroke_forest import fit_forest, ink_probability

HEIGHT, WIDTH = 300, 270


class CountingCache:
    """Features that name their place, and a count of the blocks that were read."""

    shape = (HEIGHT, WIDTH)

    def __init__(self) -> None:
        self.read = []

    def block(self, block):
        self.read.append(block)
        rows, columns = (
            np.arange(at * BLOCK_PX, min(at * BLOCK_PX + BLOCK_PX, length), STEP_PX)
            for at, length in zip(block, self.shape, strict=True)
        )
        return np.stack(np.broadcast_arrays(rows[:, None], columns[None, :])).astype(np.float16)


BLOCKS = [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_samples_are_the_cells_that_are_half_labelled():
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[0:4, 0:2] = 2  # half of a cell is enough
    labels[4:8, 0:1] = 2  # a quarter is not
    labels[8:12, 0:4], labels[8:10, 0:1] = 1, 2  # more papyrus than ink
    labels[296:300, 268:270] = 2  # the last cell lies half beyond the segment
    found = StrokeSampler(CountingCache(), lambda area: labels[area.slices]).collect(BLOCKS)
    np.testing.assert_array_equal(found.places, [[0, 0], [2, 0], [74, 67]])
    np.testing.assert_array_equal(found.is_ink, [True, False, True])
    np.testing.assert_array_equal(found.features, found.places * STEP_PX)


def test_only_blocks_whose_labels_changed_are_read_again():
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[10:30, 10:30], labels[270:290, 10:30] = 2, 1
    cache = CountingCache()
    sampler = StrokeSampler(cache, lambda area: labels[area.slices])
    assert sampler.collect(BLOCKS).has_both
    assert cache.read == [(0, 0), (1, 0)]
    sampler.collect(BLOCKS)
    assert cache.read == [(0, 0), (1, 0)]
    labels[270:290, 10:30] = 2
    assert not sampler.collect(BLOCKS).has_both
    assert cache.read == [(0, 0), (1, 0), (1, 0)]
    labels[:] = 0
    assert sampler.collect(BLOCKS) is None


def test_collecting_can_be_stopped():
    labels = np.ones((HEIGHT, WIDTH), np.uint8)
    cache = CountingCache()
    stops = iter([False, True])
    assert StrokeSampler(cache, lambda area: labels[area.slices]).collect(BLOCKS, lambda: next(stops)) is None
    assert cache.read == [(0, 0)]


def learnable(count=400, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((count, 20)).astype(np.float16)
    return Samples(features, features[:, 3] + 0.3 * rng.standard_normal(count) > 0.5, np.zeros((count, 2), np.int32))


def test_the_same_samples_and_seed_give_the_same_forest_on_any_number_of_cores():
    samples, rows = learnable(), learnable(seed=1).features
    first = fit_forest(samples, seed=5, cores=1)
    second = fit_forest(samples, seed=5, cores=2)
    for mine, other in zip(first.estimators_, second.estimators_, strict=True):
        np.testing.assert_array_equal(mine.tree_.threshold, other.tree_.threshold)
        np.testing.assert_array_equal(mine.tree_.value, other.tree_.value)
    np.testing.assert_array_equal(ink_probability(first, rows), ink_probability(second, rows))
    assert not np.array_equal(ink_probability(fit_forest(samples, seed=6), rows), ink_probability(first, rows))


def test_of_many_samples_as_much_ink_as_papyrus_is_used(monkeypatch):
    monkeypatch.setattr(stroke_forest, "MOST_SAMPLES", 60)
    samples = learnable()
    chosen = stroke_forest._spread(samples, 0)
    assert samples.is_ink[chosen].sum() == (~samples.is_ink[chosen]).sum() == 30
    few = Samples(samples.features, np.arange(400) < 10, samples.places)
    chosen = stroke_forest._spread(few, 0)
    assert few.is_ink[chosen].sum() == 10
    assert (~few.is_ink[chosen]).sum() == 30


def test_one_kind_alone_cannot_be_learned():
    samples = learnable()
    with pytest.raises(BadInputError, match="paint some ink and some papyrus"):
        fit_forest(samples.only(samples.is_ink))
