// Everything that a variant compiles, once it has said what its CPU has, and the table of it.
#include "../table.h"

#include "convolution.h"
#include "norm.h"
#include "product.h"
#if TILES != TILES_NONE
#include "convolution_tiles.h"
#include "product_tiles.h"
#endif
#include "attention.h"
#include "modulate.h"
#include "snake.h"

const kernel_table VARIANT = {
    .name = NAME,
    .panel_width = panel_width,
    .packed_inputs = packed_inputs,
    .pack_kernel = pack_kernel,
#if TILES != TILES_NONE
    .can_round = 1,
    .convolve = convolve_tiles,
    .multiply = multiply_tiles,
    .rounded_bytes = tiled_bytes,
    .round_rows = round_to_tiles,
#else
    .can_round = PAIRS != PAIRS_NONE,
    .convolve = convolve,
    .multiply = multiply,
    .rounded_bytes = rounded_bytes,
    .round_rows = round_rows,
#endif
    .attend = attend,
    .measure_groups = measure_groups,
    .normalize_groups = normalize_groups,
    .activate_snake = activate_snake,
    .modulate = modulate,
    .add_gated = add_gated,
    .activate_gelu = activate_gelu,
};
