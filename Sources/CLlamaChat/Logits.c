// Loops over a vocabulary, written so that clang turns them into vector code: no branches inside blocks, reductions kept
// in independent lanes. Every caller passes at least one value.
#include "include/CLlamaChat.h"
#include <math.h>
#include <string.h>

enum { LANES = 64 };

/// exp for x in [-87, 0] within 2 ulp: x = n ln 2 + r, a polynomial for r, n put into the exponent's bits. Below -87 the
/// result is 0.
static inline float exponential(float x) {
    const float bounded = x < -87.0f ? -87.0f : (x > 87.0f ? 87.0f : x);
    const float scaled = bounded * 1.44269504f;
    const float whole = __builtin_rintf(scaled);
    const float rest = (bounded - whole * 0.693145752f) - whole * 1.42860677e-6f;
    float sum = 1.98756915e-4f;
    sum = sum * rest + 1.39819995e-3f;
    sum = sum * rest + 8.33345205e-3f;
    sum = sum * rest + 4.16657962e-2f;
    sum = sum * rest + 1.66666657e-1f;
    sum = sum * rest + 5.00000012e-1f;
    sum = sum * rest * rest + rest + 1.0f;
    const int32_t bits = ((int32_t) whole + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return x < -87.0f ? 0.0f : sum * power;
}

float omni_max(const float * values, int32_t count) {
    float top[LANES];
    for (int j = 0; j < LANES; j++) top[j] = -INFINITY;
    int32_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (int j = 0; j < LANES; j++) top[j] = values[i + j] > top[j] ? values[i + j] : top[j];
    }
    float best = -INFINITY;
    for (int j = 0; j < LANES; j++) best = top[j] > best ? top[j] : best;
    for (; i < count; i++) best = values[i] > best ? values[i] : best;
    return best;
}

int32_t omni_argmax(const float * values, int32_t count) {
    const float best = omni_max(values, count);
    for (int32_t i = 0; i < count; i += LANES) {
        const int32_t end = i + LANES < count ? i + LANES : count;
        int32_t found = 0;
        for (int32_t j = i; j < end; j++) found |= values[j] == best;
        if (!found) continue;
        for (int32_t j = i; j < end; j++) {
            if (values[j] == best) return j;
        }
    }
    return 0;
}

double omni_logsumexp(const float * values, int32_t count) {
    const float top = omni_max(values, count);
    if (top == -INFINITY) return -INFINITY;
    float sums[LANES] = { 0 };
    int32_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (int j = 0; j < LANES; j++) sums[j] += exponential(values[i + j] - top);
    }
    double sum = 0;
    for (int j = 0; j < LANES; j++) sum += sums[j];
    for (; i < count; i++) sum += exponential(values[i] - top);
    return top + log(sum);
}

double omni_weights(const float * values, float * weights, int32_t count, float top, float scale, float least) {
    float sums[LANES] = { 0 };
    int32_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            const float weight = exponential((values[i + j] - top) * scale);
            const float kept = weight < least ? 0.0f : weight;
            weights[i + j] = kept;
            sums[j] += kept;
        }
    }
    double sum = 0;
    for (int j = 0; j < LANES; j++) sum += sums[j];
    for (; i < count; i++) {
        const float weight = exponential((values[i] - top) * scale);
        weights[i] = weight < least ? 0.0f : weight;
        sum += weights[i];
    }
    return sum;
}

int32_t omni_gather(const float * weights, int32_t count, float least, int32_t * places, int32_t room, double * sum) {
    int32_t found = 0;
    double total = 0;
    for (int32_t i = 0; i < count; i += LANES) {
        const int32_t end = i + LANES < count ? i + LANES : count;
        if (omni_max(weights + i, end - i) < least) continue;
        for (int32_t j = i; j < end; j++) {
            if (weights[j] < least) continue;
            if (found < room) places[found] = j;
            found++;
            total += weights[j];
        }
    }
    *sum = total;
    return found;
}

static inline float block_sum(const float * weights, int32_t count) {
#if defined(__clang__)
#pragma clang fp reassociate(on)
#endif
    float sum = 0;
    for (int32_t j = 0; j < count; j++) sum += weights[j];
    return sum;
}

int32_t omni_pick(const float * weights, int32_t count, double target) {
    double passed = 0;
    int32_t last = 0;
    for (int32_t i = 0; i < count; i += LANES) {
        const int32_t end = i + LANES < count ? i + LANES : count;
        const float block = block_sum(weights + i, end - i);
        if (block <= 0) continue;
        if (passed + block < target) {
            passed += block;
            last = end - 1;
            continue;
        }
        for (int32_t j = i; j < end; j++) {
            if (weights[j] <= 0) continue;
            passed += weights[j];
            last = j;
            if (passed > target) return j;
        }
    }
    while (last > 0 && weights[last] <= 0) last--;
    return last;
}

int32_t omni_largest(const float * values, int32_t count, int32_t k, int32_t * places) {
    int32_t held = 0;
    for (int32_t i = 0; i < count; i += LANES) {
        const int32_t end = i + LANES < count ? i + LANES : count;
        if (held == k && omni_max(values + i, end - i) <= values[places[held - 1]]) continue;
        for (int32_t j = i; j < end; j++) {
            if (held == k && values[j] <= values[places[held - 1]]) continue;
            int32_t place = held < k ? held++ : held - 1;
            while (place > 0 && values[places[place - 1]] < values[j]) {
                places[place] = places[place - 1];
                place--;
            }
            places[place] = j;
        }
    }
    return held;
}
