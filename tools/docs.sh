#!/usr/bin/env bash
# Build the documentation into build/site, strictly: a warning, such as a broken link, fails.
#   tools/docs.sh VENV
# Needs no network once the packages are installed, and neither do the pages (tools/check_site.py).
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/lib.sh

venv=$1
"$venv/bin/python" -c 'import matplotlib, myst_parser, pydata_sphinx_theme, sphinx' 2>/dev/null ||
    install "$venv" -e '.[docs]'
rm -rf build/site
OMP_NUM_THREADS=1 "$venv/bin/python" -m sphinx --quiet --fail-on-warning --keep-going -b html -d build/doctrees docs build/site
"$venv/bin/python" tools/check_site.py build/site
echo "The documentation: build/site/index.html"
