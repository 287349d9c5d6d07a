// A product of bf16 by tiles: rows of weights are the first operand where they lie, activations were laid out in pairs once for all
// products that take them. Two tiles of outputs by two of tokens are summed at once.
#pragma once

#include "product.h"
#include "tiles.h"

/// What a thread goes over together: elements of a row, of which 32 rows of weights and 32 tokens fit into the first cache at once; tiles
/// of tokens and of outputs, whose sums, with that much of the tokens, stay in the second. Weights that are decoded are decoded for more
/// tokens.
enum { INNER = 256, TOKEN_TILES = 32, DECODED_TOKEN_TILES = 64, SUMMED_TILES = 128 };
_Static_assert(INNER % CT_MOST_BLOCK == 0 && SUMMED_TILES / DECODED_TOKEN_TILES >= 2, "blocks of weights are whole, and outputs come in pairs of tiles");

/// Rounded rows lie as `[inner / INNER][rows / 16][INNER / 32][16 pairs][16 rows][2]`; the last part of a row is shorter.
static size_t tiled_bytes(int32_t inner, int32_t rows) { return (size_t)whole_tiles(inner, TILE_INNER) * (size_t)whole_tiles(rows, TILE) * 2; }

static void round_to_tiles(const void *x, size_t pitch, int32_t inner, int32_t rows, void *out, int32_t part, int32_t parts) {
    int32_t whole = whole_tiles(inner, TILE_INNER), tiles = (rows + TILE - 1) / TILE;
    for (int32_t tile = (int32_t)((int64_t)tiles * part / parts); tile < (int32_t)((int64_t)tiles * (part + 1) / parts); tile++) {
        int32_t count = rows - tile * TILE < TILE ? rows - tile * TILE : TILE;
        for (int32_t k = 0; k < whole; k += INNER) {
            uint16_t stage[TILE][INNER] = {{0}};
            int32_t real = inner - k < INNER ? inner - k : INNER, padded = whole - k < INNER ? whole - k : INNER;
            for (int32_t row = 0; row < count; row++) {
                round_values((const float *)(const void *)((const char *)x + (size_t)(tile * TILE + row) * pitch) + k, stage[row], real);
            }
            transpose_words(stage, sizeof stage[0], count, TILE, padded / 2, (float *)out + (size_t)(k / 2) * TILE * (size_t)tiles + (size_t)tile * TILE * (size_t)(padded / 2), TILE);
        }
    }
}

/// Two tiles of outputs as a first operand, rows that share no places in the first cache.
typedef uint16_t staged_rows[2 * TILE][INNER + TILE_INNER];

/// Elements `k ..< k + count` of two tiles of outputs, of which `used` are there, filled up with zeros.
static void stage_weights(const ct_product *p, const char *weights, int32_t used, int32_t k, int32_t count, staged_rows stage) {
    int32_t padded = whole_tiles(count, TILE_INNER);
    for (int32_t row = 0; row < 2 * TILE; row++) {
        const char *from = weights + (size_t)row * p->weight_pitch;
        if (row >= used) {
            memset(stage[row], 0, (size_t)padded * 2);
            continue;
        }
        if (p->weights == CT_WEIGHTS_BF16) {
            memcpy(stage[row], from + (size_t)k * 2, (size_t)count * 2);
        } else {
            float values[INNER];
            decode_row(p, from, k, count, values);
            round_values(values, stage[row], count);
        }
        memset(stage[row] + count, 0, (size_t)(padded - count) * 2);
    }
}

/// Rows of weights on their way to the second cache: `bytes` of each of `first ..< end`.
static inline void prefetch_rows(const char *weights, size_t pitch, int32_t first, int32_t end, int32_t bytes) {
    for (int32_t row = first; row < end; row++) {
        for (int32_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(weights + (size_t)row * pitch + byte, 0, 2);
    }
}

/// Sums of two tiles of outputs by `columns` tiles of tokens (1 or 2) go on for `steps` steps. Tokens' tiles are `far` bytes apart.
__attribute__((always_inline)) static inline void dot_tiles(tiles *t, staged_rows a, const char *tokens, size_t far, int32_t steps, float *upper, float *lower, int first,
                                                            const int columns) {
    if (first) {
        tile_zero(t, 0);
        tile_zero(t, 2);
        if (columns == 2) {
            tile_zero(t, 1);
            tile_zero(t, 3);
        }
    } else {
        tile_load(t, 0, upper, TILE_BYTES);
        tile_load(t, 2, lower, TILE_BYTES);
        if (columns == 2) {
            tile_load(t, 1, upper + TILE_SUMS, TILE_BYTES);
            tile_load(t, 3, lower + TILE_SUMS, TILE_BYTES);
        }
    }
    for (int32_t step = 0; step < steps; step++) {
        const char *pairs = tokens + (size_t)step * TILE * TILE_BYTES, *rows = (const char *)a + (size_t)step * TILE_BYTES;
        tile_load(t, 6, pairs, TILE_BYTES);
        tile_load(t, 4, rows, sizeof a[0]);
        tile_dot(t, 0, 4, 6);
        tile_load(t, 5, rows + TILE * sizeof a[0], sizeof a[0]);
        tile_dot(t, 2, 5, 6);
        if (columns == 2) {
            tile_load(t, 7, pairs + far, TILE_BYTES);
            tile_dot(t, 1, 4, 7);
            tile_dot(t, 3, 5, 7);
        }
    }
    tile_store(t, 0, upper, TILE_BYTES);
    tile_store(t, 2, lower, TILE_BYTES);
    if (columns == 2) {
        tile_store(t, 1, upper + TILE_SUMS, TILE_BYTES);
        tile_store(t, 3, lower + TILE_SUMS, TILE_BYTES);
    }
}

/// Sums of a tile, `[outputs][tokens]`, plus bias become rows of the output.
static void put_tile(float *sums, const float *bias, int32_t outputs, int32_t tokens, char *out, size_t pitch) {
    if (bias) {
        for (int32_t output = 0; output < outputs; output++) {
            for (int32_t token = 0; token < TILE; token++) sums[output * TILE + token] += bias[output];
        }
    }
#if defined(HAS_AVX512)
    if (outputs == TILE && tokens == TILE) {
        transpose_square((const char *)sums, TILE_BYTES, (float *)(void *)out, pitch / sizeof(float));
        return;
    }
#endif
    float turned[TILE][TILE];
    transpose_words(sums, TILE_BYTES, TILE, TILE, TILE, turned[0], TILE);
    for (int32_t token = 0; token < tokens; token++) memcpy(out + (size_t)token * pitch, turned[token], (size_t)outputs * sizeof(float));
}

/// Outputs `output ..< output + outputs` for tiles of tokens `tile ..< tile + tokens`.
static void multiply_block(tiles *t, const ct_product *p, const char *weights, const float *bias, const char *x, char *out, int32_t output, int32_t outputs, int32_t tile,
                           int32_t tokens) {
    // By tiles of outputs, then of tokens.
    float sums[SUMMED_TILES][TILE_SUMS];
    staged_rows stage;
    size_t all = (size_t)((p->rows + TILE - 1) / TILE);
    for (int32_t k = 0; k < p->inner; k += INNER) {
        int32_t count = p->inner - k < INNER ? p->inner - k : INNER, steps = (count + TILE_INNER - 1) / TILE_INNER;
        size_t far = (size_t)steps * TILE * TILE_BYTES;
        const char *from = x + (size_t)k * TILE * 2 * all + (size_t)tile * far;
        for (int32_t row = 0; row < outputs; row += 2 * TILE) {
            int32_t rest = outputs - row, used = rest < 2 * TILE ? rest : 2 * TILE;
            float (*upper)[TILE_SUMS] = sums + row / TILE * tokens, (*lower)[TILE_SUMS] = upper + tokens;
            stage_weights(p, weights + (size_t)(output + row) * p->weight_pitch, used, k, count, stage);
            // What is staged next comes while this is computed with.
            int goes_on = row + 2 * TILE < outputs;
            const char *next = weights + (size_t)(output + (goes_on ? row + 2 * TILE : 0)) * p->weight_pitch + (size_t)(goes_on ? k : k + INNER) * 2;
            for (int32_t column = 0; column < tokens; column += 2) {
                if (p->weights == CT_WEIGHTS_BF16) prefetch_rows(next, p->weight_pitch, 2 * TILE * column / tokens, 2 * TILE * (column + 2) / tokens, count * 2);
                const char *pairs = from + (size_t)column * far;
                if (column + 1 < tokens) dot_tiles(t, stage, pairs, far, steps, upper[column], lower[column], k == 0, 2);
                else dot_tiles(t, stage, pairs, far, steps, upper[column], lower[column], k == 0, 1);
            }
        }
    }
    // A token's outputs together: they are neighbours.
    for (int32_t column = 0; column < tokens; column++) {
        int32_t first = (tile + column) * TILE, rest = p->rows - first;
        for (int32_t row = 0; row < outputs; row += TILE) {
            put_tile(sums[row / TILE * tokens + column], bias ? bias + output + row : NULL, outputs - row < TILE ? outputs - row : TILE, rest < TILE ? rest : TILE,
                     out + (size_t)first * p->out_pitch + (size_t)(output + row) * sizeof(float), p->out_pitch);
        }
    }
}

/// `x` as `round_to_tiles` wrote it, `weights [outputs][inner]`, `out [rows][outputs]`.
static void multiply_tiles(const ct_product *p, const void *weights, const float *bias, const void *x, float *out, int32_t first, int32_t count, int32_t part,
                           int32_t parts) {
    if (!p->rounds) {
        multiply(p, weights, bias, x, out, first, count, part, parts);
        return;
    }
    int32_t all = (p->rows + TILE - 1) / TILE, pairs = (count + 2 * TILE - 1) / (2 * TILE);
    // Threads share outputs, or tokens where there are few outputs.
    int by_outputs = pairs >= 4 * parts;
    int32_t begin = by_outputs ? (int32_t)((int64_t)pairs * part / parts) : 0, end = by_outputs ? (int32_t)((int64_t)pairs * (part + 1) / parts) : pairs;
    int32_t tile = by_outputs ? 0 : (int32_t)((int64_t)all * part / parts), last = by_outputs ? all : (int32_t)((int64_t)all * (part + 1) / parts);
    int32_t stop = end * 2 * TILE < count ? end * 2 * TILE : count;
    if (tile == last) return;
    // As few passes over the weights as there can be, of like size.
    int32_t most = p->weights == CT_WEIGHTS_DECODED ? DECODED_TOKEN_TILES : TOKEN_TILES, passes = (last - tile + most - 1) / most;
    int32_t tokens = whole_tiles((last - tile + passes - 1) / passes, 2), outputs = SUMMED_TILES / tokens / 2 * 2 * TILE;
    tiles t;
    tiles_begin(&t);
    for (; tile < last; tile += tokens) {
        for (int32_t output = begin * 2 * TILE; output < stop; output += outputs) {
            multiply_block(&t, p, weights, bias, x, (char *)out, first + output, stop - output < outputs ? stop - output : outputs, tile,
                           last - tile < tokens ? last - tile : tokens);
        }
    }
    tiles_end(&t);
}
