"""The longest chain of imports within napari_ink: modules that load one another in a row.

    python tools/import_depth.py [--most N]

Ends with exit code 1 and prints the chain if it is longer than N modules; `make check` runs it.

Only imports at load time count: those outside of functions (but for type checkers alone), and the packages that
contain the imported module, unless they also contain the importing one. A room, which is a package with a stub, loads
nothing by itself: a name imported from it loads the module that the stub names. Modules that import each other are one
link.
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


def offers(known: dict[str, Path]) -> dict[str, str]:
    """Return the module of each name that a package offers in its stub, as ``package.name``."""
    found = {}
    for package, path in known.items():
        stub = path.with_suffix(".pyi")
        for node in ast.parse(stub.read_text(encoding="utf-8")).body if stub.exists() else ():
            if isinstance(node, ast.ImportFrom):
                found.update({f"{package}.{alias.name}": f"{package}.{node.module}" for alias in node.names})
    return found


def imports(path: Path) -> Iterator[str]:
    """Yield the imports of a module at load time, as ``module`` or ``module.name``."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def loaded(name: str, imported: str, known: dict[str, Path], offered: dict[str, str]) -> Iterator[str]:
    """Yield the modules of the package that load when the module `name` imports a module or a name of one."""
    module = offered.get(imported, imported if imported in known else imported.rpartition(".")[0])
    while module in known:
        if name != module and not name.startswith(f"{module}."):
            yield module
        module = module.rpartition(".")[0]


def longest_chain() -> list[str]:
    """Return the modules of the longest chain, the importing one first."""
    known = modules()
    offered = offers(known)
    graph = networkx.DiGraph(
        (name, module)
        for name, path in known.items()
        for imported in imports(path)
        for module in loaded(name, imported, known, offered)
    )
    links = networkx.condensation(graph)
    return [" + ".join(sorted(links.nodes[link]["members"])) for link in networkx.dag_longest_path(links)]


def main() -> int:
    """Print the depth, and the chain if it is too long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, default=sys.maxsize, metavar="N", help="most modules in a chain")
    most = parser.parse_args().most
    found = longest_chain()
    print(f"The longest chain of imports has {len(found)} modules.")
    if len(found) > most:
        print("\n".join(found))
        print(f"At most {most} are allowed; pass what a module needs as an argument, or move the module down.")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
