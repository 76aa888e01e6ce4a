"""kill -9 at any moment: no edit is lost that ended longer ago than the budget, and the project always opens."""

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest

from napari_ink.annotation.store.journal_writer import BUDGET_S


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
def test_a_program_killed_repeatedly_loses_no_step_older_than_the_budget(tmp_path, crashes, seed):
    project, expected = crashes.new_project(tmp_path), crashes.PlainLabels()
    finished = 0
    for life in range(3):
        # The last run is long enough to finish a step even on a busy machine.
        wait_s = random.Random(100 * seed + life).uniform(0.0, 0.8) if life < 2 else 1.5
        killed = crashes.kill(project, 100 * seed + life, wait_s)
        finished += len(killed.ends)
        found = crashes.check(project, expected, 100 * seed + life, killed)
        assert found.lost_s < BUDGET_S
    assert finished
    crashes.check_undo(project, expected)


@pytest.mark.parametrize(("ended_ago_s", "is_noticed"), [(2.0, True), (0.5, False)])
def test_the_check_notices_a_lost_step_older_than_the_budget(tmp_path, crashes, ended_ago_s, is_noticed):
    """The expected labels are not computed by the store itself, so the comparison can fail."""
    project, expected = crashes.new_project(tmp_path), crashes.PlainLabels()
    killed = crashes.Killed((-ended_ago_s,) * 3, 0.0)
    if is_noticed:
        with pytest.raises(AssertionError, match="of 3 finished steps 3"):
            crashes.check(project, expected, 0, killed)
    else:
        # The first two steps of this seed change nothing.
        assert crashes.check(project, expected, 0, killed) == (2, ended_ago_s)


def test_the_check_notices_lost_steps_before_a_saved_version(tmp_path, crashes):
    seed = next(seed for seed in range(10000) if next(crashes.steps(seed)).kind == "version")
    project, expected = crashes.new_project(tmp_path), crashes.PlainLabels()
    with pytest.raises(AssertionError, match="of 1 finished steps 1"):
        crashes.check(project, expected, seed, crashes.Killed((0.0,), 0.0))
