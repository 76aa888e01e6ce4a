"""Handlers of signals: SIGTERM acts like Ctrl-C, and Ctrl-C waits for the end of a training step."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_REPEATED_AFTER_S = 0.1


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Make SIGTERM, which `kill`, batch systems and services send, act like Ctrl-C inside the block.

    The current handler of Ctrl-C is called, so that training, for example, finishes its step first. Interrupts that
    Python ignores are repeated.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    ours = os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != ours:  # a forked child ends without the parent's clean-up
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            handler(signal.SIGINT, frame)
        else:  # a shell's background job ignores Ctrl-C, but must still end
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with _ignored_interrupts_repeated():
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _ignored_interrupts_repeated() -> Iterator[None]:
    """Repeat interrupts that fall into a callback whose exceptions Python ignores, such as that of a weak reference."""
    timers: list[threading.Timer] = []
    report = sys.unraisablehook

    def on_ignored(ignored: sys.UnraisableHookArgs) -> None:
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            report(ignored)
            return
        # Raised here, it would be ignored again.
        timers.append(threading.Timer(_REPEATED_AFTER_S, signal.raise_signal, (signal.SIGTERM,)))
        timers[-1].start()

    sys.unraisablehook = on_ignored
    try:
        yield
    finally:
        sys.unraisablehook = report
        for timer in timers:
            timer.cancel()
            timer.join()


@contextmanager
def interrupted_between_events() -> Iterator[Callable[[], None]]:
    """Delay Ctrl-C until the yielded function is called, so that a step is saved; a second one acts at once."""
    asked = threading.Event()

    def check() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    def remember(number: int, frame: FrameType | None) -> None:
        check()
        asked.set()

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
