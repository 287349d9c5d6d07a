#include "pixels.h"

AVFrame *cff_new_frame(int width, int height, enum AVPixelFormat format) {
    AVFrame *frame = av_frame_alloc();
    if (!frame) return NULL;
    frame->format = format;
    frame->width = width;
    frame->height = height;
    if (av_frame_get_buffer(frame, 64) < 0) av_frame_free(&frame);
    return frame;
}
