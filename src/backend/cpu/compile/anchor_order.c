/* anchor_order.c: scans, sorts and top k: anchors over whole rows that may have a second result,
 * the positions. Pointwise work is fused into the first result alone, if nothing wants the other;
 * otherwise each is stored as it is. */
#include "backend/cpu/compile/anchor.h"

#include <string.h>

static bool is_stored(const tn_anchor_attempt *at, uint32_t r) {
    return at->s->roles[at->node->results[r]->id].is_root;
}

/* Prepares the stores of the results that are wanted, in the attempt's space: of the first, which
 * may be fused, in `at`, unless it is only the second that is wanted; else that in `other`. */
static tn_status prepare_results(tn_anchor_attempt *at, tn_anchor_attempt *other,
                                 bool *out_is_ready) {
    const tn_node *node = at->node;
    bool has_other = node->result_count > 1 && is_stored(at, 1);
    if (has_other && !is_stored(at, 0)) {
        at->result = at->root = node->results[1];
        has_other = false;
    }
    *other = *at;
    TN_TRY(tn_anchor_prepare(at, NULL, out_is_ready));
    if (!*out_is_ready || !has_other)
        return NULL;
    other->result = other->root = node->results[1];
    TN_TRY(tn_anchor_prepare(other, NULL, out_is_ready));
    at->other = other;
    return NULL;
}

/* Begins the kernel and prints its store functions; their names, NULL for those not wanted. */
static void begin_results(tn_anchor_attempt *at, tn_kernel_print *kernel, tn_buf *text,
                          const char **out_store, const char **out_store_indices) {
    bool is_second = at->result != at->node->results[0];
    tn_anchor_begin(at, kernel, text);
    *out_store = is_second ? NULL : "KERNEL_epilogue";
    *out_store_indices = is_second ? "KERNEL_epilogue" : NULL;
    if (!at->other)
        return;
    *out_store_indices = "KERNEL_indices";
    tn_anchor_attempt *other = at->other;
    tn_nest_store_function(kernel, *out_store_indices, other->store.layout.rank, 1, &other->builder,
                           other->expr, &other->store);
}

/* ---- scans --------------------------------------------------------------------------------------
 */

bool tn_anchor_takes_scan(const tn_node *node) {
    return tn_expr_class(node->operands[0]->type.dtype) != 0;
}

tn_status tn_anchor_scan(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_value *x = at->node->operands[0];
    const tn_type *type = &x->type;
    tn_expr_builder source;
    const tn_expr *expr = NULL;
    TN_TRY(tn_anchor_source(s, x, NULL, 0, &source, &expr));
    /* Other dims, the scanned one, and behind it a dense one along which vectors can run. */
    uint32_t dim = (uint32_t)at->node->args[1].i->value, rank = type->rank, outer = 0;
    tn_view *view = &at->space[0];
    *view = (tn_view){.kind = TN_VIEW_PERMUTE, .rank = rank};
    for (uint32_t d = 0; d < rank; d++)
        if (d != dim)
            view->order[outer++] = d;
    bool has_columns = tn_anchor_dense_dim_last(&source, rank, view->order, outer);
    view->order[outer] = dim;
    if (has_columns) {
        outer--;
        view->order[outer + 1] = view->order[outer];
        view->order[outer] = dim;
    }
    for (uint32_t d = 0; d < rank; d++)
        view->dims[d] = type->dims[view->order[d]];
    at->space_count = 1;
    tn_anchor_attempt other;
    bool is_ready = false;
    TN_TRY(prepare_results(at, &other, &is_ready));
    if (!is_ready)
        return NULL;
    TN_TRY(tn_anchor_source(s, x, view, 1, &source, &expr));
    tn_scan_spec spec = {.name = "KERNEL",
                         .prim = tn_node_prim(at->node),
                         .class = tn_expr_class(type->dtype),
                         .outer_rank = outer,
                         .n = view->dims[outer],
                         .columns = has_columns ? view->dims[outer + 1] : NULL,
                         .load = "KERNEL_prologue"};
    memcpy(spec.outer, view->dims, sizeof spec.outer);
    tn_kernel_print kernel;
    tn_buf text;
    begin_results(at, &kernel, &text, &spec.store, &spec.store_indices);
    tn_nest_load_function(&kernel, spec.load, rank, &source, expr, NULL);
    tn_cg_kernel emitted = {0};
    tn_status status = tn_emit_scan(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    *out_is_fused = true;
    return tn_anchor_finish(at, &kernel, &text, &emitted, NULL, tn_type_elems(s->syms, type),
                            &source);
}

/* ---- sort and top k -----------------------------------------------------------------------------
 */

bool tn_anchor_takes_order(const tn_node *node) {
    return tn_expr_class(node->operands[0]->type.dtype) != 0;
}

tn_status tn_anchor_order(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_value *x = node->operands[0];
    const tn_type *type = &x->type;
    bool is_topk = tn_node_prim(node) == TN_PRIM_TOPK;
    uint32_t dim = (uint32_t)node->args[is_topk ? 2 : 1].i->value;
    at->space_count = tn_anchor_dim_last(&at->result->type, dim, &at->space[0]);
    tn_anchor_attempt other;
    bool is_ready = false;
    TN_TRY(prepare_results(at, &other, &is_ready));
    if (!is_ready)
        return NULL;
    tn_view view;
    uint32_t view_count = tn_anchor_dim_last(type, dim, &view);
    tn_expr_builder source;
    const tn_expr *expr = NULL;
    TN_TRY(tn_anchor_source(s, x, &view, view_count, &source, &expr));
    const tn_layout *space = &at->store.layout;
    tn_order_spec spec = {.name = "KERNEL",
                          .class = tn_expr_class(type->dtype),
                          .is_descending = node->args[is_topk ? 3 : 2].b,
                          .outer_rank = type->rank - 1,
                          .n = type->dims[dim],
                          .k = at->result->type.dims[dim],
                          .load = "KERNEL_prologue"};
    memcpy(spec.outer, space->dims, sizeof spec.outer);
    tn_kernel_print kernel;
    tn_buf text;
    begin_results(at, &kernel, &text, &spec.store, &spec.store_indices);
    tn_nest_load_function(&kernel, spec.load, type->rank, &source, expr, NULL);
    spec.reports_excess = tn_sym_known_le(s->syms, spec.k, spec.n) != 1;
    if (spec.reports_excess)
        spec.error_buf = tn_kernel_buf(&kernel, kernel.error_buffer);
    tn_cg_kernel emitted = {0};
    tn_status status = tn_emit_order(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    *out_is_fused = true;
    return tn_anchor_finish(at, &kernel, &text, &emitted, NULL,
                            tn_sym_muli(s->syms, tn_type_elems(s->syms, type), 8), &source);
}
