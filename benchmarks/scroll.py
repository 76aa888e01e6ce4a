"""Measure scrolling through depth in a real window: the time a step blocks it, and the time to a complete picture.

    xvfb-run -s "-screen 0 1920x1080x24" python benchmarks/scroll.py [--side 4096]

The same simulated stack (phantoms side by side) as an uncompressed folder, in zlib strips and converted, in napari-ink
and in napari's builtin reader: steps over the whole segment, and at a zoom of one voxel per screen pixel.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path

import napari
from chunks import volume
from qtpy.QtWidgets import QApplication
from stack import write_folder

from napari_ink.gui.layers.stack_layer import attach, stack_layer_data
from napari_ink.gui.layers.viewport import camera_of
from napari_ink.stack import convert, open_stack


def settle(layer: object) -> float:
    """Process events until the picture is complete; return the seconds it took."""
    start, browser = time.perf_counter(), getattr(layer, "metadata", {}).get("napari_ink_browser")
    while True:
        QApplication.processEvents()
        if browser is None or not browser._is_behind:
            return time.perf_counter() - start
        time.sleep(0.001)


def steps(viewer: napari.Viewer, layer: object, count: int) -> tuple[list[float], list[float]]:
    """Step through layers; return for each step the milliseconds on the GUI thread, and to the complete picture."""
    held, whole = [], []
    for z in range(10, 10 + count):
        start = time.perf_counter()
        viewer.dims.set_point(0, z)
        QApplication.processEvents()
        held.append((time.perf_counter() - start) * 1000)
        whole.append(held[-1] + settle(layer) * 1000)
    return held, whole


def show(source: Path, is_ours: bool, count: int) -> list[str]:
    """Open a stack in a window, and step through it twice."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1900, 1060)
    start = time.perf_counter()
    if is_ours:
        stack = open_stack(source)
        data, settings, _ = stack_layer_data(stack, stack.contrast_limits())
        layer = viewer.add_image(data, **settings)
        attach(layer)
    else:
        (layer,) = viewer.open(str(source), plugin="napari", stack=True)
    viewer.dims.set_point(0, 9)
    settle(layer)
    cells = [f"{(time.perf_counter() - start) * 1000:.0f}"]
    camera = camera_of(viewer)
    for zoom in (camera.zoom, 1.0):
        camera.zoom = zoom
        for _ in range(20):
            QApplication.processEvents()
            time.sleep(0.01)
        settle(layer)
        held, whole = steps(viewer, layer, count)
        cells += [f"{statistics.median(held):.0f} / {max(held):.0f}", f"{statistics.median(whole):.0f}"]
    viewer.close()
    return cells


def main() -> None:
    """Write a stack, show it, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home, block = Path(name), volume(2048)
        write_folder(home / "raw", arguments.side, block)
        write_folder(home / "zlib", arguments.side, block, compression="zlib", rowsperstrip=64)
        del block
        for _ in convert(open_stack(home / "raw"), home / "converted.zarr"):
            pass
        print(f"65 × {arguments.side}² uint16; {platform.machine()}, {platform.system()}, software GL\n")
        print(
            "| storage | reader | open, ms | whole segment: blocked, median / longest, ms | until complete, ms "
            "| zoomed in: blocked, ms | until complete, ms |\n| --- | --- | --- | --- | --- | --- | --- |"
        )
        for storage in ("raw", "zlib", "converted.zarr"):
            for is_ours in (True, False) if storage != "converted.zarr" else (True,):
                count = arguments.steps if is_ours else 3
                cells = " | ".join(show(home / storage, is_ours, count))
                print(f"| {storage} | {'napari-ink' if is_ours else 'napari, builtin'} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
