"""Masks: cropped at the bottom and right, never resized; soft masks cut at half; read and stored in little memory."""

import tracemalloc
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_ink.errors import LabelError
from napari_ink.stack import SegmentMask, read_mask, read_segment_mask
from napari_ink.stack.plane import check_plane


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    pad=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    suffix=st.sampled_from(["png", "tif"]),
)
def test_padding_is_cropped(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int], pad: tuple[int, int], suffix: str
) -> None:
    soft = np.random.default_rng(0).integers(0, 256, (shape[0] + pad[0], shape[1] + pad[1]), dtype=np.uint8)
    soft[soft < 16] = 16  # otherwise few low values would look like numbers of classes
    soft[0, 0] = 255  # a mask that never reaches half of white is refused
    path = tmp_path_factory.mktemp("mask") / f"m.{suffix}"
    Image.fromarray(soft).save(path)
    np.testing.assert_array_equal(read_mask(path, shape), soft[: shape[0], : shape[1]] >= 128)


def test_a_smaller_mask_is_refused_with_both_sizes(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(LabelError, match="10 × 20.*10 × 21"):
        read_mask(tmp_path / "m.png", (10, 21))


@pytest.mark.parametrize("top", [1, 255, 65535])
def test_true_pixels_are_the_white_of_the_file(tmp_path: Path, top: int) -> None:
    truth = np.random.default_rng(0).random((6, 7)) < 0.5
    tifffile.imwrite(tmp_path / "m.tif", truth * np.array(top, np.uint16 if top > 255 else np.uint8))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", (6, 7)), truth)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint16, 255), (np.uint32, 255), (np.uint32, 65535), (np.int32, 255)])
def test_white_may_be_stored_in_more_bits_than_needed(tmp_path: Path, dtype: type, top: int) -> None:
    soft = np.array([[0, top // 2], [top // 2 + 1, top]], dtype)
    tifffile.imwrite(tmp_path / "m.tif", soft)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", (2, 2)), [[False, False], [True, True]])


def test_one_bit_masks_are_read(tmp_path: Path) -> None:
    truth = np.eye(9, dtype=bool)
    Image.fromarray(truth).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", (9, 9)), truth)


@pytest.mark.parametrize("white", [1, 300, 65535])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colours_of_16_bits_keep_their_lower_bits(tmp_path: Path, white: int, channels: int) -> None:
    truth = np.random.default_rng(0).random((6, 7)) < 0.5
    colours = np.repeat((truth * white).astype(np.uint16)[..., None], channels, axis=2)
    if channels in (2, 4):
        colours[..., -1] = 65535
    (tmp_path / "m.png").write_bytes(imagecodecs.png_encode(colours))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", (6, 7)), truth)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_black_drawings_on_a_transparent_background_are_refused(tmp_path: Path, mode: str, suffix: str) -> None:
    drawn = np.zeros((6, 7, len(mode)), np.uint8)
    Image.fromarray(drawn, mode).save(tmp_path / f"m.{suffix}")
    assert not read_mask(tmp_path / f"m.{suffix}", (6, 7)).any()
    drawn[2:4, 3:5, -1] = 255
    Image.fromarray(drawn, mode).save(tmp_path / f"m.{suffix}")
    with pytest.raises(LabelError, match="black all over, and transparent in places"):
        read_mask(tmp_path / f"m.{suffix}", (6, 7))


def test_a_mask_of_one_page(tmp_path: Path) -> None:
    truth = np.eye(9, dtype=bool)
    tifffile.imwrite(tmp_path / "m.tif", truth[None] * np.uint8(255), metadata={"axes": "ZYX"})
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", (9, 9)), truth)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="no image"):
        read_mask(tmp_path / "m.png", (2, 2))
    (tmp_path / "m.png").write_bytes(b"no picture")
    with pytest.raises(LabelError, match="m.png"):
        read_mask(tmp_path / "m.png", (2, 2))
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(tmp_path / "c.png")
    with pytest.raises(LabelError, match=r"c\.png has colours"):
        read_mask(tmp_path / "c.png", (2, 2))
    (tmp_path / "t.tif").write_bytes(b"II*\0\xff\xff")
    with pytest.raises(LabelError, match="t.tif"):
        read_mask(tmp_path / "t.tif", (2, 2))
    tifffile.imwrite(tmp_path / "v.tif", np.arange(3, dtype=np.uint8).repeat(3).reshape(3, 3))
    with pytest.raises(LabelError, match="label values of 0 to 2"):
        read_mask(tmp_path / "v.tif", (2, 2))
    tifffile.imwrite(tmp_path / "f.tif", np.zeros((4, 4), np.float32))
    with pytest.raises(LabelError, match="float32"):
        read_mask(tmp_path / "f.tif", (2, 2))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), height=st.integers(1, 700), width=st.integers(1, 700), seed=st.integers(0, 2**32 - 1))
def test_windows_equal_those_of_the_array(data: st.DataObject, height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = np.kron(random.random((4, 4)) < 0.5, np.ones((175, 175), bool))[:height, :width].astype(bool)
    truth[random.integers(height, size=2), random.integers(width, size=2)] ^= True
    strip = data.draw(st.sampled_from([256, 512, 768]))
    mask = SegmentMask(truth.shape, (truth[top : top + strip] for top in range(0, height, strip)))
    ends = [sorted(data.draw(st.tuples(st.integers(0, n + 3), st.integers(0, n + 3)))) for n in truth.shape]
    y, x = (slice(*pair) for pair in ends)
    np.testing.assert_array_equal(mask[y, x], truth[y, x])
    assert mask.any(y, x) == truth[y, x].any()
    np.testing.assert_array_equal(mask[:, :], truth)


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"rowsperstrip": 7, "compression": "zlib"},
        {"rowsperstrip": 900, "compression": "zlib"},
        {"tile": (112, 64), "compression": "lzw"},
        {"tile": (512, 512), "compression": "zlib", "predictor": True},
        {"bigtiff": True, "byteorder": ">"},
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.bool_])
def test_any_layout_of_a_tiff_is_read(tmp_path: Path, layout: dict[str, object], dtype: type) -> None:
    if dtype == np.bool_ and layout.get("predictor"):
        pytest.skip("single bits have no predictor")
    truth = np.zeros((900, 700), bool)
    truth[100:640, 300:] = True
    plane = truth if dtype == np.bool_ else truth * np.array(255, dtype)
    tifffile.imwrite(tmp_path / "m.tif", plane, photometric="minisblack", **layout)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", (890, 680)), truth[:890, :680])


def test_a_pyramid_is_read_at_full_size(tmp_path: Path) -> None:
    truth = np.zeros((600, 600), bool)
    truth[:, 250:] = True
    with tifffile.TiffWriter(tmp_path / "m.tif") as file:
        file.write(truth * np.uint8(255), tile=(256, 256), compression="zlib", metadata=None)
        file.write(truth[::2, ::2] * np.uint8(255), tile=(256, 256), compression="zlib", subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", (600, 600)), truth)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_memory_is_limited_to_a_strip_and_the_outline(tmp_path: Path, suffix: str) -> None:
    height, width = 6000, 3000
    rows, columns = np.ogrid[:height, :width]
    truth = (rows - 3000) ** 2 / 4 + (columns - 1500) ** 2 < 1300**2
    if suffix == "png":
        Image.fromarray(truth).save(tmp_path / "m.png")
    else:
        tifffile.imwrite(tmp_path / "m.tif", truth * np.uint8(255), tile=(512, 512), compression="zlib")
    tracemalloc.start()  # does not include the picture that Pillow decodes whole
    mask = read_segment_mask(tmp_path / f"m.{suffix}", (height, width))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < height * width / 3
    assert mask.nbytes < height * width / 30
    np.testing.assert_array_equal(mask[2000:2300, :], truth[2000:2300])


def test_a_broken_strip_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, np.full((900, 700), 255, np.uint8), rowsperstrip=100, compression="zlib")
    with tifffile.TiffFile(path) as file:
        place = file.pages.first.dataoffsets[5]
    data = bytearray(path.read_bytes())
    data[place : place + 8] = b"no strip"
    path.write_bytes(data)
    with pytest.raises(LabelError, match="m.tif can"):
        read_mask(path, (900, 700))


def test_unusual_files_are_read_completely_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    with pytest.warns(UserWarning):
        tifffile.imwrite(path, np.zeros((0, 5), np.uint8), metadata=None)
    with pytest.raises(LabelError):
        read_mask(path, (4, 5))
    tifffile.imwrite(path, np.zeros((2, 90, 70), np.uint8), truncate=True)
    with pytest.raises(LabelError, match="2, 90, 70"):
        read_mask(path, (90, 70))
    truth = np.eye(90, dtype=bool)
    tifffile.imwrite(path, truth[None] * np.uint8(255), tile=(1, 32, 32), volumetric=True)
    np.testing.assert_array_equal(read_mask(path, (90, 90)), truth)


def test_a_fractional_size_is_refused():
    with pytest.raises(LabelError, match="has the shape"):
        check_plane((64.5, 64), np.dtype(np.uint8), Path("m.tif"))
