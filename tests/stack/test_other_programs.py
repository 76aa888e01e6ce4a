"""HDF5, NRRD and NumPy files and metadata of other programs, and false headers."""

import json
import os
import struct
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from napari_ink.stack import open_stack
from tests.stack import checks
from tests.stack.checks import refusal

VOLUME = np.random.default_rng(0).integers(0, 65535, (6, 24, 40), dtype=np.uint16)
check_opens = partial(checks.check_opens, volume=VOLUME)


def write_hdf5(file: Path, values: np.ndarray, name: str = "data", **attributes: Any) -> Path:
    with h5py.File(file, "w") as opened:
        opened.create_dataset(name, data=values, chunks=True, compression="gzip").attrs.update(attributes)
    return file


@pytest.mark.parametrize("suffix", [".h5", ".HDF5", ".hdf", ".he5", ".nxs", ".mat", ".ims"])
def test_hdf5_with_any_suffix(tmp_path: Path, suffix: str) -> None:
    check_opens(write_hdf5(tmp_path / f"a{suffix}", VOLUME))


@pytest.mark.parametrize("axes", ["tzyxc", "zyxc", "czyx", "tczyx", "xyz", "tyxzc"])
def test_hdf5_with_the_axis_tags_of_ilastik(tmp_path: Path, axes: str) -> None:
    stored = VOLUME.transpose(["zyx".index(axis) for axis in axes if axis in "zyx"])
    lengths = dict(zip((axis for axis in axes if axis in "zyx"), stored.shape, strict=True))
    stored = stored.reshape([lengths.get(axis, 1) for axis in axes])
    tags = json.dumps({"axes": [{"key": axis, "typeFlags": 2} for axis in axes]})
    check_opens(write_hdf5(tmp_path / "a.h5", stored, "exported_data", axistags=tags))


@pytest.mark.parametrize("tags", ["", "[", "{}", '{"axes": 7}', "[" * 10**5])
def test_hdf5_with_useless_tags(tmp_path: Path, tags: str) -> None:
    check_opens(write_hdf5(tmp_path / "a.h5", VOLUME[None, ..., None], axistags=tags))


def test_hdf5_of_matlab_has_rows_and_columns_swapped(tmp_path: Path) -> None:
    check_opens(write_hdf5(tmp_path / "a.mat", VOLUME.transpose(0, 2, 1), MATLAB_class=np.bytes_("uint16")))
    (tmp_path / "old.mat").write_bytes(b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(512))
    assert "-v7.3" in refusal(tmp_path / "old.mat")


def test_hdf5_of_imaris_is_cropped_to_the_image(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.ims", "w") as file:
        for level, step in enumerate((1, 2)):
            channel = file.create_group(f"DataSet/ResolutionLevel {level}/TimePoint 0/Channel 0")
            channel["Data"] = np.pad(VOLUME[:, ::step, ::step], ((0, 2), (0, 8), (0, 24)))
            for axis, length in zip("ZYX", VOLUME.shape, strict=True):
                channel.attrs[f"ImageSize{axis}"] = np.array([*str(length)], "S1")
    check_opens(tmp_path / "a.ims")


def test_hdf5_with_no_or_several_stacks(tmp_path: Path) -> None:
    write_hdf5(tmp_path / "a.h5", np.zeros((4, 5)), "table")
    assert "holds no depth stack, but /table (4, 5)" in refusal(tmp_path / "a.h5")
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["raw"], file["other"], file["names"] = VOLUME, VOLUME, np.zeros(4)
    assert "/other, /raw; name one, as in" in refusal(tmp_path / "two.h5")
    check_opens(f"{tmp_path / 'two.h5'}::raw")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_dataset("data", shape=VOLUME.shape, dtype="u2", chunks=(1, 24, 40))
    assert "none of its values" in open_stack(tmp_path / "empty.h5").missing()


def write_nrrd(file: Path, sizes: str = "40 24 6", *fields: str, data: bytes | None = None) -> Path:
    header = ["NRRD0004", "type: uint16", f"dimension: {len(sizes.split())}", f"sizes: {sizes}", "endian: little"]
    fields = (*fields, "encoding: raw") if not any(field.startswith("encoding") for field in fields) else fields
    file.write_bytes("\n".join([*header, *fields, "", ""]).encode() + (VOLUME.tobytes() if data is None else data))
    return file


@pytest.mark.parametrize("sizes", ["1 40 24 6", "40 24 6 1", "1 40 24 6 1"])
def test_nrrd_with_a_list_axis_of_one(tmp_path: Path, sizes: str) -> None:
    check_opens(write_nrrd(tmp_path / "a.nrrd", sizes))


def test_the_voxel_size_is_read_from_nrrd_with_a_list_axis(tmp_path: Path) -> None:
    fields = ("spacings: NaN 0.00791 0.00791 0.02", 'units: "" "mm" "mm" "mm"')
    assert check_opens(write_nrrd(tmp_path / "a.nrrd", "1 40 24 6", *fields)).voxel_size_um == pytest.approx(7.91)
    fields = ("spacings: 1e308 1e308 1", 'units: "m" "m" "m"')
    assert check_opens(write_nrrd(tmp_path / "a.nrrd", "40 24 6", *fields)).voxel_size_um is None


@pytest.mark.parametrize(
    ("sizes", "fields", "word"),
    [
        ("40 -24 -6", (), "shape"),
        ("-40 24 -6", (), "shape"),
        ("3 40 24 6", (), "shape"),
        ("40 24", (), "shape"),
        ("40 24 6", ("data file: LIST", "a.raw"), "several files"),
        ("40 24 6", ("data file: a%03d.raw 0 5 1",), "several files"),
        ("40 24 6", ("encoding: gzip",), "compressed"),
        ("40 24 7", ("byte skip: -1",), "cut short"),
        ("40 24 6", ("byte skip: -7",), "skips"),
        ("40 24 6", ("byte skip: " + "9" * 400,), "cut short"),
        ("40 24 " + "6" * 5000, (), "a.nrrd"),
    ],
)
def test_an_unreadable_nrrd_is_refused_with_the_reason(
    tmp_path: Path, sizes: str, fields: tuple[str, ...], word: str
) -> None:
    assert word in refusal(write_nrrd(tmp_path / "a.nrrd", sizes, *fields))


def npy(file: Path, header: str, data: bytes = VOLUME.tobytes(), version: bytes = b"\x01\x00") -> Path:
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(header) + 1)
    file.write_bytes(b"\x93NUMPY" + version + length + header.encode("latin1") + b"\n" + data)
    return file


@pytest.mark.parametrize(
    "shape",
    [
        "(6, -24, -40)",
        "(True, 24, 40)",
        "(6, 24, 41)",
        "(6.0, 24, 40)",
        "(6, 24, 10**9)",
        "(6, 24)",
        "6",
        "None",
        "(" * 500 + ")" * 500,
        "(6, 24, " + "9" * 400 + ",)",
        "(3, 6, 24, 40)",
    ],
)
@pytest.mark.parametrize("order", ["False", "True"])
def test_false_numpy_headers_are_refused(tmp_path: Path, shape: str, order: str) -> None:
    header = f"{{'descr': '<u2', 'fortran_order': {order}, 'shape': {shape}}}"
    assert "a.npy" in refusal(npy(tmp_path / "a.npy", header))


def test_numpy_arrays_with_axes_of_one(tmp_path: Path) -> None:
    for values in (VOLUME[None], VOLUME[..., None], VOLUME[None, None, ..., None], np.asfortranarray(VOLUME[None])):
        np.save(tmp_path / "a.npy", values)
        check_opens(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (b'{"voxelsize": 7.91}', 7.91),
        (b'\xef\xbb\xbf{"voxelsize": 7.91}', 7.91),
        ('{"voxelsize": 7.91}'.encode("utf-16"), 7.91),
        (b'{"voxelsize": "7.91"}', 7.91),
        (b'{"voxelSize": 7.91, "max": NaN}', 7.91),
        (b'{"voxelsize": 1' + b"0" * 400 + b"}", None),
        (b'{"voxelsize": NaN}', None),
        (b'{"voxelsize": 1e400}', None),
        (b'{"voxelsize": true}', None),
        (b'{"voxelsize": [7.91]}', None),
        (b"[7.91]", None),
        (b"[" * 10**5, None),
        (b"\xff\xfe\xfd", None),
        (b"1" * 10**4, None),
    ],
)
def test_meta_json_from_any_editor_is_read(tmp_path: Path, content: bytes, size: float | None) -> None:
    (tmp_path / "layers").mkdir()
    for z in range(3):
        tifffile.imwrite(tmp_path / "layers" / f"{z}.tif", VOLUME[z])
    (tmp_path / "meta.json").write_bytes(content)
    opened = open_stack(tmp_path)
    assert opened.voxel_size_um == size
    # What the file states is never dropped without a word.
    assert [str(tmp_path / "meta.json") in note for note in opened.notes] == ([True] if size is None else [])


@pytest.mark.parametrize("stated", ["7,91", "7.91 um", -7.91, 0, None, {"x": 7.91}])
def test_a_voxel_size_that_is_no_number_is_told(tmp_path: Path, stated: object) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"voxelsize": stated}))
    tifffile.imwrite(tmp_path / "pages.tif", VOLUME, photometric="minisblack")
    np.save(tmp_path / "a.npy", VOLUME)
    for name in ("pages.tif", "a.npy"):
        opened = open_stack(tmp_path / name)
        assert opened.voxel_size_um is None
        (note,) = opened.notes
        assert f"states the voxel size {json.dumps(stated)}, which is not used" in note


def test_a_meta_json_without_a_voxel_size_needs_no_note(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"area_cm2": 3.1}')
    np.save(tmp_path / "a.npy", VOLUME)
    assert open_stack(tmp_path / "a.npy").notes == ()


def test_an_unreadable_file_is_reported_as_lacking_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = tmp_path / "locked"
    looked = Path.stat

    def refuse(self: Path, **how: Any) -> Any:
        if locked in self.parents:
            raise PermissionError(13, "Permission denied", str(self))
        return looked(self, **how)

    locked.mkdir()
    monkeypatch.setattr(Path, "stat", refuse)
    for name in ("", "s.npy", "layers"):
        assert "permission denied; ask for the right" in refusal(locked / name if name else locked)


@pytest.mark.parametrize("name", ["0.tif", "0.jpg", "a.npy", "a.nrrd", "a.h5", "a.tif", "a.ozx"])
def test_a_pipe_is_refused_without_waiting(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert "not a regular file" in refusal(tmp_path if name[0] == "0" else tmp_path / name)


def test_impossible_paths_are_refused(tmp_path: Path) -> None:
    assert "name too long" in refusal(tmp_path / ("x" * 5000)).lower()
    assert "nothing at" in refusal(f"{tmp_path}/\0")


def test_two_colons_in_the_name_of_a_folder_are_allowed(tmp_path: Path) -> None:
    (tmp_path / "a::b").mkdir()
    np.save(tmp_path / "a::b" / "s.npy", VOLUME)
    check_opens(tmp_path / "a::b" / "s.npy")
    write_hdf5(tmp_path / "a::b" / "s.h5", VOLUME)
    check_opens(f"{tmp_path}/a::b/s.h5::data")
