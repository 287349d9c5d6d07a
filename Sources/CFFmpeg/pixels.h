// What pictures and videos share.
#pragma once

#include <libavutil/frame.h>
#include <libswscale/swscale.h>

enum { CFF_SCALE_FLAGS = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP };

/// A frame of `format` with its own memory, padded as swscale's vector code wants it; NULL when memory is short.
AVFrame *cff_new_frame(int width, int height, enum AVPixelFormat format);
