/* emit_attention.c: scaled dot product attention in one kernel, with the online softmax over blocks
 * of keys, so that the scores of a task never leave its caches.
 *
 * A task is up to QUERIES queries of one head. Vector lanes run over the queries
 * (prelude_attention.c.in): only the queries are transposed on the way in and the results on the
 * way out; keys and values are read where they lie, in any layout, as broadcast elements. Other
 * dtypes than fp32 are widened block by block. With AMX, bf16 keeps this order: keys are the rows
 * of the first product, values are transposed block by block (prelude_attention_amx.c.in).
 */
#include <string.h>

#include "backend/cpu/compile/cgen.h"

typedef struct plan {
    tn_cg *cg;
    const tn_attention_spec *spec;
    int64_t queries;          /* per task; a multiple of the prelude's TN_ATT_PANEL */
    int64_t keys;             /* per block */
    const char *type, *dtype; /* of q, k and v: in C, and in the prelude's names */
    bool is_widened, has_tiles;
    const tn_sym *padded_d, *padded_e; /* with tiles: in whole tiles */
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

/* Tiles read rows that are contiguous along d in whole steps. */
static bool reads_in_place(const plan *p, const tn_cg_tensor *tensor) {
    return tn_cg_is_multiple(p->cg, p->spec->d, 32) &&
           tn_sym_is(tensor->strides[p->spec->batch_rank + 2], 1);
}

/* With tiles: the queries as pairs of elements in columns. */
static void print_query_pairs(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_cg_tensor *q = &p->spec->q;
    const uint32_t dim = p->spec->batch_rank + 2;
    const char *rows = "q", *row_stride = tn_cg_sym(cg, q->strides[dim - 1]);
    print_pointer(p, p->type, "q", q, "h", "first_query");
    if (!reads_in_place(p, q) || !tn_cg_is_multiple(cg, q->strides[dim - 1], 2)) {
        tn_cg_line(cg, "tn_bf16_copy(q, %s, %s, queries, head_dim, (uint16_t *)rows, padded_d);",
                   row_stride, tn_cg_sym(cg, q->strides[dim]));
        rows = "(const uint16_t *)rows";
        row_stride = "padded_d";
    }
    tn_cg_line(cg, "tn_att_query_pairs(%s, %s, queries, padded_d, query_pairs, QUERIES);", rows,
               row_stride);
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
    tn_cg_line(cg, "tn_vf x = tn_load_f32(scores + key * QUERIES + lane, 1, TN_W)%s;",
               p->has_tiles ? tn_cg_text(cg, " * %af", spec->scale) : "");
    if (spec->has_mask || spec->is_causal)
        print_mask(p);
    tn_cg_line(cg, "block_max = tn_greater_f(block_max, x);");
    tn_cg_close(cg, "");
    if (p->has_tiles) {
        /* Scores that passed through a mask were stored scaled. */
        const bool is_scaled = spec->has_mask || spec->is_causal;
        tn_cg_line(cg,
                   "const tn_vf factor = tn_att_softmax_pairs(scores + lane, QUERIES, keys, %af, "
                   "block_max,",
                   is_scaled ? 1.0 : spec->scale);
        tn_cg_line(cg, "    max + lane, sum + lane, pairs + lane);");
    } else {
        tn_cg_line(cg, "const tn_vf factor = tn_att_softmax_step(scores + lane, QUERIES, keys, "
                       "block_max,");
        tn_cg_line(cg, "    max + lane, sum + lane);");
    }
    tn_cg_line(cg, "if (first_key > 0)");
    tn_cg_line(cg, "    tn_att_rescale(out + lane, QUERIES, value_dim, factor);");
    tn_cg_close(cg, "");
}

/* scores[key][query] of one block, with the vector units. */
static void print_scores(const plan *p) {
    tn_cg *cg = p->cg;
    const char *row, *column;
    print_block(p, "k", "k", &p->spec->k, "head_dim", &row, &column);
    tn_cg_line(cg, "for (int64_t key = 0; key < keys; key += TN_ATT_I)");
    tn_cg_line(cg, "    for (int64_t panel = 0; panel < queries; panel += TN_ATT_PANEL)");
    tn_cg_line(
        cg,
        "        tn_att_block(k_block + key * %s, %s, %s, keys - key, query_columns + panel, "
        "head_dim,",
        row, row, column);
    tn_cg_line(cg, "                     scores + key * QUERIES + panel, QUERIES, 0);");
}

/* The same with tiles; the keys of a last, partial block are copied, since tiles read whole ones.
 */
static void print_tile_scores(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_cg_tensor *k = &p->spec->k;
    const uint32_t dim = p->spec->batch_rank + 2;
    const char *row = tn_cg_sym(cg, k->strides[dim - 1]), *column = tn_cg_sym(cg, k->strides[dim]);
    const bool in_place = reads_in_place(p, k);
    tn_cg_line(cg, "const uint16_t *k_block = k + first_key * %s;", row);
    tn_cg_line(cg, "int64_t key_row = %s;", row);
    if (in_place)
        tn_cg_line(cg, "if (keys %% 32 != 0) {");
    tn_cg_line(cg, "tn_bf16_copy(k_block, %s, %s, keys, head_dim, key_copy, padded_d);", row,
               column);
    tn_cg_line(cg, "k_block = key_copy, key_row = padded_d;");
    if (in_place)
        tn_cg_close(cg, "");
    tn_cg_line(cg, "for (int64_t key = 0; key < keys; key += 32)");
    tn_cg_line(cg, "    for (int64_t panel = 0; panel < queries; panel += 32)");
    tn_cg_line(
        cg, "        tn_att_tiles(k_block + key * key_row, key_row, padded_d / 32, query_pairs + "
            "panel,");
    tn_cg_line(cg, "                     scores + key * QUERIES + panel, QUERIES, 0);");
}

/* out[e][query] += values^T probabilities, with the vector units. */
static void print_output(const plan *p) {
    tn_cg *cg = p->cg;
    const char *row, *column;
    print_block(p, "v", "v", &p->spec->v, "value_dim", &row, &column);
    tn_cg_line(cg, "for (int64_t e = 0; e < value_dim; e += TN_ATT_I)");
    tn_cg_line(cg, "    for (int64_t panel = 0; panel < queries; panel += TN_ATT_PANEL)");
    tn_cg_line(
        cg, "        tn_att_block(v_block + e * %s, %s, %s, value_dim - e, scores + panel, keys,",
        column, column, row);
    tn_cg_line(cg, "                     out + e * QUERIES + panel, QUERIES, 1);");
}

static void print_tile_output(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_cg_tensor *v = &p->spec->v;
    const uint32_t dim = p->spec->batch_rank + 2;
    const char *row = tn_cg_sym(cg, v->strides[dim - 1]);
    tn_cg_line(cg, "tn_att_values(v + first_key * %s, %s, %s, keys, value_dim, values, KEYS);", row,
               row, tn_cg_sym(cg, v->strides[dim]));
    tn_cg_line(cg, "for (int64_t e = 0; e < value_dim; e += 32)");
    tn_cg_line(cg, "    for (int64_t panel = 0; panel < queries; panel += 32)");
    tn_cg_line(cg,
               "        tn_att_tiles(values + e * KEYS, KEYS, (keys + 31) / 32, pairs + panel,");
    tn_cg_line(cg, "                     out + e * QUERIES + panel, QUERIES, 1);");
}

static void print_key_loop(const plan *p) {
    tn_cg *cg = p->cg;
    const tn_attention_spec *spec = p->spec;
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
    if (p->has_tiles)
        print_tile_scores(p);
    else
        print_scores(p);
    print_softmax(p);
    if (p->has_tiles)
        print_tile_output(p);
    else
        print_output(p);
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

typedef struct part {
    const char *type, *name;
    const tn_sym *words; /* of four bytes */
} part;

/* The parts of scratch; returns their number. */
static size_t scratch_parts(const plan *p, part out_parts[9]) {
    tn_syms *syms = p->cg->syms;
    const tn_sym *d = p->spec->d, *e = p->spec->e, *one = tn_sym_const(syms, 1);
    /* The blocks of the prelude may write up to seven rows more than wanted. */
    const int64_t slack = 8, queries = p->queries, keys = p->keys;
    const tn_sym *widest = tn_sym_max(syms, d, e);
    const part common[] = {
        {"float", "max", tn_sym_muli(syms, one, queries)},
        {"float", "sum", tn_sym_muli(syms, one, queries)},
        {"float", "scores", tn_sym_muli(syms, one, (keys + slack) * queries)},
    };
    const part vectors[] = {
        {"float", "rows", tn_sym_muli(syms, widest, queries)},
        {"float", "out", tn_sym_muli(syms, tn_sym_addi(syms, e, slack), queries)},
        {"float", "query_columns", tn_sym_muli(syms, d, queries)},
        {"float", "wide_k", tn_sym_muli(syms, d, keys)},
        {"float", "wide_v", tn_sym_muli(syms, e, keys)},
    };
    const part tiles[] = {
        {"float", "rows", tn_sym_muli(syms, tn_sym_max(syms, p->padded_d, e), queries)},
        {"float", "out", tn_sym_muli(syms, p->padded_e, queries)},
        {"uint32_t", "query_pairs", tn_sym_muli(syms, p->padded_d, queries / 2)},
        {"uint32_t", "pairs", tn_sym_muli(syms, one, keys / 2 * queries)},
        {"uint16_t", "key_copy", tn_sym_muli(syms, p->padded_d, keys / 2)},
        {"uint16_t", "values", tn_sym_muli(syms, p->padded_e, keys / 2)},
    };
    size_t count = 0;
    for (size_t i = 0; i < 3; i++)
        out_parts[count++] = common[i];
    for (size_t i = 0; i < (p->has_tiles ? 6u : p->is_widened ? 5u : 3u); i++)
        out_parts[count++] = p->has_tiles ? tiles[i] : vectors[i];
    return count;
}

/* Declares the parts of scratch and returns their total in bytes. */
static const tn_sym *print_scratch(const plan *p) {
    tn_cg *cg = p->cg;
    part parts[9];
    const size_t count = scratch_parts(p, parts);
    const tn_sym *total = tn_sym_const(cg->syms, 0);
    for (size_t i = 0; i < count; i++) {
        tn_cg_line(cg, "%s *const %s = (%s *)((float *)scratch + %s);", parts[i].type,
                   parts[i].name, parts[i].type, tn_cg_sym(cg, total));
        total = tn_sym_add(cg->syms, total, parts[i].words);
    }
    return tn_sym_muli(cg->syms, total, sizeof(float));
}

static void choose(plan *p) {
    const tn_attention_spec *spec = p->spec;
    const tn_cpu_target *target = p->cg->target;
    tn_syms *syms = p->cg->syms;
    p->has_tiles = spec->dtype == TN_BF16 && target->has_amx_bf16;
    p->is_widened = spec->dtype != TN_F32 && !p->has_tiles;
    p->type = spec->dtype == TN_F32 ? "float" : "uint16_t";
    const int64_t panel = (int64_t)target->lanes * (target->is_portable ? 1 : 2);
    p->queries = spec->s->max <= panel ? panel : 2 * panel;
    p->keys = p->has_tiles ? 128 : 64;
    const tn_sym *tile = tn_sym_const(syms, 32);
    p->padded_d = tn_sym_mul(syms, tn_sym_ceildiv(syms, spec->d, tile), tile);
    p->padded_e = tn_sym_mul(syms, tn_sym_ceildiv(syms, spec->e, tile), tile);
    p->cg->parts |= TN_CG_PART_ATTENTION;
    if (p->has_tiles)
        p->cg->parts |= TN_CG_PART_BF16 | TN_CG_PART_AMX | TN_CG_PART_ATTENTION_AMX;
}

tn_status tn_emit_attention(tn_cg *cg, const tn_attention_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){0};
    plan p = {.cg = cg, .spec = spec, .dtype = tn_dtype_name(spec->dtype)};
    if (spec->dtype != TN_F32 && spec->dtype != TN_BF16 && spec->dtype != TN_F16)
        return tn_error_make(TN_UNSUPPORTED,
                             "attention on cpu: dtype %s, expected f32, bf16 or f16", p.dtype);
    choose(&p);
    TN_TRY(tn_syms_status(cg->syms));
    tn_cg_line(cg,
               "/* attention; a task is QUERIES queries of one head, in lanes%s, against KEYS keys",
               p.has_tiles ? " and AMX tiles" : "");
    tn_cg_line(cg, " * at a time */");
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
    if (p.has_tiles) {
        tn_cg_line(cg, "const int64_t padded_d = %s;", tn_cg_sym(cg, p.padded_d));
        tn_cg_line(cg, "tn_amx_configure(32);");
    }
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    print_task(&p);
    if (p.has_tiles)
        print_query_pairs(&p);
    else
        print_queries(&p);
    const tn_sym *group = tn_sym_floordiv(cg->syms, spec->heads, spec->kv_heads);
    const char *kv_head =
        group && tn_sym_is(group, 1) ? "h" : tn_cg_text(cg, "(h / %s)", tn_cg_sym(cg, group));
    print_pointer(&p, p.type, "k", &spec->k, kv_head, "0");
    print_pointer(&p, p.type, "v", &spec->v, kv_head, "0");
    if (spec->has_mask)
        print_pointer(&p,
                      spec->mask.dtype == TN_BOOL  ? "uint8_t"
                      : spec->mask.dtype == TN_F32 ? "float"
                                                   : "uint16_t",
                      "mask", &spec->mask, "h", "first_query");
    tn_cg_line(cg, "tn_att_begin(out, %s * QUERIES, max, sum, QUERIES);",
               p.has_tiles ? tn_cg_sym(cg, p.padded_e) : "value_dim");
    print_key_loop(&p);
    print_result(&p);
    tn_cg_close(cg, "");
    if (p.has_tiles)
        tn_cg_line(cg, "tn_amx_release();");
    tn_cg_end_function(cg, &function);

    const tn_sym *blocks = tn_sym_ceildiv(cg->syms, spec->s, tn_sym_const(cg->syms, p.queries));
    out_kernel->task_count = tn_sym_mul(cg->syms, blocks, spec->heads);
    for (uint32_t i = 0; i < spec->batch_rank; i++)
        out_kernel->task_count = tn_sym_mul(cg->syms, out_kernel->task_count, spec->batch[i]);
    return tn_cg_status(cg);
}
