"""The C kernels are compiled for several kinds of CPU at once; none may use what its kind does not have."""
import os
import platform
import re
import shutil
import subprocess

import pytest

from harness import LIMIT, ROOT, binary

KERNELS = ROOT / "Sources/CTensor"
X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="these are x86 instructions")

WIDE = r"%zmm"
PAIRS = r"\bvdpbf16ps\b"
TILES = r"\btdpbf16ps\b"
# What each variant must use, and must not.
VARIANTS = {
    "baseline": ([r"\bvfmadd"], [WIDE, PAIRS, TILES]),
    "emulated": ([r"\bvfmadd"], [WIDE, PAIRS, TILES]),
    "avx512": ([WIDE], [PAIRS, TILES]),
    "avx512bf16": ([WIDE, PAIRS], [TILES]),
    "amx": ([WIDE, TILES, r"\bsttilecfg\b", r"\bldtilecfg\b"], []),
}


#: What the program under test was linked from.
OBJECTS = ROOT / ".build/debug/CTensor.build"


def listing(source):
    """The machine code of a source as it was built."""
    made, lister = OBJECTS / f"{source}.o", shutil.which("objdump")
    assert made.exists() and lister, f"no objdump on the PATH, or no {made}; run swift build"
    assert made.stat().st_mtime >= (KERNELS / source).stat().st_mtime, f"{made} is older than its source; run swift build"
    return subprocess.run([lister, "-d", "--no-show-raw-insn", made], capture_output=True, text=True, timeout=LIMIT, check=True).stdout


@X86
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_keeps_to_its_cpu(variant):
    code = listing(f"variants/{variant}.c")
    wanted, unwanted = VARIANTS[variant]
    for pattern in wanted:
        assert re.search(pattern, code), f"{variant} does not use {pattern}"
    for pattern in unwanted:
        assert not re.search(pattern, code), f"{variant} uses {pattern}"


@X86
@pytest.mark.parametrize("source", ["variants.c", "cpu.c"])
def test_the_choice_runs_everywhere(source):
    assert not re.search(r"%[yz]mm", listing(source))


def test_all_kernels_are_their_definitions(tmp_path):
    """In every variant that this CPU runs; the Swift suite has the same through graphs. As they were built for the program under test."""
    program, compiler = tmp_path / "check", shutil.which("clang")
    assert compiler, "no clang on the PATH"
    objects = [*OBJECTS.glob("*.o"), *OBJECTS.glob("variants/*.o")]
    command = [compiler, "-O2", "-I", KERNELS / "include", ROOT / "Tools/kernels/check.c", *objects, "-lm", "-lpthread", "-o", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([program], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stdout
    # Something was checked, with the tiles among it.
    assert re.search(r"amx-emulated +1\d\d checks, 0 faults", done.stdout), done.stdout
    assert subprocess.run([program, "pentium"], capture_output=True, timeout=LIMIT).returncode != 0


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker", "nothing.gguf", "--kind", "image", "--socket", "s", "--served-model-name", "m", "--lane-dir", "."]])
def test_kernels_that_are_not_there_are_an_error(command, tmp_path):
    environment = {**os.environ, "OMNI_CPU": "pentium", "OMNI_HOME": str(tmp_path)}
    done = subprocess.run([binary(), *command], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode not in (0, None), done.stdout
    assert "OMNI_CPU is pentium" in done.stderr and "amx-emulated" in done.stderr, done.stderr
