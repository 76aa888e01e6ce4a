"""Every command in the documentation: those of pages to follow are run, all others are at least parsed.

A block that cannot run has a comment above it, ``<!-- not run: the reason -->``. `make` and `pip install` are run by
`.ci/run` and `tools/wheel_test.sh`, examples in Python by `tests/test_examples.py`.
"""

import re
import shlex
import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_ink.annotation import LabelValue, create_project
from napari_ink.cli import _parser, main
from napari_ink.phantom import PhantomConfig, make_phantom, write_segment
from napari_ink.stack import open_stack

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Pages to follow from top to bottom; their commands run in one folder.
FOLLOWED = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
LOOKED_UP = sorted({ROOT / "README.md", *DOCS.glob("*.md"), *(DOCS / "explanation").glob("*.md")} - set(FOLLOWED))
_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]*)-->\n)?^(?P<fence>```+)(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
# Words that stand for something, and brackets of a synopsis: such a line shows a form, not a command.
_FORM = re.compile(
    r"\[|…|\.\.\.|\||\b(STACK|SOURCE|FILE|FOLDER|SEGMENT|OUT|RUN|PREDICTION|LABELS|PROJECT|OTHER|SIZE)\b"
)


@dataclass(frozen=True)
class Block:
    """A block of code on a page, and why it is not run; None if it is."""

    language: str
    text: str
    reason: str | None

    @property
    def commands(self) -> list[list[str]]:
        """Command lines of napari-ink, without redirections and remarks to their right."""
        joined = re.sub(r"\s*\\\n\s*", " ", self.text)
        lines = [re.split(r"\s{2,}|\s[#>]\s", line.strip())[0] for line in joined.splitlines()]
        return [shlex.split(line)[1:] for line in lines if line.startswith("napari-ink ")]


def blocks(page: Path) -> list[Block]:
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(one["language"].strip(), one["text"], one["reason"]) for one in found]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a segment, its labels, and a project with strokes."""
    folder = tmp_path_factory.mktemp("work")
    write_segment(make_phantom(PhantomConfig(seed=3, height=128, width=128)), folder / "my-segment")
    project = create_project(folder / "my-segment.ink", open_stack(folder / "my-segment"))
    for value, x in ((LabelValue.INK, 20), (LabelValue.PAPYRUS, 70)):
        for y in (10, 50, 90):
            stroke = np.full((8, 30), value, np.uint8)
            project.annotation.apply([("ink", y, x, stroke)], tool="ink")
    project.close()
    for other in ("segment-a", "segment-b"):
        shutil.copytree(folder / "my-segment", folder / other)
        for file in (folder / other).glob("my-segment_*"):
            file.rename(file.with_name(file.name.replace("my-segment", other)))
    with Image.open(folder / "my-segment/my-segment_inklabels.png") as labels:
        tifffile.imwrite(folder / "map.tif", np.asarray(labels.convert("L")))
    (folder / "list.txt").write_text("# two stacks\nsegment-a\nsegment-b\n")
    return folder


@pytest.fixture
def page_folder(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(work, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


RUN = [page for page in FOLLOWED if any(one.commands and one.reason is None for one in blocks(page))]


@pytest.mark.parametrize("page", RUN, ids=name)
def test_the_commands_of_a_page_run_one_after_another(
    page: Path, page_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in blocks(page):
        for command in block.commands if block.reason is None else ():
            if command[0] == "export" and not list(page_folder.glob("*.zarr")):
                main(["predict", "my-segment", "-o", "my-segment.zarr"])
            assert main(command) == 0, f"napari-ink {shlex.join(command)}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", [*FOLLOWED, *LOOKED_UP], ids=name)
def test_commands_have_arguments_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    indented = Block("", textwrap.dedent("\n".join(re.findall(r"^ {4}napari-ink .*$", text, re.MULTILINE))), None)
    for command in [command for block in (*blocks(page), indented) for command in block.commands]:
        if _FORM.search(" ".join(command)):
            known = options_of(command[0])
            used = {word.strip("[]") for word in command if re.match(r"\[?--?[a-z]", word)}
            assert used <= known, command
        else:
            _parser().parse_args(command)


def options_of(command: str) -> set[str]:
    (commands,) = [action for action in _parser()._actions if action.dest == "command"]
    return set(commands.choices[command]._option_string_actions)


@pytest.mark.parametrize("page", FOLLOWED, ids=name)
def test_a_block_of_a_page_to_follow_is_run_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        if block.language.startswith("{literalinclude}"):
            assert "examples/" in block.language, block.language
        elif block.language in ("", "python") and not block.commands:
            elsewhere = all(is_run_elsewhere(line) for line in block.text.split("\n") if line)
            assert elsewhere or (block.reason and len(block.reason) > 10), block.text


def is_run_elsewhere(line: str) -> bool:
    """Return whether `.ci/run` or the test of the wheel runs a line."""
    ci = (ROOT / ".ci/run").read_text()
    return line.startswith(("pip install", "cd ", "git clone")) or (line.startswith("make ") and line in ci)
