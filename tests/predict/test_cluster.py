"""A prediction on several workers: the same bytes as on one machine, even if workers die, and clear refusals."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ink.cli import main
from napari_ink.errors import BadInputError, NapariInkError
from napari_ink.model import InkEdgeConfig, load_model, save_checkpoint
from napari_ink.predict import PredictionStarted, PredictRequest, TilePredicted, open_prediction, predict
from napari_ink.predict.cluster.connect import open_cluster
from napari_ink.predict.cluster.worker import _model, job_model
from napari_ink.region import Region
from napari_ink.stack import open_stack
from tests.interrupting import interrupted
from tests.predict.stand_ins import Smear, ink_model, make_stack, run
from tests.predict.test_cells import random_model
from tests.predict.test_interruption import chunks

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # dask's, when a worker is killed


SIZE = 700, 450  # three rows of two blocks: some are complete well before the end of a run


@contextmanager
def local_cluster(workers: int) -> Iterator[Any]:
    """Start a cluster whose workers are forked with torch imported, which would otherwise take each of them seconds."""
    settings = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": "CRITICAL"}
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    with dask.config.set({"distributed.worker.multiprocessing-method": method}):
        context = distributed.utils.get_mp_context()  # sets modules of its own, so before ours
        if method == "forkserver":
            context.set_forkserver_preload(["distributed", "napari_ink.predict.cluster.worker"])
        with distributed.LocalCluster(n_workers=workers, **settings) as local:
            yield local


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with local_cluster(2) as local:
        yield local


def request_in(folder: Path) -> PredictRequest:
    made = random_model(96)
    assert isinstance(made.config, InkEdgeConfig)
    path = folder / "random.safetensors"
    save_checkpoint(path, made.network, made.config, made.contract, {})
    stack = make_stack(folder, (7, *SIZE))
    return PredictRequest(stack, load_model(path), folder / "p.zarr", device="cpu", overlap=0.5)


@pytest.fixture
def request_here(tmp_path: Path) -> PredictRequest:
    return request_in(tmp_path)


@pytest.fixture(scope="module")
def bytes_here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The values that a local run of that request stores."""
    request = request_in(tmp_path_factory.mktemp("here"))
    run(request)
    return chunks(request.out)


def test_workers_read_a_model_with_the_requested_input(request_here: PredictRequest) -> None:
    asked = request_here.model.reading("reversed", -1, (100, 4095))
    given = job_model(asked)
    assert hash(given) and _model(*given).contract == asked.contract


def test_the_bytes_are_those_of_a_local_run(cluster: Any, request_here: PredictRequest) -> None:
    mask = np.ones(SIZE, bool)
    mask[300:600, :220] = False
    request_here = replace(request_here, mask=mask, region=Region(200, 560, 150, 330), augment=("flips",))
    run(request_here)
    there = replace(request_here, out=request_here.out.with_name("there.zarr"), scheduler=cluster.scheduler_address)
    events = run(there)
    assert chunks(there.out) == chunks(request_here.out) and open_prediction(there.out).complete
    assert isinstance(events[0], PredictionStarted) and events[0].device_name == "the CPU of 2 workers"
    tiles = [event for event in events if isinstance(event, TilePredicted)]
    assert [event.done for event in tiles] == list(range(1, events[0].tiles + 1))
    last, stored = np.zeros((3, *SIZE), np.uint8), open_prediction(there.out)
    for event in tiles:
        last[:, event.y, event.x] = event.ink, event.edge, event.third
    np.testing.assert_array_equal(last, [stored.read(what) for what in ("ink", "edge", "disagreement")])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on Windows")
def test_a_worker_killed_midway_changes_no_byte(
    cluster: Any, request_here: PredictRequest, bytes_here: dict[str, bytes]
) -> None:
    there = replace(request_here, out=request_here.out.with_name("there.zarr"), scheduler=cluster.scheduler_address)
    killed: list[int] = []
    for event in predict(there):
        if isinstance(event, TilePredicted) and not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)
    assert killed and chunks(there.out) == bytes_here


def test_a_worker_that_joins_midway_helps(request_here: PredictRequest, bytes_here: dict[str, bytes]) -> None:
    def has_predicted() -> bool:
        from napari_ink.predict.cluster import worker

        return bool(worker._ready)

    with (
        local_cluster(1) as local,
        distributed.Client(local) as client,
    ):
        there = replace(request_here, out=request_here.out.with_name("there.zarr"), scheduler=client.scheduler.address)
        first = set(local.scheduler.workers)
        for event in predict(there):
            if isinstance(event, TilePredicted) and event.done == 1:
                local.scale(2)
                client.wait_for_workers(2, timeout=30)
        helped = client.run(has_predicted)
    assert len(helped) == 2 and all(helped[worker] for worker in set(helped) - first)
    assert chunks(there.out) == bytes_here


def test_a_run_ends_if_workers_die_of_the_same_tiles(
    request_here: PredictRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        os._exit(1)

    monkeypatch.setattr("napari_ink.predict.cluster.tasks.answer", die)
    settings = {"distributed.scheduler.allowed-failures": 0}
    with dask.config.set(settings), pytest.raises(NapariInkError, match="lost repeatedly"):
        run(replace(request_here, scheduler="1"))
    assert not request_here.out.exists()


def test_a_run_that_loses_all_workers_ends_and_can_continue(
    request_here: PredictRequest, bytes_here: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_ink.predict.cluster.cluster._WORKERLESS_S", 1)
    there = replace(request_here, out=request_here.out.with_name("there.zarr"), resume=True)
    with local_cluster(1) as local:
        there = replace(there, scheduler=local.scheduler_address)
        began = time.monotonic()
        with pytest.raises(NapariInkError, match=f"workers .*{local.scheduler_address} are lost.*--resume continues"):
            for event in predict(there):
                if isinstance(event, TilePredicted) and open_prediction(there.out).done_fraction > 0:
                    local.scale(0)
        assert time.monotonic() - began < 60
        assert 0 < open_prediction(there.out).done_fraction < 1
        local.scale(1)
        run(there)
    assert chunks(there.out) == bytes_here


@contextmanager
def scheduler_and_worker(folder: Path, **environment: str) -> Iterator[tuple[str, int]]:
    """Start a scheduler and a worker as separate processes; yield its address, and its process's number."""
    file = folder / "scheduler.json"
    module = [sys.executable, "-m"]
    scheduler = [*module, "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", file]
    worker = [*module, "distributed.cli.dask_worker", "--scheduler-file", file, "--no-dashboard", "--nthreads", "1"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen(scheduler, **quiet) as first,
        subprocess.Popen(worker, **quiet, env=os.environ | environment) as second,
    ):
        while not file.exists() or not file.read_text():
            assert first.poll() is None
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        with distributed.Client(address) as client:
            client.wait_for_workers(1, timeout=30)
        yield address, first.pid
        for process in (second, first):
            process.terminate()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, int]]:
    with scheduler_and_worker(tmp_path) as started:
        yield started


def test_a_worker_without_napari_ink_is_named(tmp_path: Path, request_here: PredictRequest) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Nowhere:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith('napari_ink'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}')\n"
        "sys.meta_path.insert(0, Nowhere())\n"
    )
    with scheduler_and_worker(tmp_path, PYTHONPATH=str(tmp_path)) as (address, _):
        with pytest.raises(BadInputError, match=r"worker at tcp://\S+ cannot run napari-ink .*; install") as caught:
            run(replace(request_here, scheduler=address))
        assert "\n" not in str(caught.value) and not request_here.out.exists()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on Windows")
def test_a_scheduler_lost_midway_is_reported_in_one_sentence(
    scheduler: tuple[str, int],
    request_here: PredictRequest,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_ink.predict.cluster.connect._CONNECT_S", 2)  # also the time of looking for it
    address, process = scheduler
    lost = f"scheduler at {address} is lost; start it again, then --resume continues"
    with open_cluster(address, "cpu") as shared:
        with pytest.raises(NapariInkError, match=lost):
            for event in predict(replace(request_here, scheduler=shared)):
                if isinstance(event, TilePredicted) and open_prediction(request_here.out).done_fraction > 0:
                    os.kill(process, signal.SIGKILL)
        for name in ("while it is looked for.zarr", "after that.zarr"):  # like the other stacks of a queue
            with pytest.raises(NapariInkError, match=lost):
                run(replace(request_here, scheduler=shared, out=request_here.out.with_name(name)))
            assert not request_here.out.with_name(name).exists()
    assert capfd.readouterr().err == ""
    assert 0 < open_prediction(request_here.out).done_fraction < 1
    run(replace(request_here, resume=True))
    assert open_prediction(request_here.out).complete


def test_an_error_of_a_worker_is_not_reported_as_a_lost_scheduler(
    cluster: Any, request_here: PredictRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("napari_ink.predict.cluster.tasks.answer", refuse)
    with pytest.raises(NapariInkError, match="A worker failed .*Permission denied"):
        run(replace(request_here, scheduler=cluster.scheduler_address))
    assert not request_here.out.exists()


def test_a_run_cancelled_on_a_cluster_is_finished_locally(
    cluster: Any, request_here: PredictRequest, bytes_here: dict[str, bytes]
) -> None:
    there = replace(request_here, out=request_here.out.with_name("there.zarr"), scheduler=cluster.scheduler_address)
    events = predict(there)
    for event in events:
        if isinstance(event, TilePredicted) and open_prediction(there.out).done_fraction > 0:
            break
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 5
    assert 0 < open_prediction(there.out).done_fraction < 1
    run(replace(there, scheduler=None, resume=True))
    assert chunks(there.out) == bytes_here


def test_a_number_as_scheduler_starts_local_workers(
    tmp_path: Path, request_here: PredictRequest, bytes_here: dict[str, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", request_here.stack.source, "-o", tmp_path / "there.zarr", "--model", request_here.model.source]
    assert not main([str(word) for word in (*words, "--overlap", 0.5, "--scheduler", 2, "--device", "cpu")])
    printed = capfd.readouterr()
    assert "the CPU of 2 workers" in printed.err and "Traceback" not in printed.err
    assert chunks(tmp_path / "there.zarr") == bytes_here


def test_a_queue_starts_its_workers_once(
    tmp_path: Path, request_here: PredictRequest, bytes_here: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_ink.predict.cluster import connect

    started: list[int] = []
    start = connect._local_cluster
    monkeypatch.setattr(connect, "_local_cluster", lambda count: (started.append(count), start(count))[1])
    small = tmp_path / "small.npy"
    np.save(small, np.load(request_here.stack.source)[:, :200, :300])
    run(replace(request_here, stack=open_stack(small), out=tmp_path / "q.zarr"))
    words = ["predict", request_here.stack.source, tmp_path / "nowhere.npy", small, "-o", tmp_path / "out"]
    words += ["--model", request_here.model.source, "--overlap", 0.5, "--scheduler", 1, "--device", "cpu"]
    assert main([str(word) for word in words]) == 1  # since one stack does not exist
    assert started == [1]
    assert chunks(tmp_path / "out" / "segment.zarr") == bytes_here
    assert chunks(tmp_path / "out" / "small.zarr") == chunks(tmp_path / "q.zarr")


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows sends no SIGINT to a group of processes")
def test_ctrl_c_in_a_terminal_prints_one_line_and_the_run_continues_to_the_same_bytes(
    tmp_path: Path, request_here: PredictRequest, bytes_here: dict[str, bytes]
) -> None:
    words = ["predict", request_here.stack.source, "-o", tmp_path / "there.zarr", "--model", request_here.model.source]
    command = [*map(str, words), "--overlap", "0.5", "--device", "cpu"]
    # A terminal interrupts the whole group.
    rest = interrupted([*command, "--scheduler", "2"], lambda group: os.killpg(group, signal.SIGINT), own_group=True)
    assert rest.startswith("napari-ink: Interrupted; the finished part is saved") and rest.count("\n") == 1
    assert not main([*command, "--resume"])
    assert chunks(tmp_path / "there.zarr") == bytes_here


def test_workers_that_cannot_start_are_reported(request_here: PredictRequest) -> None:
    settings = {"distributed.scheduler.preload": ["napari_ink_has_no_such_module"]}
    with (
        dask.config.set(settings),
        pytest.raises(NapariInkError, match="A cluster of 1 cannot be started here") as caught,
    ):
        run(replace(request_here, scheduler="1"))
    assert "\n" not in str(caught.value)
    assert not request_here.out.exists()


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100, b"\xff" * 4096])
def test_a_server_that_is_no_scheduler_is_reported(
    request_here: PredictRequest, monkeypatch: pytest.MonkeyPatch, greeting: bytes
) -> None:
    monkeypatch.setattr("napari_ink.predict.cluster.connect._HANDSHAKE_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken: list[socket.socket] = []

        def take() -> None:
            with suppress(OSError):
                while True:
                    taken.append(listening.accept()[0])
                    taken[-1].sendall(greeting)

        threading.Thread(target=take, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(BadInputError, match="No scheduler answers at 127.0.0.1:"):
            next(predict(replace(request_here, scheduler=f"127.0.0.1:{listening.getsockname()[1]}")))
        assert time.monotonic() - began < 10
        for one in taken:
            one.close()


def test_impossible_requests_are_refused_in_one_sentence(
    cluster: Any, request_here: PredictRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_ink.predict.cluster.connect._CONNECT_S", 2)
    here = cluster.scheduler_address
    for change, words in (
        ({"scheduler": "tcp://127.0.0.1:9"}, "No scheduler answers at tcp://127.0.0.1:9"),
        ({"scheduler": "nonsense://x"}, "No scheduler answers at nonsense://x"),
        ({"scheduler": "²"}, "No scheduler answers at ²"),
        ({"scheduler": "0"}, "at least 1"),
        ({"scheduler": here, "model": ink_model(Smear(), 96)}, "has no file"),
    ):
        with pytest.raises(BadInputError, match=words) as caught:
            run(replace(request_here, **change))
        assert "\n" not in str(caught.value)
        assert not request_here.out.exists()


def test_workers_with_another_torch_are_refused(cluster: Any, request_here: PredictRequest) -> None:
    def have(version: str) -> str:
        import torch

        before, torch.__version__ = torch.__version__, version
        return str(before)

    request = replace(request_here, scheduler=cluster.scheduler_address)
    with distributed.Client(cluster) as client:
        first, *_ = client.scheduler_info()["workers"]
        real = client.run(have, "1.0.0", workers=[first])[first]
        try:
            with pytest.raises(BadInputError, match=r"different versions of torch, 1\.0\.0 and "):
                run(request)
            client.run(have, "1.0.0")
            with pytest.raises(BadInputError, match=r"other versions of torch than the .* here, 1\.0\.0; install"):
                run(request)
            client.run(have, f"{real.partition('+')[0]}+cu999")
            run(request)
        finally:
            client.run(have, real)
    assert open_prediction(request.out).complete


def test_workers_with_other_inputs_are_detected(cluster: Any, request_here: PredictRequest) -> None:
    request = replace(request_here, scheduler=cluster.scheduler_address)
    _ = request.stack.fingerprint()
    grey = np.load(request.stack.source, mmap_mode="r+")
    other = np.array(grey[::-1])
    np.save(request.stack.source, other)
    with pytest.raises(BadInputError, match="another stack"):
        run(request)
    assert not request.out.exists()
    there = open_stack(request.stack.source)
    other_model = replace(
        request, stack=there, model=replace(request.model, sha256="f" * 64), out=request.out.with_name("q.zarr")
    )
    with pytest.raises(BadInputError, match="another model"):
        run(other_model)
