// Every arm64.
#include "../kernels/choices.h"

#if defined(__aarch64__)

#define VARIANT ct_neon
#define NAME "neon"
#define LANES 4
#define PIXELS 8
#define PAIRS PAIRS_NONE
#define TILES TILES_NONE
#include "../kernels/kernels.h"

#endif
