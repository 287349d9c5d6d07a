// File → demuxer → codec → RGB, one frame at a time.
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/imgutils.h>
#include <math.h>
#include <stdio.h>

#include "memory_io.h"
#include "pixels.h"

/// Video containers only: playlists and the like can name other files and hosts.
static const char *const CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm";
enum { MOST_BAD_PACKETS = 64 };

struct cff_video_reader {
    AVFormatContext *demux;
    AVCodecContext *codec;
    struct SwsContext *sws;
    AVFrame *frame, *rgb;
    AVPacket *packet;
    /// Frames that end before this are passed over, in the stream's time base.
    int64_t wanted;
    int stream, draining, bad_packets;
};

static int open_demuxer(cff_video_reader *r, const char *path, char *error) {
    char *url = av_asprintf("file:%s", path);
    r->demux = avformat_alloc_context();
    if (!url || !r->demux) {
        av_free(url);
        return cff_fail(error, "reader", AVERROR(ENOMEM));
    }
    r->demux->format_whitelist = av_strdup(CONTAINERS);
    r->demux->protocol_whitelist = av_strdup("file");
    int code = r->demux->format_whitelist && r->demux->protocol_whitelist ? avformat_open_input(&r->demux, url, NULL, NULL) : AVERROR(ENOMEM);
    av_free(url);
    if (code < 0) return cff_fail(error, "not a video that can be read", code);
    code = avformat_find_stream_info(r->demux, NULL);
    return code < 0 ? cff_fail(error, "no video found in it", code) : 0;
}

static int open_codec(cff_video_reader *r, int64_t max_pixels, char *error) {
    const AVCodec *codec = NULL;
    r->stream = av_find_best_stream(r->demux, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (r->stream < 0) return cff_fail(error, "no video track in it", r->stream);
    for (unsigned i = 0; i < r->demux->nb_streams; i++) {
        if ((int)i != r->stream) r->demux->streams[i]->discard = AVDISCARD_ALL;
    }
    r->codec = avcodec_alloc_context3(codec);
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
    if (!r->codec || !r->packet || !r->frame) return cff_fail(error, "reader", AVERROR(ENOMEM));
    AVStream *stream = r->demux->streams[r->stream];
    int code = avcodec_parameters_to_context(r->codec, stream->codecpar);
    if (code < 0) return cff_fail(error, "reader", code);
    r->codec->thread_count = 1;
    r->codec->pkt_timebase = stream->time_base;
    r->codec->max_pixels = max_pixels;
    code = avcodec_open2(r->codec, codec, NULL);
    if (code < 0) return cff_fail(error, "its codec cannot be decoded", code);
    if (r->codec->width <= 0 || r->codec->height <= 0) return cff_fail(error, "its size is not stated", AVERROR_INVALIDDATA);
    if ((int64_t)r->codec->width * r->codec->height > max_pixels) return cff_fail(error, "its frames are too large", AVERROR_INVALIDDATA);
    return 0;
}

/// Frames that a container says nothing of, by going through it once.
static int64_t count_frames(cff_video_reader *r) {
    int64_t frames = 0;
    while (av_read_frame(r->demux, r->packet) >= 0) {
        if (r->packet->stream_index == r->stream) frames++;
        av_packet_unref(r->packet);
    }
    return av_seek_frame(r->demux, r->stream, 0, AVSEEK_FLAG_BACKWARD) < 0 ? -1 : frames;
}

int cff_video_reader_open(const char *path, int64_t max_pixels, cff_video_reader **reader, cff_video_info *info, char *error) {
    cff_video_reader *r = av_mallocz(sizeof *r);
    if (!r) return cff_fail(error, "reader", AVERROR(ENOMEM));
    r->wanted = INT64_MIN;
    int code = open_demuxer(r, path, error);
    if (code >= 0) code = open_codec(r, max_pixels, error);
    if (code < 0) {
        cff_video_reader_free(r);
        return code;
    }
    AVStream *stream = r->demux->streams[r->stream];
    AVRational rate = stream->avg_frame_rate.num > 0 ? stream->avg_frame_rate : stream->r_frame_rate;
    info->width = r->codec->width;
    info->height = r->codec->height;
    info->fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
    info->frames = stream->nb_frames > 0 ? stream->nb_frames : count_frames(r);
    info->seconds = stream->duration != AV_NOPTS_VALUE ? (double)stream->duration * av_q2d(stream->time_base)
                    : r->demux->duration != AV_NOPTS_VALUE ? (double)r->demux->duration / AV_TIME_BASE : 0;
    info->codec = r->codec->codec->name;
    *reader = r;
    return 0;
}

int cff_video_reader_seek(cff_video_reader *r, double seconds, char *error) {
    AVStream *stream = r->demux->streams[r->stream];
    int64_t start = stream->start_time == AV_NOPTS_VALUE ? 0 : stream->start_time;
    int64_t target = start + (int64_t)llround(seconds / av_q2d(stream->time_base));
    int code = av_seek_frame(r->demux, r->stream, target, AVSEEK_FLAG_BACKWARD);
    if (code < 0) return cff_fail(error, "moving within it", code);
    avcodec_flush_buffers(r->codec);
    r->draining = 0;
    r->wanted = target;
    return 0;
}

/// The matrix of a video's colours; videos that don't say have BT.601 when small, BT.709 from 720 rows on.
static int colour_matrix(const AVFrame *frame) {
    switch (frame->colorspace) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M: return SWS_CS_ITU601;
    case AVCOL_SPC_BT2020_NCL: return SWS_CS_BT2020;
    default: return frame->height >= 720 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    }
}

static int convert(cff_video_reader *r, const uint8_t **pixels, int *stride, char *error) {
    AVFrame *frame = r->frame;
    if (frame->width != r->codec->width || frame->height != r->codec->height) return cff_fail(error, "its size changes midway", AVERROR_INVALIDDATA);
    if (!r->rgb) r->rgb = cff_new_frame(frame->width, frame->height, AV_PIX_FMT_RGB24);
    r->sws = sws_getCachedContext(r->sws, frame->width, frame->height, frame->format, frame->width, frame->height, AV_PIX_FMT_RGB24, CFF_SCALE_FLAGS,
                                  NULL, NULL, NULL);
    if (!r->rgb || !r->sws || r->rgb->width != frame->width || r->rgb->height != frame->height) {
        return cff_fail(error, "converting pixels", AVERROR(EINVAL));
    }
    const int *matrix = sws_getCoefficients(colour_matrix(frame));
    sws_setColorspaceDetails(r->sws, matrix, frame->color_range == AVCOL_RANGE_JPEG, matrix, 1, 0, 1 << 16, 1 << 16);
    int code = sws_scale(r->sws, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, r->rgb->data, r->rgb->linesize);
    if (code < 0) return cff_fail(error, "converting pixels", code);
    *pixels = r->rgb->data[0];
    *stride = r->rgb->linesize[0];
    return 1;
}

/// Hands the codec its next packet of our track, or the end.
static int feed(cff_video_reader *r, char *error) {
    for (;;) {
        int code = av_read_frame(r->demux, r->packet);
        if (code < 0) {
            r->draining = 1;
            avcodec_send_packet(r->codec, NULL);
            return 0;
        }
        if (r->packet->stream_index == r->stream) {
            code = avcodec_send_packet(r->codec, r->packet);
            if (code >= 0) r->bad_packets = 0;
            else if (++r->bad_packets > MOST_BAD_PACKETS) {
                av_packet_unref(r->packet);
                return cff_fail(error, "it is damaged", code);
            }
        }
        av_packet_unref(r->packet);
        if (code >= 0) return 0;
    }
}

/// Whether the frame is over before the time that was sought.
static int is_before(const cff_video_reader *r) {
    if (r->wanted == INT64_MIN || r->frame->best_effort_timestamp == AV_NOPTS_VALUE) return 0;
    AVStream *stream = r->demux->streams[r->stream];
    double length = stream->avg_frame_rate.num > 0 ? 1 / av_q2d(stream->avg_frame_rate) / av_q2d(stream->time_base) : 1;
    return (double)r->frame->best_effort_timestamp + length <= (double)r->wanted;
}

int cff_video_reader_next(cff_video_reader *r, const uint8_t **pixels, int *stride, char *error) {
    for (;;) {
        int code = avcodec_receive_frame(r->codec, r->frame);
        if (code >= 0) {
            code = is_before(r) ? 0 : convert(r, pixels, stride, error);
            av_frame_unref(r->frame);
            if (code == 0) continue;
            r->wanted = INT64_MIN;
            return code;
        }
        if (code == AVERROR_EOF || r->draining) return 0;
        if (code != AVERROR(EAGAIN) && ++r->bad_packets > MOST_BAD_PACKETS) return cff_fail(error, "it is damaged", code);
        code = feed(r, error);
        if (code < 0) return code;
    }
}

void cff_video_reader_free(cff_video_reader *r) {
    if (!r) return;
    sws_freeContext(r->sws);
    av_frame_free(&r->rgb);
    av_frame_free(&r->frame);
    av_packet_free(&r->packet);
    avcodec_free_context(&r->codec);
    avformat_close_input(&r->demux);
    av_free(r);
}
