#include "CKernelReference.h"

#include <math.h>

void ckr_multiply(const ckr_product *p, const float *weights, const float *x, double *out, double *size) {
    for (int64_t row = 0; row < p->rows; row++) {
        const float *xs = x + row * p->inner;
        for (int64_t output = 0; output < p->outputs; output++) {
            const float *w = weights + output * p->inner;
            double sum = 0, whole = 0;
            for (int64_t first = 0; first < p->inner; first += p->block) {
                double part = 0, xsum = 0;
                float largest = 0;
                for (int64_t k = first; k < first + p->block; k++) {
                    part += (double)w[k] * (double)xs[k];
                    xsum += fabsf(xs[k]);
                    largest = fabsf(w[k]) > largest ? fabsf(w[k]) : largest;
                }
                sum += part;
                whole += largest * xsum;
            }
            out[row * p->outputs + output] = sum;
            size[row * p->outputs + output] = whole;
        }
    }
}

void ckr_spread(const ckr_product *p, const float *weights, const float *off, double *worst, double *variance) {
    for (int64_t row = 0; row < p->rows; row++) {
        const float *offs = off + row * p->inner;
        for (int64_t output = 0; output < p->outputs; output++) {
            const float *w = weights + output * p->inner;
            double sum = 0, squares = 0;
            for (int64_t k = 0; k < p->inner; k++) {
                double error = fabs((double)w[k]) * (double)offs[k];
                sum += error;
                squares += error * error;
            }
            worst[row * p->outputs + output] = sum;
            // An error spread evenly over -off ... off has a third of off's square for its variance.
            variance[row * p->outputs + output] = squares / 3;
        }
    }
}

ckr_verdict ckr_compare(const float *found, const double *wanted, const double *allowed, const double *variance, const int64_t *places, int64_t count) {
    ckr_verdict verdict = {0, 0, 0, 0};
    for (int64_t i = 0; i < count; i++) {
        int64_t place = places ? places[i] : i;
        double error = fabs((double)found[i] - wanted[place]);
        // Written so that what is no number fails.
        double ratio = error <= allowed[place] ? (allowed[place] > 0 ? error / allowed[place] : 0) : error / allowed[place];
        if (!isfinite(ratio)) ratio = INFINITY;
        if (ratio > verdict.worst) {
            verdict.worst = ratio;
            verdict.place = i;
        }
        verdict.squares += isfinite(error) ? error * error : 0;
        verdict.expected += variance ? variance[place] : 0;
    }
    return verdict;
}
