#include "panel.h"
#include "vectors.h"

void lay_out(const void *rows, size_t pitch, int32_t count, int32_t width, int32_t depth, float *words) {
    const char *source = rows;
    int32_t row = 0;
#if defined(__AVX512F__)
    // Sixteen rows of sixteen words at a time, turned by pairs, fours, and quarters of a vector.
    for (; row + LANES <= count; row += LANES) {
        int32_t k = 0;
        for (; k + LANES <= depth; k += LANES) {
            __m512 r[LANES], t[LANES];
            for (int i = 0; i < LANES; i++) r[i] = _mm512_loadu_ps(source + (size_t)(row + i) * pitch + (size_t)k * sizeof(float));
            for (int i = 0; i < LANES; i += 2) {
                t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
                t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
            }
            for (int i = 0; i < LANES; i += 4) {
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
            for (int i = 0; i < LANES; i++) _mm512_storeu_ps(words + (size_t)(k + i) * (size_t)width + row, t[i]);
        }
        for (; k < depth; k++) {
            for (int i = 0; i < LANES; i++) memcpy(words + (size_t)k * (size_t)width + row + i, source + (size_t)(row + i) * pitch + (size_t)k * sizeof(float), sizeof(float));
        }
    }
#endif
    for (; row < width; row++) {
        for (int32_t k = 0; k < depth; k++) {
            float word = 0;
            if (row < count) memcpy(&word, source + (size_t)row * pitch + (size_t)k * sizeof(float), sizeof word);
            words[(size_t)k * (size_t)width + row] = word;
        }
    }
}

/// `count` rows times the panel. Both numbers are constants where it is called, so that `sums` are registers.
__attribute__((always_inline)) static inline void tile(const panel *p, const char *x, char *out, const int count, const int vectors, const int rounds) {
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

#define TILE(number) case number: tile(p, x, out, number, vectors, rounds); break;

__attribute__((always_inline)) static inline void all_tiles(const panel *p, const char *x, char *out, int32_t rows, const int vectors, const int rounds) {
    for (; rows > 0; rows -= PIXELS, x += PIXELS * p->pitch, out += PIXELS * p->out_pitch) {
        switch (rows < PIXELS ? rows : PIXELS) {
            TILE(1) TILE(2) TILE(3) TILE(4)
#if PIXELS > 4
            TILE(5) TILE(6) TILE(7) TILE(8)
#endif
        }
    }
}

#define TILES(vectors, rounds) all_tiles(p, x, out, rows, vectors, rounds)
#if defined(__AVX512BF16__)
#define EITHER(vectors) if (p->rounds) TILES(vectors, 1); else TILES(vectors, 0)
#else
#define EITHER(vectors) TILES(vectors, 0)
#endif

void multiply_panel(const panel *p, const void *x, void *out, int32_t rows) {
    switch (p->vectors) {
    case 1: EITHER(1); break;
    case 2: EITHER(2); break;
    default: EITHER(3); break;
    }
}
