"""The worked example of a tool, in the pages for contributors, does what it says."""

import runpy
from pathlib import Path

import numpy as np

from tests.gui.tools.pointing import click

STAMP = Path(__file__).parents[3] / "docs/contributing/code/stamp.py"


def test_a_click_stamps_a_disc_as_one_undo_step(context, annotation) -> None:
    tool = runpy.run_path(str(STAMP))["StampTool"](context)
    click(tool, (80, 100))
    click(tool, (10, 0), shift=True)
    values = annotation.read("ink", (0, 160), (0, 220))
    assert (values == 2).sum() == (values[72:89, 92:109] == 2).sum() == 197  # pixels within a radius of 8
    assert set(np.unique(values)) == {0, 1, 2}
    annotation.undo()
    assert not (annotation.read("ink", (0, 160), (0, 220)) == 1).any()
