/* schema.c: a parser of operator schemas by recursive descent over one line of text, and its
 * printer.
 *
 * The notation has two dialects that differ in defaults: native_functions.yaml writes names (Mean,
 * float, contiguous_format), the JIT prints their numbers. Both are taken and stored alike. */
#include "ir/schema.h"

#include <math.h>
#include <string.h>

/* ---- tables --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    tn_param_type type;
    bool is_symbolic;
} type_names[] = {
    {"Tensor", TN_PARAM_TENSOR, false}, {"int", TN_PARAM_INT, false},
    {"SymInt", TN_PARAM_INT, true},     {"float", TN_PARAM_FLOAT, false},
    {"SymFloat", TN_PARAM_FLOAT, true}, {"bool", TN_PARAM_BOOL, false},
    {"SymBool", TN_PARAM_BOOL, true},   {"Scalar", TN_PARAM_SCALAR, false},
    {"str", TN_PARAM_STR, false},       {"ScalarType", TN_PARAM_DTYPE, false},
    {"Layout", TN_PARAM_LAYOUT, false}, {"MemoryFormat", TN_PARAM_MEMORY_FORMAT, false},
    {"Device", TN_PARAM_DEVICE, false}, {"Generator", TN_PARAM_GENERATOR, false},
    {"Graph", TN_PARAM_GRAPH, false},   {"Any", TN_PARAM_ANY, false},
};
enum { TYPE_NAME_COUNT = sizeof type_names / sizeof *type_names };

/* Names that stand for a number in one dialect: PyTorch's name, its number, the name stored here
 * (NULL: the number is stored). */
static const struct {
    tn_param_type type;
    const char *name;
    int64_t number;
    const char *stored;
} default_names[] = {
    {TN_PARAM_INT, "Mean", 1, NULL},
    {TN_PARAM_INT, "Sum", 2, NULL},
    {TN_PARAM_DTYPE, "uint8", 0, "u8"},
    {TN_PARAM_DTYPE, "int8", 1, "i8"},
    {TN_PARAM_DTYPE, "short", 2, "i16"},
    {TN_PARAM_DTYPE, "int", 3, "i32"},
    {TN_PARAM_DTYPE, "long", 4, "i64"},
    {TN_PARAM_DTYPE, "half", 5, "f16"},
    {TN_PARAM_DTYPE, "float", 6, "f32"},
    {TN_PARAM_DTYPE, "double", 7, "f64"},
    {TN_PARAM_DTYPE, "bool", 11, "bool"},
    {TN_PARAM_DTYPE, "bfloat16", 15, "bf16"},
    {TN_PARAM_DTYPE, "float8_e5m2", 23, "f8e5m2"},
    {TN_PARAM_DTYPE, "float8_e4m3fn", 24, "f8e4m3"},
    {TN_PARAM_DTYPE, "uint16", 27, "u16"},
    {TN_PARAM_DTYPE, "uint32", 28, "u32"},
    {TN_PARAM_DTYPE, "uint64", 29, "u64"},
    {TN_PARAM_LAYOUT, "strided", 0, "strided"},
    {TN_PARAM_MEMORY_FORMAT, "contiguous_format", 0, "contiguous_format"},
    {TN_PARAM_MEMORY_FORMAT, "preserve_format", 1, "preserve_format"},
    {TN_PARAM_MEMORY_FORMAT, "channels_last", 2, "channels_last"},
    {TN_PARAM_MEMORY_FORMAT, "channels_last_3d", 3, "channels_last_3d"},
};
enum { DEFAULT_NAME_COUNT = sizeof default_names / sizeof *default_names };

/* ---- scanning ------------------------------------------------------------------------------- */

typedef struct parser {
    tn_arena *arena;
    tn_str text;
    size_t at;
} parser;

static bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static char peek(parser *p) {
    while (p->at < p->text.len && (p->text.data[p->at] == ' ' || p->text.data[p->at] == '\t'))
        p->at++;
    return p->at < p->text.len ? p->text.data[p->at] : 0;
}

static bool take(parser *p, char c) {
    if (peek(p) != c || p->at >= p->text.len)
        return false;
    p->at++;
    return true;
}

static bool is_name_char(char c) {
    return is_name_start(c) || is_digit(c);
}

/* What stands at the position: a word, a number or a character. */
static tn_str seen(parser *p) {
    size_t end = p->at + 1;
    bool is_word = is_name_char(p->text.data[p->at]);
    while (is_word && end < p->text.len && end - p->at < 40 &&
           (is_name_char(p->text.data[end]) || p->text.data[end] == '.'))
        end++;
    return (tn_str){p->text.data + p->at, end - p->at};
}

static tn_status wrong(parser *p, const char *expected) {
    (void)peek(p);
    tn_str shown = {p->text.data, p->text.len < 200 ? p->text.len : 200};
    if (p->at >= p->text.len)
        return tn_error_make(TN_INVALID_ARGUMENT, "schema '%.*s': ends at column %zu, expected %s",
                             TN_STR_ARG(shown), p->at + 1, expected);
    tn_str word = seen(p);
    return tn_error_make(TN_INVALID_ARGUMENT, "schema '%.*s': column %zu: seen '%.*s', expected %s",
                         TN_STR_ARG(shown), p->at + 1, TN_STR_ARG(word), expected);
}

static tn_status expect(parser *p, char c, const char *expected) {
    return take(p, c) ? NULL : wrong(p, expected);
}

/* A run of name characters, empty if there is none. */
static tn_str scan_name(parser *p) {
    if (!is_name_start(peek(p)))
        return (tn_str){NULL, 0};
    size_t start = p->at;
    while (p->at < p->text.len && is_name_char(p->text.data[p->at]))
        p->at++;
    return (tn_str){p->text.data + start, p->at - start};
}

static tn_status parse_name(parser *p, const char *expected, tn_str *out_name) {
    *out_name = scan_name(p);
    return out_name->len ? NULL : wrong(p, expected);
}

static tn_status keep(parser *p, tn_str s, tn_str *out_copy) {
    *out_copy = tn_arena_str(p->arena, s);
    return out_copy->data ? NULL : tn_error_out_of_memory();
}

/* ---- defaults ------------------------------------------------------------------------------- */

/* One literal of a default, before the parameter's type gives it its meaning. */
typedef struct literal {
    tn_default_kind kind; /* NONE, INT, FLOAT, BOOL or STR */
    bool is_quoted;
    int64_t i;
    double f;
    bool b;
    tn_str s;
} literal;

static tn_status parse_number(parser *p, literal *out) {
    static const char expected[] = "a number in range";
    size_t start = p->at;
    while (p->at < p->text.len && (is_digit(p->text.data[p->at]) || p->text.data[p->at] == '.' ||
                                   p->text.data[p->at] == 'e' || p->text.data[p->at] == 'E' ||
                                   p->text.data[p->at] == '-' || p->text.data[p->at] == '+'))
        p->at++;
    if (tn_str_is((tn_str){p->text.data + start, p->at - start}, "-") && p->at + 3 <= p->text.len &&
        memcmp(p->text.data + p->at, "inf", 3) == 0)
        p->at += 3;
    tn_str digits = {p->text.data + start, p->at - start};
    if (tn_str_to_i64(digits, &out->i)) {
        out->kind = TN_DEFAULT_INT;
        return NULL;
    }
    out->kind = TN_DEFAULT_FLOAT;
    bool is_float = memchr(digits.data, '.', digits.len) || memchr(digits.data, 'e', digits.len) ||
                    memchr(digits.data, 'E', digits.len) || tn_str_is(digits, "-inf");
    if (is_float && tn_str_to_f64(digits, &out->f))
        return NULL;
    p->at = start;
    return wrong(p, expected);
}

/* A string in single or double quotes; a backslash keeps the character after it. */
static tn_status parse_string(parser *p, char quote, literal *out) {
    p->at++;
    size_t start = p->at;
    char *copy = tn_arena_alloc(p->arena, p->text.len - start + 1, 1);
    if (!copy)
        return tn_error_out_of_memory();
    size_t len = 0;
    for (; p->at < p->text.len; p->at++) {
        char c = p->text.data[p->at];
        if (c == quote) {
            p->at++;
            out->kind = TN_DEFAULT_STR;
            out->is_quoted = true;
            out->s = (tn_str){copy, len};
            return NULL;
        }
        if (c == '\\' && p->at + 1 < p->text.len)
            c = p->text.data[++p->at];
        copy[len++] = c;
    }
    return wrong(p, "a closing quote");
}

static tn_status parse_literal(parser *p, literal *out) {
    static const char expected[] = "a number, a string, True, False, None or a name";
    *out = (literal){.kind = TN_DEFAULT_NONE};
    char c = peek(p);
    if (is_digit(c) || c == '-' || c == '.')
        return parse_number(p, out);
    if (c == '"' || c == '\'')
        return parse_string(p, c, out);
    tn_str name;
    TN_TRY(parse_name(p, expected, &name));
    if (tn_str_is(name, "None"))
        return NULL;
    if (tn_str_is(name, "True") || tn_str_is(name, "False")) {
        out->kind = TN_DEFAULT_BOOL;
        out->b = tn_str_is(name, "True");
        return NULL;
    }
    if (tn_str_is(name, "inf") || tn_str_is(name, "nan")) {
        out->kind = TN_DEFAULT_FLOAT;
        out->f = tn_str_is(name, "inf") ? (double)INFINITY : (double)NAN;
        return NULL;
    }
    out->kind = TN_DEFAULT_STR;
    return keep(p, name, &out->s);
}

/* Replaces a name or number by what is stored for it; false when the type has no such default. */
static bool resolve_name(tn_param_type type, literal *lit) {
    for (size_t i = 0; i < DEFAULT_NAME_COUNT; i++) {
        if (default_names[i].type != type)
            continue;
        bool is_it = lit->kind == TN_DEFAULT_INT ? default_names[i].number == lit->i
                                                 : tn_str_is(lit->s, default_names[i].name);
        if (!is_it)
            continue;
        lit->kind = default_names[i].stored ? TN_DEFAULT_STR : TN_DEFAULT_INT;
        lit->i = default_names[i].number;
        lit->s = default_names[i].stored ? tn_str_of(default_names[i].stored) : (tn_str){NULL, 0};
        return true;
    }
    return false;
}

/* Makes a literal fit the parameter's type; false when it cannot. */
static bool fit_literal(const tn_param *param, literal *lit) {
    if (lit->kind == TN_DEFAULT_NONE)
        return true;
    switch (param->type) {
    case TN_PARAM_INT:
        return lit->kind == TN_DEFAULT_INT ||
               (lit->kind == TN_DEFAULT_STR && resolve_name(TN_PARAM_INT, lit));
    case TN_PARAM_FLOAT:
        if (lit->kind == TN_DEFAULT_INT) {
            lit->kind = TN_DEFAULT_FLOAT;
            lit->f = (double)lit->i;
        }
        return lit->kind == TN_DEFAULT_FLOAT;
    case TN_PARAM_BOOL:
        return lit->kind == TN_DEFAULT_BOOL;
    case TN_PARAM_SCALAR:
        return lit->kind == TN_DEFAULT_INT || lit->kind == TN_DEFAULT_FLOAT ||
               lit->kind == TN_DEFAULT_BOOL;
    case TN_PARAM_DTYPE:
    case TN_PARAM_LAYOUT:
    case TN_PARAM_MEMORY_FORMAT:
        return (lit->kind == TN_DEFAULT_STR || lit->kind == TN_DEFAULT_INT) &&
               resolve_name(param->type, lit);
    case TN_PARAM_STR:
        return lit->kind == TN_DEFAULT_STR && lit->is_quoted;
    case TN_PARAM_DEVICE:
        return lit->kind == TN_DEFAULT_STR;
    case TN_PARAM_ANY:
        return true;
    case TN_PARAM_TENSOR:
    case TN_PARAM_GENERATOR:
    case TN_PARAM_GRAPH:
        break; /* only None, which was taken above */
    }
    return false;
}

static tn_default from_literal(const literal *lit) {
    tn_default value = {.kind = lit->kind};
    switch (lit->kind) {
    case TN_DEFAULT_INT:
        value.i = lit->i;
        break;
    case TN_DEFAULT_FLOAT:
        value.f = lit->f;
        break;
    case TN_DEFAULT_BOOL:
        value.b = lit->b;
        break;
    default:
        value.s = lit->s;
    }
    return value;
}

/* "[1, 2]" with the elements' type that the parameter has. */
static tn_status parse_default_list(parser *p, const tn_param *param, tn_default *out) {
    if (!param->is_list)
        return wrong(p, "a default that is no list");
    p->at++;
    int64_t *ints = NULL;
    double *floats = NULL;
    bool *bools = NULL;
    size_t int_capacity = 0, float_capacity = 0, bool_capacity = 0;
    uint32_t count = 0;
    while (!take(p, ']')) {
        if (count)
            TN_TRY(expect(p, ',', "',' or ']'"));
        size_t start = p->at;
        literal lit;
        TN_TRY(parse_literal(p, &lit));
        ints = tn_arena_grow(p->arena, ints, count, &int_capacity, sizeof *ints);
        floats = tn_arena_grow(p->arena, floats, count, &float_capacity, sizeof *floats);
        bools = tn_arena_grow(p->arena, bools, count, &bool_capacity, sizeof *bools);
        if (!ints || !floats || !bools)
            return tn_error_out_of_memory();
        bool is_number = lit.kind == TN_DEFAULT_INT || lit.kind == TN_DEFAULT_FLOAT ||
                         lit.kind == TN_DEFAULT_BOOL;
        if (!is_number || !fit_literal(param, &lit) ||
            (param->type == TN_PARAM_SCALAR && lit.kind != TN_DEFAULT_INT)) {
            p->at = start;
            return wrong(p, "a list element of the parameter's type");
        }
        ints[count] = lit.i;
        floats[count] = lit.f;
        bools[count++] = lit.b;
    }
    out->count = count;
    if (param->type == TN_PARAM_FLOAT) {
        out->kind = TN_DEFAULT_FLOATS;
        out->floats = floats;
    } else if (param->type == TN_PARAM_BOOL) {
        out->kind = TN_DEFAULT_BOOLS;
        out->bools = bools;
    } else {
        out->kind = TN_DEFAULT_INTS; /* also the empty list of tensors or strings */
        out->ints = ints;
    }
    return NULL;
}

static tn_status parse_default(parser *p, const tn_param *param, tn_default *out) {
    if (peek(p) == '[')
        return parse_default_list(p, param, out);
    size_t start = p->at;
    literal lit;
    TN_TRY(parse_literal(p, &lit));
    bool is_allowed =
        fit_literal(param, &lit) &&
        (lit.kind != TN_DEFAULT_NONE || param->is_optional || param->type == TN_PARAM_ANY);
    if (!is_allowed) {
        p->at = start;
        return wrong(p, lit.kind == TN_DEFAULT_NONE
                            ? "a default that is not None, or an optional type"
                            : "a default of the parameter's type");
    }
    *out = from_literal(&lit);
    return NULL;
}

/* ---- parameters ----------------------------------------------------------------------------- */

static tn_status parse_type_name(parser *p, tn_param *param) {
    static const char expected[] =
        "a type: Tensor, int, SymInt, float, SymFloat, bool, SymBool, Scalar, "
        "str, ScalarType, Layout, MemoryFormat, Device, Generator, Graph or Any";
    peek(p);
    size_t start = p->at;
    tn_str name;
    TN_TRY(parse_name(p, expected, &name));
    for (size_t i = 0; i < TYPE_NAME_COUNT; i++) {
        if (tn_str_is(name, type_names[i].name)) {
            param->type = type_names[i].type;
            param->is_symbolic = type_names[i].is_symbolic;
            return NULL;
        }
    }
    p->at = start;
    return wrong(p, expected);
}

/* "(a)", "(a!)", "(a|b)", "(a -> *)", "(*)" */
static tn_status parse_alias(parser *p, tn_param *param) {
    if (!take(p, '('))
        return NULL;
    char c = peek(p);
    if (c != '*' && !(c >= 'a' && c <= 'z'))
        return wrong(p, "an alias letter or '*'");
    p->at++;
    param->alias = c;
    if (take(p, '|')) {
        c = peek(p);
        if (!(c >= 'a' && c <= 'z'))
            return wrong(p, "a second alias letter");
        p->at++;
        param->other_alias = c;
    }
    param->is_written = take(p, '!');
    if (take(p, '-')) {
        TN_TRY(expect(p, '>', "'->'"));
        TN_TRY(expect(p, '*', "'*', the only target of '->' that is known"));
        param->alias_escapes = true;
    }
    return expect(p, ')', "')' after the alias");
}

/* "[]" or "[2]" */
static tn_status parse_list_size(parser *p, tn_param *param) {
    param->is_list = true;
    param->list_size = -1;
    if (take(p, ']'))
        return NULL;
    static const char expected[] = "a list size from 1 to 65535 or ']'";
    if (!is_digit(peek(p)))
        return wrong(p, expected);
    size_t start = p->at;
    int32_t size = 0;
    while (p->at < p->text.len && is_digit(p->text.data[p->at]) && size <= 65535)
        size = size * 10 + (p->text.data[p->at++] - '0');
    if (size < 1 || size > 65535) {
        p->at = start;
        return wrong(p, expected);
    }
    param->list_size = size;
    return expect(p, ']', "']'");
}

/* Name, alias and the suffixes: "Tensor(a!)?[]", "int[2]?". */
static tn_status parse_type(parser *p, tn_param *param) {
    *param = (tn_param){.list_size = -1};
    TN_TRY(parse_type_name(p, param));
    TN_TRY(parse_alias(p, param));
    bool is_optional = take(p, '?');
    if (take(p, '[')) {
        TN_TRY(parse_list_size(p, param));
        param->is_element_optional = is_optional;
        is_optional = take(p, '?');
        if (peek(p) == '[')
            return wrong(p, "a name: lists of lists are not supported");
    }
    param->is_optional = is_optional;
    return NULL;
}

static const tn_param *find_named(const tn_param *params, uint32_t count, tn_str name) {
    for (uint32_t i = 0; i < count; i++)
        if (tn_str_equal(params[i].name, name))
            return &params[i];
    return NULL;
}

static tn_status parse_param(parser *p, const tn_param *before, uint32_t count, tn_param *param) {
    TN_TRY(parse_type(p, param));
    peek(p);
    size_t start = p->at;
    tn_str name;
    TN_TRY(parse_name(p, "a parameter's name", &name));
    if (find_named(before, count, name)) {
        p->at = start;
        return wrong(p, "a name that no earlier parameter has");
    }
    TN_TRY(keep(p, name, &param->name));
    if (take(p, '='))
        TN_TRY(parse_default(p, param, &param->default_value));
    return NULL;
}

static tn_status parse_params(parser *p, tn_schema *schema) {
    tn_param *params = NULL;
    size_t capacity = 0;
    bool is_keyword_only = false;
    bool is_first = true;
    while (!take(p, ')')) {
        if (!is_first)
            TN_TRY(expect(p, ',', "',' or ')'"));
        is_first = false;
        if (schema->is_vararg)
            return wrong(p, "')' after '...'");
        if (!is_keyword_only && take(p, '*')) {
            is_keyword_only = true;
            continue;
        }
        if (peek(p) == '.' &&
            tn_str_starts((tn_str){p->text.data + p->at, p->text.len - p->at}, "...")) {
            p->at += 3;
            schema->is_vararg = true;
            continue;
        }
        params = tn_arena_grow(p->arena, params, schema->param_count, &capacity, sizeof *params);
        if (!params)
            return tn_error_out_of_memory();
        tn_param *param = &params[schema->param_count];
        TN_TRY(parse_param(p, params, schema->param_count, param));
        param->is_keyword_only = is_keyword_only;
        schema->param_count++;
    }
    schema->params = params;
    return NULL;
}

static tn_status parse_result(parser *p, tn_param *result) {
    TN_TRY(parse_type(p, result));
    return keep(p, scan_name(p), &result->name);
}

static tn_status parse_results(parser *p, tn_schema *schema) {
    tn_param *results = NULL;
    size_t capacity = 0;
    bool is_tuple = take(p, '(');
    while (!is_tuple || !take(p, ')')) {
        if (schema->result_count)
            TN_TRY(expect(p, ',', "',' or ')'"));
        results =
            tn_arena_grow(p->arena, results, schema->result_count, &capacity, sizeof *results);
        if (!results)
            return tn_error_out_of_memory();
        TN_TRY(parse_result(p, &results[schema->result_count]));
        schema->result_count++;
        if (!is_tuple)
            break;
    }
    schema->results = results;
    return NULL;
}

/* "aten::add.Tensor"; the namespace is not optional, the overload is. */
static tn_status parse_op_name(parser *p, tn_schema *schema) {
    peek(p);
    size_t start = p->at;
    tn_str part;
    TN_TRY(parse_name(p, "an operator's name like aten::add", &part));
    TN_TRY(expect(p, ':', "'::' after the namespace"));
    TN_TRY(expect(p, ':', "'::' after the namespace"));
    TN_TRY(parse_name(p, "an operator's name after '::'", &part));
    TN_TRY(keep(p, (tn_str){p->text.data + start, p->at - start}, &schema->name));
    tn_str full = {p->text.data + start, p->at - start};
    if (memchr(full.data, ' ', full.len) || memchr(full.data, '\t', full.len)) {
        p->at = start;
        return wrong(p, "an operator's name without blanks");
    }
    schema->overload = TN_STR("");
    if (p->at < p->text.len && p->text.data[p->at] == '.') {
        p->at++;
        TN_TRY(parse_name(p, "an overload's name after '.'", &part));
        TN_TRY(keep(p, part, &schema->overload));
    }
    return keep(p, (tn_str){p->text.data + start, p->at - start}, &schema->full_name);
}

tn_status tn_schema_parse(tn_arena *arena, tn_str text, const tn_schema **out_schema) {
    *out_schema = NULL;
    parser p = {.arena = arena, .text = text};
    tn_schema *schema = NULL;
    TN_ARENA_TRY(arena, schema, 1);
    TN_TRY(parse_op_name(&p, schema));
    TN_TRY(expect(&p, '(', "'(' before the parameters"));
    TN_TRY(parse_params(&p, schema));
    TN_TRY(expect(&p, '-', "'->' before the results"));
    TN_TRY(expect(&p, '>', "'->' before the results"));
    TN_TRY(parse_results(&p, schema));
    peek(&p);
    if (p.at != text.len)
        return wrong(&p, "the end");
    *out_schema = schema;
    return NULL;
}

/* ---- printing ------------------------------------------------------------------------------- */

/* PyTorch's name of a dtype that is stored by tenon's. */
static tn_str default_name(tn_param_type type, tn_str stored) {
    for (size_t i = 0; i < DEFAULT_NAME_COUNT; i++)
        if (default_names[i].type == type && default_names[i].stored &&
            tn_str_is(stored, default_names[i].stored))
            return tn_str_of(default_names[i].name);
    return stored;
}

static void print_float(tn_buf *buf, double value) {
    char digits[32];
    tn_buf_append(buf, digits, tn_format_f64(digits, sizeof digits, value));
}

static void print_string(tn_buf *buf, tn_str s) {
    tn_buf_append(buf, "\"", 1);
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '"' || s.data[i] == '\\')
            tn_buf_append(buf, "\\", 1);
        tn_buf_append(buf, &s.data[i], 1);
    }
    tn_buf_append(buf, "\"", 1);
}

static void print_default(tn_buf *buf, const tn_param *param) {
    const tn_default *value = &param->default_value;
    switch (value->kind) {
    case TN_DEFAULT_ABSENT:
        return;
    case TN_DEFAULT_NONE:
        tn_buf_str_append(buf, TN_STR("=None"));
        return;
    case TN_DEFAULT_INT:
        tn_buf_printf(buf, "=%lld", (long long)value->i);
        return;
    case TN_DEFAULT_FLOAT:
        tn_buf_append(buf, "=", 1);
        print_float(buf, value->f);
        return;
    case TN_DEFAULT_BOOL:
        tn_buf_printf(buf, "=%s", value->b ? "True" : "False");
        return;
    case TN_DEFAULT_STR:
        tn_buf_append(buf, "=", 1);
        if (param->type == TN_PARAM_STR || param->type == TN_PARAM_ANY ||
            param->type == TN_PARAM_DEVICE)
            print_string(buf, value->s);
        else
            tn_buf_str_append(buf, default_name(param->type, value->s));
        return;
    case TN_DEFAULT_INTS:
    case TN_DEFAULT_FLOATS:
    case TN_DEFAULT_BOOLS:
        break;
    }
    tn_buf_append(buf, "=[", 2);
    for (uint32_t i = 0; i < value->count; i++) {
        if (i)
            tn_buf_append(buf, ", ", 2);
        if (value->kind == TN_DEFAULT_INTS)
            tn_buf_printf(buf, "%lld", (long long)value->ints[i]);
        else if (value->kind == TN_DEFAULT_BOOLS)
            tn_buf_printf(buf, "%s", value->bools[i] ? "True" : "False");
        else
            print_float(buf, value->floats[i]);
    }
    tn_buf_append(buf, "]", 1);
}

static void print_type(tn_buf *buf, const tn_param *param) {
    for (size_t i = 0; i < TYPE_NAME_COUNT; i++)
        if (type_names[i].type == param->type && type_names[i].is_symbolic == param->is_symbolic)
            tn_buf_printf(buf, "%s", type_names[i].name);
    if (param->alias)
        tn_buf_printf(buf, "(%c%s%.*s%s%s)", param->alias, param->other_alias ? "|" : "",
                      param->other_alias ? 1 : 0, &param->other_alias, param->is_written ? "!" : "",
                      param->alias_escapes ? " -> *" : "");
    if (param->is_element_optional)
        tn_buf_append(buf, "?", 1);
    if (param->is_list && param->list_size > 0)
        tn_buf_printf(buf, "[%d]", (int)param->list_size);
    else if (param->is_list)
        tn_buf_append(buf, "[]", 2);
    if (param->is_optional)
        tn_buf_append(buf, "?", 1);
}

static void print_params(tn_buf *buf, const tn_schema *schema) {
    bool is_keyword_only = false;
    for (uint32_t i = 0; i < schema->param_count; i++) {
        const tn_param *param = &schema->params[i];
        if (i)
            tn_buf_append(buf, ", ", 2);
        if (param->is_keyword_only && !is_keyword_only)
            tn_buf_append(buf, "*, ", 3);
        is_keyword_only = param->is_keyword_only;
        print_type(buf, param);
        tn_buf_printf(buf, " %.*s", TN_STR_ARG(param->name));
        print_default(buf, param);
    }
    if (schema->is_vararg)
        tn_buf_printf(buf, "%s...", schema->param_count ? ", " : "");
}

void tn_schema_print(tn_buf *buf, const tn_schema *schema) {
    tn_buf_printf(buf, "%.*s(", TN_STR_ARG(schema->full_name));
    print_params(buf, schema);
    tn_buf_str_append(buf, TN_STR(") -> "));
    bool is_tuple = schema->result_count != 1;
    if (is_tuple)
        tn_buf_append(buf, "(", 1);
    for (uint32_t i = 0; i < schema->result_count; i++) {
        if (i)
            tn_buf_append(buf, ", ", 2);
        print_type(buf, &schema->results[i]);
        if (schema->results[i].name.len)
            tn_buf_printf(buf, " %.*s", TN_STR_ARG(schema->results[i].name));
    }
    if (is_tuple)
        tn_buf_append(buf, ")", 1);
}

int32_t tn_schema_find_param(const tn_schema *schema, tn_str name) {
    const tn_param *found = find_named(schema->params, schema->param_count, name);
    return found ? (int32_t)(found - schema->params) : -1;
}
