"""Compare chunk shapes and codecs for the OME-Zarr of a depth stack, to choose those of `napari-ink convert`.

    python benchmarks/chunks.py [--side 2048]

Writes a simulated stack (a phantom, tiled) once for each layout, and times what people and models read: one layer of
a 1600 × 1000 view, 15 layers of it, and a tile of 256 × 256 through the whole depth. Medians, warm page cache.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from napari_ink.phantom import PhantomConfig, make_phantom

LAYOUTS = [(4, 256, 256), (8, 128, 128), (8, 256, 256), (13, 128, 128), (16, 128, 128), (16, 256, 256), (65, 128, 128)]
CODECS: dict[str, Any] = {
    "zstd 1": ZstdCodec(level=1),
    "zstd 3": ZstdCodec(level=3),
    "blosc zstd 1, bitshuffle": BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
    "blosc zstd 3, bitshuffle": BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
}
SHARD_PX = 512


def volume(side: int) -> np.ndarray:
    """Return a simulated stack of a given side length: phantoms of 512 pixels, rotated and mirrored, side by side."""
    made = make_phantom(PhantomConfig(seed=1, height=512, width=512)).volume
    rows = [
        np.concatenate([np.rot90(made, turns + row, (1, 2)) for turns in range(side // 512)], 2)
        for row in range(side // 512)
    ]
    whole = np.concatenate(rows, 1)
    # A phantom has 256 grey values. A 16-bit scan has noise in its lower bits, which compresses badly.
    whole += np.random.default_rng(0).integers(0, 257, whole.shape, dtype=np.uint16) * (whole > 0)
    return whole


def milliseconds(do: Callable[[np.random.Generator], object], times: int = 7) -> float:
    """Return the median time of an action at random positions."""
    draw, taken = np.random.default_rng(0), []
    for _ in range(times):
        start = time.perf_counter()
        do(draw)
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


def measure(values: np.ndarray, chunks: tuple[int, int, int], codec: Any) -> list[float]:
    """Return megabytes on disk, seconds to write, and the three reads in milliseconds."""
    depth, side, _ = values.shape
    shards = (-(-depth // chunks[0]) * chunks[0], SHARD_PX, SHARD_PX)
    with tempfile.TemporaryDirectory() as folder:
        array = zarr.create_array(
            Path(folder) / "a.zarr",
            shape=values.shape,
            dtype=values.dtype,
            chunks=chunks,
            shards=shards,
            compressors=codec,
        )
        start = time.perf_counter()
        for y in range(0, side, SHARD_PX):
            for x in range(0, side, SHARD_PX):
                array[:, y : y + SHARD_PX, x : x + SHARD_PX] = values[:, y : y + SHARD_PX, x : x + SHARD_PX]
        written = time.perf_counter() - start
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6

        def view(draw: np.random.Generator, layers: int) -> None:
            z, y, x = (int(draw.integers(0, n)) for n in (depth - layers + 1, side - 999, side - 1599))
            array[z : z + layers, y : y + 1000, x : x + 1600]

        def tile(draw: np.random.Generator) -> None:
            y, x = (int(draw.integers(0, side - 255)) for _ in range(2))
            array[:, y : y + 256, x : x + 256]

        return [
            size,
            written,
            milliseconds(lambda d: view(d, 1)),
            milliseconds(lambda d: view(d, 15)),
            milliseconds(tile),
        ]


def main() -> None:
    """Print one table for the chunks and one for the codecs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2048)
    side = parser.parse_args().side
    values = volume(side)
    print(f"{values.shape} {values.dtype}, {values.nbytes / 1e6:.0f} MB; {platform.machine()}, {platform.system()}\n")
    print(
        "| chunks, codec | MB | write, s | layer of a view, ms | 15 layers, ms | tile, ms |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    cases = [(chunks, "zstd 1") for chunks in LAYOUTS] + [((8, 256, 256), name) for name in list(CODECS)[1:]]
    for chunks, name in cases:
        row = measure(values, chunks, CODECS[name])
        print(f"| {chunks}, {name} | " + " | ".join(f"{one:.3g}" for one in row) + " |", flush=True)


if __name__ == "__main__":
    main()
