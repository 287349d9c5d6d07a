#include "CKernelReference.h"

#include <math.h>

/// One input of a convolution; zero outside of the frame and before what there is of the past.
static double input(const ckr_convolution *c, const float *x, const float *history, int32_t frame, int32_t row, int32_t column, int32_t channel) {
    int32_t scale = c->doubles ? 2 : 1;
    if (row < 0 || row >= scale * c->height || column < 0 || column >= scale * c->width || frame >= c->frames) return 0;
    const float *from = x;
    if (frame < 0) {
        if (frame + c->past < 0) return 0;
        from = history;
        frame = (frame + c->past + c->oldest) % c->past;
    }
    return from[(((int64_t)frame * c->height + row / scale) * c->width + column / scale) * c->channels + channel];
}

void ckr_convolve(const ckr_convolution *c, const float *x, const float *history, const float *kernel, const float *bias, double *out, double *size) {
    int32_t wide = c->dilation ? 1 : c->size, taps = c->size * wide * c->depth;
    for (int32_t frame = 0; frame < c->out_frames; frame++) for (int32_t row = 0; row < c->out_height; row++) for (int32_t column = 0; column < c->out_width; column++)
        for (int32_t output = 0; output < c->out_channels; output++) {
            double sum = bias[output], whole = fabs(sum);
            for (int32_t tap = 0; tap < taps; tap++) {
                int32_t time = tap / (c->size * wide), y = tap / wide % c->size, across = tap % wide;
                int32_t down = c->dilation ? row : row * c->stride + y - c->padding, over = c->dilation ? y * c->dilation - c->left : across - c->padding;
                for (int32_t channel = 0; channel < c->channels; channel++) {
                    double product = (double)kernel[((int64_t)output * c->channels + channel) * taps + tap]
                        * input(c, x, history, frame * c->time_stride + time - c->before, down, column * c->stride + over, channel);
                    sum += product;
                    whole += fabs(product);
                }
            }
            int64_t place = (((int64_t)frame * c->out_height + row) * c->out_width + column) * c->out_channels + output;
            out[place] = sum;
            size[place] = whole;
        }
}

void ckr_attend(const ckr_attention *a, const float *query, const float *keys, const float *values, const float *mask, double *scores, double *out, double *size) {
    for (int64_t row = 0; row < a->rows; row++) for (int64_t head = 0; head < a->heads; head++) {
        int64_t group = head / (a->heads / a->groups);
        double most = -INFINITY, sum = 0;
        for (int64_t key = 0; key < a->keys; key++) {
            double score = 0;
            for (int64_t i = 0; i < a->head; i++) score += (double)query[(row * a->heads + head) * a->head + i] * (double)keys[(key * a->groups + group) * a->head + i];
            score = score * a->scale + (mask ? mask[(head * a->rows + row) * a->keys + key] : 0);
            scores[key] = score;
            if (score > most) most = score;
        }
        for (int64_t key = 0; key < a->keys; key++) sum += scores[key] = exp(scores[key] - most);
        for (int64_t i = 0; i < a->head; i++) {
            double mean = 0, whole = 0;
            for (int64_t key = 0; key < a->keys; key++) {
                double value = values[(key * a->groups + group) * a->head + i];
                mean += scores[key] / sum * value;
                whole = fabs(value) > whole ? fabs(value) : whole;
            }
            out[(row * a->heads + head) * a->head + i] = mean;
            size[(row * a->heads + head) * a->head + i] = whole;
        }
    }
}

void ckr_normalize(const ckr_group_norm *n, const float *x, const float *weight, const float *bias, double *out, double *size) {
    int64_t each = n->channels / n->groups;
    for (int64_t group = 0; group < n->groups; group++) {
        double sum = 0, squares = 0;
        for (int64_t pixel = 0; pixel < n->pixels; pixel++)
            for (int64_t channel = group * each; channel < (group + 1) * each; channel++) sum += x[pixel * n->channels + channel];
        double mean = sum / (double)(each * n->pixels);
        for (int64_t pixel = 0; pixel < n->pixels; pixel++)
            for (int64_t channel = group * each; channel < (group + 1) * each; channel++) squares += pow(x[pixel * n->channels + channel] - mean, 2);
        double scale = 1 / sqrt(squares / (double)(each * n->pixels) + n->epsilon);
        for (int64_t pixel = 0; pixel < n->pixels; pixel++)
            for (int64_t channel = group * each; channel < (group + 1) * each; channel++) {
                double value = (x[pixel * n->channels + channel] - mean) * scale * weight[channel] + bias[channel];
                out[pixel * n->channels + channel] = n->activates ? value / (1 + exp(-value)) : value;
                size[pixel * n->channels + channel] = 1 + fabs(value);
            }
    }
}

void ckr_activate(const ckr_snake *s, const float *x, const float *frequency, const float *magnitude, double *waves, double *out, double *size) {
    for (int64_t channel = 0; channel < s->channels; channel++) {
        double most = 0;
        for (int64_t place = 0; place < 2 * s->length; place++) {
            double sum = 0;
            for (int64_t from = -8; from < s->length + 8; from++) {
                int64_t tap = place + 5 - 2 * from, held = from < 0 ? 0 : from >= s->length ? s->length - 1 : from;
                if (tap >= 0 && tap < 12) sum += 2 * (double)x[held * s->channels + channel] * (double)s->filter[tap];
            }
            waves[place] = sum + magnitude[channel] * pow(sin(sum * frequency[channel]), 2);
            most = fmax(most, fabs(waves[place]));
        }
        for (int64_t t = 0; t < s->length; t++) {
            double sum = 0;
            for (int64_t tap = 0; tap < 12; tap++) {
                int64_t place = 2 * t + tap - 5;
                sum += s->filter[tap] * waves[place < 0 ? 0 : place >= 2 * s->length ? 2 * s->length - 1 : place];
            }
            out[t * s->channels + channel] = sum;
            size[t * s->channels + channel] = most;
        }
    }
}

void ckr_modulate(int64_t rows, int64_t features, double epsilon, const float *x, const float *scale, const float *shift, const float *gate, const float *y, double *out,
                  double *size) {
    for (int64_t row = 0; row < rows; row++, x += features, y += features, out += features, size += features) {
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < features; i++) mean += x[i] / (double)features;
        for (int64_t i = 0; i < features; i++) variance += (x[i] - mean) * (x[i] - mean) / (double)features;
        for (int64_t i = 0; i < features; i++) {
            double normal = (x[i] - mean) / sqrt(variance + epsilon) * scale[i], value = normal + shift[i] + (double)gate[i] * y[i];
            out[i] = 0.5 * value * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (value + 0.044715 * value * value * value)));
            size[i] = 1 + fabs(normal) + fabs(shift[i]) + fabs((double)gate[i] * y[i]);
        }
    }
}
