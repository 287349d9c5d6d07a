// What stands between the products of a transformer whose layers are modulated: each in one pass over its rows.
#pragma once

#include "norm.h"

/// Rows `first ..< first + count` of `x [rows][features]`: less their mean, over their deviation, times `scale`, plus `shift`.
static void modulate(int32_t features, float epsilon, const float *x, const float *scale, const float *shift, float *out, int64_t first, int64_t count, int32_t part,
                     int32_t parts) {
    int32_t whole = features / LANES * LANES;
    for (int64_t row = first + count * part / parts; row < first + count * (part + 1) / parts; row++) {
        const float *from = x + row * features;
        float *to = out + row * features;
        vector sums = {0}, squares = {0};
        for (int32_t i = 0; i < whole; i += LANES) sums += line_at(from + i, LANES);
        float sum = sum_of_lanes(sums), square = 0;
        for (int32_t i = whole; i < features; i++) sum += from[i];
        float mean = sum / (float)features;
        for (int32_t i = 0; i < whole; i += LANES) {
            vector distance = line_at(from + i, LANES) - mean;
            squares += distance * distance;
        }
        square = sum_of_lanes(squares);
        for (int32_t i = whole; i < features; i++) square += (from[i] - mean) * (from[i] - mean);
        float factor = 1 / __builtin_sqrtf(square / (float)features + epsilon);
        for (int32_t i = 0; i < whole; i += LANES) {
            vector value = (line_at(from + i, LANES) - mean) * factor * line_at(scale + i, LANES) + line_at(shift + i, LANES);
            memcpy(to + i, &value, sizeof value);
        }
        for (int32_t i = whole; i < features; i++) to[i] = (from[i] - mean) * factor * scale[i] + shift[i];
    }
}

/// Rows of `x + gate · y`.
static void add_gated(int32_t features, const float *x, const float *gate, const float *y, float *out, int64_t first, int64_t count, int32_t part, int32_t parts) {
    for (int64_t row = first + count * part / parts; row < first + count * (part + 1) / parts; row++) {
        int64_t start = row * features;
        int32_t i = 0;
        for (; i + LANES <= features; i += LANES) {
            vector value = line_at(x + start + i, LANES) + line_at(gate + i, LANES) * line_at(y + start + i, LANES);
            memcpy(out + start + i, &value, sizeof value);
        }
        for (; i < features; i++) out[start + i] = x[start + i] + gate[i] * y[start + i];
    }
}

/// Elements `first ..< first + count`: x · Φ(x) in its approximation with tanh, which is x · sigmoid(x · (2√(2/π) (1 + 0.044715 x²))).
static void activate_gelu(const float *x, float *out, int64_t first, int64_t count, int32_t part, int32_t parts) {
    int64_t end = first + count * (part + 1) / parts;
    for (int64_t i = first + count * part / parts; i < end; i += LANES) {
        int32_t used = end - i < LANES ? (int32_t)(end - i) : LANES;
        vector value = used == LANES ? line_at(x + i, LANES) : line_at(x + i, used);
        vector inner = value * (value * value * 0.0713548162726f + 1.59576912161f);
        // e^−|inner|, which is at most 1.
        vector small = exponential((vector)((flags)inner | (int32_t)0x80000000));
        flags positive = inner > 0.0f;
        vector above = (vector)(((flags)((vector){0} + 1.0f) & positive) | ((flags)small & ~positive));
        value = value * above / (1.0f + small);
        if (used == LANES) memcpy(out + i, &value, sizeof value);
        else memcpy(out + i, &value, (size_t)used * sizeof(float));
    }
}
