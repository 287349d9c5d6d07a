#!/usr/bin/env bash
# Packs the program for machines without a toolchain: dist/omni-VERSION-linux-ARCH.tar.gz, dist/omni_VERSION_ARCH.deb, dist/install.sh and
# dist/SHA256SUMS. It is built for all CPUs of the architecture, apart from the build for this machine (.build-dist, deps-portable).
#
#   scripts/dist.sh            build and pack
#   scripts/dist.sh --pack     pack what was built last
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

[ "$(uname -s)" = Linux ] || fail "packages are made on Linux; on macOS build from source (packaging/README.md)"
export OMNI_PORTABLE=1
VERSION="$(sed -n 's/.*number = "\(.*\)"/\1/p' Sources/omni/Version.swift)"
ARCH="$(uname -m)"
NAME="omni-$VERSION-linux-$ARCH"
BUILD="$ROOT/.build-dist"
PROGRAM="$BUILD/release/omni"
STAGE="$BUILD/stage"
TREE="$STAGE/$NAME"
# What files are dated with: two packages of one commit are the same.
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}"

build() {
    for part in system sherpa native whisper; do bash "scripts/$part.sh"; done
    # The headers are the same ones; where nothing was built for this machine, these serve.
    [ -e deps ] || link_into "$(readlink deps-portable)" deps || true
    [ -e deps-whisper ] || link_into "$(readlink deps-whisper-portable)" deps-whisper || true
    say "Building the program for all CPUs (about 12 minutes on 2 cores, once)"
    swift build -c release --product omni --scratch-path "$BUILD" --static-swift-stdlib \
        -Xswiftc -file-prefix-map -Xswiftc "$ROOT=omni" -Xcc "-ffile-prefix-map=$ROOT=omni" -Xcxx "-ffile-prefix-map=$ROOT=omni"
}

# Libraries by the names under which they are asked for.
copy_libraries() {
    local target="$1" library file
    for library in ggml ggml-base llama llama-common mtmd; do
        file="$(ls deps-portable/lib/lib$library.so.[0-9])" || fail "deps-portable has no lib$library; run scripts/native.sh with OMNI_PORTABLE=1"
        cp -L "$file" "$target/"
    done
    for file in deps-portable/lib/libggml-cpu-*.so; do cp -L "$file" "$target/"; done
    cp deps-whisper-portable/lib/libwhisper.so deps-sherpa/lib/libsherpa-onnx-c-api.so deps-sherpa/lib/libonnxruntime.so "$target/"
    strip --strip-unneeded "$target"/*.so*
    chmod 644 "$target"/*
}

# The licence of everything inside, a folder for each part.
copy_licences() {
    local target="$1" package file name sources toolchain
    cp LICENSE NOTICE "$target/"
    sources="$(bash scripts/native.sh --source)/vendor/llama.cpp"
    mkdir -p "$target/licenses/llama.cpp" "$target/licenses/whisper.cpp" "$target/licenses/swift"
    cp "$sources/LICENSE" "$sources"/licenses/LICENSE* "$target/licenses/llama.cpp/"
    cp "$(bash scripts/whisper.sh --source)/LICENSE" "$target/licenses/whisper.cpp/"
    toolchain="$(dirname "$(dirname "$(realpath "$(command -v swift)")")")"
    cp "$toolchain/share/swift/LICENSE.txt" "$target/licenses/swift/"
    for package in "$BUILD"/checkouts/*/; do
        for file in "$package"LICENSE* "$package"NOTICE* "$package"Sources/*/LICENSE*; do
            [ -f "$file" ] || continue
            name="${file#"$package"}"
            mkdir -p "$target/licenses/$(basename "$package")"
            cp "$file" "$target/licenses/$(basename "$package")/${name//\//-}"
        done
    done
    # Their package comes without the text: MIT as llama.cpp's, and Apache-2.0 as ours.
    mkdir -p "$target/licenses/onnxruntime" "$target/licenses/sherpa-onnx" "$target/licenses/icu"
    sed 's/^Copyright.*/Copyright (c) 2018 - present Microsoft Corporation/' "$sources/LICENSE" > "$target/licenses/onnxruntime/LICENSE"
    cp LICENSE "$target/licenses/sherpa-onnx/"
    # Foundation holds ICU; Debian's own ICU says under which terms it is.
    cp "$(ls /usr/share/doc/libicu*/copyright | head -n 1)" "$target/licenses/icu/" || fail "no licence of ICU on this system; install libicu"
}

# The tree that the tarball holds, and /usr of the Debian package.
assemble() {
    rm -rf "$STAGE"
    mkdir -p "$TREE"/bin "$TREE"/lib/omni "$TREE"/share/omni/whisper "$TREE"/share/man/man1 "$TREE"/share/doc/omni \
        "$TREE"/share/bash-completion/completions "$TREE"/share/zsh/site-functions "$TREE"/share/fish/vendor_completions.d
    strip -o "$TREE/bin/omni" "$PROGRAM"
    copy_libraries "$TREE/lib/omni"
    cp -R Models native.lock "$TREE/share/omni/"
    cp "deps-whisper-portable/models/"* "$TREE/share/omni/whisper/"
    local omni="$TREE/bin/omni"
    "$omni" --version >/dev/null || fail "the program does not run from $TREE"
    "$omni" --generate-completion-script bash > "$TREE/share/bash-completion/completions/omni"
    "$omni" --generate-completion-script zsh > "$TREE/share/zsh/site-functions/_omni"
    "$omni" --generate-completion-script fish > "$TREE/share/fish/vendor_completions.d/omni.fish"
    "$omni" --experimental-dump-help | "$(python_tool)" packaging/manual.py "$VERSION" > "$TREE/share/man/man1/omni.1"
    cp README.md CHANGELOG.md docs/install.md "$TREE/share/doc/omni/"
    copy_licences "$TREE/share/doc/omni"
    find "$TREE" -type d -exec chmod 755 {} +
    find "$TREE" -type f ! -path '*/bin/*' -exec chmod 644 {} +
}

# Nothing inside may name a folder of this machine, nor be looked for in one.
check_paths() {
    local folder found=""
    for folder in "$ROOT/" "$HOME/" "$OMNI_CACHE" "$(dirname "$(dirname "$(realpath "$(command -v swift)")")")/"; do
        found+="$(grep -rlaF "$folder" "$TREE" | sed "s#^$TREE/#$folder in #" || true)"
    done
    found+="$(for file in "$TREE"/bin/* "$TREE"/lib/omni/*.so*; do
        readelf -d "$file" | sed -n 's/.*R\(UN\)\?PATH.*\[\(.*\)\].*/\2/p' | tr : '\n' | grep -v '^\$ORIGIN' | sed "s#^#rpath of $(basename "$file"): #" || true
    done)"
    [ -z "$found" ] || fail "paths of this machine are inside:
$found"
}

pack_tarball() {
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$STAGE" -cf - "$NAME" | gzip -9n > "dist/$NAME.tar.gz"
}

pack_debian() {
    command -v dpkg-deb >/dev/null || { say "No dpkg-deb here: no Debian package"; return; }
    local root="$STAGE/debian" arch depends
    arch="$(dpkg --print-architecture)"
    mkdir -p "$root/DEBIAN" "$root/usr" "$root/etc/omni" "$root/lib/systemd/system" "$STAGE/shlibs/debian"
    cp -R "$TREE/." "$root/usr/"
    mkdir -p "$root/usr/share/zsh/vendor-completions"
    mv "$root/usr/share/zsh/site-functions/_omni" "$root/usr/share/zsh/vendor-completions/"
    rmdir "$root/usr/share/zsh/site-functions"
    gzip -9n "$root/usr/share/man/man1/omni.1" "$root/usr/share/doc/omni/CHANGELOG.md"
    # Debian looks for it under this name.
    mv "$root/usr/share/doc/omni/NOTICE" "$root/usr/share/doc/omni/copyright"
    cp packaging/debian/omni.yaml "$root/etc/omni/"
    cp packaging/debian/omni.service "$root/lib/systemd/system/"
    : > "$STAGE/shlibs/debian/control"
    depends="$(cd "$STAGE/shlibs" && dpkg-shlibdeps -O --ignore-missing-info -l"$TREE/lib/omni" -e"$TREE/bin/omni" \
        $(printf -- '-e%s ' "$TREE"/lib/omni/*.so*) 2>"$STAGE/shlibs/log" | sed -n 's/^shlibs:Depends=//p')" || { cat "$STAGE/shlibs/log" >&2; fail "dpkg-shlibdeps failed"; }
    sed -e "s/@VERSION@/$VERSION/; s/@ARCH@/$arch/; s/@DEPENDS@/$depends/; s/@SIZE@/$(du -sk "$root" | cut -f1)/" packaging/debian/control > "$root/DEBIAN/control"
    echo /etc/omni/omni.yaml > "$root/DEBIAN/conffiles"
    for script in postinst prerm postrm; do install -m 755 "packaging/debian/$script" "$root/DEBIAN/"; done
    (cd "$root" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum > DEBIAN/md5sums)
    find "$root" -type d -exec chmod 755 {} +
    dpkg-deb --root-owner-group -Zxz -z3 --build "$root" "dist/omni_${VERSION}_$arch.deb" >/dev/null
}

[ "${1:-}" = --pack ] || build
[ -x "$PROGRAM" ] || fail "$PROGRAM is not built; run make dist"
assemble
check_paths
rm -rf dist
mkdir -p dist
pack_tarball
pack_debian
cp packaging/install.sh dist/
(cd dist && sha256sum omni* install.sh > SHA256SUMS)
say "Packed: $(cd dist && du -h omni* | awk '{ print $2 " (" $1 ")" }' | paste -sd ' ')"
