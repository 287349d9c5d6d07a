"""The C kernels are built for the CPU at hand; other CPUs choose other parts of them, which must build as well."""
import platform
import shutil
import subprocess

import pytest

from harness import LIMIT, ROOT

KERNELS = sorted((ROOT / "Sources/CTensor").glob("*.c"))
CPUS = ["x86-64", "haswell", "skylake-avx512", "sapphirerapids"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these are x86 CPUs")
@pytest.mark.parametrize("cpu", CPUS)
def test_kernels_build_for_other_cpus(cpu):
    compiler = shutil.which("clang")
    assert KERNELS and compiler, "no kernels, or no clang on the PATH"
    done = subprocess.run(
        [compiler, "-fsyntax-only", f"-march={cpu}", "-I", ROOT / "Sources/CTensor/include", *KERNELS], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
