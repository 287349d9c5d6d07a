// AMX: Sapphire Rapids and later. What is not rounded is AVX-512's.
#include "../kernels/choices.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,tune=znver4,avx512bf16,amx-tile,amx-bf16"))), apply_to = function)
#define VARIANT ct_amx
#define NAME "amx"
#define LANES 16
#define PIXELS 8
#define PAIRS PAIRS_AVX512
#define TILES TILES_AMX
#define HAS_AVX512
#define HAS_AVX512BF16
#include "../kernels/kernels.h"

#pragma clang attribute pop
#endif
