/* emit_tile.h: the register tile that matrix products and convolutions in fp32 share.
 *
 * A tile is `height` rows times `vectors` vectors of TN_W columns, held in registers over the whole
 * reduction: per step one vector load of each column vector of the packed right side and one
 * broadcast of each row of the left side, which is read in place. Results go from registers to the
 * store function. The reduction is never cut, so every element is one chain of multiply-adds in the
 * order of k: it does not depend on tile, task or thread.
 *
 * The right side lies in panels of vectors * TN_W columns: [panel][k][column], one contiguous
 * stream per panel; the last panel is only as wide as its vectors. While a panel is in use, its
 * tiles fetch the next one into the L2 cache bit by bit: weights come from memory once per run, in
 * pages that the hardware's prefetchers do not cross.
 */
#ifndef TN_CPU_EMIT_TILE_H
#define TN_CPU_EMIT_TILE_H

#include "backend/cpu/compile/cgen.h"

enum { TN_TILE_MAX_HEIGHTS = 8 };

/* How a product is cut. */
typedef struct tn_tiling {
    uint32_t vectors;                      /* of a whole panel */
    uint32_t heights[TN_TILE_MAX_HEIGHTS]; /* the main tile's, then those of the rest, descending */
    uint32_t height_count;
} tn_tiling;

typedef struct tn_tile_problem {
    const tn_sym *rows;  /* of one run of rows: M, or the width of the output image */
    int64_t columns;     /* -1: known at run time only */
    int64_t depth;       /* steps of the reduction; -1: known at run time only */
    uint32_t max_height; /* 0: no limit but registers */
    bool is_paired;      /* vectors come in twos */
} tn_tile_problem;

/* The tiling with the least predicted time: deterministic, from the target's features and the
 * sizes. */
tn_tiling tn_tile_choose(const tn_cpu_target *target, const tn_tile_problem *problem);

/* A loop around the innermost one: the left side moves by step floats. */
typedef struct tn_tile_loop {
    const char *index, *begin, *end, *step;
} tn_tile_loop;

/* What the functions of one kernel's tiles have in common. Texts are C expressions. */
typedef struct tn_tile_printer {
    const char *name;       /* the kernel's: functions are NAME_HEIGHTxCOLUMNS */
    const char *row_stride; /* floats from a row's element to the next row's */
    const char *params;     /* parameters after a, b and ahead: "int64_t m, int64_t n" */
    const char *arguments;  /* what the caller passes for them: the same names */
    tn_tile_loop loops[2];
    uint32_t loop_count;
    const char *skipped_depth; /* steps of the panel before the first that is used; NULL: none */
    const char *depth;         /* steps of the innermost loop, along which a is contiguous */
    const char *total_depth;   /* of a whole panel */
    int64_t ahead_bytes;       /* of the next panel, fetched at each step */
    const char *store;         /* the store function's name */
    const char *store_prefix;  /* its leading arguments: "image, oy, " */
    const char *row, *column;  /* names of the first row and column */
    const char *column_end; /* the number of columns if the last vector's lanes vary, else NULL */
    bool is_paired;
} tn_tile_printer;

/* Bytes to fetch per step so that `tiles` tiles together fetch a panel. */
int64_t tn_tile_ahead_bytes(const tn_tiling *tiling, const tn_cpu_target *target, int64_t tiles);

/* Prints the function of every height for panels of this many columns (for pairs, of both halves).
 */
void tn_tile_print_functions(tn_cg *cg, const tn_tile_printer *printer, const tn_tiling *tiling,
                             int64_t columns);
/* Prints the loops that run the tiles over rows [printer->row, row_end): `a` is the first row's
 * text, b and ahead are in scope. */
void tn_tile_print_runs(tn_cg *cg, const tn_tile_printer *printer, const tn_tiling *tiling,
                        int64_t columns, const char *row_end, const char *a);

#endif
