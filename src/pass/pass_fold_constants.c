/* pass_fold_constants.c: evaluates nodes whose operands are all constants.
 *
 * A result much larger than its operands is left to run time: expanded constants and long counters
 * cost more as bytes of the engine than as loops. Views are always folded, since they share bytes.
 */
#include "base/checked.h"
#include "kir/fold.h"
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

/* Masks of a thousand positions and their like may grow to this. */
enum { GROWN_BYTES_MAX = 1 << 20 };

static size_t static_bytes(const tn_type *type) {
    size_t bytes = tn_dtype_bytes(type->dtype);
    for (uint32_t d = 0; d < type->rank; d++)
        if (!tn_sym_is_const(type->dims[d]) ||
            !tn_mul_size(bytes, (size_t)type->dims[d]->value, &bytes))
            return SIZE_MAX;
    return bytes;
}

static bool is_worth_it(const tn_node *node) {
    size_t operands = 0, results = 0;
    tn_prim prim = tn_node_prim(node);
    if (prim == TN_PRIM_EXPAND || prim == TN_PRIM_CALL)
        return false;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        if (!tn_is_const(node->operands[i]) ||
            !tn_add_size(operands, static_bytes(&node->operands[i]->type), &operands))
            return false;
    }
    for (uint32_t i = 0; i < node->result_count; i++)
        if (!tn_add_size(results, static_bytes(&node->results[i]->type), &results))
            return false;
    return results <= operands || results <= GROWN_BYTES_MAX;
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    tn_rewrite rw = {.ctx = ctx, .graph = graph};
    tn_kb_init(&rw.kb, graph, ctx->prims);
    for (tn_node *node = graph->first, *next; node; node = next) {
        tn_value *values[TN_PRIM_RESULTS_MAX] = {NULL};
        next = node->next;
        if (is_worth_it(node))
            TN_TRY(tn_kir_fold(&rw.kb, node, values));
        if (!values[0])
            continue;
        for (uint32_t i = 0; i < node->result_count; i++) {
            tn_rewrite_swap_names(node->results[i], values[i]);
            TN_TRY(tn_value_replace(graph, node->results[i], values[i]));
        }
        tn_graph_remove_node(graph, node);
    }
    return NULL;
}

const tn_pass tn_pass_fold_constants = {"fold-constants",
                                        "computes what depends on constants alone", run};
