# Shell functions that tools/setup.sh and tools/wheel_test.sh share; to be sourced in the repository's root.

PYTHON=${PYTHON:-python3}

fail() {
    echo "napari-ink: $*" >&2
    exit 1
}

need_python() {
    command -v "$PYTHON" >/dev/null || fail "There is no $PYTHON here; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3."
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$PYTHON" --version) is too old; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3."
}

# Debian ships Python without the wheel that `venv` needs to put pip into an environment.
make_venv() {
    if [ -x "$1/bin/pip" ]; then return; fi
    if ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
        local package
        package=$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        apt_install "$package" || fail "$PYTHON cannot make virtual environments; install the package $package and run make again."
    fi
    "$PYTHON" -m venv "$1"
}

# Install Debian packages; false where that is not possible (not Debian, or not root).
apt_install() {
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then return 1; fi
    echo "Installing Debian packages: $*"
    local log
    log=$(mktemp)
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm "$log"
        return 1
    fi
    rm "$log"
}

# install VENV PIP-ARGUMENT...
install() {
    local venv=$1
    shift
    "$venv/bin/python" -m pip install -qq --no-input --disable-pip-version-check --constraint constraints.txt "$@"
}

# PyPI's torch for Linux brings gigabytes of CUDA. Without an NVIDIA GPU take PyTorch's own CPU build, where that can be
# reached; where it cannot, an index or --find-links of this machine's own may still offer one.
install_torch() {
    local venv=$1 cpu_index=https://download.pytorch.org/whl/cpu
    if [ "$(uname -s)" = Linux ] && ! nvidia-smi >/dev/null 2>&1 && is_reachable "$venv" "$cpu_index/torch/"; then
        install "$venv" torch --extra-index-url "$cpu_index"
    else
        install "$venv" torch
    fi
}

is_reachable() {
    timeout 20 "$1/bin/python" -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=8)' "$2" 2>/dev/null
}
