// Attention whose two products are of bf16: queries, keys, values and the softmax's weights are rounded; scores, sums and the softmax
// are f32.
#pragma once

#if TILES != TILES_NONE
#include "tiles.h"
#endif

/// Rows that go over a block together; elements that a row is filled up to; keys that lie side by side; values that a chunk of rows has
/// at most.
enum {
#if TILES != TILES_NONE
    GROUP = 32, STEP = 32, KEY_PANEL = 32,
#else
    GROUP = PIXELS, STEP = 2, KEY_PANEL = PANEL,
#endif
    ROUNDED_VALUES = LANES >= 8 ? 1 << 15 : 1 << 14, ROUNDED_FEATURES = 128
};
_Static_assert(BLOCK % KEY_PANEL == 0 && BLOCK % STEP == 0 && ROUNDED_FEATURES % STEP == 0, "a block is whole panels and whole steps");

static inline int32_t filled(int32_t count, int32_t step) { return (count + step - 1) / step * step; }

/// Features of a row of sums: whole vectors, and whole tiles.
static inline int32_t wide_head(int32_t head) { return filled(head, LANES > 16 || TILES == TILES_NONE ? LANES : 16); }

/// Rows of a chunk, a power of two groups.
static inline int32_t most_rounded_rows(int32_t head) {
    int32_t rows = GROUP;
    while (2 * rows <= ROWS && 2 * rows * filled(wide_head(head), STEP) <= ROUNDED_VALUES) rows *= 2;
    return rows;
}

/// Words of keys and values are pairs.
typedef struct {
    /// `[panels][head / 2][KEY_PANEL]`, pairs of features; `[keys / 2][wide]`, pairs of keys.
    float keys[BLOCK * CT_MOST_HEAD / 2], values[BLOCK * CT_MOST_HEAD / 2];
    int32_t first, count;
} rounded_block;

typedef struct {
    /// `[rows][head]` in bf16, and `[rows][wide]`.
    uint16_t query[ROUNDED_VALUES];
    float sums[ROUNDED_VALUES];
    rounded_block block;
} rounded_state;

/// A row's values in bf16, filled up with zeros to `padded`.
static void round_row(const char *from, int32_t first, int32_t count, int32_t padded, uint16_t *to) {
    round_values((const float *)(const void *)from + first, to, count);
    memset(to + count, 0, (size_t)(padded - count) * sizeof *to);
}

static void lay_out_rounded(const ct_attention *a, const char *keys, const char *values, rounded_block *b) {
    int32_t head = filled(a->head, STEP), wide = wide_head(a->head), count = filled(b->count, STEP);
    for (int32_t key = 0; key < b->count; key += KEY_PANEL) {
        int32_t real = b->count - key < KEY_PANEL ? b->count - key : KEY_PANEL;
        float *words = b->keys + (size_t)key * (size_t)(head / 2);
        for (int32_t f = 0; f < head; f += ROUNDED_FEATURES) {
            uint16_t stage[KEY_PANEL][ROUNDED_FEATURES];
            int32_t features = a->head - f < ROUNDED_FEATURES ? a->head - f : ROUNDED_FEATURES, padded = filled(features, STEP);
            for (int32_t i = 0; i < real; i++) round_row(keys + (size_t)(key + i) * a->key_pitch, f, features, padded, stage[i]);
            transpose_words(stage, sizeof stage[0], real, KEY_PANEL, padded / 2, words + (size_t)(f / 2) * KEY_PANEL, KEY_PANEL);
        }
    }
    for (int32_t key = 0; key < count; key += 2) {
        uint16_t stage[2][CT_MOST_HEAD + 16];
        char *row = (char *)(b->values + (size_t)(key / 2) * (size_t)wide);
        for (int32_t i = 0; i < 2; i++) round_row(values + (size_t)(key + i) * a->value_pitch, 0, key + i < b->count ? a->head : 0, wide, stage[i]);
        for (int32_t f = 0; f < wide; f++) {
            uint32_t word = stage[0][f] | (uint32_t)stage[1][f] << 16;
            memcpy(row + (size_t)f * sizeof word, &word, sizeof word);
        }
    }
}

/// `out [GROUP][columns] (+)= rows [GROUP][2 · depth] · words [depth][columns]`; `step` words from line to line. Columns are whole
/// vectors, whole tiles where there are tiles.
#if TILES != TILES_NONE
static void multiply_group(tiles *t, const char *rows, size_t pitch, const float *words, int32_t step, int32_t depth, float *out, size_t out_pitch, int32_t columns,
                           int goes_on) {
    size_t line = (size_t)step * sizeof(float);
    char *place = (char *)out;
    for (int32_t column = 0; column < columns; column += 2 * TILE) {
        int two = column + TILE < columns;
        char *upper = place + (size_t)column * sizeof(float), *lower = upper + TILE * out_pitch;
        if (goes_on) {
            tile_load(t, 0, upper, out_pitch);
            tile_load(t, 2, lower, out_pitch);
            if (two) {
                tile_load(t, 1, upper + TILE_BYTES, out_pitch);
                tile_load(t, 3, lower + TILE_BYTES, out_pitch);
            }
        } else {
            tile_zero(t, 0);
            tile_zero(t, 1);
            tile_zero(t, 2);
            tile_zero(t, 3);
        }
        for (int32_t k = 0; k < depth; k += TILE_PAIRS) {
            const char *pairs = (const char *)(words + (size_t)k * (size_t)step + column), *from = rows + (size_t)k * sizeof(float);
            tile_load(t, 6, pairs, line);
            tile_load(t, 4, from, pitch);
            tile_load(t, 5, from + TILE * pitch, pitch);
            tile_dot(t, 0, 4, 6);
            tile_dot(t, 2, 5, 6);
            if (two) {
                tile_load(t, 7, pairs + TILE_BYTES, line);
                tile_dot(t, 1, 4, 7);
                tile_dot(t, 3, 5, 7);
            }
        }
        tile_store(t, 0, upper, out_pitch);
        tile_store(t, 2, lower, out_pitch);
        if (two) {
            tile_store(t, 1, upper + TILE_BYTES, out_pitch);
            tile_store(t, 3, lower + TILE_BYTES, out_pitch);
        }
    }
}
#else
typedef char tiles;
static void tiles_begin(tiles *t) { (void)t; }
static void tiles_end(tiles *t) { (void)t; }

static void multiply_group(tiles *t, const char *rows, size_t pitch, const float *words, int32_t step, int32_t depth, float *out, size_t out_pitch, int32_t columns,
                           int goes_on) {
    static const float zeros[PANEL];
    (void)t;
    for (int32_t column = 0; column < columns; column += PANEL) {
        int32_t width = columns - column < PANEL ? columns - column : PANEL;
        panel product = {words + column, step, width / LANES, width, depth, goes_on ? NULL : zeros, pitch, out_pitch, 1};
        multiply_panel(&product, rows, out + column, GROUP);
    }
}
#endif

/// The chunk's rows over a block. Rows that fill up the last group are computed too, from zeros.
static void attend_block_rounded(const ct_attention *a, chunk *c, rounded_state *s, tiles *t) {
    const rounded_block *b = &s->block;
    int32_t head = filled(a->head, STEP), wide = wide_head(a->head), count = filled(b->count, STEP);
    for (int32_t row = 0; row < c->rows; row += GROUP) {
        float scores[GROUP][BLOCK];
        uint16_t weights[GROUP][BLOCK];
        if (count > b->count || row + GROUP > c->rows) memset(weights, 0, sizeof weights);
        const char *query = (const char *)(s->query + (size_t)row * (size_t)head);
        float *sums = s->sums + (size_t)row * (size_t)wide;
        for (int32_t key = 0; key < b->count; key += KEY_PANEL) {
            multiply_group(t, query, (size_t)head * 2, b->keys + (size_t)key * (size_t)(head / 2), KEY_PANEL, head / 2, scores[0] + key, sizeof scores[0], KEY_PANEL, 0);
        }
        for (int32_t i = 0; i < GROUP && row + i < c->rows; i++) {
            float factor = update_softmax(a->scale, scores[i], mask_row(a, c, row + i, b->first), b->count, &c->largest[row + i], &c->sum[row + i]);
            if (factor != 1) for (int32_t f = 0; f < a->head; f++) sums[i * wide + f] *= factor;
            round_values(scores[i], weights[i], b->count);
        }
        multiply_group(t, (const char *)weights, sizeof weights[0], b->values, wide, count / 2, sums, (size_t)wide * sizeof(float), wide, 1);
    }
}

static void attend_chunk_rounded(const ct_attention *a, chunk *c, const char *keys, const char *values) {
    rounded_state s;
    tiles t;
    int32_t head = filled(a->head, STEP), wide = wide_head(a->head), rows = filled(c->rows, GROUP);
    begin_softmax(c);
    memset(s.query, 0, (size_t)rows * (size_t)head * 2);
    memset(s.sums, 0, (size_t)rows * (size_t)wide * sizeof(float));
    for (int32_t i = 0; i < c->rows; i++) round_values((const float *)(const void *)(c->query + (size_t)i * a->query_pitch), s.query + (size_t)i * (size_t)head, a->head);
    tiles_begin(&t);
    for (s.block.first = 0; s.block.first < a->keys; s.block.first += BLOCK) {
        s.block.count = a->keys - s.block.first < BLOCK ? a->keys - s.block.first : BLOCK;
        lay_out_rounded(a, keys + (size_t)s.block.first * a->key_pitch, values + (size_t)s.block.first * a->value_pitch, &s.block);
        attend_block_rounded(a, c, &s, &t);
    }
    tiles_end(&t);
    for (int32_t i = 0; i < c->rows; i++) {
        float *out = (float *)(void *)(c->out + (size_t)i * a->out_pitch), whole = 1 / c->sum[i];
        for (int32_t f = 0; f < a->head; f++) out[f] = s.sums[(size_t)i * (size_t)wide + f] * whole;
    }
}
