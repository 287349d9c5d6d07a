// What a variant's kernels share: vectors as wide as its CPU has them, and how they multiply.
//
// The variant says: LANES of a vector, and PIXELS, as many pixels or tokens as leave registers for a panel of three vectors.
#pragma once

#include <stdint.h>
#include <string.h>

/// The widest panel of vectors, and of those or two tiles.
enum { MOST_VECTORS = 3, PANEL = MOST_VECTORS * LANES, MOST_WIDTH = PANEL > 32 ? PANEL : 32 };

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

static inline float largest_lane(vector v) {
#if defined(HAS_AVX512)
    return _mm512_reduce_max_ps((__m512)v);
#else
    float most = v[0];
    for (int lane = 1; lane < LANES; lane++) most = v[lane] > most ? v[lane] : most;
    return most;
#endif
}

static inline float sum_of_lanes(vector v) {
#if defined(HAS_AVX512)
    return _mm512_reduce_add_ps((__m512)v);
#else
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += v[lane];
    return sum;
#endif
}

/// `sum` plus weights times an input, or a pair of them in bf16 that lies where a float would.
__attribute__((always_inline)) static inline vector accumulate(vector sum, vector weights, const float *input, const int rounds) {
#if PAIRS == PAIRS_AVX512
    if (rounds) {
        int32_t pair;
        memcpy(&pair, input, sizeof pair);
        return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)weights, (__m512bh)_mm512_set1_epi32(pair));
    }
#elif PAIRS == PAIRS_NEON
    if (rounds) {
        int32_t pair;
        memcpy(&pair, input, sizeof pair);
        return (vector)vbfdotq_f32((float32x4_t)sum, (bfloat16x8_t)weights, (bfloat16x8_t)vdupq_n_s32(pair));
    }
#endif
    (void)rounds;
    return sum + weights * *input;
}

/// The upper half of a float, to the nearest even; what is no number stays none.
static inline uint16_t rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// `count` floats as bf16.
static void round_values(const float *from, uint16_t *to, int64_t count) {
    int64_t i = 0;
#if defined(HAS_AVX512BF16)
    for (; i + 16 <= count; i += 16) {
        __m256bh halves = _mm512_cvtneps_pbh(_mm512_loadu_ps(from + i));
        memcpy(to + i, &halves, sizeof halves);
    }
#endif
    for (; i < count; i++) to[i] = rounded(from[i]);
}
