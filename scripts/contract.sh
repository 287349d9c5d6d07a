#!/usr/bin/env bash
# Runs Tests/Contract, which drives a real server through the official OpenAI client, in a virtual environment of its own.
# Arguments go to pytest; `-n 0` runs all in one process, which --pdb and -s need. OMNI_BIN is the program under test, the development
# build unless said otherwise.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

SUITE="$ROOT/Tests/Contract"
REQUIREMENTS="$SUITE/requirements.txt"
ls "$SUITE"/test_*.py >/dev/null 2>&1 || exit 0

bash "$ROOT/scripts/system.sh" --tests

# The environment is made anew when the requirements or the Python change.
python="$(python_tool)"
stamp="$( { cat "$REQUIREMENTS"; "$python" -VV; } | sha256_of -)"
venv="$OMNI_CACHE/venv-test"
if [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$stamp" ]; then
    hold_lock "$OMNI_CACHE/venv-test.lock" "another set-up of the contract tests"
    if [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$stamp" ]; then
        say "Setting up the contract tests' Python environment"
        rm -rf "$venv"
        "$python" -m venv "$venv" || fail "could not make $venv; install Python's venv (Debian: apt-get install python3-venv)"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$REQUIREMENTS" \
            || fail "could not install $REQUIREMENTS (the message above says why)"
        echo "$stamp" > "$venv/.stamp"
    fi
fi
export OMNI_BIN="${OMNI_BIN:-$ROOT/.build/debug/omni}"
[ -x "$OMNI_BIN" ] || fail "$OMNI_BIN is not built; run make build"
cd "$ROOT"
# Two processes share the tests (Tests/Contract/processes.py). What was skipped, and why, is said at the end, and what failed.
exec "$venv/bin/python" -m pytest -p no:cacheprovider -n 2 --durations=12 -rsfE "$SUITE" "$@"
