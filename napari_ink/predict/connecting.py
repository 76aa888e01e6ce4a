"""How workers are found or started, and whether they are all alike."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING

import napari_ink
from napari_ink.errors import BadInputError, NapariInkError
from napari_ink.predict.cluster import Cluster, said_if_lost
from napari_ink.predict.device import DeviceName, choose_device, device_title, usable_cores

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

_CONNECT_S = 10


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
    try:
        client = Client(scheduler, timeout=_CONNECT_S)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"No scheduler answers at {scheduler}; check the address, which dask's scheduler prints as it starts."
        ) from error
    with _without_tracebacks(), client:
        yield _surveyed(client, scheduler, device)


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
        found = client.run(_about, device, on_error="return")
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
