// Which variants there are, which of them run here, and the one that a call named.
#include "cpu.h"
#include "table.h"

#include <pthread.h>
#include <stdatomic.h>

static int always(void) { return 1; }

typedef struct {
    const kernel_table *kernels;
    int (*runs)(void);
} variant;

#if defined(__x86_64__)
static const variant VARIANTS[] = {
    {&ct_emulated, cpu_has_avx2}, {&ct_baseline, cpu_has_avx2}, {&ct_avx512, cpu_has_avx512}, {&ct_avx512bf16, cpu_has_avx512bf16}, {&ct_amx, cpu_has_amx},
};
#elif defined(__aarch64__)
static const variant VARIANTS[] = {{&ct_emulated, always}, {&ct_neon, always}, {&ct_neon_bf16, cpu_has_neon_bf16}};
#else
static const variant VARIANTS[] = {{&ct_emulated, always}, {&ct_portable, always}};
#endif
enum { COUNT = sizeof VARIANTS / sizeof VARIANTS[0] };

static pthread_once_t asked = PTHREAD_ONCE_INIT;
static int running[COUNT], best;
static atomic_int chosen = -1;

static void ask_once(void) {
    (void)always;
    for (int i = 0; i < COUNT; i++) {
        running[i] = VARIANTS[i].runs();
        if (running[i]) best = i;
    }
}

int32_t ct_variant_count(void) { return COUNT; }

const char *ct_variant_name(int32_t variant) { return variant >= 0 && variant < COUNT ? VARIANTS[variant].kernels->name : NULL; }

int32_t ct_variant_runs(int32_t variant) {
    pthread_once(&asked, ask_once);
    return variant >= 0 && variant < COUNT && running[variant];
}

int32_t ct_best_variant(void) {
    pthread_once(&asked, ask_once);
    return best;
}

int32_t ct_use_variant(int32_t variant) {
    if (!ct_variant_runs(variant)) return 0;
    atomic_store(&chosen, variant);
    return 1;
}

int32_t ct_current_variant(void) {
    int32_t variant = atomic_load(&chosen);
    return variant >= 0 ? variant : ct_best_variant();
}

/// The named variant's kernels; the current ones' where there is none of that number.
static const kernel_table *of(int32_t variant) {
    return VARIANTS[variant >= 0 && variant < COUNT ? variant : ct_current_variant()].kernels;
}

int32_t ct_panel_width(int32_t variant, int32_t outputs, int32_t rounds) { return of(variant)->panel_width(outputs, rounds); }

int32_t ct_can_round(int32_t variant) { return of(variant)->can_round; }

int32_t ct_packed_inputs(int32_t variant, int32_t channels, int32_t group) { return of(variant)->packed_inputs(channels, group); }

void ct_pack_kernel(int32_t variant, const void *kernel, int32_t out_channels, int32_t channels, int32_t taps, int32_t group, int32_t bytes, void *panels) {
    of(variant)->pack_kernel(kernel, out_channels, channels, taps, group, bytes, panels);
}

void ct_convolve(int32_t variant, const ct_convolution *c, const void *x, const void *history, const void *panels, const float *bias, float *out,
                 int32_t first_row, int32_t rows, int32_t part, int32_t parts) {
    of(variant)->convolve(c, x, history, panels, bias, out, first_row, rows, part, parts);
}

void ct_multiply(int32_t variant, const ct_product *p, const void *weights, const float *bias, const void *x, float *out, int32_t first, int32_t count,
                 int32_t part, int32_t parts) {
    of(variant)->multiply(p, weights, bias, x, out, first, count, part, parts);
}

size_t ct_rounded_bytes(int32_t variant, int32_t inner, int32_t rows) { return of(variant)->rounded_bytes(inner, rows); }

void ct_round_rows(int32_t variant, const void *x, size_t pitch, int32_t inner, int32_t rows, void *out, int32_t part, int32_t parts) {
    of(variant)->round_rows(x, pitch, inner, rows, out, part, parts);
}

void ct_attend(int32_t variant, const ct_attention *a, const void *query, const void *keys, const void *values, const void *mask, void *out, int32_t first,
               int32_t rows, int32_t part, int32_t parts) {
    of(variant)->attend(a, query, keys, values, mask, out, first, rows, part, parts);
}

void ct_measure_groups(int32_t variant, const ct_group_norm *n, const float *x, float *statistics, int32_t part, int32_t parts) {
    of(variant)->measure_groups(n, x, statistics, part, parts);
}

void ct_normalize_groups(int32_t variant, const ct_group_norm *n, const float *x, const float *statistics, const float *weight, const float *bias, void *out,
                         int64_t first, int64_t count, int32_t part, int32_t parts) {
    of(variant)->normalize_groups(n, x, statistics, weight, bias, out, first, count, part, parts);
}

void ct_activate_snake(int32_t variant, const ct_snake *s, const float *x, const float *frequency, const float *magnitude, void *out, int64_t first,
                       int64_t count, int32_t part, int32_t parts) {
    of(variant)->activate_snake(s, x, frequency, magnitude, out, first, count, part, parts);
}

void ct_modulate(int32_t variant, int32_t features, float epsilon, const float *x, const float *scale, const float *shift, float *out, int64_t first,
                 int64_t count, int32_t part, int32_t parts) {
    of(variant)->modulate(features, epsilon, x, scale, shift, out, first, count, part, parts);
}

void ct_add_gated(int32_t variant, int32_t features, const float *x, const float *gate, const float *y, float *out, int64_t first, int64_t count, int32_t part,
                  int32_t parts) {
    of(variant)->add_gated(features, x, gate, y, out, first, count, part, parts);
}

void ct_activate_gelu(int32_t variant, const float *x, float *out, int64_t first, int64_t count, int32_t part, int32_t parts) {
    of(variant)->activate_gelu(x, out, first, count, part, parts);
}
