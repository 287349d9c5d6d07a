#!/usr/bin/env bash
# Installs the system packages that the build needs, if any is missing. Debian and Ubuntu; elsewhere it says what to install.
#
#   scripts/system.sh            for the build
#   scripts/system.sh --tests    a browser too, in which the tests drive the playground (80 MB, where there is none), and
#                                ffmpeg, with which they look into videos, and jq, which the README's lines use
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PACKAGES=(cmake ninja-build g++ make patch pkg-config libsqlite3-dev zlib1g-dev libgomp1
    libavformat-dev libavcodec-dev libswscale-dev libswresample-dev libavutil-dev espeak-ng)

command -v swift >/dev/null || fail "no Swift toolchain found; install Swift 6.2 or later from swift.org and put it on PATH"

if ! command -v dpkg-query >/dev/null; then
    missing=()
    for tool in cmake ninja patch; do command -v "$tool" >/dev/null || missing+=("$tool"); done
    [ ${#missing[@]} -eq 0 ] && exit 0
    case "$(uname -s)" in
        Darwin) fail "${missing[*]} missing; run: brew install ${missing[*]}" ;;
        *) fail "${missing[*]} missing; install ${missing[*]}, a C++17 compiler, pkg-config and the headers of SQLite and zlib" ;;
    esac
fi

if [ "${1:-}" = "--tests" ]; then
    browser="${OMNI_CHROMIUM:-}"
    for name in chromium chromium-browser google-chrome; do [ -n "$browser" ] || browser="$(command -v "$name" || true)"; done
    # Fonts: a bare machine has none, and a page without letters has no size.
    [ -n "$browser" ] || PACKAGES+=(chromium fonts-dejavu-core)
    command -v ffmpeg >/dev/null || PACKAGES+=(ffmpeg)
    command -v jq >/dev/null || PACKAGES+=(jq)
fi

missing=()
installed=" $(dpkg-query -W -f='${Package}=${db:Status-Status} ' "${PACKAGES[@]}" 2>/dev/null || true)"
for package in "${PACKAGES[@]}"; do
    case "$installed" in *" $package=installed "*) ;; *) missing+=("$package") ;; esac
done
# Debian's python3 comes without the part that makes the contract tests' virtual environment.
if command -v python3 >/dev/null && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then missing+=(python3-venv); fi
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "system packages are missing and there is no sudo; as root run: apt-get install ${missing[*]}"
    sudo=(sudo)
fi
make_folder "$OMNI_CACHE/build"
log="$OMNI_CACHE/build/system.log"
say "Installing system packages: ${missing[*]}"
# Another apt may hold the lock for a while, on a fresh machine above all.
apt_get() { ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }
{ apt_get update && apt_get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    fail "apt-get could not install ${missing[*]}; the whole log is $log"
}
