"""Lanes: the gradients of a whole batch, in an order that depends on settings alone."""

import json
import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_ink.model import InkEdgeConfig
from napari_ink.model.losses import IGNORE, edge_loss, ink_loss
from napari_ink.model.network import EDGE, INK, InkEdgeNetwork
from napari_ink.model.stem import DepthPool
from napari_ink.training import Batch, StepEnded, TrainingPair, TrainRequest, TrainSettings, train
from napari_ink.training.distributed import ProcessTeam
from napari_ink.training.lane_functions import NormReLU, PoolDepth
from napari_ink.training.lanes import Exchange, Lanes, choose_lanes
from napari_ink.training.learner import Learner, StepResult, StepSkipped
from napari_ink.training.precision import Arithmetic
from tests.training.small import CONFIG, CONTRACT, QUICK

CPU = torch.device("cpu")


def some_network(config: InkEdgeConfig = CONFIG) -> InkEdgeNetwork:
    torch.manual_seed(1)
    network = InkEdgeNetwork(config).train()
    with torch.no_grad():  # so that every part of the network has an effect
        for weight in network.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return network


def some_batch(crops: int = 4, size: int = 64) -> Batch:
    torch.manual_seed(2)
    ink = (torch.rand(crops, size, size) < 0.3).to(torch.uint8)
    edge = (torch.rand(crops, size, size) < 0.1).to(torch.uint8)
    # Labels differ much between the crops, so that a mean over lanes is not the mean over pixels.
    ink[0, :40], edge[1, 8:] = IGNORE, IGNORE
    return Batch(torch.randn(crops, 12, size, size), ink, edge, [(0, 0, 0)] * crops)


def plain_gradients(network: InkEdgeNetwork, batch: Batch) -> tuple[float, dict[str, torch.Tensor]]:
    logits = network(batch.values)
    loss = ink_loss(logits[:, INK], batch.ink) + 0.5 * edge_loss(logits[:, EDGE], batch.edge)
    loss.backward()
    return loss.item(), {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("config", [CONFIG, InkEdgeConfig.tiny()], ids=["small", "tiny"])
def test_lanes_have_the_gradients_of_the_whole_batch(config: InkEdgeConfig, lanes: int) -> None:
    batch = some_batch()
    # In float64, since torch's own batch norm loses digits with channels last.
    expected, gradients = plain_gradients(some_network(config).double(), replace(batch, values=batch.values.double()))
    network = some_network(config)
    trained = Lanes(network, TrainSettings(), Arithmetic(CPU, "fp32", lanes))
    ink, edge = trained.losses(batch)
    loss = ink + 0.5 * edge
    trained.backward(loss)
    trained.close()
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    for name, weight in network.named_parameters():
        assert weight.grad is not None
        largest = float(gradients[name].abs().max())
        # Some biases precede a norm or a softmax that removes them, so that their gradients are 0.
        assert float((weight.grad - gradients[name]).abs().max()) < max(1e-3 * largest, 1e-7), name
    plain = some_network(config).double()
    plain(batch.values.double())
    for (name, buffer), (_, other) in zip(network.named_buffers(), plain.named_buffers(), strict=True):
        torch.testing.assert_close(buffer, other.to(buffer.dtype), rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("config", [CONFIG, InkEdgeConfig.tiny()], ids=["small", "tiny"])
def test_lanes_with_frozen_norms_have_the_gradients_of_a_network_with_fixed_statistics(config: InkEdgeConfig) -> None:
    def started() -> InkEdgeNetwork:
        network = some_network(config)
        with torch.no_grad():
            for name, buffer in network.named_buffers():
                if name.endswith(("mean", "var")):
                    buffer += 0.3 * torch.rand_like(buffer)
        return network

    batch = some_batch()
    plain = started().double()
    for module in plain.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    expected, gradients = plain_gradients(plain, replace(batch, values=batch.values.double()))
    network, untouched = started(), started()
    trained = Lanes(network, TrainSettings(freeze_norms=True), Arithmetic(CPU, "fp32", 2))
    ink, edge = trained.losses(batch)
    loss = ink + 0.5 * edge
    trained.backward(loss)
    trained.close()
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    for name, weight in network.named_parameters():
        assert weight.grad is not None
        largest = float(gradients[name].abs().max()) if name in gradients else 0.0
        assert float((weight.grad - gradients.get(name, torch.zeros(1))).abs().max()) < max(1e-3 * largest, 1e-7), name
    for (name, buffer), (_, before) in zip(network.named_buffers(), untouched.named_buffers(), strict=True):
        assert torch.equal(buffer, before), name


@pytest.mark.parametrize("shape", [(3, 8, 16, 10), (2, 24, 35), (2, 3, 7)])
def test_norm_and_relu_equal_torch(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    values = torch.randn(shape, dtype=torch.float32) * 3 + 5
    weight, bias = torch.rand(shape[1]) + 0.5, torch.randn(shape[1])
    given = torch.randn(shape)
    results = []
    for own in (False, True):
        x, w, b = (one.clone().requires_grad_() for one in (values, weight, bias))
        if own:
            flat = x.flatten(2).transpose(1, 2).contiguous()
            out = NormReLU.apply(flat, w, b, 1e-5, lambda part: part)[0].transpose(1, 2).view(shape)
        else:
            out = torch.relu(torch.nn.functional.batch_norm(x, None, None, w, b, True, 0.1, 1e-5))
        results.append((out, *torch.autograd.grad(out, (x, w, b), given)))
    for own, other in zip(*reversed(results), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)


def test_pooling_equals_that_of_the_network() -> None:
    torch.manual_seed(0)
    pool, values, given = DepthPool(6), torch.randn(2, 6, 5, 4, 3), torch.randn(2, 12, 4, 3)
    one, other = values.clone().requires_grad_(), values.clone().requires_grad_()
    expected = pool(one)
    expected.backward(given)
    weight = pool.score.weight.detach().flatten().requires_grad_()
    last = other.permute(0, 2, 3, 4, 1).reshape(2, 5, 12, 6).contiguous()
    out = PoolDepth.apply(last, weight).view(2, 4, 3, 12).permute(0, 3, 1, 2)
    out.backward(given)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(other.grad, one.grad)
    assert pool.score.weight.grad is not None
    torch.testing.assert_close(weight.grad, pool.score.weight.grad.flatten(), rtol=1e-4, atol=1e-5)


def test_loss_curves_equal_those_of_plain_modules_in_float32() -> None:
    curves = []
    for lanes in (0, 1, 2):
        settings = TrainSettings(steps=12, learning_rate=5e-3)
        learner = Learner(some_network(), settings, Arithmetic(CPU, "fp32", lanes), ProcessTeam())
        results = [learner.step(some_batch(), []) for _ in range(12)]
        learner.close()
        curves.append([result.ink_loss + result.edge_loss for result in results if isinstance(result, StepResult)])
    assert len(curves[0]) == 12 and curves[0][-1] < 0.98 * curves[0][0]
    for curve in curves[1:]:
        assert curve == pytest.approx(curves[0], rel=2e-3)


def test_a_lane_that_fails_does_not_keep_the_others_waiting() -> None:
    network = some_network()
    lanes = Lanes(network, TrainSettings(), Arithmetic(CPU, "fp32", 2))
    batch = some_batch()
    failing = lanes._forms[1].encoder.register_forward_pre_hook(lambda *given: (_ for _ in ()).throw(MemoryError("x")))
    with pytest.raises(MemoryError):
        lanes.losses(batch)
    failing.remove()
    ink, edge = lanes.losses(batch)
    lanes.backward(ink + edge)
    lanes.close()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_a_bad_batch_leaves_weights_and_statistics_unchanged() -> None:
    learner = Learner(some_network(), QUICK, Arithmetic(CPU, "fp32", 2), ProcessTeam())
    before = {name: one.clone() for name, one in learner.network.state_dict().items()}
    batch = some_batch()
    batch.values[3, 4] = float("nan")

    class Pair:
        class stack:  # noqa: N801
            name = "some"

    result = learner.step(batch, [Pair()])  # type: ignore[list-item]
    learner.close()
    assert isinstance(result, StepSkipped) and "not finite" in result.report
    for name, one in learner.network.state_dict().items():
        assert torch.equal(one, before[name]), name


def test_parts_are_gathered_in_the_order_of_lanes() -> None:
    exchange, found = Exchange(3), {}

    def work(lane: int) -> None:
        found[lane] = [exchange.gather(lane, torch.tensor([10 * turn + lane])).tolist() for turn in range(50)]

    lanes = [threading.Thread(target=work, args=(lane,)) for lane in (2, 0, 1)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    for lane in range(3):
        assert found[lane] == [[10 * turn, 10 * turn + 1, 10 * turn + 2] for turn in range(50)]


@pytest.mark.parametrize(
    ("asked", "threads_there", "crops", "expected"), [(None, 2, 8, 2), (None, 16, 8, 4), (None, 2, 1, 1), (3, 1, 8, 3)]
)
def test_lanes_depend_on_settings_and_threads(
    asked: int | None, threads_there: int, crops: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads_there)
    assert choose_lanes(asked, crops, CPU) == expected
    assert choose_lanes(asked, crops, torch.device("cuda")) == 0


def _spin(until: object) -> None:
    while not until.is_set():  # type: ignore[attr-defined]
        sum(range(10_000))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_settings_give_the_same_weights_at_any_load(
    pair: TrainingPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    for name in ("draw_curves", "draw_examples"):
        monkeypatch.setattr(f"napari_ink.training.loop.{name}", lambda *given: None)
    changes = {"precision": precision, "lanes": 2, "batch_size": 3, "steps": 5, "validate_every": 5}
    settings = QUICK.model_copy(update=changes)
    states = []
    for name in ("idle", "busy"):
        spawning = multiprocessing.get_context("spawn")
        until = spawning.Event()
        # Processes and threads, to compete for both the cores and the interpreter.
        busy: list[threading.Thread | multiprocessing.process.BaseProcess] = []
        if name == "busy":
            busy = [spawning.Process(target=_spin, args=(until,)) for _ in range(2)]
            busy.append(threading.Thread(target=_spin, args=(until,)))
        for one in busy:
            one.start()
        try:
            events = list(train(TrainRequest([pair], tmp_path / name, settings, CONFIG, CONTRACT)))
        finally:
            until.set()
            for one in busy:
                one.join()
        assert sum(isinstance(event, StepEnded) for event in events) == 5
        assert json.loads((tmp_path / name / "request.json").read_text())["lanes_used"] == 2
        states.append(torch.load(tmp_path / name / "state.pt", weights_only=True)["learner"])
    for kind in ("network", "average"):
        for name, weight in states[0][kind].items():
            assert torch.equal(weight, states[1][kind][name]), name


def test_a_resumed_run_keeps_its_lanes(pair: TrainingPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("draw_curves", "draw_examples"):
        monkeypatch.setattr(f"napari_ink.training.loop.{name}", lambda *given: None)
    for name in ("straight", "run"):
        with threads(2):
            events = train(TrainRequest([pair], tmp_path / name, QUICK, CONFIG, CONTRACT))
            for event in events:
                if name == "run" and isinstance(event, StepEnded) and event.step == 4:
                    break
            events.close()
    with threads(1):
        list(train(TrainRequest([pair], tmp_path / "run", QUICK, CONFIG, CONTRACT, resume=True)))
    first, second = (
        torch.load(tmp_path / name / "state.pt", weights_only=True)["learner"]["network"]
        for name in ("straight", "run")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
