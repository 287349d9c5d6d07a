// Attention whose scores are never stored: keys and values come block by block, and what is summed already is lowered whenever a
// larger score appears, the online softmax (arXiv:1805.02867, arXiv:2112.05682).
#pragma once

#include "panel.h"

/// Most keys of a block, values of its keys, and the most rows of queries that go over the blocks together.
enum { BLOCK = 96, BLOCK_VALUES = BLOCK * 256, ROWS = 256 };
_Static_assert(BLOCK % (2 * PANEL) == 0 && 2 * BLOCK_VALUES >= BLOCK * CT_MOST_HEAD, "a block of the widest heads is whole panels");

/// Below every score that counts, and finite, so that differences are.
static const float LOWEST = -1e30f;

/// `scores [count]` of a row for a block become weights, and `largest` and `sum` what they are with it. Returns the factor that what
/// was summed before is to be multiplied with.
static float update_softmax(float scale, float *scores, const float *mask, int32_t count, float *largest, float *sum) {
    if (mask) for (int32_t k = 0; k < count; k++) scores[k] = scores[k] * scale + mask[k];
    else for (int32_t k = 0; k < count; k++) scores[k] *= scale;
    for (int32_t k = count; k % LANES != 0; k++) scores[k] = LOWEST;
    vector most = (vector){0} + *largest, total = {0};
    for (int32_t k = 0; k < count; k += LANES) {
        vector x = *(const vector *)(const void *)(scores + k);
        flags larger = x > most;
        most = (vector)(((flags)x & larger) | ((flags)most & ~larger));
    }
    float greatest = largest_lane(most);
    for (int32_t k = 0; k < count; k += LANES) {
        vector *place = (vector *)(void *)(scores + k);
        *place = exponential(*place - greatest);
        total += *place;
    }
    float factor = *largest == greatest ? 1 : exponential((vector){0} + (*largest - greatest))[0];
    *sum = *sum * factor + sum_of_lanes(total);
    *largest = greatest;
    return factor;
}

/// Some rows of one head.
typedef struct {
    const char *query, *mask;
    char *out;
    int32_t rows;
    float largest[ROWS], sum[ROWS];
} chunk;

static inline void begin_softmax(chunk *c) {
    for (int32_t i = 0; i < c->rows; i++) {
        c->largest[i] = LOWEST;
        c->sum[i] = 0;
    }
}

static inline const float *mask_row(const ct_attention *a, const chunk *c, int32_t row, int32_t first) {
    return c->mask ? (const float *)(const void *)(c->mask + (size_t)row * a->mask_pitch) + first : NULL;
}

/// A block of keys and values as products want them.
typedef struct {
    float keys[BLOCK_VALUES], values[BLOCK_VALUES];
    /// The block's first key, and how many there are.
    int32_t first, count;
} block;

/// `keys [count][head]` to panels `[head][PANEL]`, `values [count][head]` to rows of whole vectors.
static void lay_out_block(const ct_attention *a, const char *keys, const char *values, block *b) {
    int32_t wide = (a->head + LANES - 1) / LANES * LANES;
    for (int32_t key = 0; key < b->count; key += PANEL) {
        int32_t rest = b->count - key;
        transpose_words(keys + (size_t)key * a->key_pitch, a->key_pitch, rest < PANEL ? rest : PANEL, PANEL, a->head, b->keys + (size_t)key * (size_t)a->head, PANEL);
    }
    for (int32_t key = 0; key < b->count; key++) {
        float *row = b->values + (size_t)key * (size_t)wide;
        memcpy(row, values + (size_t)key * a->value_pitch, (size_t)a->head * sizeof(float));
        memset(row + a->head, 0, (size_t)(wide - a->head) * sizeof(float));
    }
}

/// The chunk's rows over a block.
static void attend_block(const ct_attention *a, chunk *c, const block *b) {
    static const float zeros[PANEL];
    int32_t head = a->head, wide = (head + LANES - 1) / LANES * LANES;
    for (int32_t row = 0; row < c->rows; row += PIXELS) {
        float scores[PIXELS][BLOCK];
        int32_t rows = c->rows - row < PIXELS ? c->rows - row : PIXELS;
        char *out = c->out + (size_t)row * a->out_pitch;
        for (int32_t key = 0; key < b->count; key += PANEL) {
            panel product = {b->keys + (size_t)key * (size_t)head, PANEL, MOST_VECTORS, PANEL, head, zeros, a->query_pitch, sizeof scores[0], 0};
            multiply_panel(&product, c->query + (size_t)row * a->query_pitch, scores[0] + key, rows);
        }
        for (int32_t i = 0; i < rows; i++) {
            float factor = update_softmax(a->scale, scores[i], mask_row(a, c, row + i, b->first), b->count, &c->largest[row + i], &c->sum[row + i]);
            float *sums = (float *)(void *)(out + (size_t)i * a->out_pitch);
            if (factor != 1) for (int32_t f = 0; f < head; f++) sums[f] *= factor;
        }
        for (int32_t f = 0; f < head; f += PANEL) {
            int32_t rest = wide - f, used = head - f;
            panel product = {b->values + f, wide, (rest < PANEL ? rest : PANEL) / LANES, used < PANEL ? used : PANEL, b->count, NULL, sizeof scores[0], a->out_pitch, 0};
            multiply_panel(&product, scores[0], out + (size_t)f * sizeof(float), rows);
        }
    }
}

static void attend_chunk(const ct_attention *a, chunk *c, const char *keys, const char *values) {
    block b;
    begin_softmax(c);
    for (int32_t i = 0; i < c->rows; i++) memset(c->out + (size_t)i * a->out_pitch, 0, (size_t)a->head * sizeof(float));
    int32_t most = a->head > BLOCK_VALUES / BLOCK ? BLOCK / 2 : BLOCK;
    for (b.first = 0; b.first < a->keys; b.first += most) {
        b.count = a->keys - b.first < most ? a->keys - b.first : most;
        lay_out_block(a, keys + (size_t)b.first * a->key_pitch, values + (size_t)b.first * a->value_pitch, &b);
        attend_block(a, c, &b);
    }
    for (int32_t i = 0; i < c->rows; i++) {
        float *sums = (float *)(void *)(c->out + (size_t)i * a->out_pitch), whole = 1 / c->sum[i];
        for (int32_t f = 0; f < a->head; f++) sums[f] *= whole;
    }
}

#if PAIRS != PAIRS_NONE || TILES != TILES_NONE
#include "attention_rounded.h"
#endif

/// `query [rows][heads][head]`, `keys` and `values [keys][groups][head]`, `mask [heads][rows][keys]`, `out [rows][heads · head]`.
static void attend(const ct_attention *a, const void *query, const void *keys, const void *values, const void *mask, void *out, int32_t first, int32_t rows,
                   int32_t part, int32_t parts) {
    void (*body)(const ct_attention *, chunk *, const char *, const char *) = attend_chunk;
    int32_t size = ROWS, least = PIXELS, chunks;
#if PAIRS != PAIRS_NONE || TILES != TILES_NONE
    if (a->rounds) {
        body = attend_chunk_rounded;
        size = most_rounded_rows(a->head);
        least = GROUP;
    }
#endif
    // Smaller chunks where there would not be enough for all threads.
    while ((chunks = (rows + size - 1) / size) * a->heads < 2 * parts && size > least) size /= 2;
    int64_t all = (int64_t)chunks * a->heads;
    for (int64_t index = all * part / parts; index < all * (part + 1) / parts; index++) {
        int32_t head = (int32_t)(index / chunks), row = first + (int32_t)(index % chunks) * size, rest = first + rows - row;
        size_t group = (size_t)(head / (a->heads / a->groups));
        chunk c;
        c.rows = rest < size ? rest : size;
        c.query = (const char *)query + (size_t)head * a->query_step + (size_t)row * a->query_pitch;
        c.mask = mask ? (const char *)mask + (size_t)head * a->mask_step + (size_t)row * a->mask_pitch : NULL;
        c.out = (char *)out + (size_t)head * (size_t)a->head * sizeof(float) + (size_t)row * a->out_pitch;
        body(a, &c, (const char *)keys + group * a->key_step, (const char *)values + group * a->value_step);
    }
}
