#!/usr/bin/env bash
# Fetches sherpa-onnx's C API and libraries from PyPI and links them into the checkout as deps-sherpa/.
#
# They are cached in $OMNI_CACHE/sherpa/KEY; a second clone on the same machine costs nothing.
#
#   scripts/sherpa.sh          fetch if needed, link deps-sherpa/
#   scripts/sherpa.sh --key    print the cache key only
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PLATFORM="$(uname -s | tr '[:upper:]' '[:lower:]')_$(uname -m)"
KEY="$SHERPA_VERSION-$PLATFORM"
[ "${1:-}" = "--key" ] && { echo "$KEY"; exit 0; }
PREFIX="$OMNI_CACHE/sherpa/$KEY"

fetch() {
    local tag sum_name="SHERPA_SHA256_$PLATFORM" wheel work="$PREFIX.staging"
    case "$PLATFORM" in
        linux_*) tag="manylinux2014_$(uname -m)" ;;
        darwin_arm64) tag=macosx_11_0_arm64 ;;
        *) tag=macosx_10_15_x86_64 ;;
    esac
    [ -n "${!sum_name:-}" ] || fail "native.lock pins no $SHERPA_PACKAGE for $PLATFORM; voices cannot be built here"
    wheel="$(echo "$SHERPA_PACKAGE" | tr - _)-$SHERPA_VERSION-py3-none-$tag.whl"
    say "Fetching $SHERPA_PACKAGE $SHERPA_VERSION"
    make_folder "$work"
    need_disk "$work" 150 "$SHERPA_PACKAGE"
    fetch_package "$wheel" "${!sum_name}" --only-binary :all: "$SHERPA_PACKAGE==$SHERPA_VERSION"
    rm -rf "$work"; make_folder "$work"
    "$(python_tool)" -m zipfile -e "$OMNI_CACHE/downloads/$wheel" "$work/unpacked" || fail "could not unpack $wheel; is the disk full?"
    make_folder "$work/prefix"
    mv "$work/unpacked/sherpa_onnx/include" "$work/unpacked/sherpa_onnx/lib" "$work/prefix/"
    # Written last: a folder with this file is whole.
    echo "SHERPA_VERSION=$SHERPA_VERSION" > "$work/prefix/BUILD"
    rm -rf "$PREFIX"; mv "$work/prefix" "$PREFIX"
    rm -rf "$work" "$OMNI_CACHE/downloads/$wheel"
}

if [ ! -f "$PREFIX/BUILD" ]; then
    hold_lock "$OMNI_CACHE/sherpa.lock" "another fetch of $SHERPA_PACKAGE"
    [ -f "$PREFIX/BUILD" ] || fetch
fi
link_into "$PREFIX" deps-sherpa || true
