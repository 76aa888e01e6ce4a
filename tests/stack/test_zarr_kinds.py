"""Zarrs of all kinds: read to the right voxels or refused in one sentence, never silently as zeros."""

import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_ink.errors import StackError
from napari_ink.stack import DepthStack, open_stack
from tests.stack import checks

METADATA = ("zarr.json", ".zarray", ".zattrs")
VOLUME = np.random.default_rng(0).integers(1, 65535, (6, 24, 40), dtype=np.uint16)


def ngff(axes: Sequence[str] = "zyx", paths: Sequence[str] = ("0",), **image: Any) -> dict[str, Any]:
    """Return the metadata of an image of NGFF 0.4 whose voxels are 7.91 µm."""
    scale = {"type": "scale", "scale": [7.91 if axis.lower() in "zyx" else 1.0 for axis in axes]}
    named = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in axes]
    datasets = [{"path": path, "coordinateTransformations": [scale]} for path in paths]
    return {"multiscales": [{"version": "0.4", "axes": named, "datasets": datasets, **image}]}


def write_zarr(
    place: Path,
    volume: np.ndarray = VOLUME,
    attributes: dict[str, Any] | None = None,
    path: str = "0",
    separator: str = "/",
    zarr_format: int = 2,
) -> Path:
    group = zarr.open_group(place, mode="a", zarr_format=zarr_format)
    encoding: Any = {"name": "v2" if zarr_format == 2 else "default", "separator": separator}
    array = group.create_array(
        path,
        shape=volume.shape,
        dtype=volume.dtype,
        chunks=tuple(min(16, length) for length in volume.shape),
        chunk_key_encoding=encoding,
    )
    array[...] = volume
    group.attrs.update(attributes or {})
    return place


def check_opens(source: Path | str, volume: np.ndarray = VOLUME) -> DepthStack:
    return checks.check_opens(source, volume)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(("stored", "stated"), [("/", "."), (".", "/"), ("/", None)])
def test_chunks_are_found_under_the_other_separator(
    tmp_path: Path, zarr_format: int, stored: str, stated: str | None
) -> None:
    place = write_zarr(tmp_path / "s.zarr", separator=stored, zarr_format=zarr_format, attributes=ngff())
    file = place / "0" / (".zarray" if zarr_format == 2 else "zarr.json")
    metadata = json.loads(file.read_text())
    if zarr_format == 2:
        metadata.pop("dimension_separator", None)
        metadata.update({} if stated is None else {"dimension_separator": stated})
    elif stated is not None:
        metadata["chunk_key_encoding"]["configuration"]["separator"] = stated
    file.write_text(json.dumps(metadata))
    stack = check_opens(place)
    assert stack.missing() == ""
    is_misnamed = stated != stored if stated is not None else zarr_format == 2
    assert ("separator" in stack.format) == is_misnamed
    files = [file for file in (place / "0").rglob("*") if file.is_file() and file.name not in METADATA]
    files[0].unlink()
    assert open_stack(place).missing().startswith("1 of 6 chunks")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_stack_without_any_chunk_is_reported(tmp_path: Path, zarr_format: int) -> None:
    group = zarr.open_group(tmp_path / "s.zarr", mode="w", zarr_format=zarr_format)
    group.create_array("0", shape=VOLUME.shape, dtype=VOLUME.dtype, chunks=(6, 16, 16))
    assert (
        open_stack(tmp_path / "s.zarr").missing() == "0 of 6 chunks are there and all reads as 0; copy it again, whole"
    )


def test_levels_without_any_chunk_are_left_out_and_reported(tmp_path: Path) -> None:
    place = write_zarr(tmp_path / "s.zarr")
    coarse = {"type": "scale", "scale": [1, 2, 2]}
    for level in ("1", "2"):
        write_zarr(place, VOLUME[:, ::2, ::2], path=level)
    attributes = ngff(paths=("0", "1", "2"))
    for dataset in attributes["multiscales"][0]["datasets"]:
        dataset["coordinateTransformations"] = [] if dataset["path"] == "0" else [coarse]
    zarr.open_group(place, mode="a").attrs.update(attributes)
    for part in (place / "1").iterdir():
        if part.is_dir():
            shutil.rmtree(part)
    stack = check_opens(place)
    assert [level.shape for level in stack.levels] == [(6, 12, 20)]
    assert stack.missing() == "all chunks of the levels 1 are not there"


@pytest.mark.parametrize("order", [*map("".join, permutations("zyx")), "ZYX", "XYZ", "zyxc", "tczyx", "Zcyx"])
def test_axes_in_any_case_and_order(tmp_path: Path, order: str) -> None:
    spatial = [axis for axis in order.lower() if axis in "zyx"]
    stored = VOLUME.transpose(["zyx".index(axis) for axis in spatial])
    stored = stored.reshape([dict(zip(spatial, stored.shape, strict=True)).get(axis, 1) for axis in order.lower()])
    stack = check_opens(write_zarr(tmp_path / "s.zarr", stored, ngff(order)))
    assert stack.voxel_size_um == 7.91 and stack.stored_px == (16, 16)


def test_names_of_axes_in_the_array_itself(tmp_path: Path) -> None:
    stored = np.ascontiguousarray(VOLUME.transpose(2, 1, 0))
    array = zarr.create_array(
        tmp_path / "s.zarr", shape=stored.shape, dtype=stored.dtype, dimension_names=["x", "y", "z"]
    )
    array[...] = stored
    check_opens(tmp_path / "s.zarr")


def test_channels_are_not_read_as_layers(tmp_path: Path) -> None:
    write_zarr(tmp_path / "s.zarr", np.stack([VOLUME, VOLUME]), ngff("czyx"))
    with pytest.raises(StackError, match=r"\(2, 6, 24, 40\) \(c, z, y, x\)"):
        open_stack(tmp_path / "s.zarr")


@pytest.mark.parametrize(("image", "size"), [([7.91] * 3, 15.82), ([0.5, 2, 2], 4.0)])
def test_the_scale_of_the_whole_image_counts_too(tmp_path: Path, image: list[float], size: float) -> None:
    attributes = ngff(coordinateTransformations=[{"type": "scale", "scale": image}])
    for dataset in attributes["multiscales"][0]["datasets"]:
        dataset["coordinateTransformations"][0]["scale"] = [2, 2, 2]
    assert open_stack(write_zarr(tmp_path / "s.zarr", attributes=attributes)).voxel_size_um == pytest.approx(size)


@pytest.mark.parametrize("number", ["1e400", "NaN", "-Infinity", "1" + "0" * 400, "0", '"two"', "null", "[1]"])
@pytest.mark.parametrize("of_image", [True, False])
def test_an_invalid_scale_gives_one_sentence(tmp_path: Path, number: str, of_image: bool) -> None:
    place = write_zarr(tmp_path / "s.zarr", attributes=ngff(coordinateTransformations=[]))
    text = (place / ".zattrs").read_text()
    scale = f'[{{"type": "scale", "scale": [{number}, 1, 1]}}]'
    attributes = json.loads(text)
    image = attributes["multiscales"][0]
    (image if of_image else image["datasets"][0])["coordinateTransformations"] = "HERE"
    (place / ".zattrs").write_text(json.dumps(attributes).replace('"HERE"', scale))
    with pytest.raises(StackError, match="OME-Zarr metadata of .*; write them again"):
        open_stack(place)


def test_the_root_written_by_bioformats2raw(tmp_path: Path) -> None:
    place = write_zarr(tmp_path / "s.zarr", VOLUME[None, None], path="0/0")
    zarr.open_group(place, mode="a").attrs["bioformats2raw.layout"] = 3
    zarr.open_group(place / "0", mode="a", zarr_format=2).attrs.update(ngff("tczyx"))
    assert check_opens(place).voxel_size_um == 7.91
    write_zarr(place, VOLUME[None, None], path="1/0")
    zarr.open_group(place / "1", mode="a", zarr_format=2).attrs.update(ngff("tczyx"))
    with pytest.raises(StackError, match=r"holds the images 0, 1; name one of them, as in .*s.zarr/0"):
        open_stack(place)
    zarr.open_group(place / "OME", mode="a", zarr_format=2).attrs["series"] = ["1"]
    check_opens(place)


def test_levels_without_metadata_are_found(tmp_path: Path) -> None:
    place = tmp_path / "s.zarr"
    for level in range(3):
        write_zarr(place, VOLUME[:, :: 2**level, :: 2**level], path=str(level))
    stack = check_opens(place)
    assert [(level.shape, level.step) for level in stack.levels] == [((6, 12, 20), (1, 2, 2)), ((6, 6, 10), (1, 4, 4))]
    assert "from their sizes" in stack.format
    (place / ".zgroup").unlink()
    check_opens(place)


def test_outdated_or_missing_metadata(tmp_path: Path) -> None:
    place = write_zarr(tmp_path / "s.zarr", VOLUME[:3], ngff())
    zarr.consolidate_metadata(str(place))
    shutil.rmtree(place / "0")
    array = zarr.create_array(place / "0", shape=VOLUME.shape, dtype="u2", chunks=(6, 20, 20), zarr_format=2)
    array[...] = VOLUME
    check_opens(place)
    (place / ".zmetadata").unlink()
    (place / ".zgroup").unlink()
    check_opens(place)


@pytest.mark.parametrize("name", ["s.zarr.zip", "s.ozx", "S.ZIP"])
@pytest.mark.parametrize("inner", ["", "s.zarr/"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_archives_are_read(tmp_path: Path, name: str, inner: str, compression: int) -> None:
    place = write_zarr(tmp_path / "s.zarr", attributes=ngff(), zarr_format=3)
    with zipfile.ZipFile(tmp_path / name, "w", compression) as archive:
        for file in sorted(place.rglob("*")):
            if file.is_file():
                archive.write(file, inner + file.relative_to(place).as_posix())
    stack = check_opens(tmp_path / name)
    assert stack.voxel_size_um == 7.91 and stack.name.lower() == "s" and stack.missing() == ""
    check_opens(f"{tmp_path / name}::0")
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(StackError, match="cannot be read"):
        open_stack(tmp_path / name)


def test_n5_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "attributes.json").write_text('{"n5": "2.5.0"}')
    with pytest.raises(StackError, match="N5"):
        open_stack(tmp_path)


def _chunks(metadata: dict[str, Any], chunks: list[int]) -> None:
    metadata["chunks"] = chunks


@pytest.mark.parametrize(
    "change",
    [
        lambda metadata: _chunks(metadata, [0, 0, 0]),
        lambda metadata: _chunks(metadata, [-1, 24, 40]),
        lambda metadata: _chunks(metadata, [10**6, 10**6, 10**6]),
        lambda metadata: metadata.update(shape=[6, 10**5, 10**5], chunks=[1, 1, 1]),
        lambda metadata: metadata.update(shape=[6, -24, 40]),
        lambda metadata: metadata.update(shape=[True, 24, 40], chunks=[1, "a", 1]),
        lambda metadata: metadata.update(dtype="|O"),
        lambda metadata: metadata.update(dtype="x" * 10**5),
        lambda metadata: metadata.update(compressor={"id": "pickle"}),
        lambda metadata: metadata.update(compressor={"id": "no such"}),
    ],
)
def test_impossible_metadata_of_arrays_are_refused(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    place = write_zarr(tmp_path / "s.zarr", attributes=ngff())
    metadata = json.loads((place / "0" / ".zarray").read_text())
    change(metadata)
    (place / "0" / ".zarray").write_text(json.dumps(metadata))
    with pytest.raises(StackError) as caught:
        open_stack(place)
    assert str(place) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [".zattrs", "0/.zarray", ".zgroup"])
def test_metadata_nested_too_deeply_are_refused(tmp_path: Path, name: str) -> None:
    place = write_zarr(tmp_path / "s.zarr", attributes=ngff())
    (place / name).write_text("[" * 10**5)
    with pytest.raises(StackError):
        open_stack(place)
