/* verify.c: the invariants of a graph, checked in one walk over nodes and one over use lists;
 * linear, so that it can run after every pass. */
#include "ir/verify.h"

#include <stdarg.h>
#include <string.h>

enum { GRAPH_DEPTH_MAX = 64 };

typedef struct checker {
    const tn_graph *graph;
    tn_allocator allocator;
    tn_status (*verify_prim)(const tn_node *node);
    const tn_value **values; /* by id: those defined so far */
    const tn_node **nodes;   /* by id: those seen so far */
    uint32_t *first_operand; /* by node id: where the node's operands begin in is_used */
    bool *is_used;           /* by operand: a use entry stands for it */
    size_t operand_total;
    tn_map names;
    int depth;
} checker;

static tn_status verify_graph(const tn_graph *graph, tn_status (*verify_prim)(const tn_node *node),
                              int depth);

/* ---- messages ------------------------------------------------------------------------------- */

static tn_status wrong(const char *format, ...) TN_PRINTF(1, 2);
static tn_status wrong(const char *format, ...) {
    char message[512];
    va_list args;
    va_start(args, format);
    (void)tn_vformat(message, sizeof message, format, args);
    va_end(args);
    return tn_error_make(TN_INTERNAL, "verify: %s", message);
}

/* "node 12 (aten::add.Tensor)" goes in front of what is wrong with a node. */
static tn_status wrong_node(const tn_node *node, const char *format, ...) TN_PRINTF(2, 3);
static tn_status wrong_node(const tn_node *node, const char *format, ...) {
    char message[512];
    va_list args;
    va_start(args, format);
    (void)tn_vformat(message, sizeof message, format, args);
    va_end(args);
    return wrong("node %u (%.*s): %s", (unsigned)node->id, TN_STR_ARG(node->op->name), message);
}

/* ---- values --------------------------------------------------------------------------------- */

static tn_status check_type(const tn_value *value) {
    const tn_type *type = &value->type;
    if (tn_dtype_bytes(type->dtype) == 0)
        return wrong("%%%.*s: dtype is %d, expected one of tn_dtype", TN_STR_ARG(value->name),
                     (int)type->dtype);
    if (type->rank > TN_MAX_RANK)
        return wrong("%%%.*s: rank is %u, expected at most %d", TN_STR_ARG(value->name),
                     (unsigned)type->rank, TN_MAX_RANK);
    for (uint32_t i = 0; i < type->rank; i++) {
        if (!type->dims[i])
            return wrong("%%%.*s: dimension %u is NULL", TN_STR_ARG(value->name), (unsigned)i);
        if (type->dims[i]->max < 0)
            return wrong("%%%.*s: dimension %u is at most %lld, expected a size",
                         TN_STR_ARG(value->name), (unsigned)i, (long long)type->dims[i]->max);
    }
    return NULL;
}

/* Enters a value into the tables of what is defined. */
static tn_status define(checker *c, const tn_value *value, tn_value_kind kind) {
    if (!value)
        return wrong("graph %.*s: a value is NULL", TN_STR_ARG(c->graph->name));
    if (value->kind != kind)
        return wrong("%%%.*s: kind is %d, expected %d where it stands", TN_STR_ARG(value->name),
                     (int)value->kind, (int)kind);
    if (value->id >= c->graph->value_id_end || c->values[value->id])
        return wrong("%%%.*s: id %u is taken or not below %u", TN_STR_ARG(value->name),
                     (unsigned)value->id, (unsigned)c->graph->value_id_end);
    if (value->name.len == 0)
        return wrong("value %u has no name", (unsigned)value->id);
    if (tn_map_has(&c->names, value->name))
        return wrong("%%%.*s: two values have this name", TN_STR_ARG(value->name));
    TN_TRY(tn_map_set(&c->names, value->name, NULL));
    c->values[value->id] = value;
    return check_type(value);
}

static bool is_defined(const checker *c, const tn_value *value) {
    return value && value->id < c->graph->value_id_end && c->values[value->id] == value;
}

static tn_status check_data(const tn_value *value) {
    const tn_type *type = &value->type;
    const tn_const *data = value->data;
    if (!data)
        return wrong("%%%.*s has no data", TN_STR_ARG(value->name));
    if (!tn_type_is_static(type))
        return wrong("%%%.*s: a dimension is symbolic, expected numbers", TN_STR_ARG(value->name));
    bool is_empty = false, is_contiguous = true;
    int64_t stride = 1;
    for (uint32_t i = type->rank; i-- > 0;) {
        int64_t dim = type->dims[i]->value;
        is_empty = is_empty || dim == 0;
        /* the stride of a dimension of one element is never used */
        if (dim != 1 && data->strides[i] != stride)
            is_contiguous = false;
        if (__builtin_mul_overflow(stride, dim > 0 ? dim : 1, &stride))
            return wrong("%%%.*s has more elements than 64 bits count", TN_STR_ARG(value->name));
    }
    if (!data->data && !is_empty)
        return wrong("%%%.*s: the data of %lld elements is NULL", TN_STR_ARG(value->name),
                     (long long)stride);
    if (data->is_contiguous && !is_contiguous && !is_empty)
        return wrong("%%%.*s: is marked contiguous, but its strides are not",
                     TN_STR_ARG(value->name));
    return NULL;
}

static tn_status check_sources(checker *c) {
    const tn_graph *graph = c->graph;
    for (size_t i = 0; i < graph->input_count; i++)
        TN_TRY(define(c, graph->inputs[i], TN_VALUE_INPUT));
    for (size_t i = 0; i < graph->const_count; i++) {
        TN_TRY(define(c, graph->consts[i], TN_VALUE_CONST));
        TN_TRY(check_data(graph->consts[i]));
    }
    for (size_t i = 0; i < graph->state_count; i++) {
        TN_TRY(define(c, graph->states[i].value, TN_VALUE_STATE));
        TN_TRY(check_data(graph->states[i].value));
    }
    return NULL;
}

/* ---- arguments ------------------------------------------------------------------------------ */

/* The kinds that a parameter's type takes, scalar and list. */
static bool scalar_fits(tn_param_type type, tn_arg_kind kind) {
    switch (type) {
    case TN_PARAM_TENSOR:
        return kind == TN_ARG_VALUE;
    case TN_PARAM_INT:
        return kind == TN_ARG_INT;
    case TN_PARAM_FLOAT: /* models write 1 for 1.0, and symbolic sizes where floats are wanted */
        return kind == TN_ARG_FLOAT || kind == TN_ARG_INT;
    case TN_PARAM_BOOL:
        return kind == TN_ARG_BOOL;
    case TN_PARAM_SCALAR:
        return kind == TN_ARG_INT || kind == TN_ARG_FLOAT || kind == TN_ARG_BOOL;
    case TN_PARAM_STR:
    case TN_PARAM_LAYOUT:
    case TN_PARAM_MEMORY_FORMAT:
    case TN_PARAM_DEVICE:
    case TN_PARAM_GENERATOR:
        return kind == TN_ARG_STR;
    case TN_PARAM_DTYPE:
        return kind == TN_ARG_DTYPE;
    case TN_PARAM_GRAPH:
        return kind == TN_ARG_GRAPH;
    case TN_PARAM_ANY:
        return true;
    }
    return false;
}

static bool list_fits(tn_param_type type, tn_arg_kind kind) {
    switch (type) {
    case TN_PARAM_TENSOR:
        return kind == TN_ARG_VALUES;
    case TN_PARAM_INT:
        return kind == TN_ARG_INTS;
    case TN_PARAM_FLOAT:
        return kind == TN_ARG_FLOATS || kind == TN_ARG_INTS;
    case TN_PARAM_SCALAR:
        return kind == TN_ARG_INTS || kind == TN_ARG_FLOATS || kind == TN_ARG_BOOLS;
    case TN_PARAM_BOOL:
        return kind == TN_ARG_BOOLS;
    case TN_PARAM_ANY:
        return true;
    default:
        return kind == TN_ARG_STRS;
    }
}

static const char *kind_name(tn_arg_kind kind) {
    static const char *const names[] = {
        [TN_ARG_NONE] = "None",      [TN_ARG_VALUE] = "a tensor", [TN_ARG_VALUES] = "tensors",
        [TN_ARG_INT] = "an integer", [TN_ARG_INTS] = "integers",  [TN_ARG_FLOAT] = "a float",
        [TN_ARG_FLOATS] = "floats",  [TN_ARG_BOOL] = "a bool",    [TN_ARG_BOOLS] = "bools",
        [TN_ARG_STR] = "a string",   [TN_ARG_STRS] = "strings",   [TN_ARG_DTYPE] = "a dtype",
        [TN_ARG_GRAPH] = "a graph",
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "of no known kind";
}

bool tn_arg_fits(const tn_param *param, const tn_arg *arg) {
    if (arg->kind == TN_ARG_NONE)
        return param->is_optional || param->type == TN_PARAM_ANY ||
               param->default_value.kind == TN_DEFAULT_NONE;
    if (!param->is_list)
        return scalar_fits(param->type, arg->kind);
    if (list_fits(param->type, arg->kind))
        return true;
    /* one number stands for a list of a fixed size */
    return param->list_size > 0 && param->type != TN_PARAM_TENSOR &&
           scalar_fits(param->type, arg->kind);
}

/* The operands that an argument refers to stand where they should; *inout_count counts them. */
static tn_status check_operands(const tn_node *node, uint32_t i, uint32_t *inout_count) {
    const tn_arg *arg = &node->args[i];
    const tn_param *param = &node->op->schema->params[i];
    uint32_t count = arg->kind == TN_ARG_VALUE ? 1 : arg->kind == TN_ARG_VALUES ? arg->count : 0;
    if (count == 0)
        return NULL;
    if (arg->operand > node->operand_count || count > node->operand_count - arg->operand)
        return wrong_node(node, "argument '%.*s' refers to operands %u to %u of %u",
                          TN_STR_ARG(param->name), (unsigned)arg->operand,
                          (unsigned)(arg->operand + count - 1), (unsigned)node->operand_count);
    bool may_be_null =
        arg->kind == TN_ARG_VALUES && (param->is_element_optional || param->type == TN_PARAM_ANY);
    for (uint32_t k = 0; k < count; k++)
        if (!node->operands[arg->operand + k] && !may_be_null)
            return wrong_node(node, "argument '%.*s' has None where a tensor is expected",
                              TN_STR_ARG(param->name));
    *inout_count += count;
    return NULL;
}

static tn_status check_args(checker *c, const tn_node *node) {
    const tn_schema *schema = node->op->schema;
    uint32_t referred = 0;
    for (uint32_t i = 0; i < schema->param_count; i++) {
        const tn_arg *arg = &node->args[i];
        if (!tn_arg_fits(&schema->params[i], arg))
            return wrong_node(node, "argument '%.*s' is %s, which its type does not take",
                              TN_STR_ARG(schema->params[i].name), kind_name(arg->kind));
        if (arg->kind == TN_ARG_INT && !arg->i)
            return wrong_node(node, "argument '%.*s' is a NULL expression",
                              TN_STR_ARG(schema->params[i].name));
        for (uint32_t k = 0; arg->kind == TN_ARG_INTS && k < arg->count; k++)
            if (!arg->ints[k])
                return wrong_node(node, "argument '%.*s' has a NULL expression at %u",
                                  TN_STR_ARG(schema->params[i].name), (unsigned)k);
        TN_TRY(check_operands(node, i, &referred));
        if (arg->kind == TN_ARG_GRAPH)
            TN_TRY(verify_graph(arg->graph, c->verify_prim, c->depth + 1));
    }
    if (referred != node->operand_count)
        return wrong_node(node, "arguments refer to %u operands, the node has %u",
                          (unsigned)referred, (unsigned)node->operand_count);
    return NULL;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static tn_status check_results(checker *c, const tn_node *node) {
    const tn_schema *schema = node->op->schema;
    bool has_list = false;
    for (uint32_t i = 0; i < schema->result_count; i++)
        has_list = has_list || schema->results[i].is_list;
    if (!has_list && node->result_count > schema->result_count)
        return wrong_node(node, "has %u results, its schema %u", (unsigned)node->result_count,
                          (unsigned)schema->result_count);
    for (uint32_t i = 0; i < node->result_count; i++) {
        const tn_value *result = node->results[i];
        TN_TRY(define(c, result, TN_VALUE_RESULT));
        if (result->symbol && (result->symbol->kind != TN_SYM_VAR || result->type.rank != 0 ||
                               result->type.dtype != TN_I64))
            return wrong_node(node, "result %u, %%%.*s, is no i64[] that could hold a symbol",
                              (unsigned)i, TN_STR_ARG(result->name));
        if (result->def != node || result->result_index != i)
            return wrong_node(node, "result %u, %%%.*s, names another definition", (unsigned)i,
                              TN_STR_ARG(result->name));
    }
    return NULL;
}

static tn_status check_node(checker *c, const tn_node *node, const tn_node *prev) {
    if (node->prev != prev)
        return wrong_node(node, "prev is not the node before it");
    if (node->graph != c->graph)
        return wrong_node(node, "belongs to another graph");
    if (node->id >= c->graph->node_id_end || c->nodes[node->id])
        return wrong_node(node, "its id is taken or not below %u", (unsigned)c->graph->node_id_end);
    c->nodes[node->id] = node;
    c->first_operand[node->id] = (uint32_t)c->operand_total;
    c->operand_total += node->operand_count;
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i] && !is_defined(c, node->operands[i]))
            return wrong_node(node, "operand %u, %%%.*s, is not defined before it", (unsigned)i,
                              TN_STR_ARG(node->operands[i]->name));
    TN_TRY(check_args(c, node));
    TN_TRY(check_results(c, node));
    if (node->op->op_class == TN_OP_PRIM && c->verify_prim)
        TN_TRY_CTX(c->verify_prim(node), "while verifying node %u", (unsigned)node->id);
    return NULL;
}

static tn_status check_nodes(checker *c) {
    const tn_node *prev = NULL;
    size_t count = 0;
    for (const tn_node *node = c->graph->first; node; prev = node, node = node->next, count++)
        TN_TRY(check_node(c, node, prev));
    if (c->graph->last != prev)
        return wrong("graph %.*s: last is not the last node", TN_STR_ARG(c->graph->name));
    if (c->graph->node_count != count)
        return wrong("graph %.*s: node_count is %zu, expected %zu", TN_STR_ARG(c->graph->name),
                     c->graph->node_count, count);
    return NULL;
}

/* ---- uses ----------------------------------------------------------------------------------- */

/* Each entry stands for an operand that holds the value, and no other entry for the same one. */
static tn_status check_use(checker *c, const tn_value *value, const tn_use *use) {
    const tn_node *node = use->node;
    bool is_real = node && node->id < c->graph->node_id_end && c->nodes[node->id] == node &&
                   use->operand < node->operand_count && node->operands[use->operand] == value;
    if (!is_real)
        return wrong("%%%.*s: a use names a node or operand that does not use it",
                     TN_STR_ARG(value->name));
    bool *is_used = &c->is_used[c->first_operand[node->id] + use->operand];
    if (*is_used)
        return wrong_node(node, "operand %u is twice in the uses of %%%.*s", (unsigned)use->operand,
                          TN_STR_ARG(value->name));
    *is_used = true;
    return NULL;
}

static tn_status check_uses(checker *c) {
    TN_TRY(tn_alloc_array(&c->allocator, c->operand_total, sizeof *c->is_used, &c->is_used));
    for (uint32_t i = 0; i < c->graph->value_id_end; i++)
        for (uint32_t k = 0; c->values[i] && k < c->values[i]->use_count; k++)
            TN_TRY(check_use(c, c->values[i], &c->values[i]->uses[k]));
    for (const tn_node *node = c->graph->first; node; node = node->next)
        for (uint32_t i = 0; i < node->operand_count; i++)
            if (node->operands[i] && !c->is_used[c->first_operand[node->id] + i])
                return wrong_node(node, "operand %u is not in the uses of %%%.*s", (unsigned)i,
                                  TN_STR_ARG(node->operands[i]->name));
    return NULL;
}

/* ---- the graph ------------------------------------------------------------------------------ */

static tn_status check_outputs(const checker *c) {
    const tn_graph *graph = c->graph;
    for (size_t i = 0; i < graph->output_count; i++) {
        const tn_output *output = &graph->outputs[i];
        if (!is_defined(c, output->value))
            return wrong("output %zu (%.*s) is not a value of the graph", i,
                         TN_STR_ARG(output->name));
        if (output->kind != TN_OUTPUT_INPUT_MUTATION)
            continue;
        if (!is_defined(c, output->target) || output->target->kind != TN_VALUE_INPUT)
            return wrong("output %zu (%.*s) changes what is no input", i, TN_STR_ARG(output->name));
        if (!tn_type_equal(&output->value->type, &output->target->type))
            return wrong("output %zu (%.*s) has another type than the input %%%.*s it changes", i,
                         TN_STR_ARG(output->name), TN_STR_ARG(output->target->name));
    }
    for (size_t i = 0; i < graph->state_count; i++) {
        const tn_state *state = &graph->states[i];
        if (!is_defined(c, state->next))
            return wrong("the next content of state %%%.*s is not a value of the graph",
                         TN_STR_ARG(state->value->name));
        if (!tn_type_equal(&state->next->type, &state->value->type))
            return wrong("the next content of state %%%.*s, %%%.*s, has another type",
                         TN_STR_ARG(state->value->name), TN_STR_ARG(state->next->name));
    }
    return NULL;
}

static tn_status run_checks(checker *c) {
    uint32_t value_end = c->graph->value_id_end, node_end = c->graph->node_id_end;
    TN_TRY(tn_alloc_array(&c->allocator, value_end, sizeof *c->values, &c->values));
    TN_TRY(tn_alloc_array(&c->allocator, node_end, sizeof *c->nodes, &c->nodes));
    TN_TRY(tn_alloc_array(&c->allocator, node_end, sizeof *c->first_operand, &c->first_operand));
    TN_TRY(check_sources(c));
    TN_TRY(check_nodes(c));
    TN_TRY(check_uses(c));
    return check_outputs(c);
}

static void free_array(checker *c, void *array, size_t bytes) {
    tn_alloc_free(&c->allocator, array, bytes);
}

static tn_status verify_graph(const tn_graph *graph, tn_status (*verify_prim)(const tn_node *node),
                              int depth) {
    if (!graph)
        return wrong("a subgraph is NULL");
    if (depth > GRAPH_DEPTH_MAX)
        return wrong("graphs are nested more than %d deep", GRAPH_DEPTH_MAX);
    checker c = {.graph = graph,
                 .allocator = graph->arena->allocator,
                 .verify_prim = verify_prim,
                 .depth = depth};
    tn_map_init(&c.names, c.allocator);
    tn_status status = run_checks(&c);
    tn_map_deinit(&c.names);
    free_array(&c, (void *)c.values, graph->value_id_end * sizeof *c.values);
    free_array(&c, (void *)c.nodes, graph->node_id_end * sizeof *c.nodes);
    free_array(&c, c.first_operand, graph->node_id_end * sizeof *c.first_operand);
    free_array(&c, c.is_used, c.operand_total * sizeof *c.is_used);
    return status;
}

tn_status tn_graph_verify(const tn_graph *graph, tn_status (*verify_prim)(const tn_node *node)) {
    return verify_graph(graph, verify_prim, 0);
}
