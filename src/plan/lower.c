/* lower.c: carries a graph's inputs, constants and states over, runs the converters in order or
 * makes calls, and carries the outputs over. A table from the model's value ids to kernel IR values
 * is all its state. */
#include "plan/lower.h"

#include "ops/convert.h"
#include "plan/call.h"

typedef struct tn_lowering {
    tn_arena *arena;
    const tn_graph *model;
    tn_graph *kir;
    tn_kb kb;
    tn_value **values; /* by the id of the model's value */
} tn_lowering;

static tn_status lower_sources(tn_lowering *lowering) {
    const tn_graph *model = lowering->model;
    for (size_t i = 0; i < model->input_count; i++) {
        const tn_value *v = model->inputs[i];
        TN_TRY(tn_graph_add_input(lowering->kir, v->name, &v->type, &lowering->values[v->id]));
    }
    for (size_t i = 0; i < model->const_count; i++) {
        const tn_value *v = model->consts[i];
        TN_TRY(tn_graph_add_const(lowering->kir, v->name, &v->type, v->data,
                                  &lowering->values[v->id]));
    }
    for (size_t i = 0; i < model->state_count; i++) {
        const tn_value *v = model->states[i].value;
        TN_TRY(tn_graph_add_state(lowering->kir, v->name, &v->type, v->data,
                                  &lowering->values[v->id]));
        lowering->kir->states[i].name = model->states[i].name;
    }
    return NULL;
}

/* Made by a converter and not yet known by a name of the model. */
static bool is_numbered(const tn_value *value) {
    return value->kind == TN_VALUE_RESULT && value->name.len > 0 && value->name.data[0] >= '0' &&
           value->name.data[0] <= '9';
}

static tn_status lower_node(tn_lowering *lowering, const tn_node_fate *fate) {
    const tn_node *node = fate->node;
    tn_value **operands, **results;
    TN_ARENA_TRY(lowering->arena, operands, node->operand_count);
    TN_ARENA_TRY(lowering->arena, results, node->result_count);
    for (uint32_t i = 0; i < node->operand_count; i++)
        operands[i] = node->operands[i] ? lowering->values[node->operands[i]->id] : NULL;
    lowering->kb.locs = node->locs;
    if (fate->fate == TN_FATE_ENGINE)
        TN_TRY(tn_convert_node(&lowering->kb, node, operands, false, results));
    else
        TN_TRY(tn_call_add(lowering->kir, lowering->kb.prims, node, operands, results));
    for (uint32_t i = 0; i < node->result_count; i++) {
        lowering->values[node->results[i]->id] = results[i];
        if (is_numbered(results[i]))
            TN_TRY(tn_value_rename(lowering->kir, results[i], node->results[i]->name));
    }
    return NULL;
}

static tn_status lower_ends(tn_lowering *lowering) {
    const tn_graph *model = lowering->model;
    for (size_t i = 0; i < model->output_count; i++) {
        tn_output output = model->outputs[i];
        output.value = lowering->values[output.value->id];
        output.target = output.target ? lowering->values[output.target->id] : NULL;
        TN_TRY(tn_graph_add_output(lowering->kir, &output));
    }
    for (size_t i = 0; i < model->state_count; i++)
        lowering->kir->states[i].next = lowering->values[model->states[i].next->id];
    return NULL;
}

tn_status tn_lower(tn_env *env, tn_arena *arena, const tn_op_table *prims, const tn_graph *model,
                   const tn_assignment *assignment, tn_graph **out_kir) {
    tn_lowering lowering = {.arena = arena, .model = model};
    *out_kir = NULL;
    TN_TRY(tn_assignment_check(assignment));
    TN_TRY(tn_graph_create(arena, model->syms, model->name, &lowering.kir));
    TN_ARENA_TRY(arena, lowering.values, model->value_id_end);
    TN_TRY(lower_sources(&lowering));
    tn_kb_init(&lowering.kb, lowering.kir, prims);
    for (size_t i = 0; i < assignment->count; i++)
        TN_TRY(lower_node(&lowering, &assignment->fates[i]));
    TN_TRY(lower_ends(&lowering));
    tn_log(env, TN_LOG_DEBUG, "lowered %zu operators to %zu primitives", model->node_count,
           lowering.kir->node_count);
    *out_kir = lowering.kir;
    return NULL;
}
