"""Every format gives the same voxels, whatever its layout, and every error is one sentence."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import nrrd
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from napari_ink.errors import StackError
from napari_ink.stack import find_beside, open_stack
from tests.stack import checks
from tests.stack.checks import whole

VOLUME = np.random.default_rng(0).integers(0, 65535, (5, 37, 50), dtype=np.uint16)
refused = partial(checks.refused, use=whole)


def _tiffs(**how) -> Callable[[Path, np.ndarray], Path]:
    def write(place: Path, volume: np.ndarray) -> Path:
        place.mkdir()
        for z, layer in enumerate(volume):
            tifffile.imwrite(place / f"{z:03d}.tif", layer, **how)
        return place

    return write


def _one_tiff(name: str, **how) -> Callable[[Path, np.ndarray], Path]:
    def write(place: Path, volume: np.ndarray) -> Path:
        place.mkdir()
        tifffile.imwrite(place / name, volume, **how)
        return place / name

    return write


def _npy(order: str = "C") -> Callable[[Path, np.ndarray], Path]:
    def write(place: Path, volume: np.ndarray) -> Path:
        place.mkdir()
        np.save(place / "a.npy", np.asarray(volume, order=order))
        return place / "a.npy"

    return write


def _nrrd(place: Path, volume: np.ndarray) -> Path:
    place.mkdir()
    nrrd.write(str(place / "a.nrrd"), volume.transpose(2, 1, 0), {"encoding": "raw"})
    return place / "a.nrrd"


def _nhdr(place: Path, volume: np.ndarray) -> Path:
    place.mkdir()
    nrrd.write(str(place / "a.nhdr"), volume.transpose(2, 1, 0), {"encoding": "raw"}, detached_header=True)
    return place / "a.nhdr"


def _hdf5(place: Path, volume: np.ndarray) -> Path:
    place.mkdir()
    with h5py.File(place / "a.h5", "w") as file:
        file.create_dataset("scan/values", data=volume, chunks=True, compression="gzip")
        file.create_dataset("other", data=np.zeros(3))
    return place / "a.h5"


def _zarr(zarr_format: int, **how) -> Callable[[Path, np.ndarray], Path]:
    def write(place: Path, volume: np.ndarray) -> Path:
        array = zarr.create_array(place, shape=volume.shape, dtype=volume.dtype, zarr_format=zarr_format, **how)
        array[:] = volume
        return place

    return write


def _ngff(version: str) -> Callable[[Path, np.ndarray], Path]:
    """An OME-Zarr of two levels with axes c, z, y, x; voxels of 7.91 µm."""

    def write(place: Path, volume: np.ndarray) -> Path:
        group = zarr.open_group(place, mode="w", zarr_format=2 if version == "0.4" else 3)
        for name, values in (("0", volume), ("1", volume[:, ::2, ::2])):
            array = group.create_array(name, shape=(1, *values.shape), dtype=values.dtype, chunks=(1, 2, 16, 16))
            array[0] = values
        axes = [{"name": "c", "type": "channel"}] + [
            {"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"
        ]
        datasets = [
            {"path": name, "coordinateTransformations": [{"type": "scale", "scale": [1, 7.91, 7.91 * n, 7.91 * n]}]}
            for name, n in (("0", 1), ("1", 2))
        ]
        multiscales = [{"version": version, "axes": axes, "datasets": datasets}]
        group.attrs.update({"multiscales": multiscales} if version == "0.4" else {"ome": {"multiscales": multiscales}})
        return place

    return write


FORMATS = {
    "strips": _tiffs(rowsperstrip=8),
    "lzw": _tiffs(compression="lzw", rowsperstrip=8),
    "deflate": _tiffs(compression="zlib", rowsperstrip=5, predictor=True),
    "zstd tiles": _tiffs(compression="zstd", tile=(16, 16)),
    "plain tiles": _tiffs(tile=(32, 16)),
    "big-endian": _tiffs(byteorder=">"),
    "BigTIFF": _tiffs(bigtiff=True, compression="zlib"),
    "pages": _one_tiff("a.tif", photometric="minisblack"),
    "ImageJ": _one_tiff("a.tif", imagej=True),
    "OME-TIFF": _one_tiff("a.ome.tif", metadata={"axes": "ZYX"}, compression="zlib"),
    "npy": _npy(),
    "npy, Fortran": _npy("F"),
    "nrrd": _nrrd,
    "nhdr": _nhdr,
    "hdf5": _hdf5,
    "zarr v2": _zarr(2, chunks=(2, 16, 16)),
    "zarr v3": _zarr(3, chunks=(2, 16, 16)),
    "zarr v3, sharded": _zarr(3, chunks=(1, 16, 16), shards=(4, 32, 32)),
    "OME-Zarr 0.4": _ngff("0.4"),
    "OME-Zarr 0.5": _ngff("0.5"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_each_format_gives_the_same_voxels(tmp_path: Path, name: str, dtype: str) -> None:
    volume = VOLUME.astype(dtype)
    stack = open_stack(FORMATS[name](tmp_path / "seg", volume))
    assert (stack.shape, stack.dtype) == (volume.shape, volume.dtype)
    assert stack.scaling == ""
    np.testing.assert_array_equal(stack.read(slice(1, 4), slice(7, 33), slice(3, 49)), volume[1:4, 7:33, 3:49])
    np.testing.assert_array_equal(
        stack.read_block(slice(1, 4), slice(7, 33), slice(3, 49), 4), volume[1:4, 7:33:4, 3:49:4]
    )


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(FORMATS)),
    volume=arrays(
        st.sampled_from([np.uint8, np.uint16]), st.tuples(st.integers(2, 6), st.integers(5, 40), st.integers(5, 40))
    ),
    data=st.data(),
)
def test_any_window_of_any_stack_equals_the_slice(
    tmp_path_factory, name: str, volume: np.ndarray, data: st.DataObject
) -> None:
    stack = open_stack(FORMATS[name](tmp_path_factory.mktemp("any") / "seg", volume))
    block = []
    for length in volume.shape:
        start = data.draw(st.integers(0, length))
        block.append(slice(start, data.draw(st.integers(start, length))))
    step = data.draw(st.integers(1, 5))
    z, y, x = block
    np.testing.assert_array_equal(
        stack.read_block(z, y, x, step), volume[z, y.start : y.stop : step, x.start : x.stop : step]
    )


@pytest.mark.parametrize("name", ["strips", "lzw", "npy", "nrrd", "hdf5", "zarr v3"])
def test_int16_and_float32_become_grey_by_a_reported_scaling(tmp_path: Path, name: str) -> None:
    signed = VOLUME.view(np.int16)
    stack = open_stack(FORMATS[name](tmp_path / "signed", signed))
    assert stack.dtype == np.uint16 and "32768" in stack.scaling
    np.testing.assert_array_equal(whole(stack.source), (signed.astype(np.int32) + 32768).astype(np.uint16))
    reals = (VOLUME / 65535).astype(np.float32)
    stack = open_stack(FORMATS[name](tmp_path / "real", reals))
    assert stack.dtype == np.uint16 and "65535" in stack.scaling
    np.testing.assert_array_equal(whole(stack.source), VOLUME)
    refused(FORMATS[name](tmp_path / "beyond", reals * 3), "float32", "0 (black) to 1 (white)")
    refused(FORMATS[name](tmp_path / "nan", reals * np.float32("nan")), "float32")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_layers_as_pictures_are_read_without_the_composite(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "seg" / "layers"
    folder.mkdir(parents=True)
    smooth = np.add.outer(np.arange(5) * 20, np.add.outer(np.arange(37), np.arange(50))).astype(np.uint8)
    for z, layer in enumerate(smooth):
        Image.fromarray(layer).save(folder / f"{z:02d}.{suffix}")
    Image.fromarray(smooth[0]).save(tmp_path / "seg" / "mask.png")
    stack = open_stack(tmp_path / "seg")
    assert stack.format == f"{suffix} folder" and stack.slow
    assert find_beside(stack).mask == tmp_path / "seg" / "mask.png"
    got = stack.read_block(slice(1, 4), slice(2, 30), slice(5, 45), 2).astype(int)
    assert np.abs(got - smooth[1:4, 2:30:2, 5:45:2]).max() <= (0 if suffix == "png" else 4)
    if suffix == "png":
        deep = tmp_path / "deep"
        deep.mkdir()
        for z, layer in enumerate(VOLUME):
            Image.fromarray(layer).save(deep / f"{z}.png")
        np.testing.assert_array_equal(whole(deep), VOLUME)
    Image.fromarray(np.zeros((37, 50, 3), np.uint8)).save(folder / f"02.{suffix}")
    refused(tmp_path / "seg", f"02.{suffix}", "grey")


def test_a_picture_with_an_impossible_size_is_refused(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0))
    for z in range(3):
        (tmp_path / f"{z}.png").write_bytes(
            b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
        )
    refused(tmp_path, "0.png", "cannot unpack")


def test_mixed_compression_is_read_layer_by_layer(tmp_path: Path) -> None:
    folder = FORMATS["strips"](tmp_path / "seg", VOLUME)
    tifffile.imwrite(folder / "002.tif", VOLUME[2], compression="zstd")
    np.testing.assert_array_equal(whole(folder), VOLUME)
    assert open_stack(folder).slow == "1 of its 5 layers are compressed"


def test_kaggle_folders_are_listed_to_choose_one(tmp_path: Path) -> None:
    for fragment in "12":
        (tmp_path / "train" / fragment).mkdir(parents=True)
        FORMATS["strips"](tmp_path / "train" / fragment / "surface_volume", VOLUME)
        (tmp_path / "train" / fragment / "inklabels.png").touch()
    refused(tmp_path / "train", "1, 2", "open one")
    assert find_beside(open_stack(tmp_path / "train" / "1")).ink_labels.name == "inklabels.png"


def test_the_levels_and_the_voxel_size_of_an_ome_zarr(tmp_path: Path) -> None:
    stack = open_stack(FORMATS["OME-Zarr 0.5"](tmp_path / "seg.ome.zarr", VOLUME))
    assert stack.name == "seg" and stack.voxel_size_um == 7.91
    (level,) = stack.levels
    assert (level.shape, level.step) == ((5, 19, 25), (1, 2, 2))
    np.testing.assert_array_equal(level.read(slice(0, 5), slice(0, 19), slice(3, 20)), VOLUME[:, ::2, ::2][:, :, 3:20])


def test_an_ome_zarr_with_contradictory_metadata_is_refused(tmp_path: Path) -> None:
    place = FORMATS["OME-Zarr 0.5"](tmp_path / "seg.zarr", VOLUME)
    metadata = json.loads((place / "zarr.json").read_text())
    image = metadata["attributes"]["ome"]["multiscales"][0]

    def rewritten(change: Callable[[], None]) -> Path:
        change()
        (place / "zarr.json").write_text(json.dumps(metadata))
        return place

    path = image["datasets"][1]["path"]
    for outside in ("../secret", "/etc", "C:\\x", "http://x/y"):
        refused(rewritten(lambda outside=outside: image["datasets"][1].update(path=outside)), "outside")
    refused(rewritten(lambda: image["datasets"][1].update(path="7")), "'7'", "does not exist")
    scale = image["datasets"][1]["coordinateTransformations"][0]
    refused(rewritten(lambda: (image["datasets"][1].update(path=path), scale.update(scale=[1, 1, 4, 4]))), "coarser")
    refused(rewritten(lambda: scale.update(scale=["two"])), "OME-Zarr metadata")
    scale.update(scale=[1, 7.91, 15.82, 15.82])
    refused(rewritten(lambda: image.update(axes=[{"name": "t"}, {"name": "y"}, {"name": "x"}])), "axes")
    refused(rewritten(lambda: image.update(datasets=[], axes=["z", "y", "x"])), "OME-Zarr metadata", "no level")


@pytest.mark.parametrize("text", ["null", "[1, 2]", "7", ""])
def test_zarr_metadata_of_another_type_are_refused(tmp_path: Path, text: str) -> None:
    place = FORMATS["zarr v3"](tmp_path / "seg.zarr", VOLUME)
    (place / "zarr.json").write_text(text)
    refused(place, "cannot be read as Zarr")


def test_a_zarr_group_of_several_arrays_and_one_by_name(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "seg.zarr", mode="w")
    for name in ("a", "b"):
        group.create_array(name, data=VOLUME)
    refused(tmp_path / "seg.zarr", "a, b", "name the array")
    np.testing.assert_array_equal(whole(tmp_path / "seg.zarr" / "b"), VOLUME)


def test_missing_chunks_read_as_the_fill_value_and_are_reported(tmp_path: Path) -> None:
    place = FORMATS["zarr v2"](tmp_path / "seg.zarr", VOLUME)
    assert open_stack(place).missing() == ""
    (place / "1.0.0").unlink()
    stack = open_stack(place)
    assert stack.missing().startswith("1 of 36 chunks")
    block = stack.read(slice(2, 4), slice(0, 37), slice(0, 50))
    assert not block[:, :16, :16].any()
    np.testing.assert_array_equal(block[:, 16:], VOLUME[2:4, 16:])
    sharded = FORMATS["zarr v3, sharded"](tmp_path / "sharded.zarr", VOLUME)
    (sharded / "c" / "0" / "0" / "0").unlink()
    assert open_stack(sharded).missing().startswith("1 of 8 shards")


def test_a_broken_chunk_gives_one_sentence(tmp_path: Path) -> None:
    place = FORMATS["zarr v3"](tmp_path / "seg.zarr", VOLUME)
    (place / "c" / "0" / "0" / "0").write_bytes(b"rubbish")
    refused(place, "seg.zarr", "restore")
    (place / "zarr.json").write_text("{")
    refused(place, "Zarr")


@pytest.mark.parametrize("name", ["strips", "lzw", "npy", "nrrd", "hdf5"])
def test_files_that_vanish_or_change_while_open_are_reported(tmp_path: Path, name: str) -> None:
    place = FORMATS[name](tmp_path / "seg", VOLUME)
    stack = open_stack(place)
    file = place / "001.tif" if place.is_dir() else place
    content = file.read_bytes()
    os.utime(file, (1, 1))
    with pytest.raises(StackError, match="has changed since the stack was opened"):
        stack.read(slice(1, 2), slice(0, 9), slice(0, 9))
    file.unlink()
    with pytest.raises(StackError, match="can no longer be read"):
        stack.read(slice(1, 2), slice(0, 9), slice(0, 9))
    file.write_bytes(content)
    np.testing.assert_array_equal(whole(place), VOLUME)


def test_impossible_sizes_are_refused_before_allocation(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "deep.zarr", shape=(3000, 20, 20), dtype="uint8", chunks=(1, 20, 20))
    refused(tmp_path / "deep.zarr", "3000 layers", "512")
    zarr.create_array(tmp_path / "wide.zarr", shape=(2, 10, 10**9), dtype="uint8", chunks=(1, 10, 1000))
    refused(tmp_path / "wide.zarr", "damaged")
    zarr.create_array(tmp_path / "chunk.zarr", shape=(2, 900_000, 900_000), dtype="uint8", chunks=(2, 900_000, 900_000))
    refused(tmp_path / "chunk.zarr", "chunks")
    header = {"descr": "<u2", "fortran_order": False, "shape": (65, 900_000, 900_000)}
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    refused(tmp_path / "a.npy", "cut short")
    np.save(tmp_path / "empty.npy", np.zeros((0, 5, 5), np.uint8))
    refused(tmp_path / "empty.npy", "(0, 5, 5)")


def test_stacks_of_one_layer_and_of_the_most_layers(tmp_path: Path) -> None:
    for depth in (1, 512):
        np.save(tmp_path / f"{depth}.npy", np.zeros((depth, 4, 4), np.uint8))
        assert open_stack(tmp_path / f"{depth}.npy").shape[0] == depth
    np.save(tmp_path / "513.npy", np.zeros((513, 4, 4), np.uint8))
    refused(tmp_path / "513.npy", "513 layers")


def test_headers_that_refer_to_other_files_are_not_followed(tmp_path: Path) -> None:
    header = FORMATS["nhdr"](tmp_path / "a", VOLUME)
    text = header.read_bytes()
    for place in (b"../../etc/passwd", b"/etc/passwd", b"..\\x"):
        header.write_bytes(text.replace(b"a.raw", place))
        refused(header, "not followed")
    with h5py.File(tmp_path / "outer.h5", "w") as file:
        file["link"] = h5py.ExternalLink("inner.h5", "/values")
        file.create_dataset("here", data=VOLUME)
    with h5py.File(tmp_path / "inner.h5", "w") as file:
        file.create_dataset("values", data=VOLUME)
    refused(Path(f"{tmp_path / 'outer.h5'}::/link"), "another file")
    np.testing.assert_array_equal(whole(Path(f"{tmp_path / 'outer.h5'}::/here")), VOLUME)
    refused(Path(f"{tmp_path / 'outer.h5'}::/nothing"), "/here")
    layout = h5py.VirtualLayout(shape=VOLUME.shape, dtype=VOLUME.dtype)
    layout[:] = h5py.VirtualSource(tmp_path / "inner.h5", "values", shape=VOLUME.shape)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    refused(tmp_path / "virtual.h5", "other files")


def test_a_compressed_nrrd_is_refused_with_a_remedy(tmp_path: Path) -> None:
    nrrd.write(str(tmp_path / "a.nrrd"), VOLUME.transpose(2, 1, 0), {"encoding": "gzip"})
    refused(tmp_path / "a.nrrd", "gzip", "raw")
    (tmp_path / "b.nrrd").write_bytes(b"NRRD0004\ntype: ushort\n")
    refused(tmp_path / "b.nrrd", "NRRD")
    for name, text in (("empty.nrrd", b""), ("named.nrrd", b"NRRD0004\ntype: ushort\ndimension: 3\nsizes: 1 1 1\n\n")):
        (tmp_path / name).write_bytes(text)
        refused(tmp_path / name, name, "cannot be read as a grey NRRD")
    (tmp_path / "c.h5").write_bytes(b"nothing of the kind")
    refused(tmp_path / "c.h5", "HDF5")


def test_a_copy_in_another_format_has_the_same_fingerprint(tmp_path: Path) -> None:
    prints = {open_stack(write(tmp_path / str(n), VOLUME)).fingerprint() for n, write in enumerate(FORMATS.values())}
    assert len(prints) == 1


def test_channels_and_times_are_not_read_as_layers(tmp_path: Path) -> None:
    block = np.zeros((2, 5, 20, 30), np.uint16)
    tifffile.imwrite(tmp_path / "c.ome.tif", block, metadata={"axes": "CZYX"}, photometric="minisblack")
    refused(tmp_path / "c.ome.tif", "2 channels")
    tifffile.imwrite(tmp_path / "t.ome.tif", block, metadata={"axes": "TZYX"}, photometric="minisblack")
    refused(tmp_path / "t.ome.tif", "2 times")
    tifffile.imwrite(tmp_path / "i.tif", block.transpose(1, 0, 2, 3), imagej=True, metadata={"axes": "ZCYX"})
    refused(tmp_path / "i.tif", "2 channels")
    tifffile.imwrite(tmp_path / "z.tif", block[0], imagej=True, metadata={"axes": "ZYX"})
    assert open_stack(tmp_path / "z.tif").shape == (5, 20, 30)


def test_one_file_of_an_ome_tiff_set_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", VOLUME, metadata={"axes": "ZYX"}, photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        description = file.ome_metadata
    tifffile.imwrite(tmp_path / "b.ome.tif", VOLUME[0], description=description, metadata=None)
    refused(tmp_path / "b.ome.tif", "states 5 layers and holds 1")
