"""How workers are found or started, and whether they are all alike."""

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
from napari_ink.predict.cluster.cluster import Cluster, said_if_lost
from napari_ink.predict.device import DeviceName, choose_device, device_title, usable_cores

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

_CONNECT_S = 10
_GREET_S = 15
_SURVEY_S = 120  # torch may be read from a slow disk for the first time
T = TypeVar("T")


@contextmanager
def open_cluster(scheduler: str | Cluster, device: DeviceName) -> Iterator[Cluster]:
    """Connect to a scheduler's address, or start as many workers here as a number says.

    Workers that are there already are handed on, and stay: several predictions may share them, one after the other.

    Raises
    ------
    BadInputError
        If there is no such scheduler, it has no workers, they differ in version or device, or the extra is missing.
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
            raise BadInputError("A cluster of 0 workers predicts nothing; give at least 1.")
        with _started(count) as local, Client(local) as client:
            yield _surveyed(client, local.scheduler_address, device)
        return
    no_answer = f"No scheduler answers at {scheduler}; check the address, which dask's scheduler prints as it starts."
    try:
        with decoder_errors(_NoGreetingError, scheduler, "check the address"):
            _greet(scheduler)
        client = Client(scheduler, timeout=_CONNECT_S)
    except (OSError, ValueError, _NoGreetingError) as error:
        raise BadInputError(no_answer) from error
    with _without_tracebacks(), client:
        yield _surveyed(client, scheduler, device)


class _NoGreetingError(BadInputError):
    """What answers at an address is no scheduler; it never leaves this module."""


def _greet(scheduler: str) -> None:
    """Exchange greetings with a scheduler, and hang up; `TimeoutError` where nothing comes back.

    Dask's client waits without end where something takes the connection and then says nothing: another program at that
    port, or a scheduler that is stopped. What other programs say may be anything, so whatever dask makes of it is
    raised.
    """
    from distributed.comm.core import connect

    async def greet() -> None:
        async with asyncio.timeout(_GREET_S):
            comm = await connect(scheduler, timeout=_CONNECT_S)
            await comm.close()

    # On a thread of its own: where somebody's own event loop runs, such as in a notebook, there can be no other.
    _on_a_thread(lambda: asyncio.run(greet()))


def _on_a_thread(work: Callable[[], T], seconds: float | None = None) -> T:
    """Do something on a thread of its own; `TimeoutError` where it is not done in so many seconds."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="napari-ink-connecting")
    try:
        return thread.submit(work).result(seconds)
    finally:
        thread.shutdown(wait=False)


def _started(count: int) -> LocalCluster:
    from distributed import LocalCluster

    try:
        with _out_of_reach_of_ctrl_c():
            return LocalCluster(
                n_workers=count,
                threads_per_worker=max(usable_cores() // count, 1),
                dashboard_address="127.0.0.1:0",
                silence_logs="CRITICAL",
            )
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise NapariInkError(
            f"A cluster of {count} cannot be started here ({reason}); try with fewer workers."
        ) from error


@contextmanager
def _out_of_reach_of_ctrl_c() -> Iterator[None]:
    """Have what is started here, and what that starts later, not be interrupted with us: we end it ourselves.

    A terminal sends Ctrl-C to all processes alike, and each would tell where it was. Threads and processes inherit what
    is held back where they are started; here it arrives as soon as it is let through again.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # It lets SIGINT through where it is started itself, which would be just before the first worker is.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_tracebacks() -> Iterator[None]:
    """Keep dask's client from logging how it lost its scheduler, which we tell in a sentence."""
    logger = logging.getLogger("distributed.client")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _surveyed(client: Client, address: str, device: DeviceName) -> Cluster:
    import torch
    from distributed import TimeoutError as NoWorkersError

    here = napari_ink.__version__, torch.__version__
    with said_if_lost(address):
        try:
            client.wait_for_workers(1, timeout=_CONNECT_S)
        except NoWorkersError as error:
            raise BadInputError(f"The scheduler at {address} has no workers; start some, and run again.") from error
        try:
            found = _on_a_thread(lambda: client.run(_about, device, on_error="return"), _SURVEY_S)
        except TimeoutError as error:
            raise NapariInkError(
                f"Workers of the scheduler at {address} do not answer; see in their logs why, and start them again."
            ) from error
        _refuse_if_unable(found)
    for n, what in enumerate(("versions of napari-ink", "versions of torch", "devices")):
        if len(values := {about[n] for about in found.values()}) > 1:
            raise BadInputError(
                f"The workers have different {what}, {' and '.join(sorted(values))}; give them all the same."
            )
        if n < len(here) and _release(theirs := values.pop()) != _release(here[n]):
            raise BadInputError(
                f"The workers have other {what} than the {here[n]} here, {theirs}; install the same everywhere."
            )
    *_, kind, title = next(iter(found.values()))
    number = len(found)
    in_words = f"{title} of {number} {'workers' if number > 1 else 'worker'}"
    return Cluster(client, tuple(found), kind, in_words, address)


def _refuse_if_unable(found: Mapping[str, object]) -> None:
    """Name a worker that could not say what it has."""
    from distributed.comm.core import CommClosedError

    for worker, about in found.items():
        if isinstance(about, (NapariInkError, CommClosedError)):  # its device is not there; it was lost meanwhile
            raise about
        if isinstance(about, Exception):
            raise BadInputError(
                f"The worker at {worker} cannot run napari-ink ({' '.join(str(about).split())}); "
                f"install napari-ink {napari_ink.__version__} where it runs, and start it again."
            ) from about


def _about(device: DeviceName) -> tuple[str, str, str, str]:
    import torch

    chosen = choose_device(device)
    return napari_ink.__version__, torch.__version__, chosen.type, device_title(chosen)


def _release(version: str) -> str:
    """Leave out which GPU torch was built for: who asks may have none."""
    return version.partition("+")[0]
