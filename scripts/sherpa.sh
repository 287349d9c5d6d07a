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
    local work="$PREFIX.staging.$$" sum_name="SHERPA_SHA256_$PLATFORM"
    local sum="${!sum_name:-}"
    say "Fetching $SHERPA_PACKAGE $SHERPA_VERSION"
    rm -rf "$work"; mkdir -p "$work"
    "$(python_tool)" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        "$SHERPA_PACKAGE==$SHERPA_VERSION" -d "$work" >&2
    local wheel; wheel="$(echo "$work"/*.whl)"
    if [ -n "$sum" ]; then
        check_sha256 "$wheel" "$sum" || fail "checksum of $wheel is not the one in native.lock"
    else
        say "native.lock has no checksum for $PLATFORM; this wheel was not checked"
    fi
    "$(python_tool)" -m zipfile -e "$wheel" "$work/unpacked"
    mkdir -p "$work/prefix"
    mv "$work/unpacked/sherpa_onnx/include" "$work/unpacked/sherpa_onnx/lib" "$work/prefix/"
    echo "SHERPA_VERSION=$SHERPA_VERSION" > "$work/prefix/BUILD"
    rm -rf "$PREFIX"; mv "$work/prefix" "$PREFIX"; rm -rf "$work"
}

mkdir -p "$OMNI_CACHE/sherpa"
exec 9>"$OMNI_CACHE/sherpa.lock"
command -v flock >/dev/null && flock 9   # two clones fetching at once wait for each other
[ -f "$PREFIX/BUILD" ] || fetch
ln -sfn "$PREFIX" "$ROOT/deps-sherpa"
