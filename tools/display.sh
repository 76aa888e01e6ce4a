#!/usr/bin/env bash
# See to it that a window can open: Qt's and GL's libraries, and Xvfb where there is no display.
#   tools/display.sh VENV
# As root on Debian it installs what is missing; elsewhere it names the packages and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/lib.sh

# What `ldd` finds missing under PyQt6 and its xcb plugin on a bare Debian, Mesa's software GL, fonts (Qt brings none), Xvfb.
packages=(
    libdbus-1-3 libegl1 libfontconfig1 libgl1 libgl1-mesa-dri libglib2.0-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0
    libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0
    fonts-dejavu-core xauth xvfb
)

has_display() {
    [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || { command -v xvfb-run && command -v xauth; } >/dev/null
}
has_libraries() {
    local qt
    qt=$("$1/bin/python" -c 'import PyQt6; print(PyQt6.__path__[0])')
    ! ldd "$qt/Qt6/plugins/platforms/libqxcb.so" "$qt/QtOpenGLWidgets.abi3.so" | grep 'not found' >/dev/null
}

if [ "$(uname -s)" != Linux ]; then exit 0; fi
if has_display && has_libraries "$1"; then exit 0; fi
apt_install "${packages[@]}" ||
    fail "Windows need libraries that are missing here; have an administrator install them (on Debian or Ubuntu: sudo apt-get install ${packages[*]}) and run make again."
