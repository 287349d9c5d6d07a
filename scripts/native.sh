#!/usr/bin/env bash
# Builds llama.cpp, ggml and libmtmd from the pinned source distribution, with the changes in scripts/patches, and links them
# into the checkout as deps/.
#
# The result is cached in $OMNI_CACHE/native/KEY, where KEY covers the version, the patches, the CMake flags and the CPU
# (the build is -march=native). A second clone on the same machine costs seconds; another CPU rebuilds.
# OMNI_NATIVE_FLAGS is handed to CMake, for example OMNI_NATIVE_FLAGS=-DGGML_CUDA=ON. With OMNI_PORTABLE=1 it is a build for all CPUs
# that names no folder of this machine; it is linked as deps-portable/.
#
#   scripts/native.sh            build if needed, link deps/
#   scripts/native.sh --key      print the cache key only
#   scripts/native.sh --source   print where the patched sources are, or would be
#   scripts/native.sh --server   also build llama-server from the same source, for `make bench`
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cpu_identity() {
    if [ -r /proc/cpuinfo ]; then
        grep -m1 -E '^(model name|Model)' /proc/cpuinfo || true
        grep -m1 -E '^(flags|Features)' /proc/cpuinfo || true
    else
        sysctl -n machdep.cpu.brand_string 2>/dev/null || uname -m
    fi
}

FLAGS="$LLAMA_CMAKE_FLAGS ${OMNI_NATIVE_FLAGS:-}" LINK=deps WHOM="this CPU" COMPILER_FLAGS=()
if [ -n "${OMNI_PORTABLE:-}" ]; then
    FLAGS="$FLAGS $LLAMA_PORTABLE_CMAKE_FLAGS" LINK=deps-portable WHOM="all CPUs" least=""
    # What the program needs too.
    [ "$(uname -m)" != x86_64 ] || least=-march=x86-64-v3
    cpu_identity() { echo "$(uname -m) $least"; }
fi
PATCH_FILES="$(ls "$ROOT"/scripts/patches/*.patch)"
# Those of a back end that few build: no others pay for them with a new build.
case "$FLAGS" in *GGML_VULKAN=ON*) PATCH_FILES="$PATCH_FILES
$(ls "$ROOT"/scripts/patches/vulkan/*.patch)" ;; esac
case "$FLAGS" in *GGML_CPU_ALL_VARIANTS=ON*) PATCH_FILES="$PATCH_FILES
$(ls "$ROOT"/scripts/patches/portable/*.patch)" ;; esac
PATCHES="$(printf '%s\n' "$PATCH_FILES" | while read -r file; do cat "$file"; done | sha256_of - | cut -c1-8)"
KEY="$LLAMA_VERSION-$( { echo "$LLAMA_SHA256 $PATCHES $FLAGS"; cpu_identity; } | sha256_of - | cut -c1-16)"
[ "${1:-}" = "--key" ] && { echo "$KEY"; exit 0; }

PREFIX="$OMNI_CACHE/native/$KEY"
SOURCES="$OMNI_CACHE/src/$LLAMA_PACKAGE-$LLAMA_VERSION-$PATCHES"
[ "${1:-}" = "--source" ] && { echo "$SOURCES"; exit 0; }
if [ -n "${OMNI_PORTABLE:-}" ]; then
    compile="$least -ffile-prefix-map=$SOURCES/vendor/="
    COMPILER_FLAGS=("-DCMAKE_C_FLAGS=$compile" "-DCMAKE_CXX_FLAGS=$compile")
fi
JOBS="${OMNI_JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}"
# The libraries find each other beside themselves.
case "$(uname -s)" in Darwin) BESIDE='@loader_path' ;; *) BESIDE='$ORIGIN' ;; esac

fetch_sources() {
    [ -f "$SOURCES/.complete" ] && return
    say "Fetching $LLAMA_PACKAGE $LLAMA_VERSION (73 MB source distribution)"
    local archive="llama_cpp_python-$LLAMA_VERSION.tar.gz" staging="$SOURCES.staging"
    # Only this package is taken as source; its build requirements may come as wheels.
    fetch_package "$archive" "$LLAMA_SHA256" --no-binary "$LLAMA_PACKAGE" "$LLAMA_PACKAGE==$LLAMA_VERSION"
    rm -rf "$staging" "$SOURCES"; make_folder "$staging"
    tar xzf "$OMNI_CACHE/downloads/$archive" -C "$staging" --strip-components=1 || fail "could not unpack $archive into $staging; is the disk full?"
    printf '%s\n' "$PATCH_FILES" | while read -r patch; do
        patch -p1 --quiet -d "$staging/vendor/llama.cpp" < "$patch" || fail "$patch does not fit $LLAMA_PACKAGE $LLAMA_VERSION"
    done
    touch "$staging/.complete"
    mv "$staging" "$SOURCES"
    rm -f "$OMNI_CACHE/downloads/$archive"
}

# run_cmake LOG COMMAND…: runs with a one-line progress display; the compiler's output goes to the log.
run_cmake() {
    local log="$1"; shift
    if ! "$@" 2>&1 | tee -a "$log" | awk -v tty="$([ -t 2 ] && echo 1 || echo 0)" '
        match($0, /^\[[0-9]+\/[0-9]+\]/) {
            step = substr($0, RSTART + 1, RLENGTH - 2); split(step, part, "/")
            if (tty) printf "\r    compiling %s   ", step > "/dev/stderr"
            else if (part[1] % 20 == 0) print "    compiling " step > "/dev/stderr"
        } END { if (tty) print "" > "/dev/stderr" }'; then
        tail -n 40 "$log" >&2
        fail "the native build failed; the whole log is $log"
    fi
}

build_native() {
    command -v cmake >/dev/null || fail "cmake is missing; run scripts/system.sh"
    command -v ninja >/dev/null || fail "ninja is missing; run scripts/system.sh"
    command -v patch >/dev/null || fail "patch is missing; run scripts/system.sh"
    make_folder "$OMNI_CACHE/native"
    need_disk "$OMNI_CACHE/native" 600 "the native build"
    fetch_sources
    local work="$OMNI_CACHE/build/$KEY" staging="$PREFIX.staging" log="$OMNI_CACHE/build/$KEY.log"
    if [ -f "$work/build.ninja" ]; then say "Going on with an interrupted build of llama.cpp and ggml"
    else say "Building llama.cpp and ggml for $WHOM (about 6 minutes on 2 cores, once; the log is $log)"; fi
    make_folder "$work"; : > "$log"
    rm -rf "$staging"
    # shellcheck disable=SC2086 # flags are words on purpose
    run_cmake "$log" cmake -S "$SOURCES/vendor/llama.cpp" -B "$work" -G Ninja $FLAGS ${COMPILER_FLAGS[@]+"${COMPILER_FLAGS[@]}"} \
        -DCMAKE_INSTALL_PREFIX="$staging" -DCMAKE_INSTALL_LIBDIR=lib "-DCMAKE_INSTALL_RPATH=$BESIDE"
    run_cmake "$log" cmake --build "$work" -j"$JOBS"
    run_cmake "$log" cmake --install "$work"
    # llama.cpp's common library has no installed headers; the chat shim needs them.
    make_folder "$staging/include/llama-common/jinja"
    cp "$SOURCES"/vendor/llama.cpp/common/*.h "$staging/include/llama-common/"
    cp "$SOURCES"/vendor/llama.cpp/common/jinja/*.h "$staging/include/llama-common/jinja/"
    # Written last: a folder with this file is whole.
    printf '%s\n' "LLAMA_VERSION=$LLAMA_VERSION" "FLAGS=\"$FLAGS\"" "KEY=$KEY" > "$staging/BUILD"
    rm -rf "$PREFIX"; mv "$staging" "$PREFIX"; rm -rf "$work"
}

# The benchmark's peer, from the very same source and with the very same libraries; never linked or shipped.
build_server() {
    local out="$OMNI_CACHE/llama-server/$KEY" work="$OMNI_CACHE/build/server-$KEY" log="$OMNI_CACHE/build/server-$KEY.log"
    [ -x "$out/llama-server" ] && { echo "$out/llama-server"; return; }
    fetch_sources
    say "Building llama-server from the same source, for the benchmark only (about 3 minutes on 2 cores, once)"
    make_folder "$work"; : > "$log"
    run_cmake "$log" cmake -S "$ROOT/scripts/llama-server" -B "$work" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DSOURCES="$SOURCES/vendor/llama.cpp" -DDEPS="$PREFIX" -DCMAKE_BUILD_RPATH="$PREFIX/lib" -DBUILD_SHARED_LIBS=OFF \
        -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF
    run_cmake "$log" cmake --build "$work" -j"$JOBS" --target llama-server
    make_folder "$out"
    # Renamed into place: what is there is whole.
    cp "$work/server/llama-server" "$out/llama-server.new" && mv "$out/llama-server.new" "$out/llama-server"
    rm -rf "$work"
    echo "$out/llama-server"
}

# A build is used when its last file and the libraries are there: someone may have cleaned the cache half.
is_built() { [ -f "$PREFIX/BUILD" ] && ls "$PREFIX"/lib/libllama.* "$PREFIX"/lib/libmtmd.* "$PREFIX"/include/llama.h >/dev/null 2>&1; }

if ! is_built; then
    hold_lock "$OMNI_CACHE/native.lock" "another native build"
    is_built || build_native
fi
link_into "$PREFIX" "$LINK" || true
if [ "${1:-}" = "--server" ]; then
    hold_lock "$OMNI_CACHE/native.lock" "another native build"
    build_server
fi
