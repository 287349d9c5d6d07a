// AVX-512 without bf16: Skylake, Ice Lake.
#include "../kernels/choices.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,tune=znver4"))), apply_to = function)
#define VARIANT ct_avx512
#define NAME "avx512"
#define LANES 16
#define PIXELS 8
#define PAIRS PAIRS_NONE
#define TILES TILES_NONE
#define HAS_AVX512
#include "../kernels/kernels.h"

#pragma clang attribute pop
#endif
