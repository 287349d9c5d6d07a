// Memory → demuxer → codec → interleaved float, one frame at a time, so that the caller can stop when a limit is passed.
#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <stdio.h>

#include "memory_io.h"

/// Sound containers only: playlists and the like can name other files and hosts.
static const char *const CONTAINERS = "wav,w64,aiff,mp3,ogg,flac,aac,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm";
/// More undecodable packets than this in a row and the file counts as broken.
enum { MOST_BAD_PACKETS = 64 };

struct cff_decoder {
    cff_source source;
    AVIOContext *io;
    AVFormatContext *demux;
    AVCodecContext *codec;
    SwrContext *swr;
    AVPacket *packet;
    AVFrame *frame;
    float *samples;
    unsigned samples_size;
    int stream, channels, rate, draining, bad_packets;
    /// Hz of what is given out, mixed to one channel; 0: as the file has it.
    int mono_rate, flushed;
};

static int open_demuxer(cff_decoder *d, char *error) {
    d->io = cff_source_open(&d->source);
    d->demux = avformat_alloc_context();
    if (!d->io || !d->demux) return cff_fail(error, "decoder", AVERROR(ENOMEM));
    d->demux->pb = d->io;
    d->demux->flags |= AVFMT_FLAG_CUSTOM_IO;
    d->demux->format_whitelist = av_strdup(CONTAINERS);
    d->demux->protocol_whitelist = av_strdup("none");
    if (!d->demux->format_whitelist || !d->demux->protocol_whitelist) return cff_fail(error, "decoder", AVERROR(ENOMEM));
    int code = avformat_open_input(&d->demux, NULL, NULL, NULL);
    if (code < 0) return cff_fail(error, "not a sound file that can be read", code);
    code = avformat_find_stream_info(d->demux, NULL);
    if (code < 0) return cff_fail(error, "no sound found in it", code);
    return 0;
}

static int open_codec(cff_decoder *d, cff_audio_info *info, char *error) {
    const AVCodec *codec = NULL;
    d->stream = av_find_best_stream(d->demux, AVMEDIA_TYPE_AUDIO, -1, -1, &codec, 0);
    if (d->stream < 0) return cff_fail(error, "no sound track in it", d->stream);
    for (unsigned i = 0; i < d->demux->nb_streams; i++) {
        if ((int)i != d->stream) d->demux->streams[i]->discard = AVDISCARD_ALL;
    }
    AVStream *stream = d->demux->streams[d->stream];
    d->codec = avcodec_alloc_context3(codec);
    d->packet = av_packet_alloc();
    d->frame = av_frame_alloc();
    if (!d->codec || !d->packet || !d->frame) return cff_fail(error, "decoder", AVERROR(ENOMEM));
    int code = avcodec_parameters_to_context(d->codec, stream->codecpar);
    if (code < 0) return cff_fail(error, "decoder", code);
    d->codec->thread_count = 1;
    d->codec->pkt_timebase = stream->time_base;
    d->codec->max_samples = 1 << 22;
    code = avcodec_open2(d->codec, codec, NULL);
    if (code < 0) return cff_fail(error, "its codec cannot be decoded", code);
    d->rate = d->codec->sample_rate;
    d->channels = d->codec->ch_layout.nb_channels;
    if (d->rate <= 0 || d->channels <= 0) return cff_fail(error, "its format is not stated", AVERROR_INVALIDDATA);
    info->sample_rate = d->rate;
    info->channels = d->channels;
    info->codec = codec->name;
    info->seconds = d->demux->duration == AV_NOPTS_VALUE ? -1 : (double)d->demux->duration / AV_TIME_BASE;
    return 0;
}

cff_decoder *cff_decoder_open(const uint8_t *data, size_t size, cff_audio_info *info, char *error) {
    cff_decoder *d = av_mallocz(sizeof *d);
    if (!d) {
        cff_fail(error, "decoder", AVERROR(ENOMEM));
        return NULL;
    }
    d->source = (cff_source){data, size, 0};
    if (open_demuxer(d, error) < 0 || open_codec(d, info, error) < 0) {
        cff_decoder_free(d);
        return NULL;
    }
    return d;
}

static int open_converter(cff_decoder *d, char *error) {
    AVChannelLayout out = {0};
    av_channel_layout_default(&out, d->channels);
    AVChannelLayout in = {0};
    int code = d->frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC ? av_channel_layout_copy(&in, &out)
                                                                     : av_channel_layout_copy(&in, &d->frame->ch_layout);
    if (code >= 0) {
        // The same layout on both sides: channels keep their order, and mixing them is the caller's business.
        AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
        code = swr_alloc_set_opts2(&d->swr, d->mono_rate ? &mono : &in, AV_SAMPLE_FMT_FLT, d->mono_rate ? d->mono_rate : d->rate, &in,
                                   d->frame->format, d->rate, 0, NULL);
    }
    if (code >= 0) code = swr_init(d->swr);
    av_channel_layout_uninit(&in);
    av_channel_layout_uninit(&out);
    return code < 0 ? cff_fail(error, "converting its samples", code) : 0;
}

static int convert(cff_decoder *d, const uint8_t **in, int count, const float **samples, char *error) {
    int room = d->mono_rate ? swr_get_out_samples(d->swr, count) : count;
    if (room < 0) return cff_fail(error, "converting its samples", room);
    size_t bytes = (size_t)room * (size_t)(d->mono_rate ? 1 : d->channels) * sizeof(float);
    av_fast_malloc(&d->samples, &d->samples_size, bytes + 64);
    if (!d->samples) return cff_fail(error, "decoder", AVERROR(ENOMEM));
    uint8_t *out[1] = {(uint8_t *)d->samples};
    int converted = swr_convert(d->swr, out, room, in, count);
    if (converted < 0) return cff_fail(error, "converting its samples", converted);
    *samples = d->samples;
    return converted;
}

static int convert_frame(cff_decoder *d, const float **samples, char *error) {
    if (d->frame->ch_layout.nb_channels != d->channels || d->frame->sample_rate != d->rate) {
        return cff_fail(error, "its format changes midway", AVERROR_INVALIDDATA);
    }
    if (!d->swr && open_converter(d, error) < 0) return AVERROR_INVALIDDATA;
    return convert(d, (const uint8_t **)d->frame->extended_data, d->frame->nb_samples, samples, error);
}

/// What the converter still holds, once the codec has no more; 0 when that is nothing.
static int flush(cff_decoder *d, const float **samples, char *error) {
    if (!d->mono_rate || !d->swr || d->flushed) return 0;
    d->flushed = 1;
    return convert(d, NULL, 0, samples, error);
}

/// Hands the codec its next packet of our track, or the end.
static int feed(cff_decoder *d, char *error) {
    for (;;) {
        int code = av_read_frame(d->demux, d->packet);
        if (code < 0) {
            d->draining = 1;
            return avcodec_send_packet(d->codec, NULL);
        }
        if (d->packet->stream_index != d->stream) {
            av_packet_unref(d->packet);
            continue;
        }
        code = avcodec_send_packet(d->codec, d->packet);
        av_packet_unref(d->packet);
        if (code >= 0) {
            d->bad_packets = 0;
            return 0;
        }
        if (++d->bad_packets > MOST_BAD_PACKETS) return cff_fail(error, "it is damaged", code);
    }
}

void cff_decoder_mix(cff_decoder *d, int rate) { d->mono_rate = rate; }

int cff_decoder_next(cff_decoder *d, const float **samples, char *error) {
    for (;;) {
        int code = avcodec_receive_frame(d->codec, d->frame);
        if (code >= 0) {
            int count = convert_frame(d, samples, error);
            av_frame_unref(d->frame);
            if (count != 0) return count;
            continue;
        }
        if (code == AVERROR_EOF) return flush(d, samples, error);
        if (code != AVERROR(EAGAIN)) {
            if (++d->bad_packets > MOST_BAD_PACKETS) return cff_fail(error, "it is damaged", code);
            if (d->draining) return flush(d, samples, error);
        }
        code = feed(d, error);
        if (code < 0 && code != AVERROR_EOF) return code;
    }
}

void cff_decoder_free(cff_decoder *d) {
    if (!d) return;
    av_free(d->samples);
    swr_free(&d->swr);
    av_frame_free(&d->frame);
    av_packet_free(&d->packet);
    avcodec_free_context(&d->codec);
    // Frees the context, not the custom IO.
    avformat_close_input(&d->demux);
    cff_io_close(&d->io);
    av_free(d);
}
