// Float PCM → resampler → FIFO (codecs want frames of a fixed length) → codec → muxer → memory.
#include <libavcodec/avcodec.h>
#include <libavutil/audio_fifo.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <stdio.h>

#include "memory_io.h"

struct cff_encoder {
    AVFormatContext *mux;
    AVCodecContext *codec;
    SwrContext *swr;
    AVAudioFifo *fifo;
    AVPacket *packet;
    cff_sink sink;
    int64_t pts;
    int header_written, finished;
};

/// The rate of the codec that loses nothing: the same, else the lowest above, else the highest.
static int choose_rate(const AVCodec *codec, int wanted) {
    if (!codec->supported_samplerates) return wanted;
    int above = 0, highest = 0;
    for (const int *rate = codec->supported_samplerates; *rate; rate++) {
        if (*rate == wanted) return wanted;
        if (*rate > wanted && (!above || *rate < above)) above = *rate;
        if (*rate > highest) highest = *rate;
    }
    return above ? above : highest;
}

int cff_encoder_rate(const char *name, int sample_rate) {
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    return codec ? choose_rate(codec, sample_rate) : sample_rate;
}

static int open_codec(cff_encoder *e, const cff_encoder_options *options, char *error) {
    const AVCodec *codec = avcodec_find_encoder_by_name(options->codec);
    if (!codec) {
        snprintf(error, CFF_ERROR_SIZE, "this FFmpeg has no encoder %s", options->codec);
        return AVERROR_ENCODER_NOT_FOUND;
    }
    e->codec = avcodec_alloc_context3(codec);
    if (!e->codec) return cff_fail(error, "codec", AVERROR(ENOMEM));
    av_channel_layout_default(&e->codec->ch_layout, options->channels);
    e->codec->sample_rate = choose_rate(codec, options->sample_rate);
    e->codec->sample_fmt = codec->sample_fmts ? codec->sample_fmts[0] : AV_SAMPLE_FMT_S16;
    e->codec->bit_rate = options->bit_rate;
    e->codec->time_base = (AVRational){1, e->codec->sample_rate};
    e->codec->thread_count = 1;
    e->codec->flags |= AV_CODEC_FLAG_BITEXACT;
    if (e->mux->oformat->flags & AVFMT_GLOBALHEADER) e->codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    int code = avcodec_open2(e->codec, codec, NULL);
    return code < 0 ? cff_fail(error, "opening the encoder", code) : 0;
}

static int open_muxer(cff_encoder *e, const cff_encoder_options *options, char *error) {
    AVStream *stream = avformat_new_stream(e->mux, NULL);
    if (!stream) return cff_fail(error, "muxer", AVERROR(ENOMEM));
    int code = avcodec_parameters_from_context(stream->codecpar, e->codec);
    if (code < 0) return cff_fail(error, "muxer", code);
    stream->time_base = e->codec->time_base;
    // FLAC leaves 8 kB of room for names by default, which a listener would wait for.
    e->mux->metadata_header_padding = 0;
    AVDictionary *settings = NULL;
    // Ogg gathers a second of sound in a page by default; a listener should not wait for that.
    if (options->streaming) av_dict_set(&settings, "page_duration", "100000", 0);
    code = avformat_write_header(e->mux, &settings);
    av_dict_free(&settings);
    if (code < 0) return cff_fail(error, "writing the header", code);
    e->header_written = 1;
    return 0;
}

static int open_resampler(cff_encoder *e, const cff_encoder_options *options, char *error) {
    AVChannelLayout layout;
    av_channel_layout_default(&layout, options->channels);
    int code = swr_alloc_set_opts2(&e->swr, &e->codec->ch_layout, e->codec->sample_fmt, e->codec->sample_rate, &layout,
                                   AV_SAMPLE_FMT_FLT, options->sample_rate, 0, NULL);
    if (code >= 0) code = swr_init(e->swr);
    av_channel_layout_uninit(&layout);
    if (code < 0) return cff_fail(error, "resampler", code);
    e->fifo = av_audio_fifo_alloc(e->codec->sample_fmt, e->codec->ch_layout.nb_channels, 4096);
    return e->fifo ? 0 : cff_fail(error, "sample queue", AVERROR(ENOMEM));
}

cff_encoder *cff_encoder_open(const cff_encoder_options *options, char *error) {
    cff_encoder *e = av_mallocz(sizeof *e);
    if (!e) {
        cff_fail(error, "encoder", AVERROR(ENOMEM));
        return NULL;
    }
    int code = avformat_alloc_output_context2(&e->mux, NULL, options->muxer, NULL);
    if (code < 0) {
        cff_fail(error, "muxer", code);
        goto fail;
    }
    e->mux->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    e->mux->pb = cff_sink_open(&e->sink, !options->streaming);
    e->packet = av_packet_alloc();
    if (!e->mux->pb || !e->packet) {
        cff_fail(error, "encoder", AVERROR(ENOMEM));
        goto fail;
    }
    if (open_codec(e, options, error) < 0 || open_resampler(e, options, error) < 0 || open_muxer(e, options, error) < 0) goto fail;
    return e;
fail:
    cff_encoder_free(e);
    return NULL;
}

static int write_packets(cff_encoder *e, char *error) {
    for (;;) {
        int code = avcodec_receive_packet(e->codec, e->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return 0;
        if (code < 0) return cff_fail(error, "encoding", code);
        AVStream *stream = e->mux->streams[0];
        av_packet_rescale_ts(e->packet, e->codec->time_base, stream->time_base);
        e->packet->stream_index = stream->index;
        code = av_write_frame(e->mux, e->packet);
        av_packet_unref(e->packet);
        if (code < 0) return cff_fail(error, "writing", code);
    }
}

static int send_frame(cff_encoder *e, int count, char *error) {
    AVFrame *frame = av_frame_alloc();
    if (!frame) return cff_fail(error, "frame", AVERROR(ENOMEM));
    frame->nb_samples = count;
    frame->format = e->codec->sample_fmt;
    frame->sample_rate = e->codec->sample_rate;
    int code = av_channel_layout_copy(&frame->ch_layout, &e->codec->ch_layout);
    if (code >= 0) code = av_frame_get_buffer(frame, 0);
    if (code >= 0) code = av_audio_fifo_read(e->fifo, (void **)frame->extended_data, count);
    if (code >= 0) {
        frame->pts = e->pts;
        e->pts += count;
        code = avcodec_send_frame(e->codec, frame);
    }
    av_frame_free(&frame);
    return code < 0 ? cff_fail(error, "encoding", code) : write_packets(e, error);
}

/// Converts into the FIFO; `samples` NULL takes what the resampler still holds.
static int queue_samples(cff_encoder *e, const float *samples, int frames, char *error) {
    int room = swr_get_out_samples(e->swr, frames);
    if (room <= 0) return room < 0 ? cff_fail(error, "resampling", room) : 0;
    uint8_t **converted = NULL;
    int code = av_samples_alloc_array_and_samples(&converted, NULL, e->codec->ch_layout.nb_channels, room, e->codec->sample_fmt, 0);
    if (code < 0) return cff_fail(error, "resampling", code);
    const uint8_t *input[1] = {(const uint8_t *)samples};
    code = swr_convert(e->swr, converted, room, samples ? input : NULL, frames);
    if (code > 0) {
        int count = code;
        code = av_audio_fifo_write(e->fifo, (void **)converted, count);
        if (code >= 0 && code < count) code = AVERROR(ENOMEM);
    }
    av_freep(&converted[0]);
    av_freep(&converted);
    return code < 0 ? cff_fail(error, "resampling", code) : 0;
}

static int encode_queued(cff_encoder *e, int all, char *error) {
    int frame_size = e->codec->frame_size > 0 ? e->codec->frame_size : 4096;
    for (;;) {
        int queued = av_audio_fifo_size(e->fifo);
        if (queued == 0 || (queued < frame_size && !all)) return 0;
        int code = send_frame(e, queued < frame_size ? queued : frame_size, error);
        if (code < 0) return code;
    }
}

int cff_encoder_push(cff_encoder *e, const float *samples, int frames, char *error) {
    if (e->finished) return cff_fail(error, "pushing after the end", AVERROR(EINVAL));
    if (frames <= 0) return 0;
    int code = queue_samples(e, samples, frames, error);
    if (code >= 0) code = encode_queued(e, 0, error);
    if (code >= 0) avio_flush(e->mux->pb);
    return code;
}

int cff_encoder_finish(cff_encoder *e, char *error) {
    if (e->finished) return 0;
    e->finished = 1;
    int code = queue_samples(e, NULL, 0, error);
    if (code >= 0) code = encode_queued(e, 1, error);
    if (code < 0) return code;
    code = avcodec_send_frame(e->codec, NULL);
    if (code < 0) return cff_fail(error, "ending the stream", code);
    code = write_packets(e, error);
    if (code < 0) return code;
    code = av_write_trailer(e->mux);
    if (code < 0) return cff_fail(error, "writing the end", code);
    avio_flush(e->mux->pb);
    return e->mux->pb->error < 0 ? cff_fail(error, "writing", e->mux->pb->error) : 0;
}

const uint8_t *cff_encoder_bytes(const cff_encoder *e, size_t *size) {
    *size = e->sink.size;
    return e->sink.data;
}

void cff_encoder_drained(cff_encoder *e) { e->sink.size = e->sink.position = 0; }

void cff_encoder_free(cff_encoder *e) {
    if (!e) return;
    // A muxer that has begun keeps memory of its own until its trailer is written.
    if (e->header_written && !e->finished) av_write_trailer(e->mux);
    av_packet_free(&e->packet);
    if (e->fifo) av_audio_fifo_free(e->fifo);
    swr_free(&e->swr);
    avcodec_free_context(&e->codec);
    if (e->mux) {
        cff_io_close(&e->mux->pb);
        avformat_free_context(e->mux);
    }
    av_free(e->sink.data);
    av_free(e);
}
