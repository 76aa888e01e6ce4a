#!/usr/bin/env bash
# Build the wheel as users get it and try it in a clean environment that has no Qt and does not see this folder.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/lib.sh

need_python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
venv=$work/venv

make_venv "$venv"
echo "Building the wheel ..."
install "$venv" 'pip>=25.1'
install "$venv" build
"$venv/bin/python" -m build --wheel --outdir "$work/dist" . >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; fail "The wheel does not build."; }
wheel=$(echo "$work"/dist/*-py3-none-any.whl)
[ -f "$wheel" ] || fail "The build made no pure Python wheel, but $(ls "$work/dist")."

echo "Installing $(basename "$wheel") ($(du -h "$wheel" | cut -f1)) ..."
install_torch "$venv"
install "$venv" "$wheel"

cd "$work"
PATH=$venv/bin:$PATH
set -x
python -c 'import importlib.util as u; assert not any(map(u.find_spec, ("PyQt5", "PyQt6", "PySide2", "PySide6"))), "Qt came along"'
python -c 'from importlib.metadata import metadata as m; t = m("napari-ink")["Description"]; assert "## Install it" in t and "](docs/" not in t, t'
npe2 validate napari-ink
napari-ink --help >help.txt
napari-ink --version
napari-ink doctor
napari-ink models
sample=$(python -c 'from napari_ink.phantom import sample_path; print(sample_path())')
napari-ink info "$sample"
napari-ink predict "$sample" -o prediction.zarr --region 128:192,128:192 --device cpu
napari-ink export prediction.zarr -o ink.png
