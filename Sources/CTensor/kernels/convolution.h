// A product of matrices whose left side is never laid out: the pixels under the kernel are read where they lie. Some pixels of
// a row times a panel of outputs stay in registers while all taps and channels are gone through.
#pragma once

#include "pack.h"

enum { CACHED_FLOATS = 160 << 10 };

static const float NO_PIXEL[CT_MOST_INPUTS];

typedef struct {
    const ct_convolution *c;
    const char *x, *history;
    /// The output row's frame and row.
    int32_t frame, row;
} place;

static inline size_t pixel_bytes(const ct_convolution *c) { return (size_t)c->channels * (c->rounds ? 2 : sizeof(float)); }

/// The input's row that tap (`time`, `y`) reads; NULL where there are zeros.
static inline const char *input_row(const place *p, int32_t time, int32_t y) {
    const ct_convolution *c = p->c;
    if (c->dilation) return p->x;
    int32_t frame = p->frame * c->time_stride + time - c->before;
    int32_t row = p->row * c->stride + y - c->padding;
    if (row < 0 || row >= (c->doubles ? 2 * c->height : c->height) || frame >= c->frames) return NULL;
    if (c->doubles) row >>= 1;
    size_t pitch = (size_t)c->width * pixel_bytes(c);
    size_t area = pitch * (size_t)c->height;
    if (frame >= 0) return p->x + (size_t)frame * area + (size_t)row * pitch;
    frame += c->past;
    return frame >= 0 ? p->history + (size_t)((frame + c->oldest) % c->past) * area + (size_t)row * pitch : NULL;
}

static inline const float *input_pixel(const ct_convolution *c, const char *row, int32_t column) {
    if (column < 0 || column >= (c->doubles ? 2 * c->width : c->width)) return NO_PIXEL;
    return (const float *)(const void *)(row + (size_t)(c->doubles ? column >> 1 : column) * pixel_bytes(c));
}

/// Taps of a row of the kernel. Along a line each row of the kernel is one tap.
static inline int32_t taps_across(const ct_convolution *c) { return c->dilation ? 1 : c->size; }

/// How far right of an output's own column tap `x` of the kernel's row `y` reads.
static inline int32_t tap_column(const ct_convolution *c, int32_t y, int32_t x) { return c->dilation ? y * c->dilation - c->left : x - c->padding; }

/// A panel's part of the work: rows of taps `first ..< end`, counted over all of the kernel's frames.
typedef struct {
    const float *weights, *bias;
    int32_t first, end;
    /// Outputs of the panel that there are, and that there is room for.
    int32_t used, width;
} portion;

/// `pixels` outputs of a row from `column` on, `vectors` wide. Both are constants where it is called, so that `sums` are registers.
__attribute__((always_inline)) static inline void convolve_few(const place *p, int32_t column, const portion *panel, float *out, const int pixels, const int vectors,
                                                               const int rounds) {
    const ct_convolution *c = p->c;
    // Pairs count as one.
    const long channels = rounds ? c->channels / 2 : c->channels;
    vector sums[PIXELS][MOST_VECTORS];
    for (int i = 0; i < pixels; i++) {
        vector whole[MOST_VECTORS];
        // Sums go by way of a copy: what has its address taken would not be a register.
        if (panel->first == 0) memcpy(whole, panel->bias, sizeof(vector) * (size_t)vectors);
        else memcpy(whole, out + (size_t)i * (size_t)c->out_channels, (size_t)panel->used * sizeof(float));
        for (int v = 0; v < vectors; v++) sums[i][v] = whole[v];
    }
    const float *weights = panel->weights;
    for (int32_t taps = panel->first; taps < panel->end; taps++) {
        const char *row = input_row(p, taps / c->size, taps % c->size);
        if (!row) {
            weights += (long)taps_across(c) * channels * vectors * LANES;
            continue;
        }
        for (int32_t x = 0; x < taps_across(c); x++) {
            const float *from[PIXELS];
            const int32_t shift = tap_column(c, taps % c->size, x);
            for (int i = 0; i < pixels; i++) from[i] = input_pixel(c, row, (column + i) * c->stride + shift);
            for (long channel = 0; channel < channels; channel++) {
                vector w[MOST_VECTORS];
                for (int v = 0; v < vectors; v++) w[v] = ((const vector *)(const void *)weights)[v];
                for (int i = 0; i < pixels; i++) {
                    for (int v = 0; v < vectors; v++) sums[i][v] = accumulate(sums[i][v], w[v], from[i] + channel, rounds);
                }
                weights += vectors * LANES;
            }
        }
    }
    for (int i = 0; i < pixels; i++) {
        vector whole[MOST_VECTORS];
        for (int v = 0; v < vectors; v++) whole[v] = sums[i][v];
        memcpy(out + (size_t)i * (size_t)c->out_channels, whole, (size_t)panel->used * sizeof(float));
    }
}

#define FEW_PIXELS(count) case count: convolve_few(p, column, panel, out, count, vectors, rounds); break;

__attribute__((always_inline)) static inline void convolve_some(const place *p, int32_t column, int32_t pixels, const portion *panel, float *out, const int vectors,
                                                                const int rounds) {
    switch (pixels) {
        FEW_PIXELS(1) FEW_PIXELS(2) FEW_PIXELS(3) FEW_PIXELS(4)
#if PIXELS > 4
        FEW_PIXELS(5) FEW_PIXELS(6) FEW_PIXELS(7) FEW_PIXELS(8)
#endif
    }
}

/// Groups of pixels `first ..< end` of all rows, for one panel whose outputs begin at `output`.
__attribute__((always_inline)) static inline void convolve_panel(const ct_convolution *c, const void *x, const void *history, const portion *panel, float *out,
                                                                 int32_t output, int32_t first_row, int32_t first, int32_t end, const int vectors,
                                                                 const int rounds) {
    int32_t across = (c->out_width + PIXELS - 1) / PIXELS;
    for (int32_t index = first; index < end; index++) {
        int32_t line = first_row + index / across, column = index % across * PIXELS;
        place p = {c, x, history, line / c->out_height, line % c->out_height};
        int32_t pixels = c->out_width - column < PIXELS ? c->out_width - column : PIXELS;
        float *target = out + ((size_t)line * (size_t)c->out_width + (size_t)column) * (size_t)c->out_channels + (size_t)output;
        convolve_some(&p, column, pixels, panel, target, vectors, rounds);
    }
}

/// One panel by vectors.
static void convolve_vectors(const ct_convolution *c, const void *x, const void *history, const portion *panel, float *out, int32_t output, int32_t first_row,
                             int32_t first, int32_t end) {
#define CONVOLVE(vectors, rounds) convolve_panel(c, x, history, panel, out, output, first_row, first, end, vectors, rounds)
#if PAIRS != PAIRS_NONE
#define CONVOLVE_EITHER(vectors) if (c->rounds) CONVOLVE(vectors, 1); else CONVOLVE(vectors, 0)
#else
#define CONVOLVE_EITHER(vectors) CONVOLVE(vectors, 0)
#endif
    switch (panel->width / LANES) {
    case 1: CONVOLVE_EITHER(1); break;
    case 2: CONVOLVE_EITHER(2); break;
    default: CONVOLVE_EITHER(3); break;
    }
}

/// How groups of pixels go over a panel, and pixels of a group.
typedef void (*convolve_body)(const ct_convolution *c, const void *x, const void *history, const portion *panel, float *out, int32_t output, int32_t first_row,
                              int32_t first, int32_t end);

static void convolve_by(const ct_convolution *c, const void *x, const void *history, const void *panels, const float *bias, float *out, int32_t first_row,
                        int32_t rows, int32_t part, int32_t parts, int32_t pixels, convolve_body body) {
    int32_t across = (c->out_width + pixels - 1) / pixels;
    int64_t groups = (int64_t)across * rows;
    int32_t first = (int32_t)(groups * part / parts), end = (int32_t)(groups * (part + 1) / parts);
    int32_t width = panel_width(c->out_channels, c->rounds), taps = c->size * c->depth, inputs = packed_inputs(c->channels, c->rounds ? 2 : 1);
    // In floats, of which a pair of bf16 takes one.
    size_t row_size = (size_t)taps_across(c) * (size_t)(c->rounds ? inputs / 2 : inputs) * (size_t)width;
    const float *weights = panels;
    // As many rows of taps at once as stay in the cache while all pixels go over them.
    int32_t step = (int32_t)((size_t)CACHED_FLOATS / row_size);
    if (step < 1) step = 1;
    for (int32_t output = 0; output < c->out_channels; output += width) {
        float start[MOST_WIDTH] = {0};
        portion panel = {weights, start, 0, 0, c->out_channels - output < width ? c->out_channels - output : width, width};
        memcpy(start, bias + output, (size_t)panel.used * sizeof(float));
        for (; panel.first < taps; panel.first = panel.end) {
            panel.end = panel.first + step < taps ? panel.first + step : taps;
            body(c, x, history, &panel, out, output, first_row, first, end);
            panel.weights += row_size * (size_t)(panel.end - panel.first);
        }
        weights += row_size * (size_t)taps;
    }
}

/// `x [frames][height][width][channels]`, `out [out_frames][out_height][out_width][out_channels]`.
static void convolve(const ct_convolution *c, const void *x, const void *history, const void *panels, const float *bias, float *out, int32_t first_row, int32_t rows,
                     int32_t part, int32_t parts) {
    convolve_by(c, x, history, panels, bias, out, first_row, rows, part, parts, PIXELS, convolve_vectors);
}
