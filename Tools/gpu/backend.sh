#!/usr/bin/env bash
# Builds one of ggml's GPU back ends as a library of its own, which an ordinary build of swift-omni loads:
#
#   export GGML_BACKEND_PATH="$(Tools/gpu/backend.sh cuda)"      # or vulkan
#   omni serve --list-devices
#
# From the same sources as deps/, with nothing else compiled. The result is cached. OMNI_GPU_FLAGS is handed to CMake; by default CUDA is
# built for the GPUs of this machine. OMNI_GGML names a folder with ggml's sources, for machines without a network.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/common.sh"

KIND="${1:-}"
case "$KIND" in cuda | vulkan | hip | sycl | metal) ;; *) fail "usage: Tools/gpu/backend.sh cuda|vulkan" ;; esac
GGML="${OMNI_GGML:-}"
if [ -z "$GGML" ]; then
    [ -L "$ROOT/deps" ] || bash "$ROOT/scripts/native.sh" >&2
    GGML="$(bash "$ROOT/scripts/native.sh" --source)/vendor/llama.cpp/ggml"
fi
[ -f "$GGML/CMakeLists.txt" ] || fail "ggml's sources are not in $GGML; run scripts/native.sh after \`make distclean\`, or set OMNI_GGML"

FLAGS="-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DGGML_BACKEND_DL=ON -DGGML_CPU=OFF -DGGML_CCACHE=OFF -DGGML_BUILD_TESTS=OFF -DGGML_BUILD_EXAMPLES=OFF"
case "$KIND" in
    cuda) FLAGS="$FLAGS -DGGML_CUDA=ON -DGGML_CUDA_NCCL=OFF ${OMNI_GPU_FLAGS:--DCMAKE_CUDA_ARCHITECTURES=native}" ;;
    *) FLAGS="$FLAGS -DGGML_$(printf %s "$KIND" | tr '[:lower:]' '[:upper:]')=ON ${OMNI_GPU_FLAGS:-}" ;;
esac
PATCHES="$(cat "$ROOT/scripts/patches/$KIND"/*.patch 2>/dev/null | sha256_of -)"
KEY="$KIND-$LLAMA_VERSION-$(echo "$LLAMA_SHA256 $PATCHES $FLAGS" | sha256_of - | cut -c1-16)"
OUT="$OMNI_CACHE/backends/$KEY/libggml-$KIND.so"
[ -f "$OUT" ] && { echo "$OUT"; exit 0; }

hold_lock "$OMNI_CACHE/backends.lock" "another build of a back end"
if [ ! -f "$OUT" ]; then
    work="$OMNI_CACHE/build/$KEY"; log="$OMNI_CACHE/build/$KEY.log"
    make_folder "$work"
    # A copy: the sources that deps/ came from stay as they are.
    rm -rf "$work/ggml"; cp -r "$GGML" "$work/ggml"
    # The source distribution leaves it out; it would be installed, and nothing is.
    [ -f "$work/ggml/ggml.pc.in" ] || : > "$work/ggml/ggml.pc.in"
    for patch in "$ROOT/scripts/patches/$KIND"/*.patch; do
        [ -f "$patch" ] || continue
        patch -p2 --quiet -d "$work/ggml" < "$patch" || fail "$patch does not fit ggml"
    done
    say "Building ggml's $KIND back end (the log is $log)"
    # shellcheck disable=SC2086 # flags are words on purpose
    { cmake -S "$work/ggml" -B "$work/build" -G Ninja $FLAGS \
        && cmake --build "$work/build" -j"${OMNI_JOBS:-$(getconf _NPROCESSORS_ONLN)}" --target "ggml-$KIND"; } > "$log" 2>&1 \
        || { tail -n 30 "$log" >&2; fail "the build failed; the whole log is $log"; }
    make_folder "$(dirname "$OUT")"
    found="$(find "$work/build" -name "libggml-$KIND.so" | head -1)"
    [ -n "$found" ] || fail "the build made no libggml-$KIND.so; the log is $log"
    # Renamed into place: what is there is whole. ggml-base is the program's own.
    cp "$found" "$OUT.new" && mv "$OUT.new" "$OUT"
    rm -rf "$work"
fi
echo "$OUT"
