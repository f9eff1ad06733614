/* functionalise.c: replaces operators that write in place by operators that give the new content.
 *
 * Values are followed as variables. A value that owns memory is a base; a view knows the value that
 * it is a view of. A write through a value gives it a new content; the write then climbs from view
 * to source, each source becoming itself with the new content scattered into it (alias.h), up to
 * the base, whose count of writes goes up. A view that is read later and has missed a write is made
 * again from its source. What is never read again is dead code for a later pass.
 *
 * Bases that are inputs get an output with their new content, constants become states, and the next
 * content of a state is its variable's last one. This is the method of PyTorch's functionalization.
 */
#include <string.h>

#include "ops/convert.h"
#include "pass/alias.h"
#include "pass/model_passes.h"

/* Views of views are followed by recursion. */
enum { DEPTH_MAX = 1000 };

typedef struct variable {
    tn_value *same_as; /* the value whose variable this is too; NULL if it has its own */
    tn_value *source;  /* the value that this is a view of; NULL for a base */
    tn_value *base;    /* NULL until the value is met */
    tn_value *current; /* the content */
    uint32_t seen;     /* the writes to the base that the content has */
    uint32_t writes;   /* of a base */
    uint32_t depth;    /* views from here to the base */
} variable;

typedef struct state {
    const tn_pass_ctx *ctx;
    tn_graph *graph;
    tn_arena scratch;
    variable *variables; /* by value id */
    size_t capacity;
} state;

/* ---- variables --------------------------------------------------------------------------------
 */

/* Nodes that are inserted make values, so the table grows as it is used; do not keep pointers into
 * it. */
static tn_status reserve(state *s, const tn_value *value) {
    size_t old = s->capacity;
    if (value->id < old)
        return NULL;
    size_t capacity = (size_t)s->graph->value_id_end * 2 + 64;
    variable *variables = NULL;
    TN_ARENA_TRY(&s->scratch, variables, capacity);
    if (old)
        memcpy(variables, s->variables, old * sizeof *variables);
    s->variables = variables;
    s->capacity = capacity;
    return NULL;
}

/* The value whose variable the value is; a value met for the first time owns its memory. */
static tn_status resolve(state *s, tn_value *value, tn_value **out_owner) {
    TN_TRY(reserve(s, value));
    while (s->variables[value->id].same_as)
        value = s->variables[value->id].same_as;
    variable *v = &s->variables[value->id];
    if (!v->base)
        v->base = v->current = value;
    *out_owner = value;
    return NULL;
}

static uint32_t writes_to_base(const state *s, const variable *v) {
    return s->variables[v->base->id].writes;
}

/* Declares the results of a view. */
static tn_status enter_view(state *s, const tn_node *node, tn_value *source) {
    tn_value *owner = NULL;
    TN_TRY(resolve(s, source, &owner));
    if (s->variables[owner->id].depth == DEPTH_MAX)
        return tn_error_make(TN_UNSUPPORTED, "%%%.*s: more than %d views of views",
                             TN_STR_ARG(source->name), DEPTH_MAX);
    for (uint32_t i = 0; i < node->result_count; i++) {
        tn_value *result = node->results[i];
        TN_TRY(reserve(s, result));
        const variable *from = &s->variables[owner->id];
        s->variables[result->id] = (variable){.source = owner,
                                              .base = from->base,
                                              .current = result,
                                              .seen = writes_to_base(s, from),
                                              .depth = from->depth + 1};
    }
    return NULL;
}

static tn_status read(state *s, tn_value *value, tn_node *before, tn_value **out_content);

/* Makes a view that has missed a write again, before `before`. */
static tn_status remake(state *s, tn_value *owner, tn_node *before) {
    const tn_node *view = owner->def;
    tn_value *source = NULL;
    tn_value **operands = NULL;
    tn_type *types = NULL;
    TN_TRY(read(s, s->variables[owner->id].source, before, &source));
    TN_ARENA_TRY(&s->scratch, operands, view->operand_count);
    TN_ARENA_TRY(&s->scratch, types, view->result_count);
    memcpy(operands, view->operands, view->operand_count * sizeof *operands);
    operands[view->args[0].operand] = source;
    for (uint32_t i = 0; i < view->result_count; i++)
        types[i] = view->results[i]->type;
    tn_node_desc desc = {.op = view->op,
                         .operands = operands,
                         .operand_count = view->operand_count,
                         .args = view->args,
                         .arg_count = view->op->schema->param_count,
                         .result_types = types,
                         .result_count = view->result_count,
                         .locs = view->locs};
    tn_node *node = NULL;
    TN_TRY(tn_graph_add_node(s->graph, before, &desc, &node));
    for (uint32_t i = 0; i < view->result_count; i++) {
        variable *v = &s->variables[view->results[i]->id];
        if (v->seen == writes_to_base(s, v))
            continue; /* the piece that was written */
        v->current = node->results[i];
        v->seen = writes_to_base(s, v);
    }
    return NULL;
}

/* The content of the value's variable now. */
static tn_status read(state *s, tn_value *value, tn_node *before, tn_value **out_content) {
    tn_value *owner = NULL;
    TN_TRY(resolve(s, value, &owner));
    const variable *v = &s->variables[owner->id];
    if (v->source && v->seen != writes_to_base(s, v))
        TN_TRY(remake(s, owner, before));
    *out_content = s->variables[owner->id].current;
    return NULL;
}

/* ---- bases that outlive the run ---------------------------------------------------------------
 */

static void byte_range(const tn_value *value, const uint8_t **out_start, const uint8_t **out_end) {
    size_t elem_bytes = tn_dtype_bytes(value->type.dtype);
    size_t last = 0;
    bool is_empty = false;
    for (uint32_t i = 0; i < value->type.rank; i++) {
        int64_t dim = value->type.dims[i]->value;
        is_empty = is_empty || dim == 0;
        if (dim > 0)
            last += (size_t)((dim - 1) * value->data->strides[i]);
    }
    *out_start = value->data->data;
    *out_end = is_empty ? *out_start : *out_start + (last + 1) * elem_bytes;
}

/* Two names of one storage would have to change together. */
static tn_status check_not_shared(const tn_graph *graph, const tn_value *value) {
    const uint8_t *start = NULL;
    const uint8_t *end = NULL;
    byte_range(value, &start, &end);
    for (size_t i = 0; i < graph->const_count; i++) {
        const tn_value *other = graph->consts[i];
        const uint8_t *other_start = NULL;
        const uint8_t *other_end = NULL;
        if (other == value || !(other->use_count > 0 || tn_value_is_output(graph, other)))
            continue;
        byte_range(other, &other_start, &other_end);
        if (other_start < end && start < other_end)
            return tn_error_make(
                TN_UNSUPPORTED,
                "%%%.*s is written in place and shares its storage with %%%.*s; a buffer "
                "that the model changes must have storage of its own",
                TN_STR_ARG(value->name), TN_STR_ARG(other->name));
    }
    return NULL;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

/* Gives value a new content, and with it all that it is a view of. */
static tn_status write(state *s, tn_value *value, tn_value *content, tn_node *before) {
    tn_value *owner = NULL;
    TN_TRY(resolve(s, value, &owner));
    tn_value *written = content;
    tn_value *at = owner;
    while (s->variables[at->id].source) {
        tn_value *source = s->variables[at->id].source;
        tn_value *old = NULL;
        TN_TRY(read(s, source, before, &old));
        TN_TRY(tn_alias_scatter(s->ctx, at->def, at->result_index, old, written, before, &written));
        at = source;
    }
    if (at->kind == TN_VALUE_CONST) {
        TN_TRY(check_not_shared(s->graph, at));
        TN_TRY(tn_graph_make_state(s->graph, at));
    }
    TN_TRY(reserve(s, written));
    variable *base = &s->variables[at->id];
    base->current = written;
    base->seen = ++base->writes;
    s->variables[owner->id].current = content;
    s->variables[owner->id].seen = base->writes;
    return NULL;
}

/* The type that the functional operator gives: what is written is converted back. Comparisons give
 * bool, arithmetic the promoted type of its tensors. */
static tn_dtype functional_dtype(const tn_node *node, const tn_value *target) {
    static const char *const comparisons[] = {"aten::eq_.",    "aten::ne_.", "aten::lt_.",
                                              "aten::le_.",    "aten::gt_.", "aten::ge_.",
                                              "aten::logical_"};
    static const char *const arithmetic[] = {
        "aten::add_.", "aten::sub_.",         "aten::mul_.",
        "aten::div_.", "aten::true_divide_.", "aten::floor_divide_.",
        "aten::pow_.", "aten::remainder_.",   "aten::fmod_."};
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++)
        if (tn_str_starts(node->op->name, comparisons[i]))
            return TN_BOOL;
    for (size_t i = 0; i < sizeof arithmetic / sizeof *arithmetic; i++) {
        if (!tn_str_starts(node->op->name, arithmetic[i]))
            continue;
        tn_promotion promotion = {0};
        for (uint32_t k = 0; k < node->operand_count; k++)
            if (node->operands[k])
                tn_promote_tensor(&promotion, node->operands[k]);
        return tn_promoted(&promotion);
    }
    return target->type.dtype;
}

/* The node becomes its functional counterpart; its result is the new content. */
static tn_status replace_write(state *s, tn_node *node, tn_value *target) {
    if (node->result_count != 1)
        return tn_error_make(TN_UNSUPPORTED,
                             "%.*s writes in place and gives %u results, expected one",
                             TN_STR_ARG(node->op->name), (unsigned)node->result_count);
    const tn_op *op = NULL;
    tn_value *result = node->results[0];
    tn_value *content = result;
    tn_node *after = node->next;
    tn_value *owner = NULL;
    TN_TRY(resolve(s, target, &owner));
    target = owner; /* whose type no write has changed */
    TN_TRY(tn_alias_functional_op(s->ctx, s->graph, node->op, &op));
    tn_dtype dtype = functional_dtype(node, target);
    node->op = op;
    if (tn_alias_is_view(node))
        return enter_view(s, node, target); /* squeeze_, t_: other sizes, the same memory */
    result->type = target->type;
    result->type.dtype = dtype;
    if (dtype != target->type.dtype) {
        tn_arg arg = {.kind = TN_ARG_DTYPE, .dtype = target->type.dtype};
        TN_TRY(tn_alias_insert(s->ctx, node, after, "aten::_to_copy", &result, 1, &arg, 1,
                               &target->type, &content));
    }
    TN_TRY(write(s, target, content, after));
    TN_TRY(reserve(s, result));
    s->variables[result->id] = (variable){.same_as = owner};
    return NULL;
}

/* ---- the walk ---------------------------------------------------------------------------------
 */

static tn_status run_graph(const tn_pass_ctx *ctx, tn_graph *graph);

static tn_status visit_subgraphs(const state *s, const tn_node *node) {
    for (uint32_t i = 0; i < node->op->schema->param_count; i++) {
        if (node->args[i].kind != TN_ARG_GRAPH)
            continue;
        tn_graph *inner = node->args[i].graph;
        TN_TRY(run_graph(s->ctx, inner));
        for (size_t k = 0; k < inner->output_count; k++)
            if (inner->outputs[k].kind == TN_OUTPUT_INPUT_MUTATION)
                return tn_error_make(TN_UNSUPPORTED,
                                     "%.*s: its graph %.*s writes to its input %%%.*s in place",
                                     TN_STR_ARG(node->op->name), TN_STR_ARG(inner->name),
                                     TN_STR_ARG(inner->outputs[k].target->name));
    }
    return NULL;
}

static tn_status visit(state *s, tn_node *node) {
    int32_t written = tn_alias_written_param(node->op);
    bool is_view = tn_alias_is_view(node);
    tn_value *target = NULL;
    if (written >= 0)
        target = tn_node_arg_value(node, (uint32_t)written);
    else if (is_view)
        target = node->operands[node->args[0].operand];
    for (uint32_t i = 0; i < node->operand_count; i++) {
        tn_value *content = NULL;
        if (!node->operands[i])
            continue;
        TN_TRY(read(s, node->operands[i], node, &content));
        TN_TRY(tn_node_set_operand(node, i, content));
    }
    TN_TRY(visit_subgraphs(s, node));
    if (written >= 0 && !target)
        return tn_error_make(TN_CORRUPT, "%.*s writes in place, but its argument is no tensor",
                             TN_STR_ARG(node->op->name));
    if (written >= 0)
        return replace_write(s, node, target);
    return is_view ? enter_view(s, node, target) : NULL;
}

static tn_status add_input_mutation(state *s, tn_value *input) {
    tn_value *content = NULL;
    TN_TRY(read(s, input, NULL, &content));
    if (content == input)
        return NULL;
    tn_output output = {
        .kind = TN_OUTPUT_INPUT_MUTATION, .value = content, .name = input->name, .target = input};
    return tn_graph_add_output(s->graph, &output);
}

static tn_status finish(state *s) {
    tn_graph *graph = s->graph;
    for (size_t i = 0; i < graph->output_count; i++)
        TN_TRY(read(s, graph->outputs[i].value, NULL, &graph->outputs[i].value));
    for (size_t i = 0; i < graph->state_count; i++)
        TN_TRY(read(s, graph->states[i].next, NULL, &graph->states[i].next));
    for (size_t i = 0; i < graph->input_count; i++)
        TN_TRY(add_input_mutation(s, graph->inputs[i]));
    return NULL;
}

/* Most graphs write nothing, or have nothing but sub-graphs to look into. */
static bool has_work(const tn_graph *graph) {
    for (const tn_node *node = graph->first; node; node = node->next) {
        if (tn_alias_written_param(node->op) >= 0)
            return true;
        for (uint32_t i = 0; i < node->op->schema->param_count; i++)
            if (node->args[i].kind == TN_ARG_GRAPH)
                return true;
    }
    return false;
}

static tn_status run_graph(const tn_pass_ctx *ctx, tn_graph *graph) {
    if (!has_work(graph))
        return NULL;
    state s = {.ctx = ctx, .graph = graph};
    tn_arena_init(&s.scratch, *ctx->allocator);
    tn_status status = NULL;
    for (tn_node *node = graph->first, *next; node && !status; node = next) {
        next = node->next; /* what is inserted for this node needs no visit */
        status = visit(&s, node);
        if (status && node->locs.count)
            status = tn_status_annotate(status, "at %.*s", TN_STR_ARG(node->locs.items[0]->source));
    }
    if (!status)
        status = finish(&s);
    tn_arena_deinit(&s.scratch);
    return status;
}

static tn_status run(tn_pass_ctx *ctx, tn_graph *graph) {
    return run_graph(ctx, graph);
}

const tn_pass tn_pass_functionalise = {
    "functionalise", "replaces writes in place by new values; buffers that change become states",
    run};
