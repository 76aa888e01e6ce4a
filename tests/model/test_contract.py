"""The input contract: windows, scaling, and notes on stacks that do not fit."""

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
def test_a_window_is_inside_the_stack_or_refused(depth: int, layers: int, offset: int, fewest: int) -> None:
    made = contract(depth_layers=layers, min_depth_layers=min(fewest, layers), surface_offset=offset)
    try:
        window = made.z_window(depth)
    except ContractError as error:
        assert str(made.min_depth_layers) in str(error)
        return
    assert 0 <= window.start < window.stop <= depth
    assert made.min_depth_layers <= window.stop - window.start <= layers


@given(depth=st.integers(1, 60), layers=st.integers(1, 40), fewest=st.integers(1, 20))
def test_offsets_are_limited_to_enough_layers(depth: int, layers: int, fewest: int) -> None:
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
def test_prepare_scales_by_the_contract(block: np.ndarray) -> None:
    made = contract(clip=(0.1, 200 / 255))
    fraction = np.clip(block.astype(np.float64) / np.iinfo(block.dtype).max, 0.1, 200 / 255)
    np.testing.assert_allclose(made.prepare(block), (fraction - 0.3) / 0.2, atol=2e-6)
    assert made.prepare(block).dtype == np.float32


def test_the_same_grey_is_the_same_number_in_8_and_16_bits() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    np.testing.assert_allclose(contract().prepare(grey), contract().prepare(grey.astype(np.uint16) * 257), atol=1e-6)


def test_reversed_reads_start_at_the_other_end() -> None:
    block = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
    np.testing.assert_array_equal(contract(direction="reversed").prepare(block), contract().prepare(block)[::-1])


@given(
    depth=st.integers(1, 80),
    layers=st.integers(1, 60),
    offset=st.integers(-40, 40),
    fewest=st.integers(1, 10),
    clip=st.sampled_from([(0.0, 1.0), (0.1, 0.8)]),
)
def test_a_stack_numbered_back_to_front_gives_the_same_values_in_reverse(
    depth: int, layers: int, offset: int, fewest: int, clip: tuple[float, float]
) -> None:
    made = contract(depth_layers=layers, min_depth_layers=min(fewest, layers), surface_offset=offset, clip=clip)
    turned = made.changed(direction="reversed")
    stack = np.random.default_rng(0).integers(0, 65536, (depth, 2, 2), dtype=np.uint16)
    assert made.offsets(depth) == turned.offsets(depth)
    try:
        window = made.z_window(depth)
    except ContractError:
        with pytest.raises(ContractError):
            turned.z_window(depth)
        return
    mirrored = turned.z_window(depth)
    assert (mirrored.start, mirrored.stop) == (depth - window.stop, depth - window.start)
    np.testing.assert_array_equal(turned.prepare(stack[::-1][mirrored]), made.prepare(stack[window]))


@given(
    block=hnp.arrays(np.uint16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5)),
    bounds=st.lists(st.integers(0, 65535), min_size=2, max_size=2, unique=True).map(sorted),
    as_8_bit=st.booleans(),
)
def test_a_grey_range_is_spread_over_the_whole_range(block: np.ndarray, bounds: list[int], as_8_bit: bool) -> None:
    low, high = bounds
    plain = contract(clip=(0.1, 0.8), as_8_bit=as_8_bit)
    spread = np.clip((block.astype(np.float64) - low) / (high - low), 0, 1) * 65535
    if as_8_bit:
        spread = np.rint(spread) // 256 / 255 * 65535
    wanted = (np.clip(spread / 65535, 0.1, 0.8) - plain.mean) / plain.std
    got = plain.changed(grey_range=(low, high)).prepare(block)
    # Next to a step between two 8-bit values, rounding of float32 may go either way.
    np.testing.assert_allclose(got, wanted, atol=(1 / 255 / plain.std if as_8_bit else 0) + 1e-4)
    assert got.dtype == np.float32


@pytest.mark.parametrize("as_8_bit", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_few_bits_stored_in_16_give_the_same_numbers_once_spread(bits: int, as_8_bit: bool) -> None:
    top = (1 << bits) - 1
    narrow = np.arange(top + 1, dtype=np.uint16).reshape(1, 1, -1)
    full = np.round(narrow * (65535 / top)).astype(np.uint16)
    made = contract(as_8_bit=as_8_bit)
    np.testing.assert_allclose(made.changed(grey_range=(0, top)).prepare(narrow), made.prepare(full), atol=1e-4)


def test_an_invalid_grey_range_is_refused() -> None:
    for wrong in ((5, 5), (7, 3), (-1, 5), (0, 65536)):
        with pytest.raises(ContractError, match="the grey range must be two rising values from 0 to 65535"):
            contract().changed(grey_range=wrong)
    for wrong in ((0, float("inf")), (float("nan"), 5)):
        with pytest.raises(ContractError, match="finite number"):
            contract().changed(grey_range=wrong)
    contract(grey_range=(0, 4095)).check_greys(np.dtype(np.uint16))
    with pytest.raises(ContractError, match="0 to 4095 does not fit a stack of uint8, whose values are 0 to 255"):
        contract(grey_range=(0, 4095)).check_greys(np.dtype(np.uint8))


def test_a_contract_without_a_grey_range_is_written_as_before() -> None:
    assert "grey_range" not in contract().model_dump(mode="json") and "grey_range" not in contract().model_dump_json()
    with_range = contract(grey_range=(0, 4095))
    assert with_range.model_dump(mode="json")["grey_range"] == [0, 4095]
    assert InputContract.model_validate_json(with_range.model_dump_json()) == with_range


def test_grey_values_far_from_the_training_range_are_reported() -> None:
    greys = np.random.default_rng(0).normal(0.3, 0.15, 5000).clip(0, 1) * 65535
    assert contract().grey_notes(greys.astype(np.uint16)) == ()
    for far in (greys / 4 + 1, greys / 8 + 40000, np.full(9, 30000.0), 60000 + greys / 40):
        (note,) = contract().grey_notes(far.astype(np.uint16))
        assert "far from those that the model was trained on" in note and "0.3 and 0.2" in note
    assert contract(mean=0, std=1).grey_notes(np.full(9, 3, np.uint16)) == ()
    assert contract().grey_notes(greys.astype(np.uint16), "Narrow.") == ("Narrow.",)
    (note,) = contract(grey_range=(0, 16383)).grey_notes((greys / 4).astype(np.uint16), "Narrow.")
    assert note == "Grey values from 0 to 16383 are spread over the whole range."


def test_notes_name_what_does_not_fit() -> None:
    notes = " ".join(contract().notes(20, 3.24))
    assert "0 to 19 of 20" in notes
    assert "trained on 32" in notes
    assert "3.24" in notes and "7.91" in notes
    assert contract().notes(65, 7.91) == ("Reads depth layers 16 to 47 of 65, as stored.",)


@pytest.mark.parametrize("wrong", [{"clip": (0.5, 0.4)}, {"min_depth_layers": 40}, {"std": 0}, {"colour": "red"}])
def test_invalid_contracts_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        contract(**wrong)


def test_entries_of_later_versions_are_written_only_if_used() -> None:
    plain = contract()
    assert not {"normalisation", "overlap", "context_px", "grey_range"} & plain.model_dump(mode="json").keys()
    used = plain.changed(normalisation="crop robust", overlap=0.5)
    assert InputContract.model_validate_json(used.model_dump_json()) == used
    assert InputContract.model_validate(plain.model_dump()) == plain
    with pytest.raises(ContractError, match="overlap"):
        plain.changed(overlap=0.9)


def test_a_narrow_range_matters_not_where_each_tile_is_scaled_by_itself() -> None:
    sample = np.arange(9, dtype=np.uint8)
    assert contract(mean=0, std=1).grey_notes(sample, "narrow") == ("narrow",)
    assert contract(mean=0, std=1, normalisation="crop robust").grey_notes(sample, "narrow") == ()
