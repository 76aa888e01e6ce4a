"""The size in a picture's header is checked against its file before decoding."""

import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_ink.errors import LabelError
from napari_ink.stack import read_mask


def png_that_claims(path: Path, height: int, width: int, depth: int = 8, kind: int = 0) -> Path:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(6)) if kind == 3 else b""
    data = chunk(b"IDAT", zlib.compress(bytes(9)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + data + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(("depth", "kind"), [(1, 0), (8, 0), (16, 0), (8, 2), (1, 3), (8, 3), (8, 6)])
def test_a_png_too_small_for_its_pixels_is_refused_quickly(tmp_path: Path, depth: int, kind: int) -> None:
    path = png_that_claims(tmp_path / "m.png", 60000, 60000, depth, kind)
    began = time.monotonic()
    with pytest.raises(LabelError, match=r"m\.png states 60000 × 60000 pixels"):
        read_mask(path, (60000, 60000))
    assert time.monotonic() - began < 2


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 4000), width=st.integers(1, 4000), is_bit=st.booleans())
def test_the_smallest_valid_pngs_are_read(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, is_bit: bool
) -> None:
    path = tmp_path_factory.mktemp("m") / "m.png"
    Image.fromarray(np.zeros((height, width), bool if is_bit else np.uint8)).save(path, compress_level=9)
    assert not read_mask(path, (height, width)).any()
