"""The pages: their lines, and what they say of the commands."""

import re
from pathlib import Path

import pytest

from napari_ink.cli import _COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=str)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_of_prose_are_at_most_120_characters_long(page):
    # The rows of a table cannot be wrapped.
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
    assert [number for number, line in lines if len(line) > 120 and not line.startswith(("|", "!["))] == []


def test_readme_lists_every_command():
    listed = re.findall(r"^napari-ink (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {module.__name__.rpartition(".")[2] for module in _COMMANDS} <= set(listed)
