/* sym_text.c: printing and parsing symbolic expressions. The notation is Python's, with its
 * precedence: comparisons, then + and -, then * // and %. */
#include <string.h>

#include "base/checked.h"
#include "ir/sym_table.h"

/* ---- printing ------------------------------------------------------------------------------- */

/* How tightly an expression binds; lower needs parentheses inside higher. */
typedef enum strength {
    STRENGTH_COMPARE,
    STRENGTH_SUM,
    STRENGTH_PRODUCT,
    STRENGTH_ATOM,
} strength;

static strength strength_of(const tn_sym *s) {
    switch (s->kind) {
    case TN_SYM_EQ:
    case TN_SYM_LE:
        return STRENGTH_COMPARE;
    case TN_SYM_ADD:
        return STRENGTH_SUM;
    case TN_SYM_MUL:
    case TN_SYM_FLOORDIV:
    case TN_SYM_MOD:
        return STRENGTH_PRODUCT;
    case TN_SYM_CONST: /* "-1" in a product would read as a sign */
        return s->value < 0 ? STRENGTH_SUM : STRENGTH_ATOM;
    default:
        return STRENGTH_ATOM;
    }
}

static void print_in(tn_buf *buf, const tn_sym *s, strength least) {
    bool is_wrapped = strength_of(s) < least;
    if (is_wrapped)
        tn_buf_append(buf, "(", 1);
    tn_sym_print(buf, s);
    if (is_wrapped)
        tn_buf_append(buf, ")", 1);
}

static void print_call(tn_buf *buf, const char *function, const tn_sym *s) {
    tn_buf_printf(buf, "%s(", function);
    for (uint32_t i = 0; i < s->arg_count; i++) {
        if (i)
            tn_buf_append(buf, ", ", 2);
        tn_sym_print(buf, s->args[i]);
    }
    tn_buf_append(buf, ")", 1);
}

static void print_infix(tn_buf *buf, const tn_sym *s, const char *sign, strength least) {
    print_in(buf, s->args[0], least);
    tn_buf_printf(buf, " %s ", sign);
    print_in(buf, s->args[1], least);
}

/* A product without its sign; the caller has printed that. */
static void print_product(tn_buf *buf, const tn_sym *s, bool is_negated) {
    uint32_t first = 0;
    if (tn_sym_is_const(s->args[0])) {
        int64_t coef = s->args[0]->value;
        first = 1;
        if (is_negated)
            coef = -coef;
        if (!(is_negated && coef == 1))
            tn_buf_printf(buf, "%lld*", (long long)coef);
    }
    for (uint32_t i = first; i < s->arg_count; i++) {
        if (i > first)
            tn_buf_append(buf, "*", 1);
        print_in(buf, s->args[i], STRENGTH_ATOM);
    }
}

/* The sign that a term of a sum carries; the lowest int64_t cannot be negated and keeps its own. */
static bool is_negative_term(const tn_sym *s) {
    const tn_sym *number = s->kind == TN_SYM_MUL ? s->args[0] : s;
    return tn_sym_is_const(number) && number->value < 0 && number->value != INT64_MIN;
}

static void print_sum(tn_buf *buf, const tn_sym *s) {
    for (uint32_t i = 0; i < s->arg_count; i++) {
        const tn_sym *term = s->args[i];
        bool is_negated = i > 0 && is_negative_term(term);
        if (i)
            tn_buf_append(buf, is_negated ? " - " : " + ", 3);
        if (term->kind == TN_SYM_MUL)
            print_product(buf, term, is_negated);
        else if (is_negated)
            tn_buf_printf(buf, "%lld", -(long long)term->value);
        else
            print_in(buf, term, STRENGTH_SUM);
    }
}

void tn_sym_print(tn_buf *buf, const tn_sym *s) {
    switch (s->kind) {
    case TN_SYM_CONST:
        tn_buf_printf(buf, "%lld", (long long)s->value);
        return;
    case TN_SYM_VAR:
        tn_buf_str_append(buf, s->name);
        return;
    case TN_SYM_ADD:
        print_sum(buf, s);
        return;
    case TN_SYM_MUL:
        print_product(buf, s, false);
        return;
    case TN_SYM_FLOORDIV:
        print_infix(buf, s, "//", STRENGTH_ATOM);
        return;
    case TN_SYM_MOD:
        print_infix(buf, s, "%", STRENGTH_ATOM);
        return;
    case TN_SYM_MIN:
        print_call(buf, "min", s);
        return;
    case TN_SYM_MAX:
        print_call(buf, "max", s);
        return;
    case TN_SYM_EQ:
        print_infix(buf, s, "==", STRENGTH_SUM);
        return;
    case TN_SYM_LE:
        print_infix(buf, s, "<=", STRENGTH_SUM);
        return;
    case TN_SYM_SELECT:
        print_call(buf, "select", s);
        return;
    }
}

/* ---- parsing -------------------------------------------------------------------------------- */

enum { DEPTH_MAX = 100 };

typedef struct parser {
    tn_syms *syms;
    tn_str text;
    size_t at;
    int depth;
    bool make_vars;
    tn_status status; /* the first error; everything after it returns NULL */
} parser;

static const tn_sym *parse_comparison(parser *p);

static char peek(parser *p) {
    while (p->at < p->text.len && (p->text.data[p->at] == ' ' || p->text.data[p->at] == '\t'))
        p->at++;
    return p->at < p->text.len ? p->text.data[p->at] : 0;
}

static bool take(parser *p, const char *token) {
    size_t len = strlen(token);
    (void)peek(p);
    if (p->text.len - p->at < len || memcmp(p->text.data + p->at, token, len) != 0)
        return false;
    p->at += len;
    return true;
}

static bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static tn_str scan_word(parser *p) {
    size_t start = p->at;
    while (p->at < p->text.len && is_name_char(p->text.data[p->at]))
        p->at++;
    return (tn_str){p->text.data + start, p->at - start};
}

static const tn_sym *wrong(parser *p, const char *expected) {
    if (p->status)
        return NULL;
    (void)peek(p);
    size_t at = p->at;
    tn_str word = scan_word(p);
    p->at = at;
    if (word.len == 0 && at < p->text.len)
        word = (tn_str){p->text.data + at, 1};
    if (word.len > 40)
        word.len = 40;
    if (word.len)
        p->status = tn_error_make(TN_INVALID_ARGUMENT, "column %zu: seen '%.*s', expected %s",
                                  at + 1, TN_STR_ARG(word), expected);
    else
        p->status = tn_error_make(TN_INVALID_ARGUMENT, "column %zu: seen the end, expected %s",
                                  at + 1, expected);
    return NULL;
}

/* What a builder returned; its failure becomes the parser's, with the column. */
static const tn_sym *built(parser *p, const tn_sym *s) {
    if (s || p->status)
        return s;
    if (p->syms->code == TN_OUT_OF_MEMORY)
        p->status = tn_error_out_of_memory();
    else
        p->status = tn_error_make(p->syms->code, "column %zu: %s", p->at + 1, p->syms->message);
    return NULL;
}

static const tn_sym *parse_number(parser *p, bool is_negative) {
    size_t start = p->at - (is_negative ? 1 : 0);
    size_t digits = p->at;
    (void)scan_word(p); /* digits, and letters that make it no number */
    int64_t value = 0;
    if (tn_str_to_i64((tn_str){p->text.data + start, p->at - start}, &value))
        return built(p, tn_sym_const(p->syms, value));
    p->at = digits;
    return wrong(p, "an integer of 64 bits");
}

/* The arguments of a function up to its closing parenthesis. */
static bool parse_args(parser *p, const tn_sym **args, uint32_t count) {
    if (!take(p, "("))
        return wrong(p, "'(' after a function's name") != NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (i && !take(p, ","))
            return wrong(p, "','") != NULL;
        args[i] = parse_comparison(p);
        if (!args[i])
            return false;
    }
    return take(p, ")") || wrong(p, "')'") != NULL;
}

static const tn_sym *parse_call(parser *p, tn_str name) {
    const tn_sym *args[3] = {NULL, NULL, NULL};
    if (!parse_args(p, args, tn_str_is(name, "select") ? 3 : 2))
        return NULL;
    if (tn_str_is(name, "select"))
        return built(p, tn_sym_select(p->syms, args[0], args[1], args[2]));
    if (tn_str_is(name, "min"))
        return built(p, tn_sym_min(p->syms, args[0], args[1]));
    if (tn_str_is(name, "max"))
        return built(p, tn_sym_max(p->syms, args[0], args[1]));
    return built(p, tn_sym_ceildiv(p->syms, args[0], args[1]));
}

static const tn_sym *parse_name(parser *p) {
    size_t start = p->at;
    tn_str name = scan_word(p);
    if (!tn_sym_name_ok(name))
        return parse_call(p, name);
    const tn_sym *var = tn_sym_find_var(p->syms, name);
    if (var)
        return var;
    if (p->make_vars)
        return built(p, tn_sym_var(p->syms, name, 0, INT64_MAX));
    p->at = start;
    return wrong(p, "a declared symbol, a number, min, max, select or ceildiv");
}

static const tn_sym *parse_atom(parser *p) {
    char c = peek(p);
    if (is_digit(c))
        return parse_number(p, false);
    if (is_name_char(c))
        return parse_name(p);
    if (take(p, "-")) {
        if (p->at < p->text.len && is_digit(p->text.data[p->at]))
            return parse_number(p, true);
        const tn_sym *s = parse_atom(p);
        return s ? built(p, tn_sym_muli(p->syms, s, -1)) : NULL;
    }
    if (!take(p, "("))
        return wrong(p, "a symbol, a number, a function or '('");
    const tn_sym *s = parse_comparison(p);
    if (s && !take(p, ")"))
        return wrong(p, "')'");
    return s;
}

static const tn_sym *parse_product(parser *p) {
    const tn_sym *left = parse_atom(p);
    while (left) {
        bool is_mul = take(p, "*");
        bool is_div = !is_mul && take(p, "//");
        if (!is_mul && !is_div && !take(p, "%"))
            break;
        const tn_sym *right = parse_atom(p);
        if (!right)
            return NULL;
        left = built(p, is_mul   ? tn_sym_mul(p->syms, left, right)
                        : is_div ? tn_sym_floordiv(p->syms, left, right)
                                 : tn_sym_mod(p->syms, left, right));
    }
    return left;
}

static const tn_sym *parse_sum(parser *p) {
    const tn_sym *left = parse_product(p);
    while (left) {
        bool is_add = take(p, "+");
        if (!is_add && !take(p, "-"))
            break;
        const tn_sym *right = parse_product(p);
        if (!right)
            return NULL;
        left =
            built(p, is_add ? tn_sym_add(p->syms, left, right) : tn_sym_sub(p->syms, left, right));
    }
    return left;
}

static const tn_sym *compare(tn_syms *syms, const char *sign, const tn_sym *a, const tn_sym *b) {
    if (strcmp(sign, "==") == 0)
        return tn_sym_eq(syms, a, b);
    if (strcmp(sign, "!=") == 0)
        return tn_sym_eq(syms, tn_sym_eq(syms, a, b), tn_sym_const(syms, 0));
    if (strcmp(sign, "<=") == 0)
        return tn_sym_le(syms, a, b);
    if (strcmp(sign, ">=") == 0)
        return tn_sym_le(syms, b, a);
    return sign[0] == '<' ? tn_sym_lt(syms, a, b) : tn_sym_lt(syms, b, a);
}

static const tn_sym *parse_comparison(parser *p) {
    static const char *const signs[] = {"==", "!=", "<=", ">=", "<", ">"};
    if (p->depth == DEPTH_MAX)
        return wrong(p, "at most 100 nested parentheses");
    p->depth++;
    const tn_sym *s = parse_sum(p);
    for (size_t i = 0; s && i < sizeof signs / sizeof *signs; i++) {
        if (!take(p, signs[i]))
            continue;
        const tn_sym *right = parse_sum(p);
        s = right ? built(p, compare(p->syms, signs[i], s, right)) : NULL;
        break; /* comparisons do not chain */
    }
    p->depth--;
    return s;
}

/* Bad text is this call's failure, not the table's, which goes on as it was. */
static const tn_sym *parse_quietly(parser *p) {
    tn_code code = p->syms->code;
    const char *message = p->syms->message;
    p->syms->code = TN_OK;
    const tn_sym *s = parse_comparison(p);
    p->syms->code = code;
    p->syms->message = message;
    return s;
}

tn_status tn_sym_parse_prefix(tn_syms *syms, tn_str text, bool make_vars, const tn_sym **out_sym,
                              size_t *out_used) {
    parser p = {.syms = syms, .text = text, .make_vars = make_vars};
    *out_sym = parse_quietly(&p);
    *out_used = p.at;
    return p.status;
}

tn_status tn_sym_parse(tn_syms *syms, tn_str text, bool make_vars, const tn_sym **out_sym) {
    parser p = {.syms = syms, .text = text, .make_vars = make_vars};
    *out_sym = parse_quietly(&p);
    if (*out_sym && (peek(&p), p.at != text.len))
        *out_sym = wrong(&p, "an operator or the end");
    return p.status;
}
