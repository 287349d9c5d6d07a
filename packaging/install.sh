#!/bin/sh
# Installs omni for this user: fetches a release, checks it, unpacks it to ~/.local. Run again, it replaces what it installed.
#
#   OMNI_RELEASE   where omni-VERSION-linux-ARCH.tar.gz and SHA256SUMS are: a folder, file:// or http(s)://; where this script lies by default
#   OMNI_PREFIX    instead of ~/.local
set -eu

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

prefix="${OMNI_PREFIX:-${HOME:?HOME is not set; set it, or OMNI_PREFIX}/.local}"
release="${OMNI_RELEASE:-$(cd "$(dirname "$0")" && pwd)}"
release="${release#file://}"
release="${release%/}"
arch="$(uname -m)"
[ "$(uname -s)" = Linux ] || fail "there are packages for Linux only; elsewhere build it from source"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# fetch FILE: a file of the release, into $work.
fetch() {
    case "$release" in
        http://* | https://*)
            if [ -t 2 ]; then progress=--progress-bar quiet=; else progress=-sS quiet=-q; fi
            if command -v curl >/dev/null; then curl -fL --proto '=http,https' $progress -o "$work/$1" "$release/$1"
            elif command -v wget >/dev/null; then wget $quiet -O "$work/$1" "$release/$1"
            else fail "neither curl nor wget is here"; fi || fail "$release/$1 could not be fetched" ;;
        *) cp "$release/$1" "$work/$1" || fail "there is no $1 in $release; name the release's folder or address in OMNI_RELEASE" ;;
    esac
}

fetch SHA256SUMS
archive="$(sed -n "s/^[0-9a-f]*  \(omni-[^ ]*-linux-$arch\.tar\.gz\)$/\1/p" "$work/SHA256SUMS")"
[ -n "$archive" ] || fail "the release has no package for linux-$arch"
fetch "$archive"
grep "  $archive\$" "$work/SHA256SUMS" > "$work/sum"
(cd "$work" && sha256sum -c sum >/dev/null 2>&1) || fail "$archive does not have the checksum of SHA256SUMS: it is damaged, or not what was released"

tar -xzf "$work/$archive" -C "$work" || fail "$archive could not be unpacked; is the disk full?"
tree="$work/${archive%.tar.gz}"
mkdir -p "$prefix"
# Files of an older version go with it.
rm -rf "$prefix/lib/omni" "$prefix/share/omni/Models" "$prefix/share/omni/whisper" "$prefix/share/doc/omni"
# A running program's file cannot be written over, only replaced.
rm -f "$prefix/bin/omni"
(cd "$tree" && tar -cf - .) | (cd "$prefix" && tar -xf - --no-same-owner) || fail "$prefix could not be written; is the disk full?"

printf '%s is in %s\n' "${archive%.tar.gz}" "$prefix"
if ! reason="$("$prefix/bin/omni" --version 2>&1)"; then
    printf '%s\n' "$reason" >&2
    fail "it does not start yet. On Debian 12, as root:
  apt-get install --no-install-recommends libavformat59 libavcodec59 libswscale6 libswresample4 libavutil57 libsqlite3-0 libgomp1 zlib1g espeak-ng ca-certificates
Elsewhere it needs FFmpeg 5.1's libraries under these names; where there are others, build from source."
fi
command -v espeak-ng >/dev/null || echo "Voices need espeak-ng (on Debian, as root: apt-get install --no-install-recommends espeak-ng)."
case ":$PATH:" in *":$prefix/bin:"*) ;; *) echo "Add it to PATH: export PATH=\"$prefix/bin:\$PATH\"" ;; esac
echo 'Next: omni setup (the starter models, 370 MB), then: omni serve (http://localhost:8091)'
