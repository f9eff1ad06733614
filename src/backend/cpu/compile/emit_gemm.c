/* emit_gemm.c: matrix products in fp32.
 *
 * A task is one block of rows times one panel of columns. Blocks are as large as most of the L2
 * cache allows, since a panel that was read once serves all rows of its block; they are smaller
 * where there would be too few tasks to share out. A constant right side comes packed from the
 * engine; another one is packed into the thread's scratch, panel by panel, which makes room for any
 * strides. The left side is read in place, or packed block by block if its rows are not contiguous.
 */
#include "backend/cpu/compile/emit_contract.h"
#include "backend/cpu/compile/emit_tile.h"

#include <assert.h>
#include <string.h>

enum {
    WANTED_TASKS = 8,
    /* Rows this many bytes apart share the lines of one L1 set, which hold this many of them. */
    L1_WAY_BYTES = 4096,
    L1_WAYS_FOR_ROWS = 8,
    TYPICAL_BLOCK_ROWS = 128,
    TYPICAL_DEPTH = 1024,
    STREAM_AHEAD_FLOATS = 1024, /* where each panel is read once */
};

typedef struct gemm {
    tn_cg *cg;
    const tn_gemm_spec *spec;
    tn_tiling tiling;
    tn_tile_printer printer;
    bool packs_a, packs_b;
    int64_t columns;       /* N, or N/2 for pairs; -1: symbolic */
    int64_t panel_columns; /* of a whole panel, in the same unit */
    int64_t depth;         /* K; -1: symbolic */
    int64_t block_rows;
    const tn_sym *column_count, *panel_count, *block_count, *batch_count;
} gemm;

/* ---- packing at compile time ------------------------------------------------------------------
 */

enum { PARAM_LANES, PARAM_VECTORS, PARAM_PAIRED, PARAM_DEPTH, PARAM_COLUMNS };

/* Where column n (of the logical matrix) lies: the panel's first float, its width, the place in it.
 */
static size_t packed_column(const int64_t *params, int64_t n, int64_t *out_width) {
    int64_t lanes = params[PARAM_LANES], vectors = params[PARAM_VECTORS];
    int64_t depth = params[PARAM_DEPTH], columns = params[PARAM_COLUMNS];
    int64_t unit = params[PARAM_PAIRED] ? 2 : 1; /* vectors that stand for the same columns */
    int64_t per_panel = vectors / unit * lanes, count = columns / unit;
    int64_t column = n % count, half = n / count;
    int64_t panel = column / per_panel, at = column % per_panel;
    int64_t left = count - panel * per_panel;
    *out_width = left >= per_panel ? vectors * lanes : tn_ceildiv(left, lanes) * lanes * unit;
    return (size_t)(panel * depth * vectors * lanes + (at / lanes * unit + half) * lanes +
                    at % lanes);
}

static void pack_weight(const tn_cg_pack *self, const tn_tensor *weight, void *out) {
    assert(weight->dtype == TN_F32 && weight->rank >= 2);
    int64_t k_stride = weight->strides[weight->rank - 2];
    int64_t n_stride = weight->strides[weight->rank - 1];
    for (int64_t n = 0; n < self->params[PARAM_COLUMNS]; n++) {
        int64_t width;
        float *to = (float *)out + packed_column(self->params, n, &width);
        const float *from = (const float *)weight->data + n * n_stride;
        for (int64_t k = 0; k < self->params[PARAM_DEPTH]; k++)
            to[k * width] = from[k * k_stride];
    }
}

static void describe_pack(const gemm *g, tn_cg_kernel *kernel) {
    uint32_t lanes = g->cg->target->lanes;
    int64_t unit = g->spec->is_paired ? 2 : 1;
    int64_t packed_columns = tn_ceildiv(g->columns, lanes) * lanes * unit;
    tn_cg_pack *pack = &kernel->packs[kernel->pack_count++];
    *pack = (tn_cg_pack){.buf = g->spec->b.buf,
                         .bytes = (size_t)packed_columns * (size_t)g->depth * sizeof(float),
                         .pack = pack_weight};
    pack->params[PARAM_LANES] = lanes;
    pack->params[PARAM_VECTORS] = g->tiling.vectors;
    pack->params[PARAM_PAIRED] = g->spec->is_paired;
    pack->params[PARAM_DEPTH] = g->depth;
    pack->params[PARAM_COLUMNS] = g->columns * unit;
}

/* ---- sizes ------------------------------------------------------------------------------------
 */

/* Rows of a block: whole main tiles within most of L2, and enough tasks; blocks of about the same
 * size, since each fetches the next panel. */
static int64_t choose_block_rows(const gemm *g) {
    int64_t height = g->tiling.heights[0];
    int64_t depth = g->depth < 1 ? TYPICAL_DEPTH : g->depth;
    int64_t fitting = (int64_t)g->cg->target->l2_bytes * 3 / 4 / (depth * (int64_t)sizeof(float));
    int64_t rows = tn_sym_const_or(g->spec->m, TYPICAL_BLOCK_ROWS);
    int64_t others = tn_sym_const_or(g->panel_count, 1) * tn_sym_const_or(g->batch_count, 1);
    int64_t block = others < 1 ? rows : tn_ceildiv(rows, tn_ceildiv(WANTED_TASKS, others));
    if (block > fitting)
        block = fitting;
    block = block <= height ? height : block / height * height;
    if (rows < 1) /* nothing to cut */
        return height;
    int64_t even = tn_ceildiv(rows, tn_ceildiv(rows, block));
    return tn_ceildiv(even, height) * height;
}

/* Rows whose elements of one column lie in one set of L1 must be few; so must rows whose distance
 * is a variable, since each wants a register. */
static uint32_t choose_max_height(const gemm *g) {
    int64_t stride =
        g->packs_a ? g->depth : tn_sym_const_or(g->spec->a.strides[g->spec->batch_rank], -1);
    bool aliases = stride * (int64_t)sizeof(float) % L1_WAY_BYTES == 0;
    return stride < 0 || aliases ? L1_WAYS_FOR_ROWS : 0;
}

static void choose_sizes(gemm *g) {
    const tn_gemm_spec *spec = g->spec;
    tn_syms *syms = g->cg->syms;
    int64_t unit = spec->is_paired ? 2 : 1;
    g->depth = tn_sym_const_or(spec->k, -1);
    g->columns = tn_sym_is_const(spec->n) ? spec->n->value / unit : -1;
    g->column_count = spec->is_paired ? tn_sym_const(syms, g->columns) : spec->n;
    g->packs_a = !tn_sym_is(spec->a.strides[spec->batch_rank + 1], 1);
    g->packs_b = !spec->b_is_const;
    tn_tile_problem problem = {.rows = spec->m,
                               .columns = g->columns < 0 ? -1 : g->columns * unit,
                               .depth = g->depth,
                               .max_height = choose_max_height(g),
                               .is_paired = spec->is_paired};
    g->tiling = tn_tile_choose(g->cg->target, &problem);
    g->panel_columns = g->tiling.vectors / unit * g->cg->target->lanes;
    g->batch_count = tn_sym_const(syms, 1);
    for (uint32_t i = 0; i < spec->batch_rank; i++)
        g->batch_count = tn_sym_mul(syms, g->batch_count, spec->batch[i]);
    g->panel_count = tn_sym_ceildiv(syms, g->column_count, tn_sym_const(syms, g->panel_columns));
    if (!g->batch_count || !g->panel_count)
        return; /* the symbols' status tells */
    g->block_rows = choose_block_rows(g);
    g->block_count = tn_sym_ceildiv(syms, spec->m, tn_sym_const(syms, g->block_rows));
}

/* Main tiles that read one panel, as far as known. */
static int64_t tiles_per_panel(const gemm *g) {
    int64_t rows = tn_sym_const_or(g->spec->m, g->block_rows);
    return tn_ceildiv(rows < g->block_rows ? rows : g->block_rows, g->tiling.heights[0]);
}

/* Whether all rows make one tile, so that every panel is a stream that is read once. */
static bool is_stream(const gemm *g) {
    return tn_sym_is_const(g->spec->m) && g->spec->m->value <= g->tiling.heights[0];
}
static bool fetches_ahead(const gemm *g) {
    return !g->packs_b && (is_stream(g) || !tn_sym_is(g->panel_count, 1));
}

/* ---- text -------------------------------------------------------------------------------------
 */

static const char *column_text(const gemm *g) {
    return tn_cg_sym(g->cg, g->column_count);
}

/* "base + i0 * stride0 + ..." of an operand's matrix. */
static const char *matrix_text(const gemm *g, const tn_cg_tensor *tensor) {
    tn_cg *cg = g->cg;
    const char *text = tn_cg_text(cg, "(const float *)buf[%u]", tensor->buf);
    if (!tn_sym_is(tensor->offset, 0))
        text = tn_cg_text(cg, "%s + %s", text, tn_cg_sym(cg, tensor->offset));
    for (uint32_t i = 0; i < g->spec->batch_rank; i++)
        if (!tn_sym_is(tensor->strides[i], 0))
            text = tn_cg_text(cg, "%s + i%u * %s", text, i, tn_cg_sym(cg, tensor->strides[i]));
    return text;
}

static void fill_printer(gemm *g) {
    tn_cg *cg = g->cg;
    const tn_gemm_spec *spec = g->spec;
    tn_tile_printer *printer = &g->printer;
    const char *params = "", *prefix = "";
    for (uint32_t i = 0; i < spec->batch_rank; i++) {
        params = tn_cg_text(cg, "%sint64_t i%u, ", params, i);
        prefix = tn_cg_text(cg, "%si%u, ", prefix, i);
    }
    const char *depth = tn_cg_sym(cg, spec->k);
    *printer = (tn_tile_printer){
        .name = spec->name,
        .row_stride = g->packs_a ? depth : tn_cg_sym(cg, spec->a.strides[spec->batch_rank]),
        .params = tn_cg_text(cg, "%sint64_t m, int64_t n", params),
        .arguments = tn_cg_text(cg, "%sm, n", prefix),
        .depth = depth,
        .total_depth = depth,
        .store = spec->store,
        .store_prefix = prefix,
        .row = "m",
        .column = "n",
        .column_end = g->columns < 0 ? column_text(g) : NULL,
        .is_paired = spec->is_paired,
    };
    if (fetches_ahead(g))
        printer->ahead_bytes = tn_tile_ahead_bytes(&g->tiling, cg->target, tiles_per_panel(g));
}

/* What the last panel has of columns if it is not whole, else 0. */
static int64_t rest_columns(const gemm *g) {
    return g->columns < 0 ? 0 : g->columns % g->panel_columns;
}
static bool has_whole_panels(const gemm *g) {
    return g->columns < 0 || g->columns >= g->panel_columns;
}

static void print_tiles(const gemm *g) {
    int64_t unit = g->spec->is_paired ? 2 : 1, rest = rest_columns(g);
    if (has_whole_panels(g))
        tn_tile_print_functions(g->cg, &g->printer, &g->tiling, g->panel_columns * unit);
    if (rest > 0)
        tn_tile_print_functions(g->cg, &g->printer, &g->tiling, rest * unit);
}

/* Packs `columns` columns of b as a panel of `width`, zeros in the columns that do not exist. */
static void print_pack_b(const gemm *g) {
    tn_cg *cg = g->cg;
    const tn_sym *const *strides = &g->spec->b.strides[g->spec->batch_rank];
    const char *n_stride = tn_cg_sym(cg, strides[1]);
    tn_cg_function function;
    tn_cg_begin_function(
        cg, &function,
        tn_cg_text(cg,
                   "static void %s_pack_b(const int64_t *sym, const float *b, int64_t columns,\n"
                   "    int64_t width, float *packed)",
                   g->spec->name));
    tn_cg_line(cg, "(void)sym;");
    tn_cg_line(cg, "for (int64_t k = 0; k < %s; k++) {", tn_cg_sym(cg, g->spec->k));
    tn_cg_line(cg, "for (int64_t n = 0; n < width; n += TN_W) {");
    tn_cg_line(cg, "const int64_t left = columns - n;");
    tn_cg_line(cg, "const int64_t lanes = left >= TN_W ? TN_W : left > 0 ? left : 0;");
    tn_cg_line(cg, "const float *from = b + k * %s + n * %s;", tn_cg_sym(cg, strides[0]), n_stride);
    tn_cg_line(cg, "if (lanes == TN_W)");
    tn_cg_line(cg, "    tn_store_f32(packed + n, 1, TN_W, tn_load_f32(from, %s, TN_W));", n_stride);
    tn_cg_line(cg, "else if (lanes > 0)");
    tn_cg_line(cg, "    tn_store_f32(packed + n, 1, TN_W, tn_load_f32(from, %s, lanes));",
               n_stride);
    tn_cg_line(cg, "else");
    tn_cg_line(cg, "    tn_store_f32(packed + n, 1, TN_W, (tn_vf){0});");
    tn_cg_close(cg, "");
    tn_cg_line(cg, "packed += width;");
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
}

/* Packs `rows` rows of a, contiguous along k. */
static void print_pack_a(const gemm *g) {
    tn_cg *cg = g->cg;
    const tn_sym *const *strides = &g->spec->a.strides[g->spec->batch_rank];
    const char *depth = tn_cg_sym(cg, g->spec->k);
    tn_cg_function function;
    tn_cg_begin_function(
        cg, &function,
        tn_cg_text(cg,
                   "static void %s_pack_a(const int64_t *sym, const float *a, int64_t rows,\n"
                   "    float *packed)",
                   g->spec->name));
    tn_cg_line(cg, "(void)sym;");
    tn_cg_line(cg, "for (int64_t k = 0; k < %s; k++)", depth);
    tn_cg_line(cg, "    for (int64_t m = 0; m < rows; m++)");
    tn_cg_line(cg, "        packed[m * %s + k] = a[m * %s + k * %s];", depth,
               tn_cg_sym(cg, strides[0]), tn_cg_sym(cg, strides[1]));
    tn_cg_end_function(cg, &function);
}

/* Tasks that share what is packed follow each other. */
static void print_indices(const gemm *g) {
    tn_cg *cg = g->cg;
    tn_cg_line(cg, "int64_t rest = task;");
    if (g->packs_b) {
        tn_contract_print_index(cg, "block", g->block_count);
        tn_cg_line(cg, "const int64_t packing_b = rest;");
        tn_contract_print_index(cg, "panel", g->panel_count);
    } else {
        tn_contract_print_index(cg, "panel", g->panel_count);
        tn_contract_print_index(cg, "block", g->block_count);
    }
    for (uint32_t i = g->spec->batch_rank; i-- > 0;)
        tn_contract_print_index(cg, tn_cg_text(cg, "i%u", i), g->spec->batch[i]);
    if (!g->packs_b && g->packs_a)
        tn_cg_line(cg, "const int64_t packing_a = task / %s;", tn_cg_sym(cg, g->panel_count));
}

static const char *scratch_b_floats(const gemm *g) {
    if (!g->packs_b)
        return "0";
    return tn_cg_text(g->cg, "%s * %u", tn_cg_sym(g->cg, g->spec->k),
                      g->tiling.vectors * g->cg->target->lanes);
}

/* Declares b, the panel, packing it if it is another one than the last task's. */
static void print_panel(const gemm *g) {
    tn_cg *cg = g->cg;
    const char *depth = tn_cg_sym(cg, g->spec->k);
    uint32_t width = g->tiling.vectors * cg->target->lanes;
    tn_cg_line(cg, "const int64_t n = panel * %lld;", (long long)g->panel_columns);
    if (!g->packs_b) {
        tn_cg_line(cg, "const float *const b = (const float *)buf[%u] + panel * (%s * %u);",
                   g->spec->b.buf, depth, width);
        const char *distance = is_stream(g) ? tn_cg_text(cg, "%d", STREAM_AHEAD_FLOATS)
                                            : tn_cg_text(cg, "%s * %u", depth, width);
        if (fetches_ahead(g))
            tn_cg_line(cg, "const char *ahead = (const char *)(b + %s);", distance);
        return;
    }
    tn_cg_line(cg, "float *const b = scratch;");
    tn_cg_line(cg, "if (packing_b != packed_b) {");
    tn_cg_line(cg, "const int64_t columns = %s - n;", column_text(g));
    const char *width_text = tn_cg_text(cg, "%u", width);
    int64_t lanes = cg->target->lanes, rest = rest_columns(g);
    if (rest > 0) /* the last panel is narrower */
        width_text = tn_cg_text(cg, "columns >= %u ? %u : %lld", width, width,
                                (long long)(tn_ceildiv(rest, lanes) * lanes));
    tn_cg_line(cg, "%s_pack_b(sym, %s + n * %s, columns, %s, b);", g->spec->name,
               matrix_text(g, &g->spec->b),
               tn_cg_sym(cg, g->spec->b.strides[g->spec->batch_rank + 1]), width_text);
    tn_cg_line(cg, "packed_b = packing_b;");
    tn_cg_close(cg, "");
}

/* Declares m, m_end and a; returns the text of row m of a. */
static const char *print_block(const gemm *g) {
    tn_cg *cg = g->cg;
    const tn_sym *stride = g->spec->a.strides[g->spec->batch_rank];
    const char *rows = tn_cg_sym(cg, g->spec->m);
    long long block_rows = (long long)g->block_rows;
    tn_cg_line(cg, "const int64_t m_begin = block * %lld;", block_rows);
    tn_cg_line(cg, "const int64_t m_end = m_begin + %lld < %s ? m_begin + %lld : %s;", block_rows,
               rows, block_rows, rows);
    if (!g->packs_a) {
        tn_cg_line(cg, "const float *const a = %s;", matrix_text(g, &g->spec->a));
        tn_cg_line(cg, "int64_t m = m_begin;");
        return tn_cg_text(cg, "a + m * %s", tn_cg_sym(cg, stride));
    }
    tn_cg_line(cg, "float *const a = (float *)scratch + %s;", scratch_b_floats(g));
    const char *pack =
        tn_cg_text(cg, "%s_pack_a(sym, %s + m_begin * %s, m_end - m_begin, a);", g->spec->name,
                   matrix_text(g, &g->spec->a), tn_cg_sym(cg, stride));
    if (g->packs_b) {
        tn_cg_line(cg, "%s", pack);
    } else {
        tn_cg_line(cg, "if (packing_a != packed_a)");
        tn_cg_line(cg, "    %s", pack);
        tn_cg_line(cg, "packed_a = packing_a;");
    }
    tn_cg_line(cg, "int64_t m = m_begin;");
    return tn_cg_text(cg, "a + (m - m_begin) * %s", tn_cg_sym(cg, g->spec->k));
}

static void print_runs(const gemm *g, const char *row) {
    tn_cg *cg = g->cg;
    int64_t unit = g->spec->is_paired ? 2 : 1, rest = rest_columns(g);
    bool has_both = has_whole_panels(g) && rest > 0;
    if (has_both)
        tn_cg_line(cg, "if (panel < %lld) {", (long long)(g->columns / g->panel_columns));
    if (has_whole_panels(g))
        tn_tile_print_runs(cg, &g->printer, &g->tiling, g->panel_columns * unit, "m_end", row);
    if (has_both)
        tn_cg_close(cg, " else {");
    if (rest > 0)
        tn_tile_print_runs(cg, &g->printer, &g->tiling, rest * unit, "m_end", row);
    if (has_both)
        tn_cg_close(cg, "");
}

static void print_kernel(const gemm *g) {
    tn_cg *cg = g->cg;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, g->spec->name));
    if (g->packs_b)
        tn_cg_line(cg, "int64_t packed_b = -1;");
    else if (g->packs_a)
        tn_cg_line(cg, "int64_t packed_a = -1;");
    if (!g->packs_a && !g->packs_b)
        tn_cg_line(cg, "(void)scratch;");
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    print_indices(g);
    print_panel(g);
    const char *row = print_block(g);
    print_runs(g, row);
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
}

tn_status tn_emit_gemm_f32(tn_cg *cg, const tn_gemm_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){0};
    gemm g = {.cg = cg, .spec = spec};
    choose_sizes(&g);
    TN_TRY(tn_syms_status(cg->syms));
    fill_printer(&g);
    tn_cg_line(
        cg, "/* out[m, n] = sum over k of a[m, k] b[k, n]: %s x %s, depth %s. Tiles of %u x %u in",
        tn_cg_sym(cg, spec->m), tn_cg_sym(cg, spec->n), tn_cg_sym(cg, spec->k), g.tiling.heights[0],
        g.tiling.vectors * cg->target->lanes);
    tn_cg_line(cg, " * registers; a task is %lld rows by one panel of %lld columns. */",
               (long long)g.block_rows, (long long)g.panel_columns);
    print_tiles(&g);
    if (g.packs_a)
        print_pack_a(&g);
    if (g.packs_b)
        print_pack_b(&g);
    print_kernel(&g);

    const tn_sym *tasks = tn_sym_mul(cg->syms, g.block_count, g.panel_count);
    out_kernel->task_count = tn_sym_mul(cg->syms, tasks, g.batch_count);
    int64_t scratch_rows =
        (g.packs_a ? g.block_rows : 0) + (g.packs_b ? g.tiling.vectors * cg->target->lanes : 0);
    out_kernel->scratch_bytes =
        tn_sym_muli(cg->syms, spec->k, scratch_rows * (int64_t)sizeof(float));
    if (!g.packs_b)
        describe_pack(&g, out_kernel);
    return tn_cg_status(cg);
}
