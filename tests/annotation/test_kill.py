"""kill -9 at any moment: no finished edit is lost, and the project always opens."""

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def crashes() -> ModuleType:
    """The benchmark kills hundreds of times; this test runs it a few times."""
    spec = importlib.util.spec_from_file_location("crashes", Path(__file__).parents[2] / "benchmarks" / "crashes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(3))
def test_a_program_killed_again_and_again_loses_no_finished_step(tmp_path, crashes, seed):
    project, expected = crashes.new_project(tmp_path), crashes.PlainLabels()
    finished = 0
    for life in range(3):
        # The last life is long enough for something to be done whatever the machine is busy with.
        wait_s = random.Random(100 * seed + life).uniform(0.0, 0.8) if life < 2 else 1.5
        did = crashes.kill(project, 100 * seed + life, wait_s)
        finished += did
        assert crashes.check(project, expected, 100 * seed + life, did) in (0, 1)
    assert finished
    crashes.check_undo(project, expected)


def test_the_check_notices_a_lost_step(tmp_path, crashes):
    """The expected labels are not computed by the store itself, so the comparison can fail."""
    project, expected = crashes.new_project(tmp_path), crashes.PlainLabels()
    with pytest.raises(AssertionError, match="3 finished steps"):
        crashes.check(project, expected, 0, 3)
