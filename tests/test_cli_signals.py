"""Signals on the command line: an interrupt is never lost."""

import signal
import sys
import time
from collections.abc import Iterator

import pytest

from napari_ink.cli.signals import interrupted_between_events, terminated_as_interrupted


@pytest.fixture(autouse=True)
def _listens() -> Iterator[None]:
    """Listen to Ctrl-C, which a job in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class InterruptedWhenFreed:
    """An object that is freed while a signal arrives; Python ignores what is raised then."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number

    def __del__(self) -> None:
        signal.raise_signal(self._number)
        time.sleep(0)


def free(number: signal.Signals) -> None:
    one = InterruptedWhenFreed(number)
    del one


def wait() -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_python_ignores_is_repeated(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
        free(number)
        wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_step_is_finished_after_an_interrupt_in_a_callback(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted(), interrupted_between_events() as check:
        free(number)
        check()


def test_nothing_is_repeated_after_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    with terminated_as_interrupted():
        free(signal.SIGINT)
    time.sleep(0.3)
    assert "Exception ignored" not in capfd.readouterr().err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_other_ignored_exceptions_are_still_reported() -> None:
    class Fails:
        def __del__(self) -> None:
            raise ValueError("lost")

    seen = []
    before, sys.unraisablehook = sys.unraisablehook, lambda ignored: seen.append(ignored.exc_type)
    try:
        with terminated_as_interrupted():
            one = Fails()
            del one
    finally:
        sys.unraisablehook = before
    assert seen == [ValueError]
