"""Opening stacks: all layouts in use, and each error in one sentence."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_ink.errors import StackError
from napari_ink.stack import find_beside, find_mask_of_labels, open_stack, suffix_of
from tests.stack.checks import refused, whole

VOLUME = np.random.default_rng(0).integers(0, 65535, (5, 20, 30), dtype=np.uint16)


def write_layers(folder: Path, volume: np.ndarray = VOLUME, name: str = "{:02d}.tif", start: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for z, layer in enumerate(volume, start):
        tifffile.imwrite(folder / name.format(z), layer)
    return folder


@pytest.mark.parametrize("name", ["{:02d}.tif", "{:03d}.tif", "{}.tiff", "layer_{:04d}.TIF"])
@pytest.mark.parametrize("start", [0, 1, 8])
def test_layers_are_in_the_order_of_their_numbers(tmp_path: Path, name: str, start: int) -> None:
    np.testing.assert_array_equal(whole(write_layers(tmp_path / "s", name=name, start=start)), VOLUME)


def test_a_segment_folder_and_its_layers_are_the_same_stack(tmp_path: Path) -> None:
    write_layers(tmp_path / "20230702185753" / "layers")
    (tmp_path / "20230702185753" / "meta.json").write_text(json.dumps({"voxelsize": 7.91}))
    for source in (tmp_path / "20230702185753", tmp_path / "20230702185753" / "layers"):
        stack = open_stack(source)
        assert stack.name == "20230702185753" and stack.source.name == "layers"
        assert (stack.shape, stack.dtype, stack.voxel_size_um) == (VOLUME.shape, np.uint16, 7.91)
        assert (stack.format, stack.surface_z) == ("tiff folder", 2)


def test_a_folder_of_segments_names_them(tmp_path: Path) -> None:
    write_layers(tmp_path / "a" / "layers")
    with pytest.raises(StackError, match="holds the segment a; open that folder"):
        open_stack(tmp_path)
    write_layers(tmp_path / "b" / "layers")
    with pytest.raises(StackError, match="holds the segments a, b; open one of them"):
        open_stack(tmp_path)


def test_a_fragment_folder_has_its_mask_and_labels(tmp_path: Path) -> None:
    write_layers(tmp_path / "frag" / "surface_volume")
    for name in ("mask.png", "inklabels.png", "ir.png"):
        (tmp_path / "frag" / name).touch()
    beside = find_beside(open_stack(tmp_path / "frag"))
    assert beside.mask == tmp_path / "frag" / "mask.png"
    assert beside.ink_labels == tmp_path / "frag" / "inklabels.png"


def test_labels_named_after_the_segment_are_found(tmp_path: Path) -> None:
    write_layers(tmp_path / "seg" / "layers")
    (tmp_path / "seg" / "seg_inklabels.tif").touch()
    (tmp_path / "seg" / "other_mask.png").touch()
    beside = find_beside(open_stack(tmp_path / "seg" / "layers"))
    assert beside.ink_labels == tmp_path / "seg" / "seg_inklabels.tif" and beside.mask is None


def test_labels_beside_a_stack_may_be_zarrs(tmp_path: Path) -> None:
    """The highest version counts; within a version, the image that Zarrs are made from."""
    write_layers(tmp_path / "seg" / "layers")
    for name in ("seg_inklabels.zarr", "seg_mask.zarr", "seg_supervision_mask_v2.zarr", "seg_validation_mask_v2.zarr"):
        zarr.create_array(tmp_path / "seg" / name, data=np.zeros((4, 4), np.uint8))
    for name in ("seg_mask.tif", "seg_supervision_mask.png", "seg_validation_mask_v2.tiff"):
        (tmp_path / "seg" / name).touch()
    (tmp_path / "seg" / "seg_inklabels_v2.zarr").mkdir()  # not a Zarr
    beside = find_beside(open_stack(tmp_path / "seg"))
    found = (beside.ink_labels, beside.mask, beside.supervision_mask, beside.validation_mask)
    assert [path and path.name for path in found] == [
        "seg_inklabels.zarr",
        "seg_mask.tif",
        "seg_supervision_mask_v2.zarr",
        "seg_validation_mask_v2.tiff",
    ]
    labels = tmp_path / "seg" / "seg_inklabels_v2.zarr"
    found_mask = find_mask_of_labels(labels, "validation_mask")
    assert found_mask is not None and found_mask.suffix == ".zarr"  # the format of the labels


@pytest.mark.parametrize(
    ("source", "suffix"),
    [
        ("https://s3.example.org/a/seg.zarr?X-Amz-Signature=a%2Fb.tif&X-Amz-Expires=900", ".zarr"),
        ("https://example.org/a%20b/seg.ZARR/#part.h5", ".zarr"),
        ("s3://bucket/seg.tif", ".tif"),
        ("scan.h5::entry/data.1", ".h5"),
        ("a/seg.Zarr", ".zarr"),
    ],
)
def test_the_suffix_of_a_source(source: str, suffix: str) -> None:
    assert suffix_of(source) == suffix


def test_composites_beside_numbered_layers_are_left_out(tmp_path: Path) -> None:
    write_layers(tmp_path / "seg")
    tifffile.imwrite(tmp_path / "seg" / "composite.tif", VOLUME[0])
    assert whole(tmp_path / "seg").shape == VOLUME.shape


def test_a_composite_named_by_the_segments_date_is_not_a_layer(tmp_path: Path) -> None:
    segment = write_layers(tmp_path / "20230827161847")
    tifffile.imwrite(segment / "20230827161847.tif", VOLUME[0])
    np.testing.assert_array_equal(whole(segment), VOLUME)


@pytest.mark.parametrize("name", ["{}_7.91um.tif", "2023_{:03d}.tif", "scroll1 layer {} of 5.tif"])
def test_the_number_of_a_layer_is_the_one_that_differs(tmp_path: Path, name: str) -> None:
    np.testing.assert_array_equal(whole(write_layers(tmp_path / "layers", name=name)), VOLUME)


@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"ome": True}, {"bigtiff": True}, {"compression": "zlib"}])
def test_a_stack_in_one_file(tmp_path: Path, options: dict[str, object]) -> None:
    tifffile.imwrite(tmp_path / "one.ome.tif", VOLUME, photometric="minisblack", **options)
    stack = open_stack(tmp_path / "one.ome.tif")
    assert stack.format == "multi-page tiff"
    np.testing.assert_array_equal(whole(tmp_path / "one.ome.tif"), VOLUME)


def test_the_pixel_size_is_read_from_imagej_metadata(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", VOLUME, imagej=True, resolution=(1 / 3.24, 1 / 3.24), metadata={"unit": "um"})
    assert open_stack(tmp_path / "a.tif").voxel_size_um == pytest.approx(3.24, rel=1e-4)


@pytest.mark.parametrize(("y", "unit", "expected"), [(2.4, "µm", 2.4), (2.4, "nm", None), (9.6, "µm", None)])
def test_the_pixel_size_is_read_from_ome_metadata(tmp_path: Path, y: float, unit: str, expected: float | None) -> None:
    sizes = {"PhysicalSizeX": 2.4, "PhysicalSizeXUnit": unit, "PhysicalSizeY": y, "PhysicalSizeYUnit": unit}
    tifffile.imwrite(tmp_path / "a.ome.tif", VOLUME, photometric="minisblack", metadata={"axes": "ZYX", **sizes})
    assert open_stack(tmp_path / "a.ome.tif").voxel_size_um == expected


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
def test_a_numpy_file(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "a.npy", VOLUME.astype(dtype))
    stack = open_stack(tmp_path / "a.npy")
    assert stack.format == "npy" and stack.voxel_size_um is None and stack.dtype.isnative
    np.testing.assert_array_equal(whole(tmp_path / "a.npy"), VOLUME.astype(dtype))


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "no", "nothing at", str(tmp_path / "no"))


def test_a_folder_without_tiffs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").touch()
    refused(tmp_path, "no TIFF", str(tmp_path))


def test_a_missing_layer_is_refused(tmp_path: Path) -> None:
    (write_layers(tmp_path / "s") / "03.tif").unlink()
    refused(tmp_path / "s", "lacks layer 3")


def test_a_layer_number_far_from_the_others_is_reported_quickly(tmp_path: Path) -> None:
    tifffile.imwrite(write_layers(tmp_path / "layers") / "20230827161847.tif", VOLUME[0])
    refused(tmp_path / "layers", "lacks layers 5, 6, 7, 8, 9 and more", "20230827161847")


def test_a_dangling_link_to_a_layer_is_refused(tmp_path: Path) -> None:
    (write_layers(tmp_path / "s") / "05.tif").symlink_to(tmp_path / "gone.tif")
    refused(tmp_path / "s", "05.tif")


def test_pages_of_another_size_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(VOLUME[0])
        file.write(VOLUME[1, :10])
    refused(tmp_path / "a.tif", "Page 2 of", "a.tif", "10 × 30", "20 × 30")


def test_a_duplicate_layer_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(write_layers(tmp_path / "s") / "003.tif", VOLUME[0])
    refused(tmp_path / "s", "03.tif", "003.tif")


def test_a_layer_of_another_size_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(write_layers(tmp_path / "s") / "03.tif", VOLUME[0, :10])
    refused(tmp_path / "s", "03.tif", "10 × 30", "20 × 30")


def test_a_layer_of_another_dtype_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(write_layers(tmp_path / "s") / "03.tif", VOLUME[0].astype(np.uint8))
    refused(tmp_path / "s", "03.tif", "uint8", "uint16")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_truncated_layer_is_refused(tmp_path: Path, compression: str | None) -> None:
    path = write_layers(tmp_path / "s") / "03.tif"
    tifffile.imwrite(path, VOLUME[0], compression=compression)
    os.truncate(path, path.stat().st_size - 300)
    refused(tmp_path / "s", "03.tif")


def test_an_empty_layer_is_refused(tmp_path: Path) -> None:
    (write_layers(tmp_path / "s") / "03.tif").write_bytes(b"")
    refused(tmp_path / "s", "03.tif")


def test_a_false_tiff_is_refused(tmp_path: Path) -> None:
    (write_layers(tmp_path / "s") / "03.tif").write_bytes(b"GIF89a and so on, for a while")
    refused(tmp_path / "s", "03.tif", "TIFF")


def test_colour_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "0.tif", np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    refused(tmp_path, "colour", "0.tif")


def test_colour_from_a_palette_is_refused(tmp_path: Path) -> None:
    Image.fromarray(VOLUME[0].astype(np.uint8)).convert("P").save(tmp_path / "0.tif")
    refused(tmp_path, "palette", "0.tif")


@pytest.mark.parametrize("dtype", ["float64", "int32", "uint32"])
def test_other_dtypes_are_refused(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "0.tif", np.zeros((8, 8), dtype))
    refused(tmp_path, dtype, "8- or 16-bit")
    np.save(tmp_path / "a.npy", np.zeros((3, 8, 8), dtype))
    refused(tmp_path / "a.npy", dtype)


def test_a_broken_numpy_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"not numpy at all")
    refused(tmp_path / "a.npy", "NumPy")
    np.save(tmp_path / "b.npy", np.zeros((8, 8), np.uint8))
    refused(tmp_path / "b.npy", "(8, 8)")
    np.save(tmp_path / "c.npy", np.array([{}], dtype=object))
    refused(tmp_path / "c.npy", "NumPy")
    np.savez(tmp_path / "e.npz", VOLUME)
    refused((tmp_path / "e.npz").rename(tmp_path / "e.npy"), "NumPy")
    np.save(tmp_path / "d.npy", VOLUME)
    os.truncate(tmp_path / "d.npy", 500)
    refused(tmp_path / "d.npy", "cut short")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.docx").touch()
    refused(tmp_path / "a.docx", "not a depth stack")


def test_a_file_that_vanishes_later_is_reported(tmp_path: Path) -> None:
    stack = open_stack(write_layers(tmp_path / "s"))
    (tmp_path / "s" / "03.tif").unlink()
    with pytest.raises(StackError, match="03.tif"):
        stack.read(slice(3, 4), slice(0, 4), slice(0, 4))


def test_damage_inside_a_compressed_layer_is_reported_on_reading(tmp_path: Path) -> None:
    path = write_layers(tmp_path / "s") / "03.tif"
    tifffile.imwrite(path, VOLUME[0], compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages.first.dataoffsets[0], file.pages.first.databytecounts[0]
    with path.open("r+b") as raw:
        raw.seek(offset)
        raw.write(b"\xff" * count)
    stack = open_stack(tmp_path / "s")
    with pytest.raises(StackError, match="03.tif"):
        stack.read(slice(3, 4), slice(0, 4), slice(0, 4))


DAMAGED = {"plain": {}, "tiles": {"tile": (16, 16), "compression": "zlib"}, "imagej": {"imagej": True}, "npy": None}


@pytest.mark.filterwarnings("ignore")  # NumPy and tifffile may warn about the content
@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from(sorted(DAMAGED)))
def test_any_damage_is_reported_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    """With any byte of a file broken, it is read as an array of its shape, or a `StackError` gives the reason."""
    options = DAMAGED[kind]
    path = tmp_path_factory.mktemp("damaged") / ("a.npy" if options is None else "a.tif")
    if options is None:
        np.save(path, VOLUME)
    else:
        tifffile.imwrite(path, VOLUME, photometric="minisblack", **options)
    content = bytearray(path.read_bytes())
    ends = st.one_of(st.integers(0, 299), st.integers(len(content) - 600, len(content) - 1))
    for place, value in data.draw(st.dictionaries(ends, st.integers(0, 255), min_size=1, max_size=4)).items():
        content[place] = value
    path.write_bytes(content)
    try:
        stack = open_stack(path)
        assert stack.read(slice(0, 1), slice(0, 1), slice(0, 1)).shape == (1, 1, 1)
    except StackError as error:
        assert "\n" not in str(error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_a_pipe_among_the_layers_is_refused_and_not_waited_for(tmp_path: Path, suffix: str) -> None:
    for z in range(3):
        os.mkfifo(tmp_path / f"{z:02}{suffix}")
    with pytest.raises(StackError, match="not a regular file"):
        open_stack(tmp_path)


def test_guesses_and_omitted_files_are_noted(tmp_path: Path) -> None:
    folder = tmp_path / "seg"
    (folder / "0.tif").mkdir(parents=True)  # a folder, and an image that is not readable as a layer
    for name in [f"-{z}.tif" for z in range(1, 13)]:
        tifffile.imwrite(folder / name, np.full((8, 8), int(name[1:-4]), np.uint8))
    for name in ("3 (1).tif", "seg_mask.png", "Thumbs.db", ".hidden.tif", "view.jp2"):
        (folder / name).write_bytes(b"no image")
    stack = open_stack(folder)
    assert stack[:, 0, 0].tolist() == list(range(12, 0, -1))
    sign, others = stack.notes
    assert "numbered -12 to -1" in sign and "--direction" in sign
    assert others.startswith("3 images beside the layers are left out: 0.tif, 3 (1).tif, view.jp2; ")


def test_a_second_folder_of_layers_is_noted(tmp_path: Path) -> None:
    for name in ("layers", "surface_volume"):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "0.tif", np.zeros((8, 8), np.uint8))
    (note,) = open_stack(tmp_path).notes
    assert "layers and surface_volume: layers is read" in note
    assert open_stack(tmp_path / "surface_volume").notes == ()
