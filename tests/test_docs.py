"""The pages: their lines, and the places that they and the program name."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from napari_ink.phantom import WORLDS, PhantomConfig

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs/decisions/README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=str)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_of_prose_are_at_most_120_characters_long(page):
    # The rows of a table cannot be wrapped.
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
    assert [number for number, line in lines if len(line) > 120 and not line.startswith(("|", "!["))] == []


FRONT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]


@pytest.mark.parametrize("page", FRONT, ids=lambda page: page.name)
def test_links_and_paths_of_the_front_pages_exist(page):
    # The builder of the site checks those of all other pages.
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    paths = re.findall(r"`((?:docs|benchmarks|tools)/[^`* ]+)`|python (benchmarks/\S+\.py)", text)
    assert [place for place in (*links, *map("".join, paths)) if not (ROOT / place).exists()] == []


def test_the_site_lists_every_command_and_key():
    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    assert "```{commands}" in page  # made from the parsers when the site is built
    assert "```{keys}" in (ROOT / "docs/reference/keys.md").read_text(encoding="utf-8")


def test_every_page_of_the_program_is_there():
    # Messages, docstrings and comments name pages by their path.
    sources = [*(ROOT / "napari_ink").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    named = {name for path in sources for name in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))}
    assert named and [name for name in named if not (ROOT / name).exists()] == []


def test_the_list_of_dependencies_is_complete():
    listed = (ROOT / "docs/contributing/dependencies.md").read_text(encoding="utf-8")
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = [re.split(r"[^\w.-]", one)[0] for one in needed]
    assert [name for name in names if f"| {name} |" not in listed] == []


PLOTTED = {
    "depth_windows": "decisions/0012-ablation.md",
    "run_cost": "benchmarks.md",
    "scores": "benchmarks.md",
    "teaching": "benchmarks.md",
}  # edge_losses shows means of the figures of two seeds


@pytest.mark.parametrize("plot", PLOTTED)
def test_a_plot_shows_the_figures_of_the_table_beside_it(plot):
    program = ast.parse((ROOT / f"docs/plots/{plot}.py").read_text(encoding="utf-8"))
    shown = {node.value for node in ast.walk(assigned(program)) if isinstance(node, ast.Constant)}
    table = (ROOT / "docs" / PLOTTED[plot]).read_text(encoding="utf-8")
    stated = {float(figure) for figure in re.findall(r"(?<![\d.])\d?\.\d+", table)}
    assert {figure for figure in shown if isinstance(figure, float)} - stated == set()


def assigned(program):
    """Return the first dictionary of a program: what it plots."""
    return next(node for node in ast.walk(program) if isinstance(node, ast.Dict))


def test_the_table_of_decisions_lists_each_in_order():
    listed = re.findall(
        r"^\| (\d{4}) \| \[.+\]\((\1-.+\.md)\) \|$", DECISIONS.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [name for _, name in listed] == sorted(path.name for path in DECISIONS.parent.glob("0*.md"))


def test_the_page_on_phantoms_lists_every_parameter_with_its_default():
    page = (ROOT / "docs/phantoms.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S*) ?\| .+ \|$", page[: page.index("## Worlds")], re.MULTILINE))
    fields = PhantomConfig.model_fields
    assert {name: json.loads(default) for name, default in rows.items() if default} == {
        name: field.default for name, field in fields.items() if not field.is_required()
    }
    assert set(rows) == set(fields)


def test_the_page_on_phantoms_lists_every_world():
    page = (ROOT / "docs/phantoms.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page[page.index("## Worlds") :], re.MULTILINE)) == set(WORLDS)


GUIDES = [
    *sorted((ROOT / "docs/how-to").glob("*.md")),
    *(ROOT / "docs" / name for name in ("tutorial.md", "window.md")),
]
# What napari makes of the manifest, and a name of a format that the code puts together.
_NO_LITERALS = {"Ink (napari-ink)", "PNG"}


@pytest.fixture(scope="module")
def texts_of_the_window():
    """Return every text in the code of the window, one on each line."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "napari_ink/gui").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return "\n".join({node.value for node in nodes if isinstance(node.value, str)})


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_buttons_and_steps_that_a_guide_names_exist(page, texts_of_the_window):
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    emphasised = re.findall(r"(?<![*\w])\*([A-Z][^*]*)\*(?!\*)", prose)
    names = {name for text in emphasised for name in re.sub(r"\s+", " ", text).split(" › ")} - _NO_LITERALS
    assert [name for name in names if not re.search(rf"\b{re.escape(name)}", texts_of_the_window)] == []
