"""Lanes: limited by cores and memory, with the same bytes, errors and threads as a single one."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from napari_ink.errors import BadInputError, DeviceMemoryError
from napari_ink.model import InkModel
from napari_ink.predict import PredictionNote, PredictRequest, TilePredicted, cores_for_torch, predict
from napari_ink.predict.device import lanes_for, usable_cores
from napari_ink.region import Region
from tests.predict.stand_ins import Constant, Smear, ink_model, make_stack, run
from tests.predict.test_cells import random_model
from tests.predict.test_interruption import chunks


class Watched(nn.Module):
    """Records the number of concurrent calls, and their threads; slow, so that calls overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.most, self.threads, self.lock = 0, 0, set[int](), threading.Lock()

    def forward(self, x: Tensor) -> Tensor:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.threads.add(torch.get_num_threads())
        time.sleep(0.02)
        with self.lock:
            self.inside -= 1
        return x[:, :2] * 0


class HungryTogether(nn.Module):
    """Runs out of memory with two tiles at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Semaphore(1)

    def forward(self, x: Tensor) -> Tensor:
        if not self.gate.acquire(blocking=False):
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        time.sleep(0.01)
        self.gate.release()
        return x[:, :2] * 0


def request_in(folder: Path, model: InkModel) -> PredictRequest:
    return PredictRequest(make_stack(folder, (7, 500, 620)), model, folder / "p.zarr", device="cpu")


@given(cores=st.integers(1, 200), side=st.integers(1, 2048))
def test_every_core_has_work_and_memory_bounds_the_number_of_tiles(cores: int, side: int) -> None:
    lanes, threads = lanes_for(torch.device("cpu"), cores, (side, side))
    assert 1 <= lanes <= 8 and cores / 2 < lanes * threads <= cores
    assert lanes == 1 or lanes * side * side <= 8 * 256 * 256
    assert lanes_for(torch.device("cuda"), cores, (side, side))[0] == 1


@pytest.mark.parametrize("model", [random_model(96), ink_model(Smear(), 96)], ids=["own", "other"])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_several_lanes_give_the_bytes_of_a_single_lane(tmp_path: Path, model: InkModel, batch_size: int) -> None:
    request = replace(request_in(tmp_path, model), batch_size=batch_size, cores=1, overlap=0.5)
    run(request)
    for cores in (2, 5):
        many = replace(request, out=tmp_path / f"{cores}.zarr", cores=cores)
        run(many)
        assert chunks(many.out) == chunks(request.out)


def test_tiles_are_computed_in_parallel_with_one_thread_each(tmp_path: Path) -> None:
    network = Watched()
    run(replace(request_in(tmp_path, ink_model(network, 128)), cores=4))
    assert network.most == 4 and network.threads == {1}
    network.most = 0
    run(replace(request_in(tmp_path, ink_model(network, 128)), cores=1, out=tmp_path / "one.zarr"))
    assert network.most == 1


def test_a_network_with_its_own_threads_has_one_lane(tmp_path: Path) -> None:
    network = Watched()
    network.has_own_threads = True  # type: ignore[assignment]
    run(replace(request_in(tmp_path, ink_model(nn.Sequential(network), 128)), cores=4))
    assert network.most == 1


def test_the_numbers_of_threads_are_restored(tmp_path: Path) -> None:
    def threads_of_a_new_thread() -> int:
        counts: list[int] = []
        one = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
        one.start()
        one.join()
        return counts[0]

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for _ in predict(replace(request_in(tmp_path, ink_model(Smear(), 128)), cores=2)):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == threads_of_a_new_thread() == 3
    finally:
        torch.set_num_threads(before)


def test_cancel_waits_only_for_the_current_batches(tmp_path: Path) -> None:
    network, before = Watched(), set(threading.enumerate())
    events = predict(replace(request_in(tmp_path, ink_model(network, 64)), cores=2))
    assert any(isinstance(event, TilePredicted) for event in (next(events), next(events)))
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 0.5
    left = set(threading.enumerate()) - before
    assert network.inside == 0 and not [thread for thread in left if thread.name.startswith("napari-ink")]


def test_batches_shrink_if_memory_cannot_hold_them(tmp_path: Path) -> None:
    network = HungryTogether()
    events = run(replace(request_in(tmp_path, ink_model(network, 128)), cores=2, batch_size=1))
    notes = [event.sentence for event in events if isinstance(event, PredictionNote)]
    assert notes[0].endswith("continuing with 1 core.") and not any("continuing" in note for note in notes[1:])
    assert events[-1].complete


def test_one_core_out_of_memory_is_an_error(tmp_path: Path) -> None:
    network = HungryTogether()
    network.gate.acquire()
    request = replace(request_in(tmp_path, ink_model(network, 64)), cores=2, region=Region(0, 100, 0, 100))
    with pytest.raises(DeviceMemoryError):
        run(request)


def test_zero_cores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="0 cores"):
        run(replace(request_in(tmp_path, ink_model(Constant(0, 0), 64)), cores=0))


def test_spared_cores_are_subtracted() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(10_000)
    try:
        assert cores_for_torch() == usable_cores()
        assert cores_for_torch(spared=1) == max(usable_cores() - 1, 1)
        assert cores_for_torch(spared=10_000) == 1
        torch.set_num_threads(1)
        assert cores_for_torch() == 1
    finally:
        torch.set_num_threads(before)
