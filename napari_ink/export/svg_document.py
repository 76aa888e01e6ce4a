"""Parsing of SVG files that drawing programs save: XML without dangerous entities, and the styles of elements."""

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
# Illustrator declares its name spaces as short entities. Long or nested ones could expand until memory is full.
_LONGEST_ENTITY = 100
_DEEPEST = 200
_SELECTOR = re.compile(r"(?P<tag>[\w-]++|\*)?(?:(?P<kind>[.#])[\w-]++)?")
# Specificity of a selector, as in CSS: an id wins over a class, a class over a tag.
_RANKS = {None: 0, ".": 2, "#": 4}
# The properties that decide whether, where and how an element is filled; all others are ignored.
PROPERTIES = frozenset(
    ("display", "visibility", "opacity", "fill", "fill-rule", "fill-opacity", "stroke", "stroke-width", "transform")
    + ("transform-origin", "clip-path", "mask", "filter", "d", "x", "y", "width", "height", "cx", "cy", "r", "rx", "ry")
)


def parse_xml(data: bytes, path: Path) -> Element:
    """Parse an SVG document and return its root element.

    Tags in the SVG name space come without it; tags in others keep theirs, followed by a space.

    Parameters
    ----------
    data
        The content of the file.
    path
        The file, for messages.

    Raises
    ------
    LabelError
        If it declares long or nested entities, is nested more than 200 deep, or its root is no ``<svg>``.
    ExpatError
        If it is no XML.
    """
    from xml.etree.ElementTree import TreeBuilder

    builder, depth = TreeBuilder(), 0

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise LabelError(f"{path} has more than {_DEEPEST} nested groups; ungroup them.")
        builder.start(tag.removeprefix(f"{_SVG} "), attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag.removeprefix(f"{_SVG} "))

    def entity(name: str, is_parameter: bool, value: str | None, *_: object) -> None:
        if is_parameter or value is None or len(value) > _LONGEST_ENTITY or "&" in value:
            raise LabelError(f"{path} declares the entity {name[:40]!r}, which is not supported; save it as plain SVG.")

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
    """The style sheets of an SVG document.

    Only selectors of a tag, a class or an id are supported; drawing programs write no others.

    Parameters
    ----------
    root
        The root element of the document.
    path
        Its file, for messages.

    Raises
    ------
    LabelError
        If a sheet sets one of `PROPERTIES` with a selector or syntax that is not supported.
    """

    def __init__(self, root: Element, path: Path) -> None:
        self._path = path
        self._rules: dict[str, tuple[int, int, dict[str, str]]] = {}
        for sheet in (element.text or "" for element in root.iter("style")):
            for selector, rank, declared in _rules(sheet, path):
                before = self._rules.get(selector, (0, 0, {}))[2]
                self._rules[selector] = rank, len(self._rules), before | declared

    def of(self, element: Element) -> dict[str, str]:
        """Return an element's own properties: its attributes, overridden by style sheets and its style attribute."""
        found = {key: value.strip() for key, value in element.attrib.items() if key in PROPERTIES}
        names = [f".{name}" for name in element.get("class", "").split()] + [f"#{element.get('id')}"]
        selectors = {"*", element.tag, *names, *(f"{element.tag}{name}" for name in names)} if self._rules else ()
        rules = [self._rules[selector] for selector in selectors if selector in self._rules]
        # By specificity, then by position in the sheets, so that the strongest rule comes last and wins.
        for _, _, declared in sorted(rules, key=lambda rule: rule[:2]):
            found.update(declared)
        return found | _declarations(element.get("style", ""), self._path)


def _rules(sheet: str, path: Path) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield the selector, specificity and properties of each rule in a style sheet."""
    # Split by hand: a regular expression would take quadratic time on a damaged sheet.
    for part in _without_comments(sheet).split("}"):
        selectors, brace, body = part.partition("{")
        if not brace and not selectors.strip():
            continue
        if not brace or "{" in body or "@" in selectors:
            raise LabelError(
                f"{path} has a style sheet with {part.strip()[:40]!r}, which is not supported; save it as plain SVG."
            )
        if not (declared := _declarations(body, path)):
            continue
        for selector in map(str.strip, selectors.split(",")):
            if not (found := _SELECTOR.fullmatch(selector)) or not selector:
                raise LabelError(
                    f"{path} has a style for {selector[:40]!r}, which is not supported; save it as plain SVG."
                )
            yield selector.removeprefix("*") or "*", _RANKS[found["kind"]] + bool(found["tag"]), declared


def _without_comments(text: str) -> str:
    before, *parts = text.split("/*")
    return before + "".join(part.partition("*/")[2] for part in parts)


def _declarations(text: str, path: Path) -> dict[str, str]:
    pairs: Iterable[tuple[str, str, str]] = (part.partition(":") for part in _without_comments(text).split(";"))
    found = {key.strip().casefold(): value.strip() for key, _, value in pairs}
    known: Mapping[str, str] = {key: value for key, value in found.items() if key in PROPERTIES}
    if any("!" in value for value in known.values()):
        raise LabelError(
            f"{path} has an !important style ({text.strip()[:40]}), which is not supported; save it as plain SVG."
        )
    return dict(known)
