#!/usr/bin/env bash
# Makes omni-emoji from nothing, or goes on where it stopped: every stage resumes from its checkpoint, and a stage that has
# reached its steps ends at once. Low priority; pause with `kill -STOP $(cat /tmp/starter-train.pid)`, go on with -CONT.
#   setsid nohup Tools/starter/all.sh > /root/.cache/swift-omni/starter/all.log 2>&1 &
set -euo pipefail
export TORCHINDUCTOR_CACHE_DIR="${TORCHINDUCTOR_CACHE_DIR:-${STARTER_STATE:-/root/.cache/swift-omni/starter}/inductor}"
cd "$(dirname "$0")"
PYTHON="${STARTER_PYTHON:-/root/.cache/swift-omni/venv-train/bin/python}"
$PYTHON train_vae.py base --steps "${VAE_STEPS:-2600}"
$PYTHON train_image.py --steps "${IMAGE_STEPS:-7200}" --tier "${IMAGE_TIER:-2}" --fresh 1 --cooldown 0.3 --compile
$PYTHON train_vae.py grow --steps "${GROW_STEPS:-2400}"
# Look at it before it is published: python export.py FOLDER, python evaluate.py FOLDER sheet OUT.png
