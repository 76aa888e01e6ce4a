"""Every command in the documentation is run on sample data, or at least parsed.

A line that shows a form, with words such as STACK and OUT or with brackets, is parsed: its options must exist. So are
commands within sentences. Every other command is run, those of a page one after another in one folder, unless a
comment above its block says why not: ``<!-- not run: the reason -->``. Published models are stood in for by small ones
of the same layouts with random weights. Decisions and the change log tell of earlier versions and are left alone.

`make` and `pip install` are run by `.ci/run` and `tools/wheel_test.sh`, included examples by `tests/test_examples.py`.
Programs in `benchmarks` and `tools` take minutes or hours: they and their options must exist.
"""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_ink.annotation import LabelValue, create_project
from napari_ink.cli import _parser, main
from napari_ink.phantom import PhantomConfig, make_phantom, write_segment
from napari_ink.stack import open_stack
from tests.model import hybrid_files
from tests.model.field_files import LAYOUTS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Pages to follow from top to bottom: here every block of a command line has to run or to say why not.
FOLLOWED = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
LOOKED_UP = sorted(
    {*DOCS.glob("*.md"), *(DOCS / "explanation").glob("*.md"), *(DOCS / "reference").rglob("*.md")} - set(FOLLOWED)
)
PAGES = [*FOLLOWED, *LOOKED_UP, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))]
_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]*)-->\n)?^(?P<fence>```+)(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_SENTENCE_CODE = re.compile(r"`(napari-ink [^`]+)`")
_PROGRAM = re.compile(r"python ((?:benchmarks|tools)/\S+\.py)((?: +[^\s`#),;:]+)*)")
# Words that stand for something, and brackets of a synopsis.
_FORM = re.compile(
    r"\[|…|\.\.\.|\||\b(STACK|SOURCE|FILE|FOLDER|SEGMENT|OUT|RUN|PREDICTION|LABELS|PROJECT|OTHER|SIZE|COMMAND|LIST)\b"
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
        joined = re.sub(r"^torchrun .* -m napari_ink\.cli ", "napari-ink ", joined, flags=re.MULTILINE)
        lines = [re.split(r"\s{2,}|\s[#>]\s", line.strip())[0] for line in joined.splitlines()]
        return [shlex.split(line)[1:] for line in lines if line.startswith("napari-ink ")]

    @property
    def steps(self) -> list[list[str] | str]:
        """What is run: command lines, or a program in Python."""
        if self.reason is not None or self.language.startswith("{"):
            return []
        if self.language == "python":
            return [self.text]
        return [command for command in self.commands if not is_form(command)]


def blocks(page: Path) -> list[Block]:
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(one["language"].strip(), one["text"], one["reason"]) for one in found]


def is_form(command: list[str]) -> bool:
    return bool(_FORM.search(" ".join(command)))


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a segment, its labels, a project with strokes, and models of published layouts."""
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
    shutil.copy(folder / "my-segment/my-segment_mask.png", folder / "where-i-looked.png")
    (folder / "list.txt").write_text("# two stacks\nsegment-a\nsegment-b\n")
    write_models(folder)
    return folder


def write_models(folder: Path) -> None:
    """Write small models of the published layouts, with the names that the pages give them."""
    for layout, place in {
        "ink_9um": "step-075000.pth",
        "hecate 9.6 um": "hecate.pth",
        "ink_canonical_2um": "r152_3ddec_v2_l5_epoch13.ckpt",
        "timesformer": "timesformer_wild15_20230702185753_0_fr_i3depoch=12.ckpt",
    }.items():
        LAYOUTS[layout].write(folder, True).replace(folder / place)
    (folder / "ink-8um-v8in").mkdir()
    LAYOUTS["v8-in"].write(folder / "ink-8um-v8in", True)
    # Two seeds, and another step of a run whose weights lie close to those of the last one.
    for seed in (42, 43):
        written = hybrid_files.pth_file(folder, hybrid_files.network(seed=seed))
        written.replace(folder / f"seed{seed}.pth")
    nearby = hybrid_files.network()
    with torch.no_grad():
        for weight in nearby.parameters():
            weight.mul_(1.01)
    hybrid_files.pth_file(folder, nearby, step=60000).replace(folder / "step-060000.pth")
    LAYOUTS["ink_9um"].write(folder, True)


@pytest.fixture
def page_folder(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(work, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if any(block.steps for block in blocks(page))], ids=name)
def test_the_commands_of_a_page_run_one_after_another(
    page: Path, page_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in [step for block in blocks(page) for step in block.steps]:
        if isinstance(step, str):
            exec(compile(step, name(page), "exec"), {})
            continue
        if "my-segment.zarr" in step and "-o" not in step[: step.index("my-segment.zarr")]:
            needed = Path("my-segment.zarr")
            assert needed.exists() or main(["predict", "my-segment", "-o", str(needed)]) == 0
        assert main(step) == 0, f"napari-ink {shlex.join(step)}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_have_arguments_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    in_sentences = [shlex.split(code)[1:] for code in _SENTENCE_CODE.findall(_BLOCK.sub("", text))]
    for command in [*(command for block in blocks(page) for command in block.commands), *in_sentences]:
        used = {word.strip("[]") for word in command if re.match(r"\[?--?[a-z]", word)}
        assert is_form(command) or command[0].startswith("-") or command[0] in commands(), command
        if command[0] in commands():
            assert used <= commands()[command[0]], command


def commands() -> dict[str, set[str]]:
    """Return the options of each command."""
    (choices,) = [action.choices for action in _parser()._actions if action.dest == "command"]
    return {name: {"--help", *parser._option_string_actions} for name, parser in choices.items()}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_blocks_of_forms_and_of_commands_not_run_parse(page: Path) -> None:
    for command in [command for block in blocks(page) for command in block.commands if not is_form(command)]:
        _parser().parse_args(command)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_programs_of_the_repository_and_their_options_exist(page: Path) -> None:
    for program, arguments in _PROGRAM.findall(page.read_text(encoding="utf-8")):
        # Benchmarks share their option for the device.
        source = "".join((ROOT / file).read_text(encoding="utf-8") for file in (program, "benchmarks/devices.py"))
        unknown = [option for option in re.findall(r"--[a-z-]+", arguments) if f'"{option}"' not in source]
        assert not unknown, f"{program} {unknown}"


@pytest.mark.parametrize("page", FOLLOWED, ids=name)
def test_a_block_of_a_page_to_follow_is_run_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        if block.language.startswith("{literalinclude}"):
            assert "examples/" in block.language, block.language
        elif block.language in ("", "python") and not block.steps:
            elsewhere = all(is_run_elsewhere(line) for line in block.text.split("\n") if line)
            assert elsewhere or (block.reason and len(block.reason) > 10), block.text


def is_run_elsewhere(line: str) -> bool:
    """Return whether `.ci/run` or the test of the wheel runs a line."""
    ci = (ROOT / ".ci/run").read_text()
    return line.startswith(("pip install", "cd ", "git clone")) or (line.startswith("make ") and line in ci)
