/* graph.c: building and changing graphs. Use lists are kept exact by every change, so that passes
 * never search for uses; names are made unique when they enter the graph. */
#include "ir/graph.h"

#include <assert.h>
#include <string.h>

/* ---- types ---------------------------------------------------------------------------------- */

bool tn_type_equal(const tn_type *a, const tn_type *b) {
    if (a->dtype != b->dtype || a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

bool tn_type_is_static(const tn_type *type) {
    for (uint32_t i = 0; i < type->rank; i++)
        if (!tn_sym_is_const(type->dims[i]))
            return false;
    return true;
}

const tn_sym *tn_type_elems(tn_syms *syms, const tn_type *type) {
    const tn_sym *elems = tn_sym_const(syms, 1);
    for (uint32_t i = 0; i < type->rank; i++)
        elems = tn_sym_mul(syms, elems, type->dims[i]);
    return elems;
}

void tn_type_print(tn_buf *buf, const tn_type *type) {
    tn_buf_printf(buf, "%s[", tn_dtype_name(type->dtype));
    for (uint32_t i = 0; i < type->rank; i++) {
        if (i)
            tn_buf_append(buf, ", ", 2);
        tn_sym_print(buf, type->dims[i]);
    }
    tn_buf_append(buf, "]", 1);
}

/* ---- names and values ----------------------------------------------------------------------- */

tn_status tn_graph_create(tn_arena *arena, tn_syms *syms, tn_str name, tn_graph **out_graph) {
    *out_graph = NULL;
    tn_graph *graph = NULL;
    TN_ARENA_TRY(arena, graph, 1);
    graph->arena = arena;
    graph->syms = syms;
    graph->name = tn_arena_str(arena, name);
    if (!graph->name.data)
        return tn_error_out_of_memory();
    tn_map_init(&graph->names, tn_arena_allocator(arena));
    *out_graph = graph;
    return NULL;
}

static tn_status claim_name(tn_graph *graph, tn_str name, uintptr_t next, tn_str *out_name) {
    *out_name = tn_arena_str(graph->arena, name);
    if (!out_name->data)
        return tn_error_out_of_memory();
    return tn_map_set(&graph->names, *out_name, (void *)next);
}

/* The number under a name is where the search for a free one goes on, so that a thousand values
 * called x take a thousand steps, not a million. */
static tn_status unique_name(tn_graph *graph, tn_str wanted, uint32_t id, tn_str *out_name) {
    char number[16];
    if (wanted.len == 0)
        wanted = (tn_str){number, (size_t)tn_format(number, sizeof number, "%u", (unsigned)id)};
    if (!tn_map_has(&graph->names, wanted))
        return claim_name(graph, wanted, 1, out_name);
    uintptr_t next = (uintptr_t)tn_map_get(&graph->names, wanted);
    for (;; next++) {
        const char *text = tn_arena_printf(graph->arena, "%.*s_%llu", TN_STR_ARG(wanted),
                                           (unsigned long long)next);
        if (!text)
            return tn_error_out_of_memory();
        tn_str candidate = tn_str_of(text);
        if (tn_map_has(&graph->names, candidate))
            continue;
        TN_TRY(tn_map_set(&graph->names, wanted, (void *)(next + 1)));
        return claim_name(graph, candidate, 1, out_name);
    }
}

tn_status tn_value_rename(tn_graph *graph, tn_value *value, tn_str name) {
    return unique_name(graph, name, value->id, &value->name);
}

static tn_status make_value(tn_graph *graph, tn_value_kind kind, tn_str name, const tn_type *type,
                            tn_value **out_value) {
    tn_value *value = NULL;
    TN_ARENA_TRY(graph->arena, value, 1);
    value->kind = kind;
    value->type = *type;
    value->id = graph->value_id_end;
    TN_TRY(unique_name(graph, name, value->id, &value->name));
    graph->value_id_end++;
    *out_value = value;
    return NULL;
}

tn_status tn_graph_add_input(tn_graph *graph, tn_str name, const tn_type *type,
                             tn_value **out_value) {
    *out_value = NULL;
    tn_value **inputs = tn_arena_grow(graph->arena, graph->inputs, graph->input_count,
                                      &graph->input_capacity, sizeof *inputs);
    if (!inputs)
        return tn_error_out_of_memory();
    graph->inputs = inputs;
    TN_TRY(make_value(graph, TN_VALUE_INPUT, name, type, out_value));
    graph->inputs[graph->input_count++] = *out_value;
    return NULL;
}

tn_status tn_graph_add_const(tn_graph *graph, tn_str name, const tn_type *type,
                             const tn_const *data, tn_value **out_value) {
    *out_value = NULL;
    tn_const *copy = NULL;
    TN_ARENA_TRY(graph->arena, copy, 1);
    *copy = *data;
    tn_value **consts = tn_arena_grow(graph->arena, graph->consts, graph->const_count,
                                      &graph->const_capacity, sizeof *consts);
    if (!consts)
        return tn_error_out_of_memory();
    graph->consts = consts;
    TN_TRY(make_value(graph, TN_VALUE_CONST, name, type, out_value));
    (*out_value)->data = copy;
    graph->consts[graph->const_count++] = *out_value;
    return NULL;
}

tn_status tn_graph_add_state(tn_graph *graph, tn_str name, const tn_type *type,
                             const tn_const *data, tn_value **out_value) {
    *out_value = NULL;
    tn_const *copy = NULL;
    TN_ARENA_TRY(graph->arena, copy, 1);
    *copy = *data;
    tn_state *states = tn_arena_grow(graph->arena, graph->states, graph->state_count,
                                     &graph->state_capacity, sizeof *states);
    if (!states)
        return tn_error_out_of_memory();
    graph->states = states;
    tn_str kept = tn_arena_str(graph->arena, name);
    if (!kept.data)
        return tn_error_out_of_memory();
    TN_TRY(make_value(graph, TN_VALUE_STATE, name, type, out_value));
    (*out_value)->data = copy;
    /* Until a pass says otherwise a state keeps its content. */
    graph->states[graph->state_count++] =
        (tn_state){.value = *out_value, .next = *out_value, .name = kept};
    return NULL;
}

tn_status tn_graph_make_state(tn_graph *graph, tn_value *constant) {
    assert(constant->kind == TN_VALUE_CONST);
    tn_state *states = tn_arena_grow(graph->arena, graph->states, graph->state_count,
                                     &graph->state_capacity, sizeof *states);
    if (!states)
        return tn_error_out_of_memory();
    graph->states = states;
    size_t kept = 0;
    for (size_t i = 0; i < graph->const_count; i++)
        if (graph->consts[i] != constant)
            graph->consts[kept++] = graph->consts[i];
    graph->const_count = kept;
    constant->kind = TN_VALUE_STATE;
    states[graph->state_count++] =
        (tn_state){.value = constant, .next = constant, .name = constant->name};
    return NULL;
}

tn_status tn_graph_add_output(tn_graph *graph, const tn_output *output) {
    tn_output *outputs = tn_arena_grow(graph->arena, graph->outputs, graph->output_count,
                                       &graph->output_capacity, sizeof *outputs);
    if (!outputs)
        return tn_error_out_of_memory();
    graph->outputs = outputs;
    tn_output copy = *output;
    copy.name = tn_arena_str(graph->arena, output->name);
    if (!copy.name.data)
        return tn_error_out_of_memory();
    outputs[graph->output_count++] = copy;
    return NULL;
}

/* ---- uses ----------------------------------------------------------------------------------- */

static tn_status reserve_uses(tn_graph *graph, tn_value *value, size_t count) {
    while (value->use_capacity < count) {
        tn_use *uses = tn_arena_grow(graph->arena, value->uses, value->use_capacity,
                                     &value->use_capacity, sizeof *uses);
        if (!uses)
            return tn_error_out_of_memory();
        value->uses = uses;
    }
    return NULL;
}

static tn_status add_use(tn_graph *graph, tn_value *value, tn_node *node, uint32_t operand) {
    TN_TRY(reserve_uses(graph, value, (size_t)value->use_count + 1));
    value->uses[value->use_count++] = (tn_use){node, operand};
    return NULL;
}

static void remove_use(tn_value *value, const tn_node *node, uint32_t operand) {
    /* From the end: what was added last is changed most. */
    for (uint32_t i = value->use_count; i-- > 0;) {
        if (value->uses[i].node == node && value->uses[i].operand == operand) {
            value->uses[i] = value->uses[--value->use_count];
            return;
        }
    }
    assert(!"the use list lacks an operand");
}

tn_status tn_node_set_operand(tn_node *node, uint32_t operand, tn_value *value) {
    assert(operand < node->operand_count);
    tn_value *old = node->operands[operand];
    if (old == value)
        return NULL;
    if (value)
        TN_TRY(add_use(node->graph, value, node, operand));
    if (old)
        remove_use(old, node, operand);
    node->operands[operand] = value;
    return NULL;
}

tn_status tn_value_replace(tn_graph *graph, tn_value *from, tn_value *to) {
    if (from == to)
        return NULL;
    TN_TRY(reserve_uses(graph, to, (size_t)to->use_count + from->use_count));
    for (uint32_t i = 0; i < from->use_count; i++) {
        tn_use use = from->uses[i];
        use.node->operands[use.operand] = to;
        to->uses[to->use_count++] = use;
    }
    from->use_count = 0;
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].value == from)
            graph->outputs[i].value = to;
    for (size_t i = 0; i < graph->state_count; i++)
        if (graph->states[i].next == from)
            graph->states[i].next = to;
    return NULL;
}

bool tn_value_is_output(const tn_graph *graph, const tn_value *value) {
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].value == value)
            return true;
    for (size_t i = 0; i < graph->state_count; i++)
        if (graph->states[i].next == value)
            return true;
    return false;
}

/* ---- arguments ------------------------------------------------------------------------------ */

static tn_status default_ints(tn_graph *graph, const tn_param *param, tn_arg *out_arg) {
    const tn_default *value = &param->default_value;
    bool is_one = value->kind == TN_DEFAULT_INT;
    uint32_t count = value->count;
    if (is_one)
        count = param->list_size > 0 ? (uint32_t)param->list_size : 1;
    const tn_sym **ints = NULL;
    TN_ARENA_TRY(graph->arena, ints, count);
    for (uint32_t i = 0; i < count; i++) {
        ints[i] = tn_sym_const(graph->syms, is_one ? value->i : value->ints[i]);
        if (!ints[i])
            return tn_error_out_of_memory();
    }
    *out_arg = (tn_arg){.kind = TN_ARG_INTS, .count = count, .ints = ints};
    return NULL;
}

/* A list default, or one value that stands for a list. */
static tn_status default_list(tn_graph *graph, const tn_param *param, tn_arg *out_arg) {
    const tn_default *value = &param->default_value;
    uint32_t copies = param->list_size > 0 ? (uint32_t)param->list_size : 1;
    switch (value->kind) {
    case TN_DEFAULT_INTS:
        if (param->type == TN_PARAM_TENSOR) {
            *out_arg = (tn_arg){.kind = TN_ARG_VALUES};
            return NULL;
        }
        if (param->type == TN_PARAM_STR) {
            *out_arg = (tn_arg){.kind = TN_ARG_STRS};
            return NULL;
        }
        return default_ints(graph, param, out_arg);
    case TN_DEFAULT_FLOATS:
        *out_arg = (tn_arg){.kind = TN_ARG_FLOATS, .count = value->count, .floats = value->floats};
        return NULL;
    case TN_DEFAULT_BOOLS:
        *out_arg = (tn_arg){.kind = TN_ARG_BOOLS, .count = value->count, .bools = value->bools};
        return NULL;
    case TN_DEFAULT_FLOAT: {
        double *floats = NULL;
        TN_ARENA_TRY(graph->arena, floats, copies);
        for (uint32_t i = 0; i < copies; i++)
            floats[i] = value->f;
        *out_arg = (tn_arg){.kind = TN_ARG_FLOATS, .count = copies, .floats = floats};
        return NULL;
    }
    case TN_DEFAULT_BOOL: {
        bool *bools = NULL;
        TN_ARENA_TRY(graph->arena, bools, copies);
        for (uint32_t i = 0; i < copies; i++)
            bools[i] = value->b;
        *out_arg = (tn_arg){.kind = TN_ARG_BOOLS, .count = copies, .bools = bools};
        return NULL;
    }
    default:
        return default_ints(graph, param, out_arg);
    }
}

tn_status tn_arg_default(tn_graph *graph, const tn_op *op, const tn_param *param, tn_arg *out_arg) {
    const tn_default *value = &param->default_value;
    *out_arg = (tn_arg){.kind = TN_ARG_NONE};
    if (value->kind == TN_DEFAULT_ABSENT)
        return tn_error_make(TN_INVALID_ARGUMENT,
                             "%.*s: argument '%.*s' is missing and has no default",
                             TN_STR_ARG(op->name), TN_STR_ARG(param->name));
    if (value->kind == TN_DEFAULT_NONE)
        return NULL;
    if (param->is_list)
        return default_list(graph, param, out_arg);
    switch (value->kind) {
    case TN_DEFAULT_INT:
        *out_arg = (tn_arg){.kind = TN_ARG_INT, .i = tn_sym_const(graph->syms, value->i)};
        return out_arg->i ? NULL : tn_error_out_of_memory();
    case TN_DEFAULT_FLOAT:
        *out_arg = (tn_arg){.kind = TN_ARG_FLOAT, .f = value->f};
        return NULL;
    case TN_DEFAULT_BOOL:
        *out_arg = (tn_arg){.kind = TN_ARG_BOOL, .b = value->b};
        return NULL;
    default:
        break;
    }
    if (param->type == TN_PARAM_DTYPE)
        *out_arg = (tn_arg){.kind = TN_ARG_DTYPE, .dtype = tn_dtype_from_name(value->s.data)};
    else
        *out_arg = (tn_arg){.kind = TN_ARG_STR, .s = value->s};
    return NULL;
}

static tn_status copy_array(tn_arena *arena, const void *items, size_t count, size_t elem_bytes,
                            void **out_copy) {
    *out_copy = tn_arena_alloc(arena, count, elem_bytes);
    if (!*out_copy)
        return tn_error_out_of_memory();
    if (count)
        memcpy(*out_copy, items, count * elem_bytes);
    return NULL;
}

/* Copies the arrays that an argument points to; the bytes of strings too. */
static tn_status copy_arg(tn_arena *arena, const tn_arg *from, tn_arg *to) {
    *to = *from;
    void *copy = NULL;
    switch (from->kind) {
    case TN_ARG_INTS:
        TN_TRY(copy_array(arena, from->ints, from->count, sizeof *from->ints, &copy));
        to->ints = copy;
        return NULL;
    case TN_ARG_FLOATS:
        TN_TRY(copy_array(arena, from->floats, from->count, sizeof *from->floats, &copy));
        to->floats = copy;
        return NULL;
    case TN_ARG_BOOLS:
        TN_TRY(copy_array(arena, from->bools, from->count, sizeof *from->bools, &copy));
        to->bools = copy;
        return NULL;
    case TN_ARG_STR:
        to->s = tn_arena_str(arena, from->s);
        return to->s.data ? NULL : tn_error_out_of_memory();
    case TN_ARG_STRS: {
        tn_str *strs = NULL;
        TN_ARENA_TRY(arena, strs, from->count);
        for (uint32_t i = 0; i < from->count; i++) {
            strs[i] = tn_arena_str(arena, from->strs[i]);
            if (!strs[i].data)
                return tn_error_out_of_memory();
        }
        to->strs = strs;
        return NULL;
    }
    default:
        return NULL;
    }
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static tn_status fill_args(tn_graph *graph, const tn_node_desc *desc, tn_node *node) {
    const tn_schema *schema = desc->op->schema;
    if (desc->arg_count > schema->param_count)
        return tn_error_make(TN_INVALID_ARGUMENT, "%.*s: got %u arguments, expected at most %u",
                             TN_STR_ARG(desc->op->name), (unsigned)desc->arg_count,
                             (unsigned)schema->param_count);
    TN_ARENA_TRY(graph->arena, node->args, schema->param_count);
    for (uint32_t i = 0; i < desc->arg_count; i++)
        TN_TRY(copy_arg(graph->arena, &desc->args[i], &node->args[i]));
    for (uint32_t i = desc->arg_count; i < schema->param_count; i++)
        TN_TRY(tn_arg_default(graph, desc->op, &schema->params[i], &node->args[i]));
    return NULL;
}

static tn_status fill_results(tn_graph *graph, const tn_node_desc *desc, tn_node *node) {
    TN_ARENA_TRY(graph->arena, node->results, desc->result_count);
    node->result_count = desc->result_count;
    for (uint32_t i = 0; i < desc->result_count; i++) {
        tn_str name = desc->result_names ? desc->result_names[i] : (tn_str){NULL, 0};
        TN_TRY(make_value(graph, TN_VALUE_RESULT, name, &desc->result_types[i], &node->results[i]));
        node->results[i]->def = node;
        node->results[i]->result_index = i;
    }
    return NULL;
}

static void link_node(tn_graph *graph, tn_node *node, tn_node *before) {
    node->next = before;
    node->prev = before ? before->prev : graph->last;
    *(node->prev ? &node->prev->next : &graph->first) = node;
    *(before ? &before->prev : &graph->last) = node;
    graph->node_count++;
}

static void unlink_node(tn_graph *graph, tn_node *node) {
    *(node->prev ? &node->prev->next : &graph->first) = node->next;
    *(node->next ? &node->next->prev : &graph->last) = node->prev;
    node->prev = node->next = NULL;
    graph->node_count--;
}

tn_status tn_graph_add_node(tn_graph *graph, tn_node *before, const tn_node_desc *desc,
                            tn_node **out_node) {
    *out_node = NULL;
    tn_node *node = NULL;
    TN_ARENA_TRY(graph->arena, node, 1);
    node->op = desc->op;
    node->graph = graph;
    node->id = graph->node_id_end;
    TN_TRY(fill_args(graph, desc, node));
    TN_TRY(fill_results(graph, desc, node));
    void *locs = NULL;
    TN_TRY(copy_array(graph->arena, desc->locs.items, desc->locs.count, sizeof *desc->locs.items,
                      &locs));
    node->locs = (tn_locs){.items = locs, .count = desc->locs.count};
    TN_ARENA_TRY(graph->arena, node->operands, desc->operand_count);
    for (uint32_t i = 0; i < desc->operand_count; i++) {
        tn_status status = NULL;
        if (desc->operands[i])
            status = add_use(graph, desc->operands[i], node, i);
        if (status) { /* a node that is not in the graph must not stay in use lists */
            while (i-- > 0)
                if (desc->operands[i])
                    remove_use(desc->operands[i], node, i);
            return status;
        }
        node->operands[i] = desc->operands[i];
    }
    node->operand_count = desc->operand_count;
    graph->node_id_end++;
    link_node(graph, node, before);
    *out_node = node;
    return NULL;
}

void tn_graph_remove_node(tn_graph *graph, tn_node *node) {
    for (uint32_t i = 0; i < node->result_count; i++)
        assert(node->results[i]->use_count == 0);
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i])
            remove_use(node->operands[i], node, i);
    unlink_node(graph, node);
}

void tn_graph_move_node(tn_graph *graph, tn_node *node, tn_node *before) {
    if (node == before || (before && node->next == before))
        return;
    unlink_node(graph, node);
    link_node(graph, node, before);
}

tn_value *tn_node_arg_value(const tn_node *node, uint32_t i) {
    assert(i < node->op->schema->param_count);
    const tn_arg *arg = &node->args[i];
    return arg->kind == TN_ARG_VALUE ? node->operands[arg->operand] : NULL;
}

/* ---- provenance ----------------------------------------------------------------------------- */

static tn_status collect_locs(tn_arena *arena, tn_map *seen, const tn_locs *parts,
                              size_t part_count, tn_locs *out_locs) {
    size_t total = 0;
    for (size_t i = 0; i < part_count; i++)
        total += parts[i].count;
    const tn_loc **items = NULL;
    TN_ARENA_TRY(arena, items, total);
    uint32_t count = 0;
    for (size_t i = 0; i < part_count; i++) {
        for (uint32_t k = 0; k < parts[i].count; k++) {
            const tn_loc *loc = parts[i].items[k];
            if (tn_map_get_u64(seen, (uintptr_t)loc))
                continue;
            TN_TRY(tn_map_set_u64(seen, (uintptr_t)loc, seen));
            items[count++] = loc;
        }
    }
    *out_locs = (tn_locs){.items = items, .count = count};
    return NULL;
}

tn_status tn_locs_merge(tn_arena *arena, const tn_locs *parts, size_t part_count,
                        tn_locs *out_locs) {
    *out_locs = (tn_locs){0};
    tn_map seen;
    tn_map_init(&seen, arena->allocator);
    tn_status status = collect_locs(arena, &seen, parts, part_count, out_locs);
    tn_map_deinit(&seen);
    return status;
}

const tn_sym *tn_graph_unbound_symbol(const tn_graph *graph, const tn_sym *expr) {
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        const tn_sym *unbound = tn_graph_unbound_symbol(graph, expr->args[i]);
        if (unbound)
            return unbound;
    }
    if (expr->kind != TN_SYM_VAR)
        return NULL;
    for (size_t i = 0; i < graph->input_count; i++)
        for (uint32_t d = 0; d < graph->inputs[i]->type.rank; d++)
            if (graph->inputs[i]->type.dims[d] == expr)
                return NULL;
    return expr;
}
