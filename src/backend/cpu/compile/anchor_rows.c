/* anchor_rows.c: softmax, normalisations and reductions: anchors that read their operand through
 * a load function, row by row. */
#include "backend/cpu/compile/anchor.h"

#include <string.h>

/* ---- rows: softmax and normalisation ------------------------------------------------------------
 */

/* The space of whole rows: the normalised dims last, as one. */
static void row_space(tn_anchor_attempt *at, tn_row_spec *spec) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_type *type = &node->operands[0]->type;
    tn_prim prim = tn_node_prim(node);
    tn_view *view = &at->space[0];
    at->space_count = 0;
    if (prim == TN_PRIM_SOFTMAX || prim == TN_PRIM_LOG_SOFTMAX) {
        spec->kind = prim == TN_PRIM_SOFTMAX ? TN_ROW_SOFTMAX : TN_ROW_LOG_SOFTMAX;
        uint32_t dim = (uint32_t)node->args[1].i->value;
        if (dim + 1 == type->rank)
            return;
        *view = (tn_view){.kind = TN_VIEW_PERMUTE, .rank = type->rank};
        for (uint32_t i = 0; i < type->rank; i++) {
            view->order[i] = i + 1 == type->rank ? dim : i < dim ? i : i + 1;
            view->dims[i] = type->dims[view->order[i]];
        }
        at->space_count = 1;
        return;
    }
    bool is_layer_norm = prim == TN_PRIM_LAYER_NORM;
    uint32_t dims = (uint32_t)node->args[is_layer_norm ? 3 : 2].i->value;
    spec->kind = is_layer_norm ? TN_ROW_LAYER_NORM : TN_ROW_RMS_NORM;
    spec->eps = node->args[is_layer_norm ? 4 : 3].f;
    if (dims == 1)
        return;
    *view = (tn_view){.kind = TN_VIEW_RESHAPE, .rank = type->rank - dims + 1};
    memcpy(view->dims, type->dims, sizeof view->dims);
    for (uint32_t d = view->rank; d < type->rank; d++)
        view->dims[view->rank - 1] = tn_sym_mul(s->syms, view->dims[view->rank - 1], type->dims[d]);
    at->space_count = 1;
}

/* Weight and bias of a normalisation, stored, become the anchor's scale and bias. */
static tn_status row_operands(tn_anchor_attempt *at) {
    tn_prim prim = tn_node_prim(at->node);
    if (prim == TN_PRIM_LAYER_NORM || prim == TN_PRIM_RMS_NORM)
        at->anchor.scale = tn_node_arg_value(at->node, 1);
    if (prim == TN_PRIM_LAYER_NORM)
        at->anchor.bias = tn_node_arg_value(at->node, 2);
    const tn_value *operands[2] = {at->anchor.scale, at->anchor.bias};
    for (int i = 0; i < 2; i++)
        if (operands[i] && !at->s->places[operands[i]->id].is_stored)
            TN_TRY(tn_segment_materialise(at->s, operands[i]));
    return NULL;
}

tn_status tn_anchor_rows(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_value *x = at->node->operands[0];
    tn_row_spec spec = {.name = "KERNEL", .load = "KERNEL_prologue", .store = "KERNEL_epilogue"};
    row_space(at, &spec);
    TN_TRY(row_operands(at));
    tn_expr_builder source;
    const tn_expr *expr = NULL;
    TN_TRY(tn_anchor_source(s, x, at->space, at->space_count, &source, &expr));
    bool is_ready = false;
    TN_TRY(tn_anchor_prepare(at, NULL, &is_ready));
    if (!is_ready)
        return NULL;
    /* Preparing may have stored operands of the source. */
    TN_TRY(tn_anchor_source(s, x, at->space, at->space_count, &source, &expr));
    tn_kernel_print kernel;
    tn_buf text;
    tn_anchor_begin(at, &kernel, &text);
    const tn_layout *space = &at->store.layout;
    spec.outer_rank = space->rank - 1;
    memcpy(spec.outer, space->dims, spec.outer_rank * sizeof *spec.outer);
    spec.n = space->dims[spec.outer_rank];
    tn_nest_load_function(&kernel, "KERNEL_prologue", space->rank, &source, expr, &at->store);
    tn_cg_kernel emitted = {0};
    tn_status status = tn_emit_rows(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    *out_is_fused = true;
    return tn_anchor_finish(at, &kernel, &text, &emitted, NULL,
                            tn_sym_muli(s->syms, tn_type_elems(s->syms, &x->type), 8), &source);
}

/* ---- reductions ---------------------------------------------------------------------------------
 */

/* Which dims are reduced, and by what. */
static uint32_t reduced_mask(const tn_node *node) {
    uint32_t mask = 0, rank = node->operands[0]->type.rank;
    if (tn_node_prim(node) == TN_PRIM_ADAPTIVE_AVG_POOL) {
        for (uint32_t i = 0; i < node->args[1].count; i++)
            mask |= 1u << (rank - 1 - i);
        return mask;
    }
    for (uint32_t i = 0; i < node->args[1].count; i++)
        mask |= 1u << node->args[1].ints[i]->value;
    return mask;
}

/* Whether the stored layout of a source makes the last kept dim the one of stride 1. */
static bool kept_dim_is_dense(const tn_expr_builder *source, uint32_t rank, uint32_t *inout_kept,
                              uint32_t kept_count) {
    for (size_t i = 0; i < source->count; i++) {
        const tn_expr *e = source->exprs[i];
        if (e->kind != TN_EXPR_LOAD || e->layout.rank != rank)
            continue;
        for (uint32_t k = kept_count; k-- > 0;)
            if (tn_sym_is(e->layout.strides[inout_kept[k]], 1) &&
                !tn_sym_is(e->layout.dims[inout_kept[k]], 1)) {
                uint32_t dim = inout_kept[k];
                memmove(&inout_kept[k], &inout_kept[k + 1], (kept_count - k - 1) * sizeof dim);
                inout_kept[kept_count - 1] = dim;
                return true;
            }
    }
    return false;
}

tn_status tn_anchor_reduce(tn_anchor_attempt *at, bool *out_is_fused) {
    tn_segment *s = at->s;
    const tn_node *node = at->node;
    const tn_value *x = node->operands[0];
    const tn_type *type = &x->type;
    uint32_t mask = reduced_mask(node), kept[TN_MAX_RANK], kept_count = 0;
    for (uint32_t d = 0; d < type->rank; d++)
        if (!(mask >> d & 1))
            kept[kept_count++] = d;
    tn_expr_builder source;
    const tn_expr *expr = NULL;
    TN_TRY(tn_anchor_source(s, x, NULL, 0, &source, &expr));
    tn_reduce_nest nest = {.rank = type->rank, .reduced = type->rank - kept_count};
    nest.lanes_along_kept =
        kept_count > 0 && kept_dim_is_dense(&source, type->rank, kept, kept_count);
    nest.prim =
        tn_node_prim(node) == TN_PRIM_ADAPTIVE_AVG_POOL ? TN_PRIM_REDUCE_MEAN : tn_node_prim(node);
    /* The result's space: the kept dims in this order, without those of size 1 that keep_dim left.
     */
    tn_view *squeeze = &at->space[0], *permute = &at->space[1];
    uint32_t sorted[TN_MAX_RANK];
    memcpy(sorted, kept, sizeof sorted);
    for (uint32_t i = 0; i < kept_count; i++)
        for (uint32_t j = i + 1; j < kept_count; j++)
            if (sorted[j] < sorted[i]) {
                uint32_t swapped = sorted[i];
                sorted[i] = sorted[j];
                sorted[j] = swapped;
            }
    *squeeze = (tn_view){.kind = TN_VIEW_RESHAPE, .rank = kept_count};
    *permute = (tn_view){.kind = TN_VIEW_PERMUTE, .rank = kept_count};
    for (uint32_t i = 0; i < kept_count; i++) {
        squeeze->dims[i] = type->dims[sorted[i]];
        permute->dims[i] = type->dims[kept[i]];
        for (uint32_t j = 0; j < kept_count; j++)
            if (sorted[j] == kept[i])
                permute->order[i] = j;
    }
    at->space_count = 2;
    bool is_ready = false;
    TN_TRY(tn_anchor_prepare(at, NULL, &is_ready));
    if (!is_ready)
        return NULL;
    tn_view order = {.kind = TN_VIEW_PERMUTE, .rank = type->rank};
    uint32_t at_dim = 0, numbered = kept_count - nest.lanes_along_kept;
    for (uint32_t i = 0; i < numbered; i++)
        order.order[at_dim++] = kept[i];
    for (uint32_t d = 0; d < type->rank; d++)
        if (mask >> d & 1)
            order.order[at_dim++] = d;
    if (nest.lanes_along_kept)
        order.order[at_dim++] = kept[kept_count - 1];
    for (uint32_t d = 0; d < type->rank; d++)
        nest.dims[d] = order.dims[d] = type->dims[order.order[d]];
    TN_TRY(tn_anchor_source(s, x, &order, 1, &source, &expr));
    nest.source_builder = &source;
    nest.source = expr;
    nest.builder = &at->builder;
    nest.expr = at->expr;
    nest.store = at->store;
    tn_kernel_print kernel;
    tn_buf text;
    tn_segment_begin_kernel(s, &kernel, &text);
    tn_cg_kernel emitted = {0};
    tn_nest_emit_reduce(&kernel, "KERNEL", &nest, &emitted);
    *out_is_fused = true;
    return tn_anchor_finish(at, &kernel, &text, &emitted, NULL, tn_type_elems(s->syms, type),
                            &source);
}
