/* pt2_graph.c: the program's graph with its signature, and the graphs within it. Parameters,
 * buffers and constants are called by their names in the model; buffers that the signature says are
 * changed become states. */
#include "front/pt2.h"

#include <string.h>

enum { GRAPH_DEPTH_MAX = 16 };

/* ---- symbols ----------------------------------------------------------------------------------
 */

/* {"min_val": 1, "max_val": 512}; null and beyond 64 bits stand for no bound. */
static tn_status read_bound(tn_json_value range, const char *key, int64_t unbounded,
                            int64_t *out_bound) {
    tn_json_value value = tn_json_find(range, key);
    *out_bound = unbounded;
    return tn_json_kind_of(value) == TN_JSON_NUMBER ? tn_json_i64(value, out_bound) : NULL;
}

static tn_status read_ranges(tn_pt2 *pt2, tn_json_value program) {
    tn_json_value ranges = tn_json_find(program, "range_constraints");
    for (tn_json_walk walk = tn_json_begin(ranges); tn_json_step(&walk);) {
        tn_str name;
        int64_t min = 0;
        int64_t max = 0;
        TN_TRY(tn_json_str(pt2->arena, walk.key, &name));
        TN_TRY(read_bound(walk.value, "min_val", INT64_MIN, &min));
        TN_TRY(read_bound(walk.value, "max_val", INT64_MAX, &max));
        /* Constraints of expressions ("2*s0") follow from those of their symbols. */
        bool is_symbol = name.len > 0;
        for (size_t i = 0; i < name.len; i++) {
            char c = name.data[i];
            is_symbol = is_symbol && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                      (c >= '0' && c <= '9') || c == '_');
        }
        if (!is_symbol)
            continue;
        if (!tn_sym_var(pt2->syms, name, min, max)) {
            tn_status status = tn_syms_status(pt2->syms);
            return tn_status_annotate(status, "while reading range_constraints");
        }
    }
    return NULL;
}

/* ---- nodes ------------------------------------------------------------------------------------
 */

tn_status tn_pt2_nodes_read(tn_pt2_scope *scope) {
    tn_json_value nodes;
    if (scope->depth > GRAPH_DEPTH_MAX)
        return tn_json_error(scope->json, TN_CORRUPT, "graphs nest deeper than %d",
                             GRAPH_DEPTH_MAX);
    TN_TRY(tn_json_member(scope->json, "nodes", TN_JSON_ARRAY, &nodes));
    for (tn_json_walk walk = tn_json_begin(nodes); tn_json_step(&walk);)
        TN_TRY(tn_pt2_node_read(scope, walk.value));
    return scope->pt2->has_writes ? tn_pt2_copies_show(scope) : NULL;
}

static tn_status add_input(tn_pt2_scope *scope, tn_json_value ref) {
    tn_str name;
    tn_type type;
    tn_value *value = NULL;
    TN_TRY(tn_pt2_name(scope->pt2, ref, &name));
    TN_TRY(tn_pt2_scope_type(scope, ref, name, &type));
    TN_TRY(tn_graph_add_input(scope->graph, name, &type, &value));
    return tn_pt2_scope_bind(scope, name, value);
}

static tn_status add_output(tn_pt2_scope *scope, tn_json_value ref) {
    tn_output output = {.kind = TN_OUTPUT_USER};
    TN_TRY(tn_pt2_name(scope->pt2, ref, &output.name));
    TN_TRY(tn_pt2_scope_value(scope, ref, &output.value));
    return tn_graph_add_output(scope->graph, &output);
}

tn_status tn_pt2_subgraph_read(tn_pt2_scope *outer, tn_json_value named_graph,
                               tn_graph **out_graph) {
    tn_pt2 *pt2 = outer->pt2;
    tn_str name;
    tn_json_value json;
    tn_json_value list;
    tn_graph *graph = NULL;
    tn_pt2_scope scope;
    *out_graph = NULL;
    TN_TRY(tn_pt2_name(pt2, named_graph, &name));
    TN_TRY(tn_json_member(named_graph, "graph", TN_JSON_OBJECT, &json));
    TN_TRY(tn_graph_create(pt2->arena, pt2->syms, name, &graph));
    TN_TRY(tn_pt2_scope_open(&scope, pt2, graph, json, outer->depth + 1));
    TN_TRY(tn_json_member(json, "inputs", TN_JSON_ARRAY, &list));
    for (tn_json_walk walk = tn_json_begin(list); tn_json_step(&walk);) {
        tn_json_value tensor = tn_json_find(walk.value, "as_tensor");
        if (tn_json_kind_of(tensor) != TN_JSON_ABSENT)
            TN_TRY(add_input(&scope, tensor));
    }
    TN_TRY(tn_pt2_nodes_read(&scope));
    TN_TRY(tn_json_member(json, "outputs", TN_JSON_ARRAY, &list));
    for (tn_json_walk walk = tn_json_begin(list); tn_json_step(&walk);) {
        tn_json_value tensor = tn_json_find(walk.value, "as_tensor");
        if (tn_json_kind_of(tensor) == TN_JSON_ABSENT)
            return tn_json_error(walk.value, TN_UNSUPPORTED,
                                 "a branch or body that gives something else than a tensor");
        TN_TRY(add_output(&scope, tensor));
    }
    *out_graph = graph;
    return NULL;
}

/* ---- signature: inputs ------------------------------------------------------------------------
 */

typedef struct signature {
    tn_pt2_scope *scope;
    tn_map changed; /* names of buffers and parameters that an output gives new content to */
} signature;

/* The string member that names a parameter, buffer or constant in the model. */
static tn_status model_name(tn_pt2 *pt2, tn_json_value spec, const char *key, tn_str *out_name) {
    tn_json_value value;
    TN_TRY(tn_json_member(spec, key, TN_JSON_STRING, &value));
    return tn_json_str(pt2->arena, value, out_name);
}

static tn_status add_stored(signature *sig, tn_json_value spec, const char *key) {
    tn_pt2_scope *scope = sig->scope;
    tn_pt2 *pt2 = scope->pt2;
    tn_json_value arg;
    tn_str placeholder;
    tn_str name;
    tn_type type;
    tn_type declared;
    tn_const data;
    tn_value *value = NULL;
    TN_TRY(tn_json_member(spec, "arg", TN_JSON_OBJECT, &arg));
    TN_TRY(tn_pt2_name(pt2, arg, &placeholder));
    TN_TRY(model_name(pt2, spec, key, &name));
    TN_TRY(tn_pt2_stored_data(pt2, name, &type, &data));
    TN_TRY(tn_pt2_scope_type(scope, arg, placeholder, &declared));
    if (!tn_type_equal(&type, &declared))
        return tn_json_error(arg, TN_CORRUPT,
                             "the graph and the archive disagree on the type of '%.*s'",
                             (int)(name.len < 200 ? name.len : 200), name.data);
    if (tn_map_has(&sig->changed, name))
        TN_TRY(tn_graph_add_state(scope->graph, name, &type, &data, &value));
    else
        TN_TRY(tn_graph_add_const(scope->graph, name, &type, &data, &value));
    return tn_pt2_scope_bind(scope, placeholder, value);
}

static tn_status add_user_input(signature *sig, tn_json_value spec) {
    tn_json_value arg;
    tn_str tag;
    tn_json_value content;
    TN_TRY(tn_json_member(spec, "arg", TN_JSON_OBJECT, &arg));
    TN_TRY(tn_pt2_union(arg, &tag, &content));
    if (tn_str_is(tag, "as_tensor"))
        return add_input(sig->scope, content);
    if (tn_str_starts(tag, "as_sym_") || tn_str_is(tag, "as_custom_obj") ||
        tn_str_is(tag, "as_tensors"))
        return tn_json_error(
            arg, TN_UNSUPPORTED,
            "an input of the kind %.*s; inputs must be tensors, or literals that the "
            "export fixes",
            (int)(tag.len < 64 ? tag.len : 64), tag.data);
    return NULL; /* the graph is specialised to the literal */
}

static tn_status add_input_spec(signature *sig, tn_json_value spec) {
    tn_str tag;
    tn_json_value content;
    TN_TRY(tn_pt2_union(spec, &tag, &content));
    if (tn_str_is(tag, "user_input"))
        return add_user_input(sig, content);
    if (tn_str_is(tag, "parameter"))
        return add_stored(sig, content, "parameter_name");
    if (tn_str_is(tag, "buffer"))
        return add_stored(sig, content, "buffer_name");
    if (tn_str_is(tag, "tensor_constant"))
        return add_stored(sig, content, "tensor_constant_name");
    if (tn_str_is(tag, "constant_input") || tn_str_is(tag, "token"))
        return NULL;
    return tn_json_error(spec, TN_UNSUPPORTED, "an input of the kind %.*s is not supported",
                         (int)(tag.len < 64 ? tag.len : 64), tag.data);
}

/* ---- signature: outputs -----------------------------------------------------------------------
 */

/* The key that names what an output of this kind changes; NULL for other kinds. */
static const char *changed_key(tn_str tag) {
    if (tn_str_is(tag, "buffer_mutation"))
        return "buffer_name";
    return tn_str_is(tag, "parameter_mutation") ? "parameter_name" : NULL;
}

static tn_status find_changed(signature *sig, tn_json_value specs) {
    for (tn_json_walk walk = tn_json_begin(specs); tn_json_step(&walk);) {
        tn_str tag;
        tn_json_value content;
        TN_TRY(tn_pt2_union(walk.value, &tag, &content));
        const char *key = changed_key(tag);
        if (!key)
            continue;
        tn_str name;
        TN_TRY(model_name(sig->scope->pt2, content, key, &name));
        TN_TRY(tn_map_set(&sig->changed, name, NULL));
    }
    return NULL;
}

/* The tensor of an output; NULL for None and for text, which carry nothing that is computed. */
static tn_status output_value(tn_pt2_scope *scope, tn_json_value arg, tn_value **out_value,
                              tn_str *out_name) {
    tn_str tag;
    tn_json_value content;
    *out_value = NULL;
    *out_name = TN_STR("");
    TN_TRY(tn_pt2_union(arg, &tag, &content));
    if (tn_str_is(tag, "as_tensor")) {
        TN_TRY(tn_pt2_name(scope->pt2, content, out_name));
        return tn_pt2_scope_value(scope, content, out_value);
    }
    tn_dtype dtype = tn_str_ends(tag, "float")  ? TN_F64
                     : tn_str_ends(tag, "bool") ? TN_BOOL
                                                : TN_I64;
    tn_pt2_number number;
    if (tn_str_is(tag, "as_sym_int") || tn_str_is(tag, "as_sym_bool") ||
        tn_str_is(tag, "as_sym_float")) {
        TN_TRY(tn_pt2_scope_number(scope, content, &number));
        tn_json_value name = tn_json_find(content, "as_name");
        if (tn_json_kind_of(name) == TN_JSON_STRING) {
            TN_TRY(tn_json_str(scope->pt2->arena, name, out_name));
            *out_value = tn_map_get(&scope->values, *out_name);
        }
    } else if (tn_str_is(tag, "as_int") || tn_str_is(tag, "as_bool") ||
               tn_str_is(tag, "as_float")) {
        TN_TRY(tn_pt2_number_of(scope->pt2, arg, &number));
    } else if (tn_str_is(tag, "as_none") || tn_str_is(tag, "as_string")) {
        return NULL;
    } else {
        return tn_json_error(arg, TN_UNSUPPORTED, "an output of the kind %.*s is not supported",
                             (int)(tag.len < 64 ? tag.len : 64), tag.data);
    }
    if (*out_value)
        return NULL; /* a number that a node computed from data */
    return tn_pt2_scalar_tensor(scope->pt2, scope->graph, *out_name, &number, dtype, out_value);
}

static tn_status add_user_output(signature *sig, tn_json_value spec) {
    tn_json_value arg;
    tn_output output = {.kind = TN_OUTPUT_USER};
    TN_TRY(tn_json_member(spec, "arg", TN_JSON_OBJECT, &arg));
    TN_TRY(output_value(sig->scope, arg, &output.value, &output.name));
    if (!output.value)
        return NULL;
    if (output.name.len == 0)
        output.name = output.value->name;
    return tn_graph_add_output(sig->scope->graph, &output);
}

static tn_status check_same_type(tn_json_value spec, const tn_value *before,
                                 const tn_value *after) {
    if (tn_type_equal(&before->type, &after->type))
        return NULL;
    return tn_json_error(spec, TN_CORRUPT, "the new content of '%.*s' has another type",
                         TN_STR_ARG(before->name));
}

static tn_status set_next(signature *sig, tn_json_value spec, const char *key) {
    tn_pt2_scope *scope = sig->scope;
    tn_json_value arg;
    tn_str name;
    tn_value *value = NULL;
    TN_TRY(tn_json_member(spec, "arg", TN_JSON_OBJECT, &arg));
    TN_TRY(tn_pt2_scope_value(scope, arg, &value));
    TN_TRY(model_name(scope->pt2, spec, key, &name));
    for (size_t i = 0; i < scope->graph->state_count; i++) {
        tn_state *state = &scope->graph->states[i];
        if (!tn_str_equal(state->name, name))
            continue;
        TN_TRY(check_same_type(spec, state->value, value));
        state->next = value;
        return NULL;
    }
    return tn_json_error(spec, TN_CORRUPT, "the model has no input '%.*s'",
                         (int)(name.len < 200 ? name.len : 200), name.data);
}

static tn_status add_input_mutation(signature *sig, tn_json_value spec) {
    tn_pt2_scope *scope = sig->scope;
    tn_json_value arg;
    tn_output output = {.kind = TN_OUTPUT_INPUT_MUTATION};
    TN_TRY(tn_json_member(spec, "arg", TN_JSON_OBJECT, &arg));
    TN_TRY(tn_pt2_scope_value(scope, arg, &output.value));
    TN_TRY(model_name(scope->pt2, spec, "user_input_name", &output.name));
    output.target = tn_map_get(&scope->values, output.name);
    if (!output.target || output.target->kind != TN_VALUE_INPUT)
        return tn_json_error(spec, TN_CORRUPT, "the model has no input '%.*s'",
                             (int)(output.name.len < 200 ? output.name.len : 200),
                             output.name.data);
    TN_TRY(check_same_type(spec, output.target, output.value));
    return tn_graph_add_output(scope->graph, &output);
}

static tn_status add_output_spec(signature *sig, tn_json_value spec) {
    tn_str tag;
    tn_json_value content;
    TN_TRY(tn_pt2_union(spec, &tag, &content));
    const char *key = changed_key(tag);
    if (key)
        return set_next(sig, content, key);
    if (tn_str_is(tag, "user_output"))
        return add_user_output(sig, content);
    if (tn_str_is(tag, "user_input_mutation"))
        return add_input_mutation(sig, content);
    if (tn_str_is(tag, "token"))
        return NULL;
    return tn_json_error(
        spec, TN_UNSUPPORTED,
        "an output of the kind %.*s: a graph of training, expected one of inference",
        (int)(tag.len < 64 ? tag.len : 64), tag.data);
}

/* ---- the program ------------------------------------------------------------------------------
 */

/* Whether a target anywhere in the program, branches included, names an operator that writes in
 * place: "torch.ops.aten.add_.Tensor", "torch.ops.aten.__iadd__.Tensor". A search of the text,
 * since graphs that write nothing, which most are, need no more work than that. */
static bool has_writes(tn_str text) {
    static const char space[] = "\"torch.ops.aten.";
    size_t space_len = sizeof space - 1;
    for (size_t i = 0; i + space_len < text.len; i++) {
        if (text.data[i] != '"' || memcmp(text.data + i, space, space_len) != 0)
            continue;
        tn_str base;
        (void)tn_str_split((tn_str){text.data + i + space_len, text.len - i - space_len}, '.',
                           &base);
        if (tn_str_ends(base, "_") && (!tn_str_ends(base, "__") || tn_str_starts(base, "__i")))
            return true;
        i += space_len;
    }
    return false;
}

static tn_status read_specs(signature *sig, tn_json_value specs,
                            tn_status (*read)(signature *sig, tn_json_value spec)) {
    for (tn_json_walk walk = tn_json_begin(specs); tn_json_step(&walk);)
        TN_TRY(read(sig, walk.value));
    return NULL;
}

tn_status tn_pt2_program_read(tn_pt2 *pt2, tn_graph **out_graph) {
    tn_json_value program = tn_json_root(&pt2->program);
    tn_json_value module;
    tn_json_value json;
    tn_json_value specs;
    tn_json_value inputs;
    tn_json_value outputs;
    tn_graph *graph = NULL;
    tn_pt2_scope scope;
    TN_TRY(read_ranges(pt2, program));
    TN_TRY(tn_json_member(program, "graph_module", TN_JSON_OBJECT, &module));
    TN_TRY(tn_json_member(module, "graph", TN_JSON_OBJECT, &json));
    TN_TRY(tn_json_member(module, "signature", TN_JSON_OBJECT, &specs));
    TN_TRY(tn_json_member(specs, "input_specs", TN_JSON_ARRAY, &inputs));
    TN_TRY(tn_json_member(specs, "output_specs", TN_JSON_ARRAY, &outputs));
    TN_TRY(tn_graph_create(pt2->arena, pt2->syms, pt2->root, &graph));
    pt2->has_writes = has_writes(pt2->program.text);
    TN_TRY(tn_pt2_scope_open(&scope, pt2, graph, json, 0));
    signature sig = {.scope = &scope};
    tn_map_init(&sig.changed, tn_arena_allocator(pt2->arena));
    TN_TRY(find_changed(&sig, outputs));
    TN_TRY(read_specs(&sig, inputs, add_input_spec));
    TN_TRY(tn_pt2_nodes_read(&scope));
    TN_TRY(read_specs(&sig, outputs, add_output_spec));
    TN_TRY(tn_syms_status(pt2->syms));
    *out_graph = graph;
    return NULL;
}
