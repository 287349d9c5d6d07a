// Kernels that ggml does not have. Plain C on plain buffers; several threads may run parts of one call at once.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A convolution over width, height and time. Elements lie with channels fastest, then width, height, frames. What the kernel
/// covers outside of a frame, and before the first frame without a past, counts as zeros.
typedef struct {
    int32_t channels, width, height, frames;    ///< of the input.
    int32_t out_channels, out_width, out_height; ///< of the output.
    int32_t size, depth;                        ///< of the kernel: pixels along both sides, frames.
    int32_t stride, time_stride;
    int32_t padding;                            ///< zeros left and above; right and below follow from the output's size.
    int32_t before;                             ///< frames before the first that the kernel reaches back to.
    int32_t past;                               ///< frames in `history`, the latest ones before the input; 0: none.
    int32_t oldest;                             ///< which of these is the oldest; the others follow in a ring.
    int32_t doubles;                            ///< non-zero: each input pixel counts as two by two.
    int32_t rounds;                             ///< non-zero: input, history and kernel are bf16; sums are f32 always.
} ct_convolution;

/// Outputs that are computed together on this CPU, for a layer with that many: the width of a panel.
int32_t ct_panel_width(int32_t out_channels);

/// Whether this CPU multiplies pairs of bf16, so that rounding is faster than not.
int32_t ct_can_round(void);

/// Lays a kernel `[out][in][taps]` out as panels `[panels][taps][in / group][width][group]`, the last one filled up with zeros.
/// `group` neighbouring inputs stay together: 1, or 2 for what is rounded to bf16. `bytes` of an element: 2 or 4.
void ct_pack_kernel(const void *kernel, int32_t out_channels, int32_t channels, int32_t taps, int32_t group, int32_t bytes, void *panels);

/// Part `part` of `parts` of the output rows `first_row ..< first_row + rows`, counted over all frames.
///
/// `x` is [frames][height][width][channels], `history` [past][height][width][channels] or NULL, `panels` as packed above, `bias`
/// [out_channels], `out` the whole output. What is rounded has an even number of channels.
void ct_convolve(const ct_convolution *c, const void *x, const void *history, const void *panels, const float *bias, float *out,
                 int32_t first_row, int32_t rows, int32_t part, int32_t parts);

/// A product of two matrices by their rows: `out[row][output] = bias[output] + Σ weights[output][k] · x[row][k]`, sums in f32.
typedef struct {
    int32_t inner;                         ///< elements of a row of `weights` and of `x`; even where rounded.
    int32_t outputs, rows;
    size_t weight_pitch, pitch, out_pitch; ///< bytes from row to row of `weights`, `x` and `out`.
    int32_t rounds;                        ///< non-zero: both sides are bf16, else f32.
} ct_product;

/// Part `part` of `parts` of the outputs `first ..< first + count`, for all rows. `bias` is [outputs] or NULL.
void ct_multiply(const ct_product *p, const void *weights, const float *bias, const void *x, float *out, int32_t first, int32_t count, int32_t part,
                 int32_t parts);

/// Features that a head may have.
enum { CT_MOST_HEAD = 512 };

/// `softmax(scale · query · keys + mask) · values` for each head, in f32. Bytes from head to head are steps, from row to row
/// pitches; `heads / groups` neighbouring heads share keys and values; the output of a row is [heads][head].
typedef struct {
    int32_t head, heads, groups, keys;
    float scale;
    size_t query_step, query_pitch, key_step, key_pitch, value_step, value_pitch, mask_step, mask_pitch, out_pitch;
} ct_attention;

/// Part `part` of `parts` of the rows `first ..< first + rows`, for all heads. `mask` has a float for each key, or is NULL.
void ct_attend(const ct_attention *a, const void *query, const void *keys, const void *values, const void *mask, void *out, int32_t first, int32_t rows,
               int32_t part, int32_t parts);

/// Channels that are done together, and the most of a group.
enum { CT_MOST_CHANNELS = 512 };

/// Channels of `x` [pixels][channels] normalized in groups over all pixels.
typedef struct {
    int32_t channels, groups;
    int64_t pixels;
    float epsilon;
    int32_t activates; ///< non-zero: y · sigmoid(y) of the result.
    int32_t rounds;    ///< non-zero: the result is bf16.
} ct_group_norm;

/// Part `part` of `parts` of the groups: mean and 1 / deviation of each to `statistics` [groups][2].
void ct_measure_groups(const ct_group_norm *n, const float *x, float *statistics, int32_t part, int32_t parts);

/// Part `part` of `parts` of the pixels `first ..< first + count`: `(x − mean) / deviation · weight + bias`, and what follows.
void ct_normalize_groups(const ct_group_norm *n, const float *x, const float *statistics, const float *weight, const float *bias, void *out, int64_t first,
                         int64_t count, int32_t part, int32_t parts);

#ifdef __cplusplus
}
#endif
