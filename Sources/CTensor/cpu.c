// For `syscall`.
#define _GNU_SOURCE 1
#include "cpu.h"

#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

typedef struct { uint32_t a, b, c, d; } registers;

static registers ask(uint32_t leaf, uint32_t part) {
    registers r = {0};
    // False, and zeros, where the CPU has no such leaf.
    __get_cpuid_count(leaf, part, &r.a, &r.b, &r.c, &r.d);
    return r;
}

/// The parts of a thread's state that the system saves (XCR0): what it does not save must not be used, whatever the CPU has.
static uint64_t saved_state(void) {
    if (!(ask(1, 0).c >> 27 & 1)) return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static int saves(uint64_t parts) { return (saved_state() & parts) == parts; }

enum { STATE_AVX = 0x6, STATE_AVX512 = 0xe6, STATE_TILES = 0x60000 };

int cpu_has_avx2(void) {
    uint32_t old = ask(1, 0).c, new = ask(7, 0).b;
    return saves(STATE_AVX) && old >> 12 & 1 && old >> 28 & 1 && old >> 29 & 1 && new >> 5 & 1;
}

int cpu_has_avx512(void) {
    uint32_t b = ask(7, 0).b;
    return cpu_has_avx2() && saves(STATE_AVX512) && b >> 16 & 1 && b >> 17 & 1 && b >> 30 & 1 && b >> 31 & 1;
}

int cpu_has_avx512bf16(void) { return cpu_has_avx512() && ask(7, 1).a >> 5 & 1; }

int cpu_has_amx(void) {
    uint32_t d = ask(7, 0).d;
    if (!cpu_has_avx512bf16() || !saves(STATE_TILES) || !(d >> 22 & 1) || !(d >> 24 & 1)) return 0;
#if defined(__linux__)
    // ARCH_REQ_XCOMP_PERM for the tiles' data: for all threads of the process, and harmless when asked twice.
    return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
    return 0;
#endif
}

int cpu_has_neon_bf16(void) { return 0; }

#else

int cpu_has_avx2(void) { return 0; }
int cpu_has_avx512(void) { return 0; }
int cpu_has_avx512bf16(void) { return 0; }
int cpu_has_amx(void) { return 0; }

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

// HWCAP2_BF16
int cpu_has_neon_bf16(void) { return getauxval(AT_HWCAP2) >> 14 & 1; }
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

int cpu_has_neon_bf16(void) {
    int value = 0;
    size_t size = sizeof value;
    return sysctlbyname("hw.optional.arm.FEAT_BF16", &value, &size, 0, 0) == 0 && value;
}
#else
int cpu_has_neon_bf16(void) { return 0; }
#endif
#endif
