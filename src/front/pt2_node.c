/* pt2_node.c: one node of the program. Nodes that compute sizes become no nodes: the program
 * records the expression of each of their results. Assertions are dropped, wrappers inlined,
 * unknown operators kept as opaque nodes. */
#include "front/pt2.h"

#include <string.h>

#include "base/checked.h"

enum { SCALAR_BYTES = 16 };

/* A node while it is being read. */
typedef struct reading {
    tn_pt2_scope *scope;
    tn_json_value json;
    tn_str target;
    tn_str name; /* of the operator: "aten::add.Tensor" */
    tn_json_value inputs;
    tn_json_value outputs;
    tn_type *types; /* of results */
    tn_str *names;
    const tn_sym **symbols; /* that they hold; NULL */
    size_t result_count, type_capacity, name_capacity, symbol_capacity;
    bool has_tensor, has_number; /* among the outputs */
} reading;

/* ---- results ----------------------------------------------------------------------------------
 */

static tn_status add_result(reading *r, tn_str name, const tn_type *type, const tn_sym *symbol) {
    tn_arena *arena = r->scope->pt2->arena;
    tn_type *types =
        tn_arena_grow(arena, r->types, r->result_count, &r->type_capacity, sizeof *types);
    tn_str *names =
        tn_arena_grow(arena, r->names, r->result_count, &r->name_capacity, sizeof *names);
    const tn_sym **symbols =
        tn_arena_grow(arena, r->symbols, r->result_count, &r->symbol_capacity, sizeof *symbols);
    if (!types || !names || !symbols)
        return tn_error_out_of_memory();
    r->types = types;
    r->names = names;
    r->symbols = symbols;
    types[r->result_count] = *type;
    symbols[r->result_count] = symbol;
    names[r->result_count++] = name;
    return NULL;
}

static tn_status add_tensor_result(reading *r, tn_json_value ref) {
    tn_str name;
    tn_type type;
    r->has_tensor = true;
    TN_TRY(tn_pt2_name(r->scope->pt2, ref, &name));
    TN_TRY(tn_pt2_scope_type(r->scope, ref, name, &type));
    return add_result(r, name, &type, NULL);
}

/* A result that is None keeps its place as a tensor without elements, so that the others keep
 * theirs. */
static tn_status add_none_result(reading *r) {
    tn_type type = {.dtype = TN_U8, .rank = 1};
    type.dims[0] = tn_sym_const(r->scope->pt2->syms, 0);
    if (!type.dims[0])
        return tn_syms_status(r->scope->pt2->syms);
    return add_result(r, TN_STR(""), &type, NULL);
}

/* The symbol that stands for a number in the sizes of the program, if it is one. */
static tn_status symbol_of(const reading *r, tn_json_value value, const tn_sym **out_symbol) {
    tn_syms *syms = r->scope->pt2->syms;
    tn_pt2_number number;
    TN_TRY(tn_pt2_scope_number(r->scope, value, &number));
    *out_symbol = tn_pt2_number_sym(syms, &number);
    if (*out_symbol && (*out_symbol)->kind != TN_SYM_VAR)
        *out_symbol = NULL;
    return tn_syms_status(syms);
}

/* A number that the operator computes from data (item): a tensor of rank 0. */
static tn_status add_number_result(reading *r, tn_json_value value, tn_dtype dtype) {
    tn_str tag;
    tn_json_value content;
    tn_str name = TN_STR("");
    tn_type type = {.dtype = dtype};
    r->has_number = true;
    TN_TRY(tn_pt2_union(value, &tag, &content));
    const tn_sym *symbol = NULL;
    if (tn_str_is(tag, "as_name"))
        TN_TRY(tn_json_str(r->scope->pt2->arena, content, &name));
    if (name.len > 0 && dtype == TN_I64)
        TN_TRY(symbol_of(r, value, &symbol));
    return add_result(r, name, &type, symbol);
}

static tn_status add_output(reading *r, tn_json_value output);

static tn_status add_outputs(reading *r, tn_json_value list) {
    TN_TRY(tn_json_expect(list, TN_JSON_ARRAY));
    for (tn_json_walk walk = tn_json_begin(list); tn_json_step(&walk);)
        TN_TRY(add_output(r, walk.value));
    return NULL;
}

static tn_status add_tensor_outputs(reading *r, tn_json_value list) {
    TN_TRY(tn_json_expect(list, TN_JSON_ARRAY));
    for (tn_json_walk walk = tn_json_begin(list); tn_json_step(&walk);)
        TN_TRY(add_tensor_result(r, walk.value));
    return NULL;
}

static tn_status add_number_outputs(reading *r, tn_json_value list, tn_dtype dtype) {
    TN_TRY(tn_json_expect(list, TN_JSON_ARRAY));
    for (tn_json_walk walk = tn_json_begin(list); tn_json_step(&walk);)
        TN_TRY(add_number_result(r, walk.value, dtype));
    return NULL;
}

static tn_status add_output(reading *r, tn_json_value output) {
    tn_str tag;
    tn_json_value content;
    TN_TRY(tn_pt2_union(output, &tag, &content));
    if (tn_str_is(tag, "as_tensor"))
        return add_tensor_result(r, content);
    if (tn_str_is(tag, "as_tensors"))
        return add_tensor_outputs(r, content);
    if (tn_str_is(tag, "as_none"))
        return add_none_result(r);
    if (tn_str_is(tag, "as_optional_tensor"))
        return tn_json_kind_of(content) == TN_JSON_OBJECT ? add_output(r, content)
                                                          : add_none_result(r);
    if (tn_str_is(tag, "as_optional_tensors"))
        return add_outputs(r, content);
    if (tn_str_is(tag, "as_sym_int") || tn_str_is(tag, "as_sym_bool") ||
        tn_str_is(tag, "as_sym_float"))
        return add_number_result(r, content,
                                 tn_str_is(tag, "as_sym_int")    ? TN_I64
                                 : tn_str_is(tag, "as_sym_bool") ? TN_BOOL
                                                                 : TN_F64);
    if (tn_str_is(tag, "as_sym_ints"))
        return add_number_outputs(r, content, TN_I64);
    return tn_json_error(output, TN_UNSUPPORTED,
                         "a node's output of the kind %.*s is not supported",
                         (int)(tag.len < 64 ? tag.len : 64), tag.data);
}

/* ---- provenance -------------------------------------------------------------------------------
 */

/* The last call in "  File "/a/b.py", line 12, in forward\n    code\n ...": "b.py:12: code". */
static tn_status last_source_line(tn_arena *arena, tn_str trace, tn_str *out_source) {
    static const char mark[] = "File \"";
    size_t mark_len = sizeof mark - 1;
    *out_source = TN_STR("");
    for (size_t i = trace.len; i-- > 0;) {
        if (trace.len - i < mark_len || memcmp(trace.data + i, mark, mark_len) != 0)
            continue;
        tn_str rest = {trace.data + i + mark_len, trace.len - i - mark_len};
        tn_str path;
        tn_str head;
        tn_str line;
        tn_str code;
        rest = tn_str_split(tn_str_split(rest, '"', &path), '\n', &head);
        (void)tn_str_split(rest, '\n', &code);
        (void)tn_str_split(tn_str_trim(head), ' ', &line); /* ", line 12, in forward" */
        tn_str number = tn_str_split(tn_str_trim(head), ' ', &line);
        number = tn_str_split(number, ' ', &line);
        (void)tn_str_split(number, ',', &line);
        while (memchr(path.data, '/', path.len)) {
            tn_str folder;
            path = tn_str_split(path, '/', &folder);
        }
        code = tn_str_trim(code);
        const char *text = tn_arena_printf(arena, "%.*s:%.*s: %.*s", TN_STR_ARG(path),
                                           TN_STR_ARG(line), TN_STR_ARG(code));
        if (!text)
            return tn_error_out_of_memory();
        *out_source = tn_str_of(text);
        return NULL;
    }
    return NULL;
}

/* The path of the innermost module in "key,path,type;key,path,type". */
static tn_str innermost_module(tn_str stack) {
    tn_str entry = stack;
    while (memchr(entry.data, ';', entry.len)) {
        tn_str outer;
        entry = tn_str_split(entry, ';', &outer);
    }
    tn_str key;
    tn_str path;
    (void)tn_str_split(tn_str_split(entry, ',', &key), ',', &path);
    return path;
}

static tn_status read_loc(const reading *r, const tn_loc **out_loc) {
    tn_arena *arena = r->scope->pt2->arena;
    tn_loc *loc = NULL;
    TN_ARENA_TRY(arena, loc, 1);
    loc->op = r->name;
    loc->node = r->result_count ? r->names[0] : TN_STR("");
    loc->module = loc->source = TN_STR("");
    tn_json_value name = tn_json_find(r->json, "name");
    if (tn_json_kind_of(name) == TN_JSON_STRING)
        TN_TRY(tn_json_str(arena, name, &loc->node));
    tn_json_value metadata = tn_json_find(r->json, "metadata");
    tn_json_value trace = tn_json_find(metadata, "stack_trace");
    tn_json_value modules = tn_json_find(metadata, "nn_module_stack");
    tn_str text;
    if (tn_json_kind_of(modules) == TN_JSON_STRING) {
        TN_TRY(tn_json_str(arena, modules, &text));
        loc->module = innermost_module(text);
    }
    if (tn_json_kind_of(trace) == TN_JSON_STRING) {
        TN_TRY(tn_json_str(arena, trace, &text));
        TN_TRY(last_source_line(arena, text, &loc->source));
    }
    *out_loc = loc;
    return NULL;
}

/* ---- nodes that become none -------------------------------------------------------------------
 */

static bool is_any(tn_str name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (tn_str_is(name, names[i]))
            return true;
    return false;
}

/* Results that are numbers the program records: Python's operators, and the sizes of tensors. */
static bool computes_sizes(const reading *r) {
    static const char *const sizes[] = {"aten::sym_size.int", "aten::sym_stride.int",
                                        "aten::sym_numel",    "aten::sym_storage_offset",
                                        "aten::sym_size",     "aten::sym_stride"};
    if (r->has_tensor || !r->has_number)
        return false;
    return tn_str_starts(r->name, "python::") ||
           is_any(r->name, sizes, sizeof sizes / sizeof *sizes);
}

/* Checks of what the declared types and ranges say anyway, and messages. */
static bool is_dropped(const reading *r) {
    static const char *const dropped[] = {"aten::_assert_tensor_metadata",
                                          "aten::sym_constrain_range",
                                          "aten::sym_constrain_range_for_size",
                                          "aten::_assert_async",
                                          "aten::_assert_async.msg",
                                          "aten::_print"};
    return r->result_count == 0 && is_any(r->name, dropped, sizeof dropped / sizeof *dropped);
}

/* Narrows the range of a symbol that is compared with a number. */
static bool narrow(tn_syms *syms, const tn_sym *condition) {
    if (condition->kind != TN_SYM_LE)
        return false;
    const tn_sym *low = condition->args[0];
    const tn_sym *high = condition->args[1];
    if (low->kind == TN_SYM_VAR && tn_sym_is_const(high))
        return tn_sym_var(syms, low->name, INT64_MIN, high->value) != NULL;
    if (high->kind == TN_SYM_VAR && tn_sym_is_const(low))
        return tn_sym_var(syms, high->name, low->value, INT64_MAX) != NULL;
    return false;
}

/* aten::_assert_scalar(condition, message): implied by the ranges, or made so; else dropped, since
 * sizes that break it are outside of what the model was exported for. */
static tn_status check_assertion(const reading *r) {
    tn_pt2 *pt2 = r->scope->pt2;
    tn_json_walk walk = tn_json_begin(r->inputs);
    if (!tn_json_step(&walk))
        return tn_json_error(r->inputs, TN_CORRUPT, "no arguments, expected a condition");
    tn_json_value arg = tn_json_find(walk.value, "arg");
    tn_json_value condition_ref = tn_json_find(arg, "as_sym_bool");
    if (tn_json_kind_of(condition_ref) == TN_JSON_ABSENT)
        return NULL; /* a literal, or a tensor's value that is known when it runs */
    tn_pt2_number number;
    TN_TRY(tn_pt2_scope_number(r->scope, condition_ref, &number));
    const tn_sym *condition = tn_pt2_number_sym(pt2->syms, &number);
    TN_TRY(tn_syms_status(pt2->syms));
    if (condition && condition->min > 0)
        return NULL;
    if (condition && condition->max <= 0)
        return tn_json_error(r->json, TN_CORRUPT,
                             "the model asserts what the ranges of its sizes exclude");
    if (condition && narrow(pt2->syms, condition))
        return NULL;
    TN_TRY(tn_syms_status(pt2->syms));
    tn_log(pt2->env, TN_LOG_INFO, "an assertion on sizes is not checked when the model runs: %.*s",
           TN_STR_ARG(tn_json_raw(tn_json_find(r->json, "name"))));
    return NULL;
}

/* ---- wrappers ---------------------------------------------------------------------------------
 */

/* The index of the argument that is the wrapped graph, -1 if the node must stay as it is: gradients
 * do not matter here, but an enabled autocast changes types inside. */
static int wrapped_graph_index(const reading *r) {
    if (tn_str_is(r->name, "higher_order::wrap_with_set_grad_enabled"))
        return 1;
    if (!tn_str_is(r->name, "higher_order::wrap_with_autocast"))
        return -1;
    int index = 0;
    for (tn_json_walk walk = tn_json_begin(r->inputs); tn_json_step(&walk); index++) {
        tn_json_value flag = tn_json_find(tn_json_find(walk.value, "arg"), "as_bool");
        if (index == 2) /* device_type, dtype, enabled, cache_enabled, graph */
            return tn_str_is(tn_json_raw(flag), "false") ? 4 : -1;
    }
    return -1;
}

/* Binds the wrapped graph's inputs to the node's arguments after the graph. */
static tn_status bind_inputs(reading *r, tn_pt2_scope *inner, tn_json_walk args) {
    tn_json_value inputs;
    TN_TRY(tn_json_member(inner->json, "inputs", TN_JSON_ARRAY, &inputs));
    for (tn_json_walk walk = tn_json_begin(inputs); tn_json_step(&walk);) {
        if (!tn_json_step(&args))
            return tn_json_error(r->inputs, TN_CORRUPT,
                                 "fewer arguments than the wrapped graph has inputs");
        tn_json_value inside = tn_json_find(walk.value, "as_tensor");
        tn_json_value outside = tn_json_find(tn_json_find(args.value, "arg"), "as_tensor");
        if (tn_json_kind_of(inside) == TN_JSON_ABSENT)
            continue; /* a number: the inner graph records its expression */
        tn_str name;
        tn_value *value = NULL;
        TN_TRY(tn_pt2_name(r->scope->pt2, inside, &name));
        TN_TRY(tn_pt2_scope_value(r->scope, outside, &value));
        TN_TRY(tn_pt2_scope_bind(inner, name, value));
    }
    return NULL;
}

/* Binds the node's results to the wrapped graph's outputs. */
static tn_status bind_outputs(reading *r, const tn_pt2_scope *inner) {
    tn_json_value outputs;
    TN_TRY(tn_json_member(inner->json, "outputs", TN_JSON_ARRAY, &outputs));
    size_t i = 0;
    for (tn_json_walk walk = tn_json_begin(outputs); tn_json_step(&walk); i++) {
        tn_json_value inside = tn_json_find(walk.value, "as_tensor");
        if (i >= r->result_count)
            break;
        if (tn_json_kind_of(inside) == TN_JSON_ABSENT)
            continue;
        tn_value *value = NULL;
        TN_TRY(tn_pt2_scope_value(inner, inside, &value));
        TN_TRY(tn_pt2_scope_bind(r->scope, r->names[i], value));
    }
    if (i == r->result_count && i == tn_json_count(outputs))
        return NULL;
    return tn_json_error(r->outputs, TN_CORRUPT, "%zu results, the wrapped graph has %u outputs",
                         r->result_count, (unsigned)tn_json_count(outputs));
}

static tn_status inline_graph(reading *r, int graph_index) {
    tn_json_walk walk = tn_json_begin(r->inputs);
    for (int i = 0; i <= graph_index; i++)
        if (!tn_json_step(&walk))
            return tn_json_error(r->inputs, TN_CORRUPT, "no graph among the arguments");
    tn_json_value named = tn_json_find(tn_json_find(walk.value, "arg"), "as_graph");
    tn_json_value graph;
    tn_pt2_scope inner;
    TN_TRY(tn_json_member(named, "graph", TN_JSON_OBJECT, &graph));
    TN_TRY(tn_pt2_scope_open(&inner, r->scope->pt2, r->scope->graph, graph, r->scope->depth + 1));
    TN_TRY(bind_inputs(r, &inner, walk));
    TN_TRY(tn_pt2_nodes_read(&inner));
    return bind_outputs(r, &inner);
}

/* ---- ordinary nodes ---------------------------------------------------------------------------
 */

static tn_status read_known_args(const reading *r, const tn_op *op, tn_pt2_args *args) {
    tn_arena *arena = r->scope->pt2->arena;
    const tn_schema *schema = op->schema;
    bool *is_given = NULL;
    TN_ARENA_TRY(arena, args->args, schema->param_count);
    TN_ARENA_TRY(arena, is_given, schema->param_count);
    for (tn_json_walk walk = tn_json_begin(r->inputs); tn_json_step(&walk);) {
        tn_str name;
        tn_json_value value;
        TN_TRY(tn_pt2_name(r->scope->pt2, walk.value, &name));
        TN_TRY(tn_json_member(walk.value, "arg", TN_JSON_OBJECT, &value));
        int32_t i = tn_schema_find_param(schema, name);
        if (i < 0)
            return tn_json_error(
                walk.value, TN_UNSUPPORTED,
                "%.*s has no parameter '%.*s': the model was exported with another "
                "version of the operator",
                TN_STR_ARG(op->name), (int)(name.len < 64 ? name.len : 64), name.data);
        if (is_given[i])
            return tn_json_error(walk.value, TN_CORRUPT, "the argument '%.*s' is given twice",
                                 TN_STR_ARG(name));
        is_given[i] = true;
        TN_TRY(tn_pt2_arg_read(args, &schema->params[i], value, &args->args[i]));
    }
    for (uint32_t i = 0; i < schema->param_count; i++) {
        if (is_given[i])
            continue;
        if (schema->params[i].default_value.kind == TN_DEFAULT_ABSENT)
            return tn_json_error(r->inputs, TN_CORRUPT,
                                 "%.*s: the argument '%.*s' is missing and has no default",
                                 TN_STR_ARG(op->name), TN_STR_ARG(schema->params[i].name));
        TN_TRY(tn_arg_default(r->scope->graph, op, &schema->params[i], &args->args[i]));
        if (args->args[i].kind == TN_ARG_VALUES)
            args->args[i].operand = (uint32_t)args->operand_count;
    }
    return NULL;
}

/* Arguments as they come; the operator is made from them. */
static tn_status read_unknown_args(const reading *r, tn_pt2_args *args, const tn_op **out_op) {
    enum { KEYWORD = 2 };
    static const tn_param any = {.type = TN_PARAM_ANY, .list_size = -1};
    tn_pt2 *pt2 = r->scope->pt2;
    uint32_t count = tn_json_count(r->inputs);
    tn_str *names = NULL;
    TN_ARENA_TRY(pt2->arena, args->args, count);
    TN_ARENA_TRY(pt2->arena, names, count);
    uint32_t i = 0;
    for (tn_json_walk walk = tn_json_begin(r->inputs); tn_json_step(&walk); i++) {
        tn_json_value value;
        tn_json_value kind = tn_json_find(walk.value, "kind");
        int64_t code = 0;
        names[i] = TN_STR("");
        TN_TRY(tn_json_member(walk.value, "arg", TN_JSON_OBJECT, &value));
        if (!tn_json_is_missing(kind))
            TN_TRY(tn_json_i64(kind, &code));
        if (code == KEYWORD)
            TN_TRY(tn_pt2_name(pt2, walk.value, &names[i]));
        TN_TRY(tn_pt2_arg_read(args, &any, value, &args->args[i]));
    }
    return tn_op_make_opaque(pt2->arena, r->name, names, count, (uint32_t)r->result_count, out_op);
}

/* True if the arguments are numbers just where the scalar overload has a number for the tensor of
 * the other: sub.Tensor(1, x), which exports write too, is no sub.Scalar. */
static bool is_scalar_call(const reading *r, const tn_schema *schema, const tn_schema *scalar) {
    static const char *const numbers[] = {"as_int", "as_float", "as_bool", "as_sym_int",
                                          "as_sym_float"};
    bool is_scalar = false;
    for (tn_json_walk walk = tn_json_begin(r->inputs); tn_json_step(&walk);) {
        tn_json_walk arg = tn_json_begin(tn_json_find(walk.value, "arg"));
        tn_str name = tn_json_raw(tn_json_find(walk.value, "name"));
        int32_t i = tn_schema_find_param(schema, name), j = tn_schema_find_param(scalar, name);
        if (i < 0 || j < 0 || schema->params[i].type != TN_PARAM_TENSOR || !tn_json_step(&arg) ||
            !arg.is_object)
            continue;
        bool is_number = is_any(tn_json_raw(arg.key), numbers, sizeof numbers / sizeof *numbers);
        if (is_number == (scalar->params[j].type == TN_PARAM_TENSOR))
            return false;
        is_scalar = is_scalar || is_number;
    }
    return is_scalar;
}

static tn_status find_op(const reading *r, const tn_op **out_op) {
    const tn_op *scalar = NULL;
    *out_op = tn_op_table_find(r->scope->pt2->ops, r->name);
    if (!*out_op)
        return NULL;
    TN_TRY(tn_pt2_op_scalar_overload(r->scope->pt2, r->name, &scalar));
    if (scalar && is_scalar_call(r, (*out_op)->schema, scalar->schema))
        *out_op = scalar;
    return NULL;
}

static tn_status check_result_count(const reading *r, const tn_op *op) {
    const tn_schema *schema = op->schema;
    for (uint32_t i = 0; i < schema->result_count; i++)
        if (schema->results[i].is_list)
            return NULL;
    if (r->result_count <= schema->result_count)
        return NULL;
    return tn_json_error(r->outputs, TN_CORRUPT, "%zu results, %.*s gives %u", r->result_count,
                         TN_STR_ARG(op->name), (unsigned)schema->result_count);
}

static tn_status add_node(reading *r) {
    tn_pt2_args args = {.scope = r->scope};
    const tn_op *op = NULL;
    const tn_loc *loc = NULL;
    tn_node *node = NULL;
    TN_TRY(find_op(r, &op));
    TN_TRY(op ? read_known_args(r, op, &args) : read_unknown_args(r, &args, &op));
    TN_TRY(check_result_count(r, op));
    TN_TRY(read_loc(r, &loc));
    if (r->result_count == 0)
        return tn_json_error(
            r->json, TN_UNSUPPORTED,
            "%.*s gives no result, so it must act on something else, and tenon does "
            "not know on what",
            TN_STR_ARG(r->name));
    tn_node_desc desc = {
        .op = op,
        .operands = args.operands,
        .operand_count = (uint32_t)args.operand_count,
        .args = args.args,
        .arg_count = op->schema->param_count,
        .result_types = r->types,
        .result_names = r->names,
        .result_count = (uint32_t)r->result_count,
        .locs = {.items = &loc, .count = 1},
    };
    TN_TRY(tn_graph_add_node(r->scope->graph, NULL, &desc, &node));
    for (uint32_t i = 0; i < node->result_count; i++) {
        node->results[i]->symbol = r->symbols[i];
        if (r->names[i].len)
            TN_TRY(tn_pt2_scope_bind(r->scope, r->names[i], node->results[i]));
    }
    return NULL;
}

tn_status tn_pt2_node_read(tn_pt2_scope *scope, tn_json_value node) {
    reading r = {.scope = scope, .json = node};
    tn_json_value target;
    TN_TRY(tn_json_member(node, "target", TN_JSON_STRING, &target));
    TN_TRY(tn_json_str(scope->pt2->arena, target, &r.target));
    TN_TRY(tn_pt2_op_name(scope->pt2, r.target, &r.name));
    TN_TRY(tn_json_member(node, "inputs", TN_JSON_ARRAY, &r.inputs));
    TN_TRY(tn_json_member(node, "outputs", TN_JSON_ARRAY, &r.outputs));
    TN_TRY(add_outputs(&r, r.outputs));
    if (computes_sizes(&r) || is_dropped(&r))
        return NULL;
    if (tn_str_is(r.name, "aten::_assert_scalar"))
        return check_assertion(&r);
    int graph_index = wrapped_graph_index(&r);
    if (graph_index >= 0)
        return inline_graph(&r, graph_index);
    return add_node(&r);
}

/* ---- numbers as tensors -----------------------------------------------------------------------
 */

static void store_number(uint8_t *data, tn_dtype dtype, double f, int64_t i) {
    float single = (float)f;
    if (dtype == TN_F64)
        memcpy(data, &f, sizeof f);
    else if (dtype == TN_F32)
        memcpy(data, &single, sizeof single);
    else if (dtype == TN_BOOL)
        data[0] = i != 0;
    else
        memcpy(data, &i, sizeof i);
}

static tn_status symbolic_tensor(tn_pt2 *pt2, tn_graph *graph, tn_str name, const tn_sym *sym,
                                 tn_value **out_value) {
    const tn_op *op = tn_op_table_find(pt2->ops, TN_STR("aten::scalar_tensor"));
    int32_t dtype = op ? tn_schema_find_param(op->schema, TN_STR("dtype")) : -1;
    if (dtype < 1)
        return tn_error_make(
            TN_UNSUPPORTED,
            "a size is used as a tensor, for which aten::scalar_tensor must be known");
    tn_arg *args = NULL;
    TN_ARENA_TRY(pt2->arena, args, op->schema->param_count);
    for (uint32_t i = 1; i < op->schema->param_count; i++)
        TN_TRY(tn_arg_default(graph, op, &op->schema->params[i], &args[i]));
    args[0] = (tn_arg){.kind = TN_ARG_INT, .i = sym};
    args[dtype] = (tn_arg){.kind = TN_ARG_DTYPE, .dtype = TN_I64};
    tn_type type = {.dtype = TN_I64};
    tn_node_desc desc = {.op = op,
                         .args = args,
                         .arg_count = op->schema->param_count,
                         .result_types = &type,
                         .result_names = &name,
                         .result_count = 1};
    tn_node *node = NULL;
    TN_TRY(tn_graph_add_node(graph, NULL, &desc, &node));
    *out_value = node->results[0];
    return NULL;
}

tn_status tn_pt2_scalar_tensor(tn_pt2 *pt2, tn_graph *graph, tn_str name,
                               const tn_pt2_number *number, tn_dtype dtype, tn_value **out_value) {
    double f = 0;
    *out_value = NULL;
    if (!tn_pt2_number_constant(number, &f)) {
        const tn_sym *sym = tn_pt2_number_sym(pt2->syms, number);
        TN_TRY(tn_syms_status(pt2->syms));
        if (!sym || dtype != TN_I64)
            return tn_error_make(TN_UNSUPPORTED,
                                 "the number '%.*s' depends on sizes and is no integer",
                                 TN_STR_ARG(name));
        return symbolic_tensor(pt2, graph, name, sym, out_value);
    }
    uint8_t *data = NULL;
    TN_ARENA_TRY(pt2->arena, data, SCALAR_BYTES);
    int64_t i = number->kind == TN_PT2_RATIO && tn_sym_is(number->den, 1) ? number->num->value : 0;
    store_number(data, dtype, f, i);
    tn_type type = {.dtype = dtype};
    tn_const view = {.data = data, .is_contiguous = true};
    return tn_graph_add_const(graph, name, &type, &view, out_value);
}
