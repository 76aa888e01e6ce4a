"""Images with a rotation or mirror flag: read as stored, with a note."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_ink.stack import open_stack, read_ink, read_segment_mask
from napari_ink.stack.image_orientation import TAG

VOLUME = np.random.default_rng(0).integers(0, 256, (3, 20, 30), dtype=np.uint8)
MASK = np.where(np.arange(30) < 7, 255, 0).astype(np.uint8) * np.ones((20, 1), np.uint8)
KINDS = ["tif", "tif in strips", "png", "png behind the pixels", "jpg"]


def add_exif_behind(path: Path, exif: bytes) -> None:
    """Add EXIF as the last but one chunk of a PNG, where Pillow writes none."""
    end, chunk = path.read_bytes()[-12:], b"eXIf" + exif
    whole = struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(path.read_bytes()[:-12] + whole + end)


def save(path: Path, plane: np.ndarray, kind: str, orientation: int) -> Path:
    """Write an image with an orientation flag."""
    suffix, *_ = kind.split()
    path = path.with_suffix(f".{suffix}")
    if suffix == "tif":
        stored = {"compression": "zlib", "rowsperstrip": 8} if "strips" in kind else {}
        tifffile.imwrite(path, plane, extratags=[(TAG, "H", 1, orientation, True)], metadata=None, **stored)
        return path
    exif = Image.Exif()
    exif[TAG] = orientation
    if "behind" in kind:
        Image.fromarray(plane).save(path)
        add_exif_behind(path, exif.tobytes().removeprefix(b"Exif\0\0"))
    else:
        Image.fromarray(plane).save(path, exif=exif, **({"quality": 100} if suffix == "jpg" else {}))
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", [1, 4, 6])
def test_layers_are_read_as_stored_with_a_note(tmp_path: Path, kind: str, orientation: int) -> None:
    for z, layer in enumerate(VOLUME):
        save(tmp_path / f"{z:02}", layer, kind, orientation)
    stack = open_stack(tmp_path)
    np.testing.assert_allclose(stack[:].astype(int), VOLUME, atol=3 if kind == "jpg" else 0)
    if orientation == 1:
        assert stack.notes == ()
        return
    (note,) = stack.notes
    assert note.startswith("All layers ask to be shown ") and f"(orientation {orientation})" in note


def test_layers_that_disagree_are_counted(tmp_path: Path) -> None:
    for z, orientation in enumerate((1, 3, 8)):
        save(tmp_path / f"{z:02}", VOLUME[z], "tif", orientation)
    (note,) = open_stack(tmp_path).notes
    assert note.startswith(
        "2 of 3 layers ask to be shown turned by 180° (orientation 3) or turned by 90° anticlockwise"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_masks_and_labels_are_read_as_stored_with_a_note(tmp_path: Path, kind: str) -> None:
    path = save(tmp_path / "seg_mask", MASK, kind, 2)
    for read in (read_segment_mask(path, MASK.shape), read_ink(path, MASK.shape)):
        values = read[:, :] if hasattr(read, "any") else read.values
        np.testing.assert_array_equal(np.asarray(values, bool), MASK > 127)
        assert f"{path} asks to be shown mirrored left to right (orientation 2)" in read.note
    assert "orientation" not in read_segment_mask(save(path, MASK, kind, 1), MASK.shape).note


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_masks_saved_in_colour_get_a_note_too(tmp_path: Path, mode: str) -> None:
    exif, image = Image.Exif(), Image.fromarray(MASK)
    exif[TAG] = 3
    if mode == "P":
        image = Image.fromarray((MASK > 0).astype(np.uint8))
        image.putpalette([0, 0, 0, 255, 0, 0])
    else:
        image = image.convert(mode)
    image.save(tmp_path / "m.png", exif=exif)
    mask = read_segment_mask(tmp_path / "m.png", MASK.shape)
    np.testing.assert_array_equal(mask[:, :], MASK > 0)
    assert "(orientation 3)" in mask.note


@pytest.mark.parametrize("damage", [b"", b"Exif\0\0II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0"])
def test_unreadable_exif_gives_no_note(tmp_path: Path, damage: bytes) -> None:
    Image.fromarray(VOLUME[0]).save(tmp_path / "00.png")
    add_exif_behind(tmp_path / "00.png", damage)
    Image.fromarray(VOLUME[0]).save(tmp_path / "01.png", exif=b"Exif\0\0" + damage)
    assert open_stack(tmp_path).notes == ()


@pytest.mark.parametrize("value", [0, 9, 70000])
def test_an_invalid_orientation_gives_no_note(tmp_path: Path, value: int) -> None:
    kind = "I" if value > 65535 else "H"
    tifffile.imwrite(tmp_path / "s.tif", VOLUME[0], extratags=[(TAG, kind, 1, value, True)], metadata=None)
    assert open_stack(tmp_path / "s.tif").notes == ()
