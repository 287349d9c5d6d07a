// What the kernels share: vectors as wide as the CPU has them, and how many outputs and pixels stay in registers.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif
#include <stdint.h>
#include <string.h>

// Lanes of a vector, and as many pixels or tokens as leave registers for a panel of three vectors.
#if defined(__AVX512F__)
#define LANES 16
#define PIXELS 8
#elif defined(__AVX__)
#define LANES 8
#define PIXELS 4
#elif defined(__aarch64__)
#define LANES 4
#define PIXELS 8
#else
#define LANES 4
#define PIXELS 4
#endif
enum { MOST_VECTORS = 3 };

/// Without alignment: rows of three channels are not aligned.
typedef float vector __attribute__((vector_size(4 * LANES), aligned(4)));

typedef int32_t flags __attribute__((vector_size(4 * LANES), aligned(4)));

/// e^x for x ≤ 0, to about 1e-7 of it: 2^n · e^r with |r| ≤ ln 2 / 2, a polynomial for the latter.
static inline vector exponential(vector x) {
    const float per_two = 1.44269504f, most_of_two = 0.693359375f, rest_of_two = -2.12194440e-4f;
    // Floats of this size have no fraction: adding it rounds.
    const vector whole = (vector){0} + 12582912.0f;
    flags counts = x > -87.0f;
    vector held = (vector)((flags)x & counts), shifted = held * per_two + whole, n = shifted - whole;
    vector r = held - n * most_of_two - n * rest_of_two, sum = r * (1.0f / 5040) + 1.0f / 720;
    sum = sum * r + 1.0f / 120;
    sum = sum * r + 1.0f / 24;
    sum = sum * r + 1.0f / 6;
    sum = sum * r + 0.5f;
    sum = sum * r + 1;
    sum = sum * r + 1;
    flags power = ((flags)shifted - (flags)whole + 127) << 23;
    return (vector)((flags)(sum * (vector)power) & counts);
}

/// `sum` plus weights times an input, or a pair of them in bf16 that lies where a float would.
__attribute__((always_inline)) static inline vector accumulate(vector sum, vector weights, const float *input, const int rounds) {
#if defined(__AVX512BF16__)
    if (rounds) {
        int32_t pair;
        memcpy(&pair, input, sizeof pair);
        return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)weights, (__m512bh)_mm512_set1_epi32(pair));
    }
#endif
    (void)rounds;
    return sum + weights * *input;
}
