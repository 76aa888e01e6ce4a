"""The program, closed by its user during a run: it ends without a message, and keeps finished tiles."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_ink.predict import open_prediction

PROGRAM = """
import sys
from qtpy.QtCore import QTimer
import napari
from napari_ink.gui.app import viewer_with_dock

stack, tiles, wait_ms = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
viewer, dock = viewer_with_dock()
dock.open_stack(stack)

def look():
    state = dock.session.state
    if state.stack is not None and not state.busy:
        timer.stop()
        QTimer.singleShot(1000, press)  # until all is loaded and drawn

def press():
    dock.predict.run_button.click()
    if tiles:
        timer.timeout.disconnect(look)
        timer.timeout.connect(watch)
        timer.start(20)
    else:
        QTimer.singleShot(wait_ms, close)

def watch():
    state = dock.session.state
    if state.run is not None and state.run.done >= tiles:
        timer.stop()
        close()

def close():
    viewer.window._qt_window.close()

timer = QTimer()
timer.timeout.connect(look)
timer.start(20)
napari.run()
print("over")
"""


@pytest.fixture
def vast_stack(tmp_path: Path) -> Path:
    """A stack whose overlay has coarser copies, which napari draws slowly."""
    np.save(tmp_path / "vast.npy", np.tile(np.arange(250, dtype=np.uint8), (32, 3000, 12)))
    return tmp_path / "vast.npy"


@pytest.mark.parametrize(("tiles", "wait_ms"), [(0, 60), (3, 0)])
def test_closing_during_a_run_ends_the_program(vast_stack: Path, tiles: int, wait_ms: int) -> None:
    words = [sys.executable, "-c", PROGRAM, str(vast_stack), str(tiles), str(wait_ms)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "over\n")
    assert "Traceback" not in ended.stderr and "Error" not in ended.stderr
    stores = list(vast_stack.parent.rglob("*.zarr"))
    if tiles:
        assert len(stores) == 1 and not list(stores[0].glob(".lock"))
        assert not open_prediction(stores[0]).complete
    if tiles > 1:
        assert open_prediction(stores[0]).done_fraction > 0
