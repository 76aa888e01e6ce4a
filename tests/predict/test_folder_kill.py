"""kill -9 while predictions are deleted, restored and renamed: each is there once, and whole."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_ink.predict import PredictionFolder
from tests.predict.stored_predictions import copy_of, files_of, noise, write_prediction

_STORES = 6
# Deletes, restores and renames at random, for ever.
_PROGRAM = """
import random, sys
from pathlib import Path
from napari_ink.predict import PredictionFolder, open_prediction

folder, draw = PredictionFolder(Path(sys.argv[1])), random.Random(int(sys.argv[2]))
folder.read()
print("ready", flush=True)
while True:
    live, trash = sorted(folder.path.glob("*.zarr")), sorted((folder.path / "trash").glob("*.zarr"))
    if live and draw.random() < 0.5:
        folder.discard(draw.choice(live))
    elif trash:
        folder.restore(draw.choice(trash))
    if live := sorted(folder.path.glob("*.zarr")):
        folder.rename(draw.choice(live), draw.choice(["some name", "another"]))
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_program_loses_no_prediction(tmp_path: Path, seed: int) -> None:
    folder, draw = PredictionFolder(tmp_path / "seg.ink"), random.Random(seed)
    folder.path.mkdir(parents=True)
    template = write_prediction(tmp_path / "template.zarr", noise(1, 2, (8, 8)))
    stores = [copy_of(template, folder.path / f"p{number}.zarr") for number in range(_STORES)]
    for number, store in enumerate(stores):
        (store / "mine").write_text(str(number))
    before = {store.name: files_of(store) for store in stores}
    for life in range(3):
        command = [sys.executable, "-c", _PROGRAM, str(folder.path.parent), str(10 * seed + life)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
            try:
                program.wait(draw.uniform(0, 0.3))
            except subprocess.TimeoutExpired:
                program.send_signal(signal.SIGKILL)
            assert program.wait() == -signal.SIGKILL
        found = folder.read()
        assert found.faults == ()
        after = {row.path.name: files_of(row.path) for row in found.rows}
        assert not set(after) & {one.store_name for one in found.trash}
        after |= {one.store_name: files_of(one.path) for one in found.trash}
        assert after == before
        assert {row.name for row in found.rows} <= {"stand-in", "some name", "another"}
