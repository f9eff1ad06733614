/* text_print.c: graphs as text. What is printed is a function of the graph's content alone, so that
 * two prints of equal graphs are equal byte by byte. */
#include <string.h>

#include "ir/text.h"
#include "ir/text_elem.h"

typedef struct printer {
    tn_buf *buf;
    const tn_text_options *options;
    int indent;
} printer;

static void print_graph(printer *p, const tn_graph *graph);

/* ---- words ---------------------------------------------------------------------------------- */

static void put(printer *p, const char *text) {
    tn_buf_str_append(p->buf, tn_str_of(text));
}

static void start_line(printer *p) {
    for (int i = 0; i < p->indent; i++)
        put(p, "  ");
}

static void print_quoted(printer *p, tn_str s) {
    put(p, "\"");
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c == '"' || c == '\\')
            tn_buf_printf(p->buf, "\\%c", c);
        else if (c == '\n')
            put(p, "\\n");
        else if (c < 0x20 || c == 0x7f)
            tn_buf_printf(p->buf, "\\x%02x", c);
        else
            tn_buf_append(p->buf, &s.data[i], 1);
    }
    put(p, "\"");
}

static void print_name(printer *p, tn_str name) {
    bool is_plain = name.len > 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        is_plain = is_plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '_' || c == '.');
    }
    if (is_plain)
        tn_buf_str_append(p->buf, name);
    else
        print_quoted(p, name);
}

static void print_value(printer *p, const tn_value *value) {
    put(p, "%");
    print_name(p, value->name);
}

static void print_typed(printer *p, const tn_value *value) {
    print_value(p, value);
    put(p, ": ");
    tn_type_print(p->buf, &value->type);
}

static void print_float(printer *p, double value) {
    char digits[32];
    tn_buf_append(p->buf, digits, tn_format_f64(digits, sizeof digits, value));
}

/* ---- arguments ------------------------------------------------------------------------------ */

static const char *empty_list(tn_arg_kind kind, tn_param_type type) {
    switch (kind) {
    case TN_ARG_VALUES:
        return type == TN_PARAM_TENSOR ? "[]" : "values[]";
    case TN_ARG_FLOATS:
        return type == TN_PARAM_FLOAT ? "[]" : "floats[]";
    case TN_ARG_BOOLS:
        return type == TN_PARAM_BOOL ? "[]" : "bools[]";
    case TN_ARG_STRS:
        return type == TN_PARAM_STR ? "[]" : "strs[]";
    default:
        break;
    }
    bool is_other = type == TN_PARAM_TENSOR || type == TN_PARAM_FLOAT || type == TN_PARAM_BOOL ||
                    type == TN_PARAM_STR;
    return is_other ? "ints[]" : "[]";
}

static void print_list_item(printer *p, const tn_node *node, const tn_arg *arg, uint32_t i) {
    switch (arg->kind) {
    case TN_ARG_VALUES:
        if (node->operands[arg->operand + i])
            print_value(p, node->operands[arg->operand + i]);
        else
            put(p, "none");
        return;
    case TN_ARG_INTS:
        tn_sym_print(p->buf, arg->ints[i]);
        return;
    case TN_ARG_FLOATS:
        print_float(p, arg->floats[i]);
        return;
    case TN_ARG_BOOLS:
        put(p, arg->bools[i] ? "true" : "false");
        return;
    default:
        print_quoted(p, arg->strs[i]);
    }
}

static void print_list(printer *p, const tn_node *node, const tn_param *param, const tn_arg *arg) {
    if (arg->count == 0) {
        put(p, empty_list(arg->kind, param->type));
        return;
    }
    put(p, "[");
    for (uint32_t i = 0; i < arg->count; i++) {
        if (i)
            put(p, ", ");
        print_list_item(p, node, arg, i);
    }
    put(p, "]");
}

static void print_arg(printer *p, const tn_node *node, const tn_param *param, const tn_arg *arg) {
    switch (arg->kind) {
    case TN_ARG_NONE:
        put(p, "none");
        return;
    case TN_ARG_VALUE:
        print_value(p, node->operands[arg->operand]);
        return;
    case TN_ARG_INT:
        tn_sym_print(p->buf, arg->i);
        return;
    case TN_ARG_FLOAT:
        print_float(p, arg->f);
        return;
    case TN_ARG_BOOL:
        put(p, arg->b ? "true" : "false");
        return;
    case TN_ARG_STR:
        print_quoted(p, arg->s);
        return;
    case TN_ARG_DTYPE:
        tn_buf_printf(p->buf, param->type == TN_PARAM_DTYPE ? "%s" : "dtype(%s)",
                      tn_dtype_name(arg->dtype));
        return;
    case TN_ARG_GRAPH:
        print_graph(p, arg->graph);
        return;
    default:
        print_list(p, node, param, arg);
    }
}

static bool same_ints(const tn_arg *a, const tn_arg *b) {
    for (uint32_t i = 0; i < a->count; i++)
        if (a->ints[i] != b->ints[i])
            return false;
    return true;
}

/* True if parsing would give this argument where none is written. */
static bool is_default(const tn_node *node, uint32_t i) {
    const tn_param *param = &node->op->schema->params[i];
    const tn_arg *arg = &node->args[i];
    tn_arg value = {0};
    if (param->default_value.kind == TN_DEFAULT_ABSENT)
        return false;
    tn_status status = tn_arg_default(node->graph, node->op, param, &value);
    if (status) { /* without memory it prints in full */
        tn_status_free(status);
        return false;
    }
    if (arg->kind != value.kind || arg->count != value.count)
        return false;
    switch (arg->kind) {
    case TN_ARG_NONE:
        return true;
    case TN_ARG_INT:
        return arg->i == value.i;
    case TN_ARG_INTS:
        return same_ints(arg, &value);
    case TN_ARG_FLOAT:
        return memcmp(&arg->f, &value.f, sizeof arg->f) == 0;
    case TN_ARG_FLOATS:
        return arg->count == 0 ||
               memcmp(arg->floats, value.floats, arg->count * sizeof *arg->floats) == 0;
    case TN_ARG_BOOL:
        return arg->b == value.b;
    case TN_ARG_BOOLS:
        return arg->count == 0 ||
               memcmp(arg->bools, value.bools, arg->count * sizeof *arg->bools) == 0;
    case TN_ARG_STR:
        return tn_str_equal(arg->s, value.s);
    case TN_ARG_DTYPE:
        return arg->dtype == value.dtype;
    default:
        return arg->count == 0; /* empty lists of values or strings */
    }
}

static void print_args(printer *p, const tn_node *node) {
    const tn_schema *schema = node->op->schema;
    uint32_t positional = 0; /* those that print, up to the last that is no default */
    for (uint32_t i = 0; i < schema->param_count; i++)
        if (!schema->params[i].is_keyword_only && !is_default(node, i))
            positional = i + 1;
    bool is_first = true;
    for (uint32_t i = 0; i < schema->param_count; i++) {
        const tn_param *param = &schema->params[i];
        bool is_printed = param->is_keyword_only ? !is_default(node, i) : i < positional;
        if (!is_printed)
            continue;
        if (!is_first)
            put(p, ", ");
        is_first = false;
        if (param->is_keyword_only)
            tn_buf_printf(p->buf, "%.*s=", TN_STR_ARG(param->name));
        print_arg(p, node, param, &node->args[i]);
    }
}

/* ---- statements ----------------------------------------------------------------------------- */

static void print_locs(printer *p, const tn_locs *locs) {
    for (uint32_t i = 0; i < locs->count; i++) {
        const tn_loc *loc = locs->items[i];
        put(p, " loc(");
        print_quoted(p, loc->node);
        put(p, ", ");
        print_quoted(p, loc->op);
        put(p, ", ");
        print_quoted(p, loc->module);
        put(p, ", ");
        print_quoted(p, loc->source);
        put(p, ")");
    }
}

static void print_node(printer *p, const tn_node *node) {
    for (uint32_t i = 0; i < node->result_count; i++) {
        if (i)
            put(p, ", ");
        print_typed(p, node->results[i]);
        if (node->results[i]->symbol)
            tn_buf_printf(p->buf, " holds %.*s", TN_STR_ARG(node->results[i]->symbol->name));
    }
    if (node->result_count)
        put(p, " = ");
    tn_buf_printf(p->buf, "%.*s(", TN_STR_ARG(node->op->name));
    print_args(p, node);
    put(p, ")");
    if (p->options->with_locs)
        print_locs(p, &node->locs);
}

static bool is_all_zeros(const tn_type *type, const tn_const *data) {
    static const uint8_t zeros[8];
    int64_t index[TN_MAX_RANK] = {0};
    do {
        if (memcmp(tn_const_at(type, data, index), zeros, tn_dtype_bytes(type->dtype)) != 0)
            return false;
    } while (tn_const_next(type, index));
    return true;
}

static uint64_t hash_content(const tn_type *type, const tn_const *data, size_t elems) {
    size_t elem_bytes = tn_dtype_bytes(type->dtype);
    if (data->is_contiguous)
        return tn_hash_bytes(data->data, elems * elem_bytes, 0);
    int64_t index[TN_MAX_RANK] = {0};
    uint64_t hash = 0;
    do {
        hash = tn_hash_bytes(tn_const_at(type, data, index), elem_bytes, hash);
    } while (tn_const_next(type, index));
    return hash;
}

static void print_content(printer *p, const tn_type *type, const tn_const *data) {
    size_t elems = 0;
    if (!tn_type_is_static(type) || !tn_const_elems(type, &elems)) {
        put(p, "invalid"); /* the verifier refuses it; a dump must still print */
        return;
    }
    if (elems == 0) {
        put(p, "[]");
    } else if (elems > 4 && is_all_zeros(type, data)) {
        put(p, "zeros");
    } else if (elems > p->options->const_elems_max) {
        tn_buf_printf(p->buf, "hash 0x%016llx",
                      (unsigned long long)hash_content(type, data, elems));
    } else {
        int64_t index[TN_MAX_RANK] = {0};
        const char *separator = "[";
        do {
            put(p, separator);
            separator = ", ";
            tn_elem_print(p->buf, type->dtype, tn_const_at(type, data, index));
        } while (tn_const_next(type, index));
        put(p, "]");
    }
}

static void print_bound(printer *p, int64_t bound) {
    if (bound == INT64_MIN || bound == INT64_MAX)
        put(p, bound < 0 ? "-inf" : "inf");
    else
        tn_buf_printf(p->buf, "%lld", (long long)bound);
}

static void print_symbols(printer *p, const tn_syms *syms) {
    for (size_t i = 0; i < tn_sym_var_count(syms); i++) {
        const tn_sym *var = tn_sym_var_at(syms, i);
        start_line(p);
        tn_buf_printf(p->buf, "symbol %.*s in [", TN_STR_ARG(var->name));
        print_bound(p, var->min);
        put(p, ", ");
        print_bound(p, var->max);
        put(p, "]\n");
    }
}

static void print_declarations(printer *p, const tn_graph *graph) {
    for (size_t i = 0; i < graph->input_count; i++) {
        start_line(p);
        put(p, "input ");
        print_typed(p, graph->inputs[i]);
        put(p, "\n");
    }
    for (size_t i = 0; i < graph->const_count; i++) {
        start_line(p);
        put(p, "const ");
        print_typed(p, graph->consts[i]);
        put(p, " = ");
        print_content(p, &graph->consts[i]->type, graph->consts[i]->data);
        put(p, "\n");
    }
    for (size_t i = 0; i < graph->state_count; i++) {
        const tn_value *value = graph->states[i].value;
        start_line(p);
        put(p, "state ");
        print_value(p, value);
        if (!tn_str_equal(graph->states[i].name, value->name)) {
            put(p, " ");
            print_quoted(p, graph->states[i].name);
        }
        put(p, ": ");
        tn_type_print(p->buf, &value->type);
        put(p, " = ");
        print_content(p, &value->type, value->data);
        put(p, "\n");
    }
}

static void print_ending(printer *p, const tn_graph *graph) {
    for (size_t i = 0; i < graph->state_count; i++) {
        const tn_state *state = &graph->states[i];
        if (state->next == state->value)
            continue;
        start_line(p);
        put(p, "next ");
        print_value(p, state->value);
        put(p, " = ");
        print_value(p, state->next);
        put(p, "\n");
    }
    start_line(p);
    put(p, "return");
    for (size_t i = 0; i < graph->output_count; i++) {
        const tn_output *output = &graph->outputs[i];
        put(p, i ? ", " : " ");
        print_value(p, output->value);
        if (!tn_str_equal(output->name, output->value->name)) {
            put(p, " as ");
            print_quoted(p, output->name);
        }
        if (output->kind == TN_OUTPUT_INPUT_MUTATION) {
            put(p, " into ");
            print_value(p, output->target);
        }
    }
    put(p, "\n");
}

static void print_graph(printer *p, const tn_graph *graph) {
    bool is_outermost = p->indent == 0;
    put(p, "graph ");
    print_name(p, graph->name);
    put(p, " {\n");
    p->indent++;
    if (is_outermost)
        print_symbols(p, graph->syms);
    print_declarations(p, graph);
    for (const tn_node *node = graph->first; node; node = node->next) {
        start_line(p);
        print_node(p, node);
        put(p, "\n");
    }
    print_ending(p, graph);
    p->indent--;
    start_line(p);
    put(p, "}");
}

void tn_graph_print(tn_buf *buf, const tn_graph *graph, const tn_text_options *options) {
    printer p = {.buf = buf, .options = options};
    print_graph(&p, graph);
    put(&p, "\n");
}

void tn_node_print(tn_buf *buf, const tn_node *node, const tn_text_options *options) {
    printer p = {.buf = buf, .options = options, .indent = 1};
    print_node(&p, node);
}
