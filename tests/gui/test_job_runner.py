"""Jobs without a window: stale results are dropped, failures reported, and the busy text shown until the end."""

import threading

import pytest

from napari_ink.errors import OutputError
from napari_ink.gui.jobs.runner import JobRunner
from napari_ink.gui.models.state import Step


class Seen:
    """The calls of a runner, in order."""

    def __init__(self):
        self.calls = []

    def runner(self):
        return JobRunner(
            lambda message, step: self.calls.append(("failed", message, step)),
            lambda step: self.calls.append(("succeeded", step)),
            lambda what: self.calls.append(("busy", what)),
        )


@pytest.fixture
def seen():
    return Seen()


def _failing():
    yield 1
    raise OutputError("The disk is full.")


def test_events_arrive_and_busy_ends_with_the_job(seen, qtbot):
    runner, arrived, ended = seen.runner(), [], []
    runner.run(
        "export", iter_of(1, 2), arrived.append, on_end=lambda: ended.append(True), step=Step.EXPORT, busy="Busy…"
    )
    assert runner.is_running("export")
    qtbot.waitUntil(lambda: bool(ended))
    assert arrived == [1, 2]
    assert not runner.is_running("export")
    assert seen.calls == [("busy", "Busy…"), ("succeeded", Step.EXPORT), ("succeeded", Step.EXPORT), ("busy", "")]


def test_a_second_job_of_a_kind_replaces_the_first_and_drops_its_late_results(seen, qtbot):
    runner, arrived, go = seen.runner(), [], threading.Event()

    def slow():
        go.wait(10)
        yield "stale"

    runner.run("view", slow(), arrived.append)
    runner.run("view", iter_of("fresh"), arrived.append)
    go.set()
    qtbot.waitUntil(lambda: bool(arrived) and not runner.is_running("view"))
    qtbot.wait(50)  # the stale job is over by now, too
    assert arrived == ["fresh"]


def test_a_failure_is_reported_with_its_step_and_clears_the_busy_text(seen, qtbot):
    runner, ended = seen.runner(), []
    runner.run("export", _failing(), lambda _: None, on_end=lambda: ended.append(True), step=Step.EXPORT, busy="Busy…")
    qtbot.waitUntil(lambda: not runner.is_running("export"))
    assert ("failed", "The disk is full.", Step.EXPORT) in seen.calls
    assert seen.calls[-1] == ("busy", "")
    assert not ended


@pytest.mark.parametrize("how", ["handled", "silent"])
def test_a_failure_can_be_handled_or_silenced(seen, qtbot, how):
    runner, handled = seen.runner(), []
    options = (
        {"on_failure": lambda failure: handled.append(failure.message)} if how == "handled" else {"is_silent": True}
    )
    runner.run("open", _failing(), lambda _: None, **options)
    qtbot.waitUntil(lambda: not runner.is_running("open"))
    assert handled == (["The disk is full."] if how == "handled" else [])
    assert not seen.calls


def test_cancelling_drops_results_and_closes_the_generator(seen, qtbot):
    runner, arrived, closed = seen.runner(), [], []

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    runner.run("search", endless(), arrived.append, busy="Searching…")
    qtbot.waitUntil(lambda: bool(arrived))
    runner.cancel("search")
    count = len(arrived)
    qtbot.waitUntil(lambda: bool(closed))
    qtbot.wait(50)
    assert len(arrived) == count
    assert seen.calls[-1] == ("busy", "")


def iter_of(*values):
    """Return a generator of values."""
    yield from values
