"""Every format: a written plane reads back unchanged, here and in other programs' readers."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from napari_ink.errors import LabelError, OutputError
from napari_ink.export import (
    EDGE_LABELS,
    FORMATS,
    INK_LABELS,
    Format,
    LabelPlane,
    format_of,
    plane_of,
    read_labels,
    write_label_values,
    write_mask,
    write_plane,
)

NAMES = {
    form.name: "7_inklabels.zarr" if form.name == "Training Zarr (villa)" else f"out{form.suffixes[0]}"
    for form in FORMATS
}
ALL = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
MANY = pytest.mark.parametrize("form", [form for form in FORMATS if not form.masks_only], ids=lambda form: form.name)
RNG = np.random.default_rng(3)
SIZES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=24)


@ALL
def test_the_format_follows_from_the_name(form: Format) -> None:
    assert format_of(Path(NAMES[form.name])) is form
    assert format_of(Path(NAMES[form.name].upper().replace("INKLABELS", "inklabels"))) is form


@ALL
@settings(max_examples=40, deadline=None)
@given(mask=hnp.arrays(np.bool_, SIZES))
def test_a_mask_reads_back(tmp_path_factory: pytest.TempPathFactory, form: Format, mask: np.ndarray) -> None:
    path = write_mask(mask, tmp_path_factory.mktemp("out") / NAMES[form.name])
    plane = read_labels(path, mask.shape)
    np.testing.assert_array_equal(plane.whole(), mask * np.uint8(255))
    assert plane.is_mask or not mask.any()
    assert list(path.parent.iterdir()) == [path]


@MANY
@settings(max_examples=40, deadline=None)
@given(labels=hnp.arrays(np.uint8, SIZES, elements=st.integers(0, 2)))
def test_label_values_read_back(tmp_path_factory: pytest.TempPathFactory, form: Format, labels: np.ndarray) -> None:
    if form.name == "NumPy":
        labels[0, 0] = 2  # NumPy files cannot store that 0 and 1 are label values
    path = write_label_values(labels, tmp_path_factory.mktemp("out") / NAMES[form.name])
    plane = read_labels(path)
    np.testing.assert_array_equal(plane.whole(), labels)
    assert plane.names == INK_LABELS


@ALL
@pytest.mark.parametrize("order", ["C", "F", "every other"])
def test_arrays_of_any_memory_layout(tmp_path: Path, form: Format, order: str) -> None:
    mask = RNG.random((140, 130)) < 0.4
    given = np.asfortranarray(mask) if order == "F" else np.repeat(mask, 2, axis=1)[:, ::2] if order != "C" else mask
    path = write_mask(given, tmp_path / NAMES[form.name])
    np.testing.assert_array_equal(read_labels(path, mask.shape).whole() > 0, mask)


@ALL
def test_planes_larger_than_one_block(tmp_path: Path, form: Format) -> None:
    blobs = np.kron(RNG.random((43, 27)) < 0.4, np.ones((50, 50), np.bool_))
    blobs[1020:1030, 500:1100] = True  # across the ends of bands, tiles and blocks
    path = write_mask(blobs, tmp_path / NAMES[form.name])
    plane = read_labels(path, blobs.shape)
    np.testing.assert_array_equal(plane.whole() > 0, blobs)
    np.testing.assert_array_equal(plane.read((1000, 1051), (3, 900)) > 0, blobs[1000:1051, 3:900])


@pytest.mark.parametrize("name", ["out.tif", "out.npy", "out.zarr", "7_inklabels_v2.zarr", "out.csv"])
def test_large_planes_are_read_a_part_at_a_time(tmp_path: Path, name: str) -> None:
    asked = []

    def read(y: tuple[int, int], x: tuple[int, int]) -> np.ndarray:
        asked.append((y[1] - y[0]) * (x[1] - x[0]))
        return np.zeros((y[1] - y[0], x[1] - x[0]), np.uint8)

    shape = (9000, 2100)
    write_plane(LabelPlane(shape, read, {255: "ink"}), tmp_path / name)
    assert sum(asked) == shape[0] * shape[1] and max(asked) <= 2048 * 2100


@pytest.mark.parametrize("name", ["out.csv", "7_inklabels.zarr", "7_supervision_mask_v3.zarr"])
def test_formats_of_masks_refuse_label_values(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="one mask"):
        write_label_values(np.zeros((3, 4), np.uint8), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.svg", "out.geojson", "out.json"])
def test_a_plane_too_large_to_trace_is_refused_before_it_is_read(tmp_path: Path, name: str) -> None:
    def read(y: tuple[int, int], x: tuple[int, int]) -> np.ndarray:
        raise AssertionError("read")

    with pytest.raises(OutputError, match="choose another format"):
        write_plane(LabelPlane((10**6, 10**6), read, {255: "ink"}), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@ALL
def test_an_existing_name_is_refused(tmp_path: Path, form: Format) -> None:
    mask = RNG.random((9, 8)) < 0.5
    path = write_mask(mask, tmp_path / NAMES[form.name])
    with pytest.raises(OutputError, match="exists already"):
        write_mask(~mask, path)
    np.testing.assert_array_equal(read_labels(path, mask.shape).whole() > 0, mask)
    write_mask(~mask, path, overwrite=True)
    np.testing.assert_array_equal(read_labels(path, mask.shape).whole() > 0, ~mask)
    assert list(tmp_path.iterdir()) == [path]


@ALL
def test_a_failed_read_leaves_no_file(tmp_path: Path, form: Format) -> None:
    def read(y: tuple[int, int], x: tuple[int, int]) -> np.ndarray:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="disk is full"):
        write_plane(LabelPlane((9, 9), read, {255: "ink"}), tmp_path / NAMES[form.name])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_only_by_the_same_format(tmp_path: Path) -> None:
    mask = np.ones((3, 3), np.bool_)
    letters, zarr_ = tmp_path / "letters.zarr", write_mask(mask, tmp_path / "a.zarr")
    letters.mkdir()
    (letters / "letter.txt").write_text("dear")
    for name in (letters, zarr_.rename(tmp_path / "a.png")):
        with pytest.raises(OutputError, match="not replaced"):
            write_mask(mask, name, overwrite=True)
    assert (letters / "letter.txt").read_text() == "dear" and (tmp_path / "a.png" / "zarr.json").exists()


@ALL
def test_files_with_other_content_are_refused(tmp_path: Path, form: Format) -> None:
    path = tmp_path / NAMES[form.name]
    if form.is_folder:
        zarr.create_group(path)
        with pytest.raises(LabelError, match=r"holds no label plane"):
            read_labels(path)
    else:
        for content in (b"", b"\x00\xff broken", b"{}", b"[1]", b"Id,Predicted\na,1 2 3\n"):
            path.write_bytes(content)
            with pytest.raises(LabelError, match="out"):
                read_labels(path, (2, 2))
    with pytest.raises(LabelError, match="no labels at"):
        read_labels(tmp_path / "gone" / NAMES[form.name])


def test_the_meaning_of_values_survives_export_and_import(tmp_path: Path) -> None:
    edges = plane_of(RNG.integers(0, 3, (6, 7), dtype=np.uint8), EDGE_LABELS)
    for name in ("e.geojson", "e.svg", "e.json"):
        assert read_labels(write_plane(edges, tmp_path / name)).names == EDGE_LABELS


# Other programs' readers


def test_images_are_plain_grey_images(tmp_path: Path) -> None:
    mask = RNG.random((700, 600)) < 0.5
    png, tif = (write_mask(mask, tmp_path / name) for name in ("m.png", "m.tif"))
    for path in (png, tif):
        with Image.open(path) as image:
            assert image.mode == "L" and image.size == (600, 700)
            np.testing.assert_array_equal(np.asarray(image), mask * np.uint8(255))
    with tifffile.TiffFile(tif) as opened:
        assert len(opened.pages) == 1 and opened.pages[0].tile == (512, 512)
    np.testing.assert_array_equal(np.load(write_mask(mask, tmp_path / "m.npy")), mask * np.uint8(255))


def test_an_ome_zarr_has_all_metadata_of_ngff(tmp_path: Path) -> None:
    labels = np.zeros((1100, 700), np.uint8)
    labels[5, 3], labels[6, 3], labels[900:1000, 100:600] = 1, 2, 1
    path = write_label_values(labels, tmp_path / "a.zarr", voxel_size_um=7.91)
    group = zarr.open_group(path, mode="r")
    ome = group.attrs["ome"]
    assert group.metadata.zarr_format == 3 and ome["version"] == "0.5"
    (scale,) = ome["multiscales"]
    assert scale["axes"] == [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    shapes, sides = [(1100, 700), (550, 350), (275, 175), (138, 88)], [7.91, 15.82, 31.64, 63.28]
    level = labels
    for dataset, shape, side in zip(scale["datasets"], shapes, sides, strict=True):
        assert dataset["coordinateTransformations"] == [{"type": "scale", "scale": [side, side]}]
        array = group[dataset["path"]]
        assert array.shape == shape and array.metadata.dimension_names == ("y", "x")
        np.testing.assert_array_equal(array[:], level)
        even = np.pad(level, [(0, length % 2) for length in level.shape])
        level = np.maximum.reduce([even[i::2, j::2] for i in (0, 1) for j in (0, 1)])
    assert ome["image-label"]["properties"][1] == {"label-value": 2, "name": "ink"}
    assert {place.relative_to(path / "0" / "c").as_posix() for place in (path / "0" / "c").rglob("*/*")} == {
        "0/0",
        "1/0",
        "1/1",
    }
    assert read_labels(path).voxel_size_um == 7.91


def test_villas_zarr_has_villas_layout(tmp_path: Path) -> None:
    mask = RNG.random((300, 270)) < 0.001
    mask[:, 128:256] = False
    path = write_mask(mask, tmp_path / "7_inklabels_v2.zarr", voxel_size_um=2.4)
    assert json.loads((path / ".zgroup").read_text()) == {"zarr_format": 2}
    metadata = json.loads((path / "0" / ".zarray").read_text())
    assert metadata["shape"] == [65, 300, 270] and metadata["chunks"] == [65, 128, 128] and metadata["fill_value"] == 0
    assert metadata["dimension_separator"] == "/" and metadata["zarr_format"] == 2 and metadata["dtype"] == "|u1"
    assert metadata["compressor"] == {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 2, "blocksize": 0}
    (scale,) = json.loads((path / ".zattrs").read_text())["multiscales"]
    assert scale["version"] == "0.4" and [axis["name"] for axis in scale["axes"]] == ["z", "y", "x"]
    assert [one["coordinateTransformations"][0]["scale"][1:] for one in scale["datasets"]] == [
        [2.4 * 2**n] * 2 for n in range(6)
    ]
    group = zarr.open_group(path, mode="r")
    shapes = [group[str(n)].shape for n in range(6)]
    assert shapes == [(65, *s) for s in [(300, 270), (150, 135), (75, 68), (38, 34), (19, 17), (10, 9)]]
    whole = group["0"][:]
    np.testing.assert_array_equal(whole[32], mask * np.uint8(255))
    assert not np.delete(whole, 32, axis=0).any()
    np.testing.assert_array_equal(
        group["5"][32] > 0, np.pad(mask, ((0, 20), (0, 18))).reshape(10, 32, 9, 32).any(axis=(1, 3))
    )
    assert sorted(place.name for place in (path / "0/0/0").iterdir()) == ["0", "2"]  # empty chunks are not stored


def test_kaggles_runs_are_counted_from_one_along_the_rows(tmp_path: Path) -> None:
    mask = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1]], np.bool_)
    path = write_mask(mask, tmp_path / "20230205_inklabels_v2.csv")
    assert path.read_text() == "Id,Predicted\n20230205,1 1 3 2 8 2\n"
    empty = write_mask(mask & False, tmp_path / "a.csv")
    assert empty.read_text() == "Id,Predicted\na,\n"
    with pytest.raises(LabelError, match="give its size"):
        read_labels(path)
    with pytest.raises(LabelError, match="do not fit 3 × 2"):
        read_labels(path, (3, 2))
    two = tmp_path / "two.csv"
    two.write_text("Id,Predicted\na,1 1\nb,2 1\n")
    with pytest.raises(LabelError, match="has 2"):
        read_labels(two, (3, 3))


def test_cocos_counts_are_of_the_columns(tmp_path: Path) -> None:
    labels = np.array([[2, 0, 1], [2, 1, 0]], np.uint8)
    data = json.loads(write_label_values(labels, tmp_path / "a.json").read_text())
    assert data["images"] == [{"id": 1, "file_name": "a.png", "height": 2, "width": 3}]
    papyrus, ink = data["annotations"]
    assert papyrus["segmentation"] == {"size": [2, 3], "counts": [3, 2, 1]}
    assert ink["segmentation"] == {"size": [2, 3], "counts": [0, 2, 4]}
    assert ink["area"] == 2 and ink["bbox"] == [0, 0, 1, 2] and ink["iscrowd"] == 1
    assert [category["name"] for category in data["categories"]] == ["papyrus", "ink"]


def _packed(counts: list[int]) -> str:
    """Write counts in COCO's compressed form as specified: minus the count two places before, 5 bits at a time."""
    out = ""
    for place, count in enumerate(counts):
        number = count - counts[place - 2] if place > 2 else count
        while True:
            bits, number = number & 31, number >> 5
            more = number != (-1 if bits & 16 else 0)
            out += chr(48 + bits + 32 * more)
            if not more:
                break
    return out


@settings(max_examples=60, deadline=None)
@given(mask=hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=70)))
def test_compressed_counts_of_other_programs_are_read(
    tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray
) -> None:
    path = write_mask(mask, tmp_path_factory.mktemp("out") / "a.json")
    data = json.loads(path.read_text())
    for annotation in data["annotations"]:
        annotation["segmentation"]["counts"] = _packed(annotation["segmentation"]["counts"])
    for category in data["categories"]:
        del category["value"]
    path.write_text(json.dumps(data))
    np.testing.assert_array_equal(read_labels(path).whole() > 0, mask)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools over numpy 2
def test_pycocotools_agrees(tmp_path: Path) -> None:
    reference = pytest.importorskip("pycocotools.mask")
    for share in (0, 0.01, 0.5, 1):
        mask = RNG.random((83, 57)) < share
        path = write_mask(mask, tmp_path / f"{share}.json")
        data = json.loads(path.read_text())
        for annotation in data["annotations"]:
            counts = annotation["segmentation"]["counts"]
            runs = reference.frPyObjects(annotation["segmentation"], 83, 57)
            np.testing.assert_array_equal(reference.decode(runs) > 0, mask)
            assert reference.area(runs) == annotation["area"]
            assert reference.toBbox(runs).tolist() == annotation["bbox"]
            annotation["segmentation"]["counts"] = runs["counts"].decode()
            assert _packed(counts) == annotation["segmentation"]["counts"]
        path.write_text(json.dumps(data))
        np.testing.assert_array_equal(read_labels(path).whole() > 0, mask)


def test_geojson_of_other_programs(tmp_path: Path) -> None:
    square = [[1, 1], [5, 1], [5, 4], [1, 4], [1, 1]]
    hole = [[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]
    triangle = [[0.0, 0.0], [8.0, 0.0], [0.0, 8.0], [0.0, 0.0]]
    data = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": None, "geometry": {"type": "Polygon", "coordinates": [square, hole]}},
            {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": [[triangle]]}},
        ],
    }
    path = tmp_path / "qupath.geojson"
    truth = np.add.outer(np.arange(8), np.arange(9)) + 1 < 8  # pixel centres in the triangle
    truth[1:4, 1:5] = True
    path.write_text(json.dumps(data))
    np.testing.assert_array_equal(read_labels(path, (8, 9)).whole() > 0, truth)
    with pytest.raises(LabelError, match="give its size"):
        read_labels(path)


def test_edited_svgs_are_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "b.svg").write_text(
        '<svg width="8" height="6"><path data-value="2" data-name="ink" d="M1 1 L4,1 4 3 H1 Z m4 2 l2 0 v2 h-2"/></svg>'
    )
    truth = np.zeros((6, 8), np.uint8)
    truth[1:3, 1:4] = truth[3:5, 5:7] = 2
    np.testing.assert_array_equal(read_labels(tmp_path / "b.svg").whole(), truth)
    (tmp_path / "c.svg").write_text(
        '<svg width="8" height="6"><path data-value="2" data-name="ink" d="M1 1 C 1 1 2 2 z"/></svg>'
    )
    with pytest.raises(LabelError, match="path data"):
        read_labels(tmp_path / "c.svg")
    (tmp_path / "d.svg").write_text('<svg width="8" height="6"><path d="M1 1z"/></svg>')
    with pytest.raises(LabelError, match="data-value"):
        read_labels(tmp_path / "d.svg")
