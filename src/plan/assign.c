/* assign.c: probes. A node's operands become inputs (or the constants that they are) of a graph of
 * its own, typed as the model says, so that a refused node does not hide what becomes of those
 * after it. */
#include "plan/assign.h"

#include "ops/convert.h"

static tn_status probe_operand(tn_graph *graph, const tn_value *value, tn_value **out_value) {
    if (value->kind == TN_VALUE_CONST)
        return tn_graph_add_const(graph, value->name, &value->type, value->data, out_value);
    return tn_graph_add_input(graph, value->name, &value->type, out_value);
}

/* Runs the converter in an arena that goes afterwards. */
static tn_status probe(tn_arena *scratch, const tn_op_table *prims, const tn_node *node) {
    tn_graph *graph;
    tn_kb kb;
    tn_value **operands, **results;
    TN_TRY(tn_graph_create(scratch, node->graph->syms, TN_STR("probe"), &graph));
    TN_ARENA_TRY(scratch, operands, node->operand_count);
    TN_ARENA_TRY(scratch, results, node->result_count);
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i])
            TN_TRY(probe_operand(graph, node->operands[i], &operands[i]));
    tn_kb_init(&kb, graph, prims);
    return tn_convert_node(&kb, node, operands, true, results);
}

/* A refusal is a fate; running out of memory is a failure. */
static tn_status decide(tn_arena *arena, const tn_op_table *prims, const tn_node *node,
                        tn_node_fate *out_fate) {
    tn_arena scratch;
    tn_arena_init(&scratch, arena->allocator);
    tn_status status = probe(&scratch, prims, node);
    tn_arena_deinit(&scratch);
    *out_fate = (tn_node_fate){.node = node, .fate = TN_FATE_ENGINE, .reason = ""};
    if (!status || tn_status_code(status) == TN_OUT_OF_MEMORY)
        return status;
    tn_str reason = tn_arena_str(arena, tn_str_of(tn_status_message(status)));
    out_fate->fate = TN_FATE_FALLBACK;
    out_fate->code = tn_status_code(status);
    out_fate->reason = reason.data;
    tn_status_free(status);
    return reason.data ? NULL : tn_error_out_of_memory();
}

tn_status tn_assign(tn_env *env, tn_arena *arena, const tn_op_table *prims, const tn_graph *model,
                    tn_assignment **out_assignment) {
    tn_assignment *assignment;
    *out_assignment = NULL;
    TN_ARENA_TRY(arena, assignment, 1);
    TN_ARENA_TRY(arena, assignment->fates, model->node_count);
    for (const tn_node *node = model->first; node; node = node->next) {
        tn_node_fate *fate = &assignment->fates[assignment->count++];
        TN_TRY(decide(arena, prims, node, fate));
        if (fate->fate == TN_FATE_FALLBACK)
            assignment->fallback_count++;
    }
    tn_log(env, TN_LOG_DEBUG, "%zu of %zu operators fall back", assignment->fallback_count,
           assignment->count);
    *out_assignment = assignment;
    return NULL;
}
