"""Connecting to workers or starting them, and checking that they all have the same versions and device."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, TypeVar

import napari_ink
from napari_ink.decoding import decoder_errors
from napari_ink.errors import BadInputError, NapariInkError
from napari_ink.predict.cluster.cluster import Cluster, reporting_lost_scheduler
from napari_ink.predict.device import DeviceName, choose_device, device_title, usable_cores

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

_CONNECT_S = 10
_HANDSHAKE_S = 15
_CHECK_S = 120  # importing torch for the first time from a slow disk takes long
T = TypeVar("T")


@contextmanager
def open_cluster(scheduler: str | Cluster, device: DeviceName) -> Iterator[Cluster]:
    """Connect to a scheduler, or start workers on this machine, and close them at the end of the ``with``.

    Parameters
    ----------
    scheduler
        Address of a scheduler, a number of workers to start here, or an open `Cluster`. An open one is returned as it
        is and stays open, so that several predictions can use it one after the other.
    device
        Device that the workers predict on.

    Raises
    ------
    BadInputError
        If no scheduler answers at the address, it has no workers, they differ in version or device, or the extra
        ``distributed`` is not installed.
    NapariInkError
        If workers cannot be started here, or the scheduler is lost.
    """
    if isinstance(scheduler, Cluster):
        yield scheduler
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise BadInputError(
            "Predicting on workers needs dask.distributed; install it with pip install 'napari-ink[distributed]'."
        ) from error
    if scheduler.isdecimal():
        count = int(scheduler)
        if count < 1:
            raise BadInputError("A cluster of 0 workers is not possible; give at least 1.")
        with _local_cluster(count) as local, Client(local) as client:
            yield _checked(client, local.scheduler_address, device)
        return
    no_answer = f"No scheduler answers at {scheduler}; check the address, which dask's scheduler prints as it starts."
    try:
        with decoder_errors(_HandshakeError, scheduler, "check the address"):
            _shake_hands(scheduler)
        client = Client(scheduler, timeout=_CONNECT_S)
    except (OSError, ValueError, _HandshakeError) as error:
        raise BadInputError(no_answer) from error
    with _without_tracebacks(), client:
        yield _checked(client, scheduler, device)


class _HandshakeError(BadInputError):
    """The program at an address is not a dask scheduler; never raised outside this module."""


def _shake_hands(scheduler: str) -> None:
    """Do dask's handshake with a scheduler and close the connection; raise `TimeoutError` without an answer.

    dask's client waits for ever if something accepts the connection and then stays silent: another program at that
    port, or a suspended scheduler. Other programs may answer anything, so any error may be raised.
    """
    from distributed.comm.core import connect

    async def shake_hands() -> None:
        async with asyncio.timeout(_HANDSHAKE_S):
            comm = await connect(scheduler, timeout=_CONNECT_S)
            await comm.close()

    # On its own thread: `asyncio.run` fails on a thread that already has an event loop, as in a notebook.
    _on_a_thread(lambda: asyncio.run(shake_hands()))


def _on_a_thread(work: Callable[[], T], seconds: float | None = None) -> T:
    """Return the result of `work`, run on its own thread; raise `TimeoutError` if it takes longer than `seconds`."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="napari-ink-connecting")
    try:
        return thread.submit(work).result(seconds)
    finally:
        thread.shutdown(wait=False)


def _local_cluster(count: int) -> LocalCluster:
    from distributed import LocalCluster

    try:
        with _shielded_from_ctrl_c():
            return LocalCluster(
                n_workers=count,
                threads_per_worker=max(usable_cores() // count, 1),
                dashboard_address="127.0.0.1:0",
                silence_logs="CRITICAL",
            )
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise NapariInkError(f"A cluster of {count} cannot be started here ({reason}); try fewer workers.") from error


@contextmanager
def _shielded_from_ctrl_c() -> Iterator[None]:
    """Keep Ctrl-C from processes started inside the block and from their children; the cluster stops them itself.

    A terminal sends Ctrl-C to every process, and each worker would print a traceback. Processes inherit the blocked
    signals of the thread that starts them; this process receives a Ctrl-C when the block ends.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Starting the tracker unblocks SIGINT, so it must not happen just before the first worker starts.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_tracebacks() -> Iterator[None]:
    """Keep dask's client from logging tracebacks of a lost scheduler; `reporting_lost_scheduler` reports it."""
    logger = logging.getLogger("distributed.client")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _checked(client: Client, address: str, device: DeviceName) -> Cluster:
    """Return a cluster whose workers all have the same versions and device, which are those of this process."""
    import torch
    from distributed import TimeoutError as NoWorkersError

    here = napari_ink.__version__, torch.__version__
    with reporting_lost_scheduler(address):
        try:
            client.wait_for_workers(1, timeout=_CONNECT_S)
        except NoWorkersError as error:
            raise BadInputError(f"The scheduler at {address} has no workers; start some, and run again.") from error
        try:
            found = _on_a_thread(lambda: client.run(_versions_and_device, device, on_error="return"), _CHECK_S)
        except TimeoutError as error:
            raise NapariInkError(
                f"Workers of the scheduler at {address} do not answer; their logs say why, then start them again."
            ) from error
        _refuse_if_unable(found)
    for n, what in enumerate(("versions of napari-ink", "versions of torch", "devices")):
        if len(values := {about[n] for about in found.values()}) > 1:
            raise BadInputError(
                f"The workers have different {what}, {' and '.join(sorted(values))}; give all workers the same."
            )
        if n < len(here) and _release(theirs := values.pop()) != _release(here[n]):
            raise BadInputError(
                f"The workers have other {what} than the {here[n]} here, {theirs}; install the same everywhere."
            )
    _, _, kind, title, _ = next(iter(found.values()))
    number = len(found)
    in_words = f"{title} of {number} {'workers' if number > 1 else 'worker'}"
    return Cluster(client, tuple(found), kind, in_words, address, all(about[-1] for about in found.values()))


def _refuse_if_unable(found: Mapping[str, object]) -> None:
    """Raise the error of the first worker that could not report its versions and device."""
    from distributed.comm.core import CommClosedError

    for worker, about in found.items():
        # A missing device has its own message already; a closed connection is reported by the caller.
        if isinstance(about, (NapariInkError, CommClosedError)):
            raise about
        if isinstance(about, Exception):
            raise BadInputError(
                f"The worker at {worker} cannot run napari-ink ({' '.join(str(about).split())}); "
                f"install napari-ink {napari_ink.__version__} where it runs, and start it again."
            ) from about


def _versions_and_device(device: DeviceName) -> tuple[str, str, str, str, bool]:
    """Return, on a worker, the versions of napari-ink and torch, the device and its name, and if it has bfloat16."""
    import torch

    from napari_ink.model.bfloat16 import has_bfloat16

    chosen = choose_device(device)
    return napari_ink.__version__, torch.__version__, chosen.type, device_title(chosen), has_bfloat16(chosen)


def _release(version: str) -> str:
    """Return a version without its local part, which names the GPU build of torch; this process may have another."""
    return version.partition("+")[0]
