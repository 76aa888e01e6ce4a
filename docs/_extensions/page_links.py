"""Links to other pages where a page or a docstring names one as code: `docs/stacks.md` becomes a link to that page.

Messages and comments name pages by their path in the repository, and pages do so too; on the site each is a link.
"""

import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata

_PAGE = re.compile(r"docs/(?P<name>[\w/-]+)\.md")
_DECISION = re.compile(r"decisions/(\d{4})-")


class PageLinks(SphinxPostTransform):
    """Replace each literal path of a page by a link with the page's title; decisions are named by their number."""

    default_priority = 5  # before references are resolved

    def run(self, **_options: object) -> None:
        """Replace the paths in one page."""
        for literal in list(self.document.findall(nodes.literal)):
            if (match := _PAGE.fullmatch(literal.astext())) and match["name"] in self.env.found_docs:
                literal.replace_self(self._link(match["name"]))

    def _link(self, page: str) -> pending_xref:
        decision = _DECISION.match(page)
        text = f"decision {int(decision[1])}" if decision else ""
        return pending_xref(
            "",
            nodes.inline(text, text),
            refdomain="std",
            reftype="doc",
            reftarget=f"/{page}",
            refdoc=self.env.docname,
            refexplicit=bool(text),
            refwarn=True,
        )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the transform."""
    app.add_post_transform(PageLinks)
    return {"parallel_read_safe": True}
