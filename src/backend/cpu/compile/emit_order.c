/* emit_order.c: sort and top k. A task is one row. A sort makes an item of every element; the top k
 * of many keeps a pool of candidates, from which all but the best k are dropped when it is full,
 * and whose k-th best then bars most elements by one comparison per vector. */
#include "backend/cpu/compile/cgen.h"

enum { POOL_SPARE = 256 }; /* candidates beyond 2 k, so that a small k does not sort often */

typedef struct order {
    const char *width; /* of items: "narrow" or "wide" */
    bool is_pool;
} order;

/* Opens the loop over the row: keys of the vector at j. */
static void open_row(tn_cg *cg, const tn_order_spec *spec, const order *o, const char *args) {
    char class = spec->class == 'm' ? 'i' : spec->class;
    const char *x = tn_cg_text(cg, "%s(%s, j, lanes)", spec->load, args);
    if (class != spec->class)
        x = tn_cg_text(cg, "tn_cast_m_i(%s)", x);
    tn_cg_line(cg, "for (int64_t j = 0; j < n; j += TN_W) {");
    tn_cg_line(cg, "const int64_t lanes = tn_min_i64(n - j, TN_W);");
    tn_cg_line(cg, "const %s keys = %stn_keys_%c(%s);", *o->width == 'w' ? "tn_vul" : "tn_vu",
               spec->is_descending ? "~" : "", class, x);
}

static void print_pool(tn_cg *cg, const tn_order_spec *spec, const order *o, const char *args) {
    tn_cg_line(cg, "uint64_t limit = 0; /* the k-th best key, once there are k */");
    tn_cg_line(cg, "int is_limited = 0;");
    open_row(cg, spec, o, args);
    tn_cg_line(cg, "if (is_limited && !tn_any_below_%s(keys, limit))", o->width);
    tn_cg_line(cg, "    continue;");
    tn_cg_line(cg, "for (int64_t lane = 0; lane < lanes; lane++)");
    tn_cg_line(cg, "    if (!is_limited || keys[lane] < limit)");
    tn_cg_line(cg, "        items[count++] = tn_make_%s(keys[lane], j + lane);", o->width);
    tn_cg_line(cg, "if (count > capacity - TN_W) {");
    tn_cg_line(cg, "tn_sort_%s(&items, &spare, count);", o->width);
    tn_cg_line(cg, "count = kept;");
    tn_cg_line(cg, "limit = tn_key_%s(items[kept - 1]);", o->width);
    tn_cg_line(cg, "is_limited = 1;");
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
}

static void print_stores(tn_cg *cg, const tn_order_spec *spec, const order *o, const char *args) {
    tn_cg_line(cg, "for (int64_t j = 0; j < kept; j += TN_W) {");
    tn_cg_line(cg, "const int64_t lanes = tn_min_i64(kept - j, TN_W);");
    tn_cg_line(cg, "tn_vl indices = {0};");
    if (spec->store)
        tn_cg_line(cg, "%s x = {0};", tn_cg_vector(spec->class));
    tn_cg_line(cg, "for (int64_t lane = 0; lane < lanes; lane++) {");
    tn_cg_line(cg, "indices[lane] = tn_position_%s(items[j + lane]);", o->width);
    if (spec->store)
        tn_cg_line(cg, "x[lane] = %s(%s, indices[lane], 1)[0];", spec->load, args);
    tn_cg_close(cg, "");
    if (spec->store)
        tn_cg_line(cg, "%s(%s, j, lanes, x);", spec->store, args);
    if (spec->store_indices)
        tn_cg_line(cg, "%s(%s, j, lanes, indices);", spec->store_indices, args);
    tn_cg_close(cg, "");
}

tn_status tn_emit_order(tn_cg *cg, const tn_order_spec *spec, tn_cg_kernel *out_kernel) {
    tn_syms *syms = cg->syms;
    bool is_wide = spec->class == 'd' || spec->class == 'l';
    order o = {.width = is_wide ? "wide" : "narrow",
               .is_pool = tn_sym_known_le(syms, spec->n, tn_sym_muli(syms, spec->k, 4)) != 1};
    const tn_sym *capacity =
        o.is_pool ? tn_sym_addi(syms, tn_sym_muli(syms, spec->k, 2), POOL_SPARE) : spec->n;
    cg->parts |= TN_CG_PART_ORDER;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, spec->name));
    const char *n = tn_cg_sym(cg, spec->n), *k = tn_cg_sym(cg, spec->k);
    tn_cg_line(cg, "const int64_t n = %s, kept = tn_min_i64(%s, n), capacity = %s;", n, k,
               tn_cg_sym(cg, capacity));
    if (spec->reports_excess)
        tn_cg_line(cg, "tn_checked_index(%s - 1, n, buf[%u]);", k, spec->error_buf);
    tn_cg_line(cg, "tn_item_%s *items = scratch, *spare = items + capacity;", o.width);
    tn_cg_line(cg, "for (int64_t task = task_begin; kept > 0 && task < task_end; task++) {");
    tn_cg_indices(cg, spec->outer_rank, spec->outer, "task");
    const char *args = tn_cg_arguments(cg, spec->outer_rank);
    tn_cg_line(cg, "int64_t count = 0;");
    if (o.is_pool) {
        print_pool(cg, spec, &o, args);
    } else {
        open_row(cg, spec, &o, args);
        tn_cg_line(cg, "for (int64_t lane = 0; lane < lanes; lane++)");
        tn_cg_line(cg, "    items[count++] = tn_make_%s(keys[lane], j + lane);", o.width);
        tn_cg_close(cg, "");
    }
    tn_cg_line(cg, "tn_sort_%s(&items, &spare, count);", o.width);
    print_stores(cg, spec, &o, args);
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
    int64_t item_bytes = is_wide ? 16 : 8;
    *out_kernel = (tn_cg_kernel){.task_count = tn_cg_points(cg, spec->outer_rank, spec->outer),
                                 .scratch_bytes = tn_sym_muli(syms, capacity, 2 * item_bytes)};
    return tn_cg_status(cg);
}
