"""Conversion: the same voxels, levels of means, resuming after a kill, and no unfinished store at the target."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import block_reduce

from napari_ink.errors import NapariInkError, OutputError, StackError
from napari_ink.halving import halved_by_mean
from napari_ink.stack import convert, open_stack
from napari_ink.stack.pyramid import layout, level_shapes
from napari_ink.stack.shard_file import ShardedLevel, ShardPacker
from tests.small_disk import small_disk


def converted(source: Path, out: Path) -> None:
    for _ in convert(open_stack(source), out):
        pass


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A stack of eight shards and three levels."""
    values = np.random.default_rng(0).integers(0, 65535, (9, 700, 2100), dtype=np.uint16)
    np.save(tmp_path / "seg.npy", values)
    (tmp_path / "meta.json").write_text(json.dumps({"voxelsize": 7.91}))
    return tmp_path / "seg.npy"


def test_a_conversion_has_the_same_voxels_and_their_means(source: Path, tmp_path: Path) -> None:
    converted(source, tmp_path / "out.zarr")
    values = np.load(source)
    stack = open_stack(tmp_path / "out.zarr")
    np.testing.assert_array_equal(stack.read(slice(None), slice(None), slice(None)), values)
    assert stack.fingerprint() == open_stack(source).fingerprint()
    assert stack.voxel_size_um == 7.91
    assert [level.step for level in stack.levels] == [(1, 2, 2), (1, 4, 4)]
    finer = values
    for level in stack.levels:
        got = level.read(*(slice(0, length) for length in level.shape))
        even = np.pad(finer, ((0, 0), (0, finer.shape[1] % 2), (0, finer.shape[2] % 2)), mode="edge")
        mean = block_reduce(even.astype(float), (1, 2, 2), np.mean)
        np.testing.assert_allclose(got, mean, atol=0.51)
        finer = got
    assert sorted(one.name for one in tmp_path.iterdir()) == ["meta.json", "out.zarr", "seg.npy"]
    assert {one.name for one in (tmp_path / "out.zarr").iterdir()} == {"0", "1", "2", "zarr.json"}
    attributes = dict(zarr.open_group(tmp_path / "out.zarr", mode="r").attrs)
    assert attributes["ome"]["version"] == "0.5"
    assert len(attributes["napari_ink"]["crc32_of_shards"]) == 10


@given(arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))))
def test_halving_takes_the_mean_of_four_pixels(block: np.ndarray) -> None:
    even = np.pad(block, ((0, 0), (0, block.shape[1] % 2), (0, block.shape[2] % 2)), mode="edge")
    np.testing.assert_array_equal(
        halved_by_mean(block), np.floor(block_reduce(even.astype(float), (1, 2, 2), np.mean) + 0.5)
    )


@given(st.tuples(st.integers(1, 512), st.integers(1, 30000), st.integers(1, 30000)))
def test_shards_contain_whole_chunks_and_are_limited_in_size(shape: tuple[int, int, int]) -> None:
    shapes = level_shapes(shape)
    assert max(shapes[-1][1:]) <= 1024
    for level in range(len(shapes)):
        chunks, shards = layout(level, shape[0])
        assert all(shard % chunk == 0 for shard, chunk in zip(shards, chunks, strict=True))
        assert np.prod(shards) * 2 <= 68e6


@settings(max_examples=10, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 20), st.integers(1, 1300), st.integers(1, 600)),
    dtype=st.sampled_from([np.uint8, np.uint16]),
)
def test_any_stack_converts(tmp_path_factory, shape: tuple[int, int, int], dtype: type) -> None:
    folder = tmp_path_factory.mktemp("any")
    values = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    np.save(folder / "seg.npy", values)
    converted(folder / "seg.npy", folder / "out.zarr")
    np.testing.assert_array_equal(open_stack(folder / "out.zarr").read(slice(None), slice(None), slice(None)), values)


@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 140), st.integers(1, 600), st.integers(1, 600)),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    level=st.integers(0, 1),
)
def test_a_shard_is_packed_to_the_bytes_that_zarr_writes(tmp_path_factory, shape, dtype, level) -> None:
    folder = tmp_path_factory.mktemp("shards")
    values = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    chunks, shards = layout(level, shape[0])
    theirs = zarr.create_array(
        folder / "theirs",
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        shards=shards,
        compressors=zarr.codecs.ZstdCodec(level=1),
        config={"write_empty_chunks": True},
    )
    ours = ShardedLevel(folder / "ours", shape, np.dtype(dtype), chunks, shards)
    for corner in ours.corners():
        block = ours.block(corner)
        theirs[block] = values[block]
        packer = ShardPacker(ours, corner)
        packer.add(values[block])
        packer.write()
        assert packer.check == zlib.crc32(np.ascontiguousarray(values[block]).data)
        np.testing.assert_array_equal(np.concatenate(list(ours.bands(corner))), values[block])
    assert contents(folder / "ours") == {
        name: data for name, data in contents(folder / "theirs").items() if name != "zarr.json"
    }


@pytest.mark.parametrize("byte", [-1, -4, -5, -132])
def test_a_damaged_index_of_a_shard_is_noticed(source: Path, tmp_path: Path, byte: int) -> None:
    """Its checksum as well, without which other programs refuse the shard."""
    events = convert(open_stack(source), tmp_path / "out.zarr", workers=1)
    while next(events).done < 10:
        pass
    shard = tmp_path / "out.zarr.partial" / "0" / "c" / "0" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[byte] ^= 4
    shard.write_bytes(data)
    with pytest.raises(OutputError, match="row 0, column 0 of level 0 cannot be read .*index .* is damaged"):
        for _ in events:
            pass


@pytest.mark.parametrize(("is_apart", "layers", "wide"), [(True, 8, 2048), (False, 9, 512)])
def test_layers_stored_apart_are_read_a_few_at_a_time_for_several_shards(
    source: Path, tmp_path: Path, is_apart: bool, layers: int, wide: int
) -> None:
    """A layer that is stored with others would be decoded again for each few of them."""
    stack = open_stack(source)
    assert stack.are_layers_apart
    stack.fingerprint()
    reads: list[tuple[int, int]] = []

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        reads.append((z.stop - z.start, x.stop - x.start))
        return stack.read_block(z, y, x, step)

    watched = replace(stack, read_block=read_block, are_layers_apart=is_apart)
    watched.__dict__["_samples"] = stack._samples
    for _ in convert(watched, tmp_path / "out.zarr"):
        pass
    assert max(layers for deep, _ in reads) == layers and max(across for _, across in reads) == wide
    np.testing.assert_array_equal(open_stack(tmp_path / "out.zarr").read(*[slice(None)] * 3), np.load(source))


def test_layers_in_one_file_are_apart_only_in_c_order(tmp_path: Path) -> None:
    values = np.arange(4 * 30 * 20, dtype=np.uint16).reshape(4, 30, 20)
    np.save(tmp_path / "f.npy", np.asfortranarray(values))
    np.save(tmp_path / "c.npy", values)
    tifffile.imwrite(tmp_path / "pages.tif", values, photometric="minisblack", compression="zlib")
    zarr.create_array(tmp_path / "a.zarr", data=values, chunks=(4, 10, 10))
    apart = {one.name: open_stack(one).are_layers_apart for one in tmp_path.iterdir()}
    assert apart == {"f.npy": False, "c.npy": True, "pages.tif": True, "a.zarr": False}


def test_an_interrupted_conversion_continues(source: Path, tmp_path: Path) -> None:
    events = convert(open_stack(source), tmp_path / "out.zarr", workers=1)
    assert next(events).done == 0
    for _ in range(3):
        reached = next(events)
    events.close()
    assert not (tmp_path / "out.zarr").exists()
    again = convert(open_stack(source), tmp_path / "out.zarr")
    assert next(again).done >= reached.done == 3
    *_, last = again
    assert last.done == last.total and last.done_bytes == last.total_bytes
    np.testing.assert_array_equal(
        open_stack(tmp_path / "out.zarr").read(slice(None), slice(None), slice(None)), np.load(source)
    )


def test_a_killed_conversion_continues_to_the_same_store(source: Path, tmp_path: Path) -> None:
    converted(source, tmp_path / "whole.zarr")
    command = [sys.executable, "-m", "napari_ink.cli", "convert", str(source), str(tmp_path / "killed.zarr")]
    for delay in (0.0, 0.1, 0.3):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 20
            while not (tmp_path / "killed.zarr.partial" / "0" / "zarr.json").exists() and time.monotonic() < deadline:
                if process.poll() is not None:
                    break
                time.sleep(0.005)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
    if not (tmp_path / "killed.zarr").exists():
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    for file in (tmp_path / "whole.zarr").rglob("*"):
        if file.is_file() and file.parent.name != "whole.zarr":
            assert (
                tmp_path / "killed.zarr" / file.relative_to(tmp_path / "whole.zarr")
            ).read_bytes() == file.read_bytes()


def test_changed_bits_on_the_disk_are_detected(source: Path, tmp_path: Path) -> None:
    events = convert(open_stack(source), tmp_path / "out.zarr", workers=1)
    while next(events).done < 10:  # all of the first level
        pass
    shard = tmp_path / "out.zarr.partial" / "0" / "c" / "0" / "1" / "2"
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 4
    shard.write_bytes(data)
    with pytest.raises(NapariInkError, match="row 512, column 1024 of level 0 reads back differently"):
        for _ in events:
            pass
    assert not (tmp_path / "out.zarr").exists()


def test_layers_in_strips_are_each_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 65535, (5, 1100, 700), dtype=np.uint16)
    (tmp_path / "seg").mkdir()
    for z, layer in enumerate(values):
        tifffile.imwrite(tmp_path / "seg" / f"{z}.tif", layer, compression="zlib", rowsperstrip=64)
    stack = open_stack(tmp_path / "seg")
    stack.fingerprint()
    reads: list[tuple[slice, slice, slice]] = []

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        reads.append((z, y, x))
        return stack.read_block(z, y, x, step)

    watched = replace(stack, read_block=read_block)
    watched.__dict__["_samples"] = stack._samples
    events = convert(watched, tmp_path / "out.zarr", workers=1)
    for _ in range(4):
        next(events)
    events.close()
    for _ in convert(watched, tmp_path / "out.zarr"):
        pass
    # Only the layer that was being written when the first conversion stopped may be read again.
    layers = [z.start for z, _, _ in reads]
    assert set(layers) == {0, 1, 2, 3, 4} and len(layers) <= 6
    np.testing.assert_array_equal(open_stack(tmp_path / "out.zarr").read(*[slice(None)] * 3), values)
    assert {one.name for one in (tmp_path / "out.zarr").iterdir()} == {"0", "1", "zarr.json"}


def test_impossible_conversions_are_refused(source: Path, tmp_path: Path) -> None:
    def refused(out: Path, words: str, stack: Path = source) -> None:
        with pytest.raises(OutputError, match=words):
            converted(stack, out)

    refused(tmp_path / "out.tif", ".zarr")
    (tmp_path / "there.zarr").mkdir()
    refused(tmp_path / "there.zarr", "exists already")
    events = convert(open_stack(source), tmp_path / "out.zarr")
    next(events)
    refused(tmp_path / "out.zarr", "another program")
    events.close()
    np.save(tmp_path / "other.npy", np.zeros((2, 30, 30), np.uint8))
    refused(tmp_path / "out.zarr", "another stack", tmp_path / "other.npy")
    (tmp_path / "mine.zarr.partial").mkdir()
    (tmp_path / "mine.zarr.partial" / "letter.txt").touch()
    refused(tmp_path / "mine.zarr", "move it away")


def test_a_source_that_fails_leaves_no_store(tmp_path: Path) -> None:
    folder = tmp_path / "seg"
    folder.mkdir()
    for z in range(3):
        tifffile.imwrite(folder / f"{z}.tif", np.full((600, 600), z, np.uint8))
    stack = open_stack(folder)
    stack.fingerprint()
    (folder / "1.tif").unlink()
    with pytest.raises(StackError, match="1.tif"):
        for _ in convert(stack, tmp_path / "out.zarr"):
            pass
    assert not (tmp_path / "out.zarr").exists()


def in_strips(folder: Path, shape: tuple[int, int, int] = (3, 520, 1030)) -> np.ndarray:
    """Write layers that can only be decoded whole, and return their values."""
    values = np.random.default_rng(0).integers(0, 65535, shape, dtype=np.uint16)
    folder.mkdir()
    for z, layer in enumerate(values):
        tifffile.imwrite(folder / f"{z}.tif", layer, compression="zlib", rowsperstrip=64)
    return values


class Killed(BaseException):
    """An exception that no code catches."""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_a_conversion_killed_at_any_move_or_removal_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_strips(tmp_path / "seg")
    converted(tmp_path / "seg", tmp_path / "whole.zarr")
    expected, out = contents(tmp_path / "whole.zarr"), tmp_path / "out.zarr"
    calls, fatal = 0, 0
    lock = threading.Lock()

    def dying(name: str) -> None:
        call = getattr(os, name)

        def wrapped(path: object, *args: object, **named: object) -> object:
            nonlocal calls
            with lock:
                calls += "out.zarr" in str(path)
                if calls == fatal and "out.zarr" in str(path):
                    raise Killed
            return call(path, *args, **named)

        monkeypatch.setattr(os, name, wrapped)

    for name in ("replace", "rename", "unlink", "mkdir"):
        dying(name)
    finished_early = ends = 0
    while ends < 3:
        calls, fatal = 0, fatal + 1
        with contextlib.suppress(Killed):
            converted(tmp_path / "seg", out)
            if calls < fatal:  # it reached its end
                assert contents(out) == expected
                shutil.rmtree(out)
                # Threads that create the same folder make the number of calls vary: kill at the last ones again.
                ends, fatal = ends + 1, fatal - 3
                continue
        calls, at = -(10**9), fatal
        finished_early += out.exists()
        converted(tmp_path / "seg", out)
        assert contents(out) == expected, at
        assert not (tmp_path / "out.zarr.partial").exists()
        shutil.rmtree(out)
    assert fatal > 25
    assert finished_early >= 1  # killed during the cleanup after the final rename


def stop_after(source: Path, out: Path, events: int) -> None:
    running = convert(open_stack(source), out, workers=1)
    for _ in range(events + 1):
        next(running)
    running.close()


@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_copied_layers_are_verified_by_their_checksums(tmp_path: Path, damage: str) -> None:
    values = in_strips(tmp_path / "seg")
    stop_after(tmp_path / "seg", tmp_path / "out.zarr", 4)
    spool = tmp_path / "out.zarr.partial" / "layers.raw"
    data = bytearray(spool.read_bytes())
    data[700_001] ^= 64
    data[-3] ^= 1
    spool.write_bytes({"flip": bytes(data), "cut": bytes(data[: len(data) // 2]), "gone": b""}[damage])
    converted(tmp_path / "seg", tmp_path / "out.zarr")
    np.testing.assert_array_equal(open_stack(tmp_path / "out.zarr").read(*[slice(None)] * 3), values)
    assert {one.name for one in (tmp_path / "out.zarr").iterdir()} == {"0", "1", "zarr.json"}


@pytest.mark.parametrize("events", [2, 10, 12])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "pipe"])
def test_shards_are_verified_by_their_checksums_before_continuing(
    source: Path, tmp_path: Path, events: int, damage: str
) -> None:
    converted(source, tmp_path / "whole.zarr")
    stop_after(source, tmp_path / "out.zarr", events)
    shard = tmp_path / "out.zarr.partial" / "0" / "c" / "0" / "0" / "1"
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 4
    shard.unlink()
    if damage == "pipe":
        os.mkfifo(shard)
    elif damage != "gone":
        shard.write_bytes(data if damage == "flip" else data[:1000])
    converted(source, tmp_path / "out.zarr")
    whole, out = contents(tmp_path / "whole.zarr"), contents(tmp_path / "out.zarr")
    assert out == whole


def test_shards_damaged_before_they_were_recorded_are_rewritten(source: Path, tmp_path: Path) -> None:
    """Shards at the border are partly filled: writing into an existing one would have to read it first."""
    stop_after(source, tmp_path / "out.zarr", 10)
    (tmp_path / "out.zarr.partial" / "done.jsonl").unlink()
    shards = [path for path in (tmp_path / "out.zarr.partial").rglob("c/*/*/*") if path.is_file()]
    assert len(shards) > 8
    for shard in shards:
        shard.write_bytes(shard.read_bytes()[:1000])
    converted(source, tmp_path / "out.zarr")
    converted(source, tmp_path / "whole.zarr")
    assert contents(tmp_path / "out.zarr") == contents(tmp_path / "whole.zarr")


@pytest.mark.parametrize(
    "text", [b"", b"\x80\xff", b"5\n[]\n{}\n[0,0,0,0]\nnull", b"[" * 100_000, b"[9, 9, 9, 9, 9]\n[0, 0, 0, 0, 1e400]\n"]
)
def test_progress_records_with_other_content_are_ignored(source: Path, tmp_path: Path, text: bytes) -> None:
    stop_after(source, tmp_path / "out.zarr", 3)
    (tmp_path / "out.zarr.partial" / "done.jsonl").write_bytes(text)
    (tmp_path / "out.zarr.partial" / "0" / "zarr.json").write_bytes(b"{")
    (tmp_path / "out.zarr.partial" / "zarr.json").write_bytes(b"")
    converted(source, tmp_path / "out.zarr")
    np.testing.assert_array_equal(open_stack(tmp_path / "out.zarr").read(*[slice(None)] * 3), np.load(source))


@pytest.mark.parametrize("kind", ["npy", "tif"])
def test_a_source_truncated_during_reading_is_reported_as_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between the check of its size and the read: with a memory map, this would end the whole program."""
    from napari_ink.cli import main
    from napari_ink.stack import raw

    values = np.random.default_rng(0).integers(0, 255, (4, 600, 700), dtype=np.uint8)
    file = tmp_path / f"seg.{kind}"
    np.save(file, values) if kind == "npy" else tifffile.imwrite(file, values, photometric="minisblack")
    stack = open_stack(file)
    stack.fingerprint()
    monkeypatch.setattr(raw, "check_unchanged", lambda file, state: None)
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(StackError, match="has changed since the stack was opened"):
        for _ in convert(stack, tmp_path / "out.zarr"):
            pass
    np.save(file, values) if kind == "npy" else tifffile.imwrite(file, values, photometric="minisblack")
    job = sys.modules["napari_ink.stack.conversion"]._Job
    monkeypatch.setattr(job, "check", lambda *_: os.truncate(file, 9000) or iter(()))
    assert main(["convert", str(file), str(tmp_path / "other.zarr")]) == 2
    assert "has changed" in capsys.readouterr().err


def test_a_full_disk_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from napari_ink.cli import main

    with small_disk(tmp_path, "4m") as disk:
        for shape in ((5, 520, 1030), (3, 520, 1030)):  # too large for the copied layers, and for the shards
            in_strips(tmp_path / f"seg{shape[0]}", shape)
            for _ in range(2):
                out = disk / f"{shape[0]}.zarr"
                assert main(["convert", str(tmp_path / f"seg{shape[0]}"), str(out)]) == 1
                assert f"The disk is full: could not write {out}" in capsys.readouterr().err
            shutil.rmtree(disk / f"{shape[0]}.zarr.partial")


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 300)),
    part=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    step=st.integers(1, 5),
    dtype=st.sampled_from(["<u2", ">u2", "u1", "<f4"]),
    order=st.sampled_from(["C", "F"]),
)
def test_any_block_of_a_file_equals_numpys(tmp_path_factory, shape, part, step, dtype, order) -> None:
    from napari_ink.stack.raw import RawArray, state_of

    values = np.random.default_rng(0).integers(0, 250, shape).astype(dtype)
    file = tmp_path_factory.mktemp("raw") / "a.raw"
    file.write_bytes(b"head" + values.tobytes(order))
    y, x = (
        sorted(round(one * length) for one in ends) for ends, length in ((part[:2], shape[1]), (part[2:], shape[2]))
    )
    raw = RawArray(file, np.dtype(dtype), 4, shape, state_of(file), order)
    got = raw(slice(0, shape[0]), slice(*y), slice(*x), step)
    np.testing.assert_array_equal(got, values[:, slice(*y, step), slice(*x, step)])
    assert got.flags.c_contiguous
