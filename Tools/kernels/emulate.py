"""Runs a static Linux program in Bochs' model of a CPU: the kernels for AVX-512, where the CPU at hand has none.

    python3 Tools/kernels/emulate.py PROGRAM [ARGUMENT…]     see Tools/kernels/README.md; wants `pip install bochscpu-python`

The program is mapped where it wants to be, in long mode with flat memory, as the only one there is. Of the system it has what a
test program needs: it writes to its outputs, asks for memory, and ends.
"""
import ctypes
import importlib.util
import mmap
import pathlib
import struct
import subprocess
import sys
import tempfile

# Bochs' model is a Cannon Lake; the newest one that it has is asked for in its place. The other two are names that its wheel takes
# from a newer C library than Debian 12 has.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
unsigned long long __isoc23_strtoull(const char *text, char **end, int base) { return strtoull(text, end, base); }
int __isoc23_sscanf(const char *text, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int count = vsscanf(text, format, list);
    va_end(list);
    return count;
}
void *_Z23create_corei3_cnl_cpuidP8BX_CPU_C(void *cpu) {
    void *(*make)(void *) = (void *(*)(void *))dlsym(RTLD_DEFAULT, "_Z28create_sapphire_rapids_cpuidP8BX_CPU_C");
    return make(cpu);
}
"""


def prepare():
    found = importlib.util.find_spec("bochscpu")
    if found is None:
        raise SystemExit("bochscpu is missing; run `pip install bochscpu-python` in a virtual environment")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "shim.c")
        source.write_text(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", source, "-o", f"{folder}/shim.so", "-ldl"], check=True)
        ctypes.CDLL(f"{folder}/shim.so", ctypes.RTLD_GLOBAL)
    for library in pathlib.Path(found.origin).parent.glob("_bochscpu*.so"):
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)


prepare()

import bochscpu  # noqa: E402
import bochscpu.cpu  # noqa: E402
import bochscpu.memory  # noqa: E402

PAGE, LARGE = 4096, 2 << 20
MEMORY = 256 << 20
# Below the program: page tables, and where system calls go.
TABLES, ENTRY = 0x10000, 0x20000
STACK_TOP = MEMORY - PAGE
XSAVE_BITS = 1 << 18 | 1 << 9 | 1 << 10 | 1 << 5 | 1 << 16
# x87, SSE, AVX and AVX-512.
STATE = 0xE7


class Machine:
    def __init__(self):
        # Touched pages only cost anything.
        self.host = mmap.mmap(-1, MEMORY)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self.host))
        for address in range(0, MEMORY, PAGE):
            bochscpu.memory.page_insert(address, base + address)
        present = 0x3
        self.put(TABLES, struct.pack("<Q", TABLES + PAGE | present))
        self.put(TABLES + PAGE, struct.pack("<Q", TABLES + 2 * PAGE | present))
        for index in range(MEMORY // LARGE):
            self.put(TABLES + 2 * PAGE + 8 * index, struct.pack("<Q", index * LARGE | 0x83))
        self.put(ENTRY, b"\xf4")
        self.top = 0

    def put(self, address, data):
        self.host[address:address + len(data)] = data

    def load(self, path):
        """Maps the segments of an ELF file; returns where it begins, and what its start code wants to know of its headers."""
        with open(path, "rb") as file:
            image = file.read()
        assert image[:5] == b"\x7fELF\x02", "not a 64-bit ELF file"
        start, table = struct.unpack_from("<QQ", image, 24)
        size, count = struct.unpack_from("<HH", image, 54)
        headers = 0
        for index in range(count):
            kind, _, offset, address, _, length, room = struct.unpack_from("<IIQQQQQ", image, table + index * size)
            if kind == 3:
                raise SystemExit("the program is not static")
            if kind == 1:
                self.put(address, image[offset:offset + length])
                self.top = max(self.top, address + room)
                if offset == 0:
                    headers = address + table
        self.top = (self.top + PAGE - 1) // PAGE * PAGE
        # Large blocks come from above the heap.
        self.mapped = STACK_TOP - (16 << 20)
        return start, headers, size, count

    def stack(self, arguments, headers, size, count):
        """The stack as the system leaves it to a program: arguments, environment, what it should know."""
        place, pointers = STACK_TOP - 64, []
        for text in arguments:
            data = text.encode() + b"\0"
            place -= len(data)
            self.put(place, data)
            pointers.append(place)
        place -= place % 16 + 16
        random = place
        known = [(3, headers), (4, size), (5, count), (6, PAGE), (25, random), (23, 0), (0, 0)]
        words = [len(pointers), *pointers, 0, 0, *[number for pair in known for number in pair]]
        place -= 8 * len(words)
        place -= place % 16
        self.put(place, struct.pack(f"<{len(words)}Q", *words))
        return place

    def call(self, state):
        """A system call; true when the program is over."""
        number, first, second, third = state.rax, state.rdi, state.rsi, state.rdx
        result = 0
        if number in (60, 231):
            self.status = first & 0xFF
            return True
        if number == 1:
            sys.stdout.write(self.host[second:second + third].decode(errors="replace"))
            sys.stdout.flush()
            result = third
        elif number == 20:
            result = 0
            for index in range(third):
                begin, length = struct.unpack("<QQ", self.host[second + 16 * index:second + 16 * index + 16])
                sys.stdout.write(self.host[begin:begin + length].decode(errors="replace"))
                result += length
        elif number == 12:
            if self.top <= first < self.mapped:
                self.top = first
            result = self.top
        elif number == 9:
            self.mapped -= (second + PAGE - 1) // PAGE * PAGE
            if self.mapped <= self.top:
                raise SystemExit("the program wants more memory than there is")
            result = self.mapped
        elif number == 158 and first == 0x1002:
            fs = state.fs
            fs.base = second
            state.fs = fs
        elif number in (5, 262):
            # Standard output as a terminal, so that lines come as they are written.
            self.put(third if number == 262 else second, struct.pack("<QQQIIIIQqqq", 0, 0, 1, 0o020620, 0, 0, 0, 0x8801, 0, 1024, 0) + bytes(64))
        elif number not in (10, 11, 13, 14, 16, 158, 202, 218, 273, 302, 334):
            result = (1 << 64) - 38
        state.rax = result & (1 << 64) - 1
        # Where `syscall` was called from.
        state.rip, state.rflags = state.rcx, state.r11
        return False


def segment(selector, attributes):
    made = bochscpu.Segment()
    made.present, made.selector, made.base, made.limit, made.attr = True, selector, 0, 0xFFFFFFFF, attributes
    return made


def main():
    machine = Machine()
    start, *headers = machine.load(sys.argv[1])
    state = bochscpu.State()
    bochscpu.cpu.set_long_mode(state)
    state.cr3 = TABLES
    state.cr4 = state.cr4 | XSAVE_BITS
    state.xcr0 = STATE
    state.mxcsr, state.mxcsr_mask, state.fpcw, state.rflags = 0x1F80, 0xFFFF, 0x37F, 0x2
    state.cs = segment(0x8, 0xAF9B)
    for name in ("ds", "es", "ss", "fs", "gs"):
        setattr(state, name, segment(0x10, 0xCF93))
    state.star, state.lstar = 0x8 << 32, ENTRY
    state.rip, state.rsp = start, machine.stack(sys.argv[1:], *headers)

    session = bochscpu.Session()
    session.missing_page_handler = lambda address: sys.exit(f"no memory at {address:#x}")
    session.cpu.state = state
    hook = bochscpu.Hook()
    faults = []

    def fault(session, _, vector, code):
        faults.append(vector)
        session.stop()

    hook.hlt = lambda session, _: session.stop()
    hook.exception = fault
    while True:
        session.run([hook])
        state = session.cpu.state
        if faults:
            raise SystemExit(f"fault {faults[0]} at {state.rip:#x}: {machine.host[state.rip:state.rip + 16].hex(' ')}")
        if machine.call(state):
            raise SystemExit(machine.status)
        session.cpu.state = state


if __name__ == "__main__":
    main()
