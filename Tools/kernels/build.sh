#!/usr/bin/env bash
# Compiles CTensor and check.c, or $MAIN, without SwiftPM into a program. Objects that are newer than all sources stay.
#
#   Tools/kernels/build.sh PROGRAM [COMPILER FLAG…]
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
kernels="$here/../../Sources/CTensor"
program="$1"; shift
main="${MAIN:-$here/check.c}"
objects="$program.objects"
mkdir -p "$objects"
[ "$(cat "$objects/flags" 2>/dev/null)" = "$*" ] || rm -f "$objects"/*.o
echo "$*" > "$objects/flags"
newest="$(ls -t "$kernels"/*.[ch] "$kernels"/*/*.[ch] | head -n 1)"
running=()
for source in "$kernels"/*.c "$kernels"/variants/*.c "$main"; do
    object="$objects/$(basename "$source" .c).o"
    [ "$object" -nt "$newest" ] && [ "$object" -nt "$source" ] && continue
    clang -O2 -std=gnu17 -Wall -Wextra -Werror "$@" -I"$kernels/include" -c "$source" -o "$object" &
    running+=($!)
done
for process in ${running[@]+"${running[@]}"}; do wait "$process"; done
clang "$@" -fuse-ld=lld "$objects"/*.o -lm -lpthread -o "$program"
