/* emit_attention.c: scaled dot product attention in one kernel, with the online softmax over blocks
 * of keys, so that the scores of a task never leave its caches.
 *
 * A task is up to QUERIES queries of one head. Vector lanes run over the queries
 * (prelude_attention.c.in): only the queries are transposed on the way in and the results on the
 * way out; keys and values are read where they lie, in any layout, as broadcast elements. Other
 * dtypes than fp32 are widened block by block.
 */
#include <string.h>

#include "backend/cpu/compile/cgen.h"

typedef struct plan {
    tn_cg *cg;
    const tn_attention_spec *spec;
    int64_t queries;          /* per task; a multiple of the prelude's TN_ATT_PANEL */
    int64_t keys;             /* per block */
    const char *type, *dtype; /* of q, k and v: in C, and in the prelude's names */
    bool is_widened;
} plan;

static const char *index_sum(const plan *p, const tn_cg_tensor *tensor, const char *const *indices,
                             uint32_t rank) {
    tn_cg *cg = p->cg;
    const char *text = tn_cg_sym(cg, tensor->offset);
    for (uint32_t i = 0; i < rank; i++) {
        if (tn_sym_is(tensor->strides[i], 0) || strcmp(indices[i], "0") == 0)
            continue;
        text = tn_cg_text(cg, "%s + %s * %s", text, indices[i], tn_cg_sym(cg, tensor->strides[i]));
    }
    return text;
}

/* Declares b0.., h, first_query and queries of the task. Tasks count query blocks fastest:
 * neighbours share keys and values. */
static void print_task(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_attention_spec *spec = p->spec;
    tn_cg_line(cg, "const int64_t first_query = task %% query_blocks * QUERIES;");
    tn_cg_line(cg, "int64_t rest = task / query_blocks;");
    tn_cg_line(cg, "const int64_t h = rest %% %s;", tn_cg_sym(cg, spec->heads));
    tn_cg_line(cg, "rest /= %s;", tn_cg_sym(cg, spec->heads));
    for (uint32_t i = spec->batch_rank; i > 0; i--) {
        const char *size = tn_cg_sym(cg, spec->batch[i - 1]);
        tn_cg_line(cg, "const int64_t b%u = rest %% %s;", i - 1, size);
        tn_cg_line(cg, "rest /= %s;", size);
    }
    tn_cg_line(cg, "const int64_t left = query_count - first_query;");
    tn_cg_line(cg, "const int64_t queries = left < QUERIES ? left : QUERIES;");
}

static void print_pointer(const plan *p, const char *type, const char *name,
                          const tn_cg_tensor *tensor, const char *head, const char *row) {
    tn_cg *cg = p->cg;
    const char *indices[TN_MAX_RANK];
    uint32_t rank = 0;
    for (; rank < p->spec->batch_rank; rank++)
        indices[rank] = tn_cg_text(cg, "b%u", rank);
    indices[rank++] = head;
    indices[rank++] = row;
    tn_cg_line(cg, "const %s *%s = (const %s *)buf[%u] + %s;", type, name, type, tensor->buf,
               index_sum(p, tensor, indices, rank));
}

/* The queries, scaled, in columns: query_columns[d][QUERIES], zeros in the columns without a query.
 */
static void print_queries(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_attention_spec *spec = p->spec;
    const uint32_t dim = spec->batch_rank + 2;
    const char *rows = "rows", *row_stride = "head_dim";
    print_pointer(p, p->type, "q", &spec->q, "h", "first_query");
    const char *query_stride = tn_cg_sym(cg, spec->q.strides[dim - 1]);
    if (!p->is_widened && tn_sym_is(spec->q.strides[dim], 1)) {
        rows = "q";
        row_stride = query_stride;
    } else {
        tn_cg_line(cg, "tn_att_widen_%s(q, %s, %s, queries, head_dim, rows);", p->dtype,
                   query_stride, tn_cg_sym(cg, spec->q.strides[dim]));
    }
    tn_cg_line(cg, "tn_att_load_queries(%s, %s, queries, head_dim, %af, query_columns, QUERIES);",
               rows, row_stride, spec->scale);
}

/* Keys or values of one block as fp32: in place, or widened into scratch. Prints the pointer NAME
 * and returns the strides of rows and columns through the last two arguments. */
static void print_block(const plan *p, const char *name, const char *source,
                        const tn_cg_tensor *tensor, const char *width, const char **out_row,
                        const char **out_column) {
    tn_cg *cg = p->cg;
    const uint32_t dim = p->spec->batch_rank + 2;
    const char *row = tn_cg_sym(cg, tensor->strides[dim - 1]);
    const char *column = tn_cg_sym(cg, tensor->strides[dim]);
    if (p->is_widened) {
        tn_cg_line(cg, "tn_att_widen_%s(%s + first_key * %s, %s, %s, keys, %s, wide_%s);", p->dtype,
                   source, row, row, column, width, name);
        tn_cg_line(cg, "const float *%s_block = wide_%s;", name, name);
        *out_row = width;
        *out_column = "1";
    } else {
        tn_cg_line(cg, "const float *%s_block = %s + first_key * %s;", name, source, row);
        *out_row = row;
        *out_column = column;
    }
}

/* Adds the mask to one vector of scores `x`: keys first_key + key, queries first_query + lane. */
static void print_mask(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_attention_spec *spec = p->spec;
    const uint32_t dim = spec->batch_rank + 2;
    if (spec->has_mask) {
        const char *query = tn_cg_sym(cg, spec->mask.strides[dim - 1]);
        const char *key = tn_cg_sym(cg, spec->mask.strides[dim]);
        const char *at = tn_cg_text(cg, "mask + lane * %s + (first_key + key) * %s", query, key);
        if (spec->mask.dtype == TN_BOOL)
            tn_cg_line(cg, "x = tn_sel_f(tn_att_load_bool(%s, %s, lanes), x, none);", at, query);
        else
            tn_cg_line(cg, "x += tn_load_%s(%s, %s, lanes);", tn_dtype_name(spec->mask.dtype), at,
                       query);
    }
    if (spec->is_causal)
        tn_cg_line(cg, "x = tn_sel_f(last_key >= (int32_t)(first_key + key), x, none);");
    tn_cg_line(cg, "tn_store_f32(scores + key * QUERIES + lane, 1, TN_W, x);");
}

/* The scores of one block, from products to exponentials, and the rescaling of what came before. */
static void print_softmax(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_attention_spec *spec = p->spec;
    tn_cg_line(cg, "for (int64_t lane = 0; lane < queries; lane += TN_W) {");
    if (spec->has_mask)
        tn_cg_line(cg, "const int64_t lanes = queries - lane < TN_W ? queries - lane : TN_W;");
    if (spec->is_causal)
        tn_cg_line(cg, "const tn_vi last_key = tn_att_iota((int32_t)(first_query + lane + %s));",
                   tn_cg_sym(cg, spec->causal_offset));
    tn_cg_line(cg, "tn_vf block_max = none;");
    tn_cg_line(cg, "for (int64_t key = 0; key < keys; key++) {");
    tn_cg_line(cg, "tn_vf x = tn_load_f32(scores + key * QUERIES + lane, 1, TN_W);");
    if (spec->has_mask || spec->is_causal)
        print_mask(p);
    tn_cg_line(cg, "block_max = tn_greater_f(block_max, x);");
    tn_cg_close(cg, "");
    tn_cg_line(cg,
               "const tn_vf factor = tn_att_softmax_step(scores + lane, QUERIES, keys, block_max, "
               "max + lane, sum + lane);");
    tn_cg_line(cg, "if (first_key > 0)");
    tn_cg_line(cg, "    tn_att_rescale(out + lane, QUERIES, value_dim, factor);");
    tn_cg_close(cg, "");
}

static void print_key_loop(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_attention_spec *spec = p->spec;
    const char *row, *column;
    if (spec->is_causal) {
        tn_cg_line(cg, "/* Keys after the last query's are masked for the whole task. */");
        tn_cg_line(cg, "const int64_t reach = first_query + queries + %s;",
                   tn_cg_sym(cg, spec->causal_offset));
        tn_cg_line(cg, "const int64_t key_end = reach < key_count ? reach : key_count;");
    } else {
        tn_cg_line(cg, "const int64_t key_end = key_count;");
    }
    tn_cg_line(cg, "for (int64_t first_key = 0; first_key < key_end; first_key += KEYS) {");
    tn_cg_line(cg, "const int64_t keys = key_end - first_key < KEYS ? key_end - first_key : KEYS;");
    print_block(p, "k", "k", &spec->k, "head_dim", &row, &column);
    tn_cg_line(cg, "for (int64_t key = 0; key < keys; key += TN_ATT_I)");
    tn_cg_line(cg, "    for (int64_t panel = 0; panel < queries; panel += TN_ATT_PANEL)");
    tn_cg_line(cg,
               "        tn_att_block(k_block + key * %s, %s, %s, keys - key, "
               "query_columns + panel, head_dim,",
               row, row, column);
    tn_cg_line(cg, "                     scores + key * QUERIES + panel, QUERIES, 0);");
    print_softmax(p);
    print_block(p, "v", "v", &spec->v, "value_dim", &row, &column);
    tn_cg_line(cg, "for (int64_t e = 0; e < value_dim; e += TN_ATT_I)");
    tn_cg_line(cg, "    for (int64_t panel = 0; panel < queries; panel += TN_ATT_PANEL)");
    tn_cg_line(
        cg, "        tn_att_block(v_block + e * %s, %s, %s, value_dim - e, scores + panel, keys,",
        column, column, row);
    tn_cg_line(cg, "                     out + e * QUERIES + panel, QUERIES, 1);");
    tn_cg_close(cg, "");
}

static void print_result(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_attention_spec *spec = p->spec;
    const char *indices = "";
    for (uint32_t i = 0; i < spec->batch_rank; i++)
        indices = tn_cg_text(cg, "%sb%u, ", indices, i);
    tn_cg_line(cg, "tn_transpose(out, QUERIES, value_dim, queries, rows, value_dim);");
    tn_cg_line(cg, "for (int64_t i = 0; i < queries; i++) {");
    tn_cg_line(cg, "const float scale = sum[i] == 0.0f ? 0.0f : 1.0f / sum[i]; /* no key: 0 */");
    tn_cg_line(cg, "for (int64_t e = 0; e < value_dim; e += TN_W) {");
    tn_cg_line(cg, "const int64_t lanes = value_dim - e < TN_W ? value_dim - e : TN_W;");
    tn_cg_line(cg, "const tn_vf value = tn_load_f32(rows + i * value_dim + e, 1, lanes) * scale;");
    tn_cg_line(cg, "%s(buf, sym, %sh, first_query + i, e, lanes, value);", spec->store, indices);
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
}

/* Declares the parts of scratch, in floats, and returns their total in bytes. */
static const tn_sym *print_scratch(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_attention_spec *spec = p->spec;
    tn_syms *syms = cg->syms;
    /* The blocks of the prelude may write up to seven rows more than wanted. */
    const int64_t slack = 8;
    const tn_sym *widest = tn_sym_max(syms, spec->d, spec->e);
    const struct {
        const char *name;
        const tn_sym *floats;
    } parts[] = {
        {"query_columns", tn_sym_muli(syms, spec->d, p->queries)},
        {"scores", tn_sym_const(syms, (p->keys + slack) * p->queries)},
        {"out", tn_sym_muli(syms, tn_sym_addi(syms, spec->e, slack), p->queries)},
        {"rows", tn_sym_muli(syms, widest, p->queries)},
        {"max", tn_sym_const(syms, p->queries)},
        {"sum", tn_sym_const(syms, p->queries)},
        {"wide_k", tn_sym_muli(syms, spec->d, p->keys)},
        {"wide_v", tn_sym_muli(syms, spec->e, p->keys)},
    };
    const tn_sym *total = tn_sym_const(syms, 0);
    for (size_t i = 0; i < (p->is_widened ? 8u : 6u); i++) {
        tn_cg_line(cg, "float *const %s = (float *)scratch + %s;", parts[i].name,
                   tn_cg_sym(cg, total));
        total = tn_sym_add(syms, total, parts[i].floats);
    }
    return tn_sym_muli(syms, total, sizeof(float));
}

tn_status tn_emit_attention(tn_cg *cg, const tn_attention_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){0};
    plan p = {.cg = cg, .spec = spec, .dtype = tn_dtype_name(spec->dtype)};
    if (spec->dtype != TN_F32 && spec->dtype != TN_BF16 && spec->dtype != TN_F16)
        return tn_error_make(TN_UNSUPPORTED,
                             "attention on cpu: dtype %s, expected f32, bf16 or f16", p.dtype);
    p.is_widened = spec->dtype != TN_F32;
    p.type = p.is_widened ? "uint16_t" : "float";
    const int64_t panel = (int64_t)cg->target->lanes * (cg->target->is_portable ? 1 : 2);
    p.queries = 2 * panel;
    if (spec->s->max <= panel)
        p.queries = panel;
    p.keys = 64;
    cg->parts |= TN_CG_PART_ATTENTION;

    tn_cg_line(
        cg, "/* attention; a task is QUERIES queries of one head, in lanes, against KEYS keys at a "
            "time */");
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, spec->name));
    tn_cg_line(cg, "enum { QUERIES = %lld, KEYS = %lld };", (long long)p.queries,
               (long long)p.keys);
    tn_cg_line(cg, "const int64_t head_dim = %s, value_dim = %s;", tn_cg_sym(cg, spec->d),
               tn_cg_sym(cg, spec->e));
    tn_cg_line(cg, "const int64_t query_count = %s, key_count = %s;", tn_cg_sym(cg, spec->s),
               tn_cg_sym(cg, spec->t));
    tn_cg_line(cg, "const int64_t query_blocks = (query_count + QUERIES - 1) / QUERIES;");
    tn_cg_line(cg, "const tn_vf none = tn_set_f(-__builtin_inff());");
    out_kernel->scratch_bytes = print_scratch(&p);
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    print_task(&p);
    print_queries(&p);
    const tn_sym *group = tn_sym_floordiv(cg->syms, spec->heads, spec->kv_heads);
    const char *kv_head =
        tn_sym_is(group, 1) ? "h" : tn_cg_text(cg, "(h / %s)", tn_cg_sym(cg, group));
    print_pointer(&p, p.type, "k", &spec->k, kv_head, "0");
    print_pointer(&p, p.type, "v", &spec->v, kv_head, "0");
    if (spec->has_mask)
        print_pointer(&p,
                      spec->mask.dtype == TN_BOOL  ? "uint8_t"
                      : spec->mask.dtype == TN_F32 ? "float"
                                                   : "uint16_t",
                      "mask", &spec->mask, "h", "first_query");
    tn_cg_line(cg, "tn_att_begin(out, value_dim * QUERIES, max, sum, QUERIES);");
    print_key_loop(&p);
    print_result(&p);
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);

    const tn_sym *blocks = tn_sym_ceildiv(cg->syms, spec->s, tn_sym_const(cg->syms, p.queries));
    out_kernel->task_count = tn_sym_mul(cg->syms, blocks, spec->heads);
    for (uint32_t i = 0; i < spec->batch_rank; i++)
        out_kernel->task_count = tn_sym_mul(cg->syms, out_kernel->task_count, spec->batch[i]);
    return tn_cg_status(cg);
}
