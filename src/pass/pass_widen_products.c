/* pass_widen_products.c: products and convolutions of f16 on f32 operands. No CPU that we generate
 * code for multiplies f16 faster than f32, and sums have to be kept in f32 anyway: so the operands
 * are widened where they are made, weights once, at compile time, and the result is rounded where
 * the product is stored. */
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

enum { OPERANDS_MAX = 3 }; /* both sides and a bias */

static tn_value *widen_product(tn_rewrite *rw, tn_node *node) {
    tn_prim prim = tn_node_prim(node);
    if ((prim != TN_PRIM_MATMUL && prim != TN_PRIM_CONV) ||
        node->results[0]->type.dtype != TN_F16 || node->operand_count > OPERANDS_MAX)
        return NULL;
    tn_value *wide[OPERANDS_MAX];
    for (uint32_t i = 0; i < node->operand_count; i++)
        wide[i] = tn_kb_cast(&rw->kb, node->operands[i], TN_F32);
    tn_value *y = tn_kb_node(&rw->kb, prim, wide, node->operand_count, node->args,
                             node->op->schema->param_count);
    return tn_kb_cast(&rw->kb, y, TN_F16);
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return tn_rewrite_run(ctx, graph, widen_product);
}

const tn_pass tn_pass_widen_products = {"widen-products",
                                        "computes products and convolutions of f16 in f32", run};
