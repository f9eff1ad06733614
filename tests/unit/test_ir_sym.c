/* test_ir_sym.c: symbolic integers: chosen simplifications, and random expressions whose canonical
 * form must evaluate to what the expression as written evaluates to, within its range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ir/sym.h"

typedef struct fixture {
    tn_arena arena;
    tn_syms *syms;
} fixture;

static void open_with(fixture *f, tn_allocator allocator) {
    tn_arena_init(&f->arena, allocator);
    assert_null(tn_syms_create(&f->arena, &f->syms));
}

static int open_table(void **state) {
    static fixture f;
    open_with(&f, tn_allocator_system());
    tn_sym_var(f.syms, TN_STR("s0"), 1, INT64_MAX);
    tn_sym_var(f.syms, TN_STR("s1"), 2, 512);
    tn_sym_var(f.syms, TN_STR("u0"), 0, INT64_MAX);
    tn_sym_var(f.syms, TN_STR("x"), INT64_MIN, INT64_MAX);
    *state = &f;
    return 0;
}

static int close_table(void **state) {
    fixture *f = *state;
    tn_arena_deinit(&f->arena);
    return 0;
}

static const tn_sym *parse(fixture *f, const char *text) {
    const tn_sym *s = NULL;
    tn_status status = tn_sym_parse(f->syms, tn_str_of(text), false, &s);
    if (status)
        fail_msg("%s: %s", text, tn_status_message(status));
    return s;
}

static void assert_prints(fixture *f, const tn_sym *s, const char *expected) {
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_sym_print(&buf, s);
    assert_string_equal(tn_buf_cstr(&buf), expected);
    assert_ptr_equal(parse(f, tn_buf_cstr(&buf)), s);
    tn_buf_deinit(&buf);
}

/* What is written, and its canonical form. */
static const struct {
    const char *text, *canonical;
} simplified[] = {
    /* sums and products */
    {"s0 + s0", "2*s0"},
    {"s1 + 1 + s0", "s0 + s1 + 1"},
    {"(s0 + 1)*(s0 - 1)", "s0*s0 - 1"},
    {"s0 - s0", "0"},
    {"-x*3 + 2", "-3*x + 2"},
    {"s1*s0 - s0*s1", "0"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"s0 + -9223372036854775808*s1", "s0 + -9223372036854775808*s1"},
    /* exact division */
    {"(4*s0) // 4", "s0"},
    {"(4*s0 + 5) // 4", "s0 + 1"},
    {"(6*s0 + 4) // 8", "(3*s0 + 2) // 4"},
    {"(s0 // 2) // 3", "s0 // 6"},
    {"(s0 // 2 + 1) // 3", "(s0 + 2) // 6"},
    {"((s0 - 1) // 2 + 1 - 1) // 2 + 1", "(s0 + 3) // 4"},
    {"x // 1", "x"},
    {"x // -1", "-1*x"},
    {"x // -2", "(-1*x) // 2"},
    {"s0*s1 // s1", "s0"},
    {"(2*s0*s1 + s1) // (2*s1)", "s0"},
    {"(s0*s1 + s0) // (s1 + 1)", "s0"},
    {"(s0*u0 + 1) // s0", "u0 + 1 // s0"},
    {"(s0*s1*x) // (2*s1)", "(x*s0) // 2"},
    {"u0*s0 // u0", "(s0*u0) // u0"}, /* u0 may be 0 */
    {"s1 // (s1 + 1)", "0"},
    {"s1 // 600", "0"},
    {"ceildiv(s0, 2)", "(s0 + 1) // 2"},
    {"ceildiv(4*s0, 4)", "s0"},
    {"7 // 2", "3"},
    {"-7 // 2", "-4"},
    /* remainders */
    {"(s0*64) % 64", "0"},
    {"(5*s0) % 4", "s0 % 4"},
    {"(2*s0 + 1) % 4", "2*(s0 % 2) + 1"},
    {"(s0 % 8) % 4", "s0 % 4"},
    {"(3*s1 + 7) % 3", "1"},
    {"s1 % 600", "s1"},
    {"(s1 + 600) % 1200", "s1 + 600"},
    {"(s0*s1) % s1", "0"},
    {"(s0*s1 + 1) % s1", "1"},
    {"s1 % (s1 + 1)", "s1"},
    {"x % 1", "0"},
    {"x % -3", "-1*((2*x) % 3)"},
    {"-7 % 3", "2"},
    {"7 % -3", "-2"},
    /* minimum and maximum */
    {"max(1, s0)", "s0"},
    {"max(s0, s1)", "max(s0, s1)"},
    {"max(s1, s0)", "max(s0, s1)"},
    {"max(max(s0, 3), max(5, s1))", "max(max(s0, s1), 5)"},
    {"max(s1, max(s0, s1))", "max(s0, s1)"},
    {"min(s0, 9223372036854775807)", "s0"},
    {"max(x, -9223372036854775808)", "x"},
    {"min(s1, 1024)", "s1"},
    {"min(s0, s0 // 2)", "s0 // 2"},
    {"max(s0 - s0 % 8, 0)", "s0 - (s0 % 8)"},
    {"min(s0 + 1, s0)", "s0"},
    {"max(min(s0, s1), s0)", "s0"},
    /* comparisons */
    {"s0 < 4", "s0 <= 3"},
    {"s0 >= 4", "0 <= s0 - 4"},
    {"s1 <= 512", "1"},
    {"s1 == 600", "0"},
    {"2*s0 == 6", "s0 == 3"},
    {"4*s0 == 6", "0"},
    {"2*s0 < 7", "s0 <= 3"},
    {"s0 - 2*s1 == -3", "s0 == 2*s1 - 3"},
    {"3 == s0", "s0 == 3"},
    {"s0 != 3", "(s0 == 3) == 0"},
    {"(s0 != 3) == 0", "s0 == 3"},
    {"(s0 <= 3) == 1", "s0 <= 3"},
    {"s0 // 8 * 8 <= s0", "1"},
    {"s0 % s1 < s1", "1"},
    {"s0 % s1 <= s0", "1"},
    {"min(s0, s1) <= s1", "1"},
    {"max(s0, s1) < s0", "0"},
    /* select */
    {"select(s0 < 4, 1, 2)", "select(s0 <= 3, 1, 2)"},
    {"select(s0 == 3, 1, 0)", "s0 == 3"},
    {"select(s0 == 3, 0, 1)", "(s0 == 3) == 0"},
    {"select(s0 != 3, 5, 6)", "select(s0 == 3, 6, 5)"},
    {"select(s1, 5, 6)", "5"},
    {"select(0, 5, 6)", "6"},
    {"select(x, s0, s0)", "s0"},
};

static void simplifies(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < sizeof simplified / sizeof *simplified; i++) {
        assert_prints(f, parse(f, simplified[i].text), simplified[i].canonical);
    }
    assert_null(tn_syms_status(f->syms));
}

static void equal_is_same_pointer(void **state) {
    fixture *f = *state;
    static const char *const pairs[][2] = {
        {"(s0 + s1)*(s0 + s1)", "s0*s0 + 2*s0*s1 + s1*s1"},
        {"(s0 + 7) // 8", "ceildiv(s0, 8)"},
        {"s0 > s1", "s1 < s0"},
        {"min(s0, min(s1, x))", "min(min(x, s0), s1)"},
        {"s0 >= 4", "4 <= s0"},
        {"s0 != s1", "s1 != s0"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_ptr_equal(parse(f, pairs[i][0]), parse(f, pairs[i][1]));
}

/* The order of terms does not depend on which table made them, and in which order. */
static void canonical_in_any_table(void **state) {
    fixture *f = *state;
    fixture other;
    open_with(&other, tn_allocator_system());
    tn_sym_var(other.syms, TN_STR("u0"), 0, INT64_MAX);
    tn_sym_var(other.syms, TN_STR("s1"), 2, 512);
    tn_sym_var(other.syms, TN_STR("s0"), 1, INT64_MAX);
    tn_sym_var(other.syms, TN_STR("x"), INT64_MIN, INT64_MAX);
    parse(&other, "s1 % 3 + x // 2");
    tn_buf a, b;
    tn_buf_init(&a, tn_allocator_system());
    tn_buf_init(&b, tn_allocator_system());
    static const char text[] = "u0*s1 + max(x, s1) + x // 2 + s1 % 3 + s0*s1*u0 + (s0 <= 8)";
    tn_sym_print(&a, parse(f, text));
    tn_sym_print(&b, parse(&other, text));
    assert_string_equal(tn_buf_cstr(&a), tn_buf_cstr(&b));
    tn_buf_deinit(&a);
    tn_buf_deinit(&b);
    tn_arena_deinit(&other.arena);
}

static void ranges(void **state) {
    fixture *f = *state;
    static const struct {
        const char *text;
        int64_t min, max;
    } cases[] = {
        {"s1 + 1", 3, 513},
        {"-2*s1", -1024, -4},
        {"s1*s1", 4, 512 * 512},
        {"s0*s1", 2, INT64_MAX},
        {"s0 - s1", -511, INT64_MAX},
        {"x % 7", 0, 6},
        {"x % s1", 0, 511},
        {"s1 // 3", 0, 170},
        {"s0 // s1", 0, INT64_MAX},
        {"(-1*s1) // s0", -512, -1},
        {"min(s0, s1)", 1, 512},
        {"max(s0, s1)", 2, INT64_MAX},
        {"s0 == s1", 0, 1},
        {"select(s0 == 3, s1, -5)", -5, 512},
        {"9223372036854775807", INT64_MAX - 1, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const tn_sym *s = parse(f, cases[i].text);
        if (s->min != cases[i].min || s->max != cases[i].max)
            fail_msg("%s: range [%lld, %lld]", cases[i].text, (long long)s->min, (long long)s->max);
    }
}

static void known(void **state) {
    fixture *f = *state;
    const tn_sym *s0 = parse(f, "s0"), *s1 = parse(f, "s1"), *x = parse(f, "x");
    assert_int_equal(tn_sym_known_eq(f->syms, s0, s0), 1);
    assert_int_equal(tn_sym_known_eq(f->syms, s0, s1), -1);
    assert_int_equal(tn_sym_known_eq(f->syms, s1, tn_sym_const(f->syms, 1)), 0);
    assert_int_equal(tn_sym_known_eq(f->syms, s0, tn_sym_addi(f->syms, s0, 1)), 0);
    assert_int_equal(tn_sym_known_le(f->syms, s1, tn_sym_const(f->syms, 512)), 1);
    assert_int_equal(tn_sym_known_le(f->syms, s1, tn_sym_const(f->syms, 1)), 0);
    assert_int_equal(tn_sym_known_le(f->syms, s0, s1), -1);
    assert_int_equal(tn_sym_known_le(f->syms, x, tn_sym_addi(f->syms, x, 1)), 1);
    assert_int_equal(tn_sym_known_le(f->syms, NULL, x), -1);
    /* a proof that overflows is no proof, and no failure of the table */
    const tn_sym *huge = parse(f, "9223372036854775807*s0");
    assert_int_equal(tn_sym_known_le(f->syms, huge, parse(f, "-5*s0")), 0);
    assert_int_equal(tn_sym_known_le(f->syms, parse(f, "9223372036854775807*x"), parse(f, "-5*x")),
                     -1);
    assert_null(tn_syms_status(f->syms));
}

static void symbols(void **state) {
    fixture *f = *state;
    assert_int_equal(tn_sym_var_count(f->syms), 4);
    const tn_sym *s1 = tn_sym_var(f->syms, TN_STR("s1"), 0, 100);
    assert_ptr_equal(s1, tn_sym_var_at(f->syms, 1));
    assert_int_equal(s1->min, 2);
    assert_int_equal(s1->max, 100);
    assert_null(tn_sym_find_var(f->syms, TN_STR("s2")));
    assert_null(tn_sym_var(f->syms, TN_STR("s1"), 101, 200));
    tn_status status = tn_syms_status(f->syms);
    assert_int_equal(tn_status_code(status), TN_OUT_OF_RANGE);
    assert_string_equal(tn_status_message(status), "symbol s1: no value lies in [101, 100]");
    tn_status_free(status);
    static const char *const bad[] = {"", "1a", "a b", "min", "true", "s-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(tn_sym_name_ok(tn_str_of(bad[i])));
        assert_null(tn_sym_var(f->syms, tn_str_of(bad[i]), 0, 1));
    }
}

/* The first failure stays, whatever comes later. */
static void failures_stick(void **state) {
    fixture *f = *state;
    const tn_sym *s0 = parse(f, "s0");
    assert_null(tn_sym_floordiv(f->syms, s0, tn_sym_const(f->syms, 0)));
    assert_null(tn_sym_muli(f->syms, tn_sym_const(f->syms, INT64_MAX), 2));
    assert_null(tn_sym_add(f->syms, s0, NULL));
    assert_null(tn_sym_select(f->syms, NULL, s0, s0));
    tn_status status = tn_syms_status(f->syms);
    assert_string_equal(tn_status_message(status), "symbolic expression divides by zero");
    assert_int_equal(tn_status_code(status), TN_OUT_OF_RANGE);
    tn_status_free(status);
}

/* Expressions that would take a walk of 2^100 steps, or thousands of terms, are refused. */
static void size_is_limited(void **state) {
    fixture *f = *state;
    const tn_sym *s = parse(f, "x");
    for (int i = 0; i < 100 && s; i++)
        s = tn_sym_floordiv(f->syms, tn_sym_addi(f->syms, tn_sym_muli(f->syms, s, 3), i),
                            tn_sym_addi(f->syms, s, 2));
    assert_null(s);
    tn_status status = tn_syms_status(f->syms);
    assert_int_equal(tn_status_code(status), TN_OUT_OF_RANGE);
    tn_status_free(status);

    fixture many;
    open_with(&many, tn_allocator_system());
    s = tn_sym_const(many.syms, 0);
    for (int i = 0; i < 129 && s; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        s = tn_sym_add(many.syms, s, tn_sym_var(many.syms, tn_str_of(name), 0, 9));
        assert_true((s != NULL) == (i < 128));
    }
    tn_arena_deinit(&many.arena);
}

static void eval_checks(void **state) {
    fixture *f = *state;
    const int64_t values[] = {10, 3, 0, INT64_MIN};
    static const struct {
        const char *text;
        int64_t value;
        const char *error;
    } cases[] = {
        {"s0*s1 + 1", 31, NULL},
        {"-1*s0 // 3", -4, NULL},
        {"(0 - s0) % s1", 2, NULL},
        {"select(s0 <= 3, 1 // u0, 7)", 7, NULL}, /* the other branch is not evaluated */
        {"s0 // u0", 0, "s0 // u0 divides by zero"},
        {"s0 % u0", 0, "s0 % u0 divides by zero"},
        {"x - s0", 0, "x - s0 overflows 64 bits"},
        {"x*s0", 0, "x*s0 overflows 64 bits"},
        {"x // (s1 - 4)", 0, "x // (s1 - 4) overflows 64 bits"},
        {"x % (s1 - 4)", 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 99;
        tn_status status = tn_sym_eval(f->syms, parse(f, cases[i].text), values, &value);
        assert_int_equal(tn_status_code(status), cases[i].error ? TN_OUT_OF_RANGE : TN_OK);
        if (cases[i].error)
            assert_string_equal(tn_status_message(status), cases[i].error);
        assert_true(value == cases[i].value);
        tn_status_free(status);
    }
}

static void parse_errors(void **state) {
    fixture *f = *state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "column 1: seen the end, expected a symbol, a number, a function or '('"},
        {"s0 +", "column 5: seen the end, expected a symbol, a number, a function or '('"},
        {"(s0", "column 4: seen the end, expected ')'"},
        {"s0 s1", "column 4: seen 's1', expected an operator or the end"},
        {"s9", "column 1: seen 's9', expected a declared symbol, a number, min, max, select or "
               "ceildiv"},
        {"9223372036854775808",
         "column 1: seen '9223372036854775808', expected an integer of 64 bits"},
        {"12x", "column 1: seen '12x', expected an integer of 64 bits"},
        {"min(s0)", "column 7: seen ')', expected ','"},
        {"min s0", "column 5: seen 's0', expected '(' after a function's name"},
        {"max(s0, s1, x)", "column 11: seen ',', expected ')'"},
        {"s0 / 2", "column 4: seen '/', expected an operator or the end"},
        {"!s0", "column 1: seen '!', expected a symbol, a number, a function or '('"},
        {"s0 // 0", "column 8: symbolic expression divides by zero"},
        {"s0 % (s1 - s1)", "column 15: symbolic expression divides by zero"},
        {"9223372036854775807 + 1", "column 24: symbolic expression overflows 64 bits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const tn_sym *s = (const tn_sym *)&cases;
        tn_status status = tn_sym_parse(f->syms, tn_str_of(cases[i].text), false, &s);
        assert_null(s);
        assert_string_equal(tn_status_message(status), cases[i].message);
        tn_status_free(status);
    }
    assert_null(tn_syms_status(f->syms)); /* bad text leaves the table whole */
    char deep[1000];
    memset(deep, '(', sizeof deep);
    const tn_sym *s = NULL;
    tn_status status = tn_sym_parse(f->syms, (tn_str){deep, sizeof deep}, false, &s);
    assert_non_null(strstr(tn_status_message(status), "at most 100 nested parentheses"));
    tn_status_free(status);
    memset(deep, '-', sizeof deep);
    status = tn_sym_parse(f->syms, (tn_str){deep, sizeof deep}, false, &s);
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    tn_status_free(status);
}

static void parse_makes_symbols_and_prefixes(void **state) {
    fixture *f = *state;
    const tn_sym *s = NULL;
    size_t used = 0;
    assert_null(tn_sym_parse(f->syms, TN_STR("new_1 + 2"), true, &s));
    assert_int_equal(s->min, 2);
    assert_non_null(tn_sym_find_var(f->syms, TN_STR("new_1")));
    assert_null(tn_sym_parse_prefix(f->syms, TN_STR("s0 + 1, s1]"), false, &s, &used));
    assert_prints(f, s, "s0 + 1");
    assert_int_equal(used, 6);
}

static const tn_sym *s0_is_12(void *user, const tn_sym *var) {
    return tn_str_is(var->name, "s0") ? tn_sym_const(user, 12) : var;
}

static const tn_sym *fails(void *user, const tn_sym *var) {
    (void)user;
    (void)var;
    return NULL;
}

static void substitutes(void **state) {
    fixture *f = *state;
    static const char *const cases[][2] = {
        {"s0*s1 + s0 + 1", "12*s1 + 13"},         {"s0 // 5 + x % s0", "x % 12 + 2"},
        {"max(s0, s1)", "max(s1, 12)"},           {"select(s0 <= 12, s1, x)", "s1"},
        {"min(s0, x) == s1", "s1 == min(x, 12)"}, {"7", "7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_ptr_equal(tn_sym_substitute(f->syms, parse(f, cases[i][0]), s0_is_12, f->syms),
                         parse(f, cases[i][1]));
    assert_null(tn_sym_substitute(f->syms, parse(f, "s0 + 1"), fails, NULL));
}

/* ---- random expressions --------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

enum { VARS = 4, TRIALS = 40 };

/* An expression and its values, computed beside it by the rules of the language and no others. */
typedef struct pair {
    const tn_sym *s;
    int64_t values[TRIALS];
    bool is_defined[TRIALS]; /* no division by zero on the way */
} pair;

static int64_t floordiv_plain(int64_t a, int64_t b) {
    int64_t q = a / b;
    return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}

static int64_t apply(unsigned op, int64_t a, int64_t b, int64_t c, bool *out_is_defined) {
    switch (op) {
    case 0:
        return a + b;
    case 1:
        return a - b;
    case 2:
        return a * b;
    case 3:
    case 4:
    case 5:
        *out_is_defined = b != 0;
        if (b == 0)
            return 0;
        if (op == 3)
            return floordiv_plain(a, b);
        return op == 4 ? a - b * floordiv_plain(a, b) : -floordiv_plain(-a, b);
    case 6:
        return a < b ? a : b;
    case 7:
        return a > b ? a : b;
    case 8:
        return a == b;
    case 9:
        return a < b;
    case 10:
        return a <= b;
    default:
        return a ? b : c;
    }
}

static const tn_sym *build(tn_syms *syms, unsigned op, const pair *a, const pair *b,
                           const pair *c) {
    switch (op) {
    case 0:
        return tn_sym_add(syms, a->s, b->s);
    case 1:
        return tn_sym_sub(syms, a->s, b->s);
    case 2:
        return tn_sym_mul(syms, a->s, b->s);
    case 3:
        return tn_sym_floordiv(syms, a->s, b->s);
    case 4:
        return tn_sym_mod(syms, a->s, b->s);
    case 5:
        return tn_sym_ceildiv(syms, a->s, b->s);
    case 6:
        return tn_sym_min(syms, a->s, b->s);
    case 7:
        return tn_sym_max(syms, a->s, b->s);
    case 8:
        return tn_sym_eq(syms, a->s, b->s);
    case 9:
        return tn_sym_lt(syms, a->s, b->s);
    case 10:
        return tn_sym_le(syms, a->s, b->s);
    default:
        return tn_sym_select(syms, a->s, b->s, c->s);
    }
}

/* Holds the canonical form against the plain values. */
static void check_pair(fixture *f, const pair *p, int64_t inputs[TRIALS][VARS]) {
    for (int t = 0; t < TRIALS; t++) {
        if (!p->is_defined[t])
            continue;
        int64_t value = 0;
        tn_status status = tn_sym_eval(f->syms, p->s, inputs[t], &value);
        bool is_wrong = status || value != p->values[t] || value < p->s->min || value > p->s->max;
        if (!is_wrong)
            continue;
        tn_buf buf;
        tn_buf_init(&buf, tn_allocator_system());
        tn_sym_print(&buf, p->s);
        fail_msg("%s = %lld, expected %lld, range [%lld, %lld] at %lld %lld %lld %lld: %s",
                 tn_buf_cstr(&buf), (long long)value, (long long)p->values[t], (long long)p->s->min,
                 (long long)p->s->max, (long long)inputs[t][0], (long long)inputs[t][1],
                 (long long)inputs[t][2], (long long)inputs[t][3], tn_status_message(status));
    }
    tn_buf buf;
    tn_buf_init(&buf, tn_allocator_system());
    tn_sym_print(&buf, p->s);
    const tn_sym *again = parse(f, tn_buf_cstr(&buf));
    if (again != p->s)
        fail_msg("%s does not parse back to itself", tn_buf_cstr(&buf));
    tn_buf_deinit(&buf);
}

static void random_round(uint64_t seed) {
    static const int64_t lows[VARS] = {1, 2, 0, -20}, highs[VARS] = {40, 9, 6, 20};
    static pair pool[24];
    int64_t inputs[TRIALS][VARS];
    fixture f;
    open_with(&f, tn_allocator_system());
    for (int t = 0; t < TRIALS; t++)
        for (int v = 0; v < VARS; v++)
            inputs[t][v] =
                lows[v] + (int64_t)(next_random(&seed) % (uint64_t)(highs[v] - lows[v] + 1));
    size_t count = 0;
    for (; count < VARS; count++) {
        char name[] = {'v', (char)('0' + count), 0};
        pool[count].s = tn_sym_var(f.syms, tn_str_of(name), lows[count], highs[count]);
        for (int t = 0; t < TRIALS; t++) {
            pool[count].values[t] = inputs[t][count];
            pool[count].is_defined[t] = true;
        }
    }
    for (int64_t number = -4; number <= 8; number += 3, count++) {
        pool[count].s = tn_sym_const(f.syms, number);
        for (int t = 0; t < TRIALS; t++) {
            pool[count].values[t] = number;
            pool[count].is_defined[t] = true;
        }
    }
    size_t leaves = count;
    while (count < sizeof pool / sizeof *pool) {
        unsigned op = (unsigned)(next_random(&seed) % 12);
        const pair *a = &pool[next_random(&seed) % count];
        /* one factor of a product stays small, so that plain values cannot overflow */
        const pair *b = &pool[next_random(&seed) % (op == 2 ? leaves : count)];
        const pair *c = &pool[next_random(&seed) % count];
        if (op >= 3 && op <= 5 && tn_sym_is(b->s, 0))
            continue;
        pair *made = &pool[count];
        for (int t = 0; t < TRIALS; t++) {
            bool is_defined = true;
            made->values[t] = apply(op, a->values[t], b->values[t], c->values[t], &is_defined);
            made->is_defined[t] = is_defined && a->is_defined[t] && b->is_defined[t] &&
                                  (op != 11 || c->is_defined[t]);
        }
        made->s = build(f.syms, op, a, b, c);
        tn_status status = tn_syms_status(f.syms);
        if (status)
            fail_msg("%s", tn_status_message(status));
        check_pair(&f, made, inputs);
        count++;
    }
    tn_arena_deinit(&f.arena);
}

static void random_expressions(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++)
        random_round(seed * 0x9e3779b97f4a7c15u);
}

/* ---- memory --------------------------------------------------------------------------------- */

static bool use_table(tn_allocator allocator) {
    fixture f;
    tn_arena_init(&f.arena, allocator);
    tn_status status = tn_syms_create(&f.arena, &f.syms);
    for (int i = 0; i < 600 && !status; i++) {
        char text[64];
        snprintf(text, sizeof text, "max(v%d // 3, v%d %% 5) + %d*v%d", i, i + 1, i, i);
        const tn_sym *s = NULL;
        status = tn_sym_parse(f.syms, tn_str_of(text), true, &s);
        assert_true((s == NULL) == (status != NULL));
    }
    assert_true(!status || tn_status_code(status) == TN_OUT_OF_MEMORY);
    bool is_whole = status == NULL;
    tn_status_free(status);
    tn_arena_deinit(&f.arena);
    return is_whole;
}

static void failing_allocations(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        tn_test_allocator counter;
        bool is_whole = use_table(tn_test_allocator_init(&counter, tn_allocator_system(), n));
        assert_int_equal(atomic_load(&counter.live_blocks), 0);
        if (!is_whole)
            continue;
        assert_true(n > 5);
        assert_int_equal(atomic_load(&counter.request_count), n - 1);
        return;
    }
}

#define TABLE_TEST(f) cmocka_unit_test_setup_teardown(f, open_table, close_table)

int main(void) {
    const struct CMUnitTest tests[] = {
        TABLE_TEST(simplifies),
        TABLE_TEST(equal_is_same_pointer),
        TABLE_TEST(canonical_in_any_table),
        TABLE_TEST(ranges),
        TABLE_TEST(known),
        TABLE_TEST(symbols),
        TABLE_TEST(failures_stick),
        TABLE_TEST(size_is_limited),
        TABLE_TEST(eval_checks),
        TABLE_TEST(parse_errors),
        TABLE_TEST(parse_makes_symbols_and_prefixes),
        TABLE_TEST(substitutes),
        cmocka_unit_test(random_expressions),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
