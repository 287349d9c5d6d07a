// The convolution of bf16 by tiles: pixels are the first operand, where they lie wherever sixteen neighbours do; panels are packed as
// the second. Two tiles of pixels by one or two of outputs are summed at once.
#pragma once

#include "convolution.h"
#include "tiles.h"

/// Pixels of a group, and channels that are copied together where pixels cannot be read in place.
enum { GROUP_PIXELS = 2 * TILE, COPIED = 256 };

/// Sixteen pixels of a row as a tap reads them.
typedef struct {
    /// Where they lie one after the other; NULL where they have to be copied.
    const char *line;
    size_t pitch;
    const char *pixels[TILE];
    uint16_t copy[TILE][COPIED];
} tap_pixels;

/// `count` pixels from `column` of the input on, `c->stride` apart.
static inline void find_pixels(const ct_convolution *c, const char *row, int32_t column, int32_t count, tap_pixels *t) {
    int32_t last = column + (TILE - 1) * c->stride;
    t->line = NULL;
    if (count == TILE && column >= 0 && last < c->width && !c->doubles && c->channels % TILE_INNER == 0) {
        t->line = row + (size_t)column * pixel_bytes(c);
        t->pitch = (size_t)c->stride * pixel_bytes(c);
        return;
    }
    for (int i = 0; i < TILE; i++) t->pixels[i] = i < count ? (const char *)input_pixel(c, row, column + i * c->stride) : (const char *)NO_PIXEL;
}

/// Channels `first ..< first + count` as an operand, filled up with zeros to whole steps.
static inline const char *pixel_channels(tap_pixels *t, int32_t first, int32_t count, size_t *pitch) {
    if (t->line) {
        *pitch = t->pitch;
        return t->line + (size_t)first * 2;
    }
    int32_t padded = whole_tiles(count, TILE_INNER);
    for (int i = 0; i < TILE; i++) {
        memcpy(t->copy[i], t->pixels[i] + (size_t)first * 2, (size_t)count * 2);
        memset(t->copy[i] + count, 0, (size_t)(padded - count) * 2);
    }
    *pitch = sizeof t->copy[0];
    return (const char *)t->copy;
}

/// Where a tile of sums comes from and goes to: in place, or by way of a copy where pixels or outputs do not fill it.
static inline float *sums_place(const portion *panel, float *out, size_t pitch, int32_t pixels, int32_t outputs, int32_t from, float *copy, size_t *copy_pitch) {
    int whole = pixels == TILE && outputs >= TILE;
    *copy_pitch = whole && panel->first > 0 ? pitch : TILE_BYTES;
    if (whole && panel->first > 0) return out;
    for (int i = 0; i < TILE; i++) {
        if (panel->first == 0) {
            memcpy(copy + i * TILE, panel->bias + from, TILE_BYTES);
        } else {
            memset(copy + i * TILE, 0, TILE_BYTES);
            if (i < pixels && outputs > 0) memcpy(copy + i * TILE, (const char *)out + (size_t)i * pitch, (size_t)(outputs < TILE ? outputs : TILE) * sizeof(float));
        }
    }
    return copy;
}

/// All steps of a portion of the kernel for 32 pixels by `columns` tiles of outputs (1 or 2).
__attribute__((always_inline)) static inline void convolve_group(tiles *t, const place *p, int32_t column, int32_t pixels, const portion *panel, float *out,
                                                                 const int columns) {
    const ct_convolution *c = p->c;
    const size_t out_pitch = (size_t)c->out_channels * sizeof(float), line = (size_t)(columns * TILE_BYTES);
    const int32_t upper = pixels < TILE ? pixels : TILE, lower = pixels - upper, inputs = whole_tiles(c->channels, TILE_INNER);
    float copies[4][TILE_SUMS], *places[4];
    size_t pitches[4];
    for (int i = 0; i < 4; i++) {
        int right = i % 2, down = i / 2;
        if (right >= columns) continue;
        float *to = out + (down ? (size_t)(TILE * c->out_channels) : 0) + right * TILE;
        places[i] = sums_place(panel, to, out_pitch, down ? lower : upper, panel->used - right * TILE, right * TILE, copies[i], &pitches[i]);
    }
    tile_load(t, 0, places[0], pitches[0]);
    tile_load(t, 2, places[2], pitches[2]);
    if (columns == 2) {
        tile_load(t, 1, places[1], pitches[1]);
        tile_load(t, 3, places[3], pitches[3]);
    }
    const char *weights = (const char *)panel->weights;
    tap_pixels above, below;
    for (int32_t taps = panel->first; taps < panel->end; taps++) {
        const char *row = input_row(p, taps / c->size, taps % c->size);
        if (!row) {
            weights += (size_t)taps_across(c) * (size_t)(inputs / 2) * line;
            continue;
        }
        for (int32_t x = 0; x < taps_across(c); x++) {
            int32_t from = column * c->stride + tap_column(c, taps % c->size, x);
            find_pixels(c, row, from, upper, &above);
            if (lower > 0) find_pixels(c, row, from + TILE * c->stride, lower, &below);
            for (int32_t channel = 0; channel < c->channels; channel += COPIED) {
                int32_t count = c->channels - channel < COPIED ? c->channels - channel : COPIED;
                size_t above_pitch, below_pitch = 0;
                const char *first = pixel_channels(&above, channel, count, &above_pitch), *second = first;
                if (lower > 0) second = pixel_channels(&below, channel, count, &below_pitch);
                for (int32_t k = 0; k < count; k += TILE_INNER, first += TILE_BYTES, second += TILE_BYTES, weights += TILE_PAIRS * line) {
                    tile_load(t, 6, weights, line);
                    tile_load(t, 4, first, above_pitch);
                    tile_dot(t, 0, 4, 6);
                    if (columns == 2) {
                        tile_load(t, 7, weights + TILE_BYTES, line);
                        tile_dot(t, 1, 4, 7);
                    }
                    if (lower == 0) continue;
                    tile_load(t, 5, second, below_pitch);
                    tile_dot(t, 2, 5, 6);
                    if (columns == 2) tile_dot(t, 3, 5, 7);
                }
            }
        }
    }
    tile_store(t, 0, copies[0], TILE_BYTES);
    tile_store(t, 2, copies[2], TILE_BYTES);
    if (columns == 2) {
        tile_store(t, 1, copies[1], TILE_BYTES);
        tile_store(t, 3, copies[3], TILE_BYTES);
    }
    for (int i = 0; i < 4; i++) {
        int right = i % 2, down = i / 2, outputs = panel->used - right * TILE;
        if (right >= columns || outputs <= 0) continue;
        size_t bytes = (size_t)(outputs < TILE ? outputs : TILE) * sizeof(float);
        for (int32_t pixel = 0; pixel < (down ? lower : upper); pixel++) {
            memcpy(out + (size_t)(down * TILE + pixel) * (size_t)c->out_channels + (size_t)(right * TILE), copies[i] + pixel * TILE, bytes);
        }
    }
}

static void convolve_tiles_body(const ct_convolution *c, const void *x, const void *history, const portion *panel, float *out, int32_t output, int32_t first_row,
                                int32_t first, int32_t end) {
    int32_t across = (c->out_width + GROUP_PIXELS - 1) / GROUP_PIXELS;
    tiles t;
    tiles_begin(&t);
    for (int32_t index = first; index < end; index++) {
        int32_t line = first_row + index / across, column = index % across * GROUP_PIXELS;
        place p = {c, x, history, line / c->out_height, line % c->out_height};
        int32_t pixels = c->out_width - column < GROUP_PIXELS ? c->out_width - column : GROUP_PIXELS;
        float *target = out + ((size_t)line * (size_t)c->out_width + (size_t)column) * (size_t)c->out_channels + (size_t)output;
        if (panel->width == TILE) convolve_group(&t, &p, column, pixels, panel, target, 1);
        else convolve_group(&t, &p, column, pixels, panel, target, 2);
    }
    tiles_end(&t);
}

/// `x [frames][height][width][channels]`, `out [out_frames][out_height][out_width][out_channels]`.
static void convolve_tiles(const ct_convolution *c, const void *x, const void *history, const void *panels, const float *bias, float *out, int32_t first_row,
                           int32_t rows, int32_t part, int32_t parts) {
    if (!c->rounds) convolve(c, x, history, panels, bias, out, first_row, rows, part, parts);
    else convolve_by(c, x, history, panels, bias, out, first_row, rows, part, parts, GROUP_PIXELS, convolve_tiles_body);
}
