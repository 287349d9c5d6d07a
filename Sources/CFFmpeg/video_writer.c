// RGB pictures → yuv420p in BT.709, or RGB where nothing may be lost → codec → muxer → file, one picture at a time.
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory_io.h"
#include "pixels.h"

struct cff_video_writer {
    char *url;
    AVFormatContext *mux;
    AVCodecContext *codec;
    struct SwsContext *sws;
    AVFrame *rgb, *coded;
    AVPacket *packet;
    int64_t pts, most_bytes;
    int width, height;
    /// `created`: there is a file of ours; `draining`: no more pictures come; `finished`: it is whole.
    int created, draining, finished;
};

static const char URL_SCHEME[] = "file:";

int cff_has_encoder(const char *name) { return avcodec_find_encoder_by_name(name) != NULL; }

/// Settings of the encoder for a quality of 1…100: each has its own scale, and some know of a bit rate only.
static void set_quality(AVCodecContext *context, AVDictionary **settings, const cff_video_options *options) {
    double coarse = (100 - options->quality) / 100.0;
    if (!strncmp(options->encoder, "libx264", 7)) {
        av_dict_set(settings, "preset", "fast", 0);
        // Frames that wait for a decision are memory; 250 are allowed by default for some presets.
        av_dict_set(settings, "rc-lookahead", "16", 0);
        // Threads share one picture and are done with it when the call returns: none computes while others have the cores.
        av_dict_set(settings, "x264-params", "sliced-threads=1:sync-lookahead=0", 0);
        if (options->lossless) av_dict_set(settings, "qp", "0", 0);
        else av_dict_set_int(settings, "crf", (int)(10 + 30 * coarse + 0.5), 0);
        // With x264's tree (build 164, AVX-512) the same frames do not always give the same file.
        av_dict_set(settings, "mbtree", "0", 0);
    } else if (!strncmp(options->encoder, "libvpx", 6)) {
        av_dict_set(settings, "deadline", "good", 0);
        av_dict_set(settings, "cpu-used", "4", 0);
        av_dict_set(settings, "lag-in-frames", "16", 0);
        if (options->lossless) av_dict_set(settings, "lossless", "1", 0);
        else av_dict_set_int(settings, "crf", (int)(8 + 50 * coarse + 0.5), 0);
        // VP9 takes 0 as "no limit"; VP8 needs a ceiling that is never reached.
        context->bit_rate = strcmp(options->encoder, "libvpx") ? 0 : (int64_t)options->width * options->height * options->rate / options->per;
    } else if (!strcmp(options->encoder, "mpeg4")) {
        context->flags |= AV_CODEC_FLAG_QSCALE;
        context->global_quality = FF_QP2LAMBDA * (int)(1 + 15 * coarse + 0.5);
    } else {
        double bits_per_pixel = 0.4 - 0.35 * coarse;
        context->bit_rate = (int64_t)(bits_per_pixel * options->width * options->height * options->rate / options->per);
    }
}

/// What the encoder is given: of RGB each takes its own order.
static enum AVPixelFormat pixel_format(const cff_video_options *options) {
    if (!options->lossless) return AV_PIX_FMT_YUV420P;
    return strcmp(options->encoder, "libx264rgb") ? AV_PIX_FMT_GBRP : AV_PIX_FMT_RGB24;
}

static int open_codec(cff_video_writer *w, const cff_video_options *options, char *error) {
    const AVCodec *codec = avcodec_find_encoder_by_name(options->encoder);
    if (!codec) {
        snprintf(error, CFF_ERROR_SIZE, "this FFmpeg has no encoder %s", options->encoder);
        return AVERROR_ENCODER_NOT_FOUND;
    }
    w->codec = avcodec_alloc_context3(codec);
    if (!w->codec) return cff_fail(error, "encoder", AVERROR(ENOMEM));
    w->codec->width = options->lossless ? options->width : options->width & ~1;
    w->codec->height = options->lossless ? options->height : options->height & ~1;
    w->codec->pix_fmt = pixel_format(options);
    w->codec->time_base = (AVRational){options->per, options->rate};
    w->codec->framerate = (AVRational){options->rate, options->per};
    w->codec->sample_aspect_ratio = (AVRational){1, 1};
    w->codec->color_range = options->lossless ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    w->codec->colorspace = options->lossless ? AVCOL_SPC_RGB : AVCOL_SPC_BT709;
    w->codec->color_primaries = AVCOL_PRI_BT709;
    w->codec->color_trc = AVCOL_TRC_BT709;
    w->codec->thread_count = options->threads;
    // A key frame every two seconds, so that players can jump.
    w->codec->gop_size = (2 * options->rate + options->per - 1) / options->per;
    w->codec->flags |= AV_CODEC_FLAG_BITEXACT;
    if (w->mux->oformat->flags & AVFMT_GLOBALHEADER) w->codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    AVDictionary *settings = NULL;
    set_quality(w->codec, &settings, options);
    int code = avcodec_open2(w->codec, codec, &settings);
    av_dict_free(&settings);
    return code < 0 ? cff_fail(error, "opening the encoder", code) : 0;
}

static int open_converter(cff_video_writer *w, char *error) {
    int width = w->codec->width, height = w->codec->height;
    w->sws = sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, w->codec->pix_fmt, CFF_SCALE_FLAGS, NULL, NULL, NULL);
    w->rgb = cff_new_frame(width, height, AV_PIX_FMT_RGB24);
    w->coded = cff_new_frame(width, height, w->codec->pix_fmt);
    w->packet = av_packet_alloc();
    if (!w->sws || !w->rgb || !w->coded || !w->packet) return cff_fail(error, "encoder", AVERROR(ENOMEM));
    w->coded->color_range = w->codec->color_range;
    w->coded->colorspace = w->codec->colorspace;
    w->coded->color_primaries = w->codec->color_primaries;
    w->coded->color_trc = w->codec->color_trc;
    if (w->codec->colorspace == AVCOL_SPC_RGB) return 0;
    const int *matrix = sws_getCoefficients(SWS_CS_ITU709);
    int code = sws_setColorspaceDetails(w->sws, matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16);
    return code < 0 ? cff_fail(error, "converting colours", AVERROR(EINVAL)) : 0;
}

static int open_file(cff_video_writer *w, const cff_video_options *options, char *error) {
    AVStream *stream = avformat_new_stream(w->mux, NULL);
    if (!stream) return cff_fail(error, "muxer", AVERROR(ENOMEM));
    int code = avcodec_parameters_from_context(stream->codecpar, w->codec);
    if (code < 0) return cff_fail(error, "muxer", code);
    stream->time_base = w->codec->time_base;
    stream->avg_frame_rate = w->codec->framerate;
    code = avio_open(&w->mux->pb, w->url, AVIO_FLAG_WRITE);
    if (code < 0) return cff_fail(error, "making the file", code);
    w->created = 1;
    AVDictionary *settings = NULL;
    // The index comes first, so that a player can begin before it has everything.
    if (!strcmp(options->muxer, "mp4")) av_dict_set(&settings, "movflags", "+faststart", 0);
    else av_dict_set(&settings, "cues_to_front", "1", 0);
    code = avformat_write_header(w->mux, &settings);
    av_dict_free(&settings);
    return code < 0 ? cff_fail(error, "writing the header", code) : 0;
}

int cff_video_writer_open(const char *path, const cff_video_options *options, cff_video_writer **writer, char *error) {
    cff_video_writer *w = av_mallocz(sizeof *w);
    if (!w) return cff_fail(error, "encoder", AVERROR(ENOMEM));
    w->width = options->width;
    w->height = options->height;
    w->most_bytes = options->most_bytes;
    w->url = av_asprintf("%s%s", URL_SCHEME, path);
    int code = w->url ? avformat_alloc_output_context2(&w->mux, NULL, options->muxer, w->url) : AVERROR(ENOMEM);
    if (code < 0) cff_fail(error, "muxer", code);
    else w->mux->flags |= AVFMT_FLAG_BITEXACT;
    if (code >= 0) code = open_codec(w, options, error);
    if (code >= 0) code = open_converter(w, error);
    if (code >= 0) code = open_file(w, options, error);
    if (code < 0) {
        cff_video_writer_free(w);
        return code;
    }
    *writer = w;
    return 0;
}

/// What went wrong with the file since it was opened, if anything did: the muxer's own results don't always say.
static int file_state(cff_video_writer *w, char *error) {
    avio_flush(w->mux->pb);
    if (w->mux->pb->error < 0) return cff_fail(error, "writing the file", w->mux->pb->error);
    int64_t size = avio_size(w->mux->pb);
    if (w->most_bytes > 0 && size > w->most_bytes) {
        snprintf(error, CFF_ERROR_SIZE, "the file passes its limit of %lld bytes", (long long)w->most_bytes);
        return AVERROR(ENOSPC);
    }
    return 0;
}

/// 1 when a packet was written, 0 when the encoder has none.
static int write_packet(cff_video_writer *w, char *error) {
    AVStream *stream = w->mux->streams[0];
    int code = avcodec_receive_packet(w->codec, w->packet);
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return 0;
    if (code < 0) return cff_fail(error, "encoding", code);
    // Without it the last frame would be shown for no time.
    if (w->packet->duration <= 0) w->packet->duration = 1;
    av_packet_rescale_ts(w->packet, w->codec->time_base, stream->time_base);
    w->packet->stream_index = stream->index;
    code = av_write_frame(w->mux, w->packet);
    av_packet_unref(w->packet);
    if (code < 0) return cff_fail(error, "writing the file", code);
    code = file_state(w, error);
    return code < 0 ? code : 1;
}

int cff_video_writer_push(cff_video_writer *w, const uint8_t *pixels, char *error) {
    if (w->draining) return cff_fail(error, "a frame after the end", AVERROR(EINVAL));
    size_t row = (size_t)w->codec->width * 3;
    for (int y = 0; y < w->codec->height; y++) {
        memcpy(w->rgb->data[0] + (ptrdiff_t)y * w->rgb->linesize[0], pixels + (size_t)y * (size_t)w->width * 3, row);
    }
    // The encoder may still hold the last frame's memory.
    int code = av_frame_make_writable(w->coded);
    if (code < 0) return cff_fail(error, "encoding", code);
    code = sws_scale(w->sws, (const uint8_t *const *)w->rgb->data, w->rgb->linesize, 0, w->codec->height, w->coded->data, w->coded->linesize);
    if (code < 0) return cff_fail(error, "converting pixels", code);
    w->coded->pts = w->pts++;
    w->coded->quality = w->codec->global_quality;
    code = avcodec_send_frame(w->codec, w->coded);
    if (code < 0) return cff_fail(error, "encoding", code);
    while ((code = write_packet(w, error)) > 0) continue;
    return code;
}

int cff_video_writer_drain(cff_video_writer *w, char *error) {
    if (!w->draining) {
        int code = avcodec_send_frame(w->codec, NULL);
        if (code < 0) return cff_fail(error, "encoding", code);
        w->draining = 1;
    }
    return write_packet(w, error);
}

int cff_video_writer_finish(cff_video_writer *w, int64_t *bytes, char *error) {
    if (w->finished) return cff_fail(error, "a second end", AVERROR(EINVAL));
    int code;
    while ((code = cff_video_writer_drain(w, error)) > 0) continue;
    if (code < 0) return code;
    code = av_write_trailer(w->mux);
    if (code < 0) return cff_fail(error, "completing the file", code);
    code = file_state(w, error);
    if (code < 0) return code;
    *bytes = avio_size(w->mux->pb);
    code = avio_closep(&w->mux->pb);
    if (code < 0) return cff_fail(error, "completing the file", code);
    w->finished = 1;
    return 0;
}

void cff_video_writer_free(cff_video_writer *w) {
    if (!w) return;
    if (w->mux) avio_closep(&w->mux->pb);
    avformat_free_context(w->mux);
    avcodec_free_context(&w->codec);
    sws_freeContext(w->sws);
    av_frame_free(&w->rgb);
    av_frame_free(&w->coded);
    av_packet_free(&w->packet);
    if (w->created && !w->finished) {
        // A device stays where it is.
        struct stat status;
        const char *path = w->url + strlen(URL_SCHEME);
        if (lstat(path, &status) == 0 && S_ISREG(status.st_mode)) unlink(path);
    }
    av_free(w->url);
    av_free(w);
}
