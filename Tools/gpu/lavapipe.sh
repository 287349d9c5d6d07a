#!/usr/bin/env bash
# Our graphs on Mesa's lavapipe, a Vulkan device on the CPU: slow, but it runs ggml-vulkan's code with its memory model. Not a part of
# `make test-full` yet: with Debian 12's Mesa the process dies inside the driver (docs/gpu.md).
#
# Needs Debian's mesa-vulkan-drivers, libvulkan-dev, glslc and spirv-headers; without them it says so and ends well. Words after the
# script's name are handed to gpu-check.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/common.sh"
cd "$ROOT"

ICD="$(ls /usr/share/vulkan/icd.d/lvp_icd*.json 2>/dev/null | head -1)"
if [ -z "$ICD" ] || ! command -v glslc >/dev/null || [ ! -f /usr/include/vulkan/vulkan.hpp ]; then
    say "SKIPPED: graphs on lavapipe; install mesa-vulkan-drivers libvulkan-dev glslc spirv-headers"
    exit 0
fi
GGML_BACKEND_PATH="$(bash Tools/gpu/backend.sh vulkan)"
# ggml passes over CPUs unless they are named.
export GGML_BACKEND_PATH GGML_VK_VISIBLE_DEVICES=0 VK_DRIVER_FILES="$ICD" VK_ICD_FILENAMES="$ICD"
swift build --product gpu-check >&2
.build/debug/gpu-check --device Vulkan0 "$@"
