#!/usr/bin/env bash
# Our graphs on an NVIDIA GPU: builds ggml's CUDA back end, checks every operation and tiny models of each family beside the CPU, and
# measures random models of true widths. Under 10 minutes on 16 cores.
#
#   Tools/gpu/run.sh                       on a machine with this checkout, Swift and CUDA's compiler
#   Tools/gpu/run.sh --pack FOLDER         here: everything that a machine without Swift and without a network needs, in FOLDER
#   bash FOLDER/Tools/gpu/run.sh           there, from a checkout, which has the tiny models
#
# OMNI_GPU=vulkan takes the Vulkan back end. OMNI_BENCH=0 leaves the measurements out. GGML_BACKEND_PATH names a back end that is built.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
BASE="$(cd "$HERE/../.." && pwd)"

pack() {
    local folder="$1" program="$BASE/.build/release/gpu-check"
    mkdir -p "$folder/lib" "$folder/scripts/patches" "$folder/Tools/gpu"
    (cd "$BASE" && swift build -c release --product gpu-check --static-swift-stdlib >&2)
    strip -o "$folder/gpu-check" "$program"
    # What it links from deps/, and nothing that another system has.
    ldd "$program" | awk '/deps\/lib/ { print $1, $3 }' | while read -r name file; do
        cp -L "$file" "$folder/lib/$name"; strip --strip-unneeded "$folder/lib/$name"
    done
    tar cf - -C "$folder" gpu-check lib | xz -9e -T0 > "$folder/program.tar.xz"
    rm -rf "$folder/gpu-check" "$folder/lib"
    # Other back ends' sources are the larger part.
    tar cf - --exclude-from=<(printf 'ggml/src/ggml-%s\n' cann hexagon metal opencl openvino rpc sycl virtgpu webgpu zdnn zendnn et blas) \
        -C "$(bash "$BASE/scripts/native.sh" --source)/vendor/llama.cpp" ggml | xz -9e > "$folder/ggml.tar.xz"
    cp "$BASE/native.lock" "$folder/"
    cp "$BASE/scripts/common.sh" "$folder/scripts/"
    cp -r "$BASE/scripts/patches/vulkan" "$folder/scripts/patches/"
    cp "$HERE/run.sh" "$HERE/backend.sh" "$HERE/make_models.py" "$folder/Tools/gpu/"
    du -sh "$folder" >&2
}

if [ "${1:-}" = "--pack" ]; then
    pack "${2:?usage: Tools/gpu/run.sh --pack FOLDER}"
    exit 0
fi

KIND="${OMNI_GPU:-cuda}"
WORK="$(mktemp -d)"
# Models of some gigabytes: in memory where there is a place for that.
MODELS="$WORK"; [ ! -d /dev/shm ] || MODELS="$(mktemp -d -p /dev/shm)"
trap 'rm -rf "$WORK" "$MODELS"' EXIT
if [ -f "$BASE/program.tar.xz" ]; then
    export OMNI_CHECKOUT="$PWD" OMNI_GGML="$WORK/ggml" LD_LIBRARY_PATH="$WORK/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    tar xJf "$BASE/program.tar.xz" -C "$WORK"
    tar xJf "$BASE/ggml.tar.xz" -C "$WORK"
    PROGRAM="$WORK/gpu-check"
else
    export OMNI_CHECKOUT="$BASE"
    (cd "$BASE" && swift build -c release --product gpu-check)
    PROGRAM="$BASE/.build/release/gpu-check"
fi

if [ "${OMNI_BENCH:-1}" = 1 ]; then
    # While nvcc works.
    { python3 "$HERE/make_models.py" picture "$MODELS/z-image-random" --layers 30 \
        && python3 "$HERE/make_models.py" text "$MODELS/qwen3-8b-random-q8_0.gguf"; } > "$WORK/models.log" 2>&1 &
    making=$!
fi
start=$SECONDS
[ -n "${GGML_BACKEND_PATH:-}" ] || GGML_BACKEND_PATH="$(bash "$HERE/backend.sh" "$KIND")"
export GGML_BACKEND_PATH
echo "back end built in $((SECONDS - start)) s: $(stat -c %s "$GGML_BACKEND_PATH") bytes"
[ "$KIND" != cuda ] || nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
failed=0
start=$SECONDS
"$PROGRAM" --root "$OMNI_CHECKOUT" || failed=1
echo "checked in $((SECONDS - start)) s"
if [ "${OMNI_BENCH:-1}" = 1 ]; then
    wait "$making" || { cat "$WORK/models.log"; exit 1; }
    start=$SECONDS
    printf '\n## speed\n\n'
    "$PROGRAM" --bench "$MODELS/qwen3-8b-random-q8_0.gguf" || failed=1
    for side in 256 512 1024; do "$PROGRAM" --bench "$MODELS/z-image-random" --side "$side" || failed=1; done
    echo "measured in $((SECONDS - start)) s"
fi
exit "$failed"
