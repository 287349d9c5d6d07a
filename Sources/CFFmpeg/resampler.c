#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>

#include "memory_io.h"

struct cff_resampler {
    SwrContext *swr;
};

cff_resampler *cff_resampler_open(int from_rate, int to_rate, int channels, char *error) {
    cff_resampler *r = av_mallocz(sizeof *r);
    if (!r) {
        cff_fail(error, "resampler", AVERROR(ENOMEM));
        return NULL;
    }
    AVChannelLayout layout = {0};
    av_channel_layout_default(&layout, channels);
    int code = swr_alloc_set_opts2(&r->swr, &layout, AV_SAMPLE_FMT_FLT, to_rate, &layout, AV_SAMPLE_FMT_FLT, from_rate, 0, NULL);
    if (code >= 0) {
        av_opt_set_int(r->swr, "filter_size", 32, 0);
        av_opt_set_double(r->swr, "cutoff", 0.97, 0);
        code = swr_init(r->swr);
    }
    av_channel_layout_uninit(&layout);
    if (code < 0) {
        cff_fail(error, "resampler", code);
        cff_resampler_free(r);
        return NULL;
    }
    return r;
}

int cff_resampler_room(const cff_resampler *r, int frames) { return swr_get_out_samples(r->swr, frames) + 32; }

int cff_resampler_convert(cff_resampler *r, const float *samples, int frames, float *out, int room, char *error) {
    const uint8_t *input[1] = {(const uint8_t *)samples};
    uint8_t *output[1] = {(uint8_t *)out};
    int count = swr_convert(r->swr, output, room, samples ? input : NULL, samples ? frames : 0);
    return count < 0 ? cff_fail(error, "resampling", count) : count;
}

void cff_resampler_free(cff_resampler *r) {
    if (!r) return;
    swr_free(&r->swr);
    av_free(r);
}
