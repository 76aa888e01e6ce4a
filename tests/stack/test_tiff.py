"""TIFFs of other programs: white as 0, few bits, overviews, and false headers."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.errors import StackError
from napari_ink.stack import open_stack
from napari_ink.stack.tiff import read_planes
from tests.stack.checks import whole

VOLUME = np.random.default_rng(0).integers(0, 65536, (4, 70, 90), dtype=np.uint16)
DEEP = {"uint8": (VOLUME >> 8).astype(np.uint8), "uint16": VOLUME}
STORED = {"plain": {}, "strips": {"compression": "zlib", "rowsperstrip": 16}, "tiles": {"tile": (32, 48)}}


def write_raw(path: Path, tags: dict[int, int | tuple[int, ...]], data: bytes = b"", following: int = 0) -> Path:
    """Write a TIFF of one page with these tags, each of 32 bits; the pixels start at byte 8."""
    directory = 8 + len(data)
    after, extra, entries = directory + 2 + 12 * len(tags) + 4, b"", b""
    for tag, value in sorted(tags.items()):
        values = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"<{len(values)}I", *values)
        entries += struct.pack("<HHI", tag, 4, len(values))
        entries += packed if len(values) == 1 else struct.pack("<I", after + len(extra))
        extra += packed if len(values) > 1 else b""
    head = struct.pack("<2sHI", b"II", 42, directory)
    path.write_bytes(head + data + struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + extra)
    return path


def tags_of(height: int, width: int, **others: int | tuple[int, ...]) -> dict[int, int | tuple[int, ...]]:
    numbers = {"bits": 258, "compression": 259, "photometric": 262, "offsets": 273, "rows": 278, "counts": 279}
    numbers |= {"tile_width": 322, "tile_length": 323, "tile_offsets": 324, "tile_counts": 325, "format": 339}
    tags = {"bits": 8, "compression": 1, "photometric": 1, **others}
    return {256: width, 257: height, 277: 1} | {numbers[name]: value for name, value in tags.items()}


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "int16", "float32"])
def test_layers_with_white_as_0_are_inverted(tmp_path: Path, dtype: str, stored: str) -> None:
    volume = DEEP["uint8"] if dtype == "uint8" else VOLUME
    if dtype == "int16":
        written = ~(volume.astype(np.int32) - 32768).astype(np.int16)
    elif dtype == "float32":
        written = (1 - volume / 65535).astype(np.float32)
    else:
        written = (np.iinfo(volume.dtype).max - volume).astype(dtype)
    (tmp_path / "layers").mkdir()
    for z, layer in enumerate(written):
        path = tmp_path / "layers" / f"{z}.tif"
        tifffile.imwrite(path, layer, photometric="miniswhite", metadata=None, **STORED[stored])
    got = whole(tmp_path)
    if dtype == "float32":
        assert np.abs(got.astype(int) - volume).max() <= 1
    else:
        np.testing.assert_array_equal(got, volume)
    assert "0 is white" in open_stack(tmp_path).scaling


@settings(max_examples=20, deadline=None)
@given(st.lists(st.booleans(), min_size=4, max_size=4), st.data())
def test_folders_with_some_inverted_layers(tmp_path_factory, turned: list[bool], data) -> None:
    folder = tmp_path_factory.mktemp("mixed")
    for z, layer in enumerate(VOLUME):
        how = {"photometric": "miniswhite" if turned[z] else "minisblack", "metadata": None}
        tifffile.imwrite(folder / f"{z}.tif", 65535 - layer if turned[z] else layer, **how)
    y, x = (slice(*sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2)))) for n in VOLUME.shape[1:])
    np.testing.assert_array_equal(open_stack(folder).read(slice(0, 4), y, x), VOLUME[:, y, x])


def test_a_hyperstack_of_imagej_with_an_inverted_table(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", 65535 - VOLUME, imagej=True, photometric="minisblack")
    data = bytearray((tmp_path / "s.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "s.tif") as file:
        for page in file.pages:
            at = page.aspage().tags["PhotometricInterpretation"].valueoffset
            data[at : at + 2] = b"\0\0"
    (tmp_path / "s.tif").write_bytes(data)
    np.testing.assert_array_equal(whole(tmp_path / "s.tif"), VOLUME)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("bits", [2, 4, 6, 10, 12, 14])
def test_few_bits_fill_the_range_of_their_dtype(tmp_path: Path, bits: int, photometric: str) -> None:
    dtype = np.uint8 if bits <= 8 else np.uint16
    top, full = (1 << bits) - 1, np.iinfo(dtype).max
    values = np.random.default_rng(1).integers(0, top + 1, (3, 16, 24)).astype(dtype)
    values[0, 0, :2] = 0, top
    with tifffile.TiffWriter(tmp_path / "s.tif") as file:
        for layer in values if photometric == "minisblack" else top - values:
            file.write(layer, photometric=photometric, bitspersample=bits, metadata=None)
    got = whole(tmp_path / "s.tif")
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.round(values * (full / top)).astype(dtype))
    assert f"{bits}-bit" in open_stack(tmp_path / "s.tif").scaling


def test_layers_of_different_bits_are_refused(tmp_path: Path) -> None:
    for z, bits in enumerate((12, 16)):
        tifffile.imwrite(tmp_path / f"{z}.tif", VOLUME[z] >> 4, photometric="minisblack", bitspersample=bits)
    with pytest.raises(StackError, match="12-bit ones; save all layers with one number of bits|16-bit values"):
        open_stack(tmp_path)


@pytest.mark.parametrize("kind", [1, 4, 5])
def test_overviews_and_masks_are_not_layers(tmp_path: Path, kind: int) -> None:
    (tmp_path / "layers").mkdir()
    for z, layer in enumerate(VOLUME):
        with tifffile.TiffWriter(tmp_path / "layers" / f"{z}.tif") as file:
            file.write(layer, photometric="minisblack", metadata=None)
            small = layer[::2, ::2] if kind == 1 else layer[::2, ::2] > 0
            file.write(small, photometric="minisblack" if kind == 1 else "mask", subfiletype=kind, metadata=None)
    np.testing.assert_array_equal(whole(tmp_path), VOLUME)


def test_a_colour_thumbnail_beside_the_layers_is_ignored(tmp_path: Path) -> None:
    thumbnail = np.zeros((8, 8, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "s.tif") as file:
        file.write(thumbnail, photometric="rgb", subfiletype=1, metadata=None)
        for layer in VOLUME:
            file.write(layer, photometric="minisblack", metadata=None)
        file.write(thumbnail, photometric="rgb", subfiletype=1, metadata=None)
    np.testing.assert_array_equal(whole(tmp_path / "s.tif"), VOLUME)


def test_layers_that_are_all_flagged_as_overviews_are_layers(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "s.tif") as file:
        for layer in VOLUME:
            file.write(layer, photometric="minisblack", subfiletype=1, metadata=None)
    np.testing.assert_array_equal(whole(tmp_path / "s.tif"), VOLUME)


def test_masks_keep_their_bits_and_palette_indices(tmp_path: Path) -> None:
    mask = VOLUME[0] > 30000
    tifffile.imwrite(tmp_path / "1.tif", ~mask, photometric="miniswhite")
    (plane,) = read_planes(tmp_path / "1.tif", of_masks=True)
    assert (plane.bits, plane.is_inverted, plane.dtype) == (1, True, np.dtype(bool))
    np.testing.assert_array_equal(plane.read(slice(0, 70), slice(0, 90)), mask)
    colours = np.zeros((3, 256), np.uint16)
    tifffile.imwrite(tmp_path / "p.tif", mask.astype(np.uint8), photometric="palette", colormap=colours)
    (plane,) = read_planes(tmp_path / "p.tif", of_masks=True)
    assert plane.is_palette and plane.bits == 8
    np.testing.assert_array_equal(plane.read(slice(0, 70), slice(0, 90)), mask)
    with pytest.raises(StackError, match="palette"):
        open_stack(tmp_path / "p.tif")


@pytest.mark.parametrize("back_to", [0, 1, 2])
def test_circular_pages_are_refused(tmp_path: Path, back_to: int) -> None:
    with tifffile.TiffWriter(tmp_path / "s.tif") as file:
        for layer in VOLUME[:3]:
            file.write(layer, photometric="minisblack", metadata=None)
    with tifffile.TiffFile(tmp_path / "s.tif") as file:
        offset, last = file.pages[back_to].offset, file.pages.next_page_offset
    data = bytearray((tmp_path / "s.tif").read_bytes())
    data[last : last + 4] = struct.pack("<I", offset)
    (tmp_path / "s.tif").write_bytes(data)
    with pytest.raises(StackError, match="is followed by an earlier one"):
        open_stack(tmp_path / "s.tif")


SIX = tuple(range(8, 14))
LIES = {
    "a million wide with six tiles": (
        tags_of(10**6, 10**6, tile_width=256, tile_length=256, tile_offsets=SIX, tile_counts=(1,) * 6),
        "damaged",
    ),
    "one tile as large": (
        tags_of(10**6, 10**6, tile_width=10**6, tile_length=10**6, tile_offsets=8, tile_counts=6, compression=8),
        "memory",
    ),
    "a deflated strip that cannot hold so much": (
        tags_of(20000, 20000, offsets=8, counts=6, rows=20000, compression=8),
        "cannot unpack",
    ),
    "a strip of LZW": (tags_of(20000, 20000, offsets=8, counts=6, rows=20000, compression=5), "cannot unpack"),
    "plain values": (tags_of(20000, 20000, offsets=8, counts=6, rows=20000), "cut short"),
    "few bits": (tags_of(20000, 20000, offsets=8, counts=6, rows=20000, bits=12), "cannot unpack"),
    "24-bit floats": (tags_of(2, 2, offsets=8, counts=6, rows=2, bits=40, format=3), "bits"),
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("is_big", [False, True])
def test_tables_that_would_take_gigabytes_are_not_parsed(tmp_path: Path, is_big: bool, order: str) -> None:
    """For example of a million pixels squared in small tiles, of which six were written to a sparse file."""
    mark, path = {"<": b"II", ">": b"MM"}[order], tmp_path / "s.tif"
    if is_big:
        head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16)
        entries = struct.pack(order + "QHHQQHHQQ", 2, 256, 4, 1, 10**6, 324, 16, 15_264_649, 200) + bytes(8)
    else:
        head = mark + struct.pack(order + "HI", 42, 8)
        entries = struct.pack(order + "HHHIIHHII", 2, 256, 4, 1, 10**6, 324, 4, 15_264_649, 200) + bytes(4)
    path.write_bytes(head + entries)
    with path.open("r+b") as file:
        file.truncate(200 + 8 * 15_264_649)
    with pytest.raises(StackError, match="15264649 values for tag 324 of page 1"):
        open_stack(path)


def test_too_many_pages_are_refused(tmp_path: Path) -> None:
    pages, size = 5000, 2 + 12 + 4
    chain = b"".join(
        struct.pack("<HHHIII", 1, 256, 4, 1, 9, 8 + (number + 1) * size if number < pages - 1 else 0)
        for number in range(pages)
    )
    (tmp_path / "s.tif").write_bytes(struct.pack("<2sHI", b"II", 42, 8) + chain)
    with pytest.raises(StackError, match="more than 4096 pages"):
        open_stack(tmp_path / "s.tif")


def test_one_header_for_many_layers_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", VOLUME, photometric="minisblack", truncate=True)
    np.testing.assert_array_equal(whole(tmp_path / "s.tif"), VOLUME)
    tifffile.imwrite(tmp_path / "v.tif", VOLUME[:, :64, :64], photometric="minisblack", volumetric=True, metadata=None)
    with pytest.raises(StackError, match="4 layers in one page"):
        open_stack(tmp_path / "v.tif")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_damage_to_a_header_is_harmless_or_gives_one_sentence(tmp_path_factory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    with tifffile.TiffWriter(folder / "s.tif", bigtiff=data.draw(st.booleans())) as file:
        for layer in VOLUME[:2, :16, :16]:
            file.write(layer, photometric="miniswhite", compression=data.draw(st.sampled_from([None, "zlib"])))
    bytes_ = bytearray((folder / "s.tif").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(bytes_) - 1))
        bytes_[at] = data.draw(st.integers(0, 255))
    (folder / "s.tif").write_bytes(
        bytes_[: data.draw(st.integers(0, len(bytes_)))] if data.draw(st.booleans()) else bytes_
    )
    try:
        whole(folder / "s.tif")
    except StackError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("lie", LIES)
def test_sizes_are_checked_against_the_file_and_the_memory(tmp_path: Path, lie: str) -> None:
    tags, message = LIES[lie]
    with pytest.raises(StackError, match=message):
        open_stack(write_raw(tmp_path / "s.tif", tags, b"\0" * 6))
