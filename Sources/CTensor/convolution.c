// A product of matrices whose left side is never laid out: the pixels under the kernel are read where they lie. Some pixels of
// a row times a panel of outputs stay in registers while all taps and channels are gone through.
#include "CTensor.h"

#include <stddef.h>
#include <string.h>

// Lanes of a vector, and as many pixels as leave registers for a panel of three vectors.
#if defined(__AVX512F__)
#define LANES 16
#define PIXELS 8
#elif defined(__AVX__)
#define LANES 8
#define PIXELS 4
#elif defined(__aarch64__)
#define LANES 4
#define PIXELS 8
#else
#define LANES 4
#define PIXELS 4
#endif
enum { MOST_VECTORS = 3, MOST_CHANNELS = 8192, CACHED_FLOATS = 160 << 10 };

/// Without alignment: rows of three channels are not aligned.
typedef float vector __attribute__((vector_size(4 * LANES), aligned(4)));

static const float ZEROS[MOST_CHANNELS];

int32_t ct_panel_width(int32_t out_channels) {
    int32_t best = LANES;
    long least = -1;
    // Wide panels read each pixel less often; what the last one wastes counts as much.
    for (int32_t vectors = MOST_VECTORS; vectors >= 1; vectors--) {
        int32_t width = vectors * LANES;
        long panels = (out_channels + width - 1) / width;
        long cost = panels * (vectors * PIXELS + PIXELS / 2 + vectors);
        if (least < 0 || cost < least) {
            least = cost;
            best = width;
        }
    }
    return best;
}

void ct_pack_kernel(const float *kernel, int32_t out_channels, int32_t channels, int32_t taps, float *panels) {
    int32_t width = ct_panel_width(out_channels);
    for (int32_t first = 0; first < out_channels; first += width) {
        for (int32_t tap = 0; tap < taps; tap++) {
            for (int32_t channel = 0; channel < channels; channel++) {
                for (int32_t lane = 0; lane < width; lane++) {
                    int32_t output = first + lane;
                    *panels++ = output < out_channels ? kernel[((size_t)output * (size_t)channels + (size_t)channel) * (size_t)taps + (size_t)tap] : 0;
                }
            }
        }
    }
}

typedef struct {
    const ct_convolution *c;
    const float *x, *history;
    /// The output row's frame and row.
    int32_t frame, row;
} place;

/// The input's row that tap (`time`, `y`) reads; NULL where there are zeros.
static inline const float *input_row(const place *p, int32_t time, int32_t y) {
    const ct_convolution *c = p->c;
    int32_t frame = p->frame * c->time_stride + time - c->before;
    int32_t row = p->row * c->stride + y - c->padding;
    if (row < 0 || row >= (c->doubles ? 2 * c->height : c->height) || frame >= c->frames) return NULL;
    if (c->doubles) row >>= 1;
    size_t pitch = (size_t)c->width * (size_t)c->channels;
    size_t area = pitch * (size_t)c->height;
    if (frame >= 0) return p->x + (size_t)frame * area + (size_t)row * pitch;
    frame += c->past;
    return frame >= 0 ? p->history + (size_t)((frame + c->oldest) % c->past) * area + (size_t)row * pitch : NULL;
}

static inline const float *input_pixel(const ct_convolution *c, const float *row, int32_t column) {
    if (column < 0 || column >= (c->doubles ? 2 * c->width : c->width)) return ZEROS;
    return row + (size_t)(c->doubles ? column >> 1 : column) * (size_t)c->channels;
}

/// A panel's part of the work: rows of taps `first ..< end`, counted over all of the kernel's frames.
typedef struct {
    const float *weights, *bias;
    int32_t first, end;
    /// Outputs of the panel that there are.
    int32_t used;
} portion;

/// `pixels` outputs of a row from `column` on, `vectors` wide. Both are constants where it is called, so that `sums` are registers.
__attribute__((always_inline)) static inline void tile(const place *p, int32_t column, const portion *panel, float *out, const int pixels, const int vectors) {
    const ct_convolution *c = p->c;
    const long channels = c->channels;
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
        const float *row = input_row(p, taps / c->size, taps % c->size);
        if (!row) {
            weights += (long)c->size * channels * vectors * LANES;
            continue;
        }
        for (int32_t x = 0; x < c->size; x++) {
            const float *from[PIXELS];
            for (int i = 0; i < pixels; i++) from[i] = input_pixel(c, row, (column + i) * c->stride + x - c->padding);
            for (long channel = 0; channel < channels; channel++) {
                vector w[MOST_VECTORS];
                for (int v = 0; v < vectors; v++) w[v] = ((const vector *)weights)[v];
                for (int i = 0; i < pixels; i++) {
                    for (int v = 0; v < vectors; v++) sums[i][v] += w[v] * from[i][channel];
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

#define TILE(count) case count: tile(p, column, panel, out, count, vectors); break;

__attribute__((always_inline)) static inline void any_tile(const place *p, int32_t column, int32_t pixels, const portion *panel, float *out, const int vectors) {
    switch (pixels) {
        TILE(1) TILE(2) TILE(3) TILE(4)
#if PIXELS > 4
        TILE(5) TILE(6) TILE(7) TILE(8)
#endif
    }
}

/// Tiles `first ..< end` of all rows, for one panel whose outputs begin at `output`.
__attribute__((always_inline)) static inline void run(const ct_convolution *c, const float *x, const float *history, const portion *panel, float *out,
                                                      int32_t output, int32_t first_row, int32_t first, int32_t end, const int vectors) {
    int32_t across = (c->out_width + PIXELS - 1) / PIXELS;
    for (int32_t index = first; index < end; index++) {
        int32_t line = first_row + index / across, column = index % across * PIXELS;
        place p = {c, x, history, line / c->out_height, line % c->out_height};
        int32_t pixels = c->out_width - column < PIXELS ? c->out_width - column : PIXELS;
        float *target = out + ((size_t)line * (size_t)c->out_width + (size_t)column) * (size_t)c->out_channels + (size_t)output;
        any_tile(&p, column, pixels, panel, target, vectors);
    }
}

void ct_convolve(const ct_convolution *c, const float *x, const float *history, const float *panels, const float *bias, float *out,
                 int32_t first_row, int32_t rows, int32_t part, int32_t parts) {
    int32_t across = (c->out_width + PIXELS - 1) / PIXELS;
    int64_t tiles = (int64_t)across * rows;
    int32_t first = (int32_t)(tiles * part / parts), end = (int32_t)(tiles * (part + 1) / parts);
    int32_t width = ct_panel_width(c->out_channels), taps = c->size * c->depth;
    size_t row_size = (size_t)c->size * (size_t)c->channels * (size_t)width;
    // As many rows of taps at once as stay in the cache while all tiles go over them.
    int32_t step = (int32_t)((size_t)CACHED_FLOATS / row_size);
    if (step < 1) step = 1;
    for (int32_t output = 0; output < c->out_channels; output += width) {
        float start[MOST_VECTORS * LANES] = {0};
        portion panel = {panels, start, 0, 0, c->out_channels - output < width ? c->out_channels - output : width};
        memcpy(start, bias + output, (size_t)panel.used * sizeof(float));
        for (; panel.first < taps; panel.first = panel.end) {
            panel.end = panel.first + step < taps ? panel.first + step : taps;
            switch (width / LANES) {
            case 1: run(c, x, history, &panel, out, output, first_row, first, end, 1); break;
            case 2: run(c, x, history, &panel, out, output, first_row, first, end, 2); break;
            default: run(c, x, history, &panel, out, output, first_row, first, end, 3); break;
            }
            panel.weights += row_size * (size_t)(panel.end - panel.first);
        }
        panels += row_size * (size_t)taps;
    }
}
