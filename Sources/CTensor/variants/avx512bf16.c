// AVX-512 with products of pairs of bf16: Zen 4 and 5, Cooper Lake.
#include "../kernels/choices.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,tune=znver4,avx512bf16"))), apply_to = function)
#define VARIANT ct_avx512bf16
#define NAME "avx512bf16"
#define LANES 16
#define PIXELS 8
#define PAIRS PAIRS_AVX512
#define TILES TILES_NONE
#define HAS_AVX512
#define HAS_AVX512BF16
#include "../kernels/kernels.h"

#pragma clang attribute pop
#endif
