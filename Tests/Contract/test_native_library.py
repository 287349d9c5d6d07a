"""The built ggml library: what a compiler may drop from it, found by reading its code."""
import platform
import re
import shutil
import subprocess

import pytest

from harness import LIMIT, ROOT

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="these are x86 instructions")

# Bytes of a tile configuration that must not be zero: the palette, the width of each of eight tiles, their rows.
NEEDED = {0} | set(range(16, 32, 2)) | set(range(48, 56))
SIZES = {"b": 1, "w": 2, "l": 4, "q": 8}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def width(register):
    if register[0] in "xyz" and "mm" in register:
        return {"x": 16, "y": 32, "z": 64}[register[0]]
    if register.endswith("d") or register.startswith("e"):
        return 4
    return 8 if register.startswith("r") else 1 if register.endswith(("l", "h", "b")) else 2


def address(operand):
    """`0x10(%rsp)` as its offset and the rest of it."""
    found = re.fullmatch(r"(-?0x[0-9a-f]+|-?\d+)?(\(%.*\))", operand)
    return (int(found[1] or "0", 0), found[2]) if found else None


def missing_bytes(disassembly):
    """For each `ldtilecfg` of a disassembly the needed bytes of its operand that nothing was stored to but zeros."""
    results, code = [], []
    if "ldtilecfg" not in disassembly:
        return results
    for line in disassembly.splitlines():
        if line.endswith(">:"):
            code = []
            continue
        found = re.match(r"\s*[0-9a-f]+:\s+(\S+)\s*(.*?)\s*(#.*)?$", line)
        if not found:
            continue
        name, operands = found[1], re.findall(r"[^,(]*\([^)]*\)|[^,]+", found[2])
        if name == "ldtilecfg":
            results.append(NEEDED - stored(code, address(operands[0].strip())))
        code.append((name, [operand.strip() for operand in operands]))
    return results


def stored(code, place):
    """Offsets into the 64 bytes at `place` whose last store in `code` was of something else than zeros."""
    zeros, known = set(), {}
    for name, operands in code[-200:]:
        if not operands:
            continue
        target = operands[-1]
        if target.startswith("%"):
            family = re.sub(r"^%[xyz]mm", "mm", target)
            is_zero = re.match(r"v?p?xor", name) and len(set(operands)) == 1
            (zeros.add if is_zero else zeros.discard)(family)
        elif (to := address(target)) and to[1] == place[1] and re.match(r"v?mov", name):
            source = operands[0]
            if source.startswith("$"):
                size = SIZES[name[-1]]
                value = (int(source[1:], 0) % (1 << 8 * size)).to_bytes(size, "little")
            else:
                size = width(source[1:])
                value = bytes(size) if re.sub(r"^%[xyz]mm", "mm", source) in zeros else b"\xff" * size
            for offset, byte in enumerate(value, start=to[0] - place[0]):
                known[offset] = byte
    return {offset for offset, byte in known.items() if byte}


def test_the_reader_tells_whole_configurations_from_cut_ones():
    whole = """
0000000000000000 <f>:
   1: vpxor %xmm0,%xmm0,%xmm0
   2: vmovdqa64 %zmm0,0x40(%rsp)
   3: mov 0x0(%rip),%rdx        # 9 <f>
   4: vmovdqa 0x0(%rip),%xmm0        # 9 <f>
   5: movb $0x1,0x40(%rsp)
   6: mov %rdx,0x70(%rsp)
   7: vmovdqa %xmm0,0x50(%rsp)
   8: ldtilecfg 0x40(%rsp)
"""
    cut = "".join(line + "\n" for line in whole.splitlines() if not line.strip().startswith(("6", "7")))
    assert missing_bytes(whole) == [set()]
    assert missing_bytes(cut) == [NEEDED - {0}]


def test_every_tile_configuration_of_the_library_is_whole():
    """gcc 12 dropped the stores before `ldtilecfg`: the first product with AMX was an illegal instruction."""
    library = ROOT / "deps/lib/libggml-cpu.so"
    assert library.exists() and shutil.which("objdump"), "no native build, or no objdump"
    found = missing_bytes(run("objdump", "-d", "--no-show-raw-insn", library))
    if not found:
        pytest.skip("SKIPPED LOUDLY: this build of ggml has no AMX code, since this CPU has no AMX; the next test compiles it")
    assert found == [set()] * len(found)


def source():
    folder = run("bash", ROOT / "scripts/native.sh", "--source").strip()
    file = ROOT.__class__(folder) / "vendor/llama.cpp/ggml/src/ggml-cpu/amx/mmq.cpp"
    if not file.exists():
        pytest.skip(f"the native sources are not in the cache ({file})")
    return file.read_text()


@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3"])
def test_the_tile_configuration_is_whole_as_gcc_compiles_it(tmp_path, level):
    """The function from the patched source, compiled for AMX on any x86 CPU; what would be loaded is kept instead, and looked at."""
    gcc = shutil.which("g++")
    if not gcc:
        pytest.skip("no g++")
    text = source()
    structure = re.search(r"^struct tile_config_t\s*\{.*?^\};", text, re.M | re.S)[0]
    function = re.search(r"^inline void ggml_tile_config_init\(void\) \{.*?^\}", text, re.M | re.S)[0]
    (tmp_path / "tile.cpp").write_text(
        f"#include <immintrin.h>\n#include <cstdint>\n#include <cstdio>\nextern \"C\" unsigned char kept[64];\n{structure}\n{function}\n"
        "void configure() { ggml_tile_config_init(); }\n")
    (tmp_path / "main.cpp").write_text(
        "#include <cstdio>\nextern \"C\" { unsigned char kept[64]; }\nvoid configure();\n"
        "int main() { configure(); for (unsigned char byte : kept) std::printf(\"%d \", byte); }\n")
    flags = ["-std=c++17", level, "-mavx2", "-mamx-tile", "-fno-PIE"]
    run(gcc, *flags, "-c", tmp_path / "tile.cpp", "-o", tmp_path / "tile.o")
    assert missing_bytes(run("objdump", "-d", "--no-show-raw-insn", tmp_path / "tile.o")) == [set()]
    run(gcc, *flags, "-S", tmp_path / "tile.cpp", "-o", tmp_path / "tile.s")
    keep = r"leaq \1, %rax\n\tvmovdqu (%rax), %ymm0\n\tvmovdqu %ymm0, kept(%rip)\n\tvmovdqu 32(%rax), %ymm0\n\tvmovdqu %ymm0, kept+32(%rip)"
    assembly, count = re.subn(r"ldtilecfg\s+(\S+)", keep, (tmp_path / "tile.s").read_text())
    assert count == 1
    (tmp_path / "kept.s").write_text(assembly)
    run(gcc, "-no-pie", tmp_path / "main.cpp", tmp_path / "kept.s", "-o", tmp_path / "show")
    kept = [int(byte) for byte in run(tmp_path / "show").split()]
    widths = [kept[16 + 2 * tile] + 256 * kept[17 + 2 * tile] for tile in range(8)]
    assert kept[0] == 1 and widths == [64, 64, 32, 32, 64, 64, 64, 64] and kept[48:56] == [8, 8] + [16] * 6
