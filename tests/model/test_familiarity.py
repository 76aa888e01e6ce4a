"""What a model was trained on, and the sentences on stacks and maps that lie outside of it."""

import pytest

from napari_ink.model import shipped_models
from napari_ink.model.familiarity import TrainedOn, on_familiarity, on_ink

FIGURES = {"texture": 0.8, "layers": 0.5}
PHANTOMS = {
    "trained_on": TrainedOn(scans=0, phantoms=9, figures={"texture": (0.7, 0.9), "layers": (0.2, 0.6)}).model_dump()
}
SCANS = {"trained_on": {**PHANTOMS["trained_on"], "scans": 3}}


def test_every_scan_is_outside_for_a_model_that_was_trained_on_phantoms_alone() -> None:
    (sentence,) = on_familiarity(PHANTOMS, FIGURES, is_phantom=False)
    assert "no scan" in sentence and "hint" in sentence
    assert on_familiarity(PHANTOMS, FIGURES, is_phantom=True) == ()
    assert on_familiarity(SCANS, FIGURES, is_phantom=False) == ()


def test_the_shipped_models_say_so_too() -> None:
    for card in shipped_models():
        assert on_familiarity(card.provenance, {}, is_phantom=False), card.name


def test_figures_outside_of_the_training_data_are_named_with_their_range() -> None:
    (sentence,) = on_familiarity(SCANS, {"texture": 0.2, "layers": 0.99}, is_phantom=False)
    assert "finer texture: 0.20, in training 0.70 to 0.90" in sentence and "layers more alike" in sentence
    assert "no scan" not in sentence


@pytest.mark.parametrize("stated", [{}, {"trained_on": None}, {"trained_on": {"scans": "many"}}, {"trained_on": 3}])
def test_nothing_is_said_of_a_model_whose_training_is_unknown(stated: dict[str, object]) -> None:
    assert on_familiarity(stated, {"texture": 0.1}, is_phantom=False) == ()


def test_a_model_that_was_taught_is_judged_by_strokes_instead() -> None:
    assert on_familiarity({**PHANTOMS, "taught": {}}, FIGURES, is_phantom=False) == ()


def test_training_further_adds_to_what_the_start_was_trained_on() -> None:
    first = TrainedOn.of_stacks([{"texture": 0.5}, {"texture": 0.6}], 0, 2)
    joined = TrainedOn.of_stacks([{"texture": 0.9, "layers": 0.1}], 1, 0).joined_with(first)
    assert joined == TrainedOn(scans=1, phantoms=2, figures={"layers": (0.1, 0.1), "texture": (0.5, 0.9)})


def histogram(papyrus: int, ink: int, certain: int = 0) -> list[int]:
    levels = [0] * 256
    levels[3], levels[150], levels[250] = papyrus, ink, certain
    return levels


def test_a_map_with_more_ink_than_pages_have_is_told() -> None:
    (sentence,) = on_ink(histogram(5000, 3000, 2000), {})
    assert "50%" in sentence and "20%" in sentence and "more than" in sentence
    # The map of blank papyrus of a kind that the default model did not know: nothing warned of it.
    (sentence,) = on_ink(histogram(6900, 2500, 600), {})
    assert "marks 31%" in sentence and "may be no ink" in sentence


def test_a_map_with_hardly_any_ink_is_told() -> None:
    assert "may be no ink" in on_ink(histogram(99_990, 10), {})[0]


def test_a_map_without_clear_ink_is_told_by_what_the_model_reached_elsewhere() -> None:
    clear = {"clear_ink": {"share": 0.02, "probability": 0.9}}
    assert "may be no ink" in on_ink(histogram(90_000, 9000, 1000), clear)[0]
    assert on_ink(histogram(90_000, 7000, 3000), clear) == () == on_ink(histogram(90_000, 9000), {"clear_ink": 3})


def test_a_page_and_a_map_of_a_few_pixels_are_not() -> None:
    assert on_ink(histogram(8000, 1000, 1000), {}) == () == on_ink(histogram(10, 90), {})


def test_a_figure_just_below_zero_has_no_sign() -> None:
    (sentence,) = on_familiarity(SCANS, {"texture": -0.001}, is_phantom=False)
    assert "finer texture: 0.00, in training" in sentence
