"""Conversions without a window: one at a time, cancelled and continued, with errors reported."""

import numpy as np
import pytest

from napari_ink.gui.models.state import Step
from napari_ink.gui.models.status import ConversionStatus
from napari_ink.stack import open_stack


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.zarr"


def test_a_stack_is_converted_with_progress(open_session, held_jobs, out):
    shares = []
    open_session.conversion.changed.connect(lambda: shares.append(open_session.conversion.status.done))
    open_session.conversion.start(open_session.state.stack, out)
    held_jobs.work()
    assert shares[0] == 0.0 and shares[-1] is None and shares[:-1] == sorted(shares[:-1]) and 1.0 in shares
    assert open_session.state.conversion.out == out
    np.testing.assert_array_equal(np.asarray(open_stack(out)), np.asarray(open_session.state.stack))


def test_a_second_conversion_does_not_start_beside_the_first(open_session, held_jobs, out):
    open_session.conversion.start(open_session.state.stack, out)
    open_session.conversion.start(open_session.state.stack, out.with_name("b.zarr"))
    assert len(held_jobs.waiting) == 1


def test_a_failed_conversion_gives_its_reason_and_nothing_to_open(open_session, held_jobs, out, errors):
    out.mkdir()
    open_session.conversion.start(open_session.state.stack, out)
    held_jobs.work()
    assert "exists already" in errors[0] and open_session.state.message(Step.STACK) == errors[0]
    assert open_session.state.conversion == ConversionStatus()


def test_a_cancelled_conversion_reports_no_end(open_session, held_jobs, out):
    open_session.conversion.cancel()  # without a conversion, nothing happens
    open_session.conversion.start(open_session.state.stack, out)
    open_session.conversion.cancel()
    held_jobs.work()
    assert open_session.state.conversion == ConversionStatus()
