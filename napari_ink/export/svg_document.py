"""SVG files as drawing programs save them: XML that is safe to read, and what its style sheets say of an element."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

from napari_ink.errors import LabelError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_SVG = "http://www.w3.org/2000/svg"
# Illustrator declares its name spaces as entities; longer ones, or ones within others, can fill the memory.
_LONGEST_ENTITY = 100
_DEEPEST = 200
_SELECTOR = re.compile(r"(?P<tag>[\w-]++|\*)?(?:(?P<kind>[.#])[\w-]++)?")
_RANKS = {None: 0, ".": 2, "#": 4}
# What decides whether, where and how an element is filled.
PROPERTIES = frozenset(
    ("display", "visibility", "opacity", "fill", "fill-rule", "fill-opacity", "stroke", "stroke-width", "transform")
    + ("transform-origin", "clip-path", "mask", "filter", "d", "x", "y", "width", "height", "cx", "cy", "r", "rx", "ry")
)


def parse_xml(data: bytes, path: Path) -> Element:
    """Return the root of an XML document; names of SVG come without their name space.

    Raises
    ------
    LabelError
        If it declares entities that could grow, or is nested absurdly deep.
    ExpatError
        If it is no XML.
    """
    from xml.etree.ElementTree import TreeBuilder

    builder, depth = TreeBuilder(), 0

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise LabelError(f"{path} has more than {_DEEPEST} groups within one another; ungroup them.")
        builder.start(tag.removeprefix(f"{_SVG} "), attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag.removeprefix(f"{_SVG} "))

    def entity(name: str, is_parameter: bool, value: str | None, *_: object) -> None:
        if is_parameter or value is None or len(value) > _LONGEST_ENTITY or "&" in value:
            raise LabelError(f"{path} declares the entity {name[:40]!r}, which is not read; save it as plain SVG.")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = builder.data, entity
    parser.Parse(data, True)
    root = builder.close()
    if root.tag != "svg":
        raise LabelError(f"{path} holds <{root.tag[:40]}> and no <svg>; use an SVG that was exported here.")
    return root


class Styles:
    """The style sheets of a document.

    Only selectors of a tag, a class or an id are known, as drawing programs write them.

    Parameters
    ----------
    root
        The document.
    path
        Its file, for messages.

    Raises
    ------
    LabelError
        If a sheet says something that matters in a way that is not known.
    """

    def __init__(self, root: Element, path: Path) -> None:
        self._path = path
        self._rules: dict[str, tuple[int, int, dict[str, str]]] = {}
        for sheet in (element.text or "" for element in root.iter("style")):
            for selector, rank, declared in _rules(sheet, path):
                before = self._rules.get(selector, (0, 0, {}))[2]
                self._rules[selector] = rank, len(self._rules), before | declared

    def of(self, element: Element) -> dict[str, str]:
        """Return the properties of an element itself: attributes, then style sheets, then its own style."""
        found = {key: value.strip() for key, value in element.attrib.items() if key in PROPERTIES}
        names = [f".{name}" for name in element.get("class", "").split()] + [f"#{element.get('id')}"]
        selectors = {"*", element.tag, *names, *(f"{element.tag}{name}" for name in names)} if self._rules else ()
        rules = [self._rules[selector] for selector in selectors if selector in self._rules]
        for _, _, declared in sorted(rules, key=lambda rule: rule[:2]):
            found.update(declared)
        return found | _declarations(element.get("style", ""), self._path)


def _rules(sheet: str, path: Path) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield selector, rank and properties of each rule."""
    # Cut by hand: patterns for this take a time that grows with the square of a damaged sheet.
    for part in _without_comments(sheet).split("}"):
        selectors, brace, body = part.partition("{")
        if not brace and not selectors.strip():
            continue
        if not brace or "{" in body or "@" in selectors:
            raise LabelError(f"{path} has a style sheet with {part.strip()[:40]!r}, which is not read; save plain SVG.")
        if not (declared := _declarations(body, path)):
            continue
        for selector in map(str.strip, selectors.split(",")):
            if not (found := _SELECTOR.fullmatch(selector)) or not selector:
                raise LabelError(f"{path} has a style for {selector[:40]!r}, which is not read; save plain SVG.")
            yield selector.removeprefix("*") or "*", _RANKS[found["kind"]] + bool(found["tag"]), declared


def _without_comments(text: str) -> str:
    before, *parts = text.split("/*")
    return before + "".join(part.partition("*/")[2] for part in parts)


def _declarations(text: str, path: Path) -> dict[str, str]:
    pairs: Iterable[tuple[str, str, str]] = (part.partition(":") for part in _without_comments(text).split(";"))
    found = {key.strip().casefold(): value.strip() for key, _, value in pairs}
    known: Mapping[str, str] = {key: value for key, value in found.items() if key in PROPERTIES}
    if any("!" in value for value in known.values()):
        raise LabelError(f"{path} has an important style ({text.strip()[:40]}), which is not read; save plain SVG.")
    return dict(known)
