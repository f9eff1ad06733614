/* text_parse.c: textual graphs, parsed by recursive descent; statements here, arguments in
 * text_parse_args.c. */
#include <string.h>

#include "base/checked.h"
#include "ir/text_parse.h"

enum {
    ZEROS_BYTES_MAX = 1 << 28, /* of "= zeros": a few characters must not claim all memory */
};

/* ---- types and values ----------------------------------------------------------------------- */

tn_status tn_parse_expr(tn_text_parser *p, const tn_sym **out_sym) {
    size_t used = 0;
    (void)tn_scan_peek(&p->scan);
    tn_str rest = {p->scan.text.data + p->scan.at, p->scan.text.len - p->scan.at};
    size_t line_len =
        0; /* an expression ends with its line, so that // can begin a comment there */
    while (line_len < rest.len && rest.data[line_len] != '\n')
        line_len++;
    rest.len = line_len;
    tn_status status = tn_sym_parse_prefix(p->syms, rest, false, out_sym, &used);
    size_t at = p->scan.at + used;
    if (!status) {
        p->scan.at = at;
        return NULL;
    }
    if (tn_status_code(status) == TN_OUT_OF_MEMORY)
        return status;
    /* "column 3: ..." counts from the expression's start; here the place is that in the text */
    const char *colon = strchr(tn_status_message(status), ':');
    tn_status placed = tn_scan_error(&p->scan, at, "%s", colon ? colon + 2 : "bad expression");
    tn_status_free(status);
    return placed;
}

static tn_status parse_type(tn_text_parser *p, tn_type *out_type) {
    *out_type = (tn_type){0};
    (void)tn_scan_peek(&p->scan);
    size_t at = p->scan.at;
    tn_str word = tn_scan_word(&p->scan, "");
    out_type->dtype = tn_dtype_from_str(word);
    if (out_type->dtype == TN_DTYPE_NONE) {
        p->scan.at = at;
        return tn_scan_wrong(&p->scan, "a type like f32[2, s0]");
    }
    TN_TRY(tn_scan_expect(&p->scan, "["));
    if (tn_scan_take(&p->scan, "]"))
        return NULL;
    do {
        if (out_type->rank == TN_MAX_RANK)
            return tn_scan_wrong(&p->scan, "']': a tensor has at most %d dimensions", TN_MAX_RANK);
        (void)tn_scan_peek(&p->scan);
        at = p->scan.at;
        const tn_sym **dim = &out_type->dims[out_type->rank++];
        TN_TRY(tn_parse_expr(p, dim));
        if ((*dim)->max < 0)
            return tn_scan_error(&p->scan, at, "a size that is negative");
    } while (tn_scan_take(&p->scan, ","));
    return tn_scan_expect(&p->scan, "]");
}

/* "%name" that must be new; the name is in the arena or in the text. */
static tn_status parse_new_name(tn_text_parser *p, tn_str *out_name) {
    TN_TRY(tn_scan_expect(&p->scan, "%"));
    size_t at = p->scan.at;
    TN_TRY(tn_scan_name(&p->scan, "a value's name", out_name));
    if (tn_map_has(&p->values, *out_name))
        return tn_scan_error(&p->scan, at, "%%%.*s is defined twice", TN_STR_ARG(*out_name));
    return NULL;
}

tn_status tn_parse_value(tn_text_parser *p, tn_value **out_value) {
    TN_TRY(tn_scan_expect(&p->scan, "%"));
    size_t at = p->scan.at;
    tn_str name;
    TN_TRY(tn_scan_name(&p->scan, "a value's name", &name));
    *out_value = tn_map_get(&p->values, name);
    if (*out_value)
        return NULL;
    return tn_scan_error(&p->scan, at, "%%%.*s is not defined above", TN_STR_ARG(name));
}

static tn_status remember(tn_text_parser *p, tn_value *value) {
    return tn_map_set(&p->values, value->name, value);
}

/* ---- constants ------------------------------------------------------------------------------ */

/* Characters of one element: enough for any decimal, and what else stands there for the message. */
static tn_str scan_element(tn_text_parser *p) {
    return tn_scan_word(&p->scan, "+-.");
}

static tn_status parse_elements(tn_text_parser *p, const tn_type *type, size_t elems,
                                uint8_t *bytes) {
    size_t elem_bytes = tn_dtype_bytes(type->dtype);
    TN_TRY(tn_scan_expect(&p->scan, "["));
    for (size_t i = 0; i < elems; i++) {
        if (i)
            TN_TRY(tn_scan_expect(&p->scan, ","));
        (void)tn_scan_peek(&p->scan);
        size_t at = p->scan.at;
        if (!tn_elem_parse(scan_element(p), type->dtype, bytes + i * elem_bytes)) {
            p->scan.at = at;
            return tn_scan_wrong(&p->scan, "element %zu of %zu as %s", i, elems,
                                 tn_dtype_name(type->dtype));
        }
    }
    return tn_scan_expect(&p->scan, "]");
}

/* A written element takes at least two characters, so a longer claim is wrong before any memory is
 * taken for it. */
static tn_status check_elems(tn_text_parser *p, size_t at, size_t elems, size_t elem_bytes,
                             bool is_zeros) {
    size_t bytes = 0;
    bool fits = tn_mul_size(elems, elem_bytes, &bytes);
    if (is_zeros && (!fits || bytes > ZEROS_BYTES_MAX))
        return tn_scan_error(&p->scan, at, "zeros of more than %d bytes", (int)ZEROS_BYTES_MAX);
    if (!is_zeros && (!fits || elems > p->scan.text.len))
        return tn_scan_error(&p->scan, at, "%zu elements are more than the text can hold", elems);
    return NULL;
}

/* "= [1.0, 2.0]" or "= zeros"; hashes stand for content that is not in the text. */
static tn_status parse_content(tn_text_parser *p, const tn_type *type, tn_const *out_data) {
    *out_data = (tn_const){.is_contiguous = true};
    TN_TRY(tn_scan_expect(&p->scan, "="));
    (void)tn_scan_peek(&p->scan);
    size_t at = p->scan.at, elems = 0;
    if (tn_scan_take(&p->scan, "hash"))
        return tn_scan_error(&p->scan, at,
                             "this constant was printed as a hash; print with a larger "
                             "const_elems_max to read it back");
    if (!tn_type_is_static(type))
        return tn_scan_error(&p->scan, at, "a constant's dimensions must be numbers");
    if (!tn_const_elems(type, &elems))
        return tn_scan_error(&p->scan, at, "the number of elements is not one of 64 bits");
    bool is_zeros = tn_scan_take(&p->scan, "zeros");
    TN_TRY(check_elems(p, at, elems, tn_dtype_bytes(type->dtype), is_zeros));
    uint8_t *bytes = tn_arena_alloc(p->arena, elems, tn_dtype_bytes(type->dtype));
    if (!bytes)
        return tn_error_out_of_memory();
    int64_t stride = 1;
    for (uint32_t i = type->rank; i-- > 0;
         stride *= type->dims[i]->value > 0 ? type->dims[i]->value : 1)
        out_data->strides[i] = stride;
    out_data->data = bytes;
    return is_zeros ? NULL : parse_elements(p, type, elems, bytes);
}

/* ---- declarations --------------------------------------------------------------------------- */

static tn_status parse_bound(tn_text_parser *p, int64_t *out_bound) {
    (void)tn_scan_peek(&p->scan);
    size_t at = p->scan.at;
    tn_str word = tn_scan_word(&p->scan, "-");
    if (tn_str_is(word, "inf"))
        *out_bound = INT64_MAX;
    else if (tn_str_is(word, "-inf"))
        *out_bound = INT64_MIN;
    else if (!tn_str_to_i64(word, out_bound)) {
        p->scan.at = at;
        return tn_scan_wrong(&p->scan, "a bound: an integer, inf or -inf");
    }
    return NULL;
}

static tn_status parse_symbol(tn_text_parser *p) {
    (void)tn_scan_peek(&p->scan);
    size_t at = p->scan.at;
    tn_str name = tn_scan_word(&p->scan, "");
    if (!tn_sym_name_ok(name))
        return tn_scan_error(&p->scan, at, "'%.*s' is no name for a symbol", TN_STR_ARG(name));
    if (tn_sym_find_var(p->syms, name))
        return tn_scan_error(&p->scan, at, "symbol %.*s is declared twice", TN_STR_ARG(name));
    int64_t min = 0, max = 0;
    TN_TRY(tn_scan_expect(&p->scan, "in"));
    TN_TRY(tn_scan_expect(&p->scan, "["));
    TN_TRY(parse_bound(p, &min));
    TN_TRY(tn_scan_expect(&p->scan, ","));
    TN_TRY(parse_bound(p, &max));
    TN_TRY(tn_scan_expect(&p->scan, "]"));
    if (min > max)
        return tn_scan_error(&p->scan, at, "symbol %.*s: no value lies in [%lld, %lld]",
                             TN_STR_ARG(name), (long long)min, (long long)max);
    return tn_sym_var(p->syms, name, min, max) ? NULL : tn_error_out_of_memory();
}

static tn_status parse_input(tn_text_parser *p) {
    tn_str name;
    tn_type type;
    tn_value *value = NULL;
    TN_TRY(parse_new_name(p, &name));
    TN_TRY(tn_scan_expect(&p->scan, ":"));
    TN_TRY(parse_type(p, &type));
    TN_TRY(tn_graph_add_input(p->graph, name, &type, &value));
    return remember(p, value);
}

static tn_status parse_const(tn_text_parser *p) {
    tn_str name;
    tn_type type;
    tn_const data;
    tn_value *value = NULL;
    TN_TRY(parse_new_name(p, &name));
    TN_TRY(tn_scan_expect(&p->scan, ":"));
    TN_TRY(parse_type(p, &type));
    TN_TRY(parse_content(p, &type, &data));
    TN_TRY(tn_graph_add_const(p->graph, name, &type, &data, &value));
    return remember(p, value);
}

static tn_status parse_state(tn_text_parser *p) {
    tn_str name, buffer;
    tn_type type;
    tn_const data;
    tn_value *value = NULL;
    TN_TRY(parse_new_name(p, &name));
    buffer = name;
    if (tn_scan_peek(&p->scan) == '"')
        TN_TRY(tn_scan_string(&p->scan, &buffer));
    TN_TRY(tn_scan_expect(&p->scan, ":"));
    TN_TRY(parse_type(p, &type));
    TN_TRY(parse_content(p, &type, &data));
    TN_TRY(tn_graph_add_state(p->graph, name, &type, &data, &value));
    tn_state *state = &p->graph->states[p->graph->state_count - 1];
    state->name = tn_arena_str(p->arena, buffer);
    if (!state->name.data)
        return tn_error_out_of_memory();
    return remember(p, value);
}

static tn_status parse_next(tn_text_parser *p) {
    tn_value *value = NULL, *next = NULL;
    (void)tn_scan_peek(&p->scan);
    size_t at = p->scan.at;
    TN_TRY(tn_parse_value(p, &value));
    TN_TRY(tn_scan_expect(&p->scan, "="));
    TN_TRY(tn_parse_value(p, &next));
    for (size_t i = 0; i < p->graph->state_count; i++) {
        if (p->graph->states[i].value == value) {
            p->graph->states[i].next = next;
            return NULL;
        }
    }
    return tn_scan_error(&p->scan, at, "%%%.*s is no state", TN_STR_ARG(value->name));
}

static tn_status parse_return(tn_text_parser *p) {
    if (tn_scan_peek(&p->scan) == '}')
        return NULL;
    do {
        tn_output output = {.kind = TN_OUTPUT_USER};
        TN_TRY(tn_parse_value(p, &output.value));
        output.name = output.value->name;
        if (tn_scan_take(&p->scan, "as"))
            TN_TRY(tn_scan_string(&p->scan, &output.name));
        if (tn_scan_take(&p->scan, "into")) {
            (void)tn_scan_peek(&p->scan);
            size_t at = p->scan.at;
            output.kind = TN_OUTPUT_INPUT_MUTATION;
            TN_TRY(tn_parse_value(p, &output.target));
            if (output.target->kind != TN_VALUE_INPUT)
                return tn_scan_error(&p->scan, at, "%%%.*s is no input",
                                     TN_STR_ARG(output.target->name));
        }
        TN_TRY(tn_graph_add_output(p->graph, &output));
    } while (tn_scan_take(&p->scan, ","));
    return NULL;
}

/* A word that begins a statement; "input::f" is an operator. */
static bool take_keyword(tn_text_parser *p, const char *word) {
    tn_scan ahead = p->scan;
    if (!tn_scan_take(&ahead, word) ||
        (ahead.at < ahead.text.len && ahead.text.data[ahead.at] == ':'))
        return false;
    p->scan.at = ahead.at;
    return true;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

/* Results on the left of "=", grown in the arena. */
typedef struct results {
    tn_type *types;
    tn_str *names;
    const tn_sym **symbols; /* that they hold; NULL */
    uint32_t count;
    size_t type_capacity, name_capacity, symbol_capacity;
} results;

/* "holds u0" */
static tn_status parse_symbol_use(tn_text_parser *p, const tn_sym **out_symbol) {
    *out_symbol = NULL;
    if (!tn_scan_take(&p->scan, "holds"))
        return NULL;
    (void)tn_scan_peek(&p->scan);
    size_t at = p->scan.at;
    tn_str name = tn_scan_word(&p->scan, "");
    *out_symbol = tn_sym_find_var(p->syms, name);
    if (*out_symbol)
        return NULL;
    return tn_scan_error(&p->scan, at, "'%.*s' is no symbol", TN_STR_ARG(name));
}

static tn_status parse_results(tn_text_parser *p, results *out) {
    do {
        out->types = tn_arena_grow(p->arena, out->types, out->count, &out->type_capacity,
                                   sizeof *out->types);
        out->names = tn_arena_grow(p->arena, out->names, out->count, &out->name_capacity,
                                   sizeof *out->names);
        out->symbols = tn_arena_grow(p->arena, out->symbols, out->count, &out->symbol_capacity,
                                     sizeof *out->symbols);
        if (!out->types || !out->names || !out->symbols)
            return tn_error_out_of_memory();
        (void)tn_scan_peek(&p->scan);
        size_t at = p->scan.at;
        TN_TRY(parse_new_name(p, &out->names[out->count]));
        for (uint32_t i = 0; i < out->count; i++)
            if (tn_str_equal(out->names[i], out->names[out->count]))
                return tn_scan_error(&p->scan, at, "%%%.*s is defined twice",
                                     TN_STR_ARG(out->names[i]));
        TN_TRY(tn_scan_expect(&p->scan, ":"));
        TN_TRY(parse_type(p, &out->types[out->count]));
        TN_TRY(parse_symbol_use(p, &out->symbols[out->count]));
        out->count++;
    } while (tn_scan_take(&p->scan, ","));
    return tn_scan_expect(&p->scan, "=");
}

/* Equal provenances become one, as they were before printing. */
static tn_status parse_loc(tn_text_parser *p, const tn_loc **out_loc) {
    tn_loc *loc = NULL;
    TN_ARENA_TRY(p->arena, loc, 1);
    tn_str *const parts[4] = {&loc->node, &loc->op, &loc->module, &loc->source};
    TN_TRY(tn_scan_expect(&p->scan, "("));
    size_t start = p->scan.at;
    for (int i = 0; i < 4; i++) {
        if (i)
            TN_TRY(tn_scan_expect(&p->scan, ","));
        TN_TRY(tn_scan_string(&p->scan, parts[i]));
    }
    tn_str key = {p->scan.text.data + start, p->scan.at - start};
    TN_TRY(tn_scan_expect(&p->scan, ")"));
    *out_loc = tn_map_get(p->locs, key);
    if (*out_loc)
        return NULL;
    *out_loc = loc;
    return tn_map_set(p->locs, key, loc);
}

static tn_status parse_locs(tn_text_parser *p, tn_locs *out_locs) {
    const tn_loc **items = NULL;
    size_t capacity = 0;
    *out_locs = (tn_locs){0};
    while (take_keyword(p, "loc")) {
        items = tn_arena_grow(p->arena, items, out_locs->count, &capacity, sizeof *items);
        if (!items)
            return tn_error_out_of_memory();
        TN_TRY(parse_loc(p, &items[out_locs->count]));
        out_locs->count++;
    }
    out_locs->items = items;
    return NULL;
}

static const tn_op *find_op(const tn_text_parser *p, tn_str name) {
    for (size_t i = 0; i < p->table_count; i++) {
        const tn_op *op = tn_op_table_find(p->tables[i], name);
        if (op)
            return op;
    }
    return NULL;
}

static tn_status parse_node(tn_text_parser *p) {
    results made = {0};
    if (tn_scan_peek(&p->scan) == '%')
        TN_TRY(parse_results(p, &made));
    (void)tn_scan_peek(&p->scan);
    size_t at = p->scan.at;
    tn_str name = tn_scan_word(&p->scan, ":.");
    tn_node_desc desc = {.op = find_op(p, name),
                         .result_types = made.types,
                         .result_names = made.names,
                         .result_count = made.count};
    if (!desc.op && (name.len == 0 || !memchr(name.data, ':', name.len))) {
        p->scan.at = at;
        return tn_scan_wrong(&p->scan, "an operator like aten::add, a declaration or 'return'");
    }
    TN_TRY(tn_scan_expect(&p->scan, "("));
    TN_TRY(tn_parse_args(p, name, &desc));
    TN_TRY(parse_locs(p, &desc.locs));
    tn_node *node = NULL;
    TN_TRY(tn_graph_add_node(p->graph, NULL, &desc, &node));
    for (uint32_t i = 0; i < node->result_count; i++) {
        node->results[i]->symbol = made.symbols[i];
        TN_TRY(remember(p, node->results[i]));
    }
    return NULL;
}

/* ---- graphs --------------------------------------------------------------------------------- */

static tn_status parse_statement(tn_text_parser *p, bool *out_is_last) {
    *out_is_last = false;
    if (take_keyword(p, "symbol"))
        return parse_symbol(p);
    if (take_keyword(p, "input"))
        return parse_input(p);
    if (take_keyword(p, "const"))
        return parse_const(p);
    if (take_keyword(p, "state"))
        return parse_state(p);
    if (take_keyword(p, "next"))
        return parse_next(p);
    *out_is_last = take_keyword(p, "return");
    return *out_is_last ? parse_return(p) : parse_node(p);
}

/* "graph name { ... }" into p->graph, whose names are p->values. */
static tn_status parse_body(tn_text_parser *p) {
    tn_str name;
    bool is_last = false;
    TN_TRY(tn_scan_expect(&p->scan, "graph"));
    TN_TRY(tn_scan_name(&p->scan, "a graph's name", &name));
    TN_TRY(tn_graph_create(p->arena, p->syms, name, &p->graph));
    TN_TRY(tn_scan_expect(&p->scan, "{"));
    while (!is_last)
        TN_TRY(parse_statement(p, &is_last));
    return tn_scan_expect(&p->scan, "}");
}

tn_status tn_parse_subgraph(tn_text_parser *p, tn_graph **out_graph) {
    *out_graph = NULL;
    if (p->depth == TN_GRAPH_DEPTH_MAX)
        return tn_scan_wrong(&p->scan, "at most %d nested graphs", TN_GRAPH_DEPTH_MAX);
    tn_text_parser inner = *p;
    inner.depth++;
    tn_map_init(&inner.values, tn_arena_allocator(p->arena));
    TN_TRY(parse_body(&inner));
    p->scan.at = inner.scan.at;
    *out_graph = inner.graph;
    return NULL;
}

tn_status tn_graph_parse(tn_arena *arena, tn_str text, const tn_op_table *const *tables,
                         size_t table_count, tn_graph **out_graph) {
    *out_graph = NULL;
    tn_map locs;
    tn_map_init(&locs, tn_arena_allocator(arena));
    tn_text_parser p = {
        .scan = {.arena = arena, .text = text},
        .arena = arena,
        .tables = tables,
        .table_count = table_count,
        .locs = &locs,
    };
    tn_map_init(&p.values, tn_arena_allocator(arena));
    TN_TRY(tn_syms_create(arena, &p.syms));
    TN_TRY(parse_body(&p));
    if (tn_scan_peek(&p.scan) || p.scan.at < text.len)
        return tn_scan_wrong(&p.scan, "the end of the text");
    *out_graph = p.graph;
    return NULL;
}
