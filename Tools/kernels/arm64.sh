#!/usr/bin/env bash
# Compiles the kernels for arm64 and checks them under qemu: on a CPU with bf16, and on one without. Part of `make test-full` on x86-64
# Linux; installs Debian's cross libraries and qemu where they are missing.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/common.sh"
packages=(qemu-user libc6-dev-arm64-cross libgcc-12-dev-arm64-cross)
missing=()
for package in "${packages[@]}"; do [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package"); done
if [ ${#missing[@]} -gt 0 ]; then
    sudo=(); [ "$(id -u)" = 0 ] || sudo=(sudo)
    say "Installing ${missing[*]}"
    ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}" >/dev/null \
        || fail "apt-get could not install ${missing[*]}"
fi
make_folder "$OMNI_CACHE/kernels"
program="$OMNI_CACHE/kernels/check-arm64"
say "The kernels on arm64, under qemu"
bash "$ROOT/Tools/kernels/build.sh" "$program" --target=aarch64-linux-gnu --gcc-toolchain=/usr -Wno-unused-command-line-argument -static \
    -isystem /usr/aarch64-linux-gnu/include -B/usr/aarch64-linux-gnu/lib -L/usr/aarch64-linux-gnu/lib
# Each must run there: a variant that does not is no pass.
qemu-aarch64 -cpu max "$program" --small neon neon-bf16 amx-emulated
qemu-aarch64 -cpu cortex-a72 "$program" --small neon
