/* pt2_expr.c: a recursive-descent reader of srepr() whose functions compute tn_sym expressions at
 * once. Depth and argument counts are limited: the text is untrusted. */
#include "front/pt2_expr.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"

enum { DEPTH_MAX = 64, ARGS_MAX = 64, POWER_MAX = 16, SHIFT_MAX = 62 };

typedef struct parser {
    tn_syms *syms;
    tn_str text;
    size_t at;
    uint32_t depth;
} parser;

typedef struct arguments {
    tn_pt2_number items[ARGS_MAX];
    uint32_t count;
} arguments;

/* ---- numbers ----------------------------------------------------------------------------------
 */

static tn_pt2_number ratio(const tn_sym *num, const tn_sym *den) {
    return (tn_pt2_number){.kind = TN_PT2_RATIO, .num = num, .den = den};
}

static tn_pt2_number integer(parser *p, const tn_sym *value) {
    return ratio(value, tn_sym_const(p->syms, 1));
}

/* NULL, which a failed table gives, is no 1. */
static bool is_one(const tn_sym *s) {
    return s && tn_sym_is(s, 1);
}

static tn_pt2_number unknown(void) {
    return (tn_pt2_number){.kind = TN_PT2_UNKNOWN};
}

/* A double as a fraction if it is one with a small power of two below the line. */
static tn_pt2_number from_double(parser *p, double value) {
    double scaled = value;
    int64_t den = 1;
    while (den < (int64_t)1 << 20 && scaled != floor(scaled)) {
        scaled *= 2;
        den *= 2;
    }
    if (scaled == floor(scaled) && fabs(scaled) < (double)((int64_t)1 << 53))
        return ratio(tn_sym_const(p->syms, (int64_t)scaled), tn_sym_const(p->syms, den));
    return (tn_pt2_number){.kind = TN_PT2_DOUBLE, .f = value};
}

bool tn_pt2_number_constant(const tn_pt2_number *number, double *out_value) {
    *out_value = number->f;
    if (number->kind != TN_PT2_RATIO)
        return number->kind == TN_PT2_DOUBLE;
    if (!number->num || !number->den || !tn_sym_is_const(number->num) ||
        !tn_sym_is_const(number->den) || number->den->value == 0)
        return false;
    *out_value = (double)number->num->value / (double)number->den->value;
    return true;
}

const tn_sym *tn_pt2_number_sym(tn_syms *syms, const tn_pt2_number *number) {
    if (number->kind != TN_PT2_RATIO || !number->num || !number->den)
        return NULL;
    /* A fraction in place of an integer is one that the exporter knew to be whole. */
    return tn_sym_is(number->den, 1) ? number->num
                                     : tn_sym_floordiv(syms, number->num, number->den);
}

/* Both operands as doubles; false unless both are constant. */
static bool both_constant(const tn_pt2_number *a, const tn_pt2_number *b, double *out_a,
                          double *out_b) {
    bool is_constant = tn_pt2_number_constant(a, out_a);
    return tn_pt2_number_constant(b, out_b) && is_constant;
}

static bool both_ratio(const tn_pt2_number *a, const tn_pt2_number *b) {
    return a->kind == TN_PT2_RATIO && b->kind == TN_PT2_RATIO;
}

static tn_pt2_number add(parser *p, const tn_pt2_number *a, const tn_pt2_number *b) {
    double x = 0;
    double y = 0;
    if (both_ratio(a, b)) {
        if (a->den == b->den)
            return ratio(tn_sym_add(p->syms, a->num, b->num), a->den);
        return ratio(tn_sym_add(p->syms, tn_sym_mul(p->syms, a->num, b->den),
                                tn_sym_mul(p->syms, b->num, a->den)),
                     tn_sym_mul(p->syms, a->den, b->den));
    }
    return both_constant(a, b, &x, &y) ? from_double(p, x + y) : unknown();
}

static tn_pt2_number multiply(parser *p, const tn_pt2_number *a, const tn_pt2_number *b) {
    double x = 0;
    double y = 0;
    if (both_ratio(a, b))
        return ratio(tn_sym_mul(p->syms, a->num, b->num), tn_sym_mul(p->syms, a->den, b->den));
    return both_constant(a, b, &x, &y) ? from_double(p, x * y) : unknown();
}

static tn_pt2_number divide(parser *p, const tn_pt2_number *a, const tn_pt2_number *b) {
    double x = 0;
    double y = 0;
    if (both_ratio(a, b) && b->num && b->num->min > 0)
        return ratio(tn_sym_mul(p->syms, a->num, b->den), tn_sym_mul(p->syms, a->den, b->num));
    return both_constant(a, b, &x, &y) ? from_double(p, x / y) : unknown();
}

/* ---- functions --------------------------------------------------------------------------------
 */

static tn_pt2_number fn_add(parser *p, const arguments *args) {
    tn_pt2_number sum = args->items[0];
    for (uint32_t i = 1; i < args->count; i++)
        sum = add(p, &sum, &args->items[i]);
    return sum;
}

static tn_pt2_number fn_mul(parser *p, const arguments *args) {
    tn_pt2_number product = args->items[0];
    for (uint32_t i = 1; i < args->count; i++)
        product = multiply(p, &product, &args->items[i]);
    return product;
}

static tn_pt2_number fn_pow(parser *p, const arguments *args) {
    const tn_pt2_number *base = &args->items[0];
    double x = 0;
    double exponent = 0;
    if (both_constant(base, &args->items[1], &x, &exponent))
        return from_double(p, pow(x, exponent));
    if (!tn_pt2_number_constant(&args->items[1], &exponent) || fabs(exponent) > POWER_MAX ||
        exponent != floor(exponent))
        return unknown();
    tn_pt2_number product = integer(p, tn_sym_const(p->syms, 1));
    for (int i = 0; i < (int)fabs(exponent); i++)
        product = multiply(p, &product, base);
    tn_pt2_number one = integer(p, tn_sym_const(p->syms, 1));
    return exponent < 0 ? divide(p, &one, &product) : product;
}

static tn_pt2_number fn_divide(parser *p, const arguments *args) {
    return divide(p, &args->items[0], &args->items[1]);
}

/* a // b of fractions: (a.num * b.den) // (a.den * b.num), for a divisor that is positive. */
static tn_pt2_number floor_divide(parser *p, const tn_pt2_number *a, const tn_pt2_number *b) {
    tn_pt2_number quotient = unknown();
    if (both_ratio(a, b) && is_one(a->den) && is_one(b->den))
        return integer(p, tn_sym_floordiv(p->syms, a->num, b->num));
    quotient = divide(p, a, b);
    if (quotient.kind != TN_PT2_RATIO)
        return unknown();
    return integer(p, tn_sym_floordiv(p->syms, quotient.num, quotient.den));
}

static tn_pt2_number fn_floordiv(parser *p, const arguments *args) {
    return floor_divide(p, &args->items[0], &args->items[1]);
}

static tn_pt2_number fn_floor(parser *p, const arguments *args) {
    tn_pt2_number one = integer(p, tn_sym_const(p->syms, 1));
    return floor_divide(p, &args->items[0], &one);
}

static tn_pt2_number fn_ceil(parser *p, const arguments *args) {
    const tn_pt2_number *a = &args->items[0];
    if (a->kind != TN_PT2_RATIO)
        return unknown();
    return integer(p, tn_sym_ceildiv(p->syms, a->num, a->den));
}

/* Towards zero: the floor for what is not negative, which sizes are. */
static tn_pt2_number fn_trunc(parser *p, const arguments *args) {
    const tn_pt2_number *a = &args->items[0];
    if (a->kind != TN_PT2_RATIO || !a->num || a->num->min < 0)
        return unknown();
    return fn_floor(p, args);
}

static tn_pt2_number fn_ceildiv(parser *p, const arguments *args) {
    arguments quotient = {.items = {divide(p, &args->items[0], &args->items[1])}, .count = 1};
    return fn_ceil(p, &quotient);
}

static tn_pt2_number fn_same(parser *p, const arguments *args) {
    (void)p;
    return args->items[0];
}

/* Applies a function of integers; unknown if an argument is none. */
static tn_pt2_number on_integers(parser *p, const arguments *args,
                                 const tn_sym *(*function)(tn_syms *syms, const tn_sym *a,
                                                           const tn_sym *b)) {
    const tn_sym *result = NULL;
    for (uint32_t i = 0; i < args->count; i++) {
        const tn_pt2_number *item = &args->items[i];
        if (item->kind != TN_PT2_RATIO || !is_one(item->den))
            return unknown();
        result = i == 0 ? item->num : function(p->syms, result, item->num);
    }
    return integer(p, result);
}

static tn_pt2_number fn_max(parser *p, const arguments *args) {
    return on_integers(p, args, tn_sym_max);
}

static tn_pt2_number fn_min(parser *p, const arguments *args) {
    return on_integers(p, args, tn_sym_min);
}

static tn_pt2_number fn_mod(parser *p, const arguments *args) {
    return on_integers(p, args, tn_sym_mod);
}

static const tn_sym *sym_ne(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    return tn_sym_sub(syms, tn_sym_const(syms, 1), tn_sym_eq(syms, a, b));
}

static const tn_sym *sym_gt(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    return tn_sym_lt(syms, b, a);
}

static const tn_sym *sym_ge(tn_syms *syms, const tn_sym *a, const tn_sym *b) {
    return tn_sym_le(syms, b, a);
}

static tn_pt2_number fn_eq(parser *p, const arguments *args) {
    return on_integers(p, args, tn_sym_eq);
}

static tn_pt2_number fn_ne(parser *p, const arguments *args) {
    return on_integers(p, args, sym_ne);
}

static tn_pt2_number fn_lt(parser *p, const arguments *args) {
    return on_integers(p, args, tn_sym_lt);
}

static tn_pt2_number fn_le(parser *p, const arguments *args) {
    return on_integers(p, args, tn_sym_le);
}

static tn_pt2_number fn_gt(parser *p, const arguments *args) {
    return on_integers(p, args, sym_gt);
}

static tn_pt2_number fn_ge(parser *p, const arguments *args) {
    return on_integers(p, args, sym_ge);
}

/* Conditions are 0 or 1, so "and" is the smallest, "or" the largest. */
static tn_pt2_number fn_not(parser *p, const arguments *args) {
    arguments pair = {.items = {args->items[0], integer(p, tn_sym_const(p->syms, 0))}, .count = 2};
    return on_integers(p, &pair, tn_sym_eq);
}

static tn_pt2_number fn_abs(parser *p, const arguments *args) {
    tn_pt2_number minus_one = integer(p, tn_sym_const(p->syms, -1));
    arguments pair = {.items = {args->items[0], multiply(p, &args->items[0], &minus_one)},
                      .count = 2};
    return on_integers(p, &pair, tn_sym_max);
}

static tn_pt2_number fn_modular_indexing(parser *p, const arguments *args) {
    arguments pair = {.items = {fn_floordiv(p, args), args->items[2]}, .count = 2};
    return on_integers(p, &pair, tn_sym_mod);
}

/* 2 to a constant power, 0 if there is none in range. */
static int64_t power_of_two(const tn_pt2_number *exponent) {
    double value = 0;
    if (!tn_pt2_number_constant(exponent, &value) || value < 0 || value > SHIFT_MAX ||
        value != floor(value))
        return 0;
    return (int64_t)1 << (int)value;
}

static tn_pt2_number fn_lshift(parser *p, const arguments *args) {
    int64_t factor = power_of_two(&args->items[1]);
    tn_pt2_number by = integer(p, tn_sym_const(p->syms, factor));
    return factor ? multiply(p, &args->items[0], &by) : unknown();
}

static tn_pt2_number fn_rshift(parser *p, const arguments *args) {
    int64_t divisor = power_of_two(&args->items[1]);
    tn_pt2_number by = integer(p, tn_sym_const(p->syms, divisor));
    return divisor ? floor_divide(p, &args->items[0], &by) : unknown();
}

static const tn_sym *whole(const tn_pt2_number *number) {
    bool is_whole = number->kind == TN_PT2_RATIO && is_one(number->den);
    return is_whole ? number->num : NULL;
}

static tn_pt2_number fn_where(parser *p, const arguments *args) {
    const tn_sym *condition = whole(&args->items[0]);
    const tn_sym *yes = whole(&args->items[1]);
    const tn_sym *no = whole(&args->items[2]);
    if (!condition || !yes || !no)
        return unknown();
    return integer(p, tn_sym_select(p->syms, condition, yes, no));
}

/* Arguments are value, condition, value, condition ...; the first condition that holds decides. */
static tn_pt2_number fn_piecewise(parser *p, const arguments *args) {
    if (args->count % 2 != 0)
        return unknown();
    tn_pt2_number result = args->items[args->count - 2];
    for (uint32_t i = args->count - 2; i >= 2; i -= 2) {
        arguments choice = {.items = {args->items[i - 1], args->items[i - 2], result}, .count = 3};
        result = fn_where(p, &choice);
    }
    return result;
}

static tn_pt2_number fn_sqrt(parser *p, const arguments *args) {
    double value = 0;
    bool is_constant = tn_pt2_number_constant(&args->items[0], &value);
    return is_constant && value >= 0 ? from_double(p, sqrt(value)) : unknown();
}

static tn_pt2_number fn_unknown(parser *p, const arguments *args) {
    (void)p;
    (void)args;
    return unknown();
}

typedef struct function {
    const char *name;
    uint32_t args_min, args_max;
    tn_pt2_number (*compute)(parser *p, const arguments *args);
} function;

static const function functions[] = {
    {"Add", 1, ARGS_MAX, fn_add},
    {"Mul", 1, ARGS_MAX, fn_mul},
    {"Pow", 2, 2, fn_pow},
    {"PowByNatural", 2, 2, fn_pow},
    {"FloatPow", 2, 2, fn_pow},
    {"Max", 1, ARGS_MAX, fn_max},
    {"Min", 1, ARGS_MAX, fn_min},
    {"Mod", 2, 2, fn_mod},
    {"PythonMod", 2, 2, fn_mod},
    {"Abs", 1, 1, fn_abs},
    {"Piecewise", 2, ARGS_MAX, fn_piecewise},
    {"Where", 3, 3, fn_where},
    {"Equality", 2, 2, fn_eq},
    {"Unequality", 2, 2, fn_ne},
    {"StrictLessThan", 2, 2, fn_lt},
    {"LessThan", 2, 2, fn_le},
    {"StrictGreaterThan", 2, 2, fn_gt},
    {"GreaterThan", 2, 2, fn_ge},
    {"And", 1, ARGS_MAX, fn_min},
    {"Or", 1, ARGS_MAX, fn_max},
    {"Not", 1, 1, fn_not},
    {"FloorDiv", 2, 2, fn_floordiv},
    {"CleanDiv", 2, 2, fn_floordiv},
    {"CeilDiv", 2, 2, fn_ceildiv},
    {"ModularIndexing", 3, 3, fn_modular_indexing},
    {"LShift", 2, 2, fn_lshift},
    {"RShift", 2, 2, fn_rshift},
    {"FloorToInt", 1, 1, fn_floor},
    {"floor", 1, 1, fn_floor},
    {"CeilToInt", 1, 1, fn_ceil},
    {"ceiling", 1, 1, fn_ceil},
    {"TruncToInt", 1, 1, fn_trunc},
    {"TruncToFloat", 1, 1, fn_trunc},
    {"RoundToInt", 1, 1, fn_unknown},
    {"RoundDecimal", 2, 2, fn_unknown},
    {"ToFloat", 1, 1, fn_same},
    {"Identity", 1, 1, fn_same},
    {"IntTrueDiv", 2, 2, fn_divide},
    {"FloatTrueDiv", 2, 2, fn_divide},
    {"OpaqueUnaryFn_sqrt", 1, 1, fn_sqrt},
};

/* ---- parsing ----------------------------------------------------------------------------------
 */

static tn_status unexpected(const parser *p, const char *wanted) {
    char seen[2] = {p->at < p->text.len ? p->text.data[p->at] : 0, 0};
    return tn_error_make(TN_CORRUPT, "size expression '%.*s': '%s' at column %zu, expected %s",
                         (int)(p->text.len < 200 ? p->text.len : 200), p->text.data,
                         seen[0] ? seen : "the end", p->at + 1, wanted);
}

static bool take(parser *p, char c) {
    while (p->at < p->text.len && p->text.data[p->at] == ' ')
        p->at++;
    if (p->at >= p->text.len || p->text.data[p->at] != c)
        return false;
    p->at++;
    return true;
}

static bool is_word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Letters, digits and _, with a sign and a point for numbers; empty when there is none. */
static tn_str take_word(parser *p) {
    (void)take(p, ' ');
    size_t start = p->at;
    while (p->at < p->text.len && (is_word_char(p->text.data[p->at]) ||
                                   p->text.data[p->at] == '-' || p->text.data[p->at] == '.'))
        p->at++;
    return (tn_str){p->text.data + start, p->at - start};
}

static tn_status take_quoted(parser *p, tn_str *out_text) {
    *out_text = TN_STR("");
    if (!take(p, '\''))
        return unexpected(p, "a quoted string");
    size_t start = p->at;
    while (p->at < p->text.len && p->text.data[p->at] != '\'')
        p->at++;
    *out_text = (tn_str){p->text.data + start, p->at - start};
    return take(p, '\'') ? NULL : unexpected(p, "a closing quote");
}

static tn_status take_close(parser *p) {
    return take(p, ')') ? NULL : unexpected(p, "')'");
}

static tn_status take_integer(parser *p, int64_t *out_value) {
    size_t at = p->at;
    if (tn_str_to_i64(take_word(p), out_value))
        return NULL;
    p->at = at;
    return unexpected(p, "an integer of 64 bits");
}

/* Symbol('s77', positive=True, integer=True) */
static tn_status parse_symbol(parser *p, tn_pt2_number *out_number) {
    tn_str name;
    TN_TRY(take_quoted(p, &name));
    int64_t min = INT64_MIN;
    while (take(p, ',')) {
        tn_str key = take_word(p);
        if (key.len == 0 || !take(p, '='))
            return unexpected(p, "an assumption, NAME=True or NAME=False");
        bool is_true = tn_str_is(take_word(p), "True");
        if (is_true && tn_str_is(key, "positive"))
            min = 1;
        else if (is_true && tn_str_is(key, "nonnegative") && min < 0)
            min = 0;
    }
    TN_TRY(take_close(p));
    *out_number = integer(p, tn_sym_var(p->syms, name, min, INT64_MAX));
    return NULL;
}

static tn_status parse_rational(parser *p, tn_pt2_number *out_number) {
    int64_t num = 0;
    int64_t den = 0;
    TN_TRY(take_integer(p, &num));
    if (!take(p, ','))
        return unexpected(p, "','");
    TN_TRY(take_integer(p, &den));
    if (den <= 0)
        return unexpected(p, "a positive denominator before it");
    *out_number = ratio(tn_sym_const(p->syms, num), tn_sym_const(p->syms, den));
    return take_close(p);
}

/* Float('0.5', precision=53) */
static tn_status parse_float(parser *p, tn_pt2_number *out_number) {
    tn_str text;
    double value = 0;
    TN_TRY(take_quoted(p, &text));
    if (!tn_str_to_f64(text, &value))
        return unexpected(p, "a number before it");
    if (take(p, ',')) {
        (void)take_word(p);
        if (!take(p, '='))
            return unexpected(p, "precision=");
        (void)take_word(p);
    }
    *out_number = from_double(p, value);
    return take_close(p);
}

static tn_status parse_expr(parser *p, tn_pt2_number *out_number);

/* Arguments up to the closing bracket; the pairs of Piecewise are laid out flat. */
static tn_status parse_args(parser *p, arguments *args) {
    if (take(p, ')'))
        return NULL;
    do {
        size_t at = p->at;
        if (tn_str_is(take_word(p), "ExprCondPair") && take(p, '(')) {
            if (p->depth == DEPTH_MAX)
                return unexpected(p, "less deeply nested calls");
            p->depth++;
            TN_TRY(parse_args(p, args));
            p->depth--;
            continue;
        }
        p->at = at;
        if (args->count == ARGS_MAX)
            return unexpected(p, "no more than 64 arguments");
        TN_TRY(parse_expr(p, &args->items[args->count]));
        args->count++;
    } while (take(p, ','));
    return take_close(p);
}

/* NULL operands of a failed table give NULL, so one check after each call is enough. */
static tn_status check_number(const parser *p, const tn_pt2_number *number) {
    if (number->kind == TN_PT2_RATIO && (!number->num || !number->den))
        return tn_syms_status(p->syms);
    return NULL;
}

static tn_status parse_call(parser *p, tn_str name, tn_pt2_number *out_number) {
    if (tn_str_is(name, "Symbol"))
        return parse_symbol(p, out_number);
    if (tn_str_is(name, "Rational"))
        return parse_rational(p, out_number);
    if (tn_str_is(name, "Float"))
        return parse_float(p, out_number);
    if (tn_str_is(name, "Integer")) {
        int64_t value = 0;
        TN_TRY(take_integer(p, &value));
        *out_number = integer(p, tn_sym_const(p->syms, value));
        return take_close(p);
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const function *known = &functions[i];
        if (!tn_str_is(name, known->name))
            continue;
        arguments args;
        args.count = 0;
        TN_TRY(parse_args(p, &args));
        if (args.count < known->args_min || args.count > known->args_max)
            return unexpected(p, "another number of arguments before it");
        *out_number = known->compute(p, &args);
        return NULL;
    }
    return tn_error_make(TN_UNSUPPORTED, "size expression '%.*s': the function %.*s is not known",
                         (int)(p->text.len < 200 ? p->text.len : 200), p->text.data,
                         (int)(name.len < 64 ? name.len : 64), name.data);
}

static tn_status parse_word(parser *p, tn_pt2_number *out_number) {
    tn_str word = take_word(p);
    int64_t value = 0;
    double f = 0;
    if (word.len == 0)
        return unexpected(p, "an expression");
    if (take(p, '('))
        return parse_call(p, word, out_number);
    if (tn_str_is(word, "true") || tn_str_is(word, "false"))
        *out_number = integer(p, tn_sym_const(p->syms, tn_str_is(word, "true")));
    else if (tn_str_to_i64(word, &value))
        *out_number = integer(p, tn_sym_const(p->syms, value));
    else if (tn_str_to_f64(word, &f))
        *out_number = from_double(p, f);
    else if (tn_str_ends(word, "oo"))
        *out_number = unknown(); /* oo, int_oo and their negatives bound sizes; they are none */
    else
        return unexpected(p, "a known name before it");
    return NULL;
}

static tn_status parse_expr(parser *p, tn_pt2_number *out_number) {
    *out_number = unknown();
    if (p->depth == DEPTH_MAX)
        return unexpected(p, "less deeply nested calls");
    p->depth++;
    tn_status status = parse_word(p, out_number);
    p->depth--;
    return status ? status : check_number(p, out_number);
}

tn_status tn_pt2_expr_parse(tn_syms *syms, tn_str text, tn_pt2_number *out_number) {
    parser p = {.syms = syms, .text = text};
    TN_TRY(parse_expr(&p, out_number));
    (void)take(&p, ' ');
    return p.at == text.len ? NULL : unexpected(&p, "the end");
}
