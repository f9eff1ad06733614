/* pass_dead_code.c: removes nodes whose results nobody uses, and constants without uses. */
#include "kir/prim.h"
#include "pass/kernel_passes.h"

/* Marks the values that leave the graph, so that asking is not a search through the outputs. */
static tn_status mark_outputs(const tn_pass_ctx *ctx, const tn_graph *graph, bool **out_marks) {
    bool *marks = NULL;
    TN_TRY(tn_alloc_array(ctx->allocator, graph->value_id_end, sizeof *marks, &marks));
    for (size_t i = 0; i < graph->output_count; i++)
        marks[graph->outputs[i].value->id] = true;
    for (size_t i = 0; i < graph->state_count; i++)
        marks[graph->states[i].next->id] = true;
    *out_marks = marks;
    return NULL;
}

/* A call that brings sizes which are known only when it has been made: others may need them. */
static bool gives_sizes(const tn_node *node) {
    for (uint32_t i = 0; tn_node_prim(node) == TN_PRIM_CALL && i < node->result_count; i++) {
        if (node->results[i]->symbol)
            return true;
        for (uint32_t d = 0; d < node->results[i]->type.rank; d++)
            if (tn_graph_unbound_symbol(node->graph, node->results[i]->type.dims[d]))
                return true;
    }
    return false;
}

static bool is_dead(const tn_node *node, const bool *is_output) {
    if (gives_sizes(node))
        return false;
    for (uint32_t i = 0; i < node->result_count; i++)
        if (node->results[i]->use_count > 0 || is_output[node->results[i]->id])
            return false;
    return true;
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    bool *is_output = NULL;
    TN_TRY(mark_outputs(ctx, graph, &is_output));
    for (tn_node *node = graph->last, *prev; node; node = prev) {
        prev = node->prev;
        if (is_dead(node, is_output))
            tn_graph_remove_node(graph, node);
    }
    size_t kept = 0;
    for (size_t i = 0; i < graph->const_count; i++) {
        tn_value *value = graph->consts[i];
        if (value->use_count > 0 || is_output[value->id])
            graph->consts[kept++] = value;
    }
    graph->const_count = kept;
    tn_alloc_free(ctx->allocator, is_output, graph->value_id_end * sizeof *is_output);
    return NULL;
}

const tn_pass tn_pass_dead_code = {"dead-code", "removes nodes and constants without uses", run};
