"""The promises of the package and of its documents to users who install it."""

import importlib
import re
import subprocess
import sys
import tomllib
from importlib import resources
from importlib.metadata import entry_points, requires
from pathlib import Path

import pytest
from npe2 import PluginManifest
from packaging.licenses import canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from napari_ink import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BASE = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
PINS = {
    canonicalize_name(requirement.name): next(iter(requirement.specifier)).version.split("+")[0]
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for requirement in [Requirement(line)]
}


@pytest.mark.parametrize("requirement", BASE, ids=lambda requirement: requirement.name)
def test_a_dependency_has_a_floor_with_its_reason_and_no_ceiling(requirement: Requirement) -> None:
    assert [specifier.operator for specifier in requirement.specifier] == [">="]
    line = next(x for x in (ROOT / "pyproject.toml").read_text().splitlines() if f'"{requirement}"' in x)
    assert re.search(r"# \S+ \S+", line)
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_qt_is_installed_by_its_extra_only() -> None:
    bindings = ("pyqt", "pyside", "napari[")
    without = [text for text in requires("napari-ink") or () if "extra ==" not in text]
    assert not [text for text in without if text.lower().startswith(bindings)]
    extras = PROJECT["project"]["optional-dependencies"]
    assert extras["qt"] == ["napari[pyqt6]"]
    others = [text for extra, needs in extras.items() if extra != "qt" for text in needs]
    assert others and not [text for text in others if text.lower().startswith(bindings)]


def test_developers_get_pinned_tools() -> None:
    assert {canonicalize_name(name) for name in PROJECT["dependency-groups"]["dev"]} <= set(PINS)


def test_every_room_but_gui_is_held_to_know_neither_napari_nor_qt() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    (held,) = (
        set(one["source_modules"]) for one in contracts if one["name"].startswith("Only gui knows napari and Qt")
    )
    found = {
        path.stem for path in (ROOT / "napari_ink").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert held == {f"napari_ink.{name}" for name in found - {"__init__", "gui"}}


def test_the_command_is_installed() -> None:
    (command,) = entry_points(group="console_scripts", name="napari-ink")
    assert command.load().__module__ == "napari_ink.cli"


def test_napari_finds_everything_the_manifest_names() -> None:
    manifest = PluginManifest.from_distribution("napari-ink")
    contributions = manifest.contributions
    assert contributions.widgets and contributions.readers and contributions.sample_data
    for command in contributions.commands or ():
        module, name = str(command.python_name).split(":")
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize(
    "module",
    ["napari_ink", "napari_ink.cli", "napari_ink.stack", "napari_ink.predict", "napari_ink.gui.contributions.reader"],
)
def test_imports_are_quick(module: str) -> None:
    heavy = "{'torch', 'zarr', 'napari', 'skimage', 'matplotlib', 'qtpy'}"
    program = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_what_ships_is_small() -> None:
    sample = sum(path.stat().st_size for path in (ROOT / "sample_data").rglob("*") if path.is_file())
    assert sample < 15e6
    for checkpoint in (ROOT / "napari_ink/model/checkpoints").iterdir():
        assert checkpoint.stat().st_size < 15e6


def test_the_licence_is_an_spdx_expression_and_the_version_that_of_the_citation() -> None:
    assert canonicalize_license_expression(PROJECT["project"]["license"]) == "BSD-3-Clause"
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {__version__}\n" in citation and "license: BSD-3-Clause\n" in citation


def test_the_icon_ships_and_is_square() -> None:
    package, _, name = str(PluginManifest.from_distribution("napari-ink").icon).partition(":")
    with Image.open(resources.files(package) / name) as icon:
        assert icon.format == "PNG" and icon.size == (256, 256)


def test_the_description_on_pypi_has_no_link_into_the_repository() -> None:
    # As hatch-fancy-pypi-readme puts it together; `make wheel-test` looks at the built one.
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    fragments = [
        part(readme, **{key.replace("-", "_"): text for key, text in one.items()}) for one in hook["fragments"]
    ]
    description = "".join(fragments)
    for one in hook["substitutions"]:
        description = re.sub(one["pattern"], one["replacement"], description)
    assert "pip install" in description and "napari-ink doctor" in description
    assert re.findall(r"\]\((?!https:)[^)]*\)|<this", description) == []


def part(text: str, path: str, start_at: str = "", start_after: str = "", end_before: str = "") -> str:
    """Return the part of a text between its markers, each of which stands there once."""
    assert path == "README.md"
    assert all(text.count(marker) == 1 for marker in (start_at, start_after, end_before) if marker)
    start = text.index(start_at) if start_at else text.index(start_after) + len(start_after)
    return text[start : text.index(end_before, start) if end_before else None]
