#!/usr/bin/env bash
# Builds libwhisper from the pinned source distribution, with the change in scripts/patches/whisper, against the ggml that scripts/native.sh
# has built, and links it into the checkout as deps-whisper/; with OMNI_PORTABLE=1 for all CPUs, as deps-whisper-portable/.
#
# It is cached in $OMNI_CACHE/whisper/KEY, where KEY covers its version, its patches and the ggml below it. It is one file: no CMake.
#
#   scripts/whisper.sh            build if needed, link deps-whisper/
#   scripts/whisper.sh --key      print the cache key only
#   scripts/whisper.sh --source   fetch the sources if needed, print where they are
#   scripts/whisper.sh --cli      also build whisper.cpp's own command from the unchanged source, for `make bench`; print where it is
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PATCHES="$(cat "$ROOT"/scripts/patches/whisper/*.patch | sha256_of - | cut -c1-8)"
NATIVE="$(bash "$ROOT/scripts/native.sh" --key)"
GGML="$OMNI_CACHE/native/$NATIVE"
KEY="$WHISPER_CPP_VERSION-$(echo "$WHISPER_SHA256 $PATCHES $NATIVE 1" | sha256_of - | cut -c1-16)"
[ "${1:-}" = "--key" ] && { echo "$KEY"; exit 0; }
PREFIX="$OMNI_CACHE/whisper/$KEY"
SOURCES="$OMNI_CACHE/src/whisper.cpp-$WHISPER_CPP_VERSION"
# A build for all CPUs: ggml chooses its kernels when the program runs, and the rest needs what the program itself needs.
LINK=deps-whisper FOR_CPU=(-march=native) BESIDE="$GGML/lib"
if [ -n "${OMNI_PORTABLE:-}" ]; then
    LINK=deps-whisper-portable FOR_CPU=("-ffile-prefix-map=$OMNI_CACHE/=") BESIDE='$ORIGIN'
    [ "$(uname -m)" != x86_64 ] || FOR_CPU+=(-march=x86-64-v3)
fi

fetch_sources() {
    [ -f "$SOURCES/.complete" ] && return
    say "Fetching $WHISPER_PACKAGE $WHISPER_VERSION (10 MB source distribution)"
    local archive="$WHISPER_PACKAGE-$WHISPER_VERSION.tar.gz" staging="$SOURCES.staging"
    fetch_package "$archive" "$WHISPER_SHA256" --no-binary "$WHISPER_PACKAGE" "$WHISPER_PACKAGE==$WHISPER_VERSION"
    rm -rf "$staging" "$SOURCES"; make_folder "$staging"
    # Its own ggml is not wanted.
    tar xzf "$OMNI_CACHE/downloads/$archive" -C "$staging" --strip-components=2 --exclude='*/whisper.cpp/ggml' \
        "$WHISPER_PACKAGE-$WHISPER_VERSION/whisper.cpp" || fail "could not unpack $archive into $staging; is the disk full?"
    touch "$staging/.complete"
    mv "$staging" "$SOURCES"
    rm -f "$OMNI_CACHE/downloads/$archive"
}

# compile LOG ARGUMENTS…: the C++ compiler with the flags of all builds here.
compile() {
    local log="$1"; shift
    if ! "${CXX:-c++}" -O3 -DNDEBUG "${FOR_CPU[@]}" -std=c++17 -fPIC -pthread "-DWHISPER_VERSION=\"$WHISPER_CPP_VERSION\"" -I"$GGML/include" "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        fail "whisper.cpp could not be built; the whole log is $log"
    fi
}

build() {
    local work="$PREFIX.staging" log="$OMNI_CACHE/build/whisper-$KEY.log" library=libwhisper.so name=-Wl,-soname,libwhisper.so
    [ -f "$GGML/BUILD" ] || fail "there is no ggml to build whisper.cpp with; run scripts/native.sh"
    command -v patch >/dev/null || fail "patch is missing; run scripts/system.sh"
    make_folder "$OMNI_CACHE/build"
    fetch_sources
    say "Building whisper.cpp $WHISPER_CPP_VERSION for this CPU (about a minute, once)"
    rm -rf "$work"; make_folder "$work/source"; make_folder "$work/prefix/include"; make_folder "$work/prefix/lib"
    need_disk "$work" 100 "whisper.cpp"
    cp -R "$SOURCES/src" "$SOURCES/include" "$work/source/"
    for patch in "$ROOT"/scripts/patches/whisper/*.patch; do
        patch -p1 --quiet -d "$work/source" < "$patch" || fail "$patch does not fit whisper.cpp $WHISPER_CPP_VERSION"
    done
    if [ "$(uname -s)" = Darwin ]; then library=libwhisper.dylib; name=-Wl,-install_name,@rpath/libwhisper.dylib; fi
    compile "$log" -shared "$name" -DWHISPER_SHARED -DWHISPER_BUILD -I"$work/source/include" -I"$work/source/src" "$work/source/src/whisper.cpp" \
        -o "$work/prefix/lib/$library" -L"$GGML/lib" "-Wl,-rpath,$BESIDE" -lggml -lggml-base
    cp "$work/source/include/whisper.h" "$work/prefix/include/"
    # whisper.h names ggml's headers as its neighbours; links, so that a compiler takes them for the files that they are.
    for header in "$GGML"/include/ggml*.h "$GGML"/include/gguf.h; do ln -s "$header" "$work/prefix/include/"; done
    # Written last: a folder with this file is whole.
    printf '%s\n' "WHISPER_CPP_VERSION=$WHISPER_CPP_VERSION" "KEY=$KEY" > "$work/prefix/BUILD"
    rm -rf "$PREFIX"; mv "$work/prefix" "$PREFIX"; rm -rf "$work"
}

# The benchmark's peer: the unchanged source, with the very same ggml; never linked or shipped.
build_cli() {
    local out="$OMNI_CACHE/whisper-cli/$KEY" log="$OMNI_CACHE/build/whisper-cli-$KEY.log"
    [ -x "$out/whisper-cli" ] && { echo "$out/whisper-cli"; return; }
    fetch_sources
    say "Building whisper.cpp's own command, for the benchmark only (about 3 minutes, once)"
    make_folder "$out"
    local examples="$SOURCES/examples"
    compile "$log" -I"$SOURCES/include" -I"$SOURCES/src" -I"$examples" "$SOURCES/src/whisper.cpp" "$examples/cli/cli.cpp" "$examples/common.cpp" \
        "$examples/common-ggml.cpp" "$examples/common-whisper.cpp" "$examples/grammar-parser.cpp" \
        -o "$out/whisper-cli.new" -L"$GGML/lib" "-Wl,-rpath,$GGML/lib" -lggml -lggml-base -lggml-cpu
    mv "$out/whisper-cli.new" "$out/whisper-cli"
    echo "$out/whisper-cli"
}

# What the starter recognizer is made with: Whisper base without its weights, and the Silero VAD, which whisper.cpp's source carries.
keep_models() {
    [ -f "$PREFIX/models/$WHISPER_VAD_FILE" ] && return
    fetch_sources
    rm -rf "$PREFIX/models.new"; make_folder "$PREFIX/models.new"
    cp "$SOURCES/models/for-tests-ggml-base.bin" "$PREFIX/models.new/$WHISPER_BASE_HEAD"
    cp "$SOURCES/models/for-tests-silero-v6.2.0-ggml.bin" "$PREFIX/models.new/$WHISPER_VAD_FILE"
    rm -rf "$PREFIX/models"; mv "$PREFIX/models.new" "$PREFIX/models"
}

is_built() { [ -f "$PREFIX/BUILD" ] && ls "$PREFIX"/lib/libwhisper.* "$PREFIX"/include/whisper.h >/dev/null 2>&1; }

if [ "${1:-}" = "--source" ]; then
    hold_lock "$OMNI_CACHE/whisper.lock" "another build of whisper.cpp"
    fetch_sources
    echo "$SOURCES"
    exit 0
fi
if ! is_built || [ ! -d "$PREFIX/models" ]; then
    hold_lock "$OMNI_CACHE/whisper.lock" "another build of whisper.cpp"
    is_built || build
    keep_models
fi
link_into "$PREFIX" "$LINK" || true
if [ "${1:-}" = "--cli" ]; then
    hold_lock "$OMNI_CACHE/whisper.lock" "another build of whisper.cpp"
    build_cli
fi
