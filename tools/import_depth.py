"""The longest chain of imports within napari_ink: modules that are loaded, one because of another, before the last.

    python tools/import_depth.py [--most N]

Ends with exit code 1 and prints the chain where it is longer than N modules; `make check` runs it. Imports inside
functions and for type checkers do not count. Modules that import each other are one link.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx

PACKAGE = Path(__file__).parent.parent / "napari_ink"


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    files = (path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py"))
    return {".".join(file.with_suffix("").parts).removesuffix(".__init__"): PACKAGE.parent / file for file in files}


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of the package that one imports when it is loaded."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGE.name):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def longest_chain() -> list[str]:
    """Return the modules of the longest chain, the importing one first."""
    known = modules()
    graph = networkx.DiGraph((name, other) for name, path in known.items() for other in imports(path, known))
    links = networkx.condensation(graph)
    return [" + ".join(sorted(links.nodes[link]["members"])) for link in networkx.dag_longest_path(links)]


def main() -> int:
    """Print the depth, and the chain where it is too long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, default=sys.maxsize, metavar="N", help="most modules in a chain")
    most = parser.parse_args().most
    found = longest_chain()
    print(f"The longest chain of imports has {len(found)} modules.")
    if len(found) > most:
        print("\n".join(found))
        print(f"At most {most} are allowed; let a module take what it needs as an argument, or move it down.")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
