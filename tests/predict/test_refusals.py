"""Impossible runs are refused in one sentence and leave no half-written store."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_ink.cli import main
from napari_ink.errors import (
    BadInputError,
    CheckpointError,
    ContractError,
    DeviceMemoryError,
    LabelError,
    NapariInkError,
    OutputError,
    StackError,
)
from napari_ink.predict import (
    PredictionNote,
    PredictRequest,
    TilePredicted,
    choose_device,
    device_title,
    open_prediction,
    predict,
)
from napari_ink.predict.device import cores_left_free, default_batch_size, usable_cores
from napari_ink.predict.tiles import tile_grid
from napari_ink.region import Region
from napari_ink.stack import DepthStack, open_stack
from tests.predict.stand_ins import Hungry, NotANumber, OutOfMemory, Smear, ink_model, make_stack, run, run_until
from tests.small_disk import small_disk


@pytest.fixture
def request_here(tmp_path: Path) -> PredictRequest:
    return PredictRequest(make_stack(tmp_path, (5, 90, 120)), ink_model(Smear()), tmp_path / "p.zarr", device="cpu")


def refuse(request: PredictRequest, error: type[NapariInkError], match: str) -> str:
    """Expect an error, and no change in the output folder."""
    folder = request.out.parent
    before = sorted(folder.rglob("*"))
    with pytest.raises(error, match=match) as caught:
        run(request)
    assert sorted(folder.rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_too_few_layers_are_refused(request_here: PredictRequest) -> None:
    refuse(replace(request_here, model=ink_model(Smear(), min_depth_layers=5, surface_offset=3)), ContractError, "5")


def test_a_region_outside_the_segment_is_refused(request_here: PredictRequest) -> None:
    refuse(replace(request_here, region=Region(90, 99, 0, 9)), BadInputError, "90 pixels high and 120 wide")


@pytest.mark.parametrize("mask", [np.ones((90, 119), bool), np.ones((90, 120), np.uint8)])
def test_a_mask_of_another_size_or_type_is_refused(request_here: PredictRequest, mask: np.ndarray) -> None:
    refuse(replace(request_here, mask=mask), LabelError, "bool mask of that size")


def test_an_empty_mask_is_refused(request_here: PredictRequest) -> None:
    mask = np.zeros((90, 120), bool)
    refuse(
        replace(request_here, mask=mask), LabelError, "leaves nothing to predict in 0:90,0:120; give one that is white"
    )
    mask[:, :40] = True
    apart = replace(request_here, mask=mask, region=Region(0, 90, 40, 120))
    refuse(apart, LabelError, "leaves nothing to predict in 0:90,40:120; .* or another region")
    refuse(replace(apart, resume=True), LabelError, "leaves nothing")


def test_invalid_overlaps_batches_and_tiles_are_refused(request_here: PredictRequest) -> None:
    refuse(replace(request_here, overlap=0.9), BadInputError, "overlap")
    refuse(replace(request_here, batch_size=0), BadInputError, "batch")
    for side in (0, -5):
        refuse(replace(request_here, tile_size=side), BadInputError, f"Tiles of {side} pixels")
    refuse(replace(request_here, augment=("mirrors",)), BadInputError, "no augmentation called mirrors")


def test_unknown_devices_are_refused(request_here: PredictRequest) -> None:
    for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())):
        if not there:
            refuse(replace(request_here, device=name), BadInputError, f"{name} is not available here")
    with pytest.raises(BadInputError, match="no device called 'abacus'"):
        choose_device("abacus")


def test_auto_picks_the_best_device() -> None:
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto").type == choose_device().type == best
    assert device_title(torch.device("cpu")) == "the CPU"
    assert default_batch_size(torch.device("cpu"), (256, 256)) == 1
    assert default_batch_size(torch.device("cpu"), (32, 32)) == 4
    assert default_batch_size(torch.device("cuda"), (256, 256)) == 8


def test_a_core_is_left_free_and_the_threads_restored() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), cores_left_free():
        assert torch.get_num_threads() == max(min(before, usable_cores() - 1), 1)
        raise KeyError
    assert torch.get_num_threads() == before


def test_an_existing_output_is_refused(request_here: PredictRequest) -> None:
    run(request_here)
    refuse(request_here, OutputError, "exists already")
    (request_here.out.parent / "notes").mkdir()
    elsewhere = replace(request_here, out=request_here.out.parent / "notes")
    refuse(elsewhere, OutputError, "exists already")
    refuse(replace(elsewhere, resume=True), OutputError, "not a prediction that can be resumed")


def test_an_output_without_a_folder_is_refused(request_here: PredictRequest) -> None:
    refuse(replace(request_here, out=request_here.out / "a" / "b.zarr"), OutputError, "There is no folder")
    file = request_here.stack.source
    refuse(replace(request_here, out=file / "b.zarr"), OutputError, "There is no folder")


def test_a_tile_with_nan_is_left_out_reported_and_does_not_spread(request_here: PredictRequest, tmp_path: Path) -> None:
    grey = np.zeros((5, 90, 120), np.uint16)
    grey[:, 30:60, 64:120] = 65535
    np.save(tmp_path / "segment.npy", grey)
    request = replace(request_here, stack=open_stack(tmp_path / "segment.npy"), overlap=0.25, batch_size=2)
    notes = _changes(replace(request, model=ink_model(NotANumber())))
    assert notes and all("not a number" in one and "left out" in one for one in notes)
    prediction = open_prediction(request.out)
    left_out = prediction.provenance["left_out"]
    assert [one[12:].split(" is ")[0] for one in notes] == [str(Region(*one)) for one in left_out]
    ink, answered = prediction.read("ink"), np.zeros((90, 120), bool)
    assert prediction.complete
    plan = tile_grid((90, 120), 32, 8, 0.25)
    for row in plan.rows(Region(0, 90, 0, 120)):
        for tile in row:
            if [tile.y0, tile.y1, tile.x0, tile.x1] not in left_out:
                answered[tile.slices] = True
    assert (ink[answered] == 128).all() and not ink[~answered].any() and not answered.all()


def test_a_model_that_gives_only_nan_is_refused(request_here: PredictRequest, tmp_path: Path) -> None:
    np.save(tmp_path / "segment.npy", np.full((5, 90, 120), 65535, np.uint16))
    request = replace(request_here, stack=open_stack(tmp_path / "segment.npy"), model=ink_model(NotANumber()))
    assert "the tile at 0:32,0:32" in refuse(request, CheckpointError, "not a number")


def test_a_run_starts_and_resumes_at_tiles_with_nan(request_here: PredictRequest, tmp_path: Path) -> None:
    grey = np.zeros((5, 600, 600), np.uint16)
    grey[:, :40, :40] = grey[:, 280:330, :] = 65535
    np.save(tmp_path / "segment.npy", grey)
    request = PredictRequest(
        open_stack(tmp_path / "segment.npy"), ink_model(NotANumber()), tmp_path / "p.zarr", device="cpu", batch_size=1
    )
    whole = replace(request, out=tmp_path / "whole.zarr")
    run(whole)
    left_out = open_prediction(whole.out).provenance["left_out"]
    assert [0, 32, 0, 32] in left_out and any(y0 > 200 for y0, *_ in left_out)
    run_until(request, lambda e: isinstance(e, TilePredicted) and e.y.start > 270)
    assert 0 < open_prediction(request.out).done_fraction < 1
    assert run(replace(request, resume=True))[-1].complete
    prediction = open_prediction(request.out)
    assert sorted(prediction.provenance["left_out"]) == sorted(left_out), "each tile is recorded once"
    np.testing.assert_array_equal(prediction.read("ink"), open_prediction(whole.out).read("ink"))


def test_no_store_is_left_by_a_model_that_gives_only_nan(tmp_path: Path) -> None:
    np.save(tmp_path / "segment.npy", np.full((5, 600, 600), 65535, np.uint16))
    stack = open_stack(tmp_path / "segment.npy")
    request = PredictRequest(stack, ink_model(NotANumber()), tmp_path / "p.zarr", device="cpu", batch_size=1)
    refuse(request, CheckpointError, "all others so far")


def test_a_lack_of_memory_is_reported(request_here: PredictRequest) -> None:
    refuse(replace(request_here, model=ink_model(OutOfMemory())), DeviceMemoryError, "the CPU cannot hold a batch")


def _changes(request: PredictRequest) -> list[str]:
    notes = [event.sentence for event in run(request) if isinstance(event, PredictionNote)]
    return [note for note in notes if " map " not in note]  # these networks mark all or nothing, which is told, too


def test_a_lack_of_memory_reduces_the_batch_and_is_reported_once(request_here: PredictRequest) -> None:
    whole = replace(request_here, batch_size=4)
    run(whole)
    less = replace(whole, model=ink_model(Hungry(32 * 32 * 2)), out=request_here.out.with_name("less.zarr"))
    assert [note.split(": ")[1] for note in _changes(less)] == ["continuing with 2 tiles at a time."]
    for what in ("ink", "edge"):
        assert np.array_equal(open_prediction(less.out).read(what), open_prediction(whole.out).read(what))


def test_a_lack_of_memory_reduces_the_tiles_and_finally_fails(request_here: PredictRequest) -> None:
    small = replace(request_here, model=ink_model(Hungry(64 * 64), tile_size=128), batch_size=2)
    notes = _changes(small)
    assert "1 tile at a time" in notes[0] and "tiles of 64 pixels instead of" in notes[1] and len(notes) == 2
    prediction = open_prediction(small.out)
    assert prediction.complete and prediction.provenance["tile"] == [64, 64]
    refuse(
        replace(small, model=ink_model(Hungry(64), tile_size=128), out=small.out.with_name("b.zarr")),
        DeviceMemoryError,
        "cannot hold",
    )


@pytest.mark.parametrize("asked", [None, 128])
def test_a_run_with_reduced_tiles_is_resumed_by_the_same_command(
    request_here: PredictRequest, asked: int | None
) -> None:
    stack = make_stack(request_here.out.parent, (5, 600, 700))
    hungry = ink_model(Hungry(64 * 64), tile_size=128)
    small = replace(request_here, stack=stack, model=hungry, tile_size=asked, batch_size=1, cores=1)
    run_until(small, lambda e: isinstance(e, TilePredicted) and open_prediction(small.out).done_fraction > 0)
    assert open_prediction(small.out).provenance["tile"] == [64, 64]
    assert run(replace(small, resume=True))[-1].complete
    with pytest.raises(OutputError, match="another tile size"):
        run(replace(small, tile_size=32, resume=True))


class OneSize(Smear):
    """Takes tiles of 32 pixels only."""

    fixed_tile = 32

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[-2:] == (32, 32)
        return super().forward(x)


def test_a_network_of_one_tile_size_gets_it_or_refuses(request_here: PredictRequest) -> None:
    request = replace(request_here, model=ink_model(OneSize(), 32, 32))
    refuse(replace(request, tile_size=64), BadInputError, "only tiles of 32 pixels, not of 64")
    larger = replace(request, model=ink_model(Smear(), 64), others=(request.model,))
    assert run(larger)[-1].complete and open_prediction(larger.out).provenance["tile"] == [32, 32]
    divided = replace(larger, model=ink_model(Smear(), 64, 64), out=larger.out.with_name("b.zarr"))
    refuse(divided, BadInputError, "cannot be combined")
    starved = replace(request, out=larger.out.with_name("c.zarr"), batch_size=1, cores=1)
    starved.model.network.forward = OutOfMemory().forward  # type: ignore[method-assign]
    assert "continuing" not in refuse(starved, DeviceMemoryError, "cannot hold")


def test_a_continued_run_keeps_its_tile_size(request_here: PredictRequest) -> None:
    begun = replace(request_here, model=ink_model(Hungry(128 * 128), tile_size=128), batch_size=1)
    run(replace(begun, region=Region(0, 90, 0, 60)))
    hungry = replace(begun, model=ink_model(Hungry(64), tile_size=128), region=Region(0, 90, 0, 60), resume=True)
    assert not _changes(hungry)  # no tile is left


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("some other fault")


def test_any_other_error_of_torch_is_raised_unchanged_and_cleans_up(request_here: PredictRequest) -> None:
    with pytest.raises(RuntimeError, match="some other fault"):
        run(replace(request_here, model=ink_model(Broken())))
    assert not request_here.out.exists()


def test_a_stack_that_fails_midway_is_reported(request_here: PredictRequest) -> None:
    whole = make_stack(request_here.out.parent, (5, 300, 120))

    def read_block(z: slice, y: slice, x: slice, step: int = 1) -> np.ndarray:
        if y.start > 32:
            raise StackError(f"Layer {z.start} can no longer be read; look at the disk.")
        return whole.read_block(z, y, x, step)

    broken: DepthStack = replace(whole, read_block=read_block, name="broken")
    broken.__dict__["_samples"] = whole._samples
    refuse(replace(request_here, stack=broken), StackError, "can no longer be read")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, "96k") as disk:
        yield disk


def test_a_disk_that_is_full_from_the_start_is_reported(tiny_disk: Path, request_here: PredictRequest) -> None:
    with pytest.raises(OSError, match="No space"):
        (tiny_disk / "filler").write_bytes(bytes(200_000))
    refuse(replace(request_here, out=tiny_disk / "p.zarr"), OutputError, "The disk is full")
    deep = make_stack(request_here.out.parent, (40, 90, 120)).source
    assert main(["predict", str(deep), "-o", str(tiny_disk / "p.zarr")]) == 1


def test_a_run_on_a_full_disk_keeps_finished_tiles_and_can_be_resumed(tiny_disk: Path, tmp_path: Path) -> None:
    stack, model = make_stack(tmp_path, (3, 600, 600)), ink_model(Smear(3), 64)
    request = PredictRequest(stack, model, tiny_disk / "p.zarr", device="cpu", overlap=0.25)
    whole = replace(request, out=tmp_path / "whole.zarr")
    run(whole)
    (tiny_disk / "filler").write_bytes(bytes(6 * 1024))
    with pytest.raises(OutputError, match="The disk is full"):
        run(request)
    assert 0 < open_prediction(request.out).done_fraction < 1
    assert not list(request.out.rglob("*.partial"))
    subprocess.run(["mount", "-o", "remount,size=4m", str(tiny_disk)], check=True)
    run(replace(request, resume=True))
    for what in ("ink", "edge"):
        np.testing.assert_array_equal(open_prediction(request.out).read(what), open_prediction(whole.out).read(what))


def test_resuming_on_a_read_only_disk_is_refused(tiny_disk: Path, tmp_path: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=4m", str(tiny_disk)], check=True)
    request = PredictRequest(
        make_stack(tmp_path, (3, 600, 600)), ink_model(Smear(3), 64), tiny_disk / "p.zarr", device="cpu"
    )
    run_until(request, lambda e: isinstance(e, TilePredicted) and e.done == 40)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    refuse(replace(request, resume=True), OutputError, "Read-only file system")


def test_remains_of_a_killed_process_do_not_block_a_new_run(request_here: PredictRequest) -> None:
    left = request_here.out.with_name(f".{request_here.out.name}.{os.getpid()}.partial")
    left.mkdir()
    (left / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    assert run(request_here)[-1].complete


def test_a_store_moved_away_midway_is_reported(tmp_path: Path) -> None:
    request = PredictRequest(
        make_stack(tmp_path, (3, 600, 600)), ink_model(Smear(3), 64), tmp_path / "p.zarr", device="cpu"
    )
    events = predict(request)
    for _ in range(20):
        next(events)
    request.out.rename(tmp_path / "elsewhere.zarr")
    with pytest.raises(OutputError, match="moved away"):
        list(events)


def test_a_folder_without_write_access_is_refused(request_here: PredictRequest) -> None:
    shut = Path("/proc/napari-ink")
    if not shut.parent.is_dir():
        pytest.skip("this system has no folder that refuses even root")
    with pytest.raises(OutputError, match="Could not write /proc/napari-ink"):
        run(replace(request_here, out=shut))


def test_an_error_after_the_first_block_keeps_the_store(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, (5, 1500, 600))  # high enough that writing is still behind at the end
    request = PredictRequest(stack, ink_model(Smear(), 128), tmp_path / "p.zarr", device="cpu")
    run_until(request, lambda e: isinstance(e, TilePredicted) and open_prediction(request.out).done_fraction > 0)
    with pytest.raises(DeviceMemoryError):
        run(replace(request, model=ink_model(OutOfMemory(), 128), resume=True))
    assert 0 < open_prediction(request.out).done_fraction < 1
