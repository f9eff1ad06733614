/* call.c: see call.h. The arguments of a call are JSON, written here alone; symbolic integers stand
 * aside as values of the engine's shape program. */
#include "plan/call.h"

#include <math.h>

#include "base/str.h"

/* ---- names -------------------------------------------------------------------------------------
 */

tn_status tn_call_op_name(tn_arena *arena, const tn_op *op, tn_str *out_name) {
    *out_name = op->name;
    if (op->schema->overload.len > 0 || tn_str_starts(op->name, "higher_order::"))
        return NULL;
    const char *name = tn_arena_printf(arena, "%.*s.default", TN_STR_ARG(op->name));
    if (!name)
        return tn_error_out_of_memory();
    *out_name = tn_str_of(name);
    return NULL;
}

/* ---- what can be a call ------------------------------------------------------------------------
 */

/* Whether a symbol is a size of a result of some node up to this one, or what it holds; of this one
 * itself only if include_self. */
static bool is_result_size(const tn_node *node, const tn_sym *symbol, bool include_self) {
    for (const tn_node *at = include_self ? node : node->prev; at; at = at->prev)
        for (uint32_t i = 0; i < at->result_count; i++) {
            if (at->results[i]->symbol == symbol)
                return true;
            for (uint32_t d = 0; d < at->results[i]->type.rank; d++)
                if (at->results[i]->type.dims[d] == symbol)
                    return true;
        }
    return false;
}

static tn_status check_size(const tn_node *node, const tn_sym *expr, const char *what,
                            bool include_self) {
    if (expr->kind == TN_SYM_VAR && include_self)
        return NULL;
    const tn_sym *unbound = tn_graph_unbound_symbol(node->graph, expr);
    if (!unbound || is_result_size(node, unbound, include_self))
        return NULL;
    return tn_error_make(TN_UNSUPPORTED,
                         "%s depend on %.*s, which is no input's size nor that of an earlier "
                         "result",
                         what, TN_STR_ARG(unbound->name));
}

static tn_status check_sizes(const tn_node *node) {
    for (uint32_t i = 0; i < node->op->schema->param_count; i++) {
        const tn_arg *arg = &node->args[i];
        if (arg->kind == TN_ARG_INT)
            TN_TRY(check_size(node, arg->i, "its arguments", false));
        for (uint32_t k = 0; arg->kind == TN_ARG_INTS && k < arg->count; k++)
            TN_TRY(check_size(node, arg->ints[k], "its arguments", false));
    }
    for (uint32_t i = 0; i < node->result_count; i++)
        for (uint32_t d = 0; d < node->results[i]->type.rank; d++)
            TN_TRY(check_size(node, node->results[i]->type.dims[d], "its results", true));
    return NULL;
}

/* The converse of the functionalise pass: what it has left in place, or could not see. */
static bool writes_in_place(const tn_op *op) {
    for (uint32_t i = 0; i < op->schema->param_count; i++)
        if (op->schema->params[i].is_written)
            return true;
    return tn_str_ends(op->schema->name, "_") && !tn_str_ends(op->schema->name, "__");
}

tn_status tn_call_check(const tn_node *node) {
    if (writes_in_place(node->op))
        return tn_error_make(TN_UNSUPPORTED,
                             "it writes to its argument; accepted are operators that only read "
                             "(export with run_decompositions() makes custom operators so)");
    if (node->result_count == 0)
        return tn_error_make(TN_UNSUPPORTED, "it gives no result");
    for (uint32_t i = 0; i < node->op->schema->param_count; i++)
        if (node->args[i].kind == TN_ARG_GRAPH)
            return tn_error_make(TN_UNSUPPORTED, "its argument %.*s is a graph",
                                 TN_STR_ARG(node->op->schema->params[i].name));
    return check_sizes(node);
}

/* ---- arguments ---------------------------------------------------------------------------------
 */

/* The k::call under construction. */
typedef struct call_writer {
    tn_arena *arena;
    const tn_node *node;
    tn_buf json;
    uint32_t *places; /* by operand of the node: its place among the call's tensors */
    const tn_sym **ints;
    size_t int_count, int_capacity;
} call_writer;

static tn_status write_int(call_writer *w, const tn_sym *value) {
    if (tn_sym_is_const(value)) {
        tn_buf_printf(&w->json, "%lld", (long long)value->value);
        return NULL;
    }
    const tn_sym **ints =
        tn_arena_grow(w->arena, w->ints, w->int_count, &w->int_capacity, sizeof *ints);
    if (!ints)
        return tn_error_out_of_memory();
    w->ints = ints;
    tn_buf_printf(&w->json, "{\"int\": %zu}", w->int_count);
    ints[w->int_count++] = value;
    return NULL;
}

static void write_float(call_writer *w, double value) {
    char digits[32];
    tn_format_f64(digits, sizeof digits, value);
    tn_buf_printf(&w->json, isfinite(value) ? "%s" : "{\"float\": \"%s\"}", digits);
}

static void write_tensor(call_writer *w, uint32_t operand) {
    if (w->node->operands[operand])
        tn_buf_printf(&w->json, "%u", w->places[operand]);
    else
        tn_buf_printf(&w->json, "null");
}

static tn_status write_element(call_writer *w, const tn_arg *arg, uint32_t i) {
    switch (arg->kind) {
    case TN_ARG_VALUES:
        write_tensor(w, arg->operand + i);
        break;
    case TN_ARG_INTS:
        return write_int(w, arg->ints[i]);
    case TN_ARG_FLOATS:
        write_float(w, arg->floats[i]);
        break;
    case TN_ARG_BOOLS:
        tn_buf_printf(&w->json, arg->bools[i] ? "true" : "false");
        break;
    default: /* TN_ARG_STRS */
        tn_buf_json(&w->json, arg->strs[i]);
        break;
    }
    return NULL;
}

static tn_status write_list(call_writer *w, const char *kind, const tn_arg *arg) {
    tn_buf_printf(&w->json, "{\"%s\": [", kind);
    for (uint32_t i = 0; i < arg->count; i++) {
        if (i)
            tn_buf_printf(&w->json, ", ");
        TN_TRY(write_element(w, arg, i));
    }
    tn_buf_printf(&w->json, "]}");
    return NULL;
}

static tn_status write_value(call_writer *w, const tn_arg *arg) {
    switch (arg->kind) {
    case TN_ARG_NONE:
    case TN_ARG_GRAPH: /* refused by tn_call_check */
        tn_buf_printf(&w->json, "null");
        break;
    case TN_ARG_VALUE:
        tn_buf_printf(&w->json, "{\"tensor\": ");
        write_tensor(w, arg->operand);
        tn_buf_printf(&w->json, "}");
        break;
    case TN_ARG_INT:
        return write_int(w, arg->i);
    case TN_ARG_FLOAT:
        write_float(w, arg->f);
        break;
    case TN_ARG_BOOL:
        tn_buf_printf(&w->json, arg->b ? "true" : "false");
        break;
    case TN_ARG_STR:
        tn_buf_json(&w->json, arg->s);
        break;
    case TN_ARG_DTYPE:
        tn_buf_printf(&w->json, "{\"dtype\": \"%s\"}", tn_dtype_name(arg->dtype));
        break;
    case TN_ARG_VALUES:
        return write_list(w, "tensors", arg);
    case TN_ARG_INTS:
        return write_list(w, "ints", arg);
    case TN_ARG_FLOATS:
        return write_list(w, "floats", arg);
    case TN_ARG_BOOLS:
        return write_list(w, "bools", arg);
    case TN_ARG_STRS:
        return write_list(w, "strings", arg);
    }
    return NULL;
}

static tn_status write_arguments(call_writer *w) {
    const tn_schema *schema = w->node->op->schema;
    tn_buf_printf(&w->json, "[");
    for (uint32_t i = 0; i < schema->param_count; i++) {
        tn_buf_printf(&w->json, "%s{\"name\": ", i ? ", " : "");
        tn_buf_json(&w->json, schema->params[i].name);
        tn_buf_printf(&w->json, ", \"keyword\": %s, \"value\": ",
                      schema->params[i].is_keyword_only ? "true" : "false");
        TN_TRY(write_value(w, &w->node->args[i]));
        tn_buf_printf(&w->json, "}");
    }
    tn_buf_printf(&w->json, "]");
    return tn_buf_status(&w->json);
}

/* ---- the node ----------------------------------------------------------------------------------
 */

static tn_status add_node(call_writer *w, tn_graph *kir, const tn_op_table *prims,
                          tn_value *const *operands, tn_value **out_results) {
    const tn_node *node = w->node;
    tn_value **tensors = NULL;
    tn_type *types = NULL;
    tn_str *names = NULL, op, arguments;
    uint32_t count = 0;
    TN_ARENA_TRY(w->arena, w->places, node->operand_count);
    TN_ARENA_TRY(w->arena, tensors, node->operand_count);
    TN_ARENA_TRY(w->arena, types, node->result_count);
    TN_ARENA_TRY(w->arena, names, node->result_count);
    for (uint32_t i = 0; i < node->operand_count; i++) {
        w->places[i] = count;
        if (operands[i])
            tensors[count++] = operands[i];
    }
    for (uint32_t i = 0; i < node->result_count; i++) {
        types[i] = node->results[i]->type;
        names[i] = node->results[i]->name;
    }
    TN_TRY(write_arguments(w));
    TN_TRY(tn_call_op_name(w->arena, node->op, &op));
    arguments = tn_arena_str(w->arena, tn_buf_view(&w->json));
    if (!arguments.data)
        return tn_error_out_of_memory();
    const tn_arg args[] = {
        [TN_CALL_OPERANDS] = {.kind = TN_ARG_VALUES, .count = count},
        [TN_CALL_OP] = {.kind = TN_ARG_STR, .s = op},
        [TN_CALL_ARGUMENTS] = {.kind = TN_ARG_STR, .s = arguments},
        [TN_CALL_INTS] = {.kind = TN_ARG_INTS, .count = (uint32_t)w->int_count, .ints = w->ints},
    };
    tn_node_desc desc = {.op = tn_op_table_find(prims, tn_prim_name(TN_PRIM_CALL)),
                         .operands = tensors,
                         .operand_count = count,
                         .args = args,
                         .arg_count = sizeof args / sizeof *args,
                         .result_types = types,
                         .result_names = names,
                         .result_count = node->result_count,
                         .locs = node->locs};
    tn_node *call = NULL;
    TN_TRY(tn_graph_add_node(kir, NULL, &desc, &call));
    for (uint32_t i = 0; i < node->result_count; i++) {
        out_results[i] = call->results[i];
        out_results[i]->symbol = node->results[i]->symbol;
    }
    return NULL;
}

tn_status tn_call_add(tn_graph *kir, const tn_op_table *prims, const tn_node *node,
                      tn_value *const *operands, tn_value **out_results) {
    call_writer w = {.arena = kir->arena, .node = node};
    tn_buf_init(&w.json, kir->arena->allocator);
    tn_status status = add_node(&w, kir, prims, operands, out_results);
    tn_buf_deinit(&w.json);
    return status;
}
