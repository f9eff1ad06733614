/* assign.c: probes, then settings, then what an executor can serve.
 *
 * A probed node's operands become inputs (or the constants that they are) of a graph of its own,
 * typed as the model says, so that a refused node does not hide what becomes of those after it. */
#include "plan/assign.h"

#include "ops/convert.h"
#include "plan/call.h"

/* One walk over a model. */
typedef struct assigner {
    tn_arena *arena;
    const tn_op_table *prims;
    const tn_graph *model;
    const tn_assign_options *options;
    tn_assignment *assignment;
    bool *does_work; /* by fate */
} assigner;

/* ---- what the engine can hold ------------------------------------------------------------------
 */

static tn_status probe_operand(tn_graph *graph, const tn_value *value, tn_value **out_value) {
    if (value->kind == TN_VALUE_CONST)
        return tn_graph_add_const(graph, value->name, &value->type, value->data, out_value);
    return tn_graph_add_input(graph, value->name, &value->type, out_value);
}

static bool has_work(const tn_graph *graph) {
    for (const tn_node *node = graph->first; node; node = node->next)
        if (tn_prim_class_of(tn_node_prim(node)) != TN_CLASS_VIEW)
            return true;
    return false;
}

/* Runs the converter in an arena that goes afterwards. */
static tn_status probe(tn_arena *scratch, const tn_op_table *prims, const tn_node *node,
                       bool *out_does_work) {
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
    TN_TRY(tn_convert_node(&kb, node, operands, true, results));
    *out_does_work = has_work(graph);
    return NULL;
}

/* Takes a refusal over as the reason of a fate; running out of memory is a failure. */
static tn_status take_reason(tn_arena *arena, tn_status refusal, tn_node_fate *fate) {
    if (!refusal || tn_status_code(refusal) == TN_OUT_OF_MEMORY)
        return refusal;
    fate->code = tn_status_code(refusal);
    fate->reason = tn_arena_str(arena, tn_str_of(tn_status_message(refusal))).data;
    tn_status_free(refusal);
    return fate->reason ? NULL : tn_error_out_of_memory();
}

/* ---- what an executor can serve ----------------------------------------------------------------
 */

/* A node is to be a call, for the fate's reason, unless no executor could serve it. Arguments that
 * the operator does not take are wrong everywhere. */
static tn_status leave_to_executor(const assigner *a, tn_node_fate *fate) {
    tn_node_fate refusal = {.code = TN_OK};
    fate->fate = fate->code == TN_INVALID_ARGUMENT ? TN_FATE_REFUSED : TN_FATE_FALLBACK;
    if (fate->fate == TN_FATE_REFUSED)
        return NULL;
    TN_TRY(take_reason(a->arena, tn_call_check(fate->node), &refusal));
    if (refusal.code == TN_OK)
        return NULL;
    fate->fate = TN_FATE_REFUSED;
    fate->reason = tn_arena_printf(a->arena, "%s; nor can it be left to an executor: %s",
                                   fate->reason, refusal.reason);
    return fate->reason ? NULL : tn_error_out_of_memory();
}

static tn_status decide(const assigner *a, const tn_node *node, bool *out_does_work,
                        tn_node_fate *out_fate) {
    tn_arena scratch;
    tn_arena_init(&scratch, a->arena->allocator);
    *out_fate = (tn_node_fate){.node = node, .fate = TN_FATE_ENGINE, .reason = "", .setting = ""};
    tn_status status =
        take_reason(a->arena, probe(&scratch, a->prims, node, out_does_work), out_fate);
    tn_arena_deinit(&scratch);
    /* The table is the model's: a size that overflows here is no other node's failure. */
    tn_syms_forget_failure(node->graph->syms);
    if (status || out_fate->code == TN_OK)
        return status;
    return leave_to_executor(a, out_fate);
}

/* ---- executed_ops ------------------------------------------------------------------------------
 */

static bool matches(tn_str pattern, tn_str full_name, const tn_op *op) {
    return tn_str_glob(pattern, full_name) || tn_str_glob(pattern, op->schema->name);
}

static tn_status apply_pattern(const assigner *a, tn_str pattern) {
    bool is_used = false;
    for (size_t i = 0; i < a->assignment->count; i++) {
        tn_node_fate *fate = &a->assignment->fates[i];
        tn_str full_name;
        TN_TRY(tn_call_op_name(a->arena, fate->node->op, &full_name));
        if (!matches(pattern, full_name, fate->node->op))
            continue;
        is_used = true;
        if (fate->fate != TN_FATE_ENGINE)
            continue;
        fate->setting = "executed_ops";
        fate->reason = tn_arena_printf(a->arena, "executed_ops keeps \"%.*s\" out of the engine",
                                       TN_STR_ARG(pattern));
        if (!fate->reason)
            return tn_error_out_of_memory();
        TN_TRY(leave_to_executor(a, fate));
    }
    if (is_used)
        return NULL;
    return tn_error_make(TN_NOT_FOUND,
                         "executed_ops: no node of the model matches \"%.*s\"; expected operators "
                         "as `tenon report` lists them, such as aten::gelu, aten::gelu.default or "
                         "aten::*norm*",
                         TN_STR_ARG(pattern));
}

static tn_status apply_executed_ops(const assigner *a) {
    for (tn_str rest = tn_str_of(a->options->executed_ops ? a->options->executed_ops : "");
         rest.len > 0;) {
        tn_str pattern;
        rest = tn_str_split(rest, ',', &pattern);
        TN_TRY(apply_pattern(a, tn_str_trim(pattern)));
    }
    return NULL;
}

/* ---- min_block_size ----------------------------------------------------------------------------
 */

/* A node's level is the largest number of calls, other than itself, on a way to it. Nodes of the
 * engine on one level form a block: no way between two of them leads through a call. */
static uint32_t level_of(const tn_node *node, const uint32_t *levels, const bool *is_call) {
    uint32_t level = 0;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const tn_value *operand = node->operands[i];
        if (!operand || !operand->def)
            continue;
        uint32_t seen = levels[operand->id] + is_call[operand->id];
        level = seen > level ? seen : level;
    }
    return level;
}

static tn_status apply_min_block_size(const assigner *a) {
    const tn_assignment *assignment = a->assignment;
    uint32_t *levels, *level_by_fate;
    uint64_t *work;
    bool *is_call;
    TN_ARENA_TRY(a->arena, levels, a->model->value_id_end + 1);
    TN_ARENA_TRY(a->arena, is_call, a->model->value_id_end + 1);
    TN_ARENA_TRY(a->arena, level_by_fate, assignment->count + 1);
    TN_ARENA_TRY(a->arena, work, assignment->count + 1);
    for (size_t i = 0; i < assignment->count; i++) {
        const tn_node_fate *fate = &assignment->fates[i];
        uint32_t level = level_by_fate[i] = level_of(fate->node, levels, is_call);
        for (uint32_t r = 0; r < fate->node->result_count; r++) {
            levels[fate->node->results[r]->id] = level;
            is_call[fate->node->results[r]->id] = fate->fate != TN_FATE_ENGINE;
        }
        work[level] += fate->fate == TN_FATE_ENGINE && a->does_work[i];
    }
    for (size_t i = 0; i < assignment->count; i++) {
        tn_node_fate *fate = &assignment->fates[i];
        uint64_t size = work[level_by_fate[i]];
        if (fate->fate != TN_FATE_ENGINE || !a->does_work[i] || size >= a->options->min_block_size)
            continue;
        tn_node_fate call = {.node = fate->node, .setting = "min_block_size"};
        call.reason = tn_arena_printf(
            a->arena, "nodes that compute something in its block: %llu, min_block_size: %llu",
            (unsigned long long)size, (unsigned long long)a->options->min_block_size);
        if (!call.reason)
            return tn_error_out_of_memory();
        TN_TRY(leave_to_executor(a, &call));
        if (call.fate == TN_FATE_FALLBACK) /* what no executor could serve stays */
            *fate = call;
    }
    return NULL;
}

/* ---- all together ------------------------------------------------------------------------------
 */

static void count_fates(const assigner *a) {
    tn_assignment *assignment = a->assignment;
    for (size_t i = 0; i < assignment->count; i++) {
        tn_node_fate *fate = &assignment->fates[i];
        if (fate->fate == TN_FATE_FALLBACK && a->options->requires_engine) {
            fate->fate = TN_FATE_REFUSED;
            fate->setting = "require_full_compilation";
        }
        assignment->fallback_count += fate->fate == TN_FATE_FALLBACK;
        assignment->refused_count += fate->fate == TN_FATE_REFUSED;
    }
}

tn_status tn_assign(tn_env *env, tn_arena *arena, const tn_op_table *prims, const tn_graph *model,
                    const tn_assign_options *options, tn_assignment **out_assignment) {
    assigner a = {.arena = arena, .prims = prims, .model = model, .options = options};
    *out_assignment = NULL;
    TN_ARENA_TRY(arena, a.assignment, 1);
    TN_ARENA_TRY(arena, a.assignment->fates, model->node_count);
    TN_ARENA_TRY(arena, a.does_work, model->node_count);
    for (const tn_node *node = model->first; node; node = node->next) {
        size_t i = a.assignment->count++;
        TN_TRY(decide(&a, node, &a.does_work[i], &a.assignment->fates[i]));
    }
    TN_TRY(apply_executed_ops(&a));
    if (options->min_block_size > 1)
        TN_TRY(apply_min_block_size(&a));
    count_fates(&a);
    tn_log(env, TN_LOG_DEBUG, "%zu of %zu operators fall back", a.assignment->fallback_count,
           a.assignment->count);
    *out_assignment = a.assignment;
    return NULL;
}

tn_status tn_assignment_check(const tn_assignment *assignment) {
    for (size_t i = 0; i < assignment->count; i++) {
        const tn_node_fate *fate = &assignment->fates[i];
        if (fate->fate != TN_FATE_REFUSED)
            continue;
        tn_status status =
            tn_error_make(fate->code ? fate->code : TN_UNSUPPORTED, "%s", fate->reason);
        if (*fate->setting)
            status = tn_status_annotate(status, "while %s is set", fate->setting);
        return tn_convert_annotate(status, fate->node);
    }
    return NULL;
}
