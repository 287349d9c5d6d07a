// x86-64 since 2013: AVX2 and FMA.
#include "../kernels/choices.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2,tune=haswell"))), apply_to = function)
#define VARIANT ct_baseline
#define NAME "baseline"
#define LANES 8
#define PIXELS 4
#define PAIRS PAIRS_NONE
#define TILES TILES_NONE
#define HAS_AVX2
#include "../kernels/kernels.h"

#pragma clang attribute pop
#endif
