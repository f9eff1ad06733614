/* pass_merge_matmuls.c: products that share the left operand and have constant matrices on the
 * right become one product and slices of it: queries, keys and values; gate and up projections. The
 * operand is read once and the machine sees one wide product. */
#include "pass/kernel_passes.h"
#include "pass/rewrite.h"

enum { MOST_MERGED = 16 };

/* a [.., K] x constant [K, N] with no bias or a constant vector. */
static bool can_merge(const tn_node *node) {
    if (tn_node_prim(node) != TN_PRIM_MATMUL)
        return false;
    const tn_value *b = node->operands[1], *bias = tn_node_arg_value(node, 2);
    return tn_is_const(b) && b->type.rank == 2 && !tn_is_const(node->operands[0]) &&
           (!bias ||
            (tn_is_const(bias) && bias->type.rank == 1 && bias->type.dims[0] == b->type.dims[1]));
}

/* The products with the first one's left operand, in the order of the graph. */
static uint32_t gather(tn_node *first, tn_node **out_group) {
    uint32_t count = 0;
    const tn_value *a = first->operands[0];
    for (tn_node *node = first; node && count < MOST_MERGED; node = node->next) {
        bool is_used = node->results[0]->use_count > 0;
        if (node->operand_count >= 2 && node->operands[0] == a && can_merge(node) && is_used)
            out_group[count++] = node;
    }
    return count;
}

static tn_value *merged_bias(tn_rewrite *rw, tn_node *const *group, uint32_t count) {
    tn_kb *kb = &rw->kb;
    tn_value *parts[MOST_MERGED];
    bool has_bias = false;
    for (uint32_t i = 0; i < count; i++) {
        const tn_value *b = group[i]->operands[1];
        parts[i] = tn_node_arg_value(group[i], 2);
        has_bias = has_bias || parts[i];
        if (!parts[i])
            parts[i] = tn_kb_full(kb, b->type.dtype, 0, &b->type.dims[1], 1);
    }
    if (!has_bias)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        parts[i] = tn_rewrite_fold(rw, parts[i]);
    return tn_rewrite_fold(rw, tn_kb_concat(kb, parts, count, 0));
}

static tn_status merge(tn_rewrite *rw, tn_node *const *group, uint32_t count) {
    tn_kb *kb = &rw->kb;
    tn_value *weights[MOST_MERGED];
    tn_locs locs[MOST_MERGED];
    for (uint32_t i = 0; i < count; i++) {
        weights[i] = group[i]->operands[1];
        locs[i] = group[i]->locs;
    }
    kb->before = group[0];
    TN_TRY(tn_locs_merge(rw->graph->arena, locs, count, &kb->locs));
    tn_value *weight = tn_rewrite_fold(rw, tn_kb_concat(kb, weights, count, 1));
    tn_value *y = tn_kb_matmul(kb, group[0]->operands[0], weight, merged_bias(rw, group, count));
    const tn_sym *start = tn_sym_const(rw->graph->syms, 0);
    for (uint32_t i = 0; i < count && y; i++) {
        const tn_sym *size = weights[i]->type.dims[1];
        kb->locs = locs[i];
        tn_value *part = tn_kb_slice(kb, y, y->type.rank - 1, start, size, 1);
        TN_TRY(tn_kb_status(kb));
        tn_rewrite_swap_names(part, group[i]->results[0]);
        TN_TRY(tn_value_replace(rw->graph, group[i]->results[0], part));
        start = tn_sym_add(rw->graph->syms, start, size);
    }
    return tn_kb_status(kb);
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    tn_rewrite rw = {.ctx = ctx, .graph = graph};
    tn_kb_init(&rw.kb, graph, ctx->prims);
    for (tn_node *node = graph->first, *next; node; node = next) {
        tn_node *group[MOST_MERGED];
        next = node->next;
        if (!can_merge(node) || node->operands[0]->use_count < 2)
            continue;
        uint32_t count = gather(node, group);
        if (count < 2)
            continue;
        TN_TRY(merge(&rw, group, count));
        for (uint32_t i = 0; i < count; i++) {
            if (next == group[i])
                next = next->next;
            tn_graph_remove_node(graph, group[i]);
        }
    }
    return NULL;
}

const tn_pass tn_pass_merge_matmuls = {"merge-matmuls",
                                       "joins products of one operand with constant matrices", run};
