#!/usr/bin/env bash
# Makes omni-emoji-motion from nothing, or goes on where it stopped, as all.sh does for omni-emoji.
#   setsid nohup nice -n 19 Tools/starter/motion.sh > /root/.cache/swift-omni/starter/motion.log 2>&1 &
set -euo pipefail
cd "$(dirname "$0")"
PYTHON="${STARTER_PYTHON:-/root/.cache/swift-omni/venv-train/bin/python}"
$PYTHON train_motion.py frames --steps "${FRAMES_STEPS:-2200}"
export TORCHINDUCTOR_CACHE_DIR="${STARTER_STATE:-/root/.cache/swift-omni/starter}/inductor"
$PYTHON train_motion.py video --steps 6000 --cooldown 0.4 --compile
$PYTHON train_motion.py video --steps 9000 --cooldown 0.334 --compile
# Look at it before it is published: python export_motion.py FOLDER, python evaluate_motion.py http://localhost:8091 OUT.png
