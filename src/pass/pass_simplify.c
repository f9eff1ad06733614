/* pass_simplify.c: removes nodes that do nothing and joins views of views, by the builder's own
 * rules (src/kir/simplify.c); lets maps and products read through an expand, since they broadcast;
 * and drops the casts around a map that half dtypes compute in the same way. */
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

/* The node's operand without an expand, if the node's result keeps its type without it. */
static tn_value *without_expand(tn_rewrite *rw, const tn_node *node) {
    tn_value *operands[3];
    const tn_type *types[3];
    tn_type result[TN_PRIM_RESULTS_MAX];
    uint32_t result_count, count = node->operand_count;
    for (uint32_t i = 0; i < count; i++) {
        const tn_node *expand = tn_match(node->operands[i], TN_PRIM_EXPAND);
        if (!expand)
            continue;
        for (uint32_t j = 0; j < count; j++) {
            operands[j] = j == i ? expand->operands[0] : node->operands[j];
            types[j] = &operands[j]->type;
        }
        uint32_t param_count = node->op->schema->param_count;
        tn_status status = tn_prim_infer(rw->graph->syms, tn_node_prim(node), types, count,
                                         node->args, param_count, result, &result_count);
        bool is_same = !status && tn_type_equal(&result[0], &node->results[0]->type);
        if (tn_status_code(status) == TN_OUT_OF_MEMORY) {
            tn_kb_fail(&rw->kb, status);
            return NULL;
        }
        tn_status_free(status);
        if (is_same)
            return tn_kb_node(&rw->kb, tn_node_prim(node), operands, count, node->args,
                              param_count);
    }
    return NULL;
}

static bool broadcasts(const tn_node *node) {
    tn_prim prim = tn_node_prim(node);
    return (tn_prim_class_of(prim) == TN_CLASS_MAP && node->operand_count > 1) ||
           prim == TN_PRIM_MATMUL;
}

/* half(f(f32(x), f32(y))) is f(x, y): primitives on halves compute in f32 and round once. */
static tn_value *narrowed(tn_rewrite *rw, const tn_node *cast) {
    tn_value *operands[3];
    tn_dtype half = cast->results[0]->type.dtype;
    const tn_value *y = cast->operands[0];
    if (!tn_match_half(half) || y->type.dtype != TN_F32 || y->kind != TN_VALUE_RESULT ||
        tn_prim_class_of(tn_node_prim(y->def)) != TN_CLASS_MAP || tn_match(y, TN_PRIM_CAST) ||
        tn_match(y, TN_PRIM_SELECT) || !tn_match_once(rw->graph, y))
        return NULL;
    for (uint32_t i = 0; i < y->def->operand_count; i++) {
        const tn_node *widen = tn_match(y->def->operands[i], TN_PRIM_CAST);
        if (!widen || widen->operands[0]->type.dtype != half)
            return NULL;
        operands[i] = widen->operands[0];
    }
    return tn_kb_node(&rw->kb, tn_node_prim(y->def), operands, y->def->operand_count, y->def->args,
                      y->def->op->schema->param_count);
}

static tn_value *simplify(tn_rewrite *rw, tn_node *node) {
    tn_value *simpler = tn_rewrite_simplify(rw, node);
    if (simpler || rw->kb.status)
        return simpler;
    if (tn_node_prim(node) == TN_PRIM_CAST)
        return narrowed(rw, node);
    return broadcasts(node) ? without_expand(rw, node) : NULL;
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return tn_rewrite_run(ctx, graph, simplify);
}

const tn_pass tn_pass_simplify = {"simplify", "removes what does nothing, joins views of views",
                                  run};
