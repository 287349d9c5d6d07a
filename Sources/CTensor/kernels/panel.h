// Panels: some rows of a matrix laid out so that one load takes a word of each, and products with them. A word is an f32, or a
// pair of bf16.
#pragma once

#include "vectors.h"

/// A panel and what its products share.
typedef struct {
    /// Word `k` of all rows begins at `words + k * step`.
    const float *words;
    int32_t step;
    /// Rows there is room for, in vectors, and rows there are.
    int32_t vectors, used;
    /// Words of a row.
    int32_t depth;
    /// Where sums begin, a float for each row; NULL where they go on from what the output holds.
    const float *start;
    /// Bytes from row to row of the other side and of the output.
    size_t pitch, out_pitch;
    int32_t rounds;
} panel;

#if defined(HAS_AVX512)
enum { SQUARE = 16 };

/// Sixteen rows of sixteen words, turned by pairs, fours, and quarters of a vector.
static inline void transpose_square(const char *source, size_t pitch, float *words, size_t step) {
    __m512 r[16], t[16];
    for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(source + (size_t)i * pitch);
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        __m512 a = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88), b = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        __m512 c = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd), d = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
        t[i] = _mm512_shuffle_f32x4(a, b, 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(c, d, 0x88);
        t[i + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
        t[i + 12] = _mm512_shuffle_f32x4(c, d, 0xdd);
    }
    for (int i = 0; i < 16; i++) _mm512_storeu_ps(words + (size_t)i * step, t[i]);
}
#elif defined(HAS_AVX2)
enum { SQUARE = 8 };

/// Eight rows of eight words, turned by pairs, fours, and halves of a vector.
static inline void transpose_square(const char *source, size_t pitch, float *words, size_t step) {
    __m256 r[8], t[8];
    for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps((const float *)(const void *)(source + (size_t)i * pitch));
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(words + (size_t)i * step, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(words + (size_t)(i + 4) * step, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}
#else
enum { SQUARE = 4 };

/// Four rows of four words.
static inline void transpose_square(const char *source, size_t pitch, float *words, size_t step) {
    typedef float four __attribute__((vector_size(16), aligned(4)));
    four r[4], t[4];
    for (int i = 0; i < 4; i++) memcpy(&r[i], source + (size_t)i * pitch, sizeof r[i]);
    for (int i = 0; i < 4; i += 2) {
        t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 4, 2, 6);
        t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 5, 3, 7);
    }
    r[0] = __builtin_shufflevector(t[0], t[2], 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(t[1], t[3], 0, 1, 4, 5);
    r[2] = __builtin_shufflevector(t[0], t[2], 2, 3, 6, 7);
    r[3] = __builtin_shufflevector(t[1], t[3], 2, 3, 6, 7);
    for (int i = 0; i < 4; i++) memcpy(words + (size_t)i * step, &r[i], sizeof r[i]);
}
#endif

/// `rows [count][depth]`, `pitch` bytes apart, become `words [depth][width]`, `step` words apart; what there is no row for is zeros.
static void transpose_words(const void *rows, size_t pitch, int32_t count, int32_t width, int32_t depth, float *words, int32_t step) {
    const char *source = rows;
    int32_t row = 0;
    for (; row + SQUARE <= count; row += SQUARE) {
        const char *line = source + (size_t)row * pitch;
        int32_t k = 0;
        for (; k + SQUARE <= depth; k += SQUARE) transpose_square(line + (size_t)k * sizeof(float), pitch, words + (size_t)k * (size_t)step + row, (size_t)step);
        for (; k < depth; k++) {
            for (int i = 0; i < SQUARE; i++) memcpy(words + (size_t)k * (size_t)step + row + i, line + (size_t)i * pitch + (size_t)k * sizeof(float), sizeof(float));
        }
    }
    for (; row < width; row++) {
        for (int32_t k = 0; k < depth; k++) {
            float word = 0;
            if (row < count) memcpy(&word, source + (size_t)row * pitch + (size_t)k * sizeof(float), sizeof word);
            words[(size_t)k * (size_t)step + row] = word;
        }
    }
}

/// `count` rows times the panel. Both numbers are constants where it is called, so that `sums` are registers.
__attribute__((always_inline)) static inline void multiply_few(const panel *p, const char *x, char *out, const int count, const int vectors, const int rounds) {
    vector sums[PIXELS][MOST_VECTORS];
    const float *from[PIXELS];
    for (int i = 0; i < count; i++) {
        vector whole[MOST_VECTORS];
        // Sums go by way of a copy: what has its address taken would not be a register.
        if (p->start) memcpy(whole, p->start, sizeof(vector) * (size_t)vectors);
        else memcpy(whole, out + (size_t)i * p->out_pitch, (size_t)p->used * sizeof(float));
        for (int v = 0; v < vectors; v++) sums[i][v] = whole[v];
        from[i] = (const float *)(const void *)(x + (size_t)i * p->pitch);
    }
    const float *words = p->words;
    // Unrolled, two rounds would want more registers than there are.
#pragma GCC unroll 1
    for (long k = 0; k < p->depth; k++) {
        vector w[MOST_VECTORS];
        for (int v = 0; v < vectors; v++) w[v] = ((const vector *)(const void *)words)[v];
        for (int i = 0; i < count; i++) {
            for (int v = 0; v < vectors; v++) sums[i][v] = accumulate(sums[i][v], w[v], from[i] + k, rounds);
        }
        words += p->step;
    }
    for (int i = 0; i < count; i++) {
        vector whole[MOST_VECTORS];
        for (int v = 0; v < vectors; v++) whole[v] = sums[i][v];
        memcpy(out + (size_t)i * p->out_pitch, whole, (size_t)p->used * sizeof(float));
    }
}

#define FEW(number) case number: multiply_few(p, x, out, number, vectors, rounds); break;

__attribute__((always_inline)) static inline void multiply_rows(const panel *p, const char *x, char *out, int32_t rows, const int vectors, const int rounds) {
    for (; rows > 0; rows -= PIXELS, x += PIXELS * p->pitch, out += PIXELS * p->out_pitch) {
        switch (rows < PIXELS ? rows : PIXELS) {
            FEW(1) FEW(2) FEW(3) FEW(4)
#if PIXELS > 4
            FEW(5) FEW(6) FEW(7) FEW(8)
#endif
        }
    }
}

#define ROWS_BY(vectors, rounds) multiply_rows(p, x, out, rows, vectors, rounds)
#if PAIRS != PAIRS_NONE
#define ROWS_EITHER(vectors) if (p->rounds) ROWS_BY(vectors, 1); else ROWS_BY(vectors, 0)
#else
#define ROWS_EITHER(vectors) ROWS_BY(vectors, 0)
#endif

/// `out[i] = start + panel · x[i]` for `rows` rows.
static void multiply_panel(const panel *p, const void *x, void *out, int32_t rows) {
    switch (p->vectors) {
    case 1: ROWS_EITHER(1); break;
    case 2: ROWS_EITHER(2); break;
    default: ROWS_EITHER(3); break;
    }
}
