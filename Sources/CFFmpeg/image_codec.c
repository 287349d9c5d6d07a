#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <string.h>

#include "memory_io.h"
#include "pixels.h"

static int convert(const AVFrame *from, AVFrame *to, char *error) {
    struct SwsContext *sws = sws_getContext(from->width, from->height, from->format, to->width, to->height, to->format, CFF_SCALE_FLAGS, NULL, NULL, NULL);
    if (!sws) return cff_fail(error, "converting pixels", AVERROR(EINVAL));
    int code = sws_scale(sws, (const uint8_t *const *)from->data, from->linesize, 0, from->height, to->data, to->linesize);
    sws_freeContext(sws);
    return code < 0 ? cff_fail(error, "converting pixels", code) : 0;
}

/// Copies the pixels of a packed frame without the gaps between rows.
static int take_pixels(const AVFrame *frame, int channels, cff_image *image, char *error) {
    int size = av_image_get_buffer_size(frame->format, frame->width, frame->height, 1);
    if (size <= 0) return cff_fail(error, "picture", size);
    uint8_t *pixels = av_malloc((size_t)size);
    if (!pixels) return cff_fail(error, "picture", AVERROR(ENOMEM));
    av_image_copy_to_buffer(pixels, size, (const uint8_t *const *)frame->data, frame->linesize, frame->format, frame->width, frame->height, 1);
    *image = (cff_image){pixels, frame->width, frame->height, channels};
    return 0;
}

static int decode_frame(const char *name, const uint8_t *data, size_t size, int64_t max_pixels, AVFrame *frame, char *error) {
    const AVCodec *codec = avcodec_find_decoder_by_name(name);
    if (!codec) {
        snprintf(error, CFF_ERROR_SIZE, "this FFmpeg has no decoder %s", name);
        return AVERROR_DECODER_NOT_FOUND;
    }
    AVCodecContext *context = avcodec_alloc_context3(codec);
    AVPacket *packet = av_packet_alloc();
    int code = context && packet ? av_new_packet(packet, (int)size) : AVERROR(ENOMEM);
    if (code >= 0) {
        memcpy(packet->data, data, size);
        packet->flags |= AV_PKT_FLAG_KEY;
        context->max_pixels = max_pixels;
        context->thread_count = 1;
        code = avcodec_open2(context, codec, NULL);
    }
    if (code >= 0) code = avcodec_send_packet(context, packet);
    if (code >= 0) code = avcodec_receive_frame(context, frame);
    if (code == AVERROR(EAGAIN)) {
        code = avcodec_send_packet(context, NULL);
        if (code >= 0) code = avcodec_receive_frame(context, frame);
    }
    if (code >= 0 && frame->decode_error_flags) code = AVERROR_INVALIDDATA;
    av_packet_free(&packet);
    avcodec_free_context(&context);
    return code < 0 ? cff_fail(error, "decoding", code) : 0;
}

int cff_image_decode(const char *name, const uint8_t *data, size_t size, int64_t max_pixels, cff_image *image, char *error) {
    if (size == 0 || size > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE) return cff_fail(error, "picture", AVERROR_INVALIDDATA);
    AVFrame *frame = av_frame_alloc(), *packed = NULL;
    int code = frame ? decode_frame(name, data, size, max_pixels, frame, error) : cff_fail(error, "picture", AVERROR(ENOMEM));
    if (code < 0) goto done;
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    int alpha = format && (format->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
    packed = cff_new_frame(frame->width, frame->height, alpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24);
    code = packed ? convert(frame, packed, error) : cff_fail(error, "picture", AVERROR(ENOMEM));
    if (code >= 0) code = take_pixels(packed, alpha ? 4 : 3, image, error);
done:
    av_frame_free(&packed);
    av_frame_free(&frame);
    return code;
}

static enum AVPixelFormat encoder_format(const cff_image_options *options, int channels) {
    if (!strcmp(options->encoder, "png")) return channels == 4 ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24;
    // From quality 90 on, colours keep their full resolution.
    if (!strcmp(options->encoder, "mjpeg")) return options->quality >= 90 ? AV_PIX_FMT_YUVJ444P : AV_PIX_FMT_YUVJ420P;
    if (options->lossless) return AV_PIX_FMT_RGB32;
    return channels == 4 ? AV_PIX_FMT_YUVA420P : AV_PIX_FMT_YUV420P;
}

/// The quantiser (1…31) whose tables are about as coarse as the IJG tables of `quality`.
static int jpeg_quantiser(int quality) {
    int percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    int quantiser = (percent * 8 + 50) / 100;
    return quantiser < 1 ? 1 : quantiser > 31 ? 31 : quantiser;
}

static int open_encoder(AVCodecContext *context, const AVCodec *codec, const cff_image_options *options, char *error) {
    AVDictionary *settings = NULL;
    if (!strcmp(options->encoder, "png")) {
        context->compression_level = options->compression;
        av_dict_set(&settings, "pred", options->compression > 0 ? "mixed" : "none", 0);
    } else if (!strcmp(options->encoder, "mjpeg")) {
        context->flags |= AV_CODEC_FLAG_QSCALE;
        context->qmin = 1;
        context->global_quality = FF_QP2LAMBDA * jpeg_quantiser(options->quality);
        context->color_range = AVCOL_RANGE_JPEG;
    } else {
        context->compression_level = options->compression;
        av_dict_set_int(&settings, "quality", options->quality, 0);
        av_dict_set_int(&settings, "lossless", options->lossless, 0);
    }
    int code = avcodec_open2(context, codec, &settings);
    av_dict_free(&settings);
    return code < 0 ? cff_fail(error, "opening the encoder", code) : 0;
}

static int encode_frame(AVCodecContext *context, const AVFrame *frame, uint8_t **bytes, size_t *size, char *error) {
    AVPacket *packet = av_packet_alloc();
    if (!packet) return cff_fail(error, "encoder", AVERROR(ENOMEM));
    int code = avcodec_send_frame(context, frame);
    if (code >= 0) code = avcodec_receive_packet(context, packet);
    if (code == AVERROR(EAGAIN)) {
        code = avcodec_send_frame(context, NULL);
        if (code >= 0) code = avcodec_receive_packet(context, packet);
    }
    if (code >= 0) {
        *bytes = av_memdup(packet->data, (size_t)packet->size);
        *size = (size_t)packet->size;
        if (!*bytes) code = AVERROR(ENOMEM);
    }
    av_packet_free(&packet);
    return code < 0 ? cff_fail(error, "encoding", code) : 0;
}

int cff_image_encode(const cff_image_options *options, const uint8_t *pixels, int width, int height, int channels,
                     uint8_t **bytes, size_t *size, char *error) {
    const AVCodec *codec = avcodec_find_encoder_by_name(options->encoder);
    if (!codec) {
        snprintf(error, CFF_ERROR_SIZE, "this FFmpeg has no encoder %s", options->encoder);
        return AVERROR_ENCODER_NOT_FOUND;
    }
    enum AVPixelFormat packed = channels == 4 ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24;
    enum AVPixelFormat format = encoder_format(options, channels);
    AVCodecContext *context = avcodec_alloc_context3(codec);
    AVFrame *source = cff_new_frame(width, height, packed), *frame = NULL;
    int code = context && source ? 0 : cff_fail(error, "encoder", AVERROR(ENOMEM));
    if (code < 0) goto done;
    for (int y = 0; y < height; y++) {
        memcpy(source->data[0] + (ptrdiff_t)y * source->linesize[0], pixels + (size_t)y * (size_t)width * (size_t)channels, (size_t)width * (size_t)channels);
    }
    context->width = width;
    context->height = height;
    context->pix_fmt = format;
    context->time_base = (AVRational){1, 25};
    context->thread_count = 1;
    context->flags |= AV_CODEC_FLAG_BITEXACT;
    code = open_encoder(context, codec, options, error);
    if (code < 0) goto done;
    if (format == packed) {
        frame = source;
        source = NULL;
    } else {
        frame = cff_new_frame(width, height, format);
        code = frame ? convert(source, frame, error) : cff_fail(error, "encoder", AVERROR(ENOMEM));
        if (code < 0) goto done;
    }
    frame->pts = 0;
    frame->quality = context->global_quality;
    code = encode_frame(context, frame, bytes, size, error);
done:
    av_frame_free(&frame);
    av_frame_free(&source);
    avcodec_free_context(&context);
    return code;
}
