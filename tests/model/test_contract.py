"""The input contract: windows, scaling and what it says of stacks that do not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from napari_ink.errors import ContractError
from napari_ink.model import InputContract


def contract(**changes: object) -> InputContract:
    settings = {"depth_layers": 32, "min_depth_layers": 12, "mean": 0.3, "std": 0.2, "voxel_size_um": 7.91}
    return InputContract.model_validate(settings | changes)


def test_window_is_centred_on_the_surface_layer() -> None:
    assert contract().z_window(65) == slice(16, 48)


def test_grand_prize_window() -> None:
    assert contract(depth_layers=26, surface_offset=-2).z_window(65) == slice(17, 43)


@given(depth=st.integers(1, 200), layers=st.integers(1, 80), offset=st.integers(-20, 20), fewest=st.integers(1, 20))
def test_window_lies_in_the_stack_or_is_refused(depth: int, layers: int, offset: int, fewest: int) -> None:
    made = contract(depth_layers=layers, min_depth_layers=min(fewest, layers), surface_offset=offset)
    try:
        window = made.z_window(depth)
    except ContractError as error:
        assert str(made.min_depth_layers) in str(error)
        return
    assert 0 <= window.start < window.stop <= depth
    assert made.min_depth_layers <= window.stop - window.start <= layers


@given(depth=st.integers(1, 60), layers=st.integers(1, 40), fewest=st.integers(1, 20))
def test_offsets_are_those_that_leave_enough_layers(depth: int, layers: int, fewest: int) -> None:
    made = contract(depth_layers=layers, min_depth_layers=min(fewest, layers))
    fitting = []
    for offset in range(-110, 110):
        try:
            made.changed(surface_offset=offset).z_window(depth)
        except ContractError:
            continue
        fitting.append(offset)
    least, most = made.offsets(depth)
    assert fitting == list(range(least, most + 1))


@given(block=hnp.arrays(st.sampled_from([np.uint8, np.uint16]), hnp.array_shapes(min_dims=3, max_dims=3, max_side=5)))
def test_prepare_scales_as_written(block: np.ndarray) -> None:
    made = contract(clip=(0.1, 200 / 255))
    fraction = np.clip(block.astype(np.float64) / np.iinfo(block.dtype).max, 0.1, 200 / 255)
    np.testing.assert_allclose(made.prepare(block), (fraction - 0.3) / 0.2, atol=2e-6)
    assert made.prepare(block).dtype == np.float32


def test_the_same_grey_is_the_same_number_in_8_and_16_bits() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    np.testing.assert_allclose(contract().prepare(grey), contract().prepare(grey.astype(np.uint16) * 257), atol=1e-6)


def test_reversed_reads_the_other_end_first() -> None:
    block = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
    np.testing.assert_array_equal(contract(direction="reversed").prepare(block), contract().prepare(block)[::-1])


def test_notes_say_what_does_not_fit() -> None:
    said = " ".join(contract().notes(20, 3.24))
    assert "0 to 19 of 20" in said
    assert "trained on 32" in said
    assert "3.24" in said and "7.91" in said
    assert contract().notes(65, 7.91) == ("Reads depth layers 16 to 47 of 65, as stored.",)


@pytest.mark.parametrize("wrong", [{"clip": (0.5, 0.4)}, {"min_depth_layers": 40}, {"std": 0}, {"colour": "red"}])
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        contract(**wrong)
