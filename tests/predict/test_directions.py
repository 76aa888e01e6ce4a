"""Both directions side by side: two maps, and a sentence on which of them separates ink."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from napari_ink.cli import main
from napari_ink.errors import BadInputError
from napari_ink.predict import PredictRequest, compare_directions, open_prediction
from napari_ink.predict.probing.separation import labelled_separation, unlabelled_separation
from napari_ink.region import Region
from napari_ink.stack import DepthStack
from tests.model.hybrid_files import network, pth_file
from tests.predict.stand_ins import ink_model, run

SHAPE = (7, 300, 300)


class FirstLayer(nn.Module):
    """Ink is where the first layer read is bright."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([4 * x[:, 0], x[:, 0]], dim=1)


def lettered(folder: Path) -> tuple[DepthStack, np.ndarray]:
    """Make a stack with ink in the first layer, and nothing but noise in the last."""
    ink = np.zeros(SHAPE[1:], bool)
    ink[50:90, 40:260] = ink[150:190, 40:200] = True
    values = np.random.default_rng(0).integers(90, 160, SHAPE, dtype=np.uint8)
    values[1] = np.where(ink, 250, 10)  # the window of five layers begins with the second
    np.save(folder / "segment.npy", values)
    return make_stack_of(folder), ink


def make_stack_of(folder: Path) -> DepthStack:
    from napari_ink.stack import open_stack

    return open_stack(folder / "segment.npy")


def both(folder: Path, stack: DepthStack, **settings: object) -> list[Path]:
    model = ink_model(FirstLayer(), 64)
    paths = []
    for direction in ("as stored", "reversed"):
        path = folder / f"{direction.split()[0]}.zarr"
        request = PredictRequest(stack, model.reading(direction), path, device="cpu")  # type: ignore[arg-type]
        run(replace(request, **settings))
        paths.append(path)
    return paths


def test_the_direction_in_which_ink_stands_out_is_said(tmp_path: Path) -> None:
    stack, ink = lettered(tmp_path)
    first, second = (open_prediction(path) for path in both(tmp_path, stack))
    found = compare_directions(first, second)
    assert found.as_stored == unlabelled_separation(first.read("ink"))
    assert found.reversed_ == unlabelled_separation(second.read("ink"))
    assert found.sentence.startswith("Ink stands out better read as stored (")
    assert compare_directions(second, first).sentence.startswith("Ink stands out better read reversed (")
    labelled = compare_directions(first, second, ink)
    assert labelled.has_labels and labelled.as_stored.value == pytest.approx(
        labelled_separation(first.read("ink"), ink).value
    )
    assert labelled.sentence.endswith("of 255, with labels).")


def test_only_pixels_inside_count(tmp_path: Path) -> None:
    stack, ink = lettered(tmp_path)
    first, second = (open_prediction(path) for path in both(tmp_path, stack))
    inside = np.zeros_like(ink)
    inside[60:170, 30:100] = True
    found = compare_directions(first, second, ink, inside)
    expected = labelled_separation(first.read("ink")[inside], ink[inside])
    assert found.as_stored.value == pytest.approx(expected.value)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(110, 140, "clearly in neither direction ("), (0, 256, "about equally in both directions (")],
)
def test_noise_in_both_directions_is_not_called_ink(tmp_path: Path, low: int, high: int, said: str) -> None:
    np.save(tmp_path / "segment.npy", np.random.default_rng(0).integers(low, high, SHAPE).astype(np.uint8))
    first, second = (open_prediction(path) for path in both(tmp_path, make_stack_of(tmp_path)))
    assert compare_directions(first, second).sentence.startswith(f"Ink stands out {said}")


def test_maps_of_different_regions_are_refused(tmp_path: Path) -> None:
    stack, _ = lettered(tmp_path)
    first, _ = both(tmp_path, stack)
    other = tmp_path / "other"
    other.mkdir()
    _, second = both(other, stack, region=Region(0, 100, 0, 100))
    with pytest.raises(BadInputError, match="different regions"):
        compare_directions(open_prediction(first), open_prediction(second))


def test_the_command_makes_two_maps_and_says_which_separates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, ink = lettered(tmp_path)
    np.save(tmp_path / "segment.npy", np.repeat(np.load(tmp_path / "segment.npy"), 3, axis=0)[:, :80, :80])
    path = pth_file(tmp_path, network())
    words = ["predict", str(tmp_path / "segment.npy"), "-o", str(tmp_path / "p.zarr"), "--model", str(path)]
    assert main([*words, "--device", "cpu", "--direction", "both"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 3 and "p_reverse.zarr" in out[1] and out[2].startswith("Ink stands out")
    stored, backwards = (open_prediction(tmp_path / name) for name in ("p.zarr", "p_reverse.zarr"))
    assert (stored.provenance["direction"], backwards.provenance["direction"]) == ("as stored", "reversed")
    Image.fromarray(ink[:80, :80].astype(np.uint8) * 255).save(tmp_path / "segment_inklabels.png")
    assert main([*words, "--device", "cpu", "--direction", "both", "--resume"]) == 0
    assert "with labels" in capsys.readouterr().out
