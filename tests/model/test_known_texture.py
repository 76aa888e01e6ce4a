"""The distribution of texture among training stacks, and distances from it."""

import numpy as np
import pytest
from pydantic import ValidationError

from napari_ink.model import read_card
from napari_ink.model.familiarity import TrainedOn
from napari_ink.model.known_texture import KnownTexture, nearest

NAMES = ("brightness", "contrast")


def known(seed: int = 0, brightness: float = 0) -> KnownTexture:
    brightnesses = np.random.default_rng(seed).normal(brightness, 1, 500)
    # Bright places have more contrast, so one that is bright and flat is unusual.
    figures = np.stack([brightnesses, brightnesses + np.random.default_rng(seed + 1).normal(0, 0.1, 500)], axis=1)
    found = KnownTexture.of_places(NAMES, figures)
    assert found is not None and (found.distances(figures) > 1).mean() <= 0.01
    return found


def test_places_are_outside_by_figures_or_by_their_combination() -> None:
    distances = known().distances(np.array([[0, 0], [9, 9], [1.5, -1.5], [np.nan, 0]]))
    assert (distances[:3] > 1).tolist() == [False, True, True] and np.isnan(distances[3])


def test_the_figure_that_differs_most_is_named() -> None:
    assert known().differs_by(np.array([[-9.0, -3.0], [-8.0, 0.0]])) == "darker"
    assert known().differs_by(np.array([[1.0, 7.0]])) == "more contrast"


def test_the_nearest_of_several_trainings_counts() -> None:
    distances, closest = nearest([known(), known(7, brightness=50)], np.array([[0.0, 0.0], [50.0, 50.0], [51.0, 51.0]]))
    assert (distances < 1).all() and closest.mean[0] > 40


@pytest.mark.parametrize("figures", [np.random.default_rng(0).normal(size=(9, 2)), np.zeros((500, 2))])
def test_too_few_places_and_constant_ones_tell_nothing(figures: np.ndarray) -> None:
    assert KnownTexture.of_places(NAMES, figures) is None


@pytest.mark.parametrize("change", [{"mean": (1.0,)}, {"limit": 0.0}, {"covariance": ((1.0, 2.0), (2.0, 1.0))}])
def test_a_damaged_card_is_unknown_training(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        KnownTexture.model_validate({**known().model_dump(), **change})
    trained_on = {"scans": 0, "places": [{**known().model_dump(), **change}]}
    assert TrainedOn.of_card({"trained_on": trained_on}) is None


def test_a_model_trained_further_knows_both_textures() -> None:
    start, own = (TrainedOn(scans=0, places=(known(seed),)) for seed in (0, 5))
    assert own.joined_with(start).places == (*start.places, *own.places)


@pytest.mark.parametrize("name", ["ink-tiny-4"])
def test_shipped_models_have_the_texture_that_was_measured_later(name: str) -> None:
    trained_on = TrainedOn.of_card(read_card(name).provenance)
    assert trained_on is not None and len(trained_on.places) == 1
