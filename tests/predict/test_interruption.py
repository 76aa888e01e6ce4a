"""Interruptions: finished blocks stay, and resuming gives the same bytes as an uninterrupted run."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from torch import Tensor

import napari_ink
from napari_ink.errors import OutputError
from napari_ink.predict import PredictionStarted, PredictRequest, TilePredicted, open_prediction, predict
from napari_ink.predict.storage.writer import PredictionWriter
from napari_ink.predict.tiles import block_area
from napari_ink.region import Region
from napari_ink.stack import open_stack
from tests.predict.stand_ins import Constant, Smear, ink_model, make_stack, run, run_until

SHAPE = (5, 600, 700)


def chunks(store: Path) -> dict[str, bytes]:
    # The last files of a killed process are beside the chunks under other names, which readers ignore.
    files = [p for p in store.rglob("*") if p.is_file() and "c" in p.parts and p.suffix != ".partial"]
    return {str(p.relative_to(store)): p.read_bytes() for p in files}


def request_in(folder: Path, batch_size: int = 1, **settings: object) -> PredictRequest:
    there = folder / "segment.npy"  # a process that resumes another's run must not rewrite its stack
    stack = open_stack(there) if there.exists() else make_stack(folder, SHAPE)
    model = ink_model(Smear(), 128)
    request = PredictRequest(stack, model, folder / "p.zarr", device="cpu", batch_size=batch_size)
    return replace(request, **{"overlap": 0.5, **settings})


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("region", [None, Region(100, 580, 37, 690)])
def test_repeated_cancelling_gives_the_same_bytes(tmp_path: Path, batch_size: int, region: Region | None) -> None:
    mask = np.ones(SHAPE[1:], bool)
    mask[200:500, :260] = False
    request = request_in(tmp_path, batch_size, region=region, mask=mask, overlap=0.25)
    whole = replace(request, out=tmp_path / "whole.zarr")
    tiles = len(run(whole)) - 2
    fractions, went_through = [0.0], 0
    while fractions[-1] < 1:
        seen = run_until(replace(request, resume=True), lambda _: has_more_than(request.out, fractions[-1]))
        fractions.append(open_prediction(request.out).done_fraction)
        assert fractions[-1] > fractions[-2]
        went_through += sum(isinstance(event, TilePredicted) for event in seen)
        check_done_blocks(request.out, whole.out)
    assert len(fractions) > 3
    assert chunks(request.out) == chunks(whole.out)
    assert went_through < 4 * tiles
    again = [type(event).__name__ for event in run(replace(request, resume=True))]
    assert [name for name in again if name != "PredictionNote"] == ["PredictionStarted", "PredictionEnded"]
    assert open_prediction(request.out).provenance["complete"] is True


def has_more_than(store: Path, fraction: float) -> bool:
    time.sleep(0.02)  # blocks are written on a thread; the run may end earlier otherwise
    return open_prediction(store).done_fraction > fraction


def check_done_blocks(store: Path, whole: Path) -> None:
    prediction, expected = open_prediction(store), open_prediction(whole)
    for row, column in zip(*np.nonzero(prediction.done()), strict=True):
        here = slice(256 * row, 256 * row + 256), slice(256 * column, 256 * column + 256)
        np.testing.assert_array_equal(prediction.read("ink", *here), expected.read("ink", *here))


def test_events_after_resuming_show_the_stored_tiles(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    run_until(request, lambda e: isinstance(e, TilePredicted) and open_prediction(request.out).done_fraction > 0.4)
    shown = np.stack([open_prediction(request.out).read(what) for what in ("ink", "edge")])
    for event in predict(replace(request, resume=True)):
        if isinstance(event, TilePredicted):
            shown[:, event.y, event.x] = event.ink, event.edge
    np.testing.assert_array_equal(shown, [open_prediction(request.out).read(what) for what in ("ink", "edge")])


def test_cancelling_before_the_first_finished_block_keeps_a_store_to_resume(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    run_until(request, lambda e: isinstance(e, PredictionStarted))
    assert open_prediction(request.out).done_fraction == 0
    assert run(replace(request, resume=True))[-1].complete


def test_resume_without_a_store_starts_one(tmp_path: Path) -> None:
    assert run(request_in(tmp_path, resume=True))[-1].complete


class Interrupts(Smear):
    """Raises Ctrl-C's exception while the network computes."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 40:
            raise KeyboardInterrupt
        return super().forward(x)


def test_ctrl_c_keeps_finished_tiles(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    run(replace(request, out=tmp_path / "whole.zarr"))
    with pytest.raises(KeyboardInterrupt):
        run(replace(request, model=ink_model(Interrupts(), 128)))
    assert 0 < open_prediction(request.out).done_fraction < 1
    run(replace(request, resume=True))
    assert chunks(request.out) == chunks(tmp_path / "whole.zarr")


PROGRAM = """
import os, signal, sys
from pathlib import Path
from tests.predict.test_interruption import open_prediction, predict, request_in, TilePredicted
request = request_in(Path(sys.argv[1]))
for event in predict(request):
    # Blocks are written on a thread: wait for the first one.
    if isinstance(event, TilePredicted) and event.done >= 37 and open_prediction(request.out).done_fraction:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on Windows")
def test_a_killed_process_leaves_a_store_that_can_be_resumed(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=root)
    assert killed.returncode == -signal.SIGKILL
    request = request_in(tmp_path)
    run(replace(request, out=tmp_path / "whole.zarr"))
    assert 0 < open_prediction(request.out).done_fraction < 1
    check_done_blocks(request.out, tmp_path / "whole.zarr")
    run(replace(request, resume=True))
    assert chunks(request.out) == chunks(tmp_path / "whole.zarr")


def test_stored_tiles_are_recorded_soon_even_without_a_next_tile(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    events = predict(request)
    next(events)
    events.close()
    region = Region.whole(SHAPE[1:])
    with PredictionWriter(request.out, region, {}) as writer:
        blocks = writer.pending[:3]
        for block in blocks:
            writer.store({block: np.ones((2, *block_area(block, region).shape), np.uint8)})
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and open_prediction(request.out).done_fraction * len(writer.pending) < 2.5:
            time.sleep(0.05)
        assert round(open_prediction(request.out).done_fraction * len(writer.pending)) == 3
    assert open_prediction(request.out).done_fraction < 1


KILLED_SOMETIME = """
import os, signal, sys, threading, time
from pathlib import Path
from tests.predict.test_interruption import predict, request_in
request = request_in(Path(sys.argv[1]), resume=True)
events = predict(request)
next(events)
def kill():
    time.sleep(float(sys.argv[2]))
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill, daemon=True).start()
for event in events:
    pass
time.sleep(10)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on Windows")
def test_repeated_kills_at_any_instant_give_the_same_bytes(tmp_path: Path) -> None:
    root, rng = Path(__file__).parents[2], np.random.default_rng()
    request = request_in(tmp_path)
    run(replace(request, out=tmp_path / "whole.zarr"))
    for _ in range(3):
        delay = rng.uniform(0, 0.3)
        killed = subprocess.run([sys.executable, "-c", KILLED_SOMETIME, str(tmp_path), str(delay)], cwd=root)
        assert killed.returncode == -signal.SIGKILL
        check_done_blocks(request.out, tmp_path / "whole.zarr")
    run(replace(request, resume=True))
    assert chunks(request.out) == chunks(tmp_path / "whole.zarr")


def test_a_stack_changed_since_the_run_began_is_reported(tmp_path: Path) -> None:
    request = request_in(tmp_path, resume=True)
    run_until(request, lambda e: isinstance(e, TilePredicted) and e.done == 40)
    began = run_until(request, lambda e: isinstance(e, PredictionStarted))[0]
    assert isinstance(began, PredictionStarted) and not any("written" in note for note in began.notes)
    later = time.time() + 60
    os.utime(request.stack.source, (later, later))
    began, *_ = run(replace(request, stack=open_stack(request.stack.source)))
    assert isinstance(began, PredictionStarted)
    name = Path(request.stack.source).name
    assert any(note.startswith(f"{name} was written after the run began") for note in began.notes)


def test_resuming_with_another_version_or_device_is_reported_and_recorded(tmp_path: Path) -> None:
    request = request_in(tmp_path, resume=True)
    run_until(request, lambda e: isinstance(e, TilePredicted) and e.done == 40)
    group = zarr.open_group(request.out, mode="r+")
    record = dict(group.attrs["napari_ink"])
    group.attrs["napari_ink"] = {**record, "version": "0.0.9", "device": "cuda"}
    began, *_ = run(request)
    assert "The run began with napari-ink 0.0.9 and continues with " + napari_ink.__version__ + "." in began.notes
    assert "The run began with the device cuda and continues with cpu." in began.notes
    made = open_prediction(request.out).provenance
    assert made["version"] == "0.0.9" and made["complete"]
    (continued,) = made["continued"]
    assert continued["version"] == napari_ink.__version__ and continued["device"] == "cpu"
    assert continued["written_since"] is None and continued["batch_size"] == 1
    run(request)
    assert len(open_prediction(request.out).provenance["continued"]) == 1, "no tile was left to predict"


@pytest.mark.parametrize("damage", [b"", b"no chunk"])
def test_damaged_flags_lose_only_their_blocks(tmp_path: Path, damage: bytes) -> None:
    request = request_in(tmp_path)
    run(replace(request, out=tmp_path / "whole.zarr"))
    run(request)
    flags = request.out / "done" / "c" / "1" / "0"
    assert flags.exists()
    flags.write_bytes(damage)
    assert 0 < open_prediction(request.out).done_fraction < 1
    events = run(replace(request, resume=True))
    assert events[-1].complete and len(events) > 2
    assert chunks(request.out) == chunks(tmp_path / "whole.zarr")


def test_resume_names_the_differences_and_changes_nothing(tmp_path: Path) -> None:
    request = request_in(tmp_path, resume=True)
    run_until(request, lambda e: isinstance(e, TilePredicted) and e.done == 40)
    before = {p: p.read_bytes() for p in request.out.rglob("*") if p.is_file()}
    other_model = replace(request.model, sha256="f" * 64)
    other_contract = replace(request.model, contract=request.model.contract.model_copy(update={"mean": 0.4}))
    (tmp_path / "other").mkdir()
    for change, words in (
        ({"model": other_model}, "another version of the model,"),
        ({"model": replace(other_model, name="other")}, "another model,"),
        ({"model": other_contract}, "another input contract,"),
        ({"region": Region(0, 100, 0, 100)}, "another region,"),
        ({"mask": np.ones(SHAPE[1:], bool)}, "another mask,"),
        ({"overlap": 0.25}, "another overlap,"),
        ({"stack": make_stack(tmp_path / "other", SHAPE, seed=1)}, "another stack,"),
        ({"model": other_model, "overlap": 0.25}, "another version of the model, overlap,"),
    ):
        with pytest.raises(OutputError, match=words):
            run(replace(request, **change))
    assert {p: p.read_bytes() for p in request.out.rglob("*") if p.is_file()} == before


def test_cancel_takes_at_most_one_batch(tmp_path: Path) -> None:
    class Slow(Constant):
        def forward(self, x: Tensor) -> Tensor:
            time.sleep(0.05)
            return super().forward(x)

    events = predict(request_in(tmp_path, model=ink_model(Slow(0, 0), 128)))
    next(events), next(events)
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 0.5


def test_torch_settings_are_restored_between_events(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    for _ in predict(request_in(tmp_path, region=Region(0, 300, 0, 300))):
        assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
        assert torch.get_num_threads() == threads


def test_two_runs_never_write_the_same_store(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    first = predict(request)
    next(first), next(first)
    with pytest.raises(OutputError, match="Another run is writing"):
        run(replace(request, resume=True))
    first.close()
    assert run(replace(request, resume=True))[-1].complete
    assert not list(request.out.glob(".*"))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux names the file of a handle")
def test_levels_are_on_the_disk_before_they_are_marked_as_final(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only a failing machine would show the difference, so the test watches the order of system calls.
    synced: set[Path] = set()
    request = request_in(tmp_path, region=Region(0, 300, 0, 300))

    def watch(handle: int) -> None:
        synced.add(Path(os.readlink(f"/proc/self/fd/{handle}")))

    monkeypatch.setattr(os, "fsync", watch)
    for _ in predict(request):
        done = open_prediction(request.out).done()
        for row, column in zip(*np.nonzero(done), strict=True):
            chunk = request.out / "0" / "c" / "0" / str(row) / str(column)
            assert not chunk.exists() or {chunk, *chunk.parents[:3]} <= synced
            # ... and the flag itself follows soon.
    flags = request.out / "done" / "c" / "0" / "0"
    assert {flags, flags.parent, request.out.parent} <= synced
    assert any(path.name == "zarr.json" for path in synced), "a new store must be on the disk before it gets its name"


def test_a_second_run_to_the_same_store_is_refused_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = PredictRequest(
        make_stack(tmp_path, (5, 300, 300)), ink_model(Smear(), 64), tmp_path / "p.zarr", device="cpu"
    )
    first = predict(request)
    next(first)
    words = "Another (prediction|run) is (being written to|writing) .*wait for it"
    for second in (request, replace(request, resume=True)):
        with pytest.raises(OutputError, match=words):
            next(predict(second))
    monkeypatch.setattr("napari_ink.predict.storage.create.os.path.lexists", lambda path: False)
    monkeypatch.setattr("napari_ink.predict.storage.create.is_being_written", lambda path: False)
    with pytest.raises(OutputError, match=words):  # both checked before either had created it
        next(predict(request))
    list(first)
    assert open_prediction(request.out).complete
    assert [one.name for one in tmp_path.iterdir() if "partial" in one.name] == []
