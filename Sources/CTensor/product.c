// A product of two matrices whose rows are read where they lie. A panel of one side is laid out anew in the cache and stays there
// while all rows of the other go over it.
#include "CTensor.h"
#include "panel.h"
#include "vectors.h"

/// Words of a row that a panel has at once: a panel fills a fifth of a second-level cache of 1 MiB.
enum { DEPTH = 1024 };

void ct_multiply(const ct_product *p, const void *weights, const float *bias, const void *x, float *out, int32_t first, int32_t count, int32_t part, int32_t parts) {
    int32_t width = ct_panel_width(p->outputs), panels = (count + width - 1) / width;
    // Threads share panels, or rows where there are few panels.
    int by_panels = panels >= 8 * parts;
    int32_t begin = by_panels ? (int32_t)((int64_t)panels * part / parts) : 0;
    int32_t end = by_panels ? (int32_t)((int64_t)panels * (part + 1) / parts) : panels;
    int32_t row = by_panels ? 0 : (int32_t)((int64_t)p->rows * part / parts);
    int32_t rows = (by_panels ? p->rows : (int32_t)((int64_t)p->rows * (part + 1) / parts)) - row;
    int32_t depth = p->rounds ? p->inner / 2 : p->inner;
    if (rows == 0) return;
    float words[DEPTH * MOST_VECTORS * LANES];
    for (int32_t index = begin; index < end; index++) {
        float start[MOST_VECTORS * LANES] = {0};
        int32_t output = first + index * width, rest = first + count - output, used = rest < width ? rest : width;
        if (bias) memcpy(start, bias + output, (size_t)used * sizeof(float));
        for (int32_t k = 0; k < depth; k += DEPTH) {
            panel piece = {words, width, width / LANES, used, depth - k < DEPTH ? depth - k : DEPTH, k == 0 ? start : NULL, p->pitch, p->out_pitch, p->rounds};
            size_t offset = (size_t)k * sizeof(float);
            lay_out((const char *)weights + (size_t)output * p->weight_pitch + offset, p->weight_pitch, used, width, piece.depth, words);
            multiply_panel(&piece, (const char *)x + (size_t)row * p->pitch + offset, (char *)(out + output) + (size_t)row * p->out_pitch, rows);
        }
    }
}
