"""Maps as TIFF in the convention of the Vesuvius Challenge's tools, written and read."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_ink.cli import main
from napari_ink.errors import BadInputError, OutputError
from napari_ink.export.map_tiff import read_map_record, resolution_of, write_map
from napari_ink.model import load_model
from napari_ink.predict import PredictRequest, TilePredicted, open_prediction
from napari_ink.stack import open_stack
from tests.model.hybrid_files import network, pth_file
from tests.predict.stand_ins import make_stack, run, run_until

SHAPE = (19, 70, 90)


@pytest.fixture
def made(tmp_path: Path) -> PredictRequest:
    stack = replace(make_stack(tmp_path, SHAPE, dtype=np.uint8), voxel_size_um=9.362)
    model = load_model(pth_file(tmp_path, network())).reading("reversed")
    request = PredictRequest(stack, model, tmp_path / "ink.zarr", device="cpu")
    run(request)
    return request


def test_a_map_is_written_as_the_convention_says(made: PredictRequest, tmp_path: Path) -> None:
    prediction = open_prediction(made.out)
    path = write_map(prediction, tmp_path / "map.tif")
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        text = page.tags.valueof("ImageDescription")
        assert file.is_bigtiff and page.is_tiled and page.compression == tifffile.COMPRESSION.LZW
        assert page.dtype == np.uint8 and page.shape == SHAPE[1:]
        numerator, denominator = page.tags.valueof("XResolution")
        assert numerator / denominator == pytest.approx(25400 / 9.362, rel=1e-9)
        assert page.tags.valueof("ResolutionUnit") == 2
        np.testing.assert_array_equal(page.asarray(), prediction.read("ink"))
    first, body = text.split("\n", 1)
    assert first == "vesuvius_ink_inference v1" and text.isascii()
    document = json.loads(body)["vesuvius_ink_inference"]
    assert document["schema"] == 1
    assert document["checkpoint"] == {"name": "step-075000.pth", "sha256": made.model.sha256}
    assert document["input"]["shape"] == list(SHAPE)
    wanted = {"layer_indices": [*range(17, 0, -1)], "layer_start": 1, "layer_end": 18, "direction": "reverse"}
    wanted |= {"patch_size": 32, "stride": 16, "overlap": 0.5, "tta_mirror": False, "amp_dtype": None}
    assert wanted.items() <= document["run"].items()
    assert document["physical_scale"]["um_per_px_y"] == 9.362
    assert document["napari_ink"]["contract"]["normalisation"] == "crop robust"
    assert read_map_record(path) == document


def test_a_map_in_a_folder_gets_a_name_of_its_own(made: PredictRequest, tmp_path: Path) -> None:
    (tmp_path / "preds").mkdir()
    prediction = open_prediction(made.out)
    names = [write_map(prediction, tmp_path / "preds").name for _ in range(2)]
    day = prediction.provenance["started"]
    stem = f"segment_step-075000_reverse_{day[8:10]}{day[5:7]}{day[2:4]}"
    assert names == [f"{stem}.tif", f"{stem}_v2.tif"]


def test_what_is_no_complete_map_of_ink_is_refused(made: PredictRequest, tmp_path: Path) -> None:
    prediction = open_prediction(made.out)
    with pytest.raises(BadInputError, match="no edges"):
        write_map(prediction, tmp_path / "e.tif", "edge")
    with pytest.raises(OutputError, match=r"does not end in \.tif"):
        write_map(prediction, tmp_path / "e.png")
    write_map(prediction, tmp_path / "e.tif")
    with pytest.raises(OutputError, match="exists"):
        write_map(prediction, tmp_path / "e.tif")
    half = replace(made, out=tmp_path / "half.zarr", stack=make_stack(tmp_path, (19, 300, 300), dtype=np.uint8))
    run_until(half, lambda event: isinstance(event, TilePredicted))
    with pytest.raises(BadInputError, match="not complete"):
        write_map(open_prediction(half.out), tmp_path / "half.tif")


@pytest.mark.parametrize("um", [2.4, 7.91, 9.362, 2.399, 1 / 3, 25400.0, 1e-5, 1e7])
def test_the_resolution_fits_two_numbers_of_32_bits(um: float) -> None:
    found = resolution_of(um)
    assert found is not None and 0 < found[0] < 2**32 and 0 < found[1] < 2**32
    assert float(Fraction(*found)) == pytest.approx(25400 / um, rel=1e-6)
    assert resolution_of(None) is resolution_of(0) is resolution_of(1e-7) is None


def theirs(path: Path, levels: np.ndarray, **run_settings: object) -> Path:
    """Write a map as another program of the convention does."""
    document = {
        "schema": 1,
        "tool": "vesuvius.ink_detection.inference.infer",
        "checkpoint": {"name": "reader-v3.pth", "sha256": "ab" * 32, "size_bytes": 5},
        "run": {"direction": "reverse", "layer_indices": [*range(17, 0, -1)], "patch_size": 128, **run_settings},
    }
    description = "vesuvius_ink_inference v1\n" + json.dumps({"vesuvius_ink_inference": document})
    tifffile.imwrite(path, levels, compression="lzw", tile=(128, 128), bigtiff=True, description=description)
    return path


def test_the_map_of_another_program_becomes_a_prediction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_stack(tmp_path, (19, 600, 300), dtype=np.uint8)
    levels = np.random.default_rng(0).integers(0, 256, (600, 300), np.uint8)
    path, stack = theirs(tmp_path / "w035_reverse.tif", levels), str(tmp_path / "segment.npy")
    assert main(["store", str(path), "--stack", stack, "-o", str(tmp_path / "p.zarr")]) == 0
    prediction = open_prediction(tmp_path / "p.zarr")
    np.testing.assert_array_equal(prediction.read("ink"), levels)
    assert prediction.complete and not prediction.predicts_edges
    record = prediction.provenance
    assert (record["model"]["name"], record["direction"]) == ("reader-v3.pth", "reversed")
    assert record["z_window"] == [1, 18] and record["tile"] == [128, 128]
    assert record["stack"]["fingerprint"] == open_stack(stack).fingerprint()
    assert record["model"]["provenance"]["record"]["tool"].startswith("vesuvius")
    capsys.readouterr()
    assert main(["info", str(path)]) == 0 and "reader-v3.pth" in capsys.readouterr().out
    assert main(["info", str(tmp_path / "p.zarr")]) == 0 and "made by another program" in capsys.readouterr().out
    # And out again, as ours.
    again = write_map(prediction, tmp_path / "again.tif")
    np.testing.assert_array_equal(tifffile.imread(again), levels)


@pytest.mark.parametrize(
    "run_settings",
    [
        {"layer_indices": [10**9, -4, "x"], "patch_size": 10**12},
        {"layer_indices": "all", "direction": 5, "patch_size": -1, "torch_version": 3},
    ],
)
def test_odd_records_of_others_are_left_out(tmp_path: Path, run_settings: dict[str, object]) -> None:
    make_stack(tmp_path, (19, 60, 60), dtype=np.uint8)
    path = theirs(tmp_path / "x.tif", np.full((60, 60), 7, np.uint8), **run_settings)
    assert main(["store", str(path), "--stack", str(tmp_path / "segment.npy"), "-o", str(tmp_path / "p.zarr")]) == 0
    record = open_prediction(tmp_path / "p.zarr").provenance
    assert record["z_window"] == [0, 19] and record["tile"] == [1, 1]


def test_maps_of_another_size_or_without_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_stack(tmp_path, (19, 60, 60), dtype=np.uint8)
    words = ["--stack", str(tmp_path / "segment.npy"), "-o", str(tmp_path / "p.zarr")]
    tifffile.imwrite(tmp_path / "small.tif", np.full((15, 15), 9, np.uint8))
    assert main(["store", str(tmp_path / "small.tif"), *words]) == 2
    assert "15 × 15 pixels and the stack 60 × 60" in capsys.readouterr().err
    tifffile.imwrite(tmp_path / "wide.tif", np.full((60, 60), 9000, np.uint16))
    assert main(["store", str(tmp_path / "wide.tif"), *words]) == 2
    tifffile.imwrite(tmp_path / "bad.tif", np.zeros((60, 60), np.uint8), description="vesuvius_ink_inference v1\n{")
    assert main(["store", str(tmp_path / "bad.tif"), *words]) == 2
    tifffile.imwrite(tmp_path / "plain.tif", np.full((60, 60), 9, np.uint8))
    assert read_map_record(tmp_path / "plain.tif") is None
    assert main(["store", str(tmp_path / "plain.tif"), *words]) == 0
    assert "does not say how it was made" in capsys.readouterr().err


def test_the_command_writes_a_map(made: PredictRequest, tmp_path: Path) -> None:
    assert main(["export", str(made.out), "-o", str(tmp_path / "m.tif"), "--what", "map"]) == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tif"), open_prediction(made.out).read("ink"))
