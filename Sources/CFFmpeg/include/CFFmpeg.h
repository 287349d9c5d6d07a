// A thin shim over FFmpeg's libraries, so that Swift sees opaque handles and plain buffers only.
//
// Every function that can fail takes `error`, CFF_ERROR_SIZE bytes of text that it fills on failure. Handles belong to one
// thread at a time. What a function returns by pointer belongs to the handle, unless said otherwise.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CFF_ERROR_SIZE = 256 };

/// Silences FFmpeg's own log, except for errors that precede a crash. Call once before anything else.
void cff_quiet(void);
/// The licence under which the installed FFmpeg was built, for `omni doctor` and NOTICE.
const char *cff_license(void);

// MARK: Audio encoding

typedef struct cff_encoder cff_encoder;

typedef struct {
    const char *muxer;    ///< FFmpeg's muxer: "mp3", "ogg", "flac", "adts".
    const char *codec;    ///< FFmpeg's encoder: "libmp3lame", "libopus", "flac", "aac".
    int sample_rate;      ///< Hz of what is pushed; the encoder resamples where the codec needs another rate.
    int channels;
    int64_t bit_rate;     ///< bits per second; 0 where the codec has none.
    int streaming;        ///< non-zero: bytes once given out are final, pages are short. Zero: headers get exact sizes.
} cff_encoder_options;

/// Hz of the sound in the file of an encoder of that name that is given `sample_rate`; the same where there is no such encoder.
int cff_encoder_rate(const char *codec, int sample_rate);
cff_encoder *cff_encoder_open(const cff_encoder_options *options, char *error);
/// `frames` interleaved float samples per channel. 0, or negative on failure.
int cff_encoder_push(cff_encoder *encoder, const float *samples, int frames, char *error);
/// Ends the stream; nothing may be pushed after it.
int cff_encoder_finish(cff_encoder *encoder, char *error);
/// The bytes written since the last `cff_encoder_drained`.
const uint8_t *cff_encoder_bytes(const cff_encoder *encoder, size_t *size);
/// The bytes were copied; streaming encoders only.
void cff_encoder_drained(cff_encoder *encoder);
void cff_encoder_free(cff_encoder *encoder);

// MARK: Audio decoding

typedef struct cff_decoder cff_decoder;

typedef struct {
    int sample_rate;      ///< Hz
    int channels;
    double seconds;       ///< as the container tells, or negative: never to be trusted.
    const char *codec;    ///< FFmpeg's name of the codec; static text.
} cff_audio_info;

/// Opens the first sound track of a file in memory, which must stay in place until `cff_decoder_free`. Containers that can
/// refer to other files are not opened.
cff_decoder *cff_decoder_open(const uint8_t *data, size_t size, cff_audio_info *info, char *error);
/// All channels are mixed to one, at `rate` Hz; to be called before the first piece is taken.
void cff_decoder_mix(cff_decoder *decoder, int rate);
/// The next piece: its count of frames, 0 at the end, negative on failure. `samples` is interleaved float and valid until
/// the next call.
int cff_decoder_next(cff_decoder *decoder, const float **samples, char *error);
void cff_decoder_free(cff_decoder *decoder);

// MARK: Resampling

typedef struct cff_resampler cff_resampler;

cff_resampler *cff_resampler_open(int from_rate, int to_rate, int channels, char *error);
/// Frames of room that `cff_resampler_convert` may need for `frames` more.
int cff_resampler_room(const cff_resampler *resampler, int frames);
/// Converts interleaved float; `samples` NULL flushes. Returns frames written, negative on failure.
int cff_resampler_convert(cff_resampler *resampler, const float *samples, int frames, float *out, int room, char *error);
void cff_resampler_free(cff_resampler *resampler);

// MARK: Pictures

typedef struct {
    uint8_t *pixels;      ///< width × height × channels bytes without gaps; freed by `cff_free`.
    int width, height;
    int channels;         ///< 3 (RGB) or 4 (RGBA, not premultiplied).
} cff_image;

/// Decodes the first picture in `data` with FFmpeg's decoder of that name, refusing more than `max_pixels`.
int cff_image_decode(const char *decoder, const uint8_t *data, size_t size, int64_t max_pixels, cff_image *image, char *error);

typedef struct {
    const char *encoder;  ///< "png", "mjpeg", "libwebp".
    int quality;          ///< 1…100 for JPEG and WebP.
    int compression;      ///< 0…9 for PNG, 0…6 for WebP.
    int lossless;         ///< WebP only.
} cff_image_options;

/// Encodes RGB or RGBA. `bytes` is to be freed by `cff_free`.
int cff_image_encode(const cff_image_options *options, const uint8_t *pixels, int width, int height, int channels,
                     uint8_t **bytes, size_t *size, char *error);

// MARK: Videos

typedef struct cff_video_writer cff_video_writer;

typedef struct {
    const char *muxer;    ///< "mp4" or "webm".
    const char *encoder;  ///< "libx264", "libvpx-vp9" …; see `cff_has_encoder`.
    int width, height;    ///< of the pictures that are pushed; an odd last column or row is cut off, unless `lossless`.
    int rate, per;        ///< `rate` frames in `per` seconds.
    int quality;          ///< 1…100; counts for nothing when nothing may be lost.
    int lossless;         ///< the pictures come back bit for bit: libx264rgb and libvpx-vp9 can that.
    int threads;
    int64_t most_bytes;   ///< the file may not pass this; 0: no limit.
} cff_video_options;

/// Whether the installed FFmpeg has an encoder of that name.
int cff_has_encoder(const char *name);
/// Makes the file at `path`, or empties it. 0, or negative: AVERROR(ENOSPC) and the like where the disk is the reason.
int cff_video_writer_open(const char *path, const cff_video_options *options, cff_video_writer **writer, char *error);
/// One picture, `height` rows of `width` RGB pixels without gaps.
int cff_video_writer_push(cff_video_writer *writer, const uint8_t *pixels, char *error);
/// Encodes one of the pictures that the encoder still holds, once the last has come: 1, or 0 when there is none left.
int cff_video_writer_drain(cff_video_writer *writer, char *error);
/// Completes the file, whose size is then `bytes`; drains it first.
int cff_video_writer_finish(cff_video_writer *writer, int64_t *bytes, char *error);
/// Frees the writer; a file that was not finished is removed.
void cff_video_writer_free(cff_video_writer *writer);

typedef struct cff_video_reader cff_video_reader;

typedef struct {
    int width, height;
    double fps;           ///< frames a second, on average.
    double seconds;
    int64_t frames;       ///< as the container says, or counted where it does not.
    const char *codec;    ///< FFmpeg's name of the codec; static text.
} cff_video_info;

/// Opens the first video track of a file, refusing more than `max_pixels` a frame.
int cff_video_reader_open(const char *path, int64_t max_pixels, cff_video_reader **reader, cff_video_info *info, char *error);
/// The next frame is the one shown at `seconds` after the beginning.
int cff_video_reader_seek(cff_video_reader *reader, double seconds, char *error);
/// 1 with the next frame as RGB, its rows `stride` bytes apart, valid until the next call; 0 at the end; negative on failure.
int cff_video_reader_next(cff_video_reader *reader, const uint8_t **pixels, int *stride, char *error);
void cff_video_reader_free(cff_video_reader *reader);

void cff_free(void *memory);

#ifdef __cplusplus
}
#endif
