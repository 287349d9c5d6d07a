// AMX's kernels over tiles in plain C, the rest as in the plainest variant: what their tests run on every CPU. Slow.
#include "../kernels/choices.h"

#if defined(TILES_IN_AVX512)
// For Tools/kernels/emulate.sh alone: what AMX's variant compiles, but for its tiles.
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,tune=znver4,avx512bf16"))), apply_to = function)
#define HAS_AVX512
#define HAS_AVX512BF16
#define LANES 16
#define PIXELS 8
#elif defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2,tune=haswell"))), apply_to = function)
#define HAS_AVX2
#define LANES 8
#define PIXELS 4
#elif defined(__aarch64__)
#define LANES 4
#define PIXELS 8
#else
#define LANES 4
#define PIXELS 4
#endif

#define VARIANT ct_emulated
#define NAME "amx-emulated"
#define PAIRS PAIRS_NONE
#define TILES TILES_EMULATED
#include "../kernels/kernels.h"

#if defined(__x86_64__)
#pragma clang attribute pop
#endif
