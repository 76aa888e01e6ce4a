#!/usr/bin/env bash
# Make a virtual environment with napari-ink (editable), Qt and the developers' tools, at the versions of constraints.txt.
#   tools/setup.sh FOLDER        PYTHON=python3.12 tools/setup.sh FOLDER
# Safe to run again: what is there already is kept.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/lib.sh

venv=$1
need_python
make_venv "$venv"
echo "Installing napari-ink with Qt and the developers' tools into $venv (a few minutes the first time) ..."
install "$venv" 'pip>=25.1' # the first that reads dependency groups
install_torch "$venv"
install "$venv" -e '.[qt]' --group dev
# What our U-Net must agree with. It asks for timm, and so torchvision, which the parts that are compared do not need.
install "$venv" --no-deps dynamic-network-architectures
echo "Set up: $venv/bin/napari-ink --help"
