"""Untrusted chunks: their unpacked size is bounded, and only regular files are read."""

import bz2
import gzip
import lzma
import os
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from napari_ink.decoding import decoder_errors
from napari_ink.errors import LabelError, StackError
from napari_ink.zarr_reading import open_node, sound_array
from napari_ink.zarr_reading.codecs import unpack

VALUES = np.random.default_rng(0).integers(0, 255, (4, 24, 40), dtype=np.uint8)
BOMB = 200 * 2**20
V2 = {
    "gzip": numcodecs.GZip(),
    "zlib": numcodecs.Zlib(),
    "bz2": numcodecs.BZ2(),
    "lzma": numcodecs.LZMA(),
    "lz4": numcodecs.LZ4(),
    "zstd": numcodecs.Zstd(),
    "blosc": numcodecs.Blosc(),
    "none": None,
}
V3: dict[str, Any] = {"gzip": GzipCodec(), "zstd": ZstdCodec(), "blosc": BloscCodec()}


def write(place: Path, zarr_format: int, codec: Any, **how: Any) -> Path:
    array = zarr.create_array(
        place, shape=VALUES.shape, dtype="u1", chunks=(4, 24, 40), compressors=codec, zarr_format=zarr_format, **how
    )
    array[...] = VALUES
    return next(file for file in place.rglob("*") if file.is_file() and file.name[0] in "0123456789")


def read(place: Path) -> np.ndarray:
    array = open_node(place, StackError)
    assert isinstance(array, zarr.Array)
    with decoder_errors(StackError, place, "copy it again"):
        return np.asarray(sound_array(place, array, StackError)[:])


CASES = [(2, name) for name in V2] + [(3, name) for name in V3]


@pytest.mark.parametrize(("zarr_format", "name"), CASES)
def test_valid_chunks_are_read_unchanged(tmp_path: Path, zarr_format: int, name: str) -> None:
    write(tmp_path / "a.zarr", zarr_format, (V2 if zarr_format == 2 else V3)[name])
    np.testing.assert_array_equal(read(tmp_path / "a.zarr"), VALUES)


@pytest.mark.parametrize("filters", [[numcodecs.Delta("u1")], [numcodecs.Shuffle(1), numcodecs.CRC32()]])
def test_filters_are_undone(tmp_path: Path, filters: list[Any]) -> None:
    write(tmp_path / "a.zarr", 2, numcodecs.Zlib(), filters=filters)
    np.testing.assert_array_equal(read(tmp_path / "a.zarr"), VALUES)


@pytest.mark.parametrize(("zarr_format", "name"), [case for case in CASES if case[1] != "none"])
def test_a_chunk_that_unpacks_to_far_too_much_takes_no_memory(tmp_path: Path, zarr_format: int, name: str) -> None:
    chunk = write(tmp_path / "a.zarr", zarr_format, (V2 if zarr_format == 2 else V3)[name])
    chunk.write_bytes(V2[name].encode(np.zeros(BOMB, np.uint8)))
    tracemalloc.start()
    with pytest.raises(StackError, match="unpacks to"):
        read(tmp_path / "a.zarr")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < BOMB / 4


@pytest.mark.parametrize(("zarr_format", "name"), CASES)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_chunk_is_refused(tmp_path: Path, zarr_format: int, name: str, share: float) -> None:
    chunk = write(tmp_path / "a.zarr", zarr_format, (V2 if zarr_format == 2 else V3)[name])
    content = chunk.read_bytes()
    chunk.write_bytes(content[: int(share * len(content))])
    with pytest.raises(StackError, match="cannot be read"):
        read(tmp_path / "a.zarr")


def test_a_chunk_in_a_shard_is_bounded_too(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", 3, GzipCodec(), shards=(8, 48, 80))
    np.testing.assert_array_equal(read(tmp_path / "a.zarr"), VALUES)


@given(st.binary(max_size=3000), st.integers(3000, 10_000), st.sampled_from(["gzip", "zlib", "bz2", "lzma"]))
@settings(max_examples=60, deadline=None)
def test_streams_unpack_to_the_packed_bytes(data: bytes, most: int, name: str) -> None:
    pack = {"gzip": gzip.compress, "zlib": zlib.compress, "bz2": bz2.compress, "lzma": lzma.compress}[name]
    packed = pack(data)
    assert unpack(name, packed, most) == data
    assert unpack("gzip", gzip.compress(data) + gzip.compress(data), 2 * most) == data + data
    for cut in (1, len(packed) // 2, len(packed) - 1):
        with pytest.raises((EOFError, zlib.error, OSError, lzma.LZMAError)):
            unpack(name, packed[:cut], most)


def test_zstandard_that_states_no_size(tmp_path: Path) -> None:
    def frame(blocks: int, length: int) -> bytes:
        """Return a frame of blocks that say: this byte, so many times."""
        headers = [(length << 3 | 1 << 1 | (block == blocks - 1)).to_bytes(3, "little") for block in range(blocks)]
        return bytes.fromhex("28b52ffd0058") + b"".join(header + b"\x07" for header in headers)

    chunk = write(tmp_path / "a.zarr", 2, numcodecs.Zstd())
    chunk.write_bytes(frame(1, VALUES.size))
    assert (read(tmp_path / "a.zarr") == 7).all()
    chunk.write_bytes(frame(1000, 100_000))
    with pytest.raises(StackError, match="too small"):
        read(tmp_path / "a.zarr")


def test_pipes_devices_and_lost_links_are_refused(tmp_path: Path) -> None:
    chunk = write(tmp_path / "a.zarr", 2, None)
    chunk.unlink()
    os.mkfifo(chunk)
    with pytest.raises(StackError, match="not a regular file"):
        read(tmp_path / "a.zarr")
    for target, sentence in (("/dev/zero", "not a regular file"), ("/nowhere/at/all", "a link to a file that does")):
        chunk.unlink()
        chunk.symlink_to(target)
        with pytest.raises(StackError, match=sentence):
            read(tmp_path / "a.zarr")
    chunk.unlink()
    chunk.mkdir()
    with pytest.raises(StackError, match="not a regular file"):
        read(tmp_path / "a.zarr")


def test_a_stored_chunk_or_metadata_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    chunk = write(tmp_path / "a.zarr", 2, None)
    with chunk.open("r+b") as file:
        file.truncate(3 * 2**30)  # sparse
    with pytest.raises(StackError, match="at most"):
        read(tmp_path / "a.zarr")
    with (tmp_path / "a.zarr" / ".zattrs").open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(StackError, match="at most"):
        read(tmp_path / "a.zarr")


def test_a_shard_with_an_index_beyond_its_end_is_refused(tmp_path: Path) -> None:
    shard = write(tmp_path / "a.zarr", 3, None, shards=(8, 48, 80))
    content = shard.read_bytes()
    shard.write_bytes(content[len(content) // 2 :])
    with pytest.raises(StackError, match="cannot be read"):
        read(tmp_path / "a.zarr")


def test_missing_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = write(tmp_path / "a.zarr", 2, None)
    opened = Path.open

    def refuse(self: Path, *args: Any, **how: Any) -> Any:
        if self == chunk:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **how)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StackError, match=f"{chunk} cannot be read: permission denied"):
        read(tmp_path / "a.zarr")


def test_the_error_has_the_callers_class(tmp_path: Path) -> None:
    (tmp_path / "zarr.json").write_text("{")
    with pytest.raises(LabelError, match="cannot be read as Zarr"):
        open_node(tmp_path, LabelError)
