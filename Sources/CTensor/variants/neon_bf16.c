// arm64 with products of pairs of bf16: Armv8.6, Neoverse V1 and N2, Apple M2.
#include "../kernels/choices.h"

#if defined(__aarch64__)
#pragma clang attribute push(__attribute__((target("bf16"))), apply_to = function)
#define VARIANT ct_neon_bf16
#define NAME "neon-bf16"
#define LANES 4
#define PIXELS 8
#define PAIRS PAIRS_NEON
#define TILES TILES_NONE
#include "../kernels/kernels.h"

#pragma clang attribute pop
#endif
