/* anchor_reduce.c: reductions: anchors that read their operand through a load function. */
#include "backend/cpu/compile/anchor.h"

#include <string.h>

bool tn_anchor_takes_reduce(const tn_node *node) {
    return node->args[1].count > 0 && tn_expr_class(node->operands[0]->type.dtype) &&
           tn_expr_class(node->results[0]->type.dtype);
}

/* An average over windows of all of the trailing dims is a mean. */
bool tn_anchor_takes_mean(const tn_node *node) {
    for (uint32_t i = 0; i < node->args[1].count; i++)
        if (!tn_sym_is(node->args[1].ints[i], 1))
            return false;
    return tn_anchor_takes_reduce(node);
}

static tn_prim reduce_prim(const tn_node *node) {
    bool is_bool = node->operands[0]->type.dtype == TN_BOOL;
    switch (tn_node_prim(node)) {
    case TN_PRIM_ADAPTIVE_AVG_POOL:
        return TN_PRIM_REDUCE_MEAN;
    case TN_PRIM_REDUCE_MIN:
        return is_bool ? TN_PRIM_REDUCE_ALL : TN_PRIM_REDUCE_MIN;
    case TN_PRIM_REDUCE_MAX:
        return is_bool ? TN_PRIM_REDUCE_ANY : TN_PRIM_REDUCE_MAX;
    default:
        return tn_node_prim(node);
    }
}

/* Whether some reduced dim may have no elements to choose one from. */
static bool may_choose_from_none(const tn_node *node, uint32_t mask) {
    const tn_type *type = &node->operands[0]->type;
    switch (tn_node_prim(node)) {
    case TN_PRIM_REDUCE_MIN:
    case TN_PRIM_REDUCE_MAX:
    case TN_PRIM_ARGMIN:
    case TN_PRIM_ARGMAX:
        for (uint32_t d = 0; d < type->rank; d++)
            if (mask >> d & 1 && type->dims[d]->min < 1)
                return true;
        return false;
    default:
        return false;
    }
}

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
    tn_reduce_spec spec = {.name = "KERNEL",
                           .prim = reduce_prim(node),
                           .class = tn_expr_class(type->dtype),
                           .rank = type->rank,
                           .reduced = type->rank - kept_count,
                           .load = "KERNEL_prologue",
                           .store = "KERNEL_epilogue"};
    spec.lanes_along_kept =
        kept_count > 0 && tn_anchor_dense_dim_last(&source, type->rank, kept, kept_count);
    if (spec.prim == TN_PRIM_REDUCE_VAR)
        spec.correction = node->args[3].f;
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
    uint32_t at_dim = 0, numbered = kept_count - spec.lanes_along_kept;
    for (uint32_t i = 0; i < numbered; i++)
        order.order[at_dim++] = kept[i];
    for (uint32_t d = 0; d < type->rank; d++)
        if (mask >> d & 1)
            order.order[at_dim++] = d;
    if (spec.lanes_along_kept)
        order.order[at_dim++] = kept[kept_count - 1];
    for (uint32_t d = 0; d < type->rank; d++)
        spec.dims[d] = order.dims[d] = type->dims[order.order[d]];
    TN_TRY(tn_anchor_source(s, x, &order, 1, &source, &expr));
    tn_kernel_print kernel;
    tn_buf text;
    tn_anchor_begin(at, &kernel, &text);
    tn_nest_load_function(&kernel, spec.load, spec.rank, &source, expr, NULL);
    spec.reports_empty = may_choose_from_none(node, mask);
    if (spec.reports_empty)
        spec.error_buf = tn_kernel_buf(&kernel, kernel.error_buffer);
    tn_cg_kernel emitted = {0};
    tn_status status = tn_emit_reduce(&s->cg, &spec, &emitted);
    if (status) {
        tn_buf_deinit(&text);
        return status;
    }
    *out_is_fused = true;
    return tn_anchor_finish(at, &kernel, &text, &emitted, NULL, tn_type_elems(s->syms, type),
                            &source);
}
