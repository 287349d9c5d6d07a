#!/usr/bin/env bash
# Checks the kernels for AVX-512, with and without bf16, in Bochs' model of Sapphire Rapids: for machines that have neither. Bochs has
# no AMX (bochscpu-python 0.4.0): of that variant everything but the tile instructions is checked, with tiles in plain C.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/common.sh"
make_folder "$OMNI_CACHE/kernels"
venv="$OMNI_CACHE/kernels/venv"
[ -f "$venv/.ready" ] || {
    "$(python_tool)" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check bochscpu-python==0.4.0
    touch "$venv/.ready"
}
program="$OMNI_CACHE/kernels/check-emulated"
say "The kernels for AVX-512, emulated"
bash "$ROOT/Tools/kernels/build.sh" "$program" -static -DTILES_IN_AVX512
"$venv/bin/python" "$ROOT/Tools/kernels/emulate.py" "$program" --small avx512 avx512bf16 amx-emulated
