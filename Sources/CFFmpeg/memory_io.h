// FFmpeg reading from, and writing to, memory.
#pragma once

#include <libavformat/avformat.h>
#include <stddef.h>
#include <stdint.h>

#include "include/CFFmpeg.h"

typedef struct {
    uint8_t *data;
    size_t size, capacity, position;
} cff_sink;

typedef struct {
    const uint8_t *data;
    size_t size, position;
} cff_source;

/// An AVIOContext that appends to `sink`; with `seekable`, muxers may go back and complete their headers. NULL when memory
/// is short.
AVIOContext *cff_sink_open(cff_sink *sink, int seekable);
/// A seekable AVIOContext over `source`, which must outlive it.
AVIOContext *cff_source_open(cff_source *source);
/// Frees the context and its buffer; not what it writes to or reads from.
void cff_io_close(AVIOContext **io);

/// Writes `what` and FFmpeg's words for `code` into `error`; returns a negative code.
int cff_fail(char *error, const char *what, int code);
