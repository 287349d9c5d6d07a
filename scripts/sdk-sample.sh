#!/usr/bin/env bash
# Makes a package outside of this one that depends on the product OmniClient by version, and builds it: a clone with a tag stands
# in for the repository. Shows that nothing under the product needs unsafe flags. Minutes, since everything is built anew.
# sdk-sample.sh [FOLDER]: works in FOLDER, which then keeps the built program, instead of a temporary one.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

VERSION=0.0.1
if [ $# -gt 0 ]; then work="$1"; make_folder "$work"; work="$(cd "$work" && pwd)"
else work="$(mktemp -d)"; trap 'rm -rf "$work"' EXIT; fi
rm -rf "$work/swift-omni" "$work/sample"

# What is committed, and what is only in the working tree so far.
git -c advice.detachedHead=false clone --quiet --no-hardlinks "$ROOT" "$work/swift-omni"
(cd "$ROOT" && git ls-files -z --cached --others --exclude-standard -- Package.swift Sources/OmniAPI Sources/OmniClient) \
    | (cd "$ROOT" && xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh | tar --null -T - -cf -) | tar -xf - -C "$work/swift-omni"
git -C "$work/swift-omni" add -A
git -C "$work/swift-omni" -c user.name=sample -c user.email=sample@localhost commit --quiet --allow-empty -m sample
git -C "$work/swift-omni" tag "$VERSION"

mkdir -p "$work/sample/Sources/sample"
cp "$ROOT/Examples/chat/ChatREPL.swift" "$work/sample/Sources/sample/"
cat > "$work/sample/Package.swift" <<PACKAGE
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "sample", platforms: [.macOS(.v15), .iOS(.v18), .tvOS(.v18)],
    dependencies: [.package(url: "file://$work/swift-omni", from: "$VERSION")],
    targets: [.executableTarget(name: "sample", dependencies: [.product(name: "OmniClient", package: "swift-omni")])],
    swiftLanguageModes: [.v6])
PACKAGE
say "Building a package that depends on OmniClient $VERSION"
swift build --package-path "$work/sample" || fail "the sample package does not build (the messages above say why)"
# For systems that nothing can be compiled for here, the package is planned, which compares all versions. SwiftPM wants to see a libtool.
if [ "$(uname -s)" = Linux ]; then
    mkdir -p "$work/tools" && ln -sf /bin/true "$work/tools/libtool"
    for triple in arm64-apple-macosx15.0 arm64-apple-ios18.0 arm64-apple-ios18.0-macabi arm64-apple-tvos18.0; do
        PATH="$work/tools:$PATH" swift build --package-path "$work/sample" --scratch-path "$work/plan" --triple "$triple" --print-manifest-job-graph \
            > "$work/plan.log" 2>&1 || { tail -n 3 "$work/plan.log" >&2; fail "the sample package cannot be planned for $triple"; }
    done
    rm -rf "$work/plan" "$work/plan.log" "$work/tools"
fi
say "It builds: $work/sample/.build/debug/sample"
