"""Pseudo-labels are the surest pixels of all maps together, and a map is the mean of all orientations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.errors import BadInputError
from napari_ink.model import InkModel
from napari_ink.region import Region
from napari_ink.stack import open_stack, stack_of_array
from napari_ink.training.teaching.pseudo_labels import SampledMap, pseudo_labels, sample_map


def map_of(logits: np.ndarray, papyrus: np.ndarray) -> SampledMap:
    area = Region(1, 1 + logits.shape[0], 2, 2 + logits.shape[1])
    return SampledMap((logits.shape[0] + 3, logits.shape[1] + 3), (area,), (logits,), (papyrus,))


@given(
    seed=st.integers(0, 2**31),
    sides=st.lists(st.tuples(st.integers(4, 12), st.integers(4, 12)), min_size=1, max_size=3),
    ink=st.floats(0.02, 0.3),
    papyrus=st.floats(0.1, 0.6),
)
def test_the_surest_pixels_of_all_segments_together_are_labelled(
    seed: int, sides: list[tuple[int, int]], ink: float, papyrus: float
) -> None:
    rng = np.random.default_rng(seed)
    maps = [map_of(rng.permutation(y * x).reshape(y, x) + rng.random(), rng.random((y, x)) < 0.8) for y, x in sides]
    maps[0].papyrus[0][0, 0] = True
    labels = pseudo_labels(maps, ink, papyrus)
    pooled = np.sort(np.concatenate([one.logits[0][one.papyrus[0]] for one in maps]))
    for one, found in zip(maps, labels, strict=True):
        inside = np.zeros(found.shape, bool)
        inside[one.areas[0].slices] = one.papyrus[0]
        assert not found[~inside].any()
        # The rank of each pixel among all, 0 to 1, decides.
        logits, values = one.logits[0][one.papyrus[0]], found[one.areas[0].slices][one.papyrus[0]]
        first, last = (np.searchsorted(pooled, logits, side) for side in ("left", "right"))
        assert (values[first > (1 - ink) * (len(pooled) - 1)] == 2).all()
        assert (values[last - 1 < (1 - ink) * (len(pooled) - 1)] != 2).all()
        assert (values[last - 1 < papyrus * (len(pooled) - 1) - 1] == 1).all()
        assert (values[first > papyrus * (len(pooled) - 1) + 1] != 1).all()


def test_a_blank_segment_beside_a_written_one_gets_no_ink() -> None:
    blank, written = np.zeros((10, 10)), np.zeros((10, 10))
    written[:2] = 5.0
    labels = pseudo_labels([map_of(one, np.ones((10, 10), bool)) for one in (blank, written)], 0.07, 0.6)
    assert not (labels[0] == 2).any() and (labels[1] == 2).sum() == 20


def test_a_map_that_differs_by_rounding_alone_is_refused() -> None:
    logits = np.random.default_rng(2).normal(-3, 0.015, (40, 40))
    with pytest.raises(BadInputError, match="same nearly everywhere"):
        pseudo_labels([map_of(logits, np.ones(logits.shape, bool))], 0.07, 0.6)


@pytest.mark.parametrize("logit", [1.5, float("nan")])
def test_a_map_that_is_the_same_everywhere_is_refused(logit: float) -> None:
    with pytest.raises(BadInputError, match="same nearly everywhere"):
        pseudo_labels([map_of(np.full((9, 9), logit), np.ones((9, 9), bool))], 0.07, 0.6)


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 60000, (12, 64, 64)).astype(np.uint16)


@pytest.mark.parametrize("turn", [lambda one: np.rot90(one, 1, (-2, -1)), lambda one: one[..., ::-1]])
def test_a_turned_segment_has_the_turned_map(start: InkModel, values: np.ndarray, turn: object) -> None:
    maps = [
        sample_map(start, stack_of_array(np.ascontiguousarray(one), "s"), None, 4).logits[0]
        for one in (values, turn(values))  # type: ignore[operator]
    ]
    np.testing.assert_allclose(maps[1], turn(maps[0]), atol=1e-4)  # type: ignore[operator]


def test_a_map_is_the_mean_of_the_network_over_all_orientations(start: InkModel, values: np.ndarray) -> None:
    found = sample_map(start, stack_of_array(values, "s"), None, 4).logits[0]
    contract = start.contract
    read = np.pad(values[contract.z_window(12)], [(0, 0), (32, 32), (32, 32)], mode="symmetric")
    prepared = torch.from_numpy(contract.prepare(read))
    total = torch.zeros(128, 128)
    with torch.inference_mode():
        for turned in (
            lambda one: one,
            lambda one: one.flip(-1),
            lambda one: one.flip(-2),
            lambda one: one.flip(-1, -2),
        ):
            for twisted in (lambda one: one, lambda one: one.transpose(-1, -2)):
                total += turned(twisted(start.network(twisted(turned(prepared))[None].contiguous())[0, 0]))
    np.testing.assert_allclose(found, (total / 8).numpy()[32:-32, 32:-32], atol=1e-4)


def test_only_some_blocks_with_papyrus_are_read(start: InkModel) -> None:
    stack = stack_of_array(np.zeros((12, 1024, 512), np.uint16), "s")
    papyrus = np.zeros((1024, 512), bool)
    papyrus[256:] = True
    found = sample_map(start, stack, papyrus, 3)
    assert len(found.areas) == 3 and all(area.y0 >= 256 for area in found.areas)
    with pytest.raises(BadInputError, match="no papyrus inside its mask"):
        sample_map(start, stack, np.zeros_like(papyrus), 3)


def test_the_end_of_a_segment_is_read_in_smaller_blocks(start: InkModel, tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.zeros((12, 300, 270), np.uint16))
    found = sample_map(start, open_stack(tmp_path / "s.npy"), None, 10)
    assert [one.shape for one in found.logits] == [(256, 256), (256, 14), (44, 256), (44, 14)]
