// Each kernel of CTensor in each variant that this CPU runs beside its definition in doubles. Small sizes; prints what differs.
//
//   check [--small] [variant…]     all that run where none is named; --small leaves out what takes long under an emulator
#include "CTensor.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t variant;
static int faults, checks, small;

/// Whether so many multiplications are too many.
static int skips(double count) { return small && count > 3e5; }

static void *room(size_t bytes) {
    void *place = calloc(bytes + 64, 1);
    if (!place) abort();
    return place;
}

/// Numbers between -1 and 1 that have few enough bits for bf16 where `short_`.
static float *numbers(size_t count, unsigned seed, int short_) {
    float *values = room(count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)((i * 7919 + seed * 104729) % 1009) / 504.5f - 1;
        if (short_) values[i] = roundf(values[i] * 64) / 64;
    }
    return values;
}

static uint16_t *halves(const float *values, size_t count) {
    uint16_t *result = room(count * 2);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        result[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
    return result;
}

static void expect(const char *what, const float *values, const double *expected, size_t count, double allowed) {
    double largest = 0;
    size_t where = 0;
    for (size_t i = 0; i < count; i++) {
        double distance = fabs((double)values[i] - expected[i]);
        if (!(distance <= largest)) {
            largest = distance;
            where = i;
        }
    }
    checks++;
    if (largest <= allowed) return;
    faults++;
    printf("%-14s %s: %g instead of %g at %zu of %zu, %g allowed\n", ct_variant_name(variant), what, (double)values[where], expected[where], where, count, allowed);
}

// Blocks of 32 with a scale before them, as Q8_0 has, with an f32 scale.
typedef struct { float scale; int8_t values[32]; } block32;

static void decode32(const void *row, float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const block32 *b = (const block32 *)row + i / 32;
        values[i] = b->scale * (float)b->values[i % 32];
    }
}

static void product(int inner, int outputs, int rows, int weights, int rounds, int parts) {
    if (rounds && !ct_can_round(variant)) return;
    if (weights == CT_WEIGHTS_DECODED && inner % 32) return;
    if (rounds && inner % 2) return;
    if (skips((double)inner * outputs * rows)) return;
    float *x = numbers((size_t)inner * rows, 1, 1), *w = numbers((size_t)inner * outputs, 2, 1), *bias = numbers(outputs, 3, 0), *out = room((size_t)outputs * rows * 4);
    const void *stored = w;
    size_t pitch = (size_t)inner * 4;
    if (weights == CT_WEIGHTS_BF16) {
        stored = halves(w, (size_t)inner * outputs);
        pitch = (size_t)inner * 2;
    }
    if (weights == CT_WEIGHTS_DECODED) {
        block32 *blocks = room((size_t)inner * outputs / 32 * sizeof(block32));
        for (size_t i = 0; i < (size_t)inner * outputs; i++) {
            blocks[i / 32].scale = 1 / 64.0f;
            blocks[i / 32].values[i % 32] = (int8_t)(w[i] * 64);
        }
        stored = blocks;
        pitch = (size_t)inner / 32 * sizeof(block32);
    }
    const void *from = x;
    if (rounds) {
        void *packed = room(ct_rounded_bytes(variant, inner, rows));
        for (int part = 0; part < parts; part++) ct_round_rows(variant, x, (size_t)inner * 4, inner, rows, packed, part, parts);
        from = packed;
    }
    ct_product p = {.inner = inner, .outputs = outputs, .rows = rows, .weight_pitch = pitch, .pitch = (size_t)inner * 4, .out_pitch = (size_t)outputs * 4,
                    .rounds = rounds, .weights = weights, .block = 32, .block_bytes = sizeof(block32), .decode = decode32};
    // In two strips where there are several panels.
    int width = ct_panel_width(variant, outputs, rounds), half = outputs > 2 * width ? (outputs / width / 2) * width : outputs;
    for (int part = 0; part < parts; part++) ct_multiply(variant, &p, stored, bias, from, out, 0, half, part, parts);
    if (half < outputs) for (int part = 0; part < parts; part++) ct_multiply(variant, &p, stored, bias, from, out, half, outputs - half, part, parts);
    double *expected = room((size_t)outputs * rows * 8);
    for (int row = 0; row < rows; row++) {
        for (int output = 0; output < outputs; output++) {
            double sum = bias[output];
            for (int k = 0; k < inner; k++) sum += (double)x[row * inner + k] * (double)w[output * inner + k];
            expected[row * outputs + output] = sum;
        }
    }
    char what[120];
    snprintf(what, sizeof what, "product %d→%d of %d rows, weights %d, %s, %d threads", inner, outputs, rows, weights, rounds ? "rounded" : "exact", parts);
    expect(what, out, expected, (size_t)outputs * rows, 2e-6 * inner);
}

static void attention(int head, int heads, int groups, int tokens, int others, int masked, int rounds) {
    if (skips((double)head * heads * tokens * others)) return;
    size_t query_count = (size_t)head * heads * tokens, key_count = (size_t)head * groups * others, mask_count = (size_t)others * tokens * heads;
    float *query = numbers(query_count, 1, 0), *keys = numbers(key_count, 2, 0), *values = numbers(key_count, 3, 0), *mask = numbers(mask_count, 4, 0), *out = room(query_count * 4);
    for (size_t i = 0; i < query_count; i++) query[i] *= 6;
    for (size_t i = 0; i < mask_count; i++) mask[i] = mask[i] > 0.5f && i % others > 0 ? -INFINITY : 3 * mask[i];
    ct_attention a = {.head = head, .heads = heads, .groups = groups, .keys = others, .scale = 1 / sqrtf((float)head),
                      .query_step = head * 4u, .query_pitch = head * heads * 4u, .key_step = head * 4u, .key_pitch = head * groups * 4u,
                      .value_step = head * 4u, .value_pitch = head * groups * 4u, .mask_step = (size_t)others * tokens * 4u, .mask_pitch = others * 4u,
                      .out_pitch = head * heads * 4u, .rounds = rounds};
    for (int part = 0; part < 3; part++) ct_attend(variant, &a, query, keys, values, masked ? mask : NULL, out, 0, tokens, part, 3);
    double *expected = room(query_count * 8), *weights = room((size_t)others * 8);
    for (int token = 0; token < tokens; token++) {
        for (int h = 0; h < heads; h++) {
            int group = h / (heads / groups);
            double most = -1e300, sum = 0;
            for (int other = 0; other < others; other++) {
                double score = 0;
                for (int f = 0; f < head; f++) score += (double)query[(token * heads + h) * head + f] * (double)keys[(other * groups + group) * head + f];
                weights[other] = score * (double)a.scale + (masked ? (double)mask[((size_t)h * tokens + token) * others + other] : 0);
                if (weights[other] > most) most = weights[other];
            }
            for (int other = 0; other < others; other++) sum += weights[other] = exp(weights[other] - most);
            for (int f = 0; f < head; f++) {
                double value = 0;
                for (int other = 0; other < others; other++) value += weights[other] / sum * (double)values[(other * groups + group) * head + f];
                expected[(token * heads + h) * head + f] = value;
            }
        }
    }
    char what[120];
    snprintf(what, sizeof what, "attention of %d heads of %d over %d, %d to %d%s%s", heads, head, groups, tokens, others, masked ? ", masked" : "", rounds ? ", rounded" : "");
    // Rounded scores err by 2^-9 of their size, values likewise.
    expect(what, out, expected, query_count, rounds && ct_can_round(variant) ? 0.03 : head > 256 ? 3e-5 : 1e-5);
}

typedef struct { int channels, outputs, width, height, frames, size, depth, stride, time_stride, padding, trailing, before, past, doubles; } layer;

static double pixel(const layer *l, const float *x, const float *past, int frame, int row, int column, int channel) {
    int scale = l->doubles ? 2 : 1;
    if (row < 0 || column < 0 || row >= scale * l->height || column >= scale * l->width || frame < -l->past) return 0;
    size_t area = (size_t)l->width * l->height * l->channels, place = ((size_t)(row / scale) * l->width + column / scale) * l->channels + channel;
    return frame < 0 ? (double)past[(size_t)(frame + l->past) * area + place] : (double)x[(size_t)frame * area + place];
}

static void convolution(const layer *l, int rounds, int parts) {
    if (rounds && (!ct_can_round(variant) || l->channels % 2)) return;
    int taps = l->size * l->size * l->depth, scale = l->doubles ? 2 : 1, border = l->padding + l->trailing - l->size, bytes = rounds ? 2 : 4, group = rounds ? 2 : 1;
    if (skips((double)taps * l->channels * l->outputs * l->width * l->height * l->frames)) return;
    int columns = (scale * l->width + border) / l->stride + 1, rows = (scale * l->height + border) / l->stride + 1, frames = (l->frames + l->before - l->depth) / l->time_stride + 1;
    size_t area = (size_t)l->width * l->height * l->channels, count = (size_t)columns * rows * frames * l->outputs;
    float *x = numbers(area * l->frames, 1, 1), *past = numbers(area * (l->past + 1), 2, 1), *kernel = numbers((size_t)l->outputs * l->channels * taps, 3, 1), *bias = numbers(l->outputs, 4, 0);
    float *out = room(count * 4), *ring = room(area * (l->past + 1) * 4);
    // The ring begins with its newest frame.
    if (l->past) memcpy(ring, past + area * (l->past - 1), area * 4);
    if (l->past > 1) memcpy(ring + area, past, area * (l->past - 1) * 4);
    int width = ct_panel_width(variant, l->outputs, rounds), inputs = ct_packed_inputs(variant, l->channels, group);
    void *panels = room((size_t)width * inputs * taps * ((l->outputs + width - 1) / width) * bytes);
    const void *kernel_values = rounds ? (void *)halves(kernel, (size_t)l->outputs * l->channels * taps) : kernel;
    ct_pack_kernel(variant, kernel_values, l->outputs, l->channels, taps, group, bytes, panels);
    ct_convolution c = {l->channels, l->width, l->height, l->frames, l->outputs, columns, rows, l->size, l->depth, l->stride, l->time_stride, l->padding, l->before, l->past, l->past > 1, l->doubles, rounds, 0, 0};
    const void *from = rounds ? (void *)halves(x, area * l->frames) : x, *history = l->past == 0 ? NULL : rounds ? (void *)halves(ring, area * l->past) : ring;
    int half = rows * frames / 2;
    for (int part = 0; part < parts; part++) ct_convolve(variant, &c, from, history, panels, bias, out, 0, half, part, parts);
    for (int part = 0; part < parts; part++) ct_convolve(variant, &c, from, history, panels, bias, out, half, rows * frames - half, part, parts);
    double *expected = room(count * 8), *to = expected;
    for (int frame = 0; frame < frames; frame++) for (int row = 0; row < rows; row++) for (int column = 0; column < columns; column++) for (int output = 0; output < l->outputs; output++) {
        double sum = bias[output];
        for (int channel = 0; channel < l->channels; channel++) for (int time = 0; time < l->depth; time++) for (int y = 0; y < l->size; y++) for (int xx = 0; xx < l->size; xx++) {
            double weight = (double)kernel[((((size_t)output * l->channels + channel) * l->depth + time) * l->size + y) * l->size + xx];
            sum += weight * pixel(l, x, past, frame * l->time_stride + time - l->before, row * l->stride + y - l->padding, column * l->stride + xx - l->padding, channel);
        }
        *to++ = sum;
    }
    char what[120];
    snprintf(what, sizeof what, "convolution %d→%d of %d×%d×%d, %s, %d threads", l->channels, l->outputs, l->width, l->height, l->frames, rounds ? "rounded" : "exact", parts);
    expect(what, out, expected, count, 2e-6 * l->channels * taps);
}

static void norm(int channels, int groups, int pixels, int rounds) {
    float *x = numbers((size_t)channels * pixels, 1, 0), *weight = numbers(channels, 2, 0), *bias = numbers(channels, 3, 0), *statistics = room(groups * 8u), *out = room((size_t)channels * pixels * 4);
    uint16_t *small = room((size_t)channels * pixels * 2);
    for (size_t i = 0; i < (size_t)channels * pixels; i++) x[i] += 100;
    ct_group_norm n = {channels, groups, pixels, 1e-6f, 1, rounds};
    for (int part = 0; part < 2; part++) ct_measure_groups(variant, &n, x, statistics, part, 2);
    for (int part = 0; part < 2; part++) ct_normalize_groups(variant, &n, x, statistics, weight, bias, rounds ? (void *)small : out, 0, pixels, part, 2);
    if (rounds) for (size_t i = 0; i < (size_t)channels * pixels; i++) {
        uint32_t bits = (uint32_t)small[i] << 16;
        memcpy(out + i, &bits, 4);
    }
    double *expected = room((size_t)channels * pixels * 8);
    int size = channels / groups;
    for (int group = 0; group < groups; group++) {
        double mean = 0, variance = 0;
        for (int p = 0; p < pixels; p++) for (int c = 0; c < size; c++) mean += (double)x[p * channels + group * size + c] / ((double)pixels * size);
        for (int p = 0; p < pixels; p++) for (int c = 0; c < size; c++) variance += pow((double)x[p * channels + group * size + c] - mean, 2) / ((double)pixels * size);
        for (int p = 0; p < pixels; p++) for (int c = group * size; c < (group + 1) * size; c++) {
            double y = ((double)x[p * channels + c] - mean) / sqrt(variance + 1e-6) * (double)weight[c] + (double)bias[c];
            expected[p * channels + c] = y / (1 + exp(-y));
        }
    }
    char what[120];
    snprintf(what, sizeof what, "norm of %d channels in %d groups, %d pixels%s", channels, groups, pixels, rounds ? ", rounded" : "");
    expect(what, out, expected, (size_t)channels * pixels, rounds ? 0.02 : 1e-4);
}

/// A line of `width` pixels, whose kernel's taps are `dilation` apart, in two strips.
static void line(int channels, int outputs, int width, int taps, int dilation, int rounds, int parts) {
    if (rounds && (!ct_can_round(variant) || channels % 2)) return;
    if (skips((double)taps * channels * outputs * width)) return;
    int left = dilation * (taps / 2), bytes = rounds ? 2 : 4, group = rounds ? 2 : 1, half = width / 2;
    float *x = numbers((size_t)width * channels, 1, 1), *kernel = numbers((size_t)outputs * channels * taps, 3, 1), *bias = numbers(outputs, 4, 0), *out = room((size_t)width * outputs * 4);
    int wide = ct_panel_width(variant, outputs, rounds), inputs = ct_packed_inputs(variant, channels, group);
    void *panels = room((size_t)wide * inputs * taps * ((outputs + wide - 1) / wide) * bytes);
    ct_pack_kernel(variant, rounds ? (void *)halves(kernel, (size_t)outputs * channels * taps) : kernel, outputs, channels, taps, group, bytes, panels);
    const void *from = rounds ? (void *)halves(x, (size_t)width * channels) : x;
    for (int strip = 0; strip < 2; strip++) {
        int first = strip ? half : 0;
        ct_convolution c = {.channels = channels, .width = width, .height = 1, .frames = 1, .out_channels = outputs, .out_width = strip ? width - half : half, .out_height = 1, .size = taps,
                            .depth = 1, .stride = 1, .time_stride = 1, .rounds = rounds, .dilation = dilation, .left = left - first};
        for (int part = 0; part < parts; part++) ct_convolve(variant, &c, from, NULL, panels, bias, out + (size_t)first * outputs, 0, 1, part, parts);
    }
    double *expected = room((size_t)width * outputs * 8);
    for (int column = 0; column < width; column++) for (int output = 0; output < outputs; output++) {
        double sum = bias[output];
        for (int tap = 0; tap < taps; tap++) for (int channel = 0; channel < channels; channel++) {
            int place = column + tap * dilation - left;
            if (place >= 0 && place < width) sum += (double)kernel[((size_t)output * channels + channel) * taps + tap] * (double)x[(size_t)place * channels + channel];
        }
        expected[(size_t)column * outputs + output] = sum;
    }
    char what[120];
    snprintf(what, sizeof what, "line of %d, %d→%d, %d taps %d apart, %s, %d threads", width, channels, outputs, taps, dilation, rounds ? "rounded" : "exact", parts);
    expect(what, out, expected, (size_t)width * outputs, 2e-6 * channels * taps);
}

static void snake(int channels, int length) {
    static const float filter[CT_SNAKE_TAPS] = {0.002f, 0.009f, -0.026f, -0.058f, 0.129f, 0.444f, 0.444f, 0.129f, -0.058f, -0.026f, 0.009f, 0.002f};
    float *x = numbers((size_t)channels * length, 1, 0), *frequency = numbers(channels, 2, 0), *magnitude = numbers(channels, 3, 0), *out = room((size_t)channels * length * 4);
    double *waves = room((size_t)length * 16), *expected = room((size_t)channels * length * 8);
    for (int c = 0; c < channels; c++) frequency[c] = expf(3 * frequency[c]);
    ct_snake s = {.channels = channels, .length = length};
    memcpy(s.filter, filter, sizeof filter);
    for (int part = 0; part < 3; part++) ct_activate_snake(variant, &s, x, frequency, magnitude, out, 0, length, part, 3);
    for (int c = 0; c < channels; c++) {
        for (int place = 0; place < 2 * length; place++) {
            double sum = 0;
            for (int from = -8; from < length + 8; from++) {
                int tap = place + 5 - 2 * from, held = from < 0 ? 0 : from >= length ? length - 1 : from;
                if (tap >= 0 && tap < CT_SNAKE_TAPS) sum += 2 * (double)x[(size_t)held * channels + c] * (double)filter[tap];
            }
            waves[place] = sum + (double)magnitude[c] * pow(sin(sum * (double)frequency[c]), 2);
        }
        for (int t = 0; t < length; t++) {
            double sum = 0;
            for (int tap = 0; tap < CT_SNAKE_TAPS; tap++) {
                int place = 2 * t + tap - 5;
                sum += (double)filter[tap] * waves[place < 0 ? 0 : place >= 2 * length ? 2 * length - 1 : place];
            }
            expected[(size_t)t * channels + c] = sum;
        }
    }
    char what[120];
    snprintf(what, sizeof what, "snake of %d channels, %d positions", channels, length);
    expect(what, out, expected, (size_t)channels * length, 5e-5);
}

static void modulation(int features, int rows) {
    size_t count = (size_t)features * rows;
    float *x = numbers(count, 1, 0), *y = numbers(count, 2, 0), *scale = numbers(features, 3, 0), *shift = numbers(features, 4, 0), *gate = numbers(features, 5, 0);
    float *normal = room(count * 4), *gated = room(count * 4), *out = room(count * 4);
    double *expected = room(count * 8);
    for (int part = 0; part < 2; part++) ct_modulate(variant, features, 1e-6f, x, scale, shift, normal, 0, rows, part, 2);
    for (int part = 0; part < 2; part++) ct_add_gated(variant, features, normal, gate, y, gated, 0, rows, part, 2);
    for (int part = 0; part < 2; part++) ct_activate_gelu(variant, gated, out, 0, (int64_t)count, part, 2);
    for (int row = 0; row < rows; row++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < features; i++) mean += (double)x[row * features + i] / features;
        for (int i = 0; i < features; i++) variance += pow((double)x[row * features + i] - mean, 2) / features;
        for (int i = 0; i < features; i++) {
            size_t place = (size_t)row * features + i;
            double value = ((double)x[place] - mean) / sqrt(variance + 1e-6) * (double)scale[i] + (double)shift[i] + (double)gate[i] * (double)y[place];
            expected[place] = 0.5 * value * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (value + 0.044715 * value * value * value)));
        }
    }
    char what[120];
    snprintf(what, sizeof what, "modulation of %d rows of %d", rows, features);
    expect(what, out, expected, count, 2e-5);
}

/// A row of a product is the same numbers whatever other rows there are.
static void company(int rounds) {
    enum { INNER = 1096, OUTPUTS = 70, ROWS = 50 };
    if (small || (rounds && !ct_can_round(variant))) return;
    float *x = numbers(INNER * ROWS, 1, 0), *w = numbers(INNER * OUTPUTS, 2, 0), *whole = room(ROWS * OUTPUTS * 4), *alone = room(ROWS * OUTPUTS * 4);
    const void *stored = rounds ? (void *)halves(w, INNER * OUTPUTS) : w;
    for (int step = 0; step < 2; step++) {
        int size = step ? 17 : ROWS;
        for (int first = 0; first < ROWS; first += size) {
            int rows = ROWS - first < size ? ROWS - first : size;
            const void *from = x + first * INNER;
            if (rounds) {
                void *packed = room(ct_rounded_bytes(variant, INNER, rows));
                ct_round_rows(variant, from, INNER * 4, INNER, rows, packed, 0, 1);
                from = packed;
            }
            ct_product p = {.inner = INNER, .outputs = OUTPUTS, .rows = rows, .weight_pitch = INNER * (rounds ? 2 : 4), .pitch = INNER * 4, .out_pitch = OUTPUTS * 4, .rounds = rounds, .weights = rounds};
            for (int part = 0; part < step + 1; part++) ct_multiply(variant, &p, stored, NULL, from, (step ? alone : whole) + first * OUTPUTS, 0, OUTPUTS, part, step + 1);
        }
    }
    checks++;
    if (memcmp(whole, alone, ROWS * OUTPUTS * 4) != 0) {
        faults++;
        printf("%-14s a row depends on the others, %s\n", ct_variant_name(variant), rounds ? "rounded" : "exact");
    }
}

#if defined(__x86_64__)
/// What a thread has configured its tiles to is the same after a kernel: ggml configures them once for each thread.
__attribute__((target("amx-tile"))) static void configuration(void) {
    if (strcmp(ct_variant_name(variant), "amx") != 0) return;
    enum { INNER = 64, OUTPUTS = 32, ROWS = 32 };
    // As ggml has them.
    static const uint8_t wanted[64] __attribute__((aligned(64))) = {
        [0] = 1, [16] = 64, [18] = 64, [20] = 32, [22] = 32, [24] = 64, [26] = 64, [28] = 64, [30] = 64, [48] = 8, 8, 16, 16, 16, 16, 16, 16};
    static const uint8_t none[64] __attribute__((aligned(64)));
    float *x = numbers(INNER * ROWS, 1, 1), *w = numbers(INNER * OUTPUTS, 2, 1), *out = room(ROWS * OUTPUTS * 4);
    void *packed = room(ct_rounded_bytes(variant, INNER, ROWS));
    ct_product p = {.inner = INNER, .outputs = OUTPUTS, .rows = ROWS, .weight_pitch = INNER * 2, .out_pitch = OUTPUTS * 4, .rounds = 1, .weights = CT_WEIGHTS_BF16};
    const uint8_t *before[] = {wanted, none};
    for (int i = 0; i < 2; i++) {
        uint8_t after[64] __attribute__((aligned(64)));
        _tile_loadconfig(before[i]);
        ct_round_rows(variant, x, INNER * 4, INNER, ROWS, packed, 0, 1);
        ct_multiply(variant, &p, halves(w, INNER * OUTPUTS), NULL, packed, out, 0, OUTPUTS, 0, 1);
        _tile_storeconfig(after);
        checks++;
        if (memcmp(before[i], after, sizeof after) == 0) continue;
        faults++;
        printf("%-14s leaves tiles configured otherwise\n", ct_variant_name(variant));
    }
    _tile_release();
}
#else
static void configuration(void) {}
#endif

static void check_variant(void) {
    static const int products[][3] = {{16, 16, 16}, {6, 5, 17}, {34, 97, 23}, {2100, 50, 16}, {64, 300, 300}, {1056, 33, 8}, {1024, 33, 40}, {544, 64, 1100}, {32, 16, 1}};
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) for (int weights = 0; weights < 3; weights++) for (int rounds = 0; rounds < 2; rounds++) {
        if (rounds && weights == 0) continue;
        for (int parts = 1; parts < 4; parts += 2) product(products[i][0], products[i][1], products[i][2], weights, rounds, parts);
    }
    static const int attentions[][5] = {{16, 2, 2, 8, 48}, {24, 2, 1, 19, 101}, {24, 6, 2, 37, 101}, {5, 1, 1, 3, 1}, {300, 1, 1, 9, 130}, {8, 1, 1, 700, 97}, {128, 2, 1, 70, 200}, {512, 1, 1, 40, 97}};
    for (size_t i = 0; i < sizeof attentions / sizeof attentions[0]; i++) for (int masked = 0; masked < 2; masked++) for (int rounds = 0; rounds < 2; rounds++) {
        const int *a = attentions[i];
        attention(a[0], a[1], a[2], a[3], a[4], masked, rounds);
    }
    static const layer layers[] = {
        {3, 5, 7, 4, 3, 3, 3, 1, 1, 1, 1, 2, 0, 0}, {3, 5, 7, 4, 3, 3, 3, 1, 1, 1, 1, 2, 1, 0}, {18, 97, 19, 3, 1, 3, 3, 1, 1, 1, 1, 2, 2, 0}, {5, 33, 3, 5, 4, 3, 3, 1, 1, 1, 1, 2, 2, 0},
        {4, 48, 1, 1, 2, 3, 3, 1, 1, 1, 1, 2, 2, 0}, {6, 16, 9, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0}, {4, 50, 5, 3, 2, 3, 1, 1, 1, 1, 1, 0, 0, 1}, {4, 4, 10, 6, 2, 3, 1, 2, 1, 0, 1, 0, 0, 0},
        {4, 8, 4, 3, 3, 1, 3, 1, 1, 0, 0, 2, 2, 0}, {4, 3, 4, 3, 4, 1, 3, 1, 2, 0, 0, 1, 1, 0}, {600, 20, 3, 2, 2, 3, 3, 1, 1, 1, 1, 2, 2, 0}, {32, 40, 70, 3, 1, 3, 1, 1, 1, 1, 1, 0, 0, 0},
        {64, 16, 50, 3, 1, 3, 1, 2, 1, 0, 1, 0, 0, 0}, {32, 33, 18, 2, 1, 3, 1, 1, 1, 1, 1, 0, 0, 0}, {320, 70, 36, 3, 1, 3, 3, 1, 1, 1, 1, 2, 2, 0},
    };
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) for (int rounds = 0; rounds < 2; rounds++) for (int parts = 1; parts < 4; parts += 2) convolution(&layers[i], rounds, parts);
    static const int norms[][3] = {{8, 2, 15}, {64, 4, 527}, {48, 16, 40}, {600, 2, 9}, {1536, 48, 14}};
    for (size_t i = 0; i < 5; i++) for (int rounds = 0; rounds < 2; rounds++) norm(norms[i][0], norms[i][1], norms[i][2], rounds);
    static const int lines[][5] = {{1, 1, 9, 7, 1}, {24, 24, 33, 11, 5}, {64, 33, 70, 11, 3}, {3, 5, 40, 3, 5}, {700, 40, 37, 11, 1}};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) for (int rounds = 0; rounds < 2; rounds++) line(lines[i][0], lines[i][1], lines[i][2], lines[i][3], lines[i][4], rounds, 2);
    modulation(64, 7);
    modulation(83, 20);
    static const int snakes[][2] = {{1, 1}, {3, 2}, {24, 5}, {33, 200}, {48, 131}};
    for (size_t i = 0; i < sizeof snakes / sizeof snakes[0]; i++) snake(snakes[i][0], snakes[i][1]);
    company(0);
    company(1);
    configuration();
}

int main(int count, char **names) {
    int found = 0;
    if (count > 1 && strcmp(names[1], "--small") == 0) {
        small = 1;
        count--;
        names++;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (variant = 0; variant < ct_variant_count(); variant++) {
        int named = count == 1;
        for (int i = 1; i < count; i++) named |= strcmp(names[i], ct_variant_name(variant)) == 0;
        if (!named) continue;
        if (!ct_variant_runs(variant)) {
            printf("%-14s does not run on this CPU\n", ct_variant_name(variant));
            // What was asked for by name should have run.
            faults += count > 1;
            continue;
        }
        found++;
        int before = faults, done = checks;
        check_variant();
        printf("%-14s %d checks, %d faults\n", ct_variant_name(variant), checks - done, faults - before);
    }
    if (!found) printf("no variant of that name\n");
    return faults > 0 || !found;
}
