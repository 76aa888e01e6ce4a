"""Settings of the documentation's generator, Sphinx; `make docs` builds the site."""

import os
import sys
from pathlib import Path

from napari_ink import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))
os.environ["COLUMNS"] = "100"  # width of the usage of commands

project = "napari-ink"
author = "The napari-ink developers"
project_copyright = "The napari-ink developers, BSD-3-Clause"
version = release = __version__

extensions = [
    "page_links",
    "tables",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["examples/README.md"]
root_doc = "index"
language = "en"
highlight_language = "text"
smartquotes = False  # `--option` in prose must stay as it is typed

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "imported-members": True, "undoc-members": False}
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

plot_basedir = str(HERE)
plot_formats = ["svg"]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_rcparams = {"svg.fonttype": "none", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}

html_theme = "pydata_sphinx_theme"
html_title = "napari-ink"
html_favicon = html_logo = "../napari_ink/icon.png"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "napari-ink"},
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 8,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "back_to_top_button": False,
}
# Decisions and changes are read one after another; a list of all of them beside each says nothing.
html_sidebars = {"index": [], "tutorial": [], "benchmarks": [], "changes": []}
