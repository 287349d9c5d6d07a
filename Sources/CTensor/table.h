// What a variant is to the rest: a name and its kernels, with the arguments of `CTensor.h` less the variant.
#pragma once

#include "CTensor.h"

typedef struct {
    const char *name;
    int32_t (*panel_width)(int32_t outputs, int32_t rounds);
    int32_t can_round;
    int32_t (*packed_inputs)(int32_t channels, int32_t group);
    void (*pack_kernel)(const void *kernel, int32_t out_channels, int32_t channels, int32_t taps, int32_t group, int32_t bytes, void *panels);
    void (*convolve)(const ct_convolution *c, const void *x, const void *history, const void *panels, const float *bias, float *out, int32_t first_row,
                     int32_t rows, int32_t part, int32_t parts);
    void (*multiply)(const ct_product *p, const void *weights, const float *bias, const void *x, float *out, int32_t first, int32_t count, int32_t part,
                     int32_t parts);
    size_t (*rounded_bytes)(int32_t inner, int32_t rows);
    void (*round_rows)(const void *x, size_t pitch, int32_t inner, int32_t rows, void *out, int32_t part, int32_t parts);
    void (*attend)(const ct_attention *a, const void *query, const void *keys, const void *values, const void *mask, void *out, int32_t first, int32_t rows,
                   int32_t part, int32_t parts);
    void (*measure_groups)(const ct_group_norm *n, const float *x, float *statistics, int32_t part, int32_t parts);
    void (*normalize_groups)(const ct_group_norm *n, const float *x, const float *statistics, const float *weight, const float *bias, void *out,
                             int64_t first, int64_t count, int32_t part, int32_t parts);
    void (*activate_snake)(const ct_snake *s, const float *x, const float *frequency, const float *magnitude, void *out, int64_t first, int64_t count,
                           int32_t part, int32_t parts);
    void (*modulate)(int32_t features, float epsilon, const float *x, const float *scale, const float *shift, float *out, int64_t first, int64_t count,
                     int32_t part, int32_t parts);
    void (*add_gated)(int32_t features, const float *x, const float *gate, const float *y, float *out, int64_t first, int64_t count, int32_t part,
                      int32_t parts);
    void (*activate_gelu)(const float *x, float *out, int64_t first, int64_t count, int32_t part, int32_t parts);
} kernel_table;

extern const kernel_table ct_emulated;
#if defined(__x86_64__)
extern const kernel_table ct_baseline, ct_avx512, ct_avx512bf16, ct_amx;
#elif defined(__aarch64__)
extern const kernel_table ct_neon, ct_neon_bf16;
#else
extern const kernel_table ct_portable;
#endif
