#!/usr/bin/env bash
# Checks the kernels of a native build on this CPU once, with the program that was built on it: scripts/check-kernels.sh PROGRAM
#
# A build that was found right is remembered beside it, so that the next run costs nothing; --again forgets that.
# Broken kernels are shown and end with 1: `make test` stops there, `make serve` goes on, since workers have a safe mode.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PROGRAM="${1:?usage: scripts/check-kernels.sh PROGRAM [--again]}"
KEY="$(sed -n 's/^KEY=//p' "$ROOT/deps/BUILD" 2>/dev/null)"
# Our own kernels are part of the program.
SUM="$(cat "$ROOT"/Sources/CTensor/*.[ch] "$ROOT"/Sources/CTensor/*/*.[ch] "$ROOT"/Sources/OmniKernelCheck/*.swift 2>/dev/null | sha256_of - | cut -c1-16)"
STAMP="$OMNI_CACHE/kernels-checked/$KEY-$SUM"
[ "${2:-}" != "--again" ] && [ -f "$STAMP" ] && exit 0
say "Checking every kernel on this CPU (half a minute, once for a native build)"
report="$("$PROGRAM" doctor --kernels)" || { printf '%s\n' "$report" >&2; exit 1; }
make_folder "$OMNI_CACHE/kernels-checked"
printf '%s\n' "$report" > "$STAMP"
