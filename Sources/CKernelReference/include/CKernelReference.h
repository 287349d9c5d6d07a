// What a product is by its definition, in doubles and plain C, and how far a kernel may be from it. Compiled for the least CPU, so
// that what is measured and what it is measured with share no instructions.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A product `out[row][output] = Σ weights[output][k] · x[row][k]`.
typedef struct {
    int64_t inner, outputs, rows;
    int64_t block; ///< elements of a row that share a scale; divides `inner`.
} ckr_product;

/// Sums the product in doubles. With every sum goes its `size` [rows][outputs]: over the blocks, the largest |weight| times the sum of
/// the |x| of the block. No sum of a kernel has terms beyond that, so that errors of rounding are small fractions of it.
void ckr_multiply(const ckr_product *p, const float *weights, const float *x, double *out, double *size);

/// The largest and the expected square of the error of each sum, `worst` and `variance` [rows][outputs], when each x is off by at most
/// `off` [rows][inner], evenly spread.
void ckr_spread(const ckr_product *p, const float *weights, const float *off, double *worst, double *variance);

/// A convolution as in CTensor.h; `out_frames` are all that it makes.
typedef struct {
    int32_t channels, width, height, frames, out_channels, out_width, out_height, out_frames, size, depth, stride, time_stride, padding, before, past, oldest, doubles,
        dilation, left;
} ckr_convolution;

/// `kernel` is [out][in][taps]; the rest lies as in CTensor.h. `size`: the sum of the sizes of each sum's terms.
void ckr_convolve(const ckr_convolution *c, const float *x, const float *history, const float *kernel, const float *bias, double *out, double *size);

/// Attention of `rows` queries [rows][heads][head] to [keys][groups][head]; `mask` is [heads][rows][keys] or NULL.
typedef struct {
    int64_t head, heads, groups, keys, rows;
    float scale;
} ckr_attention;

/// `scores` is room for [keys]; `size`: the largest |value| that each output is a mean of.
void ckr_attend(const ckr_attention *a, const float *query, const float *keys, const float *values, const float *mask, double *scores, double *out, double *size);

/// Normalization of [pixels][channels] in groups, as in CTensor.h.
typedef struct {
    int64_t channels, groups, pixels;
    double epsilon;
    int32_t activates;
} ckr_group_norm;

void ckr_normalize(const ckr_group_norm *n, const float *x, const float *weight, const float *bias, double *out, double *size);

/// The activation of [length][channels] between filters, as in CTensor.h.
typedef struct {
    int64_t channels, length;
    const float *filter; ///< [12]
} ckr_snake;

/// `waves` is room for [2 · length]; `size`: the largest wave.
void ckr_activate(const ckr_snake *s, const float *x, const float *frequency, const float *magnitude, double *waves, double *out, double *size);

/// `gelu(modulated(x) + gate · y)` of [rows][features], as in CTensor.h, with x · ½(1 + tanh) for gelu.
void ckr_modulate(int64_t rows, int64_t features, double epsilon, const float *x, const float *scale, const float *shift, const float *gate, const float *y, double *out,
                  double *size);

/// How a kernel's numbers compare.
typedef struct {
    double worst;        ///< largest of |found − wanted| / allowed; infinite for what is no number.
    int64_t place;       ///< where that is.
    double squares;      ///< sum of the squared errors,
    double expected;     ///< and of the `variance`.
} ckr_verdict;

/// Compares `count` numbers with what is wanted, each within its own `allowed`. `places` says which of `wanted` each is to be, or is
/// NULL; `variance` may be NULL.
ckr_verdict ckr_compare(const float *found, const double *wanted, const double *allowed, const double *variance, const int64_t *places, int64_t count);

#ifdef __cplusplus
}
#endif
