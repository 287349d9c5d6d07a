// What this CPU, and the system that runs on it, can do.
#pragma once

/// Each asks anew; `variants.c` does once.
int cpu_has_avx2(void);       ///< AVX2, FMA and F16C.
int cpu_has_avx512(void);     ///< F, BW, DQ and VL.
int cpu_has_avx512bf16(void);
int cpu_has_amx(void);        ///< Tiles of bf16, with the kernel's permission for this process.
int cpu_has_neon_bf16(void);
