// A product of two matrices whose rows are read where they lie. A panel of one side is laid out anew in the cache and stays there
// while all rows of the other go over it.
#pragma once

#include "panel.h"

/// Words of a row that a panel has at once: a panel fills a fifth of a second-level cache of 1 MiB.
enum { DEPTH = 1024 };

/// `count` elements of a row of weights from element `first` on, as f32.
static inline void decode_row(const ct_product *p, const char *row, int32_t first, int32_t count, float *values) {
    if (p->weights == CT_WEIGHTS_BF16) {
        const char *halves = row + (size_t)first * 2;
        for (int32_t i = 0; i < count; i++) {
            uint16_t half;
            memcpy(&half, halves + (size_t)i * 2, sizeof half);
            uint32_t bits = (uint32_t)half << 16;
            memcpy(values + i, &bits, sizeof bits);
        }
    } else {
        p->decode(row + (size_t)(first / p->block) * (size_t)p->block_bytes, values, count);
    }
}

/// `words [depth][width]` of `used` rows of weights `[used][inner]`, from word `first` of each on.
static void lay_out_weights(const ct_product *p, const char *rows, int32_t used, int32_t width, int32_t first, int32_t depth, float *words) {
    if (p->weights == (p->rounds ? CT_WEIGHTS_BF16 : CT_WEIGHTS_F32)) {
        transpose_words(rows + (size_t)first * sizeof(float), p->weight_pitch, used, width, depth, words, width);
        return;
    }
    if (p->rounds) {
        // Words are pairs.
        uint16_t stage[PANEL][CT_MOST_BLOCK];
        for (int32_t k = 0; k < depth; k += CT_MOST_BLOCK / 2) {
            int32_t count = depth - k < CT_MOST_BLOCK / 2 ? depth - k : CT_MOST_BLOCK / 2;
            for (int32_t row = 0; row < used; row++) {
                float values[CT_MOST_BLOCK];
                decode_row(p, rows + (size_t)row * p->weight_pitch, 2 * (first + k), 2 * count, values);
                round_values(values, stage[row], 2 * count);
            }
            transpose_words(stage, sizeof stage[0], used, width, count, words + (size_t)k * (size_t)width, width);
        }
        return;
    }
    float stage[PANEL][CT_MOST_BLOCK];
    for (int32_t k = 0; k < depth; k += CT_MOST_BLOCK) {
        int32_t count = depth - k < CT_MOST_BLOCK ? depth - k : CT_MOST_BLOCK;
        for (int32_t row = 0; row < used; row++) decode_row(p, rows + (size_t)row * p->weight_pitch, first + k, count, stage[row]);
        transpose_words(stage, sizeof stage[0], used, width, count, words + (size_t)k * (size_t)width, width);
    }
}

/// `x [rows][inner]`, `weights [outputs][inner]`, `out [rows][outputs]`.
static void multiply(const ct_product *p, const void *weights, const float *bias, const void *x, float *out, int32_t first, int32_t count, int32_t part, int32_t parts) {
    int32_t width = panel_width(p->outputs, p->rounds), panels = (count + width - 1) / width;
    // Threads share panels, or rows where there are few panels.
    int by_panels = panels >= 8 * parts;
    int32_t begin = by_panels ? (int32_t)((int64_t)panels * part / parts) : 0;
    int32_t end = by_panels ? (int32_t)((int64_t)panels * (part + 1) / parts) : panels;
    int32_t row = by_panels ? 0 : (int32_t)((int64_t)p->rows * part / parts);
    int32_t rows = (by_panels ? p->rows : (int32_t)((int64_t)p->rows * (part + 1) / parts)) - row;
    int32_t depth = p->rounds ? p->inner / 2 : p->inner;
    size_t pitch = p->rounds ? (size_t)depth * sizeof(float) : p->pitch;
    if (rows == 0) return;
    float words[DEPTH * PANEL];
    for (int32_t index = begin; index < end; index++) {
        float start[PANEL] = {0};
        int32_t output = first + index * width, rest = first + count - output, used = rest < width ? rest : width;
        if (bias) memcpy(start, bias + output, (size_t)used * sizeof(float));
        for (int32_t k = 0; k < depth; k += DEPTH) {
            panel piece = {words, width, width / LANES, used, depth - k < DEPTH ? depth - k : DEPTH, k == 0 ? start : NULL, pitch, p->out_pitch, p->rounds};
            lay_out_weights(p, (const char *)weights + (size_t)output * p->weight_pitch, used, width, k, piece.depth, words);
            multiply_panel(&piece, (const char *)x + (size_t)row * pitch + (size_t)k * sizeof(float), (char *)(out + output) + (size_t)row * p->out_pitch, rows);
        }
    }
}

#if TILES == TILES_NONE
/// Rows as they lie, of bf16, with an even number of elements.
static size_t rounded_bytes(int32_t inner, int32_t rows) { return (size_t)inner * (size_t)rows * 2; }

static void round_rows(const void *x, size_t pitch, int32_t inner, int32_t rows, void *out, int32_t part, int32_t parts) {
    for (int64_t row = (int64_t)rows * part / parts; row < (int64_t)rows * (part + 1) / parts; row++) {
        round_values((const float *)(const void *)((const char *)x + (size_t)row * pitch), (uint16_t *)out + row * inner, inner);
    }
}
#endif
