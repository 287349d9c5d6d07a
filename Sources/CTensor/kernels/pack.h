// How kernels of convolutions are packed.
#pragma once

#include "vectors.h"

static int32_t panel_width(int32_t outputs, int32_t rounds) {
#if TILES != TILES_NONE
    // One tile of outputs, or two.
    if (rounds) return outputs <= 16 ? 16 : 32;
#endif
    (void)rounds;
    int32_t best = LANES;
    long least = -1;
    // Wide panels read each pixel less often; what the last one wastes counts as much.
    for (int32_t vectors = MOST_VECTORS; vectors >= 1; vectors--) {
        int32_t width = vectors * LANES;
        long panels = (outputs + width - 1) / width;
        long cost = panels * (vectors * PIXELS + PIXELS / 2 + vectors);
        if (least < 0 || cost < least) {
            least = cost;
            best = width;
        }
    }
    return best;
}

static int32_t packed_inputs(int32_t channels, int32_t group) {
#if TILES != TILES_NONE
    if (group == 2) return (channels + 31) / 32 * 32;
#endif
    (void)group;
    return channels;
}

// A panel's lines of all taps are written side by side, so that each output's part of the kernel is read but once, from front to back.
#define PACK(name, type)                                                                                                     \
    static void name(const type *kernel, int32_t out_channels, int32_t channels, int32_t taps, int32_t group, type *panels) { \
        int32_t width = panel_width(out_channels, group == 2), inputs = packed_inputs(channels, group);                      \
        size_t line = (size_t)(width * group), tap_step = (size_t)(inputs / group) * line;                                   \
        for (int32_t first = 0; first < out_channels; first += width, panels += (size_t)taps * tap_step) {                   \
            int32_t real = out_channels - first < width ? out_channels - first : width;                                      \
            if (real < width || inputs > channels) memset(panels, 0, (size_t)taps * tap_step * sizeof(type));                \
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

/// `kernel [out][in][taps]`, `panels [panels][taps][packed in / group][width][group]`.
static void pack_kernel(const void *kernel, int32_t out_channels, int32_t channels, int32_t taps, int32_t group, int32_t bytes, void *panels) {
    (bytes == 2 ? pack_halves(kernel, out_channels, channels, taps, group, panels) : pack_words(kernel, out_channels, channels, taps, group, panels));
}
