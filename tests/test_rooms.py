"""Packages import their public names on first use, and their stubs list the same names."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import napari_ink

PACKAGE = Path(napari_ink.__file__).parent
ROOMS = sorted(".".join(stub.parent.relative_to(PACKAGE.parent).parts) for stub in PACKAGE.rglob("__init__.pyi"))
# The names of the window's rooms need a Qt with a display.
IMPORTABLE = [room for room in ROOMS if not room.startswith("napari_ink.gui")]


def _folder(room: str) -> Path:
    return PACKAGE.parent.joinpath(*room.split("."))


def _stub(room: str) -> ast.Module:
    return ast.parse((_folder(room) / "__init__.pyi").read_text(encoding="utf-8"))


def _imported(room: str) -> list[tuple[str, str]]:
    """Return the names that a stub imports, each with its module."""
    froms = [node for node in _stub(room).body if isinstance(node, ast.ImportFrom)]
    return [(str(node.module), alias.name) for node in froms for alias in node.names]


def test_there_are_rooms() -> None:
    assert "napari_ink.stack" in ROOMS and "napari_ink.annotation" in ROOMS


@pytest.mark.parametrize("room", IMPORTABLE)
def test_every_name_of_a_room_can_be_imported(room: str) -> None:
    package = importlib.import_module(room)
    for module, name in _imported(room):
        assert getattr(package, name) is getattr(importlib.import_module(f"{room}.{module}"), name)


@pytest.mark.parametrize("room", ROOMS)
def test_a_stub_offers_what_it_imports(room: str) -> None:
    listed = next(ast.literal_eval(node.value) for node in _stub(room).body if isinstance(node, ast.Assign))
    assert sorted(listed) == sorted(name for _, name in _imported(room))


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_of_a_room_equals_a_module_in_it(room: str) -> None:
    # Loading the module would replace the name.
    inside = {module.name for module in pkgutil.iter_modules([str(_folder(room))])}
    assert not inside & {name for _, name in _imported(room)}


def test_importing_a_room_loads_no_module_in_it() -> None:
    code = f"import sys, {', '.join(ROOMS)}; print(*sorted(name for name in sys.modules if 'napari_ink' in name))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == sorted(["napari_ink", "napari_ink.gui", *ROOMS])
