/* anchor_rows.c: softmax and normalisations: anchors that read their operand through a load
 * function, row by row. */
#include "backend/cpu/compile/anchor.h"

#include <string.h>

/* ---- rows: softmax and normalisation ------------------------------------------------------------
 */

bool tn_anchor_takes_rows(const tn_node *node) {
    return tn_expr_class(node->operands[0]->type.dtype) == 'f';
}

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
        at->space_count = tn_anchor_dim_last(type, (uint32_t)node->args[1].i->value, view);
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
