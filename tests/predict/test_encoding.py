"""Chunks encoded without zarr equal zarr's, byte for byte, and stores of another form are left to zarr."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ink.predict.storage.create import create_store
from napari_ink.predict.storage.encoding import BlockCodec
from napari_ink.predict.storage.store import CHANNELS, LEVELS
from napari_ink.predict.storage.writer import PredictionWriter
from napari_ink.predict.tiles import block_area
from napari_ink.region import Region
from tests.predict.test_interruption import chunks

SHAPE = (300, 600)


def levels_of(kind: str, channels: int, shape: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    smooth = 127 + 120 * np.sin(np.arange(shape[0])[:, None] / 20) * np.cos(np.arange(shape[1]) / 30)
    planes = {
        "noise": np.random.default_rng(0).integers(0, 256, shape),
        "smooth": smooth,
        "zero": np.zeros(shape),
        "one pixel": np.eye(1, shape[0] * shape[1], 7).reshape(shape),
    }
    return np.stack([planes[kind]] + [planes["zero"]] * (channels - 1)).astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(
    block=st.sampled_from([(0, 0), (0, 2), (1, 1), (1, 2)]),
    kind=st.sampled_from(["noise", "smooth", "zero", "one pixel"]),
    corner=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    channels=st.integers(2, 3),
)
def test_chunks_equal_those_of_zarr(block: tuple[int, int], kind: str, corner: tuple[int, int], channels: int) -> None:
    store = zarr.storage.MemoryStore()
    array = zarr.create_group(store).create_array(
        LEVELS, shape=(channels, *SHAPE), chunks=(1, 256, 256), dtype="uint8", fill_value=0
    )
    codec = BlockCodec.of(array)
    assert codec is not None
    area = block_area(block, Region(corner[0], SHAPE[0], corner[1], SHAPE[1]))
    levels = levels_of(kind, channels, area.shape)
    array[:, *area.slices] = levels
    encoded = codec.encode(block, area, levels)
    names = [f"{LEVELS}/c/{channel}/{block[0]}/{block[1]}" for channel in range(channels)]
    stored = [store._store_dict.get(name) for name in names]
    assert list(encoded) == [None if one is None else one.to_bytes() for one in stored]
    whole = Region(256 * block[0], 256 * block[0] + 256, 256 * block[1], 256 * block[1] + 256)
    np.testing.assert_array_equal(codec.decode(encoded)[:, *area.slices_in(whole)], levels)


@pytest.mark.parametrize(
    "changes",
    [
        {"compressors": None},
        {"compressors": zarr.codecs.GzipCodec()},
        {"chunks": (1, 128, 256)},
        {"shards": (2, 256, 512)},
        {"chunk_key_encoding": {"name": "v2", "separator": "."}},
        {"fill_value": 1},
        {"zarr_format": 2},
    ],
)
def test_other_forms_are_left_to_zarr(changes: dict[str, Any]) -> None:
    wanted = {"shape": (2, *SHAPE), "chunks": (1, 256, 256), "dtype": "uint8", "fill_value": 0, **changes}
    assert BlockCodec.of(zarr.create_array(zarr.storage.MemoryStore(), **wanted)) is None


def test_a_block_of_zeros_removes_the_chunk_that_a_killed_run_left(tmp_path: Path) -> None:
    path, region = tmp_path / "p.zarr", Region.whole(SHAPE)
    create_store(path, SHAPE, None, {"region": [0, *SHAPE[:1], 0, SHAPE[1]]}, CHANNELS[:2])
    left = path / LEVELS / "c" / "1" / "0" / "0"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"left")
    with PredictionWriter(path, region) as writer:
        assert writer.codec is not None
        area = block_area((0, 0), region)
        levels = levels_of("smooth", 2, area.shape)
        writer.store({}, {(0, 0): writer.codec.encode((0, 0), area, levels)})
        writer.store({(0, 1): levels})
    assert set(chunks(path)) >= {"0/c/0/0/0", "0/c/0/0/1"} and not left.exists()
    stored = zarr.open_array(path / LEVELS, mode="r")
    np.testing.assert_array_equal(stored[:, :256, :256], levels)
    np.testing.assert_array_equal(stored[:, :256, 256:512], levels)


def test_chunks_are_synced_in_parallel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In sequence they take 3 to 4 ms each, so that eight chunks cost more than a GPU's batch.
    path, region, at_once = tmp_path / "p.zarr", Region.whole(SHAPE), [0, 0]
    create_store(path, SHAPE, None, {"region": [0, SHAPE[0], 0, SHAPE[1]]}, CHANNELS[:2])

    def slow(_: int) -> None:
        at_once[0] += 1
        at_once[1] = max(at_once)
        time.sleep(0.05)
        at_once[0] -= 1

    with PredictionWriter(path, region) as writer:
        monkeypatch.setattr(os, "fsync", slow)
        writer.store({(0, x): levels_of("noise", 2, block_area((0, x), region).shape) for x in range(3)})
    assert at_once[1] > 1
