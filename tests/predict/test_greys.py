"""Models that scale by a stack's quantiles: maps hardly depend on greys, and records state the quantiles."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_ink.model import InkModel, InputContract, load_model
from napari_ink.phantom import PhantomConfig, make_phantom
from napari_ink.predict import PredictRequest, open_prediction, predict
from napari_ink.region import Region
from napari_ink.stack import stack_of_array


@pytest.fixture(scope="module")
def model() -> InkModel:
    own = load_model("ink-tiny-3")
    values = {**own.contract.model_dump(), "normalisation": "stack quantiles"}
    return replace(own, contract=InputContract.model_validate(values))


def ink_of(model: InkModel, volume: np.ndarray, out: Path, region: Region | None = None) -> np.ndarray:
    request = PredictRequest(stack_of_array(volume, "scan"), model, out, region=region, device="cpu")
    for _ in predict(request):
        pass
    return open_prediction(out).read("ink", slice(0, 128), slice(0, 128)).astype(int)


def test_maps_hardly_change_with_brightness_contrast_and_bits(model: InkModel, tmp_path: Path) -> None:
    volume = make_phantom(PhantomConfig.varied(12, 128, 128, 40)).volume
    plain = ink_of(model, volume, tmp_path / "plain.zarr")
    changed = {
        "contrast": (volume * 0.3 + 20000).astype(np.uint16),
        "bits": (volume >> 8).astype(np.uint8),
    }
    assert np.ptp(plain) > 100
    for name, other in changed.items():
        other[:, volume[20] == 0] = 0  # outside the papyrus
        assert np.abs(ink_of(model, other, tmp_path / f"{name}.zarr") - plain).mean() < 4, name


def test_a_region_has_the_values_of_the_whole_and_the_record_states_the_quantiles(
    model: InkModel, tmp_path: Path
) -> None:
    volume = make_phantom(PhantomConfig.varied(11, 128, 128, 40)).volume
    whole = ink_of(model, volume, tmp_path / "whole.zarr")
    part = ink_of(model, volume, tmp_path / "part.zarr", Region(0, 64, 0, 64))
    np.testing.assert_allclose(part[:32, :32], whole[:32, :32], atol=1)
    greys = [
        open_prediction(tmp_path / f"{name}.zarr").provenance["contract"]["stack_greys"] for name in ("whole", "part")
    ]
    assert greys[0] == greys[1] and greys[0] == sorted(greys[0])
