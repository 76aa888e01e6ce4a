"""Check that pages of the site load nothing from the network and link to nothing that is not there.

python tools/check_site.py FOLDER
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


class _References(HTMLParser):
    """The addresses that a page loads, and those that it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag refers to."""
        values = dict(attrs)
        if (address := values.get(_LOADED.get(tag, ""))) and values.get("rel") != "canonical":
            self.loaded.append(address)
        if tag == "a" and (address := values.get("href")):
            self.linked.append(address)


def faults(site: Path) -> list[str]:
    """Return a sentence for each address that is loaded from elsewhere, and for each file that is missing."""
    found = []
    pages = [page for page in site.rglob("*.html") if "_static" not in page.parts]  # templates of the theme lie there
    for page in sorted(pages):
        references = _References()
        references.feed(page.read_text(encoding="utf-8"))
        for address in (*references.loaded, *references.linked):
            parts = urlsplit(address)
            is_elsewhere = bool(parts.scheme or parts.netloc)
            if is_elsewhere and address in references.loaded and parts.scheme != "data":
                found.append(f"{page} loads {address} from the network.")
            elif not is_elsewhere and parts.path and not (page.parent / unquote(parts.path)).exists():
                found.append(f"{page} refers to {address}, which is not there.")
    found += [f"{sheet} loads from the network." for sheet in site.rglob("*.css") if "url(http" in sheet.read_text()]
    return found


if __name__ == "__main__":
    sentences = faults(Path(sys.argv[1]))
    print(*sentences, sep="\n")
    raise SystemExit(bool(sentences))
