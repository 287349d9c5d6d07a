#!/usr/bin/env bash
# Type-checks OmniClient, OmniAPI and the examples for Apple's systems on Linux, where no Apple SDK is to be had: nobody here has a Mac.
#
# The standard library's interfaces of this toolchain are compiled again for each system, so that availability and concurrency are
# checked by the compiler itself. Foundation, NIO and AsyncHTTPClient stand in stubs/ as far as they are used, with the signatures and the
# Sendable-ness that they have there; whoever uses more of them adds it. What is proved ends where the stubs differ from the real ones.
#
#   Tools/sdk/apple/check.sh [FOLDER]     works in FOLDER, which is quicker the second time, instead of a temporary one
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$HERE/../../.." && pwd)"
if [ $# -gt 0 ]; then mkdir -p "$1"; WORK="$(cd "$1" && pwd)"; else WORK="$(mktemp -d)"; trap 'rm -rf "$WORK"' EXIT; fi
TOOLCHAIN="$(cd "$(dirname "$(readlink -f "$(command -v swiftc)")")/.." && pwd)"
INTERFACES="$TOOLCHAIN/lib/swift/linux"
MACHINE="$(uname -m)"
STANDARD="Swift _Builtin_float _Concurrency _RegexParser _StringProcessing Synchronization SwiftOnoneSupport"
STUBS="Foundation NIOCore NIOPosix NIOHTTP1 AsyncHTTPClient"

mkdir -p "$WORK/sdk/usr/include" "$WORK/resources"
for part in shims clang; do ln -sfn "$TOOLCHAIN/lib/swift/$part" "$WORK/resources/$part"; done

# make_standard TARGET PLATFORM TRIPLE: the interfaces as the compiler looks for them on that system.
make_standard() {
    local module folder interface
    for module in $STANDARD; do
        folder="$WORK/resources/$2/$module.swiftmodule"
        interface="$folder/$3.swiftinterface"
        mkdir -p "$folder"
        # No Glibc there; backDeployed bodies would be checked against older systems than the interface was written for.
        sed -e "s/-target $MACHINE-unknown-linux-gnu/-target $1/" -e 's/^\(\/\/ swift-module-flags:.*\)-static /\1/' -e '/^ *@backDeployed/d' \
            -e 's/^\(\/\/ swift-module-flags:\)/\1 -disable-availability-checking/' -e 's/^import Glibc//' -e 's/_swift_stdlib_gettid()/UInt32(0)/' \
            "$INTERFACES/$module.swiftmodule/$MACHINE-unknown-linux-gnu.swiftinterface" > "$interface.new"
        # Kept when it is the same, so that its module need not be built again.
        if cmp -s "$interface.new" "$interface"; then rm "$interface.new"; else mv "$interface.new" "$interface"; fi
    done
}

# check NAME TARGET PLATFORM TRIPLE
check() {
    local name="$1" target="$2" modules="$WORK/modules/$1" module example
    echo "==> $name"
    make_standard "$2" "$3" "$4"
    rm -rf "$modules"; mkdir -p "$modules"
    compile() {
        swiftc -frontend "$@" -target "$target" -sdk "$WORK/sdk" -resource-dir "$WORK/resources" -module-cache-path "$WORK/cache" -swift-version 6 -disable-objc-interop \
            -plugin-path "$TOOLCHAIN/lib/swift/host/plugins" -I "$modules" -parse-as-library -warnings-as-errors
    }
    for module in $STUBS; do compile -emit-module -module-name "$module" -o "$modules/$module.swiftmodule" "$HERE/stubs/$module.swift"; done
    for module in OmniAPI OmniClient; do
        # shellcheck disable=SC2046 # no file here has a space in its name
        compile -emit-module -module-name "$module" -o "$modules/$module.swiftmodule" $(find "$ROOT/Sources/$module" -name '*.swift')
        # What is only found behind the types: uses across actors, values that are not set.
        # shellcheck disable=SC2046
        compile -emit-sil -module-name "$module" -o /dev/null $(find "$ROOT/Sources/$module" -name '*.swift')
    done
    for example in "$ROOT"/Examples/*/*.swift; do compile -typecheck -module-name example "$example"; done
}

check "macOS 15" x86_64-apple-macosx15.0 macosx x86_64-apple-macos
check "iOS 18" x86_64-apple-ios18.0-simulator iphonesimulator x86_64-apple-ios-simulator
check "tvOS 18" x86_64-apple-tvos18.0-simulator appletvsimulator x86_64-apple-tvos-simulator
echo "No complaints."
