"""Measure how long opening, stepping, tiles and projections of stacks take, compared with other readers.

    python benchmarks/stack.py [--side 8192] [--folder DIR]

Writes one simulated stack (phantoms side by side) in each storage kind, and measures in one run the medians at random
positions with a warm page cache. Compared with: napari's builtin reader (one dask chunk per layer), tifffile of whole
layers, dask over Zarr, and zarr-python alone. The floor is a read of the same bytes from an uncompressed file.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dask.array
import numpy as np
import tifffile
import zarr
from chunks import volume

from napari_ink.stack import DepthStack, open_stack, viewing_levels

VIEW, TILE, PROJECTED = (1000, 1600), 256, 15
Read = Callable[[slice, slice, slice], np.ndarray]


def write_folder(folder: Path, side: int, block: np.ndarray, **how: object) -> None:
    """Write a folder of TIFF layers, with a block repeated to the requested side length."""
    folder.mkdir(parents=True)
    times = side // block.shape[1]
    for z, layer in enumerate(block):
        tifffile.imwrite(folder / f"{z:02d}.tif", np.tile(layer, (times, times)), **how)


def median_ms(do: Callable[[np.random.Generator], object], times: int) -> float:
    """Return the median time of an action at random positions, each after a first call that warms the caches."""
    taken = []
    for is_counted in (False, True):
        draw = np.random.default_rng(0)
        for _ in range(times):
            start = time.perf_counter()
            do(draw)
            if is_counted:
                taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


def reads(shape: tuple[int, int, int], read: Read, times: int) -> list[float]:
    """Time a layer of a view, a tile through the depth, and the maximum of 15 layers of a view."""
    depth, height, width = shape

    def place(draw: np.random.Generator, layers: int, size: tuple[int, int]) -> tuple[slice, slice, slice]:
        lengths = (layers, *size)
        starts = [int(draw.integers(0, whole - part + 1)) for whole, part in zip(shape, lengths, strict=True)]
        z, y, x = (slice(start, start + part) for start, part in zip(starts, lengths, strict=True))
        return z, y, x

    view = (min(VIEW[0], height), min(VIEW[1], width))
    return [
        median_ms(lambda draw: read(*place(draw, 1, view)), times),
        median_ms(lambda draw: read(*place(draw, depth, (TILE, TILE))), times),
        median_ms(lambda draw: read(*place(draw, PROJECTED, view)).max(axis=0), times),
    ]


def ours(stack: DepthStack) -> Read:
    """Read with a depth stack."""
    return lambda z, y, x: stack.read(z, y, x)


def builtin(folder: Path) -> Read:
    """Read with napari's built-in reader: lazily, with one chunk per layer."""
    from napari_builtins.io import magic_imread

    array = magic_imread([str(file) for file in sorted(folder.glob("*.tif"))], use_dask=True, stack=True)
    return lambda z, y, x: np.asarray(array[z, y, x])


def whole_layers(folder: Path) -> Read:
    """Read whole layers with tifffile and crop them."""
    files = sorted(folder.glob("*.tif"))
    return lambda z, y, x: np.stack([tifffile.imread(file)[y, x] for file in files[z]])


def first_image_ms(source: Path) -> float:
    """Time the opening of a path up to the first picture of the whole segment: headers, contrast and one layer."""
    start = time.perf_counter()
    stack = open_stack(source)
    stack.contrast_limits()
    level = viewing_levels(stack)[-1]
    _, height, width = level.shape
    z = stack.surface_z // level.step[0]
    level.read(slice(z, z + 1), slice(0, height), slice(0, width))
    return (time.perf_counter() - start) * 1000


def overview_ms(source: Path, times: int) -> float:
    """Time a depth step of the whole segment at the resolution of a screen."""
    level = viewing_levels(open_stack(source))[-1]
    depth, height, width = level.shape

    def step(draw: np.random.Generator) -> None:
        z = int(draw.integers(0, depth))
        level.read(slice(z, z + 1), slice(0, height), slice(0, width))

    return median_ms(step, times)


def conversion(source: Path, out: Path) -> tuple[float, float]:
    """Return seconds and peak megabytes of a conversion in a separate process."""
    program = (
        "import re, sys, threading, time; from pathlib import Path; from napari_ink.stack import convert, open_stack\n"
        "peak, over = [0], threading.Event()\n"
        "def watch():\n"
        "    while not over.wait(0.02):\n"
        "        status = Path('/proc/self/status').read_text()\n"
        "        peak[0] = max(peak[0], int(re.search(r'RssAnon:\\s+(\\d+)', status)[1]))\n"
        "threading.Thread(target=watch).start()\n"
        "start = time.perf_counter()\n"
        "for _ in convert(open_stack(sys.argv[1]), Path(sys.argv[2])): pass\n"
        "over.set()\n"
        "print(time.perf_counter() - start, peak[0] / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program, source, out], capture_output=True, text=True, check=True)
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak


def copy_and_compress(folder: Path, out: Path) -> float:
    """Return the seconds for only copying the files, and for only compressing their values with zstd."""
    start = time.perf_counter()
    shutil.copytree(folder, out)
    from numcodecs import Zstd

    packer = Zstd(level=1)
    for file in sorted(folder.glob("*.tif")):
        layer = tifffile.memmap(file, mode="r")
        for y in range(0, layer.shape[0], 512):
            packer.encode(np.ascontiguousarray(layer[y : y + 512]))
    os.sync()  # a conversion also ends only when its files are on the disk
    seconds = time.perf_counter() - start
    shutil.rmtree(out)
    return seconds


def main() -> None:
    """Write stacks, time the readers, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--folder", type=Path, help="folder for the stacks; default: a temporary folder")
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    side, times = arguments.side, arguments.times
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        home, block = Path(name), volume(min(side, 2048))
        write_folder(home / "raw", side, block)
        write_folder(home / "zlib", side, block, compression="zlib", rowsperstrip=64)
        del block
        os.sync()
        seconds, peak = conversion(home / "raw", home / "ours.zarr")
        floor_s = copy_and_compress(home / "raw", home / "copy")
        deep = zarr.create_array(
            home / "deep.zarr", shape=(65, side, side), dtype="uint16", chunks=(65, 128, 128), zarr_format=2
        )
        raw = open_stack(home / "raw")
        for y in range(0, side, 512):
            deep[:, y : y + 512] = raw.read(slice(0, 65), slice(y, y + 512), slice(0, side))
        zarrs = {"ours.zarr": zarr.open_array(home / "ours.zarr" / "0", mode="r"), "deep.zarr": deep}
        shape = raw.shape
        print(f"65 × {side} × {side} uint16; {platform.machine()}, {platform.system()}, {os.cpu_count()} cores\n")
        print(
            "| storage | reader | layer of a view, ms | 256² tile, ms | 15 layers, ms |\n"
            "| --- | --- | --- | --- | --- |"
        )

        def row(storage: str, reader: str, read: Read, few: int = times) -> None:
            print(
                f"| {storage} | {reader} | " + " | ".join(f"{one:.1f}" for one in reads(shape, read, few)) + " |",
                flush=True,
            )

        row("uncompressed folder", "napari-ink (floor: mapped)", ours(raw))
        row("uncompressed folder", "napari's builtin", builtin(home / "raw"), 2)
        row("uncompressed folder", "tifffile, whole layers", whole_layers(home / "raw"), 2)
        row("zlib strips", "napari-ink", ours(open_stack(home / "zlib")), 3)
        row("zlib strips", "napari's builtin", builtin(home / "zlib"), 1)
        for file, array in zarrs.items():
            kind = "converted (8, 256, 256)" if file == "ours.zarr" else "Zarr v2 (65, 128, 128)"
            row(kind, "napari-ink", ours(open_stack(home / file)))
            row(kind, "zarr-python", lambda z, y, x, array=array: np.asarray(array[z, y, x]))
            lazy = dask.array.from_array(array, chunks=array.chunks)
            row(kind, "dask", lambda z, y, x, lazy=lazy: np.asarray(lazy[z, y, x]))
        print(
            "\n| storage | open to first image, ms | step of the whole segment at screen resolution, ms |\n"
            "| --- | --- | --- |"
        )
        for file in ("raw", "zlib", "ours.zarr", "deep.zarr"):
            few = times if file != "zlib" else 1
            print(f"| {file} | {first_image_ms(home / file):.0f} | {overview_ms(home / file, few):.1f} |", flush=True)
        print(
            f"\nConversion of the uncompressed folder: {seconds:.0f} s, {seconds / floor_s:.2f} × the {floor_s:.0f} s"
        )
        print(f"of copying and compressing alone; peak memory {peak:.0f} MB without mapped files")


if __name__ == "__main__":
    main()
