"""How the network is run: threads are tried out, memory is given back, and what it says stays the same."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import napari_ink.predict.forward as forward_module
from napari_ink.model import load_model
from napari_ink.predict import PredictRequest, Region, open_prediction
from napari_ink.predict.device import ThreadChoice, cores_left_free, usable_cores
from napari_ink.predict.memory import memory_kept
from tests.predict.stand_ins import make_stack, run


def play(choice: ThreadChoice, seconds: dict[int, float], batches: int) -> list[int]:
    given = []
    for _ in range(batches):
        given.append(choice.now)
        choice.tell(seconds[choice.now])
    return given


def test_the_fastest_number_of_threads_is_found_and_kept() -> None:
    given = play(ThreadChoice(8), {8: 0.5, 4: 0.3, 2: 0.4}, 30)
    assert given[:10] == [8, 8, 4, 2, 8, 4, 2, 8, 4, 2]
    assert set(given[10:]) == {4}


def test_among_equals_fewer_threads_leave_more_to_others() -> None:
    assert play(ThreadChoice(2), {2: 0.3, 1: 0.3}, 20)[-1] == 1


@pytest.mark.parametrize(("most", "seconds"), [(1, 0.5), (8, 0.001)])
def test_nothing_is_tried_where_there_is_nothing_to_gain(most: int, seconds: float) -> None:
    assert set(play(ThreadChoice(most), {most: seconds}, 20)) == {most}


def test_threads_asked_for_are_bounded_by_the_cores() -> None:
    before = torch.get_num_threads()
    with cores_left_free(most=1):
        assert torch.get_num_threads() == 1
    with cores_left_free(most=10_000):
        assert torch.get_num_threads() <= max(usable_cores() - 1, 1)
    assert torch.get_num_threads() == before


def test_memory_is_given_back_whatever_happens() -> None:
    with pytest.raises(KeyError), memory_kept():
        blocks = [np.ones(2**18) for _ in range(16)]
        assert len(blocks) == 16
        raise KeyError


def test_without_the_c_library_memory_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with memory_kept():
        pass


def test_cudnn_is_kept_from_tf32_and_left_as_it_was() -> None:
    before = torch.backends.cudnn.allow_tf32
    with forward_module._full_float32(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32 and torch.backends.cudnn.enabled
    assert torch.backends.cudnn.allow_tf32 is before


def test_a_prediction_agrees_with_the_plain_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model()
    request = PredictRequest(
        make_stack(tmp_path, (40, 200, 180)), replace(model, contract=model.contract.changed(tile_size=96)),
        tmp_path / "fast.zarr", region=Region(0, 150, 0, 180), device="cpu",
    )  # fmt: skip
    run(request)
    plain = replace(request, out=tmp_path / "plain.zarr")
    monkeypatch.setattr(forward_module, "for_prediction", lambda network: network)
    run(plain)
    for what in ("ink", "edge"):
        fast, expected = (open_prediction(r.out).read(what).astype(int) for r in (request, plain))
        assert np.abs(fast - expected).max() <= 1  # of 255: values on the border between two levels
    assert open_prediction(request.out).provenance["precision"] == "float32"
