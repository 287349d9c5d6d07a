// What a variant may say that its CPU has. Headers of intrinsics are read here, before a variant's target is pushed.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "CTensor.h"

// Instructions that sum products of pairs of bf16.
#define PAIRS_NONE 0
#define PAIRS_AVX512 1
#define PAIRS_NEON 2

// Tiles: none, AMX's, or the same in plain C.
#define TILES_NONE 0
#define TILES_AMX 1
#define TILES_EMULATED 2
