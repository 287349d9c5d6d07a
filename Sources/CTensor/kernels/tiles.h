// The handful of operations that tile kernels are written over: AMX's own, or the same in plain C, so that their logic runs on
// every CPU.
//
// A tile is sixteen rows of 64 bytes. All eight are configured so. A configuration belongs to a thread and outlives our call: ggml
// configures another one, once for each thread, and then takes it for granted. So ours is loaded where a kernel begins and what was
// there before is put back where it ends. Data in tiles does not survive either; nobody keeps any there between calls.
#pragma once

#include <stdint.h>
#include <string.h>

#include "vectors.h"

enum { TILE = 16, TILE_BYTES = 64, TILE_PAIRS = 16, TILE_INNER = 32, TILE_SUMS = TILE * TILE };

#if TILES == TILES_AMX

/// What `ldtilecfg` reads.
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_configuration;
_Static_assert(sizeof(tile_configuration) == 64, "the CPU reads 64 bytes");

/// A constant: some compilers drop stores to a local one, since the instruction's operand does not say that it reads them all.
static const tile_configuration WHOLE_TILES __attribute__((aligned(64))) = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

/// What the thread had configured before.
typedef struct {
    tile_configuration before __attribute__((aligned(64)));
} tiles;

static inline void tiles_begin(tiles *t) {
    _tile_storeconfig(&t->before);
    _tile_loadconfig(&WHOLE_TILES);
}

static inline void tiles_end(tiles *t) {
    // The compiler must not take the stored configuration for unread.
    __asm__ volatile("" : : "r"(t) : "memory");
    // Nothing was configured where the palette is 0; loading that is a release.
    _tile_loadconfig(&t->before);
}

// Macros, since the instructions want constants for tiles.
#define tile_zero(t, tile) ((void)(t), _tile_zero(tile))
#define tile_load(t, tile, from, pitch) ((void)(t), _tile_loadd(tile, from, pitch))
#define tile_store(t, tile, to, pitch) ((void)(t), _tile_stored(tile, to, pitch))
#define tile_dot(t, sums, a, b) ((void)(t), _tile_dpbf16ps(sums, a, b))

#else

/// Whatever is in a tile, by rows.
typedef struct {
    uint32_t words[8][TILE][TILE_PAIRS];
} tiles;

static inline void tiles_begin(tiles *t) { (void)t; }
static inline void tiles_end(tiles *t) { (void)t; }

static inline void tile_zero(tiles *t, int tile) { memset(t->words[tile], 0, sizeof t->words[tile]); }

static inline void tile_load(tiles *t, int tile, const void *from, size_t pitch) {
    for (int row = 0; row < TILE; row++) memcpy(t->words[tile][row], (const char *)from + (size_t)row * pitch, TILE_BYTES);
}

static inline void tile_store(const tiles *t, int tile, void *to, size_t pitch) {
    for (int row = 0; row < TILE; row++) memcpy((char *)to + (size_t)row * pitch, t->words[tile][row], TILE_BYTES);
}

/// `sums[i][j] += Σ a[i][k] · b[k][j]` over pairs of bf16: first and second elements are summed apart, then together, as the CPU does.
static inline void tile_dot(tiles *t, int sums, int a, int b) {
    for (int i = 0; i < TILE; i++) {
        float first[TILE] = {0}, second[TILE] = {0}, whole[TILE];
        for (int k = 0; k < TILE_PAIRS; k++) {
            uint32_t pair = t->words[a][i][k], low = pair << 16, high = pair & 0xffff0000;
            float x, y;
            memcpy(&x, &low, sizeof x);
            memcpy(&y, &high, sizeof y);
            for (int j = 0; j < TILE; j++) {
                uint32_t other = t->words[b][k][j], other_low = other << 16, other_high = other & 0xffff0000;
                float u, v;
                memcpy(&u, &other_low, sizeof u);
                memcpy(&v, &other_high, sizeof v);
                first[j] += x * u;
                second[j] += y * v;
            }
        }
        memcpy(whole, t->words[sums][i], sizeof whole);
        for (int j = 0; j < TILE; j++) whole[j] += first[j] + second[j];
        memcpy(t->words[sums][i], whole, sizeof whole);
    }
}

#endif

static inline int32_t whole_tiles(int32_t count, int32_t tile) { return (count + tile - 1) / tile * tile; }
