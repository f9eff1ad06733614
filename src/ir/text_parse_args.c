/* text_parse_args.c: the arguments of a node in textual graphs. Which kind an argument has is told
 * by how it is written; the schema decides only where that is open (a bare word, an empty list). */
#include <string.h>

#include "ir/text_parse.h"

/* Operands and arguments being collected, grown in the arena. */
typedef struct collector {
    tn_value **operands;
    uint32_t operand_count;
    size_t operand_capacity;
    tn_arg *args;
    tn_str *names;  /* of opaque operators' arguments; empty for positional ones */
    bool *is_given; /* of known operators' parameters */
    uint32_t count; /* of opaque operators' arguments */
    size_t arg_capacity, name_capacity;
} collector;

static tn_status add_operand(tn_text_parser *p, collector *c, tn_value *value) {
    c->operands = tn_arena_grow(p->arena, c->operands, c->operand_count, &c->operand_capacity,
                                sizeof *c->operands);
    if (!c->operands)
        return tn_error_out_of_memory();
    c->operands[c->operand_count++] = value;
    return NULL;
}

/* ---- single arguments ----------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* True for what the printer writes for a float: digits with a point or an exponent, inf, nan. */
static bool is_float_next(tn_text_parser *p) {
    (void)tn_scan_peek(&p->scan);
    tn_scan ahead = p->scan;
    if (ahead.at < ahead.text.len && ahead.text.data[ahead.at] == '-')
        ahead.at++;
    if (tn_scan_take(&ahead, "inf") || tn_scan_take(&ahead, "nan"))
        return true;
    size_t start = ahead.at;
    while (ahead.at < ahead.text.len && is_digit(ahead.text.data[ahead.at]))
        ahead.at++;
    char c = ahead.at < ahead.text.len ? ahead.text.data[ahead.at] : 0;
    return c == '.' || ((c == 'e' || c == 'E') && ahead.at > start);
}

static tn_status parse_float(tn_text_parser *p, double *out_value) {
    size_t start = p->scan.at;
    (void)tn_scan_word(&p->scan, "-.");
    char before = p->scan.text.data[p->scan.at - 1]; /* 1e+20 has a sign that is no word's */
    if ((before == 'e' || before == 'E') && p->scan.at < p->scan.text.len &&
        p->scan.text.data[p->scan.at] == '+') {
        p->scan.at++;
        (void)tn_scan_word(&p->scan, "");
    }
    if (tn_str_to_f64((tn_str){p->scan.text.data + start, p->scan.at - start}, out_value))
        return NULL;
    p->scan.at = start;
    return tn_scan_wrong(&p->scan, "a number in the range of f64");
}

static tn_status parse_dtype(tn_text_parser *p, tn_arg *out) {
    (void)tn_scan_peek(&p->scan);
    size_t at = p->scan.at;
    out->kind = TN_ARG_DTYPE;
    out->dtype = tn_dtype_from_str(tn_scan_word(&p->scan, ""));
    if (out->dtype != TN_DTYPE_NONE)
        return NULL;
    p->scan.at = at;
    return tn_scan_wrong(&p->scan, "a dtype");
}

/* ---- lists ---------------------------------------------------------------------------------- */

static tn_arg_kind empty_kind(tn_param_type type) {
    switch (type) {
    case TN_PARAM_TENSOR:
        return TN_ARG_VALUES;
    case TN_PARAM_FLOAT:
        return TN_ARG_FLOATS;
    case TN_PARAM_BOOL:
        return TN_ARG_BOOLS;
    case TN_PARAM_STR:
        return TN_ARG_STRS;
    default:
        return TN_ARG_INTS;
    }
}

static tn_arg_kind list_kind(tn_text_parser *p) {
    char c = tn_scan_peek(&p->scan);
    tn_scan ahead = p->scan;
    if (c == '%' || tn_scan_take(&ahead, "none"))
        return TN_ARG_VALUES;
    if (c == '"')
        return TN_ARG_STRS;
    if (tn_scan_take(&ahead, "true") || tn_scan_take(&ahead, "false"))
        return TN_ARG_BOOLS;
    return is_float_next(p) ? TN_ARG_FLOATS : TN_ARG_INTS;
}

/* One element of a list into items[i]; tensors go to the operands. */
static tn_status parse_item(tn_text_parser *p, collector *c, tn_arg_kind kind, void *items,
                            size_t i) {
    tn_value *value = NULL;
    switch (kind) {
    case TN_ARG_VALUES:
        if (!tn_scan_take(&p->scan, "none"))
            TN_TRY(tn_parse_value(p, &value));
        return add_operand(p, c, value);
    case TN_ARG_STRS:
        return tn_scan_string(&p->scan, &((tn_str *)items)[i]);
    case TN_ARG_BOOLS:
        ((bool *)items)[i] = tn_scan_take(&p->scan, "true");
        if (((bool *)items)[i] || tn_scan_take(&p->scan, "false"))
            return NULL;
        return tn_scan_wrong(&p->scan, "true or false");
    case TN_ARG_FLOATS:
        if (!is_float_next(p))
            return tn_scan_wrong(&p->scan, "a float, as the list began");
        return parse_float(p, &((double *)items)[i]);
    default:
        if (is_float_next(p))
            return tn_scan_wrong(&p->scan, "an integer, as the list began");
        return tn_parse_expr(p, &((const tn_sym **)items)[i]);
    }
}

static size_t item_bytes(tn_arg_kind kind) {
    switch (kind) {
    case TN_ARG_STRS:
        return sizeof(tn_str);
    case TN_ARG_BOOLS:
        return sizeof(bool);
    case TN_ARG_FLOATS:
        return sizeof(double);
    default:
        return sizeof(const tn_sym *);
    }
}

/* After "[". */
static tn_status parse_list(tn_text_parser *p, collector *c, tn_param_type type, tn_arg *out) {
    if (tn_scan_take(&p->scan, "]")) {
        out->kind = empty_kind(type);
        out->operand = c->operand_count;
        return NULL;
    }
    void *items = NULL;
    size_t capacity = 0;
    out->kind = list_kind(p);
    uint32_t first_operand = c->operand_count;
    do {
        items = tn_arena_grow(p->arena, items, out->count, &capacity, item_bytes(out->kind));
        if (!items)
            return tn_error_out_of_memory();
        TN_TRY(parse_item(p, c, out->kind, items, out->count));
        out->count++;
    } while (tn_scan_take(&p->scan, ","));
    if (out->kind == TN_ARG_VALUES)
        out->operand = first_operand;
    else if (out->kind == TN_ARG_STRS)
        out->strs = items;
    else if (out->kind == TN_ARG_BOOLS)
        out->bools = items;
    else if (out->kind == TN_ARG_FLOATS)
        out->floats = items;
    else
        out->ints = items;
    return tn_scan_expect(&p->scan, "]");
}

/* "floats[]" and its like; false when none is next. */
static bool take_empty_list(tn_text_parser *p, const collector *c, tn_arg *out) {
    static const struct {
        const char *word;
        tn_arg_kind kind;
    } words[] = {{"ints[]", TN_ARG_INTS},
                 {"floats[]", TN_ARG_FLOATS},
                 {"bools[]", TN_ARG_BOOLS},
                 {"strs[]", TN_ARG_STRS},
                 {"values[]", TN_ARG_VALUES}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!tn_scan_take(&p->scan, words[i].word))
            continue;
        out->kind = words[i].kind;
        if (out->kind == TN_ARG_VALUES)
            out->operand = c->operand_count;
        return true;
    }
    return false;
}

/* ---- any argument --------------------------------------------------------------------------- */

/* Arguments that begin with a word of their own; *out_taken tells whether one was there. */
static tn_status parse_keyword_arg(tn_text_parser *p, const collector *c, tn_param_type type,
                                   tn_arg *out, bool *out_taken) {
    *out_taken = true;
    if (tn_scan_take(&p->scan, "none"))
        return NULL;
    if (tn_scan_take(&p->scan, "true") || tn_scan_take(&p->scan, "false")) {
        out->kind = TN_ARG_BOOL;
        out->b = p->scan.text.data[p->scan.at - 2] == 'u'; /* tr-u-e, fal-s-e */
        return NULL;
    }
    if (tn_scan_take(&p->scan, "dtype(")) {
        TN_TRY(parse_dtype(p, out));
        return tn_scan_expect(&p->scan, ")");
    }
    if (take_empty_list(p, c, out))
        return NULL;
    tn_scan ahead = p->scan;
    if (tn_scan_take(&ahead, "graph")) {
        out->kind = TN_ARG_GRAPH;
        return tn_parse_subgraph(p, &out->graph);
    }
    if (type == TN_PARAM_DTYPE)
        return parse_dtype(p, out);
    *out_taken = false;
    return NULL;
}

static tn_status parse_arg(tn_text_parser *p, collector *c, tn_param_type type, tn_arg *out) {
    *out = (tn_arg){.kind = TN_ARG_NONE};
    char next = tn_scan_peek(&p->scan);
    if (next == '%') {
        tn_value *value = NULL;
        TN_TRY(tn_parse_value(p, &value));
        out->kind = TN_ARG_VALUE;
        out->operand = c->operand_count;
        return add_operand(p, c, value);
    }
    if (next == '"') {
        out->kind = TN_ARG_STR;
        return tn_scan_string(&p->scan, &out->s);
    }
    if (tn_scan_take(&p->scan, "["))
        return parse_list(p, c, type, out);
    bool is_taken = false;
    TN_TRY(parse_keyword_arg(p, c, type, out, &is_taken));
    if (is_taken)
        return NULL;
    if (is_float_next(p)) {
        out->kind = TN_ARG_FLOAT;
        return parse_float(p, &out->f);
    }
    out->kind = TN_ARG_INT;
    return tn_parse_expr(p, &out->i);
}

/* "name=" but not "name=="; empty when the argument is positional. */
static tn_str take_name(tn_text_parser *p) {
    tn_scan ahead = p->scan;
    tn_str name = tn_scan_word(&ahead, "");
    if (name.len == 0 || is_digit(name.data[0]) || !tn_scan_take(&ahead, "=") ||
        (ahead.at < ahead.text.len && ahead.text.data[ahead.at] == '='))
        return (tn_str){NULL, 0};
    p->scan.at = ahead.at;
    return name;
}

/* ---- operators with and without a schema ---------------------------------------------------- */

/* The parameter that the next argument is for. */
static tn_status find_param(tn_text_parser *p, const tn_op *op, const collector *c,
                            uint32_t *inout_position, uint32_t *out_param) {
    (void)tn_scan_peek(&p->scan);
    size_t at = p->scan.at;
    tn_str name = take_name(p);
    if (name.len) {
        int32_t found = tn_schema_find_param(op->schema, name);
        if (found < 0)
            return tn_scan_error(&p->scan, at, "%.*s has no parameter '%.*s'", TN_STR_ARG(op->name),
                                 TN_STR_ARG(name));
        *out_param = (uint32_t)found;
    } else {
        if (*inout_position == op->schema->param_count)
            return tn_scan_error(&p->scan, at, "%.*s takes %u arguments, this is one more",
                                 TN_STR_ARG(op->name), (unsigned)op->schema->param_count);
        *out_param = (*inout_position)++;
    }
    if (c->is_given[*out_param])
        return tn_scan_error(&p->scan, at, "%.*s: argument '%.*s' is given twice",
                             TN_STR_ARG(op->name), TN_STR_ARG(op->schema->params[*out_param].name));
    return NULL;
}

static tn_status parse_known(tn_text_parser *p, collector *c, tn_node_desc *desc) {
    const tn_schema *schema = desc->op->schema;
    TN_ARENA_TRY(p->arena, c->args, schema->param_count);
    TN_ARENA_TRY(p->arena, c->is_given, schema->param_count);
    uint32_t position = 0;
    bool is_first = true;
    while (!tn_scan_take(&p->scan, ")")) {
        if (!is_first)
            TN_TRY(tn_scan_expect(&p->scan, ","));
        is_first = false;
        uint32_t i = 0;
        TN_TRY(find_param(p, desc->op, c, &position, &i));
        TN_TRY(parse_arg(p, c, schema->params[i].type, &c->args[i]));
        c->is_given[i] = true;
    }
    for (uint32_t i = 0; i < schema->param_count; i++) {
        if (c->is_given[i])
            continue;
        if (schema->params[i].default_value.kind == TN_DEFAULT_ABSENT)
            return tn_scan_error(&p->scan, p->scan.at - 1, "%.*s: argument '%.*s' is missing",
                                 TN_STR_ARG(desc->op->name), TN_STR_ARG(schema->params[i].name));
        TN_TRY(tn_arg_default(p->graph, desc->op, &schema->params[i], &c->args[i]));
        if (c->args[i].kind == TN_ARG_VALUES)
            c->args[i].operand = c->operand_count;
    }
    desc->arg_count = schema->param_count;
    return NULL;
}

static tn_status parse_unknown(tn_text_parser *p, collector *c, tn_str op_name,
                               tn_node_desc *desc) {
    while (!tn_scan_take(&p->scan, ")")) {
        if (c->count)
            TN_TRY(tn_scan_expect(&p->scan, ","));
        c->args = tn_arena_grow(p->arena, c->args, c->count, &c->arg_capacity, sizeof *c->args);
        c->names = tn_arena_grow(p->arena, c->names, c->count, &c->name_capacity, sizeof *c->names);
        if (!c->args || !c->names)
            return tn_error_out_of_memory();
        c->names[c->count] = take_name(p);
        TN_TRY(parse_arg(p, c, TN_PARAM_ANY, &c->args[c->count]));
        c->count++;
    }
    desc->arg_count = c->count;
    return tn_op_make_opaque(p->arena, op_name, c->names, c->count, desc->result_count, &desc->op);
}

tn_status tn_parse_args(tn_text_parser *p, tn_str op_name, tn_node_desc *desc) {
    collector c = {0};
    if (desc->op)
        TN_TRY(parse_known(p, &c, desc));
    else
        TN_TRY(parse_unknown(p, &c, op_name, desc));
    desc->operands = c.operands;
    desc->operand_count = c.operand_count;
    desc->args = c.args;
    return NULL;
}
