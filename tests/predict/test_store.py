"""The store: a plain OME-Zarr for any reader, a prediction with its provenance for ours."""

import functools
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

import napari_ink
from napari_ink.cli import main
from napari_ink.errors import BadInputError
from napari_ink.predict import PredictRequest, TilePredicted, open_prediction, predict, remove_if_empty
from napari_ink.region import Region
from tests.predict.stand_ins import Constant, Smear, ink_model, make_stack, run


@pytest.fixture
def request_here(tmp_path: Path) -> PredictRequest:
    return PredictRequest(
        make_stack(tmp_path, (9, 300, 320)), ink_model(Smear(), 64), tmp_path / "p.zarr", device="cpu"
    )


def test_a_prediction_is_an_ome_zarr_of_two_channels(request_here: PredictRequest) -> None:
    object.__setattr__(request_here.stack, "voxel_size_um", 7.91)
    run(request_here)
    attributes = json.loads((request_here.out / "zarr.json").read_text())["attributes"]
    assert attributes["ome"]["version"] == "0.5"
    scale = attributes["ome"]["multiscales"][0]
    assert [axis["name"] for axis in scale["axes"]] == ["c", "y", "x"]
    assert [axis.get("unit") for axis in scale["axes"]] == [None, "micrometer", "micrometer"]
    (level,) = scale["datasets"]
    assert level == {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 7.91, 7.91]}]}
    assert [channel["label"] for channel in attributes["ome"]["omero"]["channels"]] == ["ink", "edge"]
    array = zarr.open_array(request_here.out / "0", mode="r")
    assert (array.shape, array.dtype, array.chunks) == ((2, 300, 320), np.uint8, (1, 256, 256))
    assert array.metadata.dimension_names == ("c", "y", "x")
    np.testing.assert_array_equal(array[1], open_prediction(request_here.out).read("edge"))


def test_no_unit_is_claimed_where_the_voxel_size_is_unknown(request_here: PredictRequest) -> None:
    assert request_here.stack.voxel_size_um is None
    run(request_here)
    scale = zarr.open_group(request_here.out, mode="r").attrs["ome"]["multiscales"][0]
    assert not any("unit" in axis for axis in scale["axes"])
    assert scale["datasets"][0]["coordinateTransformations"][0]["scale"] == [1, 1, 1]


def test_a_prediction_records_its_provenance(request_here: PredictRequest) -> None:
    run(request_here)
    record = open_prediction(request_here.out).provenance
    stack, model = request_here.stack, request_here.model
    assert record["version"] == napari_ink.__version__
    model_record = {"name": "stand-in", "sha256": model.sha256, "predicts_edges": True, "provenance": {"data": "none"}}
    model_record["source"] = None
    assert record["model"] == model_record and record["asked_instead_of"] == {}
    assert record["contract"] == model.contract.model_dump(mode="json")
    assert record["stack"]["source"] == str(stack.source) and record["stack"]["fingerprint"] == stack.fingerprint()
    assert record["stack"]["shape"] == [9, 300, 320]
    assert (record["region"], record["z_window"], record["direction"]) == ([0, 300, 0, 320], [2, 7], "as stored")
    assert (record["device"], record["overlap"], record["complete"]) == ("cpu", 0.25, True)
    assert record["started"].endswith("+00:00")


def test_planes_are_read_where_they_are_indexed(request_here: PredictRequest) -> None:
    run(request_here)
    prediction = open_prediction(request_here.out)
    ink = prediction.read("ink")
    assert (prediction.shape, prediction.ink.shape, prediction.ink.ndim) == ((300, 320), (300, 320), 2)
    assert len(prediction.ink) == 300 and prediction.ink.size == ink.size
    assert prediction.ink.dtype == ink.dtype == np.uint8
    np.testing.assert_array_equal(prediction.ink[17], ink[17])
    np.testing.assert_array_equal(prediction.ink[250:260, 5:9], ink[250:260, 5:9])
    np.testing.assert_array_equal(np.asarray(prediction.edge), prediction.read("edge"))
    np.testing.assert_array_equal(prediction.read("edge", slice(3, 9), slice(2, 300)), prediction.edge[3:9, 2:300])


@pytest.mark.parametrize("threshold", [0.0, 1 / 255, 0.1, 0.5, 100 / 255, 0.999, 1.0])
def test_a_mask_contains_pixels_that_reach_the_threshold(request_here: PredictRequest, threshold: float) -> None:
    run(request_here)
    prediction = open_prediction(request_here.out)
    expected = prediction.read("ink").astype(float) / 255 >= threshold
    np.testing.assert_array_equal(prediction.mask("ink", threshold), expected)
    np.testing.assert_array_equal(prediction.mask("ink", threshold, slice(3, 40)), expected[3:40])


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(request_here: PredictRequest, threshold: float) -> None:
    run(request_here)
    with pytest.raises(BadInputError, match="between 0 and 1"):
        open_prediction(request_here.out).mask("edge", threshold)


def test_a_prediction_can_be_read_while_it_grows(tmp_path: Path) -> None:
    # More blocks than may wait for writing, so that some are written while others are still predicted.
    request = PredictRequest(
        make_stack(tmp_path, (3, 600, 1200)), ink_model(Smear(3), 64), tmp_path / "p.zarr", batch_size=1, device="cpu"
    )
    fractions = []
    for event in predict(request):
        prediction = open_prediction(request.out)
        fractions.append(prediction.done_fraction)
        if isinstance(event, TilePredicted) and prediction.done()[0, 0]:
            assert prediction.read("ink", slice(0, 256), slice(0, 256)).any()
    assert fractions[0] == 0 and fractions[-1] == 1 and fractions == sorted(fractions)
    assert len(set(fractions)) > 2


def test_blocks_outside_the_region_are_not_waited_for(tmp_path: Path) -> None:
    stack, model = make_stack(tmp_path, (5, 300, 700)), ink_model(Constant(1, -1), 64)
    run(PredictRequest(stack, model, tmp_path / "p.zarr", Region(10, 60, 300, 420), device="cpu"))
    prediction = open_prediction(tmp_path / "p.zarr")
    assert prediction.region == Region(10, 60, 300, 420) and prediction.complete
    assert prediction.done().tolist() == [[False, True, False], [False, False, False]]


def test_other_stores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="There is no prediction at"):
        open_prediction(tmp_path / "nothing.zarr")
    (tmp_path / "file.zarr").write_text("{}")
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "broken.zarr").mkdir()
    (tmp_path / "broken.zarr" / "zarr.json").write_text("{ half")
    zarr.create_group(tmp_path / "group.zarr")
    zarr.create_array(tmp_path / "array.zarr", shape=(3, 3), dtype="u1")
    other = zarr.create_group(tmp_path / "other.zarr")
    for name in ("0", "done"):
        other.create_array(name, shape=(2, 4, 4), dtype="u1")
    for name in ("file", "folder", "broken", "group", "array", "other"):
        with pytest.raises(BadInputError, match=f"{name}.zarr is not a prediction"):
            open_prediction(tmp_path / f"{name}.zarr")


@pytest.mark.parametrize("lacking", ["region", "tile", "started", "stack"])
def test_an_incomplete_record_is_damaged(request_here: PredictRequest, lacking: str) -> None:
    run(request_here)
    group = zarr.open_group(request_here.out, mode="r+")
    record = dict(group.attrs["napari_ink"])
    del record[lacking]
    group.attrs["napari_ink"] = record
    with pytest.raises(BadInputError, match=rf"is damaged \({lacking}: "):
        open_prediction(request_here.out)


def test_flags_of_another_shape_are_reported_as_damage(request_here: PredictRequest) -> None:
    run(request_here)
    group = zarr.open_group(request_here.out, mode="r+")
    del group["done"]
    group.create_array("done", shape=(7, 9), dtype="uint8")
    with pytest.raises(BadInputError, match="is damaged"):
        open_prediction(request_here.out)


NAN = float("nan")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("region",), [0, 10**12, 0, 10**12]),
        (("region",), [0, 300, 0, 10**400]),
        (("region",), [0, 300.5, 0, 320]),
        (("region",), [5, 5, 0, 320]),
        (("region",), "0:300,0:320"),
        (("tile",), [10**9, 10**9]),
        (("tile",), 64),
        (("started",), "yesterday"),
        (("started",), 5),
        (("model",), "stand-in"),
        (("model", "provenance"), []),
        (("contract",), None),
        (("contract", "direction"), "sideways"),
        (("others",), {}),
        (("others",), [1]),
        (("stack", "shape"), [9, 300, 321]),
        (("stack", "shape"), NAN),
        (("stack", "voxel_size_um"), NAN),
        (("stack", "voxel_size_um"), "7.91"),
        (("stack", "source"), 5),
        (("mask",), 5),
        (("augment",), [[]]),
        (("overlap",), NAN),
        (("device",), {}),
        (("left_out",), 5),
        (("asked_instead_of",), []),
    ],
)
def test_a_record_of_other_types_or_sizes_gives_one_sentence(
    request_here: PredictRequest, place: tuple[str, ...], value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    run(request_here)
    file = request_here.out / "zarr.json"
    content = json.loads(file.read_text())
    *parents, last = ("attributes", "napari_ink", *place)
    functools.reduce(dict.__getitem__, parents, content)[last] = value
    file.write_text(json.dumps(content))
    out = request_here.out.with_name("m.png")
    for arguments in (["info", str(request_here.out)], ["export", str(request_here.out), "-o", str(out)]):
        assert main(arguments) == 2
        text = capsys.readouterr().err
        assert "is damaged (" in text and place[0] in text and len(text.splitlines()) == 1
    with pytest.raises(BadInputError, match="is damaged|not a prediction that can be resumed") as caught:
        list(predict(replace(request_here, resume=True)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"zarr_format": 3, "node_type": "group", "attributes": ' + "9" * 5000]
)
def test_metadata_that_cannot_be_parsed_are_refused(request_here: PredictRequest, text: str) -> None:
    run(request_here)
    (request_here.out / "zarr.json").write_text(text)
    with pytest.raises(BadInputError, match="is not a prediction"):
        open_prediction(request_here.out)
    os.truncate(request_here.out / "zarr.json", 2**35)  # sparse: as large as a server could send
    with pytest.raises(BadInputError, match="is not a prediction"):
        open_prediction(request_here.out)


@pytest.mark.parametrize(
    ("array", "change"),
    [
        ("0", {"shape": [2, 10**7, 10**7]}),
        ("0", {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 10**6, 10**6]}}}),
        ("0", {"data_type": "float64", "fill_value": 0.0}),
        ("done", {"shape": [10**9, 2]}),
        ("done", {"data_type": "int64"}),
    ],
)
def test_arrays_with_impossible_metadata_are_refused(
    request_here: PredictRequest, array: str, change: dict[str, object]
) -> None:
    run(request_here)
    file = request_here.out / array / "zarr.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(BadInputError, match="is damaged"):
        open_prediction(request_here.out)


def test_damaged_levels_are_reported(request_here: PredictRequest) -> None:
    run(request_here)
    chunk = next(path for path in (request_here.out / "0" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(b"no chunk")
    with pytest.raises(BadInputError, match="A part of .* cannot be read"):
        open_prediction(request_here.out).read("ink")


def test_importing_the_room_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    program = "import sys, napari_ink.predict; print(sorted({'torch', 'zarr', 'napari', 'qtpy'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_only_a_store_without_a_predicted_tile_is_removed(request_here: PredictRequest, tmp_path: Path) -> None:
    events = predict(request_here)
    next(events)
    events.close()
    assert request_here.out.exists() and remove_if_empty(request_here.out) and not request_here.out.exists()
    run(request_here)
    assert not remove_if_empty(request_here.out) and open_prediction(request_here.out).complete
    (tmp_path / "letters").mkdir()
    assert not remove_if_empty(tmp_path / "letters") and (tmp_path / "letters").exists()
    assert not remove_if_empty(tmp_path / "nothing")
