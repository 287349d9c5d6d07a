#!/usr/bin/env bash
# Runs a command whose temporary files are gone when it has ended: scripts/tidily.sh COMMAND…
set -uo pipefail
folder="$(mktemp -d "${TMPDIR:-/tmp}/omni.XXXXXX")" || exit 1
trap 'rm -rf "$folder"' EXIT
TMPDIR="$folder" "$@"
