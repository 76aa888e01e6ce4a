"""Measure the time to the first pictures of a slow Zarr without levels: coarse from a sample, and complete.

    python benchmarks/first_picture.py [--side 8192] [--delay 0.02]

A Zarr with chunks of 65 × 128 × 128 (a simulated stack repeated in y and x), from a warm disk and from a server on this
machine that takes `--delay` seconds to answer. For each: opening with contrast; then a window of the whole segment in
the viewer's way, with and without the sample (as before) in turns. The floor is reading the sampled chunks alone,
with zarr-python in a single request for one pixel of each.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import zarr
from chunks import volume

from napari_ink.stack import CoarseSample, DepthStack, Tiles, open_stack, sample_of, viewing_levels
from napari_ink.stack.coarse_sample import _stride

CHUNK, WRITTEN = 128, 2048


class SlowHandler(SimpleHTTPRequestHandler):
    """Serves files like a distant server."""

    delay = 0.0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802
        """Wait, and answer."""
        time.sleep(self.delay)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def write(path: Path, side: int) -> None:
    """Write the stack's first chunks, and link the others to them, which takes no time and no space."""
    array = zarr.create_array(
        path, shape=(65, side, side), dtype="uint16", chunks=(65, CHUNK, CHUNK), zarr_format=2, fill_value=0
    )
    array[:, :WRITTEN, :WRITTEN] = volume(WRITTEN)
    written = WRITTEN // CHUNK
    for row in range(side // CHUNK):
        for column in range(side // CHUNK):
            if row >= written or column >= written:
                os.link(path / f"0.{row % written}.{column % written}", path / f"0.{row}.{column}")


def pictures(stack: DepthStack, sample: CoarseSample | None) -> tuple[float, float, float]:
    """Return the milliseconds until no part of the segment is black, the sample is complete, and the picture is."""
    levels = viewing_levels(stack)
    tiles, (_, height, width) = Tiles(levels, stack.dtype, sample=sample), levels[-1].shape
    start, first, rounds = time.perf_counter(), 0.0, [0.0]
    if sample is not None:
        draw = sample.on_round
        sample.on_round = lambda: (rounds.append((time.perf_counter() - start) * 1000), draw())
    while True:
        shown = tiles.window(len(levels) - 1, stack.surface_z, slice(0, height), slice(0, width), 0.015)
        taken = (time.perf_counter() - start) * 1000
        first = first or (taken if shown.is_sampled or shown.is_whole else 0.0)
        if shown.is_whole:
            tiles.close()
            return first, rounds[-1], taken
        time.sleep(0.005)


def floor(stack: DepthStack) -> float:
    """Return the milliseconds for one pixel of each sampled chunk, in one request to zarr-python."""
    start, stride = time.perf_counter(), _stride(stack) * CHUNK
    _, height, width = stack.shape
    z = slice(stack.surface_z, stack.surface_z + 1)
    stack.read_block(z, slice(stride // 2, height), slice(stride // 2, width), stride)
    return (time.perf_counter() - start) * 1000


def row(name: str, source: Path | str, rounds: int) -> None:
    """Measure one source, and print its row."""
    start = time.perf_counter()
    open_stack(source).contrast_limits()
    opened = (time.perf_counter() - start) * 1000
    found = []
    for _ in range(rounds):
        stack = open_stack(source)
        found.append((floor(stack), *pictures(stack, sample_of(stack)), pictures(stack, None)[2]))
    cells = " | ".join(f"{one:.0f}" for one in np.median(found, axis=0))
    print(f"| {name} | {opened:.0f} | {cells} |", flush=True)


def main() -> None:
    """Write the stack, serve it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--delay", type=float, default=0.02)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["NAPARI_INK_CACHE_GB"] = "0"  # so that each round asks the server again
    with tempfile.TemporaryDirectory() as name:
        write(Path(name) / "deep.zarr", arguments.side)
        write(Path(name) / "half.zarr", arguments.side // 2)
        SlowHandler.delay = arguments.delay
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SlowHandler, directory=name))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(
            f"65 × {arguments.side}² uint16; {platform.machine()}, {os.cpu_count()} cores, {arguments.delay} s delay\n"
        )
        print(
            "| source | open and contrast, ms | floor: sampled chunks alone, ms | first coarse picture, ms "
            "| sample complete, ms | whole, ms | whole without sample, ms |\n"
            "| --- | --- | --- | --- | --- | --- | --- |"
        )
        row("disk", Path(name) / "deep.zarr", arguments.rounds)
        row(f"server, {arguments.side // 2}²", f"http://127.0.0.1:{server.server_port}/half.zarr", 1)
        server.shutdown()


if __name__ == "__main__":
    main()
