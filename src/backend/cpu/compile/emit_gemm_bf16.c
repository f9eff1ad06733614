/* emit_gemm_bf16.c: matrix products of bf16, accumulated in fp32.
 *
 * A task is a block of rows times one panel of 32 columns. With AMX its results stay in L1 while k
 * passes by, beside the right side of one pass; the left side is read where it lies, out of L2. The
 * last pass hands every few rows to the store function as soon as they are complete. Without AMX,
 * and for so few rows that reading the weights is all the time it takes, pairs are widened in
 * registers (prelude_bf16.c.in); both read the same packed weights.
 *
 * The left side is copied first, once per block, if its rows are not contiguous or k is not a whole
 * number of steps: padding must be zeros, since what lies behind a row may be NaN. A right side
 * that is not constant is packed panel by panel.
 */
#include <assert.h>
#include <string.h>

#include "backend/cpu/compile/emit_bf16.h"

enum {
    FEW_ROWS = 2, /* up to here the vector units are as fast as memory */
    VECTOR_BLOCK = 48,
    WHOLE_BLOCK = 224,  /* so many rows are one block with tiles: each panel is read once */
    ALIAS_BYTES = 4096, /* rows so far apart share the lines of one set of L1 */
    COPY_PADDING = 32,  /* elements behind each copied row, so that copies do not */
};

typedef struct gemm {
    tn_cg *cg;
    const tn_gemm_spec *spec;
    bool has_tiles, has_few_rows_path;
    bool copies_a, packs_b;
    int64_t block_rows;
    int64_t panel_columns; /* logical ones: 32, or 16 pairs */
    const tn_sym *columns, *panels, *blocks, *batches, *padded_k;
} gemm;

/* ---- packing at compile time ------------------------------------------------------------------
 */

enum { PARAM_K, PARAM_N, PARAM_PAIRED };

/* Column of the packed matrix: pairs of columns n, n + N/2 share a panel of 2 x 16. */
static int64_t packed_column(const int64_t *params, int64_t n) {
    if (!params[PARAM_PAIRED])
        return n;
    const int64_t half = params[PARAM_N] / 2, column = n % half;
    return column / 16 * TN_BF16_PANEL + n / half * 16 + column % 16;
}

static void pack_weight(const tn_cg_pack *self, const tn_tensor *weight, void *out) {
    assert(weight->dtype == TN_BF16 && weight->rank >= 2);
    const int64_t k_count = self->params[PARAM_K];
    const int64_t k_stride = weight->strides[weight->rank - 2];
    const int64_t n_stride = weight->strides[weight->rank - 1];
    for (int64_t n = 0; n < self->params[PARAM_N]; n++) {
        const uint16_t *from = (const uint16_t *)weight->data + n * n_stride;
        const int64_t column = packed_column(self->params, n);
        for (int64_t k = 0; k < k_count; k++)
            ((uint16_t *)out)[tn_bf16_packed_at(k_count, k, column)] = from[k * k_stride];
    }
}

static void describe_pack(const gemm *g, tn_cg_kernel *kernel) {
    const int64_t k = g->spec->k->value;
    tn_cg_pack *pack = &kernel->packs[kernel->pack_count++];
    *pack = (tn_cg_pack){
        .buf = g->spec->b.buf,
        .bytes = (size_t)(g->panels->value * tn_bf16_panel_elems(k)) * sizeof(uint16_t),
        .pack = pack_weight,
        .params = {k, g->spec->n->value, g->spec->is_paired},
    };
}

/* ---- choices ----------------------------------------------------------------------------------
 */

/* Blocks of about the same size: each reads every panel. */
static int64_t choose_block_rows(const gemm *g) {
    const int64_t most = g->has_tiles ? TN_BF16_BLOCK : VECTOR_BLOCK;
    const int64_t rows = tn_sym_const_or(g->spec->m, most);
    if (rows < 1)
        return most;
    if (g->has_tiles && rows <= WHOLE_BLOCK)
        return rows;
    return tn_ceildiv(rows, tn_ceildiv(rows, most));
}
/* Rows of the buffer of results: the last block of tiles may reach beyond the last row. */
static int64_t result_rows(const gemm *g) {
    return g->has_tiles ? tn_ceildiv(g->block_rows, 32) * 32 : g->block_rows;
}

static void choose(gemm *g) {
    const tn_gemm_spec *spec = g->spec;
    tn_syms *syms = g->cg->syms;
    g->has_tiles = g->cg->target->has_amx_bf16 && spec->m->max > FEW_ROWS;
    g->has_few_rows_path = g->cg->target->has_amx_bf16 && spec->m->min <= FEW_ROWS;
    const bool is_whole = tn_cg_is_multiple(g->cg, spec->k, TN_BF16_STEP);
    const tn_sym *row = spec->a.strides[spec->batch_rank];
    const bool is_aliasing = tn_sym_is_const(row) && row->value * 2 % ALIAS_BYTES == 0;
    g->copies_a = !is_whole || !tn_sym_is(spec->a.strides[spec->batch_rank + 1], 1) ||
                  (g->has_tiles && is_aliasing);
    g->packs_b = !spec->b_is_const;
    g->block_rows = choose_block_rows(g);
    g->panel_columns = spec->is_paired ? TN_BF16_PANEL / 2 : TN_BF16_PANEL;
    g->columns = spec->is_paired ? tn_sym_floordiv(syms, spec->n, tn_sym_const(syms, 2)) : spec->n;
    g->panels = tn_sym_ceildiv(syms, g->columns, tn_sym_const(syms, g->panel_columns));
    g->blocks = tn_sym_ceildiv(syms, spec->m, tn_sym_const(syms, g->block_rows));
    g->batches = tn_sym_const(syms, 1);
    for (uint32_t i = 0; i < spec->batch_rank; i++)
        g->batches = tn_sym_mul(syms, g->batches, spec->batch[i]);
    const tn_sym *step = tn_sym_const(syms, TN_BF16_STEP);
    g->padded_k = tn_sym_mul(syms, tn_sym_ceildiv(syms, spec->k, step), step);
}

/* ---- text -------------------------------------------------------------------------------------
 */

/* "i0, i1, " with a prefix to each name. */
static const char *batch_names(const gemm *g, const char *prefix) {
    const char *text = "";
    for (uint32_t i = 0; i < g->spec->batch_rank; i++)
        text = tn_cg_text(g->cg, "%s%si%u, ", text, prefix, i);
    return text;
}

static const char *matrix(const gemm *g, const tn_cg_tensor *tensor) {
    tn_cg *cg = g->cg;
    const char *text = tn_cg_text(cg, "(const uint16_t *)buf[%u]", tensor->buf);
    if (!tn_sym_is(tensor->offset, 0))
        text = tn_cg_text(cg, "%s + %s", text, tn_cg_sym(cg, tensor->offset));
    for (uint32_t i = 0; i < g->spec->batch_rank; i++)
        if (!tn_sym_is(tensor->strides[i], 0))
            text = tn_cg_text(cg, "%s + i%u * %s", text, i, tn_cg_sym(cg, tensor->strides[i]));
    return text;
}

/* Calls the store function for the columns n + offset.. of one row, as many as there are. */
static void print_store(const gemm *g, int offset, bool is_whole) {
    tn_cg *cg = g->cg;
    const char *store = g->spec->store, *batch = batch_names(g, "");
    const char *lanes = "TN_W";
    if (!is_whole) {
        tn_cg_line(cg, "if (left > %d) {", offset);
        tn_cg_line(cg, "const int64_t lanes = left - %d < TN_W ? left - %d : TN_W;", offset,
                   offset);
        lanes = "lanes";
    }
    if (g->spec->is_paired) {
        tn_cg_line(cg, "%s(buf, sym, %sm + i, n + %d, %s, tn_load_f32(row + %d, 1, TN_W),", store,
                   batch, offset, lanes, offset);
        tn_cg_line(cg, "    tn_load_f32(row + %d, 1, TN_W));", offset + 16);
    } else {
        tn_cg_line(cg, "%s(buf, sym, %sm + i, n + %d, %s, tn_load_f32(row + %d, 1, TN_W));", store,
                   batch, offset, lanes, offset);
    }
    if (!is_whole)
        tn_cg_close(cg, "");
}

static void print_store_rows(const gemm *g, bool is_whole) {
    tn_cg *cg = g->cg;
    tn_cg_line(cg, "for (int64_t i = 0; i < rows; i++) {");
    tn_cg_line(cg, "const float *row = c + i * TN_BF16_PANEL;");
    for (int offset = 0; offset < g->panel_columns; offset += (int)cg->target->lanes)
        print_store(g, offset, is_whole);
    tn_cg_close(cg, "");
}

/* NAME_store: hands the results of some rows of one panel to the store function. */
static void print_store_function(const gemm *g) {
    tn_cg *cg = g->cg;
    const char *columns = tn_cg_sym(cg, g->columns);
    const bool is_ragged = !tn_cg_is_multiple(cg, g->columns, g->panel_columns);
    tn_cg_function function;
    tn_cg_begin_function(cg, &function,
                         tn_cg_text(cg,
                                    "static void %s_store(void *const *buf, const int64_t *sym, "
                                    "%sint64_t m, int64_t rows,\n    int64_t n, const float *c)",
                                    g->spec->name, batch_names(g, "int64_t ")));
    if (is_ragged) {
        tn_cg_line(cg, "const int64_t left = %s - n;", columns);
        tn_cg_line(cg, "if (left < %lld) {", (long long)g->panel_columns);
        print_store_rows(g, false);
        tn_cg_line(cg, "return;");
        tn_cg_close(cg, "");
    }
    print_store_rows(g, true);
    tn_cg_end_function(cg, &function);
}

/* Tasks that share what is packed or copied follow each other. */
static void print_task(const gemm *g) {
    tn_cg *cg = g->cg;
    tn_cg_line(cg, "int64_t rest = task;");
    tn_contract_print_index(cg, g->packs_b ? "block" : "panel", g->packs_b ? g->blocks : g->panels);
    tn_cg_line(cg, "const int64_t shared = rest; /* by the tasks that %s */",
               g->packs_b ? "multiply with the same panel" : "read the same rows");
    tn_contract_print_index(cg, g->packs_b ? "panel" : "block", g->packs_b ? g->panels : g->blocks);
    for (uint32_t i = g->spec->batch_rank; i-- > 0;)
        tn_contract_print_index(cg, tn_cg_text(cg, "i%u", i), g->spec->batch[i]);
    tn_cg_line(cg, "const int64_t m = block * %lld, n = panel * %lld;", (long long)g->block_rows,
               (long long)g->panel_columns);
    tn_cg_line(cg, "const int64_t rows = %s - m < %lld ? %s - m : %lld;", tn_cg_sym(cg, g->spec->m),
               (long long)g->block_rows, tn_cg_sym(cg, g->spec->m), (long long)g->block_rows);
}

static void print_right_side(const gemm *g) {
    tn_cg *cg = g->cg;
    const tn_sym *const *strides = &g->spec->b.strides[g->spec->batch_rank];
    if (!g->packs_b) {
        tn_cg_line(cg,
                   "const uint16_t *const b = (const uint16_t *)buf[%u] + panel * (padded_k * %d);",
                   g->spec->b.buf, TN_BF16_PANEL);
        return;
    }
    tn_cg_line(cg, "if (shared != packed)");
    tn_cg_line(cg, "    tn_bf16_pack_panel(%s + n * %s, %s, %s, k_count, %s - n, b);",
               matrix(g, &g->spec->b), tn_cg_sym(cg, strides[1]), tn_cg_sym(cg, strides[0]),
               tn_cg_sym(cg, strides[1]), tn_cg_sym(cg, g->columns));
    tn_cg_line(cg, "packed = shared;");
}

/* Brings the task's rows of the left side into `a`, unless the last task did. */
static void print_copy(const gemm *g, const char *prepare) {
    tn_cg *cg = g->cg;
    const tn_sym *const *strides = &g->spec->a.strides[g->spec->batch_rank];
    const char *row = tn_cg_sym(cg, strides[0]), *column = tn_cg_sym(cg, strides[1]);
    const char *same = g->packs_b ? "task" : "shared";
    tn_cg_line(cg, "if (%s != copied)", same);
    tn_cg_line(cg, "    %s(%s + m * %s, %s, %s, rows, k_count, a, a_row);", prepare,
               matrix(g, &g->spec->a), row, row, column);
    tn_cg_line(cg, "copied = %s;", same);
}

/* Results of the task's rows by tiles, pass by pass over k; no steps are one pass that clears. */
static void print_tile_product(const gemm *g) {
    tn_cg *cg = g->cg;
    const char *row_stride = tn_cg_sym(cg, g->spec->a.strides[g->spec->batch_rank]);
    if (g->copies_a) {
        print_copy(g, "tn_bf16_copy");
        row_stride = "a_row";
    } else {
        tn_cg_line(cg, "const uint16_t *const a = %s + m * %s;", matrix(g, &g->spec->a),
                   row_stride);
    }
    tn_cg_line(cg, "const int64_t height = tn_amx_height(rows);");
    tn_cg_line(cg, "if (height != configured)");
    tn_cg_line(cg, "    tn_amx_configure(height);");
    tn_cg_line(cg, "configured = height;");
    tn_cg_line(cg, "for (int64_t k = 0; k == 0 || k < padded_k; k += PASS) {");
    tn_cg_line(cg,
               "const int64_t steps = (padded_k - k < PASS ? padded_k - k : PASS) / TN_BF16_STEP;");
    tn_cg_line(cg, "const uint16_t *const right = b + k * TN_BF16_PANEL;");
    tn_cg_line(cg, "const char *next = (const char *)(right + PASS * TN_BF16_PANEL);");
    tn_cg_line(cg, "float *results = c;");
    tn_cg_line(cg, "for (int64_t i = 0; i < rows; i += height) {");
    tn_cg_line(cg, "const int64_t first = i + height <= rows ? i : rows - height;");
    tn_cg_line(cg,
               "tn_amx_rows(height, a + first * %s + k, %s, NULL, right, steps, results, k == 0, "
               "next, LINES);",
               row_stride, row_stride);
    tn_cg_line(cg, "if (k + PASS >= padded_k)");
    tn_cg_line(cg,
               "    %s_store(buf, sym, %sm + i, first + height - i, n, results + (i - first) * "
               "TN_BF16_PANEL);",
               g->spec->name, batch_names(g, ""));
    tn_cg_line(cg, "results += height * TN_BF16_PANEL;");
    tn_cg_line(cg, "next += steps * LINES * 64;");
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
}

/* What stays the same over all tasks. */
static void print_tile_constants(const gemm *g) {
    tn_cg *cg = g->cg;
    const int64_t steps = tn_sym_is_const(g->padded_k)
                              ? tn_bf16_pass_steps(g->padded_k->value / TN_BF16_STEP)
                              : TN_BF16_MOST_STEPS;
    tn_cg_line(cg, "enum { PASS = %lld }; /* of k: both sides of a block of rows stay in L1 */",
               (long long)steps * TN_BF16_STEP);
    tn_cg_line(cg, "enum { LINES = %d }; /* of the next pass to fetch at each step */",
               g->packs_b ? 0 : (int)tn_ceildiv(32, tn_ceildiv(g->block_rows, 32)));
    tn_cg_line(cg, "int64_t configured = 0; /* rows of a block */");
}

/* The function that works through the tasks, with tiles or with vectors. */
static void print_tasks(const gemm *g, const char *name, bool with_tiles) {
    tn_cg *cg = g->cg;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, name));
    tn_cg_line(cg, "const int64_t k_count = %s, padded_k = tn_bf16_padded(k_count);",
               tn_cg_sym(cg, g->spec->k));
    tn_cg_line(cg, "float *const c = scratch;");
    const char *after_c = tn_cg_text(cg, "c + %lld", (long long)result_rows(g) * TN_BF16_PANEL);
    if (g->packs_b) {
        tn_cg_line(cg, "uint16_t *const b = (uint16_t *)(%s);", after_c);
        tn_cg_line(cg, "int64_t packed = -1;");
        after_c = "b + padded_k * TN_BF16_PANEL";
    }
    if (with_tiles) {
        print_tile_constants(g);
        if (g->copies_a)
            tn_cg_line(cg, "uint16_t *const a = (uint16_t *)(%s);", after_c);
    } else {
        tn_cg_line(cg, "float *const a = (float *)(%s);", after_c);
    }
    if (g->copies_a || !with_tiles) {
        tn_cg_line(cg, "const int64_t a_row = padded_k + %d;", COPY_PADDING);
        tn_cg_line(cg, "int64_t copied = -1;");
    }
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    print_task(g);
    print_right_side(g);
    if (with_tiles) {
        print_tile_product(g);
    } else {
        print_copy(g, "tn_bf16_widen");
        tn_cg_line(cg, "tn_bf16_multiply(a, a_row, rows, NULL, b, padded_k / TN_BF16_STEP, c);");
        tn_cg_line(cg, "%s_store(buf, sym, %sm, rows, n, c);", g->spec->name, batch_names(g, ""));
    }
    tn_cg_close(cg, "");
    if (with_tiles)
        tn_cg_line(cg, "tn_amx_release();");
    tn_cg_end_function(cg, &function);
}

static void print_kernel(const gemm *g) {
    tn_cg *cg = g->cg;
    if (!g->has_tiles || !g->has_few_rows_path) {
        print_tasks(g, g->spec->name, g->has_tiles);
        return;
    }
    const char *few = tn_cg_text(cg, "%s_few_rows", g->spec->name);
    const char *tiles = tn_cg_text(cg, "%s_tiles", g->spec->name);
    print_tasks(g, few, false);
    print_tasks(g, tiles, true);
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, g->spec->name));
    tn_cg_line(cg, "if (%s <= %d)", tn_cg_sym(cg, g->spec->m), FEW_ROWS);
    tn_cg_line(cg, "    %s(buf, sym, task_begin, task_end, scratch);", few);
    tn_cg_line(cg, "else");
    tn_cg_line(cg, "    %s(buf, sym, task_begin, task_end, scratch);", tiles);
    tn_cg_end_function(cg, &function);
}

static const tn_sym *scratch_bytes(const gemm *g) {
    tn_syms *syms = g->cg->syms;
    const int64_t widened = (g->has_tiles ? FEW_ROWS : g->block_rows) * (int64_t)sizeof(float);
    const int64_t copied = g->copies_a ? g->block_rows * (int64_t)sizeof(uint16_t) : 0;
    const bool needs_widened = !g->has_tiles || (g->has_few_rows_path && widened > copied);
    const tn_sym *a_row = tn_sym_addi(syms, g->padded_k, COPY_PADDING);
    const tn_sym *a = tn_sym_muli(syms, a_row, needs_widened ? widened : copied);
    const int64_t b_row = g->packs_b ? TN_BF16_PANEL * (int64_t)sizeof(uint16_t) : 0;
    const tn_sym *b = tn_sym_muli(syms, g->padded_k, b_row);
    const int64_t results = result_rows(g) * TN_BF16_PANEL * (int64_t)sizeof(float);
    return tn_sym_addi(syms, tn_sym_add(syms, a, b), results);
}

tn_status tn_emit_gemm_bf16(tn_cg *cg, const tn_gemm_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){0};
    gemm g = {.cg = cg, .spec = spec};
    choose(&g);
    TN_TRY(tn_syms_status(cg->syms));
    cg->parts |= TN_CG_PART_BF16 | (g.has_tiles ? TN_CG_PART_AMX : 0);
    tn_cg_line(cg,
               "/* out[m, n] = sum over k of a[m, k] b[k, n] in bf16: %s x %s, depth %s; a task is",
               tn_cg_sym(cg, spec->m), tn_cg_sym(cg, spec->n), tn_cg_sym(cg, spec->k));
    tn_cg_line(cg, " * %lld rows by %lld columns%s. */", (long long)g.block_rows,
               (long long)g.panel_columns, g.has_tiles ? ", in AMX tiles" : "");
    print_store_function(&g);
    print_kernel(&g);

    const tn_sym *tasks = tn_sym_mul(cg->syms, g.blocks, g.panels);
    out_kernel->task_count = tn_sym_mul(cg->syms, tasks, g.batches);
    out_kernel->scratch_bytes = scratch_bytes(&g);
    if (spec->b_is_const)
        describe_pack(&g, out_kernel);
    return tn_cg_status(cg);
}
