"""kill -9 at any instant: nothing that was finished is lost, and the labels always open."""

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest

from napari_ink.annotation import Annotation


@pytest.fixture(scope="module")
def crashes() -> ModuleType:
    """The benchmark that kills hundreds of times; here it does so a few times."""
    spec = importlib.util.spec_from_file_location("crashes", Path(__file__).parents[2] / "benchmarks" / "crashes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_program_loses_no_finished_change(tmp_path, crashes, seed):
    assert crashes.lost_after_kill(tmp_path, seed, random.Random(seed).uniform(0.0, 0.8)) in (0, 1)


def test_one_killed_again_and_again_still_opens(tmp_path, crashes):
    finished = sum(crashes.kill(tmp_path, seed, 0.2) for seed in range(3))
    annotation = Annotation(tmp_path, crashes.SHAPE, "reader")
    assert finished >= 3
    assert len(annotation.history()) >= 3
    annotation.close()
