// The files of Web/, as they stand in the program itself.
#ifndef CPLAYGROUND_H
#define CPLAYGROUND_H

#include <stddef.h>

struct omni_page {
    const char *name;
    const char *media_type;
    const unsigned char *bytes;
    size_t count;
};

// All files; `count` gets how many. They live as long as the program.
const struct omni_page *omni_pages(size_t *count);

#endif
