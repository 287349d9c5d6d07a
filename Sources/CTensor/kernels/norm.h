// Normalization of groups of channels, with what follows it in the same pass: no copy of a large picture stands between.
#pragma once

#include "vectors.h"

/// Pixels whose sums are f32 before they are added up in double.
enum { SUMMED_PIXELS = 256 };

/// Mean and 1 / deviation of the groups `first ..< last`, whose channels are at most `CT_MOST_CHANNELS`.
static void measure(const ct_group_norm *n, const float *x, int32_t first, int32_t last, float *statistics) {
    int32_t size = n->channels / n->groups, start = first * size, count = (last - first) * size;
    double sums[CT_MOST_CHANNELS] = {0}, squares[CT_MOST_CHANNELS] = {0};
    // Less the first pixel, so that squares of large means do not drown what differs.
    const float *base = x + start;
    for (int64_t pixel = 0; pixel < n->pixels; pixel += SUMMED_PIXELS) {
        int64_t end = pixel + SUMMED_PIXELS < n->pixels ? pixel + SUMMED_PIXELS : n->pixels;
        float sum[CT_MOST_CHANNELS] = {0}, square[CT_MOST_CHANNELS] = {0};
        for (int64_t place = pixel; place < end; place++) {
            const float *values = x + place * n->channels + start;
            for (int32_t c = 0; c < count; c++) {
                float value = values[c] - base[c];
                sum[c] += value;
                square[c] += value * value;
            }
        }
        for (int32_t c = 0; c < count; c++) {
            sums[c] += (double)sum[c];
            squares[c] += (double)square[c];
        }
    }
    for (int32_t group = first; group < last; group++) {
        double mean = 0, spread = 0, pixels = (double)n->pixels;
        for (int32_t c = (group - first) * size; c < (group - first + 1) * size; c++) mean += ((double)base[c] + sums[c] / pixels) / size;
        for (int32_t c = (group - first) * size; c < (group - first + 1) * size; c++) {
            double distance = (double)base[c] + sums[c] / pixels - mean;
            spread += squares[c] - sums[c] * sums[c] / pixels + distance * distance * pixels;
        }
        statistics[2 * group] = (float)mean;
        statistics[2 * group + 1] = (float)(1 / __builtin_sqrt(spread / (pixels * size) + (double)n->epsilon));
    }
}

/// `x [pixels][channels]`, `statistics [groups][2]`.
static void measure_groups(const ct_group_norm *n, const float *x, float *statistics, int32_t part, int32_t parts) {
    int32_t first = (int32_t)((int64_t)n->groups * part / parts), last = (int32_t)((int64_t)n->groups * (part + 1) / parts);
    int32_t step = CT_MOST_CHANNELS / (n->channels / n->groups);
    for (; first < last; first += step) measure(n, x, first, first + step < last ? first + step : last, statistics);
}

/// `used` values from there on, and zeros.
static inline vector line_at(const float *from, int32_t used) {
    vector value = {0};
    if (used == LANES) memcpy(&value, from, sizeof value);
    else memcpy(&value, from, (size_t)used * sizeof(float));
    return value;
}

/// x · sigmoid(x).
static inline vector silu(vector x) {
    flags positive = x > 0.0f;
    vector negated = -x, small = exponential((vector)(((flags)negated & positive) | ((flags)x & ~positive)));
    vector above = (vector)(((flags)((vector){0} + 1.0f) & positive) | ((flags)small & ~positive));
    return x * above / (1.0f + small);
}

/// Writes `count` of a vector's numbers, as bf16 where rounded.
static inline void put(void *out, vector values, int32_t count, int32_t rounds) {
    if (!rounds) {
        memcpy(out, &values, (size_t)count * sizeof(float));
        return;
    }
#if defined(HAS_AVX512BF16)
    __m256bh halves = _mm512_cvtneps_pbh((__m512)values);
    memcpy(out, &halves, (size_t)count * 2);
#else
    uint16_t halves[LANES];
    round_values((const float *)&values, halves, LANES);
    memcpy(out, halves, (size_t)count * 2);
#endif
}

/// `x [pixels][channels]`, `statistics [groups][2]`, `weight [channels]`, `bias [channels]`, `out [pixels][channels]`.
static void normalize_groups(const ct_group_norm *n, const float *x, const float *statistics, const float *weight, const float *bias, void *out, int64_t first,
                             int64_t count, int32_t part, int32_t parts) {
    float factors[CT_MOST_CHANNELS + LANES], offsets[CT_MOST_CHANNELS + LANES];
    size_t bytes = n->rounds ? 2 : sizeof(float);
    for (int32_t start = 0; start < n->channels; start += CT_MOST_CHANNELS) {
        int32_t channels = n->channels - start < CT_MOST_CHANNELS ? n->channels - start : CT_MOST_CHANNELS;
        for (int32_t c = 0; c < channels; c++) {
            const float *group = statistics + 2 * ((start + c) / (n->channels / n->groups));
            factors[c] = weight[start + c] * group[1];
            offsets[c] = bias[start + c] - group[0] * factors[c];
        }
        for (int64_t pixel = first + count * part / parts; pixel < first + count * (part + 1) / parts; pixel++) {
            const float *values = x + pixel * n->channels + start;
            char *target = (char *)out + (size_t)(pixel * n->channels + start) * bytes;
            for (int32_t c = 0; c < channels; c += LANES) {
                int32_t used = channels - c < LANES ? channels - c : LANES;
                vector value = {0}, factor, offset;
                memcpy(&factor, factors + c, sizeof factor);
                memcpy(&offset, offsets + c, sizeof offset);
                if (used == LANES) memcpy(&value, values + c, sizeof value);
                else memcpy(&value, values + c, (size_t)used * sizeof(float));
                value = value * factor + offset;
                if (n->activates) value = silu(value);
                if (used == LANES) put(target + (size_t)c * bytes, value, LANES, n->rounds);
                else put(target + (size_t)c * bytes, value, used, n->rounds);
            }
        }
    }
}
