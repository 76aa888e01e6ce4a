"""Scaling by percentiles of the whole stack, which undoes brightness, contrast, bits and, with a curve, gamma."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.errors import ContractError
from napari_ink.model import InputContract
from napari_ink.model.stack_greys import SHARES, power_of, prepared_values
from napari_ink.stack import stack_of_array


def contract(**changes: object) -> InputContract:
    settings = {"depth_layers": 8, "min_depth_layers": 8, "mean": 0.3, "std": 0.2, "voxel_size_um": 7.91}
    return InputContract.model_validate(settings | changes)


def fitted_to(volume: np.ndarray, how: str, **changes: object) -> InputContract:
    return contract(normalisation=how, **changes).with_greys_of(stack_of_array(volume, "scan"))


def prepared(volume: np.ndarray, how: str, **changes: object) -> np.ndarray:
    return fitted_to(volume, how, **changes).prepare(volume)


def scan(white: float) -> np.ndarray:
    """Return a scan, half of it air, that reaches a share of the range of 16 bits."""
    rng = np.random.default_rng(5)
    air, papyrus = rng.normal(0.08, 0.02, (2, 8, 64, 32)), rng.normal(0.45, 0.3, (2, 8, 64, 32))
    both = np.concatenate([air[0], papyrus[0]], axis=2)
    return (np.abs(both).clip(0.001, 1) * white * 65535).astype(np.uint16)


GREYS = scan(0.9)
BY_STACK = pytest.mark.parametrize("how", ["stack quantiles", "stack curve"])


@BY_STACK
@pytest.mark.parametrize(
    "changed",
    [
        (GREYS * 0.4 + 600).astype(np.uint16),
        (GREYS * 0.4 + 25000).astype(np.uint16),
        (GREYS >> 4 << 4) + 16,
        GREYS >> 4,
        (GREYS >> 8).astype(np.uint8) + 1,
    ],
    ids=["brightness and contrast", "much brighter", "12 bits", "12 bits in 16", "8 bits"],
)
def test_scaling_by_the_stack_undoes_brightness_contrast_and_bits(changed: np.ndarray, how: str) -> None:
    assert np.abs(prepared(changed, how) - prepared(GREYS, how)).max() < 0.1  # 8 bits round by a part of a grey


@given(gamma=st.floats(0.7, 1.4), white=st.floats(0.2, 1))
def test_a_curve_undoes_a_gamma(gamma: float, white: float) -> None:
    changed = ((scan(white) / 65535) ** gamma * 65535).astype(np.uint16)
    assert np.abs(prepared(changed, "stack curve") - prepared(GREYS, "stack curve")).max() < 0.03
    assert (
        abs(gamma - 1) < 0.15
        or np.abs(prepared(changed, "stack quantiles") - prepared(GREYS, "stack quantiles")).max() > 0.1
    )


@BY_STACK
def test_percentiles_become_the_usual_greys(how: str) -> None:
    found = np.quantile(prepared(GREYS, how), SHARES[how]) * 0.2 + 0.3
    usual = {"stack quantiles": (14, 157), "stack curve": (14, 100.4, 157)}[how]
    assert found * 255 == pytest.approx(usual, abs=0.5)


@given(
    low=st.floats(0, 0.299),  # from .3 on black lies elsewhere, and the second call rounds
    middle=st.floats(0.02, 0.98),
    width=st.floats(0.05, 0.4),
    unit=st.sampled_from([1, 255, 65535]),
)
def test_the_power_is_the_best_of_a_fine_grid(low: float, middle: float, width: float, unit: int) -> None:
    low, middle, high = low * width, (low + middle) * width, (low + 1) * width
    grid = np.geomspace(1 / 1.8, 1.8, 4001)
    shares = (middle**grid - low**grid) / (high**grid - low**grid)
    best = grid[np.abs(shares - (100.4 - 14) / (157 - 14)).argmin()]
    greys = (low * unit, middle * unit, high * unit)
    assert power_of(greys) == pytest.approx(best, rel=1e-3)
    above_black = tuple(grey + 10 for grey in greys)
    assert power_of(above_black, (10.0, 70000.0)) == pytest.approx(best, rel=1e-3)


def test_black_is_one_below_the_air_where_all_greys_are_far_above_it() -> None:
    usual = power_of((1000, 5000, 11000))
    assert power_of((21000, 25000, 31000)) == usual == power_of((21000, 25000, 31000), (20000, 65535)) != 1


@pytest.mark.parametrize(
    ("greys", "told"),
    [
        ((0, 900, 1000), "after a power of 1.80, the limit"),
        ((0, 10, 1000), "after a power of 0.56, the limit"),
        ((200, 200, 200), "nine of ten are 200"),
    ],
)
def test_what_is_no_gamma_and_what_cannot_be_scaled_are_told(greys: tuple[float, ...], told: str) -> None:
    (note,) = (one for one in contract(normalisation="stack curve", stack_greys=greys).notes(65, 7.91) if told in one)
    assert ("usual scan" in note) == ("power" in told)


@pytest.mark.parametrize("greys", [(-5, 3, 9), (9, 3, 12), (5, 9, 3), (1, 2, 70000), (0, 0, float("nan"))])
@pytest.mark.parametrize("grey_range", [None, (0, 65535)])
def test_percentiles_that_no_stack_has_are_refused(greys: tuple[float, ...], grey_range: object) -> None:
    with pytest.raises(ValueError, match="percentiles of a stack must rise|finite"):
        contract(normalisation="stack curve", stack_greys=greys, grey_range=grey_range)


def test_percentiles_outside_of_the_grey_range_are_refused() -> None:
    with pytest.raises(ValueError, match="must rise from 60 to 255 at most, not be 10, 100, 200"):
        contract(normalisation="stack curve", stack_greys=(10, 100, 200), grey_range=(60, 255))


@BY_STACK
def test_scaling_keeps_the_order_of_greys_and_reverses_layers(how: str) -> None:
    values = prepared(GREYS, how)
    order = np.argsort(GREYS, axis=None)
    assert values.dtype == np.float32 and (np.diff(values.ravel()[order]) >= 0).all()
    np.testing.assert_array_equal(prepared(GREYS, how, direction="reversed"), values[::-1])


@BY_STACK
def test_a_contract_that_was_fitted_keeps_its_percentiles_for_other_stacks(how: str) -> None:
    made, fitted = contract(normalisation=how), fitted_to(GREYS, how)
    assert fitted.with_greys_of(stack_of_array(GREYS // 2, "darker")) == fitted
    assert InputContract.model_validate_json(fitted.model_dump_json()) == fitted
    assert fitted.without_greys() == made and "stack_greys" not in made.model_dump()


@pytest.mark.parametrize("how", ["fixed", "stack quantiles", "stack curve"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_percentiles_of_another_number_than_the_normalisation_needs_are_refused(how: str, count: int) -> None:
    if count == len(SHARES.get(how, ())):
        contract(normalisation=how, stack_greys=tuple(range(count)))
        return
    with pytest.raises(ValueError, match=f"{count} percentiles do not fit the normalisation '{how}'"):
        contract(normalisation=how, stack_greys=tuple(range(count)))


@BY_STACK
@pytest.mark.parametrize("grey", [0, 7, 255])
def test_a_stack_of_one_grey_is_scaled_to_one_value(grey: int, how: str) -> None:
    values = prepared(np.full((8, 64, 64), grey, np.uint8), how)
    assert np.isfinite(values).all() and np.ptp(values) == 0


@given(
    greys=st.lists(st.integers(0, 255), min_size=3, max_size=3).map(sorted),
    limits=st.none() | st.tuples(st.integers(0, 254), st.integers(1, 255)).filter(lambda both: both[0] < both[1]),
)
def test_any_percentiles_give_finite_values_in_the_order_of_greys(
    greys: list[int], limits: tuple[int, int] | None
) -> None:
    low, high = limits or (0, 255)
    table = prepared_values(tuple(float(np.clip(grey, low, high)) for grey in greys), limits, 255, 0.3, 0.2)
    assert table.shape == (256,) and np.isfinite(table).all() and (np.diff(table) >= 0).all()


@BY_STACK
def test_it_needs_no_grey_range_and_no_grey_is_far(how: str) -> None:
    made = contract(normalisation=how)
    assert made.grey_notes(np.full(9, 3, np.uint8), "narrow") == ()
    assert any("quantiles" in note for note in made.notes(65, 7.91))


def test_the_power_of_greys_is_told() -> None:
    dark = ((GREYS / 65535) ** 1.3 * 65535).astype(np.uint16)
    (note,) = (one for one in fitted_to(dark, "stack curve").notes(65, 7.91) if "quantiles" in one)
    assert float(note.rsplit(" ", 1)[1].rstrip(".")) == pytest.approx(1.036 / 1.3, abs=0.01)
    assert not any("power" in one for one in fitted_to(dark, "stack quantiles").notes(65, 7.91))


@BY_STACK
def test_a_contract_without_the_greys_of_a_stack_says_what_to_call(how: str) -> None:
    with pytest.raises(ContractError, match="with_greys_of"):
        contract(normalisation=how).prepare(GREYS)


@BY_STACK
def test_a_grey_range_clips_before_greys_are_scaled(how: str) -> None:
    values = prepared(GREYS, how, grey_range=(5000, 40000))
    low, high = (values[np.abs(GREYS.astype(int) - at) < 400].mean() for at in (5000, 40000))
    assert values.min() == pytest.approx(low, abs=0.05) and values.max() == pytest.approx(high, abs=0.05)
