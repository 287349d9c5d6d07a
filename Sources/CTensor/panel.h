// Products with a panel: some rows of a matrix laid out so that one load takes a word of each.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// A panel and what its products share. A word is an f32, or a pair of bf16.
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

/// `count` rows of `depth` words become `depth` rows of `width` words; what there is no row for is zeros.
void lay_out(const void *rows, size_t pitch, int32_t count, int32_t width, int32_t depth, float *words);

/// `out[i] = start + panel · x[i]` for `rows` rows.
void multiply_panel(const panel *p, const void *x, void *out, int32_t rows);
