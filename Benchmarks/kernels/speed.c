// GFLOPS of CTensor's kernels in each variant that this CPU runs, at the widths of Z-Image and its autoencoder.
//
//   speed [--threads N] [--seconds S] [--fastest] [--only product|convolution|attention|f32|bf16|Q8_0] [variant…]
//
// All that run, slowest first, where none is named. --fastest: the twentieth that was fastest instead of the median, for machines whose
// neighbours come and go.
#include "CTensor.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_THREADS = 64 };

static int threads = 1;
static double seconds = 0.4;
static int fastest;
static const char *only;

/// Whether a row of the table was asked for, by any part of its name.
static int wants(const char *kind, const char *type) { return !only || strstr(kind, only) || !strcmp(type, only); }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/// Bytes of small bf16 or f32 numbers.
static void *room(size_t bytes, int halves) {
    void *place = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!place) abort();
    for (size_t i = 0; halves && i < bytes / 2; i++) ((uint16_t *)place)[i] = (uint16_t)(0x3c00 + i * 7919 % 0x100 + (i % 2) * 0x8000);
    for (size_t i = 0; !halves && i < bytes / 4; i++) ((float *)place)[i] = (float)(i * 7919 % 1009) / 504.5f - 1;
    return place;
}

typedef struct {
    void (*body)(const void *, int32_t, int32_t);
    const void *what;
    int part;
} job;

static void *run_part(void *given) {
    const job *j = given;
    j->body(j->what, j->part, threads);
    return NULL;
}

static void run(void (*body)(const void *, int32_t, int32_t), const void *what) {
    pthread_t ids[MOST_THREADS];
    job jobs[MOST_THREADS];
    for (int i = 1; i < threads; i++) {
        jobs[i] = (job){body, what, i};
        if (pthread_create(&ids[i], NULL, run_part, &jobs[i])) abort();
    }
    body(what, 0, threads);
    for (int i = 1; i < threads; i++) pthread_join(ids[i], NULL);
}

static int compare(const void *a, const void *b) { return *(const double *)a < *(const double *)b ? -1 : 1; }

/// The median speed of many runs, in 10⁹ additions and multiplications a second.
static double speed(double count, void (*body)(const void *, int32_t, int32_t), const void *what) {
    double times[1000];
    int runs = 0;
    run(body, what);
    for (double end = now() + seconds; runs < 3 || (now() < end && runs < 1000); runs++) {
        double begin = now();
        run(body, what);
        times[runs] = now() - begin;
    }
    qsort(times, (size_t)runs, sizeof times[0], compare);
    return count / times[runs / (fastest ? 20 : 2)] * 1e-9;
}

// MARK: - Products

static void decode_bytes(const void *row, float *values, int64_t count) {
    // Q8_0: a half-precision scale, 32 bytes.
    const char *block = row;
    for (int64_t i = 0; i < count; i += 32, block += 34) {
        _Float16 scale;
        memcpy(&scale, block, 2);
        for (int k = 0; k < 32; k++) values[i + k] = (float)scale * (float)((const int8_t *)block)[2 + k];
    }
}

typedef struct {
    int32_t variant;
    ct_product p;
    const void *weights, *x;
    void *rounded;
    float *out;
} product;

static void run_product(const void *given, int32_t part, int32_t parts) {
    const product *m = given;
    ct_multiply(m->variant, &m->p, m->weights, NULL, m->p.rounds ? m->rounded : m->x, m->out, 0, m->p.outputs, part, parts);
}

static void run_rounding(const void *given, int32_t part, int32_t parts) {
    const product *m = given;
    ct_round_rows(m->variant, m->x, m->p.pitch, m->p.inner, m->p.rows, m->rounded, part, parts);
}

static void products(int32_t variant, int32_t inner, int32_t outputs, int32_t rows) {
    static const char *names[] = {"f32", "bf16", "Q8_0"};
    for (int32_t kind = 0; kind < 3; kind++) {
        if (!wants("product", names[kind])) continue;
        int32_t rounds = kind > 0 && ct_can_round(variant);
        size_t row_bytes = kind == 0 ? (size_t)inner * 4 : kind == 1 ? (size_t)inner * 2 : (size_t)inner / 32 * 34;
        product m = {variant, {inner, outputs, rows, row_bytes, (size_t)inner * 4, (size_t)outputs * 4, rounds, kind, 32, 34, decode_bytes}, NULL, NULL, NULL, NULL};
        void *weights = room(row_bytes * (size_t)outputs, kind > 0), *x = room((size_t)inner * (size_t)rows * 4, 0);
        m.weights = weights;
        m.x = x;
        m.out = room((size_t)outputs * (size_t)rows * 4, 0);
        m.rounded = rounds ? room(ct_rounded_bytes(variant, inner, rows), 1) : NULL;
        double count = 2.0 * inner * outputs * rows;
        if (rounds) run(run_rounding, &m);
        printf("%-14s product %-5s %5d x %5d, %4d rows  %8.1f\n", ct_variant_name(variant), names[kind], outputs, inner, rows, speed(count, run_product, &m));
        fflush(stdout);
        if (rounds && kind == 1) printf("%-14s rounding      %5d, %4d rows         %8.2f G elements/s\n", ct_variant_name(variant), inner, rows, speed((double)inner * rows, run_rounding, &m));
        free(weights);
        free(x);
        free(m.out);
        free(m.rounded);
    }
}

// MARK: - Convolutions

typedef struct {
    int32_t variant;
    ct_convolution c;
    const void *x, *panels;
    const float *bias;
    float *out;
} convolution;

static void run_convolution(const void *given, int32_t part, int32_t parts) {
    const convolution *v = given;
    ct_convolve(v->variant, &v->c, v->x, NULL, v->panels, v->bias, v->out, 0, v->c.out_height * v->c.frames, part, parts);
}

static void convolutions(int32_t variant, int32_t channels, int32_t side, int32_t outputs, int32_t rounds) {
    if ((rounds && !ct_can_round(variant)) || !wants("convolution", rounds ? "bf16" : "f32")) return;
    size_t bytes = rounds ? 2 : 4, pixels = (size_t)side * (size_t)side;
    int32_t group = rounds ? 2 : 1, width = ct_panel_width(variant, outputs, rounds), inputs = ct_packed_inputs(variant, channels, group);
    void *kernel = room((size_t)outputs * (size_t)channels * 9 * bytes, rounds), *x = room(pixels * (size_t)channels * bytes, rounds);
    void *panels = room((size_t)((outputs + width - 1) / width * width) * (size_t)inputs * 9 * bytes, rounds);
    ct_pack_kernel(variant, kernel, outputs, channels, 9, group, (int32_t)bytes, panels);
    convolution v = {variant, {.channels = channels, .width = side, .height = side, .frames = 1, .out_channels = outputs, .out_width = side, .out_height = side,
                               .size = 3, .depth = 1, .stride = 1, .time_stride = 1, .padding = 1, .rounds = rounds}, x, panels, room((size_t)outputs * 4, 0), room(pixels * (size_t)outputs * 4, 0)};
    double count = 2.0 * 9 * channels * outputs * (double)pixels;
    printf("%-14s convolution %-4s %3d -> %3d, %3d x %3d %11.1f\n", ct_variant_name(variant), rounds ? "bf16" : "f32", channels, outputs, side, side,
           speed(count, run_convolution, &v));
    fflush(stdout);
    free(kernel);
    free(x);
    free(panels);
    free((void *)v.bias);
    free(v.out);
}

// MARK: - Lines

/// A vocoder's convolution along `length` positions.
static void lines(int32_t variant, int32_t channels, int32_t length, int32_t taps, int32_t dilation, int32_t rounds) {
    if ((rounds && !ct_can_round(variant)) || !wants("line", rounds ? "bf16" : "f32")) return;
    size_t bytes = rounds ? 2 : 4;
    int32_t group = rounds ? 2 : 1, width = ct_panel_width(variant, channels, rounds), inputs = ct_packed_inputs(variant, channels, group);
    void *kernel = room((size_t)channels * (size_t)channels * (size_t)taps * bytes, rounds), *x = room((size_t)length * (size_t)channels * bytes, rounds);
    void *panels = room((size_t)((channels + width - 1) / width * width) * (size_t)inputs * (size_t)taps * bytes, rounds);
    ct_pack_kernel(variant, kernel, channels, channels, taps, group, (int32_t)bytes, panels);
    convolution v = {variant, {.channels = channels, .width = length, .height = 1, .frames = 1, .out_channels = channels, .out_width = length, .out_height = 1,
                               .size = taps, .depth = 1, .stride = 1, .time_stride = 1, .dilation = dilation, .left = dilation * (taps / 2), .rounds = rounds},
                     x, panels, room((size_t)channels * 4, 0), room((size_t)length * (size_t)channels * 4, 0)};
    printf("%-14s line %-4s %3d channels, %5d, %2d taps %11.1f\n", ct_variant_name(variant), rounds ? "bf16" : "f32", channels, length, taps,
           speed(2.0 * taps * channels * channels * length, run_convolution, &v));
    fflush(stdout);
    free(kernel);
    free(x);
    free(panels);
    free((void *)v.bias);
    free(v.out);
}

typedef struct {
    int32_t variant;
    ct_snake s;
    const float *x, *frequency, *magnitude;
    void *out;
} activation;

static void run_snake(const void *given, int32_t part, int32_t parts) {
    const activation *a = given;
    ct_activate_snake(a->variant, &a->s, a->x, a->frequency, a->magnitude, a->out, 0, a->s.length, part, parts);
}

/// G elements a second.
static void snakes(int32_t variant, int32_t channels, int32_t length) {
    if (!wants("snake", "f32")) return;
    activation a = {variant, {.channels = channels, .length = length, .filter = {0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f, 0.1f}},
                    room((size_t)length * (size_t)channels * 4, 0), room((size_t)channels * 4, 0), room((size_t)channels * 4, 0), room((size_t)length * (size_t)channels * 4, 0)};
    printf("%-14s snake %3d channels, %5d positions %8.3f G elements/s\n", ct_variant_name(variant), channels, length, speed((double)channels * length, run_snake, &a));
    fflush(stdout);
    free((void *)a.x);
    free((void *)a.frequency);
    free((void *)a.magnitude);
    free(a.out);
}

// MARK: - Attention

typedef struct {
    int32_t variant;
    ct_attention a;
    const void *q, *k, *v;
    void *out;
    int32_t rows;
} attention;

static void run_attention(const void *given, int32_t part, int32_t parts) {
    const attention *a = given;
    ct_attend(a->variant, &a->a, a->q, a->k, a->v, NULL, a->out, 0, a->rows, part, parts);
}

static void attentions(int32_t variant, int32_t head, int32_t heads, int32_t rows, int32_t rounds) {
    if ((rounds && !ct_can_round(variant)) || !wants("attention", rounds ? "bf16" : "f32")) return;
    size_t step = (size_t)head * 4, pitch = step * (size_t)heads, bytes = pitch * (size_t)rows;
    void *q = room(bytes, 0), *k = room(bytes, 0), *v = room(bytes, 0), *out = room(bytes, 0);
    attention a = {variant, {head, heads, heads, rows, 0.088f, step, pitch, step, pitch, step, pitch, 0, 0, pitch, rounds}, q, k, v, out, rows};
    double count = 4.0 * head * heads * (double)rows * rows;
    printf("%-14s attention %-5s %2d heads of %3d, %4d rows %8.1f\n", ct_variant_name(variant), rounds ? "bf16" : "f32", heads, head, rows, speed(count, run_attention, &a));
    fflush(stdout);
    free(q);
    free(k);
    free(v);
    free(out);
}

int main(int count, char **arguments) {
    int named = 0;
    for (int i = 1; i < count; i++) {
        if (!strcmp(arguments[i], "--threads") && i + 1 < count) threads = atoi(arguments[++i]);
        else if (!strcmp(arguments[i], "--only") && i + 1 < count) only = arguments[++i];
        else if (!strcmp(arguments[i], "--fastest")) fastest = 1;
        else if (!strcmp(arguments[i], "--seconds") && i + 1 < count) seconds = atof(arguments[++i]);
        else { named = i; break; }
    }
    if (threads < 1 || threads > MOST_THREADS) return 64;
    for (int32_t variant = 0; variant < ct_variant_count(); variant++) {
        int wanted = !named && variant > 0;
        for (int i = named ? named : count; i < count; i++) wanted |= !strcmp(arguments[i], ct_variant_name(variant));
        if (!wanted || !ct_variant_runs(variant)) continue;
        products(variant, 3840, 10240, 288);
        products(variant, 3840, 3840, 1056);
        products(variant, 10240, 3840, 288);
        for (int32_t rounds = 0; rounds < 2; rounds++) {
            convolutions(variant, 512, 64, 512, rounds);
            convolutions(variant, 256, 128, 256, rounds);
            convolutions(variant, 128, 256, 128, rounds);
            attentions(variant, 128, 30, 288, rounds);
            attentions(variant, 128, 30, 1056, rounds);
            lines(variant, 768, 500, 11, 3, rounds);
            lines(variant, 384, 1500, 7, 5, rounds);
            lines(variant, 96, 6000, 11, 1, rounds);
            lines(variant, 24, 24000, 3, 5, rounds);
        }
        snakes(variant, 768, 500);
        snakes(variant, 24, 24000);
    }
    return 0;
}
