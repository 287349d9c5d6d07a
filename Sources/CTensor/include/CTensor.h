// Kernels that ggml does not have. Plain C on plain buffers; several threads may run parts of one call at once.
//
// Each kernel is compiled several times, once for each kind of CPU: a variant. Calls name the variant that they want, so that all
// that run on a CPU can be used side by side. Packed weights and rounded rows belong to the variant that made them: panels are as
// wide as its vectors.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Variants of the kernels compiled for this architecture, slowest first: on x86-64 `amx-emulated`, `baseline` (AVX2 and FMA),
/// `avx512`, `avx512bf16`, `amx`; on arm64 `amx-emulated`, `neon`, `neon-bf16`.
int32_t ct_variant_count(void);

/// What `OMNI_CPU` calls it; NULL where there is no such variant.
const char *ct_variant_name(int32_t variant);

/// Whether this CPU, and the system on it, runs it. Found out once; for AMX the kernel is asked for its permission then.
int32_t ct_variant_runs(int32_t variant);

/// The fastest that runs.
int32_t ct_best_variant(void);

/// What the process computes with where nothing else was asked for: the fastest, until another is chosen. Returns 0 and changes
/// nothing where the variant does not run. What was packed before stays with the variant that packed it.
int32_t ct_use_variant(int32_t variant);
int32_t ct_current_variant(void);

/// A convolution over width, height and time. Elements lie with channels fastest, then width, height, frames. What the kernel
/// covers outside of a frame, and before the first frame without a past, counts as zeros.
typedef struct {
    int32_t channels, width, height, frames;    ///< of the input; at most `CT_MOST_INPUTS` channels.
    int32_t out_channels, out_width, out_height; ///< of the output.
    int32_t size, depth;                        ///< of the kernel: pixels along both sides, frames.
    int32_t stride, time_stride;
    int32_t padding;                            ///< zeros left and above; right and below follow from the output's size.
    int32_t before;                             ///< frames before the first that the kernel reaches back to.
    int32_t past;                               ///< frames in `history`, the latest ones before the input; 0: none.
    int32_t oldest;                             ///< which of these is the oldest; the others follow in a ring.
    int32_t doubles;                            ///< non-zero: each input pixel counts as two by two.
    int32_t rounds;                             ///< non-zero: input, history and kernel are bf16; sums are f32 always.
    int32_t dilation;                           ///< non-zero: a convolution along one row, its kernel's `size` taps so many pixels apart.
    int32_t left;                               ///< zeros left of that row, in place of `padding`; negative: columns that are left out.
} ct_convolution;

/// Channels that the input of a convolution may have.
enum { CT_MOST_INPUTS = 8192 };

/// Outputs that are computed together, for a layer with that many: the width of a panel. `rounds`: in bf16.
int32_t ct_panel_width(int32_t variant, int32_t outputs, int32_t rounds);

/// Whether the variant multiplies pairs of bf16, so that rounding is faster than not.
int32_t ct_can_round(int32_t variant);

/// Inputs that a packed kernel has room for: those there are, filled up with zeros where the variant takes them by the tile.
int32_t ct_packed_inputs(int32_t variant, int32_t channels, int32_t group);

/// Lays a kernel `[out][in][taps]` out as panels `[panels][taps][packed in / group][width][group]`, filled up with zeros. `group`
/// neighbouring inputs stay together: 1, or 2 for what is rounded to bf16. `bytes` of an element: 2 or 4.
void ct_pack_kernel(int32_t variant, const void *kernel, int32_t out_channels, int32_t channels, int32_t taps, int32_t group, int32_t bytes, void *panels);

/// Part `part` of `parts` of the output rows `first_row ..< first_row + rows`, counted over all frames.
///
/// `x` is [frames][height][width][channels], `history` [past][height][width][channels] or NULL, `panels` as packed above, `bias`
/// [out_channels], `out` the whole output. What is rounded has an even number of channels.
void ct_convolve(int32_t variant, const ct_convolution *c, const void *x, const void *history, const void *panels, const float *bias, float *out,
                 int32_t first_row, int32_t rows, int32_t part, int32_t parts);

/// Writes `count` elements of a row of weights as f32.
typedef void (*ct_decode)(const void *row, float *values, int64_t count);

/// How weights of a product are stored.
enum {
    CT_WEIGHTS_F32 = 0,
    CT_WEIGHTS_BF16 = 1,
    CT_WEIGHTS_DECODED = 2, ///< in blocks that `decode` reads.
};

/// A product of two matrices by their rows: `out[row][output] = bias[output] + Σ weights[output][k] · x[row][k]`, sums in f32.
typedef struct {
    int32_t inner;                         ///< elements of a row of `weights` and of `x`.
    int32_t outputs, rows;
    size_t weight_pitch, pitch, out_pitch; ///< bytes from row to row of `weights`, `x` and `out`; `pitch` where not rounded.
    int32_t rounds;                        ///< non-zero: `x` is what `ct_round_rows` wrote, products are of bf16; else f32.
    int32_t weights;                       ///< one of the above; not f32 where rounded.
    int32_t block, block_bytes;            ///< elements and bytes of a block that is decoded; at most `CT_MOST_BLOCK` elements.
    ct_decode decode;
} ct_product;

enum { CT_MOST_BLOCK = 256 };

/// Part `part` of `parts` of the outputs `first ..< first + count`, for all rows. `bias` is [outputs] or NULL.
void ct_multiply(int32_t variant, const ct_product *p, const void *weights, const float *bias, const void *x, float *out, int32_t first, int32_t count,
                 int32_t part, int32_t parts);

/// Bytes of `rows` rows of `inner` elements as a rounded product wants them.
size_t ct_rounded_bytes(int32_t variant, int32_t inner, int32_t rows);

/// Part `part` of `parts` of the rows of `x`, f32 and `pitch` bytes apart, as bf16 in the variant's own order.
void ct_round_rows(int32_t variant, const void *x, size_t pitch, int32_t inner, int32_t rows, void *out, int32_t part, int32_t parts);

/// Features that a head may have.
enum { CT_MOST_HEAD = 512 };

/// `softmax(scale · query · keys + mask) · values` for each head, in f32. Bytes from head to head are steps, from row to row
/// pitches; `heads / groups` neighbouring heads share keys and values; the output of a row is [heads][head].
typedef struct {
    int32_t head, heads, groups, keys;
    float scale;
    size_t query_step, query_pitch, key_step, key_pitch, value_step, value_pitch, mask_step, mask_pitch, out_pitch;
    int32_t rounds; ///< non-zero: both products are of bf16, where the variant can.
} ct_attention;

/// Part `part` of `parts` of the rows `first ..< first + rows`, for all heads. `mask` has a float for each key, or is NULL.
void ct_attend(int32_t variant, const ct_attention *a, const void *query, const void *keys, const void *values, const void *mask, void *out, int32_t first,
               int32_t rows, int32_t part, int32_t parts);

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
void ct_measure_groups(int32_t variant, const ct_group_norm *n, const float *x, float *statistics, int32_t part, int32_t parts);

/// Part `part` of `parts` of the pixels `first ..< first + count`: `(x − mean) / deviation · weight + bias`, and what follows.
void ct_normalize_groups(int32_t variant, const ct_group_norm *n, const float *x, const float *statistics, const float *weight, const float *bias, void *out,
                         int64_t first, int64_t count, int32_t part, int32_t parts);

/// Taps of the filter between a signal and the same at twice its rate.
enum { CT_SNAKE_TAPS = 12 };

/// A periodic activation at twice the rate, so that what it adds above the band is filtered out again (arXiv:2206.04658, with a
/// magnitude of its own for each channel). Beyond its ends a signal goes on as it ends.
typedef struct {
    int32_t channels;
    int64_t length;                ///< positions of the signal.
    float filter[CT_SNAKE_TAPS];   ///< low pass, its sum 1.
    int32_t rounds;                ///< non-zero: the result is bf16.
} ct_snake;

/// Part `part` of `parts` of the positions `first ..< first + count` of `x` [length][channels]: `y + magnitude · sin²(frequency · y)` of
/// each channel. `frequency` and `magnitude` are [channels].
void ct_activate_snake(int32_t variant, const ct_snake *s, const float *x, const float *frequency, const float *magnitude, void *out, int64_t first,
                       int64_t count, int32_t part, int32_t parts);

/// Part `part` of `parts` of the rows `first ..< first + count` of `x` [rows][features]: less their mean, over their deviation, times
/// `scale`, plus `shift`, which are [features].
void ct_modulate(int32_t variant, int32_t features, float epsilon, const float *x, const float *scale, const float *shift, float *out, int64_t first,
                 int64_t count, int32_t part, int32_t parts);

/// The same of `x + gate · y`; `gate` is [features].
void ct_add_gated(int32_t variant, int32_t features, const float *x, const float *gate, const float *y, float *out, int64_t first, int64_t count, int32_t part,
                  int32_t parts);

/// Part `part` of `parts` of the elements `first ..< first + count`: x · Φ(x) in its approximation with tanh.
void ct_activate_gelu(int32_t variant, const float *x, float *out, int64_t first, int64_t count, int32_t part, int32_t parts);

#ifdef __cplusplus
}
#endif
