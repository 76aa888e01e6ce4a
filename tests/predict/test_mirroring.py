"""What a network sees beyond the border of a segment."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ink.model import DEFAULT_MODEL, load_model, recommended_thresholds
from napari_ink.predict import PredictRequest, open_prediction
from napari_ink.predict.mirroring import mirrored_places
from napari_ink.stack import stack_of_array
from tests.predict.stand_ins import run


@given(length=st.integers(1, 40), before=st.integers(0, 100), after=st.integers(0, 100))
def test_places_are_those_of_a_mirrored_axis(length: int, before: int, after: int) -> None:
    expected = np.pad(np.arange(length), (before, after), mode="symmetric")
    np.testing.assert_array_equal(mirrored_places(-before, length + after, length), expected)


@pytest.mark.parametrize("side", [208, 221])
def test_the_border_of_a_stack_of_noise_is_as_blank_as_its_middle(tmp_path: Path, side: int) -> None:
    """Streaks of repeated pixels were marked as ink, along all of the right and the lower border."""
    noise = np.random.default_rng(1).integers(0, 2**16, (65, side, side), dtype=np.uint16)
    model = load_model(DEFAULT_MODEL)
    run(PredictRequest(stack_of_array(noise, "noise"), model, tmp_path / "p.zarr", device="cpu"))
    marked = open_prediction(tmp_path / "p.zarr").read("ink") >= 255 * recommended_thresholds(model.provenance)["ink"]
    assert marked[-48:].mean() < 0.02
    assert marked[:, -48:].mean() < 0.02
