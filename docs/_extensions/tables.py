"""The directives `keys` and `commands`: reference pages made from what the program itself uses."""

import argparse
import re
from collections.abc import Iterator
from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from napari_ink.cli import _parser
from napari_ink.gui.models.actions import ACTIONS

_KEY_NAMES = {"Control": "Ctrl", "PageUp": "Page Up", "PageDown": "Page Down"}


class _Generated(SphinxDirective):
    """A directive whose content is Markdown that the class makes."""

    source: ClassVar[str]

    def run(self) -> list[nodes.Node]:
        """Return the parsed Markdown."""
        holder = nodes.section()
        holder.document = self.state.document
        lines = StringList(list(self.lines()), self.source)
        self.state.nested_parse(lines, self.content_offset, holder, match_titles=1)
        return holder.children

    def lines(self) -> Iterator[str]:
        """Return the lines of Markdown."""
        raise NotImplementedError


class Keys(_Generated):
    """A table of the keys of each group of actions."""

    source = "keys"

    def lines(self) -> Iterator[str]:
        """Return a section for each group."""
        for group in dict.fromkeys(action.group for action in ACTIONS):
            yield from (f"## {group}", "", "| key | what it does |", "| --- | --- |")
            for action in ACTIONS:
                if action.group == group:
                    yield f"| {_shown(action.key)} | {_escaped(action.title)} |"
            yield ""


class Commands(_Generated):
    """The usage and the arguments of each command."""

    source = "commands"

    def lines(self) -> Iterator[str]:
        """Return a section for each command."""
        (commands,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
        for name, parser in commands.choices.items():
            yield from (f"## {name}", "", _escaped(parser.description or ""), "", "```text")
            yield from parser.format_usage().removeprefix("usage: ").rstrip().splitlines()
            yield from ("```", "", "| argument | meaning |", "| --- | --- |")
            formatter = argparse.HelpFormatter(parser.prog)
            for action in parser._actions:
                if not isinstance(action, argparse._HelpAction):
                    yield f"| `{formatter._format_action_invocation(action)}` | {_meaning(formatter, action)} |"
            yield ""


def _meaning(formatter: argparse.HelpFormatter, action: argparse.Action) -> str:
    return _escaped(formatter._expand_help(action)) if action.help else ""


def _shown(key: str) -> str:
    """Return a key as people write it: `Control-Shift-Z` as Ctrl + Shift + Z."""
    names = key.split("-") if len(key) > 1 else [key]
    return " + ".join(f"`{_KEY_NAMES.get(name, name)}`" for name in names)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_<>\[\]|{}$~])", r"\\\1", text)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    app.add_directive("keys", Keys)
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
