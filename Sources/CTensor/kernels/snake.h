// The periodic activation of vocoders, at twice the rate: both filters and what is between them in one pass, whose waves stay in the
// first cache.
#pragma once

#include "norm.h"

/// Positions that are done together, and positions whose waves the filter reaches on each side.
enum { SNAKE_BLOCK = 64, SNAKE_REACH = 3 };

/// sin²(x), to about 1e-7: x less whole multiples of π, of which two parts are enough with fused products; zero from where a float has no
/// fraction on.
static inline vector squared_sine(vector x) {
    const float per_pi = 0.318309886f, pi = 3.14159274f, rest_of_pi = -8.74227766e-8f;
    // Floats of this size have no fraction: adding it rounds.
    const vector whole = (vector){0} + 12582912.0f;
    vector turns = (x * per_pi + whole) - whole;
    vector r = (x - turns * pi) - turns * rest_of_pi;
    flags counts = (turns < 4194304.0f) & (turns > -4194304.0f);
    r = (vector)((flags)r & counts);
    vector square = r * r, sum = square * -2.50521084e-8f + 2.75573192e-6f;
    sum = sum * square - 1.98412698e-4f;
    sum = sum * square + 8.33333333e-3f;
    sum = sum * square - 1.66666667e-1f;
    sum = sum * square * r + r;
    return sum * sum;
}

/// Positions `begin ..< end`, at most `SNAKE_BLOCK`, of `used` channels from `x` on.
__attribute__((always_inline)) static inline void snake_block(const ct_snake *s, const float *x, vector frequency, vector magnitude, char *out, int64_t begin, int64_t end, int32_t used) {
    vector waves[2 * (SNAKE_BLOCK + 2 * SNAKE_REACH)];
    const int64_t pitch = s->channels, last = s->length - 1, bytes = s->rounds ? 2 : (int64_t)sizeof(float);
    const float *f = s->filter;
#define SNAKE_AT(t) line_at(x + ((t) < 0 ? 0 : (t) > last ? last : (t)) * pitch, used)
    int64_t from = begin - SNAKE_REACH < 0 ? 0 : begin - SNAKE_REACH, to = end + SNAKE_REACH > s->length ? s->length : end + SNAKE_REACH;
    vector *wave = waves + 2 * (from - (begin - SNAKE_REACH));
    vector a = SNAKE_AT(from - 3), b = SNAKE_AT(from - 2), c = SNAKE_AT(from - 1), d = SNAKE_AT(from), e = SNAKE_AT(from + 1), g = SNAKE_AT(from + 2);
    for (int64_t t = from; t < to; t++, wave += 2) {
        vector h = SNAKE_AT(t + 3);
        vector even = a * f[11] + b * f[9] + c * f[7] + d * f[5] + e * f[3] + g * f[1];
        vector odd = b * f[10] + c * f[8] + d * f[6] + e * f[4] + g * f[2] + h * f[0];
        even += even;
        odd += odd;
        wave[0] = even + magnitude * squared_sine(even * frequency);
        wave[1] = odd + magnitude * squared_sine(odd * frequency);
        a = b, b = c, c = d, d = e, e = g, g = h;
    }
#undef SNAKE_AT
    for (int64_t t = from - 1; t >= begin - SNAKE_REACH; t--) {
        vector *before = waves + 2 * (t - (begin - SNAKE_REACH));
        before[0] = before[1] = before[2];
    }
    for (int64_t t = to; t < end + SNAKE_REACH; t++, wave += 2) wave[0] = wave[1] = wave[-1];
    for (int64_t t = begin; t < end; t++) {
        const vector *w = waves + 2 * (t - begin) + 1;
        vector sum = w[0] * f[0], other = w[1] * f[1];
        for (int j = 2; j < CT_SNAKE_TAPS; j += 2) {
            sum += w[j] * f[j];
            other += w[j + 1] * f[j + 1];
        }
        put(out + t * pitch * bytes, sum + other, used, s->rounds);
    }
}

/// `x [length][channels]`, `out` the same.
static void activate_snake(const ct_snake *s, const float *x, const float *frequency, const float *magnitude, void *out, int64_t first, int64_t count, int32_t part,
                           int32_t parts) {
    const int64_t bytes = s->rounds ? 2 : (int64_t)sizeof(float), end = first + count * (part + 1) / parts;
    for (int64_t begin = first + count * part / parts; begin < end; begin += SNAKE_BLOCK) {
        int64_t stop = begin + SNAKE_BLOCK < end ? begin + SNAKE_BLOCK : end;
        for (int32_t channel = 0; channel < s->channels; channel += LANES) {
            // The last vector begins earlier rather than being a part of one.
            int32_t place = channel + LANES > s->channels && s->channels >= LANES ? s->channels - LANES : channel;
            int32_t used = s->channels < LANES ? s->channels : LANES;
            vector f = line_at(frequency + place, used), m = line_at(magnitude + place, used);
            char *target = (char *)out + (size_t)place * (size_t)bytes;
            if (used == LANES) snake_block(s, x + place, f, m, target, begin, stop, LANES);
            else snake_block(s, x + place, f, m, target, begin, stop, used);
        }
    }
}
