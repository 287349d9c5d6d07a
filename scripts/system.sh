#!/usr/bin/env bash
# Installs the system packages that the build needs, if any is missing. Debian and Ubuntu; elsewhere it says what to install.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PACKAGES=(cmake ninja-build g++ make pkg-config libsqlite3-dev zlib1g-dev libgomp1
    libavformat-dev libavcodec-dev libswscale-dev libswresample-dev libavutil-dev espeak-ng)

if ! command -v dpkg-query >/dev/null; then
    for tool in cmake ninja; do
        command -v "$tool" >/dev/null || fail "$tool is missing; install cmake, ninja, a C++17 compiler and the SQLite headers"
    done
    exit 0
fi
missing=()
for package in "${PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
say "Installing system packages: ${missing[*]}"
sudo=(); [ "$(id -u)" = 0 ] || sudo=(sudo)
"${sudo[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
