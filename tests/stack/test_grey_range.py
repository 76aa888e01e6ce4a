"""Grey ranges: stacks that fill too little of their range are reported, with a range to use."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_ink.errors import StackError
from napari_ink.stack import DepthStack, grey_fill, grey_note, open_stack, stack_of_array, suggested_range

RNG = np.random.default_rng(0)
PAPYRUS = RNG.normal(0.35, 0.15, (5, 90, 110)).clip(0.01, 1)


def opened(values: np.ndarray) -> DepthStack:
    return stack_of_array(values, "s")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_stack_that_fills_its_range_gets_no_note(dtype: type) -> None:
    assert grey_note(opened((PAPYRUS * np.iinfo(dtype).max).astype(dtype))) == ""
    assert grey_note(opened(PAPYRUS.astype(np.float32))) == ""


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("hot", [False, True])
def test_few_bits_stored_in_16_are_reported_with_their_range(bits: int, hot: bool) -> None:
    top = (1 << bits) - 1
    values = np.round(PAPYRUS * top).astype(np.uint16)
    if hot:
        values[:, 45, 50] = 65535
    note = grey_note(opened(values))
    assert f"`--grey-range 0 {top}`" in note and "of 0 to 65535" in note
    assert grey_note(opened(values), (0, top)) == ""


def test_int16_from_0_is_reported_with_its_range_in_the_viewer() -> None:
    note = grey_note(opened(np.round(PAPYRUS * 4095).astype(np.int16)))
    assert "`--grey-range 32768 36863`" in note


def test_int16_in_the_upper_half_only_is_reported() -> None:
    values = np.round(PAPYRUS * 32767).astype(np.int16)
    note = grey_note(opened(values))
    assert "is below 0" in note and "`--grey-range 32768 65535`" in note
    assert grey_note(opened(values), (32768, 65535)) == ""
    assert grey_note(opened((PAPYRUS * 60000 - 30000).astype(np.int16))) == ""


def test_a_low_contrast_is_stretched() -> None:
    stack = opened((20000 + PAPYRUS * 3000).astype(np.uint16))
    black, white = suggested_range(stack.grey_sample())
    assert 18000 < black < 20100 and 22500 < white < 25000
    assert f"`--grey-range {black} {white}`" in grey_note(stack)
    assert grey_note(stack, (black, white)) == ""


@settings(max_examples=300, deadline=None)
@example(low=0, span=1, dtype=np.uint16)
@given(low=st.integers(0, 60000), span=st.integers(1, 65535), dtype=st.sampled_from([np.uint8, np.uint16]))
def test_the_suggested_range_is_accepted_and_filled(low: int, span: int, dtype: type) -> None:
    top = np.iinfo(dtype).max
    sample = np.linspace(low, min(low + span, 65535), 500).astype(np.uint16)
    sample = sample if dtype is np.uint16 else (sample >> 8).astype(np.uint8)
    black, white = suggested_range(sample)
    assert 0 <= black < white <= top
    assert grey_fill(sample, (black, white)).is_single or grey_fill(sample, (black, white)).share >= 1 / 8


def test_black_and_uniform_stacks_are_reported() -> None:
    assert "are 0 (black); check" in grey_note(opened(np.zeros((3, 20, 20), np.uint16)))
    even = np.full((3, 20, 20), 20000, np.uint16)
    assert grey_note(opened(even)).startswith("All sampled grey values are 20000; check")
    even[1, 10, 10] = 9
    assert grey_note(opened(even)).startswith("Nearly all sampled grey values are 20000; check")


def test_a_stack_that_cannot_be_read_gets_the_reason_as_note(tmp_path: Path) -> None:
    for z in range(3):
        tifffile.imwrite(tmp_path / f"{z}.tif", np.zeros((20, 20), np.uint16), photometric="minisblack")
    stack = open_stack(tmp_path)
    (tmp_path / "0.tif").unlink()
    assert "0.tif can no longer be read" in grey_note(stack)


def test_an_invalid_range_is_refused() -> None:
    for wrong in ((3, 3), (0, 256), (-1, 5), (float("nan"), 5)):
        with pytest.raises(StackError, match="does not fit this stack; give two rising grey values from 0 to 255"):
            grey_fill(np.arange(9, dtype=np.uint8), wrong)
