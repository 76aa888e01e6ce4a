"""Sessions without a window with a prediction, with labels, and with both."""

from pathlib import Path

import numpy as np
import pytest

from napari_ink.gui.session import InkSession
from napari_ink.stack import DepthStack, open_stack
from tests.gui.controllers.runs import run, settings, stopped_run, strip, strip_run  # noqa: F401
from tests.gui.windowless import Jobs, take_turns


def make_editable(session: InkSession, held_jobs: Jobs) -> None:
    """Make labels, and wait for their layers."""
    session.labelling.make_editable()
    held_jobs.work()
    take_turns()
    assert session.state.labels


@pytest.fixture
def stack(segment: Path) -> DepthStack:
    """The stack of the segment."""
    return open_stack(segment)


@pytest.fixture
def empty_session(open_session, held_jobs) -> InkSession:
    """The session with empty labels."""
    make_editable(open_session, held_jobs)
    return open_session


@pytest.fixture
def predicted_session(open_session) -> InkSession:
    """The session with a prediction that contains every probability."""
    shape = open_session.state.stack.shape[1:]
    ink, edge = np.random.default_rng(5).integers(0, 256, (2, *shape), dtype=np.uint8)
    open_session.prediction.shown.begin(shape, False)
    open_session._layers.overlay.put(slice(None), slice(None), ink, edge)
    open_session.store.update(has_prediction=True)
    take_turns()
    return open_session
