#include "memory_io.h"

#include <libavutil/error.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
#include <stdio.h>
#include <string.h>

enum { IO_BUFFER_SIZE = 32768 };

void cff_quiet(void) { av_log_set_level(AV_LOG_PANIC); }
const char *cff_license(void) { return avformat_license(); }
void cff_free(void *memory) { av_free(memory); }

int cff_fail(char *error, const char *what, int code) {
    char reason[96] = "";
    if (code >= 0) code = AVERROR_UNKNOWN;
    av_strerror(code, reason, sizeof reason);
    snprintf(error, CFF_ERROR_SIZE, "%s: %s", what, reason);
    return code;
}

static int sink_write(void *opaque, uint8_t *bytes, int count) {
    cff_sink *sink = opaque;
    size_t end = sink->position + (size_t)count;
    if (end > sink->capacity) {
        size_t capacity = end + end / 2 + 4096;
        uint8_t *grown = av_realloc(sink->data, capacity);
        if (!grown) return AVERROR(ENOMEM);
        sink->data = grown;
        sink->capacity = capacity;
    }
    memcpy(sink->data + sink->position, bytes, (size_t)count);
    sink->position = end;
    if (end > sink->size) sink->size = end;
    return count;
}

static int64_t seek_within(size_t *position, size_t size, int64_t offset, int whence) {
    if (whence & AVSEEK_SIZE) return (int64_t)size;
    int64_t target;
    switch (whence & ~AVSEEK_FORCE) {
    case SEEK_SET: target = offset; break;
    case SEEK_CUR: target = (int64_t)*position + offset; break;
    case SEEK_END: target = (int64_t)size + offset; break;
    default: return AVERROR(EINVAL);
    }
    if (target < 0 || target > (int64_t)size) return AVERROR(EINVAL);
    *position = (size_t)target;
    return target;
}

static int64_t sink_seek(void *opaque, int64_t offset, int whence) {
    cff_sink *sink = opaque;
    return seek_within(&sink->position, sink->size, offset, whence);
}

static int source_read(void *opaque, uint8_t *bytes, int count) {
    cff_source *source = opaque;
    size_t left = source->size - source->position;
    if (left == 0) return AVERROR_EOF;
    size_t taken = (size_t)count < left ? (size_t)count : left;
    memcpy(bytes, source->data + source->position, taken);
    source->position += taken;
    return (int)taken;
}

static int64_t source_seek(void *opaque, int64_t offset, int whence) {
    cff_source *source = opaque;
    return seek_within(&source->position, source->size, offset, whence);
}

AVIOContext *cff_sink_open(cff_sink *sink, int seekable) {
    uint8_t *buffer = av_malloc(IO_BUFFER_SIZE);
    if (!buffer) return NULL;
    AVIOContext *io = avio_alloc_context(buffer, IO_BUFFER_SIZE, 1, sink, NULL, sink_write, seekable ? sink_seek : NULL);
    if (!io) av_free(buffer);
    return io;
}

AVIOContext *cff_source_open(cff_source *source) {
    uint8_t *buffer = av_malloc(IO_BUFFER_SIZE);
    if (!buffer) return NULL;
    AVIOContext *io = avio_alloc_context(buffer, IO_BUFFER_SIZE, 0, source, source_read, NULL, source_seek);
    if (!io) av_free(buffer);
    return io;
}

void cff_io_close(AVIOContext **io) {
    if (!*io) return;
    // FFmpeg may have replaced the buffer it was given: free the one it has now.
    av_freep(&(*io)->buffer);
    avio_context_free(io);
}
