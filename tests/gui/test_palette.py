"""The colours of labels and predictions are told apart with normal sight, deuteranopia and protanopia."""

from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_ink.annotation import EDGE_COLOURS, INK_COLOURS, EdgeValue, LabelValue
from napari_ink.gui.models import palette
from napari_ink.gui.models.review_marks import MARK_RGBA, Mark

# Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
GREYS = (0.15, 0.5, 0.85)  # dark, medium and bright papyrus
LEAST, LEAST_OF_INK = 10.0, 30.0  # CIEDE2000; 2.3 is the least difference that is noticed


def _label(colour: tuple[float, float, float, float], kind: str) -> tuple[tuple[float, ...], float]:
    return colour[:3], colour[3] * palette.LABEL_OPACITY[kind]


SHOWN = {
    "labelled ink": _label(INK_COLOURS[LabelValue.INK], "ink"),
    "labelled papyrus": _label(INK_COLOURS[LabelValue.PAPYRUS], "ink"),
    "labelled edge": _label(EDGE_COLOURS[EdgeValue.EDGE], "edge"),
    "labelled no edge": _label(EDGE_COLOURS[EdgeValue.NOT_EDGE], "edge"),
    "predicted ink": (palette.INK_RGB, palette.PREDICTION_ALPHA["ink"]),
    "predicted edge": (palette.EDGE_RGB, palette.PREDICTION_ALPHA["edge"]),
    "live ink": (palette.LIVE_RGB, palette.LIVE_ALPHA),
}
MARKS = {mark: (MARK_RGBA[mark][:3], MARK_RGBA[mark][3]) for mark in (Mark.LIGHT, Mark.DARK)}


def _seen(name: str, grey: float, sight: str) -> np.ndarray:
    """Return the Lab values of a colour over grey papyrus, as it is seen."""
    return _lab(SHOWN[name], grey, sight)


def _lab(shown: tuple[tuple[float, ...], float], grey: float, sight: str) -> np.ndarray:
    rgb, alpha = shown
    mixed = np.asarray(rgb) * alpha + (1 - alpha) * grey
    linear = np.where(mixed <= 0.04045, mixed / 12.92, ((mixed + 0.055) / 1.055) ** 2.4)
    seen = np.clip(SIGHTS[sight] @ linear, 0, 1)
    return rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))


def _distance(one: str, other: str, sight: str) -> float:
    return min(float(deltaE_ciede2000(_seen(one, grey, sight), _seen(other, grey, sight))) for grey in GREYS)


@pytest.mark.parametrize("sight", SIGHTS)
def test_any_two_colours_are_told_apart(sight):
    near = {pair: _distance(*pair, sight) for pair in combinations(SHOWN, 2)}
    assert {pair: distance for pair, distance in near.items() if distance < LEAST} == {}


@pytest.mark.parametrize("sight", SIGHTS)
def test_predicted_ink_is_never_taken_for_labelled_ink(sight):
    assert _distance("labelled ink", "predicted ink", sight) >= LEAST_OF_INK


@pytest.mark.parametrize("sight", SIGHTS)
def test_marks_of_regions_have_no_hue_and_show_on_any_papyrus(sight):
    for grey in GREYS:
        light, dark = (_lab(shown, grey, sight) for shown in MARKS.values())
        papyrus = _lab(((grey,) * 3, 1.0), grey, sight)
        assert np.abs([light[1:], dark[1:]]).max() < 1
        assert deltaE_ciede2000(light, dark) >= LEAST_OF_INK
        assert max(deltaE_ciede2000(light, papyrus), deltaE_ciede2000(dark, papyrus)) >= 2 * LEAST


@pytest.mark.parametrize("sight", SIGHTS)
def test_marks_of_regions_are_taken_for_no_label_or_prediction(sight):
    near = {
        (mark, name): distance
        for mark, shown in MARKS.items()
        for name in SHOWN
        if (distance := min(_difference(shown, name, grey, sight) for grey in GREYS)) < LEAST
    }
    assert near == {}


def _difference(shown: tuple[tuple[float, ...], float], name: str, grey: float, sight: str) -> float:
    return float(deltaE_ciede2000(_lab(shown, grey, sight), _seen(name, grey, sight)))
