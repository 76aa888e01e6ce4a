"""The example scripts of the documentation run, one after another in one folder, and print what they promise."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "docs/examples"
PRINTS = {
    "open_stack": "phantom-7 tiff folder (65, 512, 640) uint16 7.91",
    "predict": "of the region is ink; the model was ink-tiny-9",
    "read_map": "ink: (512, 640) uint8 highest probability 0.95",
    "train_two_pairs": "on pixels that were held out",
    "teach_from_project": "phantom-7.ink/models/quick-1.safetensors: ",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


def test_every_example_is_listed() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PRINTS)


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_runs(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert PRINTS[name] in capsys.readouterr().out
