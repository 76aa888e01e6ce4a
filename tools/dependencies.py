"""Write the list of packages that an installation brings, with licence and size.

python tools/dependencies.py [FILE]      default: docs/contributing/dependencies.md

It reads the packages of this environment, and fails if a licence is not known as an SPDX expression.
"""

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/contributing/dependencies.md"
# What packages state in words or by a classifier, as SPDX expressions.
_SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GPL v3": "GPL-3.0-only",
    "LGPL v3": "LGPL-3.0-only",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSF-2.0": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "ISC License (ISCL)": "ISC",
}
_HEAD = """# Dependencies and their licences

Packages that `pip install "napari-ink[qt]"` brings, and those that extras add, as `constraints.txt` has them on Linux
with Python {python} and torch for CPUs. Sizes are those of the installed files. napari-ink itself is {ours}. Made by
`python tools/dependencies.py`.

PyQt6 is under the GPL; napari-ink does not need it: any binding of Qt that napari supports will do, such as PySide6
under the LGPL, and the command line works without one.
"""


def needs_of(package: str, extra: str) -> list[tuple[str, str]]:
    """Return the packages that a package asks for in this environment, each with its extras."""
    found = []
    for text in metadata.requires(package) or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            found += [(canonicalize_name(requirement.name), one) for one in ("", *requirement.extras)]
    return found


def closure(extra: str) -> set[str]:
    """Return all packages that napari-ink with an extra brings along."""
    seen: set[tuple[str, str]] = set()
    waiting = [("napari-ink", ""), ("napari-ink", extra)]
    while waiting:
        one = waiting.pop()
        if one in seen or not is_installed(one[0]):
            continue
        seen.add(one)
        waiting += needs_of(*one)
    return {name for name, _ in seen} - {"napari-ink"}


def is_installed(package: str) -> bool:
    """Return whether a package is in this environment."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def licence(package: str) -> str:
    """Return a package's licence as an SPDX expression.

    Raises
    ------
    InvalidLicenseExpression
        If what it states is not known.
    """
    facts = metadata.metadata(package)
    classifiers = [one.rpartition(":: ")[2] for one in facts.get_all("Classifier") or [] if one.startswith("License")]
    stated = [facts.get("License-Expression"), *classifiers, *(facts.get("License") or "").splitlines()[:1]]
    for words in [one for one in stated if one and one != "OSI Approved"]:
        try:
            return canonicalize_license_expression(_SPDX.get(words, words))
        except InvalidLicenseExpression:
            continue
    raise InvalidLicenseExpression(f"{package} states {stated}; add what that means to {Path(__file__).name}")


def megabytes(package: str) -> float:
    """Return the size of a package's files on disk."""
    files = [file.locate() for file in metadata.files(package) or []]
    return sum(Path(str(file)).stat().st_size for file in files if Path(str(file)).is_file()) / 1e6


def page() -> str:
    """Return the page."""
    extras = [one for one in metadata.metadata("napari-ink").get_all("Provides-Extra") or [] if one != "docs"]
    base = closure("")
    ours = licence("napari-ink")
    python = ".".join(map(str, sys.version_info[:2]))
    parts = [_HEAD.format(python=python, ours=ours), *table("In every installation", base)]
    for extra in sorted(extras):
        parts += table(f"With `[{extra}]`", closure(extra) - base)
    return "\n".join(parts)


def table(title: str, packages: set[str]) -> list[str]:
    """Return a section with a table of packages."""
    sizes = {package: megabytes(package) for package in packages}
    rows = [
        f"| {package} | {metadata.version(package).partition('+')[0]} | {licence(package)} | {sizes[package]:.1f} |"
        for package in sorted(packages)
    ]
    count = f"{len(packages)} packages" if len(packages) > 1 else "One package"
    total = f"{count}, {sum(sizes.values()):.0f} MB:"
    return [
        f"## {title}",
        "",
        total,
        "",
        "| package | version | licence | MB |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
    ]


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    out.write_text(re.sub(r"\n{3,}", "\n\n", page()).rstrip() + "\n", encoding="utf-8")
    print(out)
