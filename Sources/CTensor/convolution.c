// A product of matrices whose left side is never laid out: the pixels under the kernel are read where they lie. Some pixels of
// a row times a panel of outputs stay in registers while all taps and channels are gone through.
#include "CTensor.h"

#include "vectors.h"

#include <stddef.h>
#include <string.h>

enum { MOST_CHANNELS = 8192, CACHED_FLOATS = 160 << 10 };

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

int32_t ct_can_round(void) {
#if defined(__AVX512BF16__)
    return 1;
#else
    return 0;
#endif
}

// A panel's lines of all taps are written side by side, so that each output's part of the kernel is read but once, from front to back.
#define PACK(name, type)                                                                                                     \
    static void name(const type *kernel, int32_t out_channels, int32_t channels, int32_t taps, int32_t group, type *panels) { \
        int32_t width = ct_panel_width(out_channels);                                                                        \
        size_t line = (size_t)(width * group), tap_step = (size_t)(channels / group) * line;                                 \
        for (int32_t first = 0; first < out_channels; first += width, panels += (size_t)taps * tap_step) {                   \
            int32_t real = out_channels - first < width ? out_channels - first : width;                                      \
            if (real < width) memset(panels, 0, (size_t)taps * tap_step * sizeof(type));                                     \
            for (int32_t channel = 0; channel < channels; channel++) {                                                       \
                type *to = panels + (size_t)(channel / group) * line + (size_t)(channel % group);                            \
                for (int32_t output = 0; output < real; output++) {                                                          \
                    const type *from = kernel + ((size_t)(first + output) * (size_t)channels + (size_t)channel) * (size_t)taps; \
                    for (int32_t tap = 0; tap < taps; tap++) to[(size_t)tap * tap_step + (size_t)(output * group)] = from[tap]; \
                }                                                                                                            \
            }                                                                                                                \
        }                                                                                                                    \
    }

PACK(pack_halves, uint16_t)
PACK(pack_words, uint32_t)

void ct_pack_kernel(const void *kernel, int32_t out_channels, int32_t channels, int32_t taps, int32_t group, int32_t bytes, void *panels) {
    (bytes == 2 ? pack_halves(kernel, out_channels, channels, taps, group, panels) : pack_words(kernel, out_channels, channels, taps, group, panels));
}

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
    if (column < 0 || column >= (c->doubles ? 2 * c->width : c->width)) return ZEROS;
    return (const float *)(const void *)(row + (size_t)(c->doubles ? column >> 1 : column) * pixel_bytes(c));
}

/// A panel's part of the work: rows of taps `first ..< end`, counted over all of the kernel's frames.
typedef struct {
    const float *weights, *bias;
    int32_t first, end;
    /// Outputs of the panel that there are.
    int32_t used;
} portion;

/// `pixels` outputs of a row from `column` on, `vectors` wide. Both are constants where it is called, so that `sums` are registers.
__attribute__((always_inline)) static inline void tile(const place *p, int32_t column, const portion *panel, float *out, const int pixels, const int vectors,
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

#define TILE(count) case count: tile(p, column, panel, out, count, vectors, rounds); break;

__attribute__((always_inline)) static inline void any_tile(const place *p, int32_t column, int32_t pixels, const portion *panel, float *out, const int vectors,
                                                           const int rounds) {
    switch (pixels) {
        TILE(1) TILE(2) TILE(3) TILE(4)
#if PIXELS > 4
        TILE(5) TILE(6) TILE(7) TILE(8)
#endif
    }
}

/// Tiles `first ..< end` of all rows, for one panel whose outputs begin at `output`.
__attribute__((always_inline)) static inline void run(const ct_convolution *c, const void *x, const void *history, const portion *panel, float *out,
                                                      int32_t output, int32_t first_row, int32_t first, int32_t end, const int vectors, const int rounds) {
    int32_t across = (c->out_width + PIXELS - 1) / PIXELS;
    for (int32_t index = first; index < end; index++) {
        int32_t line = first_row + index / across, column = index % across * PIXELS;
        place p = {c, x, history, line / c->out_height, line % c->out_height};
        int32_t pixels = c->out_width - column < PIXELS ? c->out_width - column : PIXELS;
        float *target = out + ((size_t)line * (size_t)c->out_width + (size_t)column) * (size_t)c->out_channels + (size_t)output;
        any_tile(&p, column, pixels, panel, target, vectors, rounds);
    }
}

#define RUN(vectors, rounds) run(c, x, history, &panel, out, output, first_row, first, end, vectors, rounds)
#if defined(__AVX512BF16__)
#define EITHER(vectors) if (c->rounds) RUN(vectors, 1); else RUN(vectors, 0)
#else
#define EITHER(vectors) RUN(vectors, 0)
#endif

void ct_convolve(const ct_convolution *c, const void *x, const void *history, const void *panels, const float *bias, float *out,
                 int32_t first_row, int32_t rows, int32_t part, int32_t parts) {
    int32_t across = (c->out_width + PIXELS - 1) / PIXELS;
    int64_t tiles = (int64_t)across * rows;
    int32_t first = (int32_t)(tiles * part / parts), end = (int32_t)(tiles * (part + 1) / parts);
    int32_t width = ct_panel_width(c->out_channels), taps = c->size * c->depth;
    // In floats, of which a pair of bf16 takes one.
    size_t row_size = (size_t)c->size * (size_t)(c->rounds ? c->channels / 2 : c->channels) * (size_t)width;
    const float *weights = panels;
    // As many rows of taps at once as stay in the cache while all tiles go over them.
    int32_t step = (int32_t)((size_t)CACHED_FLOATS / row_size);
    if (step < 1) step = 1;
    for (int32_t output = 0; output < c->out_channels; output += width) {
        float start[MOST_VECTORS * LANES] = {0};
        portion panel = {weights, start, 0, 0, c->out_channels - output < width ? c->out_channels - output : width};
        memcpy(start, bias + output, (size_t)panel.used * sizeof(float));
        for (; panel.first < taps; panel.first = panel.end) {
            panel.end = panel.first + step < taps ? panel.first + step : taps;
            switch (width / LANES) {
            case 1: EITHER(1); break;
            case 2: EITHER(2); break;
            default: EITHER(3); break;
            }
            panel.weights += row_size * (size_t)(panel.end - panel.first);
        }
        weights += row_size * (size_t)taps;
    }
}
