"""The meaning of values, as a function of the distinct values and a file's metadata."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_ink.errors import LabelError
from napari_ink.mask_meaning import Samples, meaning_of, values_of

ANY = st.sets(st.integers(0, 65535), min_size=1, max_size=12).map(sorted)


@given(hnp.arrays(st.sampled_from([np.uint8, np.uint16, np.int32, np.bool_]), hnp.array_shapes(min_dims=2, max_dims=2)))
def test_distinct_values_are_all_found(plane: np.ndarray) -> None:
    found = values_of(plane[top : top + 2] for top in range(0, len(plane), 2))
    assert list(found) == np.unique(plane).astype(int).tolist()


@given(values=ANY, bits=st.sampled_from([None, 8, 12, 16]))
def test_masks_that_are_not_black_never_become_empty(values: list[int], bits: int | None) -> None:
    values = values if bits is None else sorted({value % (1 << bits) for value in values})
    try:
        meaning = meaning_of(values, Samples(bits), "m")
    except LabelError as error:
        assert str(values[-1]) in str(error) and len(values) > 1
        return
    plane = np.array([values])
    if meaning.are_labels:
        assert values[-1] == 2
    else:
        assert meaning.is_white(plane).any() == (values[-1] > 0)
        np.testing.assert_array_equal(meaning.levels(plane) >= 128, meaning.is_white(plane))


@pytest.mark.parametrize("bits", [4, 8, 10, 12, 16])
def test_a_soft_mask_is_cut_at_half_of_its_bits(bits: int) -> None:
    white = (1 << bits) - 1
    meaning = meaning_of([0, white // 2, white // 2 + 1, white], Samples(bits), "m")
    assert meaning.white == white and f"from {white // 2 + 1} on" in meaning.note
    assert meaning.is_white(np.array([0, white // 2, white // 2 + 1, white])).tolist() == [False, False, True, True]
    assert meaning.levels(np.array([0, white])).tolist() == [0, 255]


def test_metadata_decide_where_values_are_ambiguous() -> None:
    assert meaning_of([0, 1], Samples(8, are_labels=True), "m").are_labels
    assert not meaning_of([0, 1], Samples(8), "m").are_labels
    assert not meaning_of([0, 255], Samples(8, are_labels=True), "m").are_labels  # it was edited later
    assert "0 is white" in meaning_of([0, 1], Samples(1, is_turned=True), "m").note


@pytest.mark.parametrize("values", [[-1, 0, 2], [-1, 0], [0, 1, 70000], list(range(300)), [0, 1, 2, 255]])
def test_other_numbers_are_refused(values: list[int]) -> None:
    with pytest.raises(LabelError, match=rf"m holds the values {values[0]}.* {values[-1]}, which are neither"):
        meaning_of(values, Samples(None), "m")


def test_a_palette_of_greys_and_one_of_colours_are_understood() -> None:
    greys = tuple((grey, grey, grey) for grey in (0, 60, 128, 200, 255))
    meaning = meaning_of([0, 1, 3, 4], Samples(8, greys), "m")
    assert meaning.is_white(np.array([0, 1, 3, 4])).tolist() == [False, False, True, True]
    colours = ((0, 0, 0), (9, 0, 0), (0, 9, 0), (0, 0, 9))
    assert "number 3, #000009, counts as white" in meaning_of([0, 3], Samples(8, colours), "m").note
    with pytest.raises(LabelError, match="0, 1 and 3"):
        meaning_of([0, 1, 3], Samples(8, colours), "m")
    with pytest.raises(LabelError, match="contradict each other"):
        meaning_of([0, 1], Samples(8, greys[::-1]), "m")
