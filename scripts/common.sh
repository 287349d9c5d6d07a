# Shared by the set-up scripts: where things live, how progress is printed, how a file is checked.
# Sourced, never run.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
OMNI_CACHE="${OMNI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/swift-omni}"
OMNI_HOME="${OMNI_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/omni}"
# shellcheck source=../native.lock
source "$ROOT/native.lock"

say()  { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# check_sha256 FILE SUM: true when the file has that checksum.
check_sha256() { [ "$(sha256sum "$1" 2>/dev/null | cut -d' ' -f1)" = "$2" ]; }

# python_tool: a Python 3 with pip, or an error saying what to install.
python_tool() {
    for candidate in python3 python; do
        if command -v "$candidate" >/dev/null && "$candidate" -m pip --version >/dev/null 2>&1; then
            echo "$candidate"; return
        fi
    done
    fail "no python3 with pip found; install it (Debian: apt-get install python3-pip) and run this again"
}
