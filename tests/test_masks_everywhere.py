"""A mask or label file means the same to `--mask`, `evaluate`, `train`, `export` and *Import…*, in every format."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_ink.cli import main
from napari_ink.cli.ground_truth import read_truth
from napari_ink.errors import LabelError
from napari_ink.export import (
    import_edge_labels,
    import_ink_labels,
    import_mask,
    source_plane,
    write_label_values,
    write_mask,
)
from napari_ink.gui.jobs.export import export_job
from napari_ink.stack import read_segment_mask
from napari_ink.training import read_pair

SHAPE = (6, 8)
INK = np.zeros(SHAPE, bool)
INK[1:4, 2:6] = True
OTHER = np.zeros(SHAPE, bool)
OTHER[4:6, 5:8] = True
Save = Callable[[Path, np.ndarray], None]


def _grey_png(path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(path)


def _palette_png(path: Path, values: np.ndarray) -> None:
    image = Image.fromarray(values).convert("L")
    image.putpalette(bytes(3) + bytes([60, 0, 0]) + bytes([0, 50, 0]) + bytes([9, 99, 9]) * 253)  # all of them dark
    assert image.mode == "P"
    image.save(path)


def _tiff(**how: object) -> Save:
    return lambda path, values: tifffile.imwrite(path, values, **{"photometric": "minisblack", **how})


def _white_is_zero(path: Path, values: np.ndarray) -> None:
    top = np.iinfo(values.dtype).max if values.dtype.kind == "u" else True
    tifffile.imwrite(path, np.asarray(top - values if values.dtype.kind == "u" else ~values), photometric="miniswhite")


def _palette_tiff(path: Path, values: np.ndarray) -> None:
    colours = np.zeros((3, 256), np.uint16)
    colours[0, 1:], colours[1, 2:] = 15000, 9000
    tifffile.imwrite(path, values, photometric="palette", colormap=colours)


def _rgb(path: Path, values: np.ndarray) -> None:
    Image.fromarray(np.repeat(values[..., None], 3, axis=2)).save(path)


def _zarr(path: Path, values: np.ndarray) -> None:
    zarr.create_array(path, data=values, chunks=(4, 4))


FORMATS: dict[str, tuple[str, Save]] = {
    "png": (".png", _grey_png),
    "palette png": (".png", _palette_png),
    "grey rgb png": (".png", _rgb),
    "tiff": (".tif", _tiff()),
    "packed tiff": (".tif", _tiff(compression="zlib", rowsperstrip=2)),
    "tiff, white is 0": (".tif", _white_is_zero),
    "palette tiff": (".tif", _palette_tiff),
    "rgb tiff": (".tif", lambda path, v: tifffile.imwrite(path, np.repeat(v[..., None], 3, axis=2), photometric="rgb")),
    "npy": (".npy", lambda path, values: np.save(path, values)),
    "zarr": (".zarr", _zarr),
}
WIDE = ("tiff", "packed tiff", "tiff, white is 0", "npy", "zarr")


def meanings(path: Path, stack: Path) -> dict[str, list[list[int]] | str]:
    """Return the ink that each reader finds in a file, or the word "refused"."""
    ways: dict[str, Callable[[], np.ndarray]] = {
        "import ink": lambda: import_ink_labels(path, SHAPE).whole() == 2,
        "export": lambda: source_plane(path, "ink").whole() > 0,
        "evaluate": lambda: read_truth(path, None, True, SHAPE, (slice(None), slice(None)))[0],
        "train": lambda: read_pair(stack, path).pair.labels == 2,
    }

    def asked(way: Callable[[], np.ndarray]) -> list[list[int]] | str:
        try:
            return np.asarray(way(), int).tolist()
        except LabelError as error:
            assert str(path) in str(error)
            return "refused"

    return {name: asked(way) for name, way in ways.items()}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stack") / "s.npy"
    np.save(path, np.zeros((3, *SHAPE), np.uint8))
    return path


def check_alike(path: Path, stack: Path, ink: np.ndarray | None) -> None:
    expected = "refused" if ink is None else ink.astype(int).tolist()
    for way, found in meanings(path, stack).items():
        assert found == expected, (way, path)


def mask_of(path: Path) -> np.ndarray | None:
    try:
        found = import_mask(path, SHAPE).whole() > 0
    except LabelError:
        found = None
    try:
        np.testing.assert_array_equal(read_segment_mask(path, SHAPE)[:, :], found)
    except LabelError:
        assert found is None
    return found


@pytest.mark.parametrize("form", FORMATS)
def test_zero_and_one_are_a_mask_in_every_format(tmp_path: Path, stack: Path, form: str) -> None:
    suffix, save = FORMATS[form]
    save(tmp_path / f"m{suffix}", INK.astype(np.uint8))
    check_alike(tmp_path / f"m{suffix}", stack, INK)
    np.testing.assert_array_equal(mask_of(tmp_path / f"m{suffix}"), INK)
    edges = import_edge_labels(tmp_path / f"m{suffix}", SHAPE).whole()
    np.testing.assert_array_equal(edges, INK)


@pytest.mark.parametrize("form", FORMATS)
def test_zero_one_and_two_are_label_values_in_every_format(tmp_path: Path, stack: Path, form: str) -> None:
    suffix, save = FORMATS[form]
    save(tmp_path / f"m{suffix}", (2 * INK + OTHER).astype(np.uint8))
    check_alike(tmp_path / f"m{suffix}", stack, INK)
    assert mask_of(tmp_path / f"m{suffix}") is None  # label values do not define a mask
    found = import_ink_labels(tmp_path / f"m{suffix}", SHAPE).whole()
    np.testing.assert_array_equal(found, 2 * INK + OTHER)


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(sorted(FORMATS)),
    value=st.integers(3, 255),
    other=st.integers(0, 255),
    is_wide=st.booleans(),
    factor=st.sampled_from([1, 16, 257]),
)
def test_all_readers_agree_on_a_file(
    tmp_path_factory: pytest.TempPathFactory, stack: Path, form: str, value: int, other: int, is_wide: bool, factor: int
) -> None:
    """Two values are black and white; more values are greys if they reach half of white, otherwise they are refused."""
    suffix, save = FORMATS[form]
    is_wide = is_wide and form in WIDE
    factor = factor if is_wide else 1
    values = (INK * np.uint16(value) + OTHER * np.uint16(other)) * np.uint16(factor)
    path = tmp_path_factory.mktemp("m") / f"m{suffix}"
    save(path, values if is_wide else values.astype(np.uint8))
    top, found = int(values.max()), sorted(set(np.unique(values).tolist()) - {0})
    if len(found) == 1:
        ink: np.ndarray | None = values > 0
    elif "palette" in form:
        ink = None  # indices of colours are not grey values
    else:
        stored = 65535 if is_wide else 255
        white = stored if 2 * top >= stored else top if top in (255, 65535) else None
        ink = None if white is None or (found[0] == 1 and len(found) == 2 and top == white) else values > white // 2
    check_alike(path, stack, ink)
    mask = mask_of(path)
    assert (mask is None) == (ink is None)
    if ink is not None:
        assert ink.any()
        np.testing.assert_array_equal(mask, ink)


def _packed(path: Path, values: np.ndarray, bits: int) -> None:
    """Write a TIFF with few bits per sample: uncompressed, one strip, each row starts at a new byte."""
    rows = [np.unpackbits(row.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, -bits:].ravel() for row in values]
    data = b"".join(np.packbits(row).tobytes() for row in rows)
    height, width = values.shape
    tags = [(256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 3, height), (279, 4, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    offset = 8 + len(data) + len(data) % 2
    path.write_bytes(
        b"II*\0"
        + struct.pack("<I", offset)
        + data
        + bytes(len(data) % 2)
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 12])
def test_half_of_white_depends_on_the_bits_of_a_sample(tmp_path: Path, stack: Path, bits: int) -> None:
    white = (1 << bits) - 1
    _packed(tmp_path / "hard.tif", INK * white, bits)
    check_alike(tmp_path / "hard.tif", stack, INK)
    if bits > 2:
        _packed(tmp_path / "soft.tif", INK * (white // 2 + 1) + OTHER * (white // 2), bits)
        check_alike(tmp_path / "soft.tif", stack, INK)


def _packed_png(path: Path, values: np.ndarray, bits: int) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = [np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, -bits:].ravel() for row in values]
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + np.packbits(row).tobytes() for row in rows))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_few_bits_have_the_same_meaning_in_a_png_and_a_tiff(tmp_path: Path, stack: Path, bits: int) -> None:
    white = (1 << bits) - 1
    for number, values in enumerate((INK * white, INK.astype(int), INK * min(2, white) + OTHER)):
        path = tmp_path / f"{number}.png"
        _packed_png(path, values, bits)
        check_alike(path, stack, INK | OTHER if white == 1 and number == 2 else INK)


LAYOUTS = ("plain", "one shard", "high chunks", "one layer", "villa's", "ours")


def _laid_out(path: Path, values: np.ndarray, layout: str) -> None:
    """Write a plane as a Zarr in one of the common layouts."""
    if layout == "plain":
        zarr.create_array(path, data=values, chunks=(4, 4))
    elif layout == "one shard":
        zarr.create_array(path, data=values, chunks=(2, 4), shards=(6, 8))
    elif layout == "high chunks":
        zarr.create_array(path, data=values, chunks=(values.shape[0], 3), zarr_format=2)
    elif layout == "one layer":
        zarr.create_array(path, data=values[None], chunks=(1, 4, 4))
    elif layout == "ours":
        (write_label_values if values.max() == 2 else write_mask)(values, path)
    else:
        layers = np.zeros((65, *values.shape), values.dtype)
        layers[32] = values
        group = zarr.create_group(path, zarr_format=2)
        group.create_array(
            "0", data=layers, chunks=(65, 4, 4), chunk_key_encoding={"name": "v2", "separator": "/"}, fill_value=0
        )
        axes = [{"name": name, "type": "space"} for name in "zyx"]
        group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_mask", [True, False])
def test_zarrs_of_every_layout_have_the_same_meaning(tmp_path: Path, stack: Path, layout: str, is_mask: bool) -> None:
    values = INK.astype(np.uint8) * np.uint8(255) if is_mask else (2 * INK + OTHER).astype(np.uint8)
    _laid_out(tmp_path / "m.zarr", values, layout)
    check_alike(tmp_path / "m.zarr", stack, INK)
    found = mask_of(tmp_path / "m.zarr")
    assert (found is not None) == is_mask
    if is_mask:
        np.testing.assert_array_equal(found, INK)


def test_the_commands_read_and_find_villas_label_zarrs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "s.npy", np.zeros((3, *SHAPE), np.uint8))
    _laid_out(tmp_path / "s_inklabels.zarr", INK * np.uint8(255), "villa's")
    _laid_out(tmp_path / "s_supervision_mask.zarr", (INK | OTHER) * np.uint8(255), "villa's")
    _laid_out(tmp_path / "s_validation_mask.zarr", OTHER * np.uint8(255), "villa's")
    read = read_pair(tmp_path / "s.npy")
    np.testing.assert_array_equal(read.pair.labels, 2 * INK + OTHER)
    np.testing.assert_array_equal(read.pair.held_out, OTHER)
    assert [file.suffix for file in read.files] == [".npy", *[".zarr"] * 3]
    assert main(["evaluate", str(tmp_path / "s_inklabels.zarr"), str(tmp_path / "s_inklabels.zarr"), "--json"]) == 0
    printed = capsys.readouterr()
    assert '"best_f1": 1.0' in printed.out and "inside s_supervision_mask.zarr" in printed.err


def test_an_unusual_number_of_layers_is_reported(tmp_path: Path) -> None:
    layers = np.zeros((28, *SHAPE), np.uint8)
    layers[14] = INK * 255
    zarr.create_array(tmp_path / "m.zarr", data=layers, chunks=(28, 4, 4))
    found = read_segment_mask(tmp_path / "m.zarr", SHAPE)
    np.testing.assert_array_equal(found[:, :], INK)
    assert "has 28 layers, and its layer 14 is read" in found.note
    assert "has 28 layers" in source_plane(tmp_path / "m.zarr", "ink").notes[0]


@pytest.mark.parametrize("fill_value", [0, 255])
def test_a_zarr_without_its_chunks_is_reported(tmp_path: Path, fill_value: int) -> None:
    """Perhaps only its metadata were copied."""
    zarr.create_array(tmp_path / "m.zarr", shape=SHAPE, chunks=(4, 4), dtype="uint8", fill_value=fill_value)
    found = read_segment_mask(tmp_path / "m.zarr", SHAPE)
    assert found[:, :].all() == (fill_value == 255)
    assert f"has no chunk stored, so all of it is read as {fill_value}" in found.note


@pytest.mark.parametrize("axis", [{"name": "c", "type": "channel"}, "c", {"name": "t", "type": "time"}])
def test_channels_are_not_read_as_layers(tmp_path: Path, stack: Path, axis: object) -> None:
    """Otherwise the second of two channels would be read as the surface."""
    group = zarr.create_group(tmp_path / "p.zarr", zarr_format=2)
    group.create_array("0", data=np.stack([INK, OTHER]) * np.uint8(255), chunks=(1, 4, 4))
    group.attrs["multiscales"] = [{"axes": [axis, "y", "x"], "datasets": [{"path": "0"}]}]
    check_alike(tmp_path / "p.zarr", stack, None)
    with pytest.raises(LabelError, match="has 2 planes along its axis"):
        read_segment_mask(tmp_path / "p.zarr", SHAPE)


def test_folders_and_damaged_zarrs_give_one_error_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray((INK * 255).astype(np.uint8)).save(tmp_path / "p.png")
    (tmp_path / "folder").mkdir()
    _laid_out(tmp_path / "rubbish.zarr", INK * np.uint8(255), "villa's")
    for chunk in (tmp_path / "rubbish.zarr" / "0").glob("0/*/*"):
        chunk.write_bytes(b"rubbish")
    zarr.create_array(tmp_path / "float.zarr", data=INK.astype(np.float32))
    zarr.create_array(tmp_path / "line.zarr", data=np.zeros(5, np.uint8))
    zarr.create_group(tmp_path / "group.zarr")
    for name in ("folder", "rubbish.zarr", "float.zarr", "line.zarr", "group.zarr"):
        assert main(["evaluate", str(tmp_path / "p.png"), str(tmp_path / name)]) == 2
        text = capsys.readouterr().err
        assert text.count("\n") == 1 and str(tmp_path / name) in text, text


def test_memory_does_not_grow_with_a_zarr(tmp_path: Path) -> None:
    """Only one row of chunks of a 64 MB mask is in memory at a time."""
    mask = zarr.create_array(
        tmp_path / "m.zarr",
        shape=(8000, 8000),
        chunks=(1000, 1000),
        dtype="uint8",
        fill_value=0,
        config={"write_empty_chunks": False},
    )
    mask[3000:5000, 3000:5000] = 255
    tracemalloc.start()
    found = read_segment_mask(tmp_path / "m.zarr", (8000, 8000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[2999:3001, 2999:3001].tolist() == [[False, False], [False, True]]
    assert peak < 40e6


@pytest.mark.parametrize("form", ["png", "tiff", "npy", "zarr"])
@pytest.mark.parametrize("values", [2 * INK, 2 * INK + OTHER])
def test_reading_ones_and_twos_as_labels_is_reported(
    tmp_path: Path, form: str, values: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two objects in another program's file look like papyrus and ink."""
    suffix, save = FORMATS[form]
    save(tmp_path / f"m{suffix}", values.astype(np.uint8))
    note = "read as label values"
    assert note in import_ink_labels(tmp_path / f"m{suffix}", SHAPE).notes[0]
    assert note in import_edge_labels(tmp_path / f"m{suffix}", SHAPE).notes[0]
    assert main(["export", str(tmp_path / f"m{suffix}"), "-o", str(tmp_path / "o.png")]) == 0
    assert note in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "o.png"), str(tmp_path / f"m{suffix}"), "--everywhere"]) == 0
    assert note in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".png", ".tif", ".zarr"])
def test_nothing_is_guessed_about_our_own_labels(tmp_path: Path, suffix: str) -> None:
    path = write_label_values((2 * INK + OTHER).astype(np.uint8), tmp_path / f"m{suffix}")
    assert not import_ink_labels(path, SHAPE).notes


def test_twelve_bits_in_sixteen_are_recognised(tmp_path: Path, stack: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", (INK * 4095 + OTHER * 2000).astype(np.uint16))
    check_alike(tmp_path / "m.tif", stack, INK)


@pytest.mark.parametrize(
    ("values", "listed"),
    [
        (np.arange(48).reshape(SHAPE) % 41, "0, 1, 2, … 40"),
        (INK * 3 + OTHER * 1, "0, 1 and 3"),
        (INK * 1 + OTHER * 255, "0, 1 and 255"),
        (INK * 100 + OTHER * 50, "0, 50 and 100"),
    ],
)
@pytest.mark.parametrize("form", ["png", "tiff", "npy", "zarr", "palette png", "palette tiff"])
def test_other_numbers_are_refused_with_a_list_of_the_values(
    tmp_path: Path, form: str, values: np.ndarray, listed: str
) -> None:
    suffix, save = FORMATS[form]
    save(tmp_path / f"m{suffix}", values.astype(np.uint8))
    with pytest.raises(LabelError, match=f"m{suffix} holds the values {listed}, .*save the wanted pixels as 255"):
        import_ink_labels(tmp_path / f"m{suffix}", SHAPE)


@pytest.mark.parametrize("value", [3, 100, 127])
def test_an_unusual_white_is_reported(tmp_path: Path, value: int, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray((INK * value).astype(np.uint8)).save(tmp_path / "m.png")
    assert main(["export", str(tmp_path / "m.png"), "-o", str(tmp_path / "o.npy")]) == 0
    assert f"holds the values 0 and {value}: {value} counts as white" in capsys.readouterr().err
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy") > 0, INK)
    assert main(["evaluate", str(tmp_path / "m.png"), str(tmp_path / "m.png")]) == 0
    assert f"{value} counts as white" in capsys.readouterr().err


def test_a_palette_whose_greys_contradict_its_indices_is_refused(tmp_path: Path, stack: Path) -> None:
    image = Image.fromarray(INK.astype(np.uint8)).convert("L")
    image.putpalette(b"\xff\xff\xff" + bytes(3))
    image.save(tmp_path / "m.png")
    check_alike(tmp_path / "m.png", stack, None)
    image.putpalette(bytes(3) + b"\x80\x80\x80" + b"\xff\xff\xff" * 254)
    image.save(tmp_path / "m.png")
    check_alike(tmp_path / "m.png", stack, INK)


def test_colours_are_refused_and_transparent_pixels_ignored(tmp_path: Path, stack: Path) -> None:
    pixels = np.zeros((*SHAPE, 4), np.uint8)
    pixels[INK, :3] = 255
    pixels[..., 3] = np.where(INK, 255, 0)
    Image.fromarray(pixels).save(tmp_path / "m.png")
    check_alike(tmp_path / "m.png", stack, INK)
    pixels[~INK, :3] = 200  # hidden
    Image.fromarray(pixels).save(tmp_path / "m.png")
    check_alike(tmp_path / "m.png", stack, None)
    pixels[..., 3] = 255
    pixels[INK, :3] = (200, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "m.png")
    check_alike(tmp_path / "m.png", stack, None)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".zarr"])
def test_labels_without_ink_that_we_exported_stay_labels(tmp_path: Path, suffix: str) -> None:
    path = write_label_values(OTHER.astype(np.uint8), tmp_path / f"m{suffix}")
    np.testing.assert_array_equal(import_ink_labels(path, SHAPE).whole(), OTHER)
    assert not source_plane(path, "ink").whole().any() and "no 2" in source_plane(path, "ink").notes[0]
    np.testing.assert_array_equal(source_plane(path, "supervision").whole() > 0, OTHER)


@pytest.mark.parametrize(("values", "is_reported"), [(OTHER * 1, True), (OTHER + 2 * INK, False), (OTHER * 0, True)])
def test_labels_without_ink_in_a_numpy_file_are_reported(
    tmp_path: Path, values: np.ndarray, is_reported: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A NumPy file cannot store that its 0 and 1 are label values."""
    write_label_values(values.astype(np.uint8), tmp_path / "m.png")
    words = ["export", str(tmp_path / "m.png"), "--what", "labels", "-o"]
    assert main([*words, str(tmp_path / "o.npy")]) == 0
    assert ("o.npy contains label values without a 2" in capsys.readouterr().err) is is_reported
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), values)
    assert main([*words, str(tmp_path / "o.tif")]) == 0
    assert "o.tif" not in capsys.readouterr().err
    source = source_plane(tmp_path / "m.png", "labels")
    (event,) = export_job(source, tmp_path / "gui.npy")
    assert bool(event.notes) is is_reported


def test_an_empty_truth_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray((INK * 200).astype(np.uint8)).save(tmp_path / "p.png")
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "m.png")
    assert main(["evaluate", str(tmp_path / "p.png"), str(tmp_path / "m.png")]) == 0
    assert "m.png has no ink among the pixels that count" in capsys.readouterr().err


def test_a_threshold_makes_faint_greys_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "m.npy", (INK * 100 + OTHER * 40).astype(np.uint8))
    out = tmp_path / "o.npy"
    assert main(["export", str(tmp_path / "m.npy"), "-o", str(out)]) == 2
    assert main(["export", str(tmp_path / "m.npy"), "-o", str(out), "--threshold", "0.9"]) == 2
    assert "none of them reaches the threshold" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "m.npy"), "-o", str(out), "--threshold", "0.3"]) == 0
    np.testing.assert_array_equal(np.load(out) > 0, INK)


@pytest.mark.parametrize("header", [b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + b"9" * 5000 + b", 4), }"])
def test_damaged_npy_headers_give_one_error_sentence(
    tmp_path: Path, header: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + bytes(64))
    assert main(["export", str(path), "-o", str(tmp_path / "o.png")]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and "m.npy cannot be read" in text


@pytest.mark.parametrize("name", ["m.png", "m.tif", "m.npy", "m.zarr"])
def test_a_mask_in_a_folder_without_access_asks_for_the_right_to_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    locked = tmp_path / "locked"
    looked = Path.stat

    def refuse(self: Path, **how: bool) -> object:
        if locked in self.parents:
            raise PermissionError(13, "Permission denied", str(self))
        return looked(self, **how)

    _grey_png(tmp_path / "ink.png", INK.astype(np.uint8))
    monkeypatch.setattr(Path, "stat", refuse)
    ink = str(tmp_path / "ink.png")
    for command in (
        ["evaluate", ink, ink, "--mask", str(locked / name)],
        ["evaluate", ink, str(locked / name)],
        ["export", str(locked / name), "-o", str(tmp_path / "o.png")],
    ):
        assert main(command) == 2
        assert f"{name} cannot be read: permission denied; ask for the right to read it." in capsys.readouterr().err
