"""Measure the cost of a segment's mask: seconds and peak memory of reading it, and memory while it is in use.

    python benchmarks/mask.py [--sides 8192 20000]

The mask is an ellipse as large as the segment. "Array" is the same mask as a bool array, one byte per pixel. Memory is
the growth of the process's own memory (RssAnon), each time in a separate process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from predict import Memory, write_mask

from napari_ink.stack import read_mask, read_segment_mask


def write_masks(folder: Path, side: int) -> None:
    """Write the same mask as PNG and as TIFF in tiles."""
    write_mask(folder / "mask.png", side)
    Image.MAX_IMAGE_PIXELS = None
    tifffile.imwrite(
        folder / "mask.tif", np.asarray(Image.open(folder / "mask.png")), tile=(512, 512), compression="zlib"
    )


def read_one(path: Path, way: str, side: int) -> dict[str, float]:
    """Read a mask in this process, and return its seconds and megabytes."""
    watch = Memory()
    watch.start()
    time.sleep(0.1)
    began = time.perf_counter()
    mask = read_mask(path, (side, side)) if way == "array" else read_segment_mask(path, (side, side))
    seconds = time.perf_counter() - began
    time.sleep(0.05)
    return {"seconds": seconds, "most": (watch.most - watch.first) / 1024, "held": mask.nbytes / 2**20}


def main() -> None:
    """Print a row for each size, file and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[8192, 20000])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        path, way, side = arguments.one
        print(json.dumps(read_one(Path(path), way, int(side))))
        return
    print("| side | file | way | seconds | peak MB while reading | MB in use |\n| --- | --- | --- | --- | --- | --- |")
    for side in arguments.sides:
        with tempfile.TemporaryDirectory() as home:
            write_masks(Path(home), side)
            for name in ("mask.png", "mask.tif"):
                for way in ("array", "squares"):
                    words = [sys.executable, __file__, "--one", str(Path(home) / name), way, str(side)]
                    found = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
                    row = [side, name, way, f"{found['seconds']:.1f}", f"{found['most']:.0f}", f"{found['held']:.1f}"]
                    print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
