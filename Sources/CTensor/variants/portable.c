// Whatever else compiles C.
#include "../kernels/choices.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#define VARIANT ct_portable
#define NAME "portable"
#define LANES 4
#define PIXELS 4
#define PAIRS PAIRS_NONE
#define TILES TILES_NONE
#include "../kernels/kernels.h"
#endif
