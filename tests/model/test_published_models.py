"""The list of published models: complete entries, and the same on the page."""

import json
from pathlib import Path

import pytest

from napari_ink.cli import main
from napari_ink.model.published_models import PUBLISHED_MODELS

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def test_entries_are_complete_and_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for model in PUBLISHED_MODELS:
        assert model.name and model.reads and model.licence
        assert model.address == "" or model.address.startswith("https://")
        assert model.address.removeprefix("https://") in text
    assert len({model.name for model in PUBLISHED_MODELS}) == len(PUBLISHED_MODELS)


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--published"]) == 0
    out = capsys.readouterr().out
    assert all(model.name in out and (model.address or "address not known") in out for model in PUBLISHED_MODELS)
    assert main(["models", "--published", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == [one.name for one in PUBLISHED_MODELS]
